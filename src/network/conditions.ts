/**
 * What events have done to a network so far: links and nodes that are down, costs and routes that were changed. All of it
 * is cold; what packets meet is in the rows of links and nodes.
 *
 * @module
 */
import type { IpPrefix } from "../base/address.ts";
import { type StateVisitor, visitMap } from "../base/state.ts";
import { DIRECTION, DIRECTION_FLAG } from "../link/links.ts";
import { NODE, NODE_FLAG } from "../node/nodes.ts";
import type { RouteEntry } from "../node/routes.ts";
import type { Partition } from "./partition.ts";

const { FROM, TO, FLAGS, MASK, STRIDE } = DIRECTION;

/** A route given by hand. */
export interface FixedRoute {
  prefix: IpPrefix;
  entry: RouteEntry;
}

/** What the report tells of a limit that an event has changed. */
// (A type and not an interface: it is a plain value for snapshots.)
export type LimitNote = { text: string; before: number };

/** Leads nowhere: a population without a member that anybody could name. */
export const UNREACHABLE_ENTRY: RouteEntry = { firstId: 0x7fffffff, count: 1, linkBase: 0, stride: 1 };

/** Is it a route to nowhere, also one of a snapshot? */
export function leadsNowhere(entry: RouteEntry): boolean {
  return "firstId" in entry && entry.firstId === 0x7fffffff;
}

/** See the module's description. */
export class Conditions {
  /** Directions taken out of service by themselves. */
  readonly downLinks: Set<number> = new Set();
  /** Costs of links that changed, by their first direction. */
  readonly costs: Map<number, number> = new Map();
  /** Routes given by hand, by node. */
  readonly fixed: Map<number, FixedRoute[]> = new Map();
  /** Files that a node may have open, where an event has said so. */
  readonly maxFiles: Map<number, number> = new Map();
  /** Limits that events have changed, by `limit population`: what was changed, and the limit before. */
  readonly limitNotes: Map<string, LimitNote[]> = new Map();
  /** Directions that were down when routes were worked out last; undefined while they are as built. */
  routedDown: Set<number> | undefined = undefined;

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    const down = v.plain([...this.downLinks]);
    const fixed = v.plain([...this.fixed] as never) as [number, FixedRoute[]][];
    const routed = v.plain(this.routedDown === undefined ? null : [...this.routedDown]);
    visitMap(v, this.costs);
    visitMap(v, this.maxFiles);
    visitMap(v, this.limitNotes);
    if (!v.restoring) return;
    this.downLinks.clear();
    for (const d of down) this.downLinks.add(d);
    this.fixed.clear();
    for (const [node, routes] of fixed) this.fixed.set(node, routes);
    this.routedDown = routed === null ? undefined : new Set(routed);
  }
}

/** Is a direction out of service? */
export function isDown(s: Partition, d: number): boolean {
  return (s.links.words[d * STRIDE + FLAGS] & DIRECTION_FLAG.DOWN) !== 0;
}

/** Takes a direction out of service, or puts it back, as it and the nodes at its ends say. */
export function refreshDirection(s: Partition, d: number): void {
  const words = s.links.words;
  const at = (d * STRIDE) & MASK;
  const off = (node: number) => (s.nodes.words[node * NODE.STRIDE + NODE.FLAGS] & NODE_FLAG.DOWN) !== 0;
  const down = s.conditions.downLinks.has(d) || off(words[at + FROM]) || off(words[at + TO]);
  if (down === isDown(s, d)) return;
  if (down) words[at + FLAGS] |= DIRECTION_FLAG.DOWN;
  else words[at + FLAGS] &= ~DIRECTION_FLAG.DOWN;
}
