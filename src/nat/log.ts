/**
 * Counting what a gateway logs.
 *
 * @module
 */
import type { NatProfile } from "./behaviour.ts";
import { SUBSCRIBER } from "./layout.ts";
import { LOG, logRecordBytes } from "./log_records.ts";
import type { NatTables } from "./tables.ts";

const { MASK, STRIDE, INTERNAL, LOG_RECORDS } = SUBSCRIBER;
const { sessions: SESSIONS, blocks: BLOCKS } = LOG;

/** A session of a subscriber begins or ends. */
export function logSession(t: NatTables, profile: NatProfile, gateway: number, subscriber: number): void {
  if (profile.log === SESSIONS) logRecord(t, profile, gateway, subscriber);
}

/** A block of a subscriber begins or ends. */
export function logBlock(t: NatTables, profile: NatProfile, gateway: number, subscriber: number): void {
  if (profile.log === BLOCKS) logRecord(t, profile, gateway, subscriber);
}

/** (A gateway that logs keeps a row for every subscriber.) */
function logRecord(t: NatTables, profile: NatProfile, gateway: number, subscriber: number): void {
  if (t.silent) return;
  const at = (subscriber * STRIDE) & MASK;
  t.subscribers.words[at + LOG_RECORDS]++;
  const extras = t.extrasOf(gateway);
  extras.logRecords++;
  extras.logBytes += logRecordBytes(profile, t.addresses.isIpv6(t.subscribers.words[at + INTERNAL]));
}
