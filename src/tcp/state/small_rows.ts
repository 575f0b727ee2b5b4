/**
 * The small rows beside connections: what waits in a SYN queue, what waits in TIME_WAIT, and listeners.
 *
 * @module
 */
import { rowMask } from "../../base/row_mask.ts";

/** A connection in SYN_RECEIVED of a listener: Linux's request sock. 64 bytes. */
export const SYN_ROW = {
  LOCAL: 0,
  REMOTE: 1,
  PORTS: 2,
  HOST: 3,
  /** Our initial sequence number. */
  ISS: 4,
  /** The peer's initial sequence number. */
  IRS: 5,
  /** The peer's TSval. */
  TS_RECENT: 6,
  TS_OFFSET: 7,
  /** The peer's MSS (bits 0 to 15), its window shift (16 to 19), ours (20 to 23), `SYN_FLAG`s (24 to 31). */
  OPTIONS: 8,
  LISTENER: 9,
  SERIAL: 10,
  /** When the SYN-ACK was first sent, µs. */
  SENT_US: 11,
  /** Retransmission deadline, ms. */
  DEADLINE: 12,
  /** The tick at which the driver's wheel will call; 0 for none. */
  QUEUED_AT: 13,
  /** SYN-ACK timeouts (bits 0 to 7), and SYN-ACKs repeated for whatever reason (8 to 15). */
  RETRIES: 14,
  /** When a segment out of place was last answered, ms; 0 for never. */
  LAST_OOW: 15,
  /** Words in a row. */
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

/** Flags in `SYN_ROW.OPTIONS`. */
export const SYN_FLAG = {
  TIMESTAMPS: 1 << 24,
  SACK: 1 << 25,
  SCALING: 1 << 26,
  IPV6: 1 << 27,
  ECN: 1 << 28,
  /** The final ACK came and found the accept queue full. */
  ACKED: 1 << 29,
} as const;

/** A connection in TIME_WAIT, or an orphan in FIN_WAIT_2 (`TIME_WAIT_FLAG.FIN_WAIT_2`). 64 bytes. */
export const TIME_WAIT_ROW = {
  LOCAL: 0,
  REMOTE: 1,
  PORTS: 2,
  HOST: 3,
  SND_NXT: 4,
  RCV_NXT: 5,
  /** Right edge of the window last advertised. */
  RCV_ADV: 6,
  TS_RECENT: 7,
  TS_OFFSET: 8,
  /** When TS.Recent was last updated, ms. */
  TS_STAMP: 9,
  /** `TIME_WAIT_FLAG`s; bits 8 to 11: our window shift; 16 to 23: traffic class; 24 to 31: TTL. */
  FLAGS: 10,
  SERIAL: 11,
  DEADLINE: 12,
  QUEUED_AT: 13,
  /** When an out-of-window segment was last answered, ms; 0 for never. */
  LAST_OOW: 14,
  /** When TIME_WAIT began, ms. */
  SINCE_MS: 15,
  /** Words in a row. */
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

/** Flags of `TIME_WAIT_ROW.FLAGS`. */
export const TIME_WAIT_FLAG = {
  /** Timestamps are in use. */
  TIMESTAMPS: 1,
  /** It is not TIME_WAIT yet: the peer's FIN has still to come. */
  FIN_WAIT_2: 2,
} as const;

/** A listener. */
export const LISTENER = {
  HOST: 0,
  /** Local address id, 0 for any. */
  LOCAL: 1,
  PORT: 2,
  /** Longest accept queue asked for, after `somaxconn`. */
  BACKLOG: 3,
  APP: 4,
  /** First and last connection of the accept queue; linked by `WARM.APP_DATA2`. */
  ACCEPT_HEAD: 5,
  ACCEPT_TAIL: 6,
  /** Connections in the accept queue. */
  ACCEPT_COUNT: 7,
  /** Connections in SYN_RECEIVED. */
  SYN_COUNT: 8,
  /** Final ACKs and SYNs that found the accept queue full. */
  ACCEPT_OVERFLOWS: 9,
  /** SYNs that found the SYN queue full. */
  SYN_OVERFLOWS: 10,
  /** Times of the first of each: ns, high part (units of 2^30 ns) and low part, 0 and 0 for never. */
  ACCEPT_FIRST_HIGH: 11,
  ACCEPT_FIRST_LOW: 12,
  SYN_FIRST_HIGH: 13,
  SYN_FIRST_LOW: 14,
  /** Most connections in the accept queue (bits 16 to 31) and the SYN queue (bits 0 to 15), saturating. */
  PEAKS: 15,
  /** Connections in SYN_RECEIVED whose SYN-ACK has not timed out yet. */
  YOUNG: 16,
  /** `FLAG`s of `TCB.STATE` that accepted connections begin with. */
  FLAGS: 17,
  /** Row in `TcpStack.settings` that accepted connections inherit, 0 for none. */
  SETTINGS: 18,
  /** Differs between listeners that had the same row. */
  GENERATION: 19,
  /** Fast Open (RFC 7413 5.1): most connections that may wait for their final ACK (0: off), and how many do. */
  FAST_OPEN_MAX: 20,
  FAST_OPEN_COUNT: 21,
  /** 1 + the second in which the SYN queue last overflowed into cookies; 0 for never. */
  COOKIES_SENT: 22,
  /** `LISTENER_FLAG`s. */
  OPTIONS: 23,
  /** Words in a row. */
  STRIDE: 32,
  /** The bits of a row's offset. */
  MASK: rowMask(32),
} as const;

/** Flags of `LISTENER.OPTIONS`. */
export const LISTENER_FLAG = {
  /** TCP_FASTOPEN_NO_COOKIE: data in a SYN is taken from anybody. */
  NO_COOKIE: 1,
} as const;
