/**
 * The NAT's state, for snapshots.
 *
 * @module
 */
import { type StateVisitor, visitNumbers } from "../base/state.ts";
import { GatewayExtras } from "./extras.ts";
import { SESSION_COLD } from "./layout.ts";
import { visitBitmaps } from "./port_bitmap.ts";
import type { NatTables } from "./tables.ts";

/** Shows the state of a partition's gateways. The packets, addresses and the clock are the partition's to show. */
export function visitNatTables(t: NatTables, v: StateVisitor): void {
  v.section("nat");
  t.visitProfiles(v);
  const { gateways, sessions, mappings, subscribers, spaces, permissions, blocks, holds, heldSyns, refusals } = t;
  const pools = [gateways, sessions, mappings, subscribers, spaces, permissions, blocks, holds, heldSyns, refusals];
  for (const pool of pools) pool.visitState(v);
  t.sessionCold = v.column(t.sessionCold, t.sessions.end * SESSION_COLD.STRIDE);
  t.tokens = v.column(t.tokens);
  const { inside, outside, mappingInside, mappingOutside, subscriberIndex, spaceIndex, permissionIndex } = t;
  const { blockIndex, holdOutside, holdInside, heldSynIndex } = t;
  const tables = [inside, outside, mappingInside, mappingOutside, subscriberIndex, spaceIndex, permissionIndex];
  for (const table of [...tables, blockIndex, holdOutside, holdInside, heldSynIndex]) table.visitState(v);
  t.crowdedSpaces = v.number(t.crowdedSpaces);
  t.timerRequestCount = v.number(t.timerRequestCount);
  t.timerRequests = v.column(t.timerRequests, 2 * t.timerRequestCount);
  replace(v, t.out);
  replace(v, t.freeBitmaps);
  visitBitmaps(v, t.bitmaps);
  visitExtras(v, t.extras);
  if (v.restoring) t.syncNow();
}

function replace(v: StateVisitor, list: number[]): void {
  const kept = v.plain(list);
  if (v.restoring) list.splice(0, list.length, ...kept);
}

function visitExtras(v: StateVisitor, list: (GatewayExtras | undefined)[]): void {
  const length = v.number(list.length);
  for (let i = 1; i < length; i++) {
    if (v.restoring) {
      // (Prefixes are part of the declaration, and extras of the build come first.)
      const { nat64, untranslated, pool } = list[i] ?? {};
      list[i] = Object.assign(new GatewayExtras(), { nat64, untranslated, pool });
    }
    const extras = list[i]!;
    visitNumbers(v, extras);
    v.inPlace(extras.refused);
    v.inPlace(extras.firstRefusedNs);
    v.inPlace(extras.held);
    visitBitmaps(v, extras.fullAddresses);
    visitBitmaps(v, extras.blockMaps);
    const only = [extras.fullOfBlocks];
    visitBitmaps(v, only);
    extras.fullOfBlocks = only[0];
  }
}
