/**
 * Counting what a gateway logs.
 *
 * @module
 */
import type { NatProfile } from "./behaviour.ts";
import { SUBSCRIBER } from "./layout.ts";
import { LOG } from "./log_records.ts";
import type { NatTables } from "./tables.ts";

const { STRIDE, LOG_RECORDS } = SUBSCRIBER;
const { sessions: SESSIONS, blocks: BLOCKS } = LOG;

/** A session of a subscriber begins or ends. */
export function logSession(t: NatTables, profile: NatProfile, gateway: number, subscriber: number): void {
  if (profile.log === SESSIONS) logRecord(t, gateway, subscriber);
}

/** A block of a subscriber begins or ends. */
export function logBlock(t: NatTables, profile: NatProfile, gateway: number, subscriber: number): void {
  if (profile.log === BLOCKS) logRecord(t, gateway, subscriber);
}

function logRecord(t: NatTables, gateway: number, subscriber: number): void {
  if (t.silent) return;
  t.extrasOf(gateway).logRecords++;
  if (subscriber !== 0) t.subscribers.words[subscriber * STRIDE + LOG_RECORDS]++;
}
