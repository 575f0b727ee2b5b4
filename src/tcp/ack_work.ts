/**
 * What is found out while one ACK is looked at (Linux's `tcp_sacktag_state` and `rate_sample`): one object, begun anew
 * for every ACK, read by nobody afterwards.
 *
 * @module
 */

/** See the module's description. Times in µs. */
export const work = {
  /** `ACK_FLAG`s. */
  flags: 0,
  /** SND.UNA before this ACK. */
  priorUna: 0,
  /** Echoed timestamp, 0 for none. */
  echo: 0,
  /** Lowest sequence number, never retransmitted, that arrived after others beyond it. */
  reorder: 0,
  /** Send times of the first and last never-retransmitted segment newly SACKed, if `hasSacked`. */
  hasSacked: false,
  firstSackedUs: 0,
  lastSackedUs: 0,
  /** Segments newly SACKed, and duplicates that a D-SACK told of. */
  sackDelivered: 0,
  /** Of the segment sent last of those delivered: was there one, end, `delivered` and its time when it was sent. */
  hasRate: false,
  rateEnd: 0,
  ratePriorDelivered: 0,
  ratePriorCe: 0,
  ratePriorUs: 0,
  /** Time over which the segments up to it were sent. */
  rateSendUs: 0,
  rateAppLimited: false,
  rateRetransmitted: false,
};

/** Begins anew. */
export function beginWork(flags: number, priorUna: number, echo: number): void {
  work.flags = flags;
  work.priorUna = priorUna;
  work.echo = echo;
  work.hasSacked = false;
  work.sackDelivered = 0;
  work.hasRate = false;
  work.ratePriorDelivered = 0;
  work.rateSendUs = 0;
}
