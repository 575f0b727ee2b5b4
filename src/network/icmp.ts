/**
 * ICMP as nodes make and take it: errors quote the packet that caused them (RFC 792, RFC 4443), echo is answered.
 *
 * @module
 */
import { isExternalAddress, NAT_VERDICT, passesOutward, translateInbound, translateOutbound } from "../nat/nat.ts";
import { NODE, NODE_FLAG, NODE_KIND } from "../node/nodes.ts";
import { icmpErrorIn } from "../tcp/mod.ts";
import { UDP_SOCKET } from "../transport/udp.ts";
import { CONTROL, EXTRA, PACKET, PROTOCOL } from "../wire/packet.ts";
import { quotePacket } from "../wire/row_codec.ts";
import { translateError } from "./balancer_node.ts";
import { untranslate64 } from "./nat_ipv6.ts";
import type { Partition } from "./partition.ts";
import { DIRECTION } from "../link/links.ts";

const { SRC, DST, PORTS, SEQ, LINK, WINDOW_TTL_TOS, CONTROL: CONTROL_AT, MASK, STRIDE } = PACKET;
const { QUOTES, PROTOCOL_SHIFT } = CONTROL;
const { ICMP, ICMPV6, TCP, UDP } = PROTOCOL;
const { INNER_ADDRESS, KIND, FLAGS, MASK: NODE_MASK, STRIDE: NODE_STRIDE } = NODE;
const { ROUTES_IPV6, NAT64, UNTRANSLATED } = NODE_FLAG;

/** Why a packet is answered with an ICMP error: index into `TYPE_CODE`. */
export const UNREACHABLE = { TTL: 0, NO_ROUTE: 1, TOO_BIG: 2, PORT: 3, PROTOCOL: 4, PROHIBITED: 5 } as const;

/** ICMP type << 8 | code, of version 4 (RFC 792, 1812) and version 6 (RFC 4443), by `UNREACHABLE`. */
const TYPE_CODE = [
  [0x0b00, 0x0300],
  // Routes lead to hosts, not to networks: what has none is a host that cannot be reached.
  [0x0301, 0x0103],
  [0x0304, 0x0200],
  [0x0303, 0x0104],
  [0x0302, 0x0401],
  [0x030d, 0x0101],
] as const;

const ECHO_REQUEST = 8;
const ECHO_REPLY = 0;
const ECHO_REQUEST_V6 = 128;
const ECHO_REPLY_V6 = 129;

/** An initial TTL for what nodes send themselves. */
const TTL = 64;

/** Answers packet `p`, which stops at `node`, with an error. `argument`: the next-hop MTU of TOO_BIG. */
export function sendIcmpError(s: Partition, node: number, p: number, why: number, argument: number): void {
  const pool = s.packets;
  let rows = pool.rows.words;
  let o = p * STRIDE;
  const ipv6 = s.addresses.isIpv6(rows[o + SRC]);
  // RFC 1122 3.2.2, RFC 4443 2.4(e): never an error about an ICMP error.
  if (rows[o + CONTROL_AT] & QUOTES) return;
  const address = sourceOf(s, node, p, ipv6);
  const q = pool.allocate();
  rows = pool.rows.words;
  o = p * STRIDE;
  const at = (q * STRIDE) & MASK;
  rows[at + SRC] = address;
  rows[at + DST] = rows[o + SRC];
  rows[at + PORTS] = TYPE_CODE[why][ipv6 ? 1 : 0] << 16;
  rows[at + SEQ] = argument;
  rows[at + CONTROL_AT] = (ipv6 ? ICMPV6 : ICMP) << PROTOCOL_SHIFT;
  rows[at + WINDOW_TTL_TOS] = TTL << 8;
  quotePacket(pool, q, p, ipv6);
  if (s.nodes.words[node * NODE_STRIDE + KIND] === NODE_KIND.NAT && !untranslate(s, node, p, q)) {
    return pool.release(q);
  }
  if (s.nodes.words[node * NODE_STRIDE + KIND] === NODE_KIND.BALANCER) {
    translateError(s, s.balancers!.list[s.nodes.words[node * NODE_STRIDE + NODE.BALANCER]]!, q);
  }
  emitBack(s, node, p, q);
}

/**
 * Where a gateway has translated packet `p` before it went no further, the error `q` about it is translated back, as
 * errors from further on would be. Says whether there is anyone to tell.
 */
function untranslate(s: Partition, node: number, p: number, q: number): boolean {
  const rows = s.packets.rows.words;
  const nodes = s.nodes.words;
  const at = (node * NODE_STRIDE) & NODE_MASK;
  const gateway = nodes[at + NODE.GATEWAY];
  const source = rows[p * STRIDE + SRC];
  const destination = rows[p * STRIDE + DST];
  if ((nodes[at + FLAGS] & NAT64) !== 0) {
    const told = untranslate64(s, node, p, q);
    if (told !== undefined) return told;
  }
  if (routesNatively(s, node, destination)) return true;
  if (!cameFromInside(s, p)) {
    if ((nodes[at + FLAGS] & UNTRANSLATED) !== 0 && passesOutward(s.nat, gateway, q)) return true;
    if (isExternalAddress(s.nat, gateway, destination)) return true;
    const address = rows[q * STRIDE + SRC];
    if (translateOutbound(s.nat, gateway, q) !== NAT_VERDICT.FORWARD) return false;
    // It is the gateway that speaks.
    s.packets.rows.words[q * STRIDE + SRC] = address;
    return true;
  }
  if (!isExternalAddress(s.nat, gateway, source)) return true;
  // (A hairpin was translated twice.)
  if (s.routes.lookup(nodes[at + NODE.INNER_ROUTES], destination, 0) >= 0) {
    return translateOutbound(s.nat, gateway, q) === NAT_VERDICT.HAIRPIN;
  }
  return translateInbound(s.nat, gateway, q) === NAT_VERDICT.FORWARD;
}

/** An ICMP packet has reached a host that it is for. The packet stays the caller's. */
export function icmpInHost(s: Partition, node: number, p: number): void {
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  if (rows[o + CONTROL_AT] & QUOTES) {
    const extra = rows[o + PACKET.EXTRA] * EXTRA.STRIDE;
    const quoted = s.packets.extras.words[extra + EXTRA.QUOTED_CONTROL] >>> PROTOCOL_SHIFT;
    if (quoted === TCP) icmpErrorIn(s.tcp, node, p);
    else if (quoted === UDP && s.udpSockets !== undefined) {
      const socket = s.udpSockets.icmpErrorIn(node, p);
      const app = s.udpSockets.rows.words[socket * UDP_SOCKET.STRIDE + UDP_SOCKET.APP];
      if (socket !== 0) s.apps[app]?.onDatagram?.(socket, 0);
    } else if (quoted === ICMP || quoted === ICMPV6) s.probes?.errorIn(node, p);
    return;
  }
  if (isEchoRequest(s, p)) answerEcho(s, node, p);
  else if (s.probes !== undefined && isEchoReply(rows[o + PORTS] >>> 24)) s.probes.replyIn(node, p);
}

function isEchoReply(type: number): boolean {
  return type === ECHO_REPLY || type === ECHO_REPLY_V6;
}

/** Is the packet an ICMP echo request? */
export function isEchoRequest(s: Partition, p: number): boolean {
  const rows = s.packets.rows.words;
  const protocol = rows[p * STRIDE + CONTROL_AT] >>> PROTOCOL_SHIFT;
  const type = rows[p * STRIDE + PORTS] >>> 24;
  return (protocol === ICMP && type === ECHO_REQUEST) || (protocol === ICMPV6 && type === ECHO_REQUEST_V6);
}

/** A packet for a gateway or router itself: echo is answered, all else is let go. */
export function answerEchoAndRelease(s: Partition, node: number, p: number): void {
  s.delivered++;
  if (isEchoRequest(s, p)) answerEcho(s, node, p);
  for (const tap of s.endTaps) tap(p);
  s.packets.release(p);
}

/** Answers an echo request (RFC 1122 3.2.2.6: a host MUST). */
function answerEcho(s: Partition, node: number, p: number): void {
  const type = s.packets.rows.words[p * STRIDE + PORTS] >>> 24;
  const q = s.packets.clone(p);
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  const at = (q * STRIDE) & MASK;
  rows[at + SRC] = rows[o + DST];
  rows[at + DST] = rows[o + SRC];
  rows[at + PORTS] = (type === ECHO_REQUEST ? ECHO_REPLY : ECHO_REPLY_V6) << 24;
  rows[at + WINDOW_TTL_TOS] = TTL << 8;
  emitBack(s, node, p, q);
}

/** The address that `node` tells of errors with `p` from: a dummy one where it has none of that family. */
function sourceOf(s: Partition, node: number, p: number, ipv6: boolean): number {
  const nodes = s.nodes.words;
  const at = (node * NODE_STRIDE) & NODE_MASK;
  const kind = nodes[at + KIND];
  const destination = s.packets.rows.words[p * STRIDE + DST];
  if (kind === NODE_KIND.HOST && s.isOwn(node, destination)) return destination;
  const inner = kind === NODE_KIND.NAT && cameFromInside(s, p) ? nodes[at + INNER_ADDRESS] : 0;
  if (inner !== 0 && s.addresses.isIpv6(inner) === ipv6) return inner;
  return s.addressFor(node, ipv6) || (ipv6 ? s.dummyIpv6 : s.dummyIpv4);
}

/** Does gateway `node` pass packets to and from this address on as a router does? */
export function routesNatively(s: Partition, node: number, address: number): boolean {
  return (s.nodes.words[node * NODE_STRIDE + FLAGS] & ROUTES_IPV6) !== 0 && s.addresses.isIpv6(address);
}

function cameFromInside(s: Partition, p: number): boolean {
  const d = s.packets.rows.words[p * STRIDE + LINK];
  return (s.links.words[d * DIRECTION.STRIDE + DIRECTION.FLAGS] & 1) !== 0;
}

/** Sends `q` from `node` into the realm that `p` came from. */
function emitBack(s: Partition, node: number, p: number, q: number): void {
  const nodes = s.nodes.words;
  const at = (node * NODE_STRIDE) & NODE_MASK;
  const inner = nodes[at + KIND] === NODE_KIND.NAT && cameFromInside(s, p) &&
    !routesNatively(s, node, s.packets.rows.words[q * STRIDE + DST]);
  s.path.emit(node, q, inner ? nodes[at + NODE.INNER_ROUTES] : nodes[at + NODE.ROUTES]);
}
