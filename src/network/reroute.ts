/**
 * Routing that has converged anew: after a link went down or came back, every router knows it at once.
 *
 * @module
 */
import { DIRECTION, DIRECTION_FLAG } from "../link/links.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import type { Partition } from "./partition.ts";
import { computeRoutes } from "./topology.ts";

const { ROUTES, INNER_ROUTES, KIND, STRIDE } = NODE;

/**
 * Works all routes out again over the links that are up (of a link, both directions must be), as a routing protocol
 * would in time. Hosts with one link go on sending into it. Until this is called, routers only avoid equal-cost links of
 * their own that are down.
 */
export function recomputeRoutes(s: Partition): void {
  const plan = s.plan!;
  const directions = s.links.words;
  const down = (d: number) => (directions[d * DIRECTION.STRIDE + DIRECTION.FLAGS] & DIRECTION_FLAG.DOWN) !== 0;
  const { tables, innerTables } = computeRoutes(plan, s.addresses, s.routes, down);
  const nodes = s.nodes.words;
  for (const { firstRow, count } of plan.populations) {
    for (let node = firstRow; node < firstRow + count; node++) {
      const at = node * STRIDE;
      // (A host without a table of its own may have been given one.)
      if (tables[node] !== 0) nodes[at + ROUTES] = tables[node];
      // (Other kinds may use the word for something else.)
      if (nodes[at + KIND] === NODE_KIND.NAT) nodes[at + INNER_ROUTES] = innerTables[node];
    }
  }
}
