/**
 * Equal-cost paths (RFC 2991, RFC 2992): a router spreads flows over links that lead equally far, by a hash of the five
 * words that all packets of a flow share, so that none overtakes another.
 *
 * The hash is salted by router: two in a row that agreed on every flow would leave half of the second one's links empty
 * (polarisation). A link that is down takes no part: with `modulo` the others share all flows anew, and all but one in n
 * of those that did not cross it move too; `resilient` (highest random weight, Thaler and Ravishankar 1998) moves only
 * what the dead link carried.
 *
 * @module
 */
import { finalise32 } from "../base/hash.ts";
import { DIRECTION, DIRECTION_FLAG } from "../link/links.ts";
import { NODE, NODE_FLAG, NODE_KIND } from "../node/nodes.ts";
import { flowHash } from "../wire/flow_hash.ts";
import type { Partition } from "./partition.ts";

const { FLAGS: DIRECTION_FLAGS, RANK, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const { DOWN } = DIRECTION_FLAG;
const { KIND, SALT, BALANCER, FLAGS, MASK: NODE_MASK, STRIDE: NODE_STRIDE } = NODE;

/** The link of a group (as `RouteTables.route` found it) that packet `p` takes at `node`. */
export function equalPath(s: Partition, node: number, p: number, group: number): number {
  const { routes } = s;
  const nodes = s.nodes.words;
  const at = (node * NODE_STRIDE) & NODE_MASK;
  const kind = nodes[at + KIND];
  const salt = kind === NODE_KIND.ROUTER
    ? nodes[at + SALT]
    : kind === NODE_KIND.BALANCER
    ? s.balancers!.list[nodes[at + BALANCER]]!.salt
    : 0;
  const hash = finalise32(flowHash(s.packets.rows.words, s.addresses, p) ^ salt);
  const links = routes.groupSize(group);
  let up = 0;
  for (let k = 0; k < links; k++) up += isUp(s, routes.groupLink(group, k));
  if ((nodes[at + FLAGS] & NODE_FLAG.RESILIENT_ECMP) !== 0) return highestWeight(s, group, hash, up === 0);
  // (Where none is up, the packet is lost at one of them.)
  let left = (hash >>> 0) % (up || links);
  for (let k = 0;; k++) {
    const link = routes.groupLink(group, k);
    if ((up === 0 || isUp(s, link) === 1) && left-- === 0) return link;
  }
}

/** The link with the highest weight for this flow: each link's own hash of it, which no other link has a part in. */
function highestWeight(s: Partition, group: number, hash: number, all: boolean): number {
  const { routes } = s;
  const directions = s.links.words;
  let best = -1;
  let highest = -1;
  for (let k = 0; k < routes.groupSize(group); k++) {
    const link = routes.groupLink(group, k);
    if (!all && isUp(s, link) === 0) continue;
    const rank = directions[link * DIRECTION_STRIDE + RANK];
    const weight = finalise32(hash ^ Math.imul(rank + 1, 0x9e3779b1)) >>> 0;
    if (weight > highest) [best, highest] = [link, weight];
  }
  return best;
}

/** 1 if the link direction is in service, else 0. */
function isUp(s: Partition, direction: number): number {
  return (s.links.words[direction * DIRECTION_STRIDE + DIRECTION_FLAGS] & DOWN) === 0 ? 1 : 0;
}
