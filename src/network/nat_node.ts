/**
 * A NAT gateway as a node: it forwards within its inner realm as a router does, and translates what crosses.
 *
 * @module
 */
import { NODE, NODE_FLAG } from "../node/nodes.ts";
import { NAT_VERDICT, type NatVerdict } from "../nat/verdict.ts";
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

const { DST, MASK, STRIDE } = PACKET;
const { ADDRESS, ROUTES, INNER_ROUTES, INNER_ADDRESS, GATEWAY, FLAGS, MASK: NODE_MASK, STRIDE: NODE_STRIDE } = NODE;
const { FORWARD, HAIRPIN, DROP_NO_MAPPING, DROP_POOL_EMPTY, DROP_QUOTA } = NAT_VERDICT;
const { DROP_BLOCK, DROP_RATE, DROP_TABLE_FULL, DROP_NOT_SUBSCRIBER } = NAT_VERDICT;
const { REFUSES_WITH_ICMP, ROUTES_IPV6, NAT64, UNTRANSLATED } = NODE_FLAG;

/** No route table: the packet's way has ended at the gateway, or it has been forwarded. */
const ENDED = -1;
/** No route table yet: the packet is to be translated. */
const TRANSLATED = -2;

/** What gateways do with packets, in one partition: the route table that forwards the packet; `ENDED` if it needs none. */
export interface GatewayPath {
  /** Packet `p` has come to `node` from the inner realm. */
  readonly outbound: (node: number, p: number) => number;
  /** Packet `p` has come to `node` from the outer realm. */
  readonly inbound: (node: number, p: number) => number;
}

/** Makes the functions for a partition (see `packet_path.ts`). */
export function gatewayPath(s: Partition): GatewayPath {
  const { addresses, nat, routes } = s;
  const nodes = s.nodes.words;
  const pool = s.packets.rows;

  function outbound(node: number, p: number): number {
    const at = (node * NODE_STRIDE) & NODE_MASK;
    const flags = nodes[at + FLAGS];
    const destination = pool.words[((p * STRIDE) & MASK) + DST];
    const ipv6 = addresses.isIpv6(destination);
    if (ipv6 && (flags & (ROUTES_IPV6 | NAT64)) !== 0) return done(ipv6AtGateway(s, node, p));
    if (destination === nodes[at + INNER_ADDRESS]) return done(answerEchoAndRelease(s, node, p));
    // What stays inside is routed, not translated.
    if (routes.route(nodes[at + INNER_ROUTES], destination) !== -1) return nodes[at + INNER_ROUTES];
    // RFC 6888 REQ-6: translation is turned off for this destination.
    if ((flags & UNTRANSLATED) !== 0 && passesOutward(nat, nodes[at + GATEWAY], p)) return nodes[at + ROUTES];
    // A NAT44 has no addresses for IPv6, nor a NAT66 for IPv4.
    if (ipv6 !== addresses.isIpv6(nodes[at + ADDRESS])) return done(drop(s, node, p, DROP.NAT_UNSUPPORTED));
    nat.syncNow();
    const verdict = translateOutbound(nat, nodes[at + GATEWAY], p);
    if (nat.timerRequestCount > 0) drainNat(s);
    return verdict === FORWARD ? nodes[at + ROUTES] : notOutward(node, p, verdict);
  }

  /** A packet from the inner realm was not to go out, or may not. */
  function notOutward(node: number, p: number, verdict: NatVerdict): number {
    drainNat(s);
    const at = (node * NODE_STRIDE) & NODE_MASK;
    if (verdict === HAIRPIN) return nodes[at + INNER_ROUTES];
    // The gateway itself is pinged.
    if (verdict === DROP_NO_MAPPING && isEchoRequest(s, p)) return done(answerEchoAndRelease(s, node, p));
    // RFC 5508 REQ-8: a session that cannot be had for want of room or by the operator's rules is answered so.
    if ((nodes[at + FLAGS] & REFUSES_WITH_ICMP) !== 0 && isWantOfRoom(verdict)) {
      sendIcmpError(s, node, p, UNREACHABLE.PROHIBITED, 0);
    }
    return done(drop(s, node, p, dropOfVerdict(verdict)));
  }

  function inbound(node: number, p: number): number {
    const at = (node * NODE_STRIDE) & NODE_MASK;
    const flags = nodes[at + FLAGS];
    if ((flags & (ROUTES_IPV6 | UNTRANSLATED)) !== 0) {
      const table = tableUntranslated(node, p);
      if (table !== TRANSLATED) return table;
    }
    nat.syncNow();
    const verdict = translateInbound(nat, nodes[at + GATEWAY], p);
    if (nat.timerRequestCount > 0) drainNat(s);
    if (verdict === FORWARD && (flags & NAT64) === 0) return nodes[at + INNER_ROUTES];
    return done(notInward(node, p, verdict));
  }

  /** The table that forwards a packet from the outer realm which needs no translation; else `TRANSLATED`. */
  function tableUntranslated(node: number, p: number): number {
    const at = (node * NODE_STRIDE) & NODE_MASK;
    if ((nodes[at + FLAGS] & ROUTES_IPV6) !== 0 && addresses.isIpv6(pool.words[p * STRIDE + DST])) {
      return done(ipv6AtGateway(s, node, p));
    }
    if ((nodes[at + FLAGS] & UNTRANSLATED) === 0 || !passesInward(nat, nodes[at + GATEWAY], p)) return TRANSLATED;
    return nodes[at + INNER_ROUTES];
  }

  /** A packet from the outer realm becomes one of IPv6, or may not go in. */
  function notInward(node: number, p: number, verdict: NatVerdict): void {
    drainNat(s);
    if (verdict === FORWARD) return toIpv6(s, node, p);
    // The gateway itself is pinged.
    if (verdict === DROP_NO_MAPPING && isEchoRequest(s, p)) return answerEchoAndRelease(s, node, p);
    // RFC 5382 REQ-4: an unsolicited SYN is not answered before six seconds have passed.
    holdSynIfUnsolicited(nat, nodes[((node * NODE_STRIDE) & NODE_MASK) + GATEWAY], p, verdict);
    drainNat(s);
    drop(s, node, p, dropOfVerdict(verdict));
  }

  return { outbound, inbound };
}

/** What had to be done with a packet has been done. */
function done(_: void): number {
  return ENDED;
}

/** Is it for want of room, or by the operator's rules, that a session cannot be had? */
export function isWantOfRoom(verdict: number): boolean {
  return verdict === DROP_POOL_EMPTY || verdict === DROP_QUOTA || verdict === DROP_BLOCK || verdict === DROP_RATE ||
    verdict === DROP_TABLE_FULL || verdict === DROP_NOT_SUBSCRIBER;
}
