/**
 * What a gateway decides about a packet.
 *
 * @module
 */

/** Verdicts of `translateOutbound` and `translateInbound`. */
export const NAT_VERDICT = {
  /** Rewritten: send it on, on the other side. */
  FORWARD: 0,
  /** No external port is left for it. */
  DROP_POOL_EMPTY: 1,
  /** Its subscriber has all the sessions or ports that it may have. */
  DROP_QUOTA: 2,
  /** There is a mapping, but not for this remote endpoint. */
  DROP_FILTERED: 3,
  /** There is no mapping, and the packet may not make one. (The gateway's own traffic also ends up here.) */
  DROP_NO_MAPPING: 4,
  /** Rewritten on both sides: send it back inside. */
  HAIRPIN: 5,
  /** From inside to an external address of this gateway, which does not hairpin. */
  DROP_HAIRPIN_OFF: 6,
  /** A protocol or ICMP type that a NAPT cannot translate. */
  DROP_UNSUPPORTED: 7,
  /** Its subscriber has all the blocks that it may have, and they are full. */
  DROP_BLOCK: 8,
  /** Its subscriber opens sessions faster than it may. */
  DROP_RATE: 9,
  /** The gateway has all the sessions that it may have. */
  DROP_TABLE_FULL: 10,
  /** Its source is no subscriber of a deterministic NAT. */
  DROP_NOT_SUBSCRIBER: 11,
} as const;

/** One of the values of {@linkcode NAT_VERDICT}. */
export type NatVerdict = (typeof NAT_VERDICT)[keyof typeof NAT_VERDICT];

/** Number of verdicts. */
export const NAT_VERDICT_COUNT = 12;

/** Names of the verdicts, in their order; those that drop are the reasons of refusals in reports. */
export const NAT_VERDICT_NAMES: readonly (NatRefusalReason | "forward" | "hairpin")[] = [
  "forward",
  "pool-empty",
  "quota",
  "filtered",
  "no-mapping",
  "hairpin",
  "hairpinning-off",
  "unsupported",
  "block",
  "rate",
  "table-full",
  "not-subscriber",
];

/** The name of a reason for which a gateway refuses packets. */
export type NatRefusalReason =
  | "pool-empty"
  | "quota"
  | "filtered"
  | "no-mapping"
  | "hairpinning-off"
  | "unsupported"
  | "block"
  | "rate"
  | "table-full"
  | "not-subscriber";
