/**
 * Before a run: can a workload's packets get where they are meant to go?
 *
 * @module
 */
import { addToAddress } from "../base/address.ts";
import { isInShare } from "../base/share.ts";
import { formatCount } from "../base/units.ts";
import { DIRECTION, DIRECTION_FLAG } from "../link/links.ts";
import { holdEmbeddedIpv4, isBehindNat64, isExternalAddress } from "../nat/nat.ts";
import { NODE, NODE_FLAG, NODE_KIND } from "../node/nodes.ts";
import { NetworkError } from "./errors.ts";
import type { Partition } from "./partition.ts";
import type { PlannedWorkload } from "./workloads.ts";

/** No route is longer than this. */
const MOST_HOPS = 64;
/** RFC 8200 5. */
const LEAST_IPV6_MTU = 1280;
/** RFC 7915 5.1: what that becomes at a NAT64. Smaller links would have to fragment, as no router here does. */
const LEAST_NAT64_MTU = 1260;

/**
 * Follows the routes from each workload's first and last sources to its first and last destinations, and sees whether
 * every source has a link. Throws `NetworkError`.
 */
export function checkReachable(s: Partition, workloads: PlannedWorkload[]): void {
  for (const { options, subject, from, to: all } of workloads) {
    if (options.connections === 0) continue;
    // Where a name leads is known when it has been looked up.
    const to = all.filter(({ name }) => name === undefined);
    for (let i = 0; i < from.length; i++) {
      const { population, first, count } = from[i];
      const lonely = findLonely(s, population.firstRow + first, count);
      if (lonely !== 0 && !to.some((destination) => s.isOwn(lonely, s.addresses.intern(destination.first)))) {
        throw new NetworkError(`${subject}.from[${i}]`, `${s.nodes.nameOf(lonely)} has no link.`);
      }
      for (const member of ends(count)) {
        const node = population.firstRow + first + member;
        for (const destination of to) {
          for (const place of ends(destination.count)) {
            let id = s.addresses.intern(addToAddress(destination.first, place));
            let stopped = follow(s, node, id);
            if (destination.first6 !== undefined && isInShare(place, destination.share6 ?? 1e6)) {
              const id6 = s.addresses.intern(addToAddress(destination.first6, place));
              const stopped6 = follow(s, node, id6);
              // Of two families one is enough with Happy Eyeballs; else it has to be the one that is taken.
              const taken6 = options.preferredFamily !== "ipv4" && s.sourceFor(node, id6) !== 0;
              if (options.happyEyeballs === true ? stopped6 === undefined : taken6 || s.sourceFor(node, id) === 0) {
                [id, stopped] = [id6, stopped6];
              }
            }
            if (stopped === undefined) continue;
            throw new NetworkError(
              destination.subject,
              `${destination.text} (${s.addresses.toText(id)}) cannot be reached from ${
                s.nodes.nameOf(node)
              }: ${stopped}.`,
            );
          }
        }
      }
    }
  }
}

/** Is an inner address of a gateway known outside (`NatOptions.untranslated`)? */
function knowsInside(s: Partition, gateway: number, destination: number): boolean {
  const inside = s.nat.extrasIfAny(gateway)?.untranslated?.inside;
  return inside !== undefined && (s.addresses.word(destination) & inside.mask) === inside.word;
}

/** The first and the last of `count`. */
function ends(count: number): number[] {
  return count > 1 ? [0, count - 1] : [0];
}

/** The first of `count` nodes that has no link; 0 if all have. */
function findLonely(s: Partition, first: number, count: number): number {
  for (let node = first; node < first + count; node++) {
    const at = node * NODE.STRIDE;
    if (s.nodes.words[at + NODE.EGRESS] < 0 && s.nodes.words[at + NODE.ROUTES] === 0) return node;
  }
  return 0;
}

/** Why packets from `node` do not reach `destination`; undefined if they do. `pass` is told the directions on the way. */
export function follow(
  s: Partition,
  node: number,
  destination: number,
  pass?: (direction: number) => void,
): string | undefined {
  if (s.isOwn(node, destination)) return undefined;
  if (s.sourceFor(node, destination) === 0) {
    return `${s.nodes.nameOf(node)} has no ${s.addresses.isIpv6(destination) ? "IPv6" : "IPv4"} address`;
  }
  const nodes = s.nodes.words;
  const directions = s.links.words;
  let at = node;
  let table = nodes[at * NODE.STRIDE + NODE.ROUTES];
  let translated = false;
  for (let hop = 0; hop < MOST_HOPS; hop++) {
    let d = nodes[at * NODE.STRIDE + NODE.EGRESS];
    if (d < 0) d = s.routes.lookup(table, destination, 0);
    if (d < 0) {
      return at === node && table === 0
        ? `${s.nodes.nameOf(at)} has no link`
        : `${s.nodes.nameOf(at)} has no route to it`;
    }
    pass?.(d);
    const from = at;
    at = directions[d * DIRECTION.STRIDE + DIRECTION.TO];
    const mtu = directions[d * DIRECTION.STRIDE + DIRECTION.MTU];
    if (mtu < LEAST_IPV6_MTU && s.addresses.isIpv6(destination)) {
      return `the link from ${s.nodes.nameOf(from)} to ${s.nodes.nameOf(at)} has an MTU of ${mtu}, and IPv6 needs ` +
        formatCount(LEAST_IPV6_MTU);
    }
    if (mtu < LEAST_NAT64_MTU && translated) {
      return `the link from ${s.nodes.nameOf(from)} to ${
        s.nodes.nameOf(at)
      } has an MTU of ${mtu}, and what comes from ` +
        `IPv6 by a NAT64 needs ${formatCount(LEAST_NAT64_MTU)}, for nothing is fragmented`;
    }
    const row = at * NODE.STRIDE;
    if (nodes[row + NODE.KIND] === NODE_KIND.HOST) {
      return s.nodes.hasAddress(at, destination)
        ? undefined
        : `packets end at ${s.nodes.nameOf(at)}, which has another address`;
    }
    if (nodes[row + NODE.KIND] === NODE_KIND.BALANCER && s.nodes.hasAddress(at, destination)) return undefined;
    table = nodes[row + NODE.ROUTES];
    if (nodes[row + NODE.KIND] !== NODE_KIND.NAT) continue;
    if ((nodes[row + NODE.FLAGS] & NODE_FLAG.NAT64) !== 0) {
      const gateway = nodes[row + NODE.GATEWAY];
      if (isBehindNat64(s.nat, gateway, destination)) {
        // (Addresses that nobody has are given back: their ids lead nowhere.)
        const ipv4 = holdEmbeddedIpv4(s.nat, gateway, destination);
        s.addresses.release(ipv4);
        if (isExternalAddress(s.nat, gateway, ipv4)) return undefined;
        destination = ipv4;
        translated = true;
        continue;
      }
    }
    if ((nodes[row + NODE.FLAGS] & NODE_FLAG.ROUTES_IPV6) !== 0 && s.addresses.isIpv6(destination)) continue;
    if (s.addresses.isIpv6(nodes[row + NODE.ADDRESS]) !== s.addresses.isIpv6(destination)) {
      if (s.nodes.hasAddress(at, destination)) return undefined;
      return `${s.nodes.nameOf(at)} is a NAT without an address of that family`;
    }
    if (isExternalAddress(s.nat, nodes[row + NODE.GATEWAY], destination)) return undefined;
    const fromInside = (directions[d * DIRECTION.STRIDE + DIRECTION.FLAGS] & DIRECTION_FLAG.FROM_INSIDE) !== 0;
    // (Ports are not known here.)
    if (!fromInside && knowsInside(s, nodes[row + NODE.GATEWAY], destination)) {
      table = nodes[row + NODE.INNER_ROUTES];
      continue;
    }
    if (!fromInside) {
      return `${s.nodes.nameOf(at)} is a NAT, and what lies behind it is not reachable from outside`;
    }
    const inner = s.routes.lookup(nodes[row + NODE.INNER_ROUTES], destination, 0);
    if (inner >= 0) table = nodes[row + NODE.INNER_ROUTES];
  }
  return "packets go round in circles";
}

/** Is there a link from `node` that leads to an address, as far as the node itself can tell? */
export function hasRoute(s: Partition, node: number, remote: number): boolean {
  const at = node * NODE.STRIDE;
  const nodes = s.nodes.words;
  return nodes[at + NODE.EGRESS] >= 0 || s.isOwn(node, remote) ||
    s.routes.lookup(nodes[at + NODE.ROUTES], remote, 0) >= 0;
}
