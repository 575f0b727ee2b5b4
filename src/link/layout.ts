/**
 * The columns of link directions.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";

/** Word offsets of a link direction's row. */
export const DIRECTION = {
  /** Node row that sends into it. */
  FROM: 0,
  /** Node row that it delivers to. */
  TO: 1,
  /** Index of its settings in `Links.settings`. */
  SETTINGS: 2,
  /** Stable place of this direction among all (from link names, not from rows). */
  RANK: 3,
  /** Packets sent into it so far: the next packet's own number in the total order. */
  SENT: 4,
  /** `DIRECTION_FLAG` bits. */
  FLAGS: 5,
  /** Where its details are, if it is `ELABORATE`. */
  DETAILS: 6,
  /** Largest IP packet, bytes. */
  MTU: 7,
  /** Words in a row. */
  STRIDE: 8,
  /** The bits of a row's offset. */
  MASK: rowMask(8),
} as const;

/** Bits of `DIRECTION.FLAGS`. */
export const DIRECTION_FLAG = {
  /** It delivers to a NAT gateway from its inner realm. */
  FROM_INSIDE: 1,
  /** It is out of service. */
  DOWN: 2,
  /** It has impairments or a limited queue: a packet takes more than its pace. */
  ELABORATE: 4,
  /** It delivers to a host; to a NAT gateway. */
  TO_HOST: 8,
  TO_NAT: 16,
  /** It was cut, or its queue emptied: packets may be lost (`Links.fateOf`). */
  CUT: 32,
  /** It leads to another part of the network, which another thread runs. */
  AWAY: 64,
} as const;

/** Places of a direction's times, in `Links.pace`. */
export const PACE = {
  /** When it will have sent all that waits, ns, rounded down … */
  FREE_AT_NS: 0,
  /** … and the rest, in units of 1 / rate ns. */
  FREE_AT_REST: 1,
  /** Bits per second; Infinity for no limit. */
  RATE_BPS: 2,
  /** Propagation delay, ns. */
  DELAY_NS: 3,
  /** Places of a direction: half a cache line. */
  STRIDE: 4,
  /** The bits of a row's offset. */
  MASK: rowMask(4),
} as const;
