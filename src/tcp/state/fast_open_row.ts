/**
 * Rows of Fast Open.
 *
 * @module
 */

/** Fast Open (RFC 7413) of a connection, from its SYN on; kept to the end, for what TCP_INFO and black holes ask. */
export const FAST_OPEN = {
  /** `FAST_OPEN_FLAG`s. */
  FLAGS: 0,
  /** SYNs repeated (client), SYN-ACKs repeated for whatever reason (server). */
  REPEATED: 1,
  /** SYN-ACK timeouts (server). */
  TIMEOUTS: 2,
  /** The peer's initial sequence number. */
  IRS: 3,
  /** When the SYN-ACK was first sent, µs (server). */
  SENT_US: 4,
  /** When an out-of-window segment was last answered, ms; 0 for never (server). */
  LAST_OOW: 5,
  /** The listener and its generation (server). */
  LISTENER: 6,
  GENERATION: 7,
  /** Bytes of data in the SYN (client). */
  SYN_BYTES: 8,
  /** Largest packet that the path took, by ICMP, bytes; 0 for the interface's MTU (client). */
  PATH_MTU: 9,
  /** Cookie to ask for or to show: its length, -1 for no option, with `FAST_OPEN_EXPERIMENTAL`; and its words. */
  COOKIE: 10,
  COOKIE_WORDS: 11,
  /** Why the SYN's data did not arrive (`tcpi_fastopen_client_fail`): 1 no cookie, 2 not acknowledged, 3 SYN repeated. */
  CLIENT_FAIL: 15,
  /** Words in a row. */
  STRIDE: 16,
} as const;

/** Flags of `FAST_OPEN.FLAGS`. */
export const FAST_OPEN_FLAG = {
  /** The SYN had a Fast Open option (Linux `syn_fastopen`). */
  ASKED: 1,
  /** It was the experimental one. */
  EXPERIMENTAL: 2,
  /** The SYN had data. */
  SYN_DATA: 4,
  /** Data in the SYN (ours or the peer's) was acknowledged. */
  SYN_DATA_ACKED: 8,
  /** Success would prove that a black hole is gone (Linux `syn_fastopen_ch`). */
  CHECKS_PATH: 16,
  /** A listener's connection that waits for the final ACK: its SYN-ACK has the retransmission timer. */
  PENDING: 32,
  /** It counts in the listener's Fast Open queue. */
  COUNTED: 64,
} as const;
