/**
 * Refusals: counted by reason, with the time of the first.
 *
 * @module
 */
import { SUBSCRIBER } from "./layout.ts";
import type { NatTables } from "./tables.ts";
import type { NatVerdict } from "./verdict.ts";

const { STRIDE: SUBSCRIBER_STRIDE, REFUSED: SUBSCRIBER_REFUSED } = SUBSCRIBER;

/** Counts a packet refused, for its subscriber too (row, or 0), and returns the verdict. */
export function refuse(t: NatTables, gateway: number, verdict: NatVerdict, subscriber: number = 0): NatVerdict {
  const extras = t.extrasOf(gateway);
  if (extras.refused[verdict]++ === 0) extras.firstRefusedNs[verdict] = t.nowNs;
  if (subscriber !== 0) t.subscribers.words[subscriber * SUBSCRIBER_STRIDE + SUBSCRIBER_REFUSED]++;
  return verdict;
}
