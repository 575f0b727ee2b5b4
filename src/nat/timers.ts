/**
 * Timers as the driver sees them. It owns the wheel: it drains `timerRequests` (pairs ref, tick of 1 ms), calls `setNow`
 * with the tick's time when entries fall due, asks `natTimerActs` of each, sorts those that act by `natTimerIdentity`, and
 * calls `natTimerFired` in that order. Entries are never cancelled: a stale one does nothing.
 *
 * @module
 */
import { endHolds, holdTimerActs } from "./hold_down.ts";
import { GATEWAY, HELD_SYN, SESSION, SESSION_COLD } from "./layout.ts";
import { sessionRef, TIMER_KIND } from "./ref.ts";
import { removeSession } from "./session.ts";
import { answerHeldSyn, heldSynTimerActs } from "./syn_hold.ts";
import type { NatTables } from "./tables.ts";

const { STRIDE: GATEWAY_STRIDE, RANK: GATEWAY_RANK } = GATEWAY;
const { STRIDE: SESSION_COLD_STRIDE, SERIAL: SESSION_COLD_SERIAL } = SESSION_COLD;

const { REALM, DEADLINE, QUEUED_AT, STRIDE } = SESSION;

/** Would this timer do something that can be observed, now? If not, and its deadline has moved, it requeues itself. */
export function natTimerActs(t: NatTables, ref: number): boolean {
  if (ref & 3) {
    return (ref & 3) === TIMER_KIND.HOLD ? holdTimerActs(t, ref >>> 2) : heldSynTimerActs(t, ref >>> 2);
  }
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

/** A timer fires: a session expires, ports end their rest, a SYN is answered, and true says so. Otherwise as {@linkcode natTimerActs}. */
export function natTimerFired(t: NatTables, ref: number): boolean {
  if (!natTimerActs(t, ref)) return false;
  if ((ref & 3) === TIMER_KIND.SESSION) removeSession(t, ref >>> 2);
  else if ((ref & 3) === TIMER_KIND.HOLD) endHolds(t, ref >>> 2);
  else answerHeldSyn(t, ref >>> 2);
  return true;
}

/** The rank of a timer's gateway: what orders timers of one tick first. Only of a timer that acts. */
export function natTimerGateway(t: NatTables, ref: number): number {
  const gateway = gatewayOf(t, ref);
  return t.gateways.words[gateway * GATEWAY_STRIDE + GATEWAY_RANK];
}

function gatewayOf(t: NatTables, ref: number): number {
  if ((ref & 3) === TIMER_KIND.SESSION) return t.sessions.words[(ref >>> 2) * STRIDE + REALM] >>> 2;
  if ((ref & 3) === TIMER_KIND.HOLD) return ref >>> 2;
  return t.heldSyns.words[(ref >>> 2) * HELD_SYN.STRIDE + HELD_SYN.REALM] >>> 2;
}

/**
 * What orders timers of one tick at one gateway: sessions by their serials, then ports that rest, then held SYNs by
 * theirs. Exact, below 2^34. Only of a timer that acts.
 */
export function natTimerSerial(t: NatTables, ref: number): number {
  if ((ref & 3) === TIMER_KIND.HOLD) return 2 ** 32;
  if ((ref & 3) === TIMER_KIND.HELD_SYN) {
    return 2 ** 33 + (t.heldSyns.words[(ref >>> 2) * HELD_SYN.STRIDE + HELD_SYN.SERIAL] >>> 0);
  }
  return t.sessionCold[(ref >>> 2) * SESSION_COLD_STRIDE + SESSION_COLD_SERIAL] >>> 0;
}

/** Both in one number, exact: rank × 2^34 + serial. Only of a timer that acts. */
export function natTimerIdentity(t: NatTables, ref: number): number {
  return natTimerGateway(t, ref) * 2 ** 34 + natTimerSerial(t, ref);
}
