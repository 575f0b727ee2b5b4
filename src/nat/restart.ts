/**
 * A gateway's restart: it forgets all that it has learnt. What is configured stays (port forwards, the computed blocks
 * of a deterministic NAT), and so do counters. What a flow's next packet from inside meets is up to `tcpLoose`, as with
 * Linux's `nf_conntrack_tcp_loose`: a new session, which may have another external port, or a refusal ("no mapping").
 *
 * @module
 */
import { endAllHolds } from "./hold_down.ts";
import { GATEWAY, SESSION, SESSION_COLD, SPACE, SUBSCRIBER } from "./layout.ts";
import { removeSession } from "./session.ts";
import { forgetHeldSyns } from "./syn_hold.ts";
import type { NatTables } from "./tables.ts";

const { REALM, QUEUED_AT, STRIDE } = SESSION;

/**
 * Ends all sessions of a gateway, in the order in which they were opened; port forwards stay, and ports rest if they
 * are to. Returns how many there were. Cold: looks at every row.
 */
export function removeGatewaySessions(t: NatTables, gateway: number): number {
  return removeSessions(t, placesOf(t, [gateway]))[0];
}

/** Restarts a gateway. Returns how many sessions it lost. Cold: looks at every row. */
export function restartGateway(t: NatTables, gateway: number): number {
  return restartGateways(t, [gateway])[0];
}

/** Restarts gateways, each named once. Returns how many sessions each lost. Cold: looks at every row, once for all. */
export function restartGateways(t: NatTables, gateways: readonly number[]): number[] {
  const places = placesOf(t, gateways);
  // A gateway that goes down writes no records of what it forgets.
  t.silent = true;
  const lost = removeSessions(t, places);
  for (const gateway of gateways) endAllHolds(t, gateway);
  t.silent = false;
  forgetHeldSyns(t, (gateway) => places[gateway] !== 0);
  for (const gateway of gateways) {
    t.extrasOf(gateway).restarts++;
    t.gateways.words[gateway * GATEWAY.STRIDE + GATEWAY.CURSOR] = 0;
  }
  for (let space = 1; space < t.spaces.end; space++) {
    const row = space * SPACE.STRIDE;
    // (A free row's first word is a link of the free list, its others are 0.)
    if (t.spaces.words[row + SPACE.EXTERNAL] === 0 || places[t.spaces.words[row + SPACE.REALM] >>> 2] === 0) continue;
    t.spaces.words[row + SPACE.CURSOR] = 0;
  }
  fillTokens(t, places);
  return lost;
}

/** By gateway: 1 + its place in the list, 0 if it is not there. */
function placesOf(t: NatTables, gateways: readonly number[]): Int32Array {
  const places = new Int32Array(t.gateways.end);
  gateways.forEach((gateway, i) => places[gateway] = i + 1);
  return places;
}

/** Ends the sessions of gateways, in the order of the list and of their opening. Returns how many each had. */
function removeSessions(t: NatTables, places: Int32Array): number[] {
  const words = t.sessions.words;
  const found: number[] = [];
  const lost: number[] = new Array(places.reduce((most, place) => Math.max(most, place), 0)).fill(0);
  const placeOf = (session: number) => places[words[session * STRIDE + REALM] >>> 2];
  for (let session = 1; session < t.sessions.end; session++) {
    if (words[session * STRIDE + QUEUED_AT] === 0 || placeOf(session) === 0) continue;
    found.push(session);
    lost[placeOf(session) - 1]++;
  }
  const serial = (session: number) => t.sessionCold[session * SESSION_COLD.STRIDE + SESSION_COLD.SERIAL] >>> 0;
  found.sort((a, b) => placeOf(a) - placeOf(b) || serial(a) - serial(b));
  for (const session of found) removeSession(t, session);
  return lost;
}

/** Subscribers may open sessions as fast as if they were new. */
function fillTokens(t: NatTables, places: Int32Array): void {
  const words = t.subscribers.words;
  for (let subscriber = 1; subscriber < t.subscribers.end; subscriber++) {
    const row = subscriber * SUBSCRIBER.STRIDE;
    // (A free row's first word is a link of the free list, its others are 0.)
    const gateway = words[row + SUBSCRIBER.INTERNAL] === 0 ? 0 : words[row + SUBSCRIBER.GATEWAY];
    if (places[gateway] === 0) continue;
    const profile = t.profileOf(gateway);
    if (profile.tokensPerMs === 0) continue;
    t.tokens[subscriber] = profile.tokensMost;
    words[row + SUBSCRIBER.TOKENS_AT] = t.tick;
  }
}
