/**
 * The limits that can bind, by name.
 *
 * @module
 */

/** The limits that can bind, by their names: fixed for good. */
export const LIMIT_NAMES = [
  "ports",
  "nat-pool",
  "nat-quota",
  "files",
  "memory",
  "orphans",
  "time-wait",
  "cpu",
  "syn-queue",
  "accept-queue",
  "link",
  "flow-table",
  "nat-block",
  "nat-rate",
  "nat-table",
  "proxy-pool",
] as const;

/** One of the limits that can bind. */
export type LimitName = typeof LIMIT_NAMES[number];
