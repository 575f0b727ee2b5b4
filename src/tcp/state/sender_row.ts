/**
 * Rows of senders of more than a queue of bytes.
 *
 * @module
 */
import { rowMask } from "../../base/row_mask.ts";

/**
 * Sending beyond a queue of bytes: urgent data, ends of records, send-buffer autotuning, pacing, MTU
 * probes. Made when one of them is used; given back at rest if `FLAGS` is 0.
 */
export const SENDER = {
  /** SND.UP: one past the urgent byte, if `SENDER_FLAG.URGENT`. */
  URGENT: 0,
  /** `SENDER_FLAG`s. */
  FLAGS: 1,
  /** First and last of the unsent ends of records (MSG_EOR): rows of `TcpStack.ranges`, `OOO.NEXT` and `OOO.SEQ`. */
  MARK_HEAD: 2,
  MARK_TAIL: 3,
  /** Where the last buffer of the write queue begins (what Linux appends to); SND.NXT if that is later. */
  TAIL_SEQ: 4,
  /** SND.END when PSH was last set (Linux's `pushed_seq`), if `SENDER_FLAG.PUSHED`. */
  PUSHED_SEQ: 5,
  /** The send buffer as autotuned, bytes; 0: as it was at first. */
  BUFFER: 6,
  /** When the next segment may go, ns: high part (units of 2^30) and low part; segments sent before pacing began. */
  NEXT_SEND_HIGH: 8,
  NEXT_SEND_LOW: 9,
  UNPACED: 10,
  /** Path MTU that ICMP told, bytes; 0: the interface's. */
  PATH_MTU: 11,
  /** PLPMTUD (RFC 4821): the range searched, bytes of IP packets, the probe in flight (0 for none), and when. */
  SEARCH_LOW: 12,
  SEARCH_HIGH: 13,
  PROBE_SIZE: 14,
  PROBE_SEQ: 15,
  PROBE_END: 16,
  PROBED_MS: 17,
  /** The MSS that the peer's and the interface's allow, whatever was learnt of the path: what a probe may grow to. */
  MSS_CLAMP: 18,
  /** The MSS that was announced, if the path was known to take less than the interface; 0 otherwise. */
  ANNOUNCED: 19,
  /** Words in a row. */
  STRIDE: 32,
  /** The bits of a row's offset. */
  MASK: rowMask(32),
} as const;

/** Flags of `SENDER.FLAGS`. */
export const SENDER_FLAG = {
  /** There is urgent data that is not acknowledged, up to `URGENT`. */
  URGENT: 1,
  /** What was written last is to be followed by more (MSG_MORE): its end has no PSH. */
  MORE: 2,
  /** `PUSHED_SEQ` holds. */
  PUSHED: 4,
  /** Segments are spaced out; the pacing timer is set. */
  PACED: 8,
  PACING: 16,
  /** The path MTU is being searched for. */
  MTU_SEARCH: 32,
  /** `BUFFER` or `MSS_CLAMP` hold something worth keeping. */
  KEEP: 64,
  /** The host has learnt something of the path: look before sending. */
  PATH: 128,
} as const;
