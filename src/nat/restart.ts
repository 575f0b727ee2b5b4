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
  const words = t.sessions.words;
  const found: number[] = [];
  for (let session = 1; session < t.sessions.end; session++) {
    const row = session * STRIDE;
    if (words[row + QUEUED_AT] !== 0 && words[row + REALM] >>> 2 === gateway) found.push(session);
  }
  const serial = (session: number) => t.sessionCold[session * SESSION_COLD.STRIDE + SESSION_COLD.SERIAL] >>> 0;
  found.sort((a, b) => serial(a) - serial(b));
  for (const session of found) removeSession(t, session);
  return found.length;
}

/** Restarts a gateway. Returns how many sessions it lost. Cold: looks at every row. */
export function restartGateway(t: NatTables, gateway: number): number {
  // A gateway that goes down writes no records of what it forgets.
  t.silent = true;
  const lost = removeGatewaySessions(t, gateway);
  endAllHolds(t, gateway);
  t.silent = false;
  forgetHeldSyns(t, gateway);
  const extras = t.extrasOf(gateway);
  extras.restarts++;
  t.gateways.words[gateway * GATEWAY.STRIDE + GATEWAY.CURSOR] = 0;
  for (let space = 1; space < t.spaces.end; space++) {
    const row = space * SPACE.STRIDE;
    // (A free row's first word is a link of the free list, its others are 0.)
    if (t.spaces.words[row + SPACE.EXTERNAL] === 0 || t.spaces.words[row + SPACE.REALM] >>> 2 !== gateway) continue;
    t.spaces.words[row + SPACE.CURSOR] = 0;
  }
  const profile = t.profileOf(gateway);
  if (profile.tokensPerMs !== 0) {
    for (let subscriber = 1; subscriber < t.subscribers.end; subscriber++) {
      const row = subscriber * SUBSCRIBER.STRIDE;
      const words = t.subscribers.words;
      if (words[row + SUBSCRIBER.INTERNAL] === 0 || words[row + SUBSCRIBER.GATEWAY] !== gateway) continue;
      t.tokens[subscriber] = profile.tokensMost;
      words[row + SUBSCRIBER.TOKENS_AT] = t.tick;
    }
  }
  return lost;
}
