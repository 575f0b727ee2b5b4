/**
 * A subscriber's refusals by reason: rows that exist only for subscribers that were refused something.
 *
 * @module
 */
import { NAT_VERDICT_COUNT } from "./verdict.ts";

/** Word offsets, each followed by one word for each verdict. */
export const REFUSALS = {
  /** Packets refused. (The first verdict is no refusal: its word is the free list's.) */
  COUNT: 0,
  /** When the first was, ns: the low 32 bits, and what is above them. */
  FIRST_LO: NAT_VERDICT_COUNT,
  FIRST_HI: 2 * NAT_VERDICT_COUNT,
} as const;

/** Words in a row. */
export const REFUSALS_STRIDE = 3 * NAT_VERDICT_COUNT;
