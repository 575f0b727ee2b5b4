/**
 * The log of a carrier-grade NAT, as a volume: how many records of how many bytes (RFC 6888 section 4, RFC
 * 6269: an operator has to tell who had an address and port at a time).
 *
 * @module
 */

/** What is logged. */
export type NatLogEvents = "none" | "sessions" | "blocks";

/** How a record is written. */
export type NatLogFormat = "ipfix" | "syslog";

/** The numbers of {@linkcode NatLogEvents}. */
export const LOG: Readonly<Record<NatLogEvents, number>> = { none: 0, sessions: 1, blocks: 2 };

/** Bytes of one record of each kind. */
export interface NatLogSizes {
  /** A session's beginning or end. */
  readonly session: number;
  /** What the destination adds to it. */
  readonly destination: number;
  /** A block's beginning or end. */
  readonly block: number;
}

/**
 * Bytes of records by format.
 *
 * IPFIX: the mandatory fields of RFC 8158. A session's: time (8), event (1), internal and external address (4 + 4),
 * protocol (1), internal and external port (2 + 2): 22; the destination before and after translation adds 2 × (4 + 2).
 * A block's: time (8), event (1), internal and external address (4 + 4), first and last port (2 + 2): 21.
 * Message and set headers are shared by many records and left out.
 *
 * Syslog: 150 bytes a record, RFC 7422's figure for a typical entry (its section 1), with or without the destination.
 */
export const LOG_FORMATS: Readonly<Record<NatLogFormat, NatLogSizes>> = {
  ipfix: { session: 22, destination: 12, block: 21 },
  syslog: { session: 150, destination: 0, block: 150 },
};

/** Bytes of one record of a gateway that logs `log` (of `LOG`); 0 if it logs nothing. */
export function logRecordBytes(profile: { log: number; logFormat: NatLogFormat; logDestinations: boolean }): number {
  const sizes = LOG_FORMATS[profile.logFormat];
  if (profile.log === LOG.sessions) return sizes.session + (profile.logDestinations ? sizes.destination : 0);
  return profile.log === LOG.blocks ? sizes.block : 0;
}
