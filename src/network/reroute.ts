/**
 * Routing that has converged anew: after a link went down or came back, every router knows it at once.
 *
 * @module
 */
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { isDown } from "./conditions.ts";
import type { Partition } from "./partition.ts";
import { computeRoutes, type RouteConditions } from "./topology.ts";

const { ROUTES, INNER_ROUTES, KIND, MASK, STRIDE } = NODE;

/**
 * Works all routes out again over the links that are up (of a link, both directions must be), as a routing protocol
 * would in time. `down`: as if just these directions were down. Hosts with one link go on sending into it. Until this is called, routers only avoid equal-cost links of
 * their own that are down.
 */
export function recomputeRoutes(s: Partition, down: Set<number> = downNow(s)): void {
  const plan = s.plan!;
  s.conditions.routedDown = down;
  s.routes.renew();
  const { tables, innerTables } = computeRoutes(plan, s.addresses, s.routes, routeConditions(s));
  const nodes = s.nodes.words;
  for (const { firstRow, count } of plan.populations) {
    for (let node = firstRow; node < firstRow + count; node++) {
      const at = (node * STRIDE) & MASK;
      // (A host without a table of its own may have been given one.)
      if (tables[node] !== 0) nodes[at + ROUTES] = tables[node];
      // (Other kinds may use the word for something else.)
      if (nodes[at + KIND] === NODE_KIND.NAT) nodes[at + INNER_ROUTES] = innerTables[node];
    }
  }
}

/** Directions that are down. */
function downNow(s: Partition): Set<number> {
  const down = new Set<number>();
  for (let d = 0; d < s.links.count; d++) if (isDown(s, d)) down.add(d);
  return down;
}

/** What routes depend on, as when they were worked out last. */
export function routeConditions(s: Partition): RouteConditions {
  const { routedDown, costs, fixed } = s.conditions;
  return {
    down: routedDown === undefined ? undefined : (d) => routedDown.has(d),
    cost: (d) => costs.get(d),
    fixed: (node) => fixed.get(node) ?? [],
  };
}
