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

/** Bytes of an IPv6 address beyond those of an IPv4 one. */
const LONGER = 12;

/**
 * Bytes of records by format, of IPv4 subscribers. `docs/nat.md` tells where they come from.
 *
 * IPFIX, fixed-length fields of the IANA registry: observationTimeMilliseconds (8), natEvent (1), sourceIPv4Address (4),
 * postNATSourceIPv4Address (4), protocolIdentifier (1), sourceTransportPort (2), postNAPTSourceTransportPort (2): 22. The
 * destination before and after translation adds 2 × (4 + 2). A block has portRangeStart and portRangeEnd (2 + 2)
 * instead of protocol and ports: 21. Message and set headers are shared by many records and left out.
 *
 * Syslog: 150 bytes a record, with or without the destination.
 */
export const LOG_FORMATS: Readonly<Record<NatLogFormat, NatLogSizes>> = {
  ipfix: { session: 22, destination: 12, block: 21 },
  syslog: { session: 150, destination: 0, block: 150 },
};

/** What of a profile decides on the size of its records. */
export interface NatLogOptions {
  /** Of `LOG`. */
  readonly log: number;
  /** Of `LOG_FORMATS`' names. */
  readonly logFormat: NatLogFormat;
  /** Records hold destinations. */
  readonly logDestinations: boolean;
}

/**
 * Bytes of one record of a gateway that logs `log` (of `LOG`); 0 if it logs nothing. `ipv6`: of a NAT64's subscriber, in
 * whose records sourceIPv6Address, and destinationIPv6Address, have 16 bytes.
 */
export function logRecordBytes({ log, logFormat, logDestinations }: NatLogOptions, ipv6: boolean): number {
  const sizes = LOG_FORMATS[logFormat];
  const longer = ipv6 && logFormat === "ipfix" ? LONGER : 0;
  if (log === LOG.blocks) return sizes.block + longer;
  if (log !== LOG.sessions) return 0;
  return sizes.session + longer + (logDestinations ? sizes.destination + longer : 0);
}
