/**
 * What nodes do with packets besides what is usual (`packet_path.ts`).
 *
 * @module
 */
import { DIRECTION, DIRECTION_FLAG, LINK_DROP, LINK_FATE } from "../link/links.ts";
import { viaBalancer } from "./balancer_node.ts";
import { NODE, NODE_FLAG, NODE_KIND } from "../node/nodes.ts";
import { UDP_SOCKET, type UdpSockets } from "../transport/udp.ts";
import { CONTROL, PACKET, PROTOCOL } from "../wire/packet.ts";
import { digestEvent } from "./digest.ts";
import { drainTcp } from "./drain.ts";
import { DROP, dropOfLink } from "./drops.ts";
import { equalPath } from "./equal_paths.ts";
import { pushTwin, sendHeld } from "./link_queues.ts";
import { icmpInHost, sendIcmpError, UNREACHABLE } from "./icmp.ts";
import type { Partition } from "./partition.ts";
import { sendAway } from "./part_crossing.ts";
import { steer } from "./steering.ts";

const { SRC, DST, PORTS, LINK, CORRUPT, WINDOW_TTL_TOS, CONTROL: CONTROL_AT, MASK, STRIDE } = PACKET;
const { FROM, TO, FLAGS, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const { KIND, FLAGS: NODE_FLAGS, STRIDE: NODE_STRIDE } = NODE;
const { ANSWERS_VIA_BALANCER } = NODE_FLAG;
const { AWAY } = DIRECTION_FLAG;
const { HELD } = LINK_DROP;
const { UDP, ICMP, ICMPV6 } = PROTOCOL;
const { PROTOCOL_SHIFT } = CONTROL;

/** Both bits of the ECN field: congestion experienced (RFC 3168 5). */
const CE = 3;

/** Is packet `p`, which has reached `node` over a direction that was cut or emptied, lost there? Then it is dropped. */
export function isLostOnLink(s: Partition, node: number, p: number): boolean {
  const fate = s.links.fateOf(s.packets.rows.words[p * STRIDE + LINK], p);
  if (fate === LINK_FATE.ARRIVES) return false;
  drop(s, node, p, fate === LINK_FATE.CUT ? DROP.LINK_DOWN : DROP.RESTART);
  return true;
}

/** Shows packet `p`, which has reached `node`, to those who look. */
export function seeDelivery(s: Partition, node: number, p: number): void {
  const d = s.packets.rows.words[p * STRIDE + LINK];
  for (const tap of s.taps) tap(p, s.nowNs, s.links.words[d * DIRECTION_STRIDE + FROM], node, d);
}

/** Drops packet `p` at `node`, counted. */
export function drop(s: Partition, node: number, p: number, reason: number): void {
  s.dropped[reason]++;
  if (s.dropTaps.length !== 0) { for (const tap of s.dropTaps) tap(p, s.nowNs, node, reason, -1); }
  digestEvent(s.nodes.words, node, reason, s.packets.rows.words[p * STRIDE + PORTS], s.clock);
  s.packets.release(p);
}

/** Puts packet `p` of `node` into link direction `d`, which is unusual, whatever it is, or somebody looks. */
export function sendWatched(s: Partition, node: number, p: number, d: number): void {
  const links = s.links;
  const watched = s.sendTaps.length !== 0;
  if (watched) {
    for (const tap of s.sendTaps) tap(p, s.nowNs, node, links.words[d * DIRECTION_STRIDE + TO], d);
  }
  const refusal = links.sendNow(d, p);
  if (watched) seeMark(s, p);
  if (refusal !== 0) return refusal === HELD ? sendHeld(s, d) : drop(s, node, p, dropOfLink(refusal));
  if (s.part !== undefined && (links.words[d * DIRECTION_STRIDE + FLAGS] & AWAY) !== 0) sendAway(s, s.part, d, p);
  else s.queue.pushTimed(p << 1);
  if (links.duplicate.packet !== 0) pushTwin(s, d);
}

/** A link has been given packet `p`: is it marked now? */
function seeMark(s: Partition, p: number): void {
  if (s.markTaps.length === 0 || (s.packets.rows.words[p * STRIDE + WINDOW_TTL_TOS] & CE) !== CE) return;
  for (const tap of s.markTaps) tap(p);
}

/** Sends packet `p` of `node`, which has no only link, by route table `table`. */
export function emitRouted(s: Partition, node: number, p: number, table: number): void {
  let destination = s.packets.rows.words[p * STRIDE + DST];
  // (A back end that answers by way of its balancer has no only link, so that others need not be asked.)
  if ((s.nodes.words[node * NODE_STRIDE + NODE_FLAGS] & ANSWERS_VIA_BALANCER) !== 0) {
    const via = viaBalancer(s, node, p);
    if (via !== 0) {
      steer(s, p, via);
      destination = via;
    }
  }
  let d = s.routes.route(table, destination);
  if (d < -1) d = equalPath(s, node, p, d);
  if (d < 0) return drop(s, node, p, DROP.NO_ROUTE);
  s.path.send(node, p, d);
}

/** Hands a packet for `node`, which is not TCP's, to what it is for. */
export function takeInOther(s: Partition, node: number, p: number): void {
  const protocol = s.packets.rows.words[p * STRIDE + CONTROL_AT] >>> PROTOCOL_SHIFT;
  if (protocol === ICMP || protocol === ICMPV6) {
    s.tcp.syncNow();
    icmpInHost(s, node, p);
    s.packets.release(p);
    return drainTcp(s);
  }
  if (protocol === UDP && s.udpSockets !== undefined && datagramInHost(s, s.udpSockets, node, p)) return;
  // RFC 1122 3.2.2.1: no socket, or no such protocol, here. It counts as dropped.
  s.delivered--;
  sendIcmpError(s, node, p, protocol === UDP ? UNREACHABLE.PORT : UNREACHABLE.PROTOCOL, 0);
  drop(s, node, p, DROP.NO_PROTOCOL);
}

/** A datagram has reached a host: its socket gets it, if there is one. */
function datagramInHost(s: Partition, udp: UdpSockets, node: number, p: number): boolean {
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  const ports = rows[o + PORTS];
  const socket = udp.lookup(node, rows[o + DST], rows[o + SRC], (ports << 16) | (ports >>> 16));
  if (socket === 0) return false;
  s.apps[udp.rows.words[socket * UDP_SOCKET.STRIDE + UDP_SOCKET.APP]]?.onDatagram?.(socket, p);
  s.packets.release(p);
  drainTcp(s);
  return true;
}

/**
 * Does the flipped bit end the packet's way at this node? The IPv4 header's checksum is verified everywhere, the
 * transport's (which covers the rest, and in IPv6 the addresses) at hosts. IPv6 leaves its first eight bytes
 * unprotected: a flip of the traffic class, the flow label or the hop limit passes (and changes that field from here
 * on), others make the packet malformed.
 */
export function corruptionStops(s: Partition, p: number, atHost: boolean): boolean {
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  const bit = rows[o + CORRUPT] - 1;
  if (s.addresses.isIpv6(rows[o + SRC])) {
    if (bit < 64) {
      const passes = (bit >= 4 && bit < 32) || bit >= 56;
      if (!passes) return true;
      rows[o + CORRUPT] = 0;
      // (The flow label is not kept.)
      if (bit < 12) rows[o + WINDOW_TTL_TOS] ^= 1 << (11 - bit);
      else if (bit >= 56) rows[o + WINDOW_TTL_TOS] ^= 1 << (71 - bit);
      return false;
    }
    return atHost;
  }
  // RFC 5508 REQ-3: a NAT verifies the checksum of ICMP; TCP's and UDP's it adjusts, right or wrong.
  if (bit >= 160 && !atHost && rows[o + CONTROL_AT] >>> PROTOCOL_SHIFT === ICMP) return isNat(s, p);
  return bit < 160 || atHost;
}

/** Is the node that packet `p` has reached a NAT? */
function isNat(s: Partition, p: number): boolean {
  const node = s.links.words[s.packets.rows.words[p * STRIDE + LINK] * DIRECTION_STRIDE + TO];
  return s.nodes.words[node * NODE_STRIDE + KIND] === NODE_KIND.NAT;
}
