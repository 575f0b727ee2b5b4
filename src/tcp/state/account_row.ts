/**
 * Rows of accounts.
 *
 * @module
 */

/**
 * What `TCP_INFO` counts of a connection, where `Profile.accounting` is on: kept from the first SYN to the end. Byte
 * counts are two words each: the lower 32 bits, then the upper ones.
 */
export const ACCOUNT = {
  BYTES_ACKED: 0,
  BYTES_RECEIVED: 2,
  BYTES_SENT: 4,
  BYTES_RETRANSMITTED: 6,
  /** Segments, and those with data. */
  SEGMENTS_OUT: 8,
  SEGMENTS_IN: 9,
  DATA_SEGMENTS_OUT: 10,
  DATA_SEGMENTS_IN: 11,
  /** Segments retransmitted, SYNs included. */
  RETRANSMISSIONS: 12,
  /** When data was last sent, data and an ACK last received, ms. */
  LAST_DATA_SENT_MS: 13,
  LAST_DATA_RECEIVED_MS: 14,
  LAST_ACK_RECEIVED_MS: 15,
  /** What keeps the sender: one of `CHRONO`, and since when, ms. */
  CHRONO: 16,
  CHRONO_SINCE_MS: 17,
  /** Time spent busy, with the peer's window full and with the send buffer full, ms (the latter two are busy as well). */
  BUSY_MS: 18,
  WINDOW_LIMITED_MS: 19,
  BUFFER_LIMITED_MS: 20,
  /** Segments that arrived out of order. */
  OUT_OF_ORDER: 21,
  /** Timeouts, episodes of them that have ended, and the time that those took, ms; when the present one began. */
  TIMEOUTS: 22,
  TIMEOUT_RECOVERIES: 23,
  TIMEOUT_MS: 24,
  TIMEOUT_SINCE_MS: 25,
  /** Times that another path was tried. */
  REHASHES: 26,
  /** `ACCOUNT_FLAG`s. */
  FLAGS: 27,
  /** SND.UNA and RCV.NXT as far as they are accounted for. */
  LAST_UNA: 28,
  LAST_RCV: 29,
  /** Words in a row. */
  STRIDE: 32,
} as const;

/** Flags of `ACCOUNT.FLAGS`. */
export const ACCOUNT_FLAG = {
  /** A segment with an ECT or CE mark has arrived. */
  ECN_SEEN: 1,
  /** Data in the SYN was acknowledged. */
  SYN_DATA: 2,
  /** `LAST_RCV` holds. */
  PEER_KNOWN: 4,
} as const;

/** What keeps a sender: nothing, data in flight or waiting, the peer's window, the send buffer (Linux `tcp_chrono`). */
export const CHRONO = { NONE: 0, BUSY: 1, WINDOW_LIMITED: 2, BUFFER_LIMITED: 3 } as const;
