/**
 * The eleven states of a TCP connection, and what a stack reports about one.
 *
 * @module
 */

/** Connection states (RFC 9293 3.3.2), as kept in the low four bits of `TCB.STATE`. */
export const STATE = {
  CLOSED: 0,
  LISTEN: 1,
  SYN_SENT: 2,
  SYN_RECEIVED: 3,
  ESTABLISHED: 4,
  FIN_WAIT_1: 5,
  FIN_WAIT_2: 6,
  CLOSE_WAIT: 7,
  CLOSING: 8,
  LAST_ACK: 9,
  TIME_WAIT: 10,
} as const;

const STATE_NAMES = [
  "CLOSED",
  "LISTEN",
  "SYN_SENT",
  "SYN_RECEIVED",
  "ESTABLISHED",
  "FIN_WAIT_1",
  "FIN_WAIT_2",
  "CLOSE_WAIT",
  "CLOSING",
  "LAST_ACK",
  "TIME_WAIT",
];

/** The name of a state, as RFC 9293 writes it with underscores for hyphens. */
export function stateName(state: number): string {
  return STATE_NAMES[state] ?? `STATE_${state}`;
}

/** What `TcpStack.events` reports: triples of connection, one of these, and an argument. */
export const TCP_EVENT = {
  /** An active (or simultaneous) open completed. */
  CONNECTED: 1,
  /** A connection entered a listener's accept queue; the argument is the listener. */
  ACCEPTABLE: 2,
  /** Bytes arrived in order; the argument is how many. */
  READABLE: 3,
  /** The peer's FIN arrived: after the bytes that are buffered, the stream ends. */
  PEER_CLOSED: 4,
  /** There is room in the send buffer again, after a send that was cut short. */
  WRITABLE: 5,
  /** The protocol is done (CLOSED, or moved on to a TIME_WAIT row). A connection's last event. */
  CLOSED: 6,
  /** The connection failed; the argument is the errno. A connection's last event. */
  FAILED: 7,
  /** The peer has sent urgent data; the argument is the sequence number of its last byte. */
  URGENT: 8,
  /**
   * Trouble that does not end the connection (RFC 9293 3.9.1.8, ERROR_REPORT); the argument is `REPORT` << 8 | errno.
   */
  ERROR_REPORT: 9,
} as const;

/** What a `TCP_EVENT.ERROR_REPORT` is about. */
export const REPORT = {
  /** An ICMP error that stands for the errno. */
  ICMP: 1,
  /** The same data, or SYN, was repeated `retries1` times (R1 of RFC 9293 3.8.3). */
  RETRANSMISSIONS: 2,
} as const;

/** What a value of the tuple table and a timer reference point at: `(row << 2) | kind`. */
export const ROW_KIND = { CONNECTION: 0, TIME_WAIT: 1, SYN_RECEIVED: 2 } as const;
