/**
 * Refusals: counted by gateway and reason, and by subscriber and reason, with the time of the first.
 *
 * @module
 */
import { SUBSCRIBER } from "./layout.ts";
import { REFUSALS, REFUSALS_STRIDE } from "./refusal_rows.ts";
import { subscriberRow } from "./subscriber.ts";
import type { NatTables } from "./tables.ts";
import type { NatVerdict } from "./verdict.ts";

/** Counts a packet refused, and returns the verdict. `internal`: the inner address that it was for or from, 0 if nobody's. */
export function refuse(t: NatTables, gateway: number, verdict: NatVerdict, internal: number = 0): NatVerdict {
  const extras = t.extrasOf(gateway);
  if (extras.refused[verdict]++ === 0) extras.firstRefusedNs[verdict] = t.nowNs;
  if (internal === 0) return verdict;
  const subscriber = subscriberRow(t, gateway, internal);
  const words = t.subscribers.words;
  const at = subscriber * SUBSCRIBER.STRIDE;
  words[at + SUBSCRIBER.REFUSED]++;
  if (words[at + SUBSCRIBER.REFUSALS] === 0) words[at + SUBSCRIBER.REFUSALS] = t.refusals.allocate();
  const row = words[at + SUBSCRIBER.REFUSALS] * REFUSALS_STRIDE + verdict;
  const refusals = t.refusals.words;
  if (refusals[row + REFUSALS.COUNT]++ === 0) {
    refusals[row + REFUSALS.FIRST_LO] = t.nowNs | 0;
    refusals[row + REFUSALS.FIRST_HI] = Math.floor(t.nowNs / 2 ** 32);
  }
  return verdict;
}
