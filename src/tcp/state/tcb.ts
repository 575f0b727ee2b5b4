/**
 * The rows of the transmission control block: one hot and one warm line of 64 bytes for every connection, 16 bytes
 * of timers, and a cold row only while data is in flight, out of order or recovering (DESIGN section 3).
 *
 * Every u32 (sequence numbers, windows, times) is kept as a signed 32-bit word. The first four words of a
 * connection, a TIME_WAIT row and a SYN_RECEIVED row are the same, so that the tuple table can verify any of them.
 *
 * @module
 */
import { rowMask } from "../../base/row_mask.ts";

/** The hot line of a connection: what every segment touches. */
export const TCB = {
  /** Local address id. */
  LOCAL: 0,
  /** Remote address id. */
  REMOTE: 1,
  /** Local port << 16 | remote port. */
  PORTS: 2,
  /** The host it belongs to. */
  HOST: 3,
  /** State (bits 0 to 3), the peer's window shift (4 to 7), ours (8 to 11), `FLAG`s (12 to 31). */
  STATE: 4,
  /** SND.UNA. */
  SND_UNA: 5,
  /** SND.NXT. */
  SND_NXT: 6,
  /** SND.WND in bytes, scaled. */
  SND_WND: 7,
  /** One past the last byte that the application has written (a FIN comes after it). */
  SND_END: 8,
  /** RCV.NXT. */
  RCV_NXT: 9,
  /** RCV.NXT when the last ACK was sent (Last.ACK.sent of RFC 7323, `rcv_wup` of Linux). */
  RCV_WUP: 10,
  /** Right edge of the window advertised: never moves left (RFC 9293 3.8.6 SHLD-14). */
  RCV_ADV: 11,
  /** One past the last byte that the application has read (`copied_seq`). */
  RCV_READ: 12,
  /** TS.Recent of RFC 7323. */
  TS_RECENT: 13,
  /** Congestion window in segments. */
  CWND: 14,
  /** MSS for sending, options subtracted (bits 0 to 15); largest segment received, an estimate (bits 16 to 31). */
  MSS: 15,
  /** Words in a row, the warm line (`WARM`) among them. */
  STRIDE: 40,
  /** The bits of a row's offset. */
  MASK: rowMask(40),
} as const;

/** Flags and fields of `TCB.STATE`. */
export const FLAG = {
  /** Mask of the state. */
  STATE_MASK: 0xf,
  /** Where the shift for the peer's window begins (4 bits). */
  SND_SHIFT_AT: 4,
  /** Where the shift for our window begins (4 bits). */
  RCV_SHIFT_AT: 8,
  /** Timestamps are in use (RFC 7323). */
  TIMESTAMPS: 1 << 12,
  /** SACK was permitted by both sides. */
  SACK: 1 << 13,
  /** Window scaling is in use (perhaps by 0). */
  SCALING: 1 << 14,
  /** The Nagle algorithm is off. */
  NO_DELAY: 1 << 15,
  /** Keep-alives are on. */
  KEEP_ALIVE: 1 << 16,
  /** The application has finished writing: a FIN follows `SND_END`. */
  FIN_QUEUED: 1 << 17,
  /** The FIN has been sent once: `SND_NXT` is past it. */
  FIN_SENT: 1 << 18,
  /** The peer's FIN has been received in order: `RCV_NXT` is past it. */
  FIN_RECEIVED: 1 << 19,
  /** The application has let go: an orphan. */
  ORPHAN: 1 << 20,
  /** The protocol is done and the last event was written. */
  DONE: 1 << 21,
  /** The driver has taken the last event. */
  DRAINED: 1 << 22,
  /** A send was cut short: tell when there is room. */
  WANTS_ROOM: 1 << 23,
  /** Waits in a listener's accept queue: its words APP_DATA and APP_DATA2 belong to the queue. */
  UNACCEPTED: 1 << 24,
  /** The application has shut down reading. */
  READ_SHUT: 1 << 25,
  /** Small segments are held back until uncorked. */
  CORK: 1 << 26,
  /** ECN was negotiated. */
  ECN: 1 << 27,
  /** This side opened actively. */
  ACTIVE: 1 << 28,
  /** The addresses are IPv6. */
  IPV6: 1 << 29,
  /** `done` ended in an error whose number is in `WARM.SRTT`. */
  FAILED: 1 << 30,
  /** An account row (`ACCOUNT`) counts what `TCP_INFO` shows. The sign bit: `state < 0`. */
  ACCOUNTED: 1 << 31,
} as const;

/**
 * The warm line of a connection: in the same row, so that what is used together lies in one page (at a million
 * connections a page that is not known to the processor costs as much as a line that is not in its cache: requests over
 * a million held ones took 7% longer while timers had a table of their own, which is quicker for timers alone).
 */
export const WARM = {
  /** The application's: which application. Inherited from the listener. */
  APP: 16,
  /** The application's: its state. */
  APP_STATE: 17,
  /** The application's. While unaccepted: the listener. */
  APP_DATA: 18,
  /** The application's. While unaccepted: the next connection in the accept queue. */
  APP_DATA2: 19,
  /** Number of the connection within its host: with the host, its stable identity. */
  SERIAL: 20,
  /** Added to the millisecond clock in timestamps. */
  TS_OFFSET: 21,
  /** Smoothed round-trip time in units of 1/8 µs; 0 before the first sample. */
  SRTT: 22,
  /** Four times the mean deviation, µs. Before the first sample: when the SYN was first sent (µs). */
  MDEV: 23,
  /** What the retransmission timeout adds to SRTT: four times the deviation, in µs, at least the least RTO. */
  RTTVAR: 24,
  /** SND.WL1: sequence number of the segment of the last window update. */
  SND_WL1: 25,
  /** Largest window ever offered by the peer, in bytes. */
  MAX_WINDOW: 26,
  /** Least round-trip time seen in the last minutes (Linux's `tcp_min_rtt`), µs; 0 before the first sample. */
  MIN_RTT: 27,
  /** Row in `TcpStack.cold`, 0 for none. */
  COLD: 28,
  /** Index in `TcpStack.streams` of real bytes, 0 for counted ones only. */
  STREAM: 29,
  /** Delayed-ACK state, back-off and retry counts: see `ACK_STATE`. */
  ACK_STATE: 30,
  /**
   * Number of the host's profile when the connection was made (bits 20 to 31; `PROFILE_ELSEWHERE`: ask the host), and
   * a count that differs between connections that had the same row (bits 0 to 19).
   */
  GENERATION: 31,
  /** Words in a row. */
  STRIDE: 40,
  /** The bits of a row's offset. */
  MASK: rowMask(40),
} as const;

/** In the profile bits of `WARM.GENERATION`: the number does not fit. */
export const PROFILE_ELSEWHERE = 0xfff;

/** Bit fields of `WARM.ACK_STATE`. */
export const ACK_STATE = {
  /** Quick ACKs left (bits 0 to 4). */
  QUICK_MASK: 0x1f,
  /** The connection is interactive: hope to piggyback. */
  PING_PONG: 1 << 5,
  /** An ACK is owed. */
  SCHEDULED: 1 << 6,
  /** Data has been received before. */
  SEEN_DATA: 1 << 7,
  /** What `TIMER.REXMIT` means (2 bits): one of `REXMIT_KIND`. */
  KIND_AT: 8,
  /** Exponential back-off of the retransmission or probe timer (4 bits). */
  BACKOFF_AT: 10,
  /** Timeouts, SYN retransmissions or unanswered probes in a row (8 bits). */
  RETRIES_AT: 14,
  /** The first RTT sample has just been taken. */
  FRESH_RTT: 1 << 22,
  /** `TIMER.DELACK` is the deadline of a delayed ACK; otherwise it is when a reply to the last data stops being prompt. */
  DELAYED: 1 << 23,
  /** A small or pushed segment waits to be acknowledged, and another one (Linux's `ICSK_ACK_PUSHED`, `PUSHED2`). */
  PUSHED: 1 << 24,
  PUSHED_TWICE: 1 << 25,
  /** The ACK that is owed must go at once. */
  ACK_NOW: 1 << 26,
  /** Age stamp of TS.Recent: the millisecond clock >>> `TS_AGE_UNIT` (5 bits). */
  TS_AGE_AT: 27,
  /** See `TS_AGE_AT`: 37 hours. */
  TS_AGE_UNIT: 27,
} as const;

/** Meanings of `TIMER.REXMIT`. */
export const REXMIT_KIND = { RETRANSMIT: 0, PROBE: 1, TAIL_LOSS: 2, REORDER: 3 } as const;

/**
 * Timers of a connection, the last half line of its row: deadlines in milliseconds (32-bit, wrapping), 0 for off. Places
 * in `TcpStack.timers`, which shows the rows from there on.
 */
export const TIMER = {
  /** Retransmission, SYN retransmission, zero-window probe. */
  REXMIT: 0,
  /** Delayed ACK, if `ACK_STATE.DELAYED`; else the end of the time in which a reply is prompt. */
  DELACK: 1,
  /** Keep-alive; orphaned FIN_WAIT_2. */
  KEEPALIVE: 2,
  /** The tick at which the driver's wheel will call; 0 for none. */
  QUEUED_AT: 3,
  /** When the segment of a lone flight (`lone_flight_row.ts`) was sent, µs. */
  LONE_SENT_US: 4,
  /** Words in a row. */
  STRIDE: 40,
  /** The bits of a row's offset. */
  MASK: rowMask(40),
  /** Where the timers begin in a row. */
  BEGIN: 32,
} as const;

/**
 * The cold row of a connection: present while data is in flight or out of order, or while there is congestion state
 * worth keeping (a finite SSTHRESH); released at rest. Rows that few connections need hang on it.
 */
export const COLD = {
  /** First and last record (`RTX`) of the retransmission queue. */
  RTX_HEAD: 0,
  RTX_TAIL: 1,
  /** Where the next search for something to retransmit starts; 0: at the head. */
  RTX_HINT: 2,
  /** Records in the queue. */
  PACKETS_OUT: 3,
  /** Segments known to have left the network: SACKed, or counted from duplicate ACKs. */
  SACKED_OUT: 4,
  /** Segments taken for lost. */
  LOST_OUT: 5,
  /** Segments retransmitted and not yet acknowledged. */
  RETRANS_OUT: 6,
  /** Recovery state (`CA`, bits 0 to 7) and congestion control algorithm (bits 8 to 15). */
  CA_STATE: 7,
  /** Slow-start threshold in segments; `SSTHRESH_INFINITE` before the first loss. */
  SSTHRESH: 8,
  /** ACKed segments towards the next increase of CWND. */
  CWND_COUNT: 9,
  /** Largest `MDEV` in this round trip (Linux's `mdev_max_us`); 0: the least RTO. */
  MDEV_MAX: 10,
  /** Sequence number that ends this round trip of RTT sampling. */
  RTT_SEQ: 11,
  /** Most packets out in the current round, for congestion window validation. */
  MAX_PACKETS_OUT: 12,
  /** Sequence number that ends that round. Bit-exact with `SND_NXT` when it was noted. */
  CWND_USAGE_SEQ: 13,
  /** End of the last segment sent that was smaller than the MSS (Minshall). */
  SND_SMALL: 14,
  /** When data was last sent, ms. */
  LAST_SENT_MS: 15,
  /** `recover` of RFC 6582: SND.NXT when loss was found. */
  HIGH_SEQ: 16,
  /** When the first retransmission of the oldest data was sent, TS clock ms (0: none). */
  RETRANS_STAMP: 17,
  /** First record (`OOO`) of the reassembly queue, and bytes in it. */
  OOO_HEAD: 18,
  OOO_BYTES: 19,
  /** Row in `TcpStack.settings`, 0 for none. */
  SETTINGS: 20,
  /** Private row of the congestion control algorithm in `TcpStack.congestionPools`, 0 for none. */
  CC: 21,
  /** Row in `TcpStack.recoveries` (`RECOVERY`), 0 for none: SACK, RACK, TLP, PRR, undo and rate state. */
  RECOVERY: 22,
  /** Row in `TcpStack.receivers` (`RECEIVER`), 0 for none: what receiving more than a trickle needs. */
  RECEIVER: 23,
  /** Row in `TcpStack.senders` (`SENDER`), 0 for none: urgent data, MSG_EOR marks, pacing, MTU probes. */
  SENDER: 24,
  /** Row in `TcpStack.accounts` (`ACCOUNT`), 0 for none: it keeps this row at rest. */
  ACCOUNT: 25,
  /** Row of Fast Open's state in SYN_SENT and SYN_RECEIVED (`FAST_OPEN`), 0 for none. */
  FAST_OPEN: 26,
  /** Last soft (ICMP) error, 0 for none. */
  SOFT_ERROR: 27,
  /** RACK's round trip: of the segment that was delivered last, µs; 0 before the first (`RACK.rtt` of RFC 8985). */
  RACK_RTT_US: 28,
  /** Segments delivered, by SND.UNA or SACK (Linux's `delivered`: 1 for the handshake). */
  DELIVERED: 29,
  /** Most packets out since CWND was last full or shrunk, and when that was, ms (Linux's `snd_cwnd_used`, `_stamp`). */
  CWND_USED: 30,
  CWND_STAMP_MS: 31,
  /** Words in a row. */
  STRIDE: 32,
  /** The bits of a row's offset. */
  MASK: rowMask(32),
} as const;

/** Recovery states, as Linux's `tcp_ca_state`. */
export const CA = { OPEN: 0, DISORDER: 1, CWR: 2, RECOVERY: 3, LOSS: 4 } as const;

/** A slow-start threshold that no window reaches. */
export const SSTHRESH_INFINITE = 0x7fffffff;

/** A record of the retransmission queue: one segment in flight. */
export const RTX = {
  NEXT: 0,
  PREV: 1,
  /** First sequence number, and one past the last (a FIN included). */
  SEQ: 2,
  END: 3,
  /** When last sent, µs (32-bit, wrapping). */
  SENT_US: 4,
  /** `RTX_FLAG`s. */
  FLAGS: 5,
  /** Times retransmitted. */
  RETRANSMITS: 6,
  /** For rate samples: `COLD.DELIVERED` when sent; where there is a `RECOVERY` row, its time, and the flight's first. */
  DELIVERED: 7,
  DELIVERED_US: 8,
  FIRST_SENT_US: 9,
  IN_FLIGHT: 10,
  /** RACK's order of sending: the neighbours in the list of segments by the time they were last sent. */
  SENT_NEXT: 11,
  SENT_PREV: 12,
  /** `RECOVERY.DELIVERED_CE` when sent. */
  DELIVERED_CE: 13,
  /** Words in a row. */
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

/** Flags of `RTX.FLAGS`. */
export const RTX_FLAG = {
  /** The peer SACKed it. */
  SACKED: 1,
  /** Taken for lost. */
  LOST: 2,
  /** A retransmission of it is in flight. */
  RETRANSMITTED: 4,
  /** Was retransmitted at some time: no RTT sample (Karn). */
  EVER: 8,
  /** Ends with a FIN. */
  FIN: 16,
  /** Was sent with PSH. */
  PUSH: 32,
  /** Ends a record (MSG_EOR): nothing is joined to it. */
  RECORD_END: 64,
  /** The application had nothing more when it was sent: no rate sample above the estimate. */
  APP_LIMITED: 256,
  /** Carries the SYN (Fast Open): `SEQ` is the ISS. */
  SYN: 512,
  /** Stands in the list by time of sending. */
  LISTED: 1024,
  /** Was sent in one group with the record after it, and is sent again in one (Linux: both are in one `sk_buff`). */
  JOINED: 2048,
} as const;

/** A record of the reassembly queue: a range of bytes beyond RCV.NXT. */
export const OOO = {
  NEXT: 0,
  SEQ: 1,
  /** One past the last byte (without a FIN). */
  END: 2,
  /** Handle of real bytes in `PacketPool.payloads`, 0 for counted ones. */
  PAYLOAD: 3,
  /** Where in those bytes SEQ is. */
  OFFSET: 4,
  /** 1: a FIN follows END. */
  FIN: 5,
  /** The range before; of the first one, the last. */
  PREV: 6,
  /** Words in a row. */
  STRIDE: 8,
  /** The bits of a row's offset. */
  MASK: rowMask(8),
} as const;

/** Overrides of the profile by socket options; 0 (or -1 where 0 means something) for the profile's. */
export const SETTINGS = {
  KEEP_IDLE_MS: 0,
  KEEP_INTERVAL_MS: 1,
  KEEP_PROBES: 2,
  USER_TIMEOUT_MS: 3,
  SEND_BUFFER: 4,
  MAX_SEGMENT: 5,
  SYN_RETRIES: 6,
  /** 1 + the linger time in ms. */
  LINGER: 7,
  /** 1 + congestion control algorithm. */
  CONGESTION: 8,
  NOT_SENT_LOW: 9,
  /** SO_RCVBUF in bytes (Linux doubles what is asked for). */
  RECEIVE_BUFFER: 10,
  /** TCP_LINGER2 in ms, -1 for none. */
  LINGER2_MS: 11,
  /** Flags of options: `SETTING_FLAG`. */
  FLAGS: 12,
  /** 1 + the traffic class (IP_TOS, IPV6_TCLASS). */
  TRAFFIC_CLASS: 13,
  /** TCP_DEFER_ACCEPT in SYN-ACK retransmissions. */
  DEFER_ACCEPT: 14,
  /** TCP_WINDOW_CLAMP in bytes. */
  WINDOW_CLAMP: 15,
  /** 1 + the TTL (IP_TTL, IPV6_UNICAST_HOPS). */
  TTL: 16,
  /** SO_MAX_PACING_RATE in bytes per second. */
  MAX_PACING_RATE: 17,
  /** 1 + IP_MTU_DISCOVER (`PATH_MTU`). */
  PATH_MTU: 18,
  /** When probing of a shut window began, ms; 0 for not. Kept only with a user timeout. */
  PROBES_SINCE_MS: 19,
  /** SO_RCVLOWAT in bytes. */
  RECEIVE_LOW: 20,
  /** Words in a row. */
  STRIDE: 32,
  /** The bits of a row's offset. */
  MASK: rowMask(32),
} as const;

/** Flags in `SETTINGS.FLAGS`; the code that an option belongs to names more. */
export const SETTING_FLAG = {
  /** IP_RECVERR, IPV6_RECVERR. */
  RECEIVE_ERRORS: 2,
  /** SO_OOBINLINE. */
  URGENT_INLINE: 4,
  /** SO_SNDBUF or SO_RCVBUF was set: no autotuning. */
  SEND_BUFFER_LOCKED: 8,
  RECEIVE_BUFFER_LOCKED: 16,
  /** No `TCP_EVENT.ERROR_REPORT`. */
  NO_REPORTS: 32,
} as const;

export { LISTENER, LISTENER_FLAG, SYN_FLAG, SYN_ROW, TIME_WAIT_FLAG, TIME_WAIT_ROW } from "./small_rows.ts";
