/**
 * What a node does with a packet that a link delivers.
 *
 * @module
 */
import { DIRECTION, DIRECTION_FLAG, LINK_DROP, LINK_FATE } from "../link/links.ts";
import { balancerIn, viaBalancer } from "./balancer_node.ts";
import { natTranslateInbound, natTranslateOutbound } from "./nat_node.ts";
import { NODE, NODE_FLAG, NODE_KIND } from "../node/nodes.ts";
import { segmentIn, segmentInHashed } from "../tcp/mod.ts";
import { UDP_SOCKET, type UdpSockets } from "../transport/udp.ts";
import { CONTROL, PACKET, packetBytes, PROTOCOL } from "../wire/packet.ts";
import { cpuReceive, cpuSend } from "./cpu.ts";
import { digestDelivery, digestEvent } from "./digest.ts";
import { drainTcp } from "./drain.ts";
import { DROP, dropOfLink } from "./drops.ts";
import { equalPath } from "./equal_paths.ts";
import { pushTwin, sendHeld } from "./link_queues.ts";
import { answerEchoAndRelease, icmpInHost, sendIcmpError, UNREACHABLE } from "./icmp.ts";
import { isSpoofed } from "./spoofs.ts";
import { LOOPBACK_APP, type Partition } from "./partition.ts";
import { sendAway } from "./part_crossing.ts";
import { forwardSteered, steer } from "./steering.ts";

const { SRC, DST, PORTS, LENGTH, LINK, HASH, CORRUPT, WINDOW_TTL_TOS, CONTROL: CONTROL_AT, MASK, STRIDE } = PACKET;
const { FROM, TO, FLAGS, MTU, RANK, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const { KIND, CPU, EGRESS, ROUTES, FLAGS: NODE_FLAGS, MASK: NODE_MASK, STRIDE: NODE_STRIDE } = NODE;
const { ANSWERS_VIA_BALANCER } = NODE_FLAG;
const { HOST, ROUTER, NAT } = NODE_KIND;
const { CUT, AWAY } = DIRECTION_FLAG;
const { HELD } = LINK_DROP;
const { TCP, UDP, ICMP, ICMPV6 } = PROTOCOL;
const { PROTOCOL_SHIFT, STEERED } = CONTROL;

/** Both bits of the ECN field: congestion experienced (RFC 3168 5). */
const CE = 3;

/** TTL's place in WINDOW_TTL_TOS. */
const TTL_ONE = 1 << 8;
const TTL_MASK = 0xff00;

/** Headers take at most this much: smaller payloads need no exact size to fit. */
const MOST_HEADER_BYTES = 100;

/** Delivers packet `p` at the end of its link. It is this function's from here on. */
export function deliver(s: Partition, p: number): void {
  const rows = s.packets.rows.words;
  const d = rows[p * STRIDE + LINK];
  const directions = s.links.words;
  const node = directions[d * DIRECTION_STRIDE + TO];
  const nodes = s.nodes.words;
  if ((directions[d * DIRECTION_STRIDE + FLAGS] & CUT) !== 0) {
    const fate = s.links.fateOf(d, p);
    if (fate !== LINK_FATE.ARRIVES) return drop(s, node, p, fate === LINK_FATE.CUT ? DROP.LINK_DOWN : DROP.RESTART);
  }
  s.hops++;
  digestDelivery(nodes, node, s.packets, s.addresses, p, directions[d * DIRECTION_STRIDE + RANK], s.clock);
  if (s.taps.length !== 0) {
    for (const tap of s.taps) tap(p, s.nowNs, directions[d * DIRECTION_STRIDE + FROM], node, d);
  }
  if (rows[p * STRIDE + CORRUPT] !== 0 && corruptionStops(s, p, nodes[node * NODE_STRIDE + KIND] === HOST)) {
    return drop(s, node, p, DROP.CHECKSUM);
  }
  const kind = nodes[node * NODE_STRIDE + KIND];
  if (kind === HOST) receive(s, node, p);
  else if (kind === ROUTER) {
    if (s.nodes.hasAddress(node, rows[p * STRIDE + DST])) answerEchoAndRelease(s, node, p);
    else forward(s, node, p, nodes[node * NODE_STRIDE + ROUTES]);
  } else if (directions[d * DIRECTION_STRIDE + FLAGS] & DIRECTION_FLAG.FROM_INSIDE) natTranslateOutbound(s, node, p);
  else if (kind === NAT) natTranslateInbound(s, node, p);
  else balancerIn(s, node, p);
}

/** Drops packet `p` at `node`, counted. */
export function drop(s: Partition, node: number, p: number, reason: number): void {
  s.dropped[reason]++;
  if (s.dropTaps.length !== 0) { for (const tap of s.dropTaps) tap(p, s.nowNs, node, reason, -1); }
  digestEvent(s.nodes.words, node, reason, s.packets.rows.words[p * STRIDE + PORTS], s.clock);
  s.packets.release(p);
}

/** Puts packet `p` of `node` into link direction `d`. */
export function sendInto(s: Partition, node: number, p: number, d: number): void {
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

/** Sends a packet that `node` has made: to itself, by its only link, or else by route table `table`. */
export function emit(s: Partition, node: number, p: number, table: number): void {
  s.sent++;
  const at = (node * NODE_STRIDE) & NODE_MASK;
  if (s.nodes.words[at + CPU] !== 0 && s.nodes.words[at + KIND] === HOST) return cpuSend(s, node, p);
  emitNow(s, node, p, table);
}

/** As `emit`, of a packet whose sending costs no processor's time any more. */
export function emitNow(s: Partition, node: number, p: number, table: number): void {
  let destination = s.packets.rows.words[p * STRIDE + DST];
  if (s.isOwn(node, destination)) return s.schedule(node, LOOPBACK_APP, s.nowNs, node, 0, p);
  let d = s.nodes.words[node * NODE_STRIDE + EGRESS];
  if (d < 0) {
    // (A back end that answers by way of its balancer has no only link, so that others need not be asked.)
    if ((s.nodes.words[node * NODE_STRIDE + NODE_FLAGS] & ANSWERS_VIA_BALANCER) !== 0) {
      const via = viaBalancer(s, node, p);
      if (via !== 0) {
        steer(s, p, via);
        destination = via;
      }
    }
    d = s.routes.route(table, destination);
    if (d < -1) d = equalPath(s, node, p, d);
    if (d < 0) return drop(s, node, p, DROP.NO_ROUTE);
  }
  sendInto(s, node, p, d);
}

/** Forwards packet `p` at `node` by route table `table`: TTL, route, MTU; ICMP errors where it ends here. */
export function forward(s: Partition, node: number, p: number, table: number): void {
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  if ((rows[o + CONTROL_AT] & STEERED) !== 0) return forwardSteered(s, node, p, table);
  forwardTowards(s, node, p, table, rows[o + DST]);
}

/** As {@linkcode forward}, to where `destination` is. */
export function forwardTowards(s: Partition, node: number, p: number, table: number, destination: number): void {
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  // RFC 1812 5.3.1: a packet whose TTL runs out is answered with Time Exceeded.
  if ((rows[o + WINDOW_TTL_TOS] & TTL_MASK) <= TTL_ONE) {
    sendIcmpError(s, node, p, UNREACHABLE.TTL, 0);
    return drop(s, node, p, DROP.TTL);
  }
  rows[o + WINDOW_TTL_TOS] -= TTL_ONE;
  let d = s.routes.route(table, destination);
  if (d < 0) {
    if (d === -1) {
      if (s.spoofs.length === 0 || !isSpoofed(s, rows[o + DST])) sendIcmpError(s, node, p, UNREACHABLE.NO_ROUTE, 0);
      return drop(s, node, p, DROP.NO_ROUTE);
    }
    d = equalPath(s, node, p, d);
  }
  const mtu = s.links.words[d * DIRECTION_STRIDE + MTU];
  if (rows[o + LENGTH] + MOST_HEADER_BYTES > mtu) {
    if (packetBytes(s.packets, p, s.addresses.isIpv6(rows[o + SRC])) > mtu) {
      // RFC 1191 4, RFC 8201 4: the next-hop MTU goes back to the sender. Nothing is fragmented here.
      sendIcmpError(s, node, p, UNREACHABLE.TOO_BIG, mtu);
      return drop(s, node, p, DROP.MTU);
    }
  }
  sendInto(s, node, p, d);
}

/** A packet has reached a host. */
function receive(s: Partition, node: number, p: number): void {
  if (!s.nodes.hasAddress(node, s.packets.rows.words[p * STRIDE + DST])) return drop(s, node, p, DROP.NOT_LOCAL);
  if (s.nodes.words[node * NODE_STRIDE + CPU] !== 0) return cpuReceive(s, node, p);
  takeIn(s, node, p);
}

/** Hands a packet for `node` to what it is for. */
export function takeIn(s: Partition, node: number, p: number): void {
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  s.delivered++;
  const protocol = rows[o + CONTROL_AT] >>> PROTOCOL_SHIFT;
  if (protocol === TCP) {
    s.tcp.syncNow();
    // The prefetch has worked the hash out, unless the packet came too late for it.
    if (rows[o + HASH] !== 0) segmentInHashed(s.tcp, node, p);
    else segmentIn(s.tcp, node, p);
    s.packets.release(p);
    return drainTcp(s);
  }
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
function corruptionStops(s: Partition, p: number, atHost: boolean): boolean {
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
