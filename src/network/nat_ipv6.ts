/**
 * IPv6 at a gateway of IPv4: routed as by a router, blocked, or (NAT64) translated.
 *
 * @module
 */
import { DIRECTION } from "../link/links.ts";
import { isBehindNat64, isExternalAddress, NAT_VERDICT, translateInbound, translateToIpv4 } from "../nat/nat.ts";
import { translateToIpv6 } from "../nat/nat64.ts";
import { NODE, NODE_FLAG } from "../node/nodes.ts";
import { CONTROL, PACKET } from "../wire/packet.ts";
import { drop } from "./deliver.ts";
import { drainNat } from "./drain.ts";
import { dropOfVerdict } from "./drops.ts";
import { answerEchoAndRelease, isEchoRequest, sendIcmpError, UNREACHABLE } from "./icmp.ts";
import { isWantOfRoom } from "./nat_node.ts";
import type { Partition } from "./partition.ts";

const { SRC, DST, SEQ, PORTS, LINK, CONTROL: CONTROL_AT, MASK, STRIDE } = PACKET;
const { QUOTES } = CONTROL;
const { MTU, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const { ROUTES, INNER_ROUTES, INNER_ADDRESS, GATEWAY, FLAGS, MASK: NODE_MASK, STRIDE: NODE_STRIDE } = NODE;
const { ROUTES_IPV6, NAT64, REFUSES_WITH_ICMP } = NODE_FLAG;
const { FORWARD, HAIRPIN, DROP_NO_MAPPING } = NAT_VERDICT;

/** IPv6's least MTU (RFC 8200 5). */
const LEAST_IPV6_MTU = 1280;
/** An IPv6 header has so many bytes more than one of IPv4. */
const HEADER_DIFFERENCE = 20;
/** ICMP type << 8 | code of "fragmentation needed" and "packet too big". */
const FRAGMENTATION_NEEDED = 0x0304;
const PACKET_TOO_BIG = 0x0200;

/** The table that a gateway routes IPv6 packets by. */
export function ipv6Table(s: Partition, node: number): number {
  const at = (node * NODE_STRIDE) & NODE_MASK;
  const nodes = s.nodes.words;
  return nodes[at + ((nodes[at + FLAGS] & ROUTES_IPV6) !== 0 ? ROUTES : INNER_ROUTES)];
}

/** An IPv6 packet has come to a gateway of IPv4 that routes IPv6, or (from inside) to a NAT64. */
export function ipv6AtGateway(s: Partition, node: number, p: number): void {
  const nodes = s.nodes.words;
  const at = (node * NODE_STRIDE) & NODE_MASK;
  const destination = s.packets.rows.words[p * STRIDE + DST];
  if (destination === nodes[at + INNER_ADDRESS] || s.nodes.hasAddress(node, destination)) {
    return answerEchoAndRelease(s, node, p);
  }
  if ((nodes[at + FLAGS] & NAT64) !== 0 && isBehindNat64(s.nat, nodes[at + GATEWAY], destination)) {
    return toIpv4(s, node, p);
  }
  // (A NAT64 that does not route knows the way to inner hosts only.)
  s.path.forward(node, p, ipv6Table(s, node));
}

/** An IPv6 packet for an IPv4 destination. */
function toIpv4(s: Partition, node: number, p: number): void {
  const nodes = s.nodes.words;
  const at = (node * NODE_STRIDE) & NODE_MASK;
  s.nat.syncNow();
  const verdict = translateToIpv4(s.nat, nodes[at + GATEWAY], p);
  drainNat(s);
  if (verdict === FORWARD) {
    if (s.packets.rows.words[p * STRIDE + CONTROL_AT] & QUOTES) limitMtu(s, p, nodes[at + ROUTES]);
    return s.path.forward(node, p, nodes[at + ROUTES]);
  }
  if (verdict === HAIRPIN) return s.path.forward(node, p, ipv6Table(s, node));
  // The gateway itself is pinged, by its IPv4 address within the prefix.
  if (verdict === DROP_NO_MAPPING && isEchoRequest(s, p)) return answerEchoAndRelease(s, node, p);
  if ((nodes[at + FLAGS] & REFUSES_WITH_ICMP) !== 0 && isWantOfRoom(verdict)) {
    sendIcmpError(s, node, p, UNREACHABLE.PROHIBITED, 0);
  }
  drop(s, node, p, dropOfVerdict(verdict));
}

/** A packet from outside was translated for an inner host: if that is an IPv6 host, it becomes an IPv6 packet. */
export function toIpv6(s: Partition, node: number, p: number): void {
  const nodes = s.nodes.words;
  const at = (node * NODE_STRIDE) & NODE_MASK;
  if (!s.addresses.isIpv6(s.packets.rows.words[p * STRIDE + DST])) {
    return s.path.forward(node, p, nodes[at + INNER_ROUTES]);
  }
  const verdict = translateToIpv6(s.nat, nodes[at + GATEWAY], p);
  if (verdict !== FORWARD) return drop(s, node, p, dropOfVerdict(verdict));
  const table = ipv6Table(s, node);
  if (s.packets.rows.words[p * STRIDE + CONTROL_AT] & QUOTES) limitMtu(s, p, table);
  s.path.forward(node, p, table);
}

/**
 * The path MTU that a translated error tells of is no more than the gateway's own links take (RFC 7915 4.2 and 5.2).
 * `table`: of the family that the packet now has.
 */
function limitMtu(s: Partition, q: number, table: number): void {
  const rows = s.packets.rows.words;
  const o = (q * STRIDE) & MASK;
  const typeCode = rows[o + PORTS] >>> 16;
  const ipv6 = s.addresses.isIpv6(rows[o + SRC]);
  if (typeCode !== (ipv6 ? PACKET_TOO_BIG : FRAGMENTATION_NEEDED)) return;
  const directions = s.links.words;
  const out = s.routes.lookup(table, rows[o + DST], 0);
  const ahead = out < 0 ? 0xffff : directions[out * DIRECTION_STRIDE + MTU];
  const behind = directions[rows[o + LINK] * DIRECTION_STRIDE + MTU] + (ipv6 ? HEADER_DIFFERENCE : -HEADER_DIFFERENCE);
  rows[o + SEQ] = Math.max(ipv6 ? LEAST_IPV6_MTU : 0, Math.min(rows[o + SEQ], ahead, behind));
}

/**
 * The error `q` about packet `p`, which went no further at a NAT64 after it was translated, becomes one about the packet
 * as it came. Says whether there is anyone to tell; undefined where it is a matter of NAT44.
 */
export function untranslate64(s: Partition, node: number, p: number, q: number): boolean | undefined {
  const rows = s.packets.rows.words;
  const nodes = s.nodes.words;
  const gateway = nodes[node * NODE_STRIDE + GATEWAY];
  const destination = rows[q * STRIDE + DST];
  // It is the gateway that speaks, from its address of the family that is spoken.
  const speak = (ipv6: boolean, otherwise: number) => {
    s.packets.rows.words[q * STRIDE + SRC] = s.addressFor(node, ipv6) || otherwise;
    return true;
  };
  if (s.addresses.isIpv6(destination)) {
    if (!isBehindNat64(s.nat, gateway, destination)) return true;
    const own = rows[q * STRIDE + SRC];
    const verdict = translateToIpv4(s.nat, gateway, q);
    if (verdict === HAIRPIN) return speak(true, own);
    return verdict === FORWARD && speak(false, s.dummyIpv4);
  }
  if (!isExternalAddress(s.nat, gateway, destination)) return undefined;
  const onward = s.packets.rows.words[p * STRIDE + DST];
  if (s.routes.lookup(nodes[node * NODE_STRIDE + INNER_ROUTES], onward, 0) >= 0) return undefined;
  if (translateInbound(s.nat, gateway, q) !== FORWARD) return false;
  if (!s.addresses.isIpv6(s.packets.rows.words[q * STRIDE + DST])) return true;
  return translateToIpv6(s.nat, gateway, q) === FORWARD && speak(true, s.packets.rows.words[q * STRIDE + SRC]);
}
