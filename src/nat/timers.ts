/**
 * Timers as the driver sees them. It owns the wheel: it drains `timerRequests` (pairs ref, tick of 1 ms), calls `setNow`
 * with the tick's time when entries fall due, asks `timerActs` of each, sorts those that act by `timerIdentity`, and
 * calls `timerFired` in that order. Entries are never cancelled: a stale one does nothing.
 *
 * @module
 */
import { GATEWAY, SESSION, SESSION_COLD } from "./layout.ts";
import { sessionRef } from "./ref.ts";
import { removeSession } from "./session.ts";
import type { NatTables } from "./tables.ts";

const { REALM, DEADLINE, QUEUED_AT, STRIDE } = SESSION;

/** Would this timer do something that can be observed, now? If not, and its deadline has moved, it requeues itself. */
export function timerActs(t: NatTables, ref: number): boolean {
  const row = (ref >>> 2) * STRIDE;
  const words = t.sessions.words;
  const queuedAt = words[row + QUEUED_AT];
  // Free, or this entry is an older one than the session's own.
  if (queuedAt === 0 || queuedAt > t.tick) return false;
  const deadline = words[row + DEADLINE];
  if (deadline <= t.tick) return true;
  words[row + QUEUED_AT] = deadline;
  t.requestTimer(sessionRef(ref >>> 2), deadline);
  return false;
}

/** A timer fires: the session expires if its deadline has come, and true says so. Otherwise as {@linkcode timerActs}. */
export function timerFired(t: NatTables, ref: number): boolean {
  if (!timerActs(t, ref)) return false;
  removeSession(t, ref >>> 2);
  return true;
}

/**
 * What orders timers of one tick, independent of rows: the gateway's rank × 2^32 + the session's serial at that gateway.
 * Only of a timer that acts.
 */
export function timerIdentity(t: NatTables, ref: number): number {
  const session = ref >>> 2;
  const gateway = t.sessions.words[session * STRIDE + REALM] >>> 2;
  const rank = t.gateways.words[gateway * GATEWAY.STRIDE + GATEWAY.RANK];
  return rank * 2 ** 32 + (t.sessionCold[session * SESSION_COLD.STRIDE + SESSION_COLD.SERIAL] >>> 0);
}
