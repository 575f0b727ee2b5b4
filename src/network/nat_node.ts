/**
 * A NAT gateway as a node: it forwards within its inner realm as a router does, and translates what crosses.
 *
 * @module
 */
import { NODE, NODE_FLAG } from "../node/nodes.ts";
import { NAT_VERDICT } from "../nat/verdict.ts";
import { holdSynIfUnsolicited } from "../nat/syn_hold.ts";
import { translateInbound, translateOutbound } from "../nat/translate.ts";
import { passesInward, passesOutward } from "../nat/untranslated.ts";
import { PACKET } from "../wire/packet.ts";
import { drop } from "./deliver.ts";
import { DROP, dropOfVerdict } from "./drops.ts";
import { answerEchoAndRelease, isEchoRequest, sendIcmpError, UNREACHABLE } from "./icmp.ts";
import type { Partition } from "./partition.ts";
import { drainNat } from "./drain.ts";
import { ipv6AtGateway, toIpv6 } from "./nat_ipv6.ts";

const { DST, STRIDE } = PACKET;
const { ADDRESS, ROUTES, INNER_ROUTES, INNER_ADDRESS, GATEWAY, FLAGS, MASK: NODE_MASK, STRIDE: NODE_STRIDE } = NODE;
const { FORWARD, HAIRPIN, DROP_NO_MAPPING, DROP_POOL_EMPTY, DROP_QUOTA } = NAT_VERDICT;
const { DROP_BLOCK, DROP_RATE, DROP_TABLE_FULL, DROP_NOT_SUBSCRIBER } = NAT_VERDICT;
const { REFUSES_WITH_ICMP, ROUTES_IPV6, NAT64, UNTRANSLATED } = NODE_FLAG;

/** A packet came from the inner realm. */
export function natTranslateOutbound(s: Partition, node: number, p: number): void {
  const nodes = s.nodes.words;
  const at = (node * NODE_STRIDE) & NODE_MASK;
  const destination = s.packets.rows.words[p * STRIDE + DST];
  if ((nodes[at + FLAGS] & (ROUTES_IPV6 | NAT64)) !== 0 && s.addresses.isIpv6(destination)) {
    return ipv6AtGateway(s, node, p);
  }
  if (destination === nodes[at + INNER_ADDRESS]) return answerEchoAndRelease(s, node, p);
  // What stays inside is routed, not translated.
  if (s.routes.lookup(nodes[at + INNER_ROUTES], destination, 0) >= 0) {
    return s.path.forward(node, p, nodes[at + INNER_ROUTES]);
  }
  // RFC 6888 REQ-6: translation is turned off for this destination.
  if ((nodes[at + FLAGS] & UNTRANSLATED) !== 0 && passesOutward(s.nat, nodes[at + GATEWAY], p)) {
    return s.path.forward(node, p, nodes[at + ROUTES]);
  }
  // A NAT44 has no addresses for IPv6, nor a NAT66 for IPv4.
  if (s.addresses.isIpv6(destination) !== s.addresses.isIpv6(nodes[at + ADDRESS])) {
    return drop(s, node, p, DROP.NAT_UNSUPPORTED);
  }
  s.nat.syncNow();
  const verdict = translateOutbound(s.nat, nodes[at + GATEWAY], p);
  drainNat(s);
  if (verdict === FORWARD) return s.path.forward(node, p, nodes[at + ROUTES]);
  if (verdict === HAIRPIN) return s.path.forward(node, p, nodes[at + INNER_ROUTES]);
  // The gateway itself is pinged.
  if (verdict === DROP_NO_MAPPING && isEchoRequest(s, p)) return answerEchoAndRelease(s, node, p);
  // RFC 5508 REQ-8: a session that cannot be had for want of room or by the operator's rules is answered so.
  if ((nodes[at + FLAGS] & REFUSES_WITH_ICMP) !== 0 && isWantOfRoom(verdict)) {
    sendIcmpError(s, node, p, UNREACHABLE.PROHIBITED, 0);
  }
  drop(s, node, p, dropOfVerdict(verdict));
}

/** Is it for want of room, or by the operator's rules, that a session cannot be had? */
export function isWantOfRoom(verdict: number): boolean {
  return verdict === DROP_POOL_EMPTY || verdict === DROP_QUOTA || verdict === DROP_BLOCK || verdict === DROP_RATE ||
    verdict === DROP_TABLE_FULL || verdict === DROP_NOT_SUBSCRIBER;
}

/** A packet came from the outer realm. */
export function natTranslateInbound(s: Partition, node: number, p: number): void {
  const nodes = s.nodes.words;
  const at = (node * NODE_STRIDE) & NODE_MASK;
  const { words: rows } = s.packets.rows;
  if ((nodes[at + FLAGS] & ROUTES_IPV6) !== 0 && s.addresses.isIpv6(rows[p * STRIDE + DST])) {
    return ipv6AtGateway(s, node, p);
  }
  if ((nodes[at + FLAGS] & UNTRANSLATED) !== 0 && passesInward(s.nat, nodes[at + GATEWAY], p)) {
    return s.path.forward(node, p, nodes[at + INNER_ROUTES]);
  }
  s.nat.syncNow();
  const verdict = translateInbound(s.nat, nodes[at + GATEWAY], p);
  drainNat(s);
  if (verdict === FORWARD && (nodes[at + FLAGS] & NAT64) !== 0) return toIpv6(s, node, p);
  if (verdict === FORWARD) return s.path.forward(node, p, nodes[at + INNER_ROUTES]);
  // The gateway itself is pinged.
  if (verdict === DROP_NO_MAPPING && isEchoRequest(s, p)) return answerEchoAndRelease(s, node, p);
  // RFC 5382 REQ-4: an unsolicited SYN is not answered before six seconds have passed.
  holdSynIfUnsolicited(s.nat, nodes[at + GATEWAY], p, verdict);
  drainNat(s);
  drop(s, node, p, dropOfVerdict(verdict));
}
