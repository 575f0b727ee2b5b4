/**
 * The usual way of a packet: it arrives, is forwarded or taken in, and what a node sends goes onto a link. Whatever is
 * out of the ordinary is done elsewhere (`deliver.ts` and others), so that this stays short.
 *
 * These functions are made once for each partition and have it, and its tables, as constants: where there is one
 * partition in the thread (as in a run of a scenario) V8 compiles the tables' places into the code, and a packet-hop
 * does without the way from the partition to each of its words.
 *
 * @module
 */
import { DIRECTION, DIRECTION_FLAG } from "../link/links.ts";
import { NODE, NODE_FLAG, NODE_KIND } from "../node/nodes.ts";
import { CONTROL, PACKET, packetBytes, PROTOCOL } from "../wire/packet.ts";
import { LOOPBACK_APP } from "./app_event.ts";
import { balancerIn } from "./balancer_node.ts";
import { cpuReceive, cpuSend } from "./cpu.ts";
import { corruptionStops, drop, emitRouted, isLostOnLink, seeDelivery, sendWatched, takeInOther } from "./deliver.ts";
import { type DeliveryDigest, deliveryDigest } from "./digest.ts";
import { drainTcp } from "./drain.ts";
import { DROP } from "./drops.ts";
import { equalPath } from "./equal_paths.ts";
import { answerEchoAndRelease, sendIcmpError, UNREACHABLE } from "./icmp.ts";
import { type EventLoop, eventLoop } from "./event_loop.ts";
import { gatewayPath } from "./nat_node.ts";
import { sendAway } from "./part_crossing.ts";
import type { Partition } from "./partition.ts";
import { isSpoofed } from "./spoofs.ts";
import { forwardSteered } from "./steering.ts";

const { SRC, DST, LENGTH, LINK, HASH, CORRUPT, WINDOW_TTL_TOS, CONTROL: CONTROL_AT, MASK, STRIDE } = PACKET;
const { TO, FLAGS, MTU, RANK, MASK: DIRECTION_MASK, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const { KIND, ADDRESS, CPU, EGRESS, ROUTES, FLAGS: NODE_FLAGS, MASK: NODE_MASK, STRIDE: NODE_STRIDE } = NODE;
const { HOST, ROUTER, NAT } = NODE_KIND;
const { AWAY, CUT, FROM_INSIDE } = DIRECTION_FLAG;
const { PROTOCOL_SHIFT, STEERED } = CONTROL;
const TCP = PROTOCOL.TCP;

/** A node with one of these has more addresses than one. */
const SEVERAL_ADDRESSES = NODE_FLAG.MANY_ADDRESSES | NODE_FLAG.DUAL_STACK;
/** A packet for a direction with one of these takes more than its pace. */
const UNUSUAL_DIRECTION = DIRECTION_FLAG.ELABORATE | DIRECTION_FLAG.DOWN;

/** TTL's place in WINDOW_TTL_TOS. */
const TTL_ONE = 1 << 8;
const TTL_MASK = 0xff00;

/** Headers take at most this much: smaller payloads need no exact size to fit. */
const MOST_HEADER_BYTES = 100;

/** What nodes do with packets, in one partition. */
export interface PacketPath {
  /** Delivers packet `p` at the end of its link. It is this function's from here on. */
  readonly deliver: (p: number) => void;
  /** Carries out events, `deliver` among them. */
  readonly runEvents: EventLoop;
  /** Mixes a delivery into the run's digest. */
  readonly digest: DeliveryDigest;
  /** Forwards packet `p` at `node` by route table `table`: TTL, route, MTU; ICMP errors where it ends here. */
  readonly forward: (node: number, p: number, table: number) => void;
  /** As `forward`, to where `destination` is. */
  readonly forwardTowards: (node: number, p: number, table: number, destination: number) => void;
  /** Hands a packet for `node` to what it is for. */
  readonly takeIn: (node: number, p: number) => void;
  /** Puts packet `p` of `node` into link direction `d`. */
  readonly send: (node: number, p: number, d: number) => void;
  /** Sends a packet that `node` has made: to itself, by its only link, or else by route table `table`. */
  readonly emit: (node: number, p: number, table: number) => void;
  /** As `emit`, of a packet whose sending costs no processor's time any more. */
  readonly emitNow: (node: number, p: number, table: number) => void;
}

/** Makes the functions for a partition, whose tables must be there. */
export function packetPath(s: Partition): PacketPath {
  const { packets, addresses, links, nodes, routes, queue, tcp, clock } = s;
  const directions = links.words;
  const nodeRows = nodes.words;
  const pool = packets.rows;
  const segments = tcp.path;
  const digest = deliveryDigest(nodeRows, packets, addresses, clock);
  const { outbound, inbound } = gatewayPath(s);
  const { pushShort } = queue;

  function deliver(p: number): void {
    const rows = pool.words;
    const o = (p * STRIDE) & MASK;
    const direction = (rows[o + LINK] * DIRECTION_STRIDE) & DIRECTION_MASK;
    const node = directions[direction + TO];
    const flags = directions[direction + FLAGS];
    s.arrivedOver = direction;
    if ((flags & CUT) !== 0 && isLostOnLink(s, node, p)) return;
    s.hops++;
    digest(p, node, directions[direction + RANK]);
    if (s.taps.length !== 0) seeDelivery(s, node, p);
    const at = (node * NODE_STRIDE) & NODE_MASK;
    const kind = nodeRows[at + KIND];
    if (rows[o + CORRUPT] !== 0 && corruptionStops(s, p, kind === HOST)) return drop(s, node, p, DROP.CHECKSUM);
    let table: number;
    if (kind === ROUTER) {
      if (hasAddress(node, at, rows[o + DST])) return answerEchoAndRelease(s, node, p);
      table = nodeRows[at + ROUTES];
    } else if (kind === HOST) {
      if (!hasAddress(node, at, rows[o + DST])) drop(s, node, p, DROP.NOT_LOCAL);
      else if (nodeRows[at + CPU] !== 0) cpuReceive(s, node, p);
      else takeIn(node, p);
      return;
    } else if ((flags & FROM_INSIDE) !== 0) table = outbound(node, p);
    else if (kind === NAT) table = inbound(node, p);
    else return balancerIn(s, node, p);
    if (table >= 0) forward(node, p, table);
  }

  /** Has the node, whose row is at `at`, this address? */
  function hasAddress(node: number, at: number, address: number): boolean {
    if (nodeRows[at + ADDRESS] === address) return true;
    return (nodeRows[at + NODE_FLAGS] & SEVERAL_ADDRESSES) !== 0 && nodes.hasAddress(node, address);
  }

  function forward(node: number, p: number, table: number): void {
    const rows = pool.words;
    const o = (p * STRIDE) & MASK;
    if ((rows[o + CONTROL_AT] & STEERED) !== 0) return forwardSteered(s, node, p, table);
    forwardTowards(node, p, table, rows[o + DST]);
  }

  function forwardTowards(node: number, p: number, table: number, destination: number): void {
    const rows = pool.words;
    const o = (p * STRIDE) & MASK;
    // RFC 1812 5.3.1: a packet whose TTL runs out is answered with Time Exceeded.
    if ((rows[o + WINDOW_TTL_TOS] & TTL_MASK) <= TTL_ONE) return outlived(node, p);
    rows[o + WINDOW_TTL_TOS] -= TTL_ONE;
    let d = routes.route(table, destination);
    if (d < 0) {
      if (d === -1) return unreachable(node, p);
      d = equalPath(s, node, p, d);
    }
    const mtu = directions[((d * DIRECTION_STRIDE) & DIRECTION_MASK) + MTU];
    if (rows[o + LENGTH] + MOST_HEADER_BYTES > mtu && isTooBig(node, p, mtu)) return;
    send(node, p, d);
  }

  function outlived(node: number, p: number): void {
    sendIcmpError(s, node, p, UNREACHABLE.TTL, 0);
    drop(s, node, p, DROP.TTL);
  }

  function unreachable(node: number, p: number): void {
    const destination = pool.words[p * STRIDE + DST];
    if (s.spoofs.length === 0 || !isSpoofed(s, destination)) sendIcmpError(s, node, p, UNREACHABLE.NO_ROUTE, 0);
    drop(s, node, p, DROP.NO_ROUTE);
  }

  /** Ends the way of a packet that is larger than the next link's MTU. */
  function isTooBig(node: number, p: number, mtu: number): boolean {
    if (packetBytes(packets, p, addresses.isIpv6(pool.words[p * STRIDE + SRC])) <= mtu) return false;
    // RFC 1191 4, RFC 8201 4: the next-hop MTU goes back to the sender. Nothing is fragmented here.
    sendIcmpError(s, node, p, UNREACHABLE.TOO_BIG, mtu);
    drop(s, node, p, DROP.MTU);
    return true;
  }

  function send(node: number, p: number, d: number): void {
    const flags = directions[((d * DIRECTION_STRIDE) & DIRECTION_MASK) + FLAGS];
    if ((flags & UNUSUAL_DIRECTION) !== 0 || s.sendTaps.length !== 0) return sendWatched(s, node, p, d);
    links.sendPlain(d, p);
    if ((flags & AWAY) !== 0) return sendAway(s, s.part!, d, p);
    if (!pushShort(p << 1)) queue.pushTimed(p << 1);
  }

  function takeIn(node: number, p: number): void {
    const rows = pool.words;
    const o = (p * STRIDE) & MASK;
    s.delivered++;
    if (rows[o + CONTROL_AT] >>> PROTOCOL_SHIFT !== TCP) return takeInOther(s, node, p);
    tcp.syncNow();
    // The prefetch has worked the hash out, unless the packet came too late for it.
    if (rows[o + HASH] !== 0) segments.segmentInHashed(node, p);
    else segments.segmentIn(node, p);
    packets.release(p);
    drainTcp(s);
  }

  function emit(node: number, p: number, table: number): void {
    s.sent++;
    const at = (node * NODE_STRIDE) & NODE_MASK;
    if (nodeRows[at + CPU] !== 0 && nodeRows[at + KIND] === HOST) return cpuSend(s, node, p);
    emitNow(node, p, table);
  }

  function emitNow(node: number, p: number, table: number): void {
    const destination = pool.words[((p * STRIDE) & MASK) + DST];
    const at = (node * NODE_STRIDE) & NODE_MASK;
    if (
      hasAddress(node, at, destination) || destination === s.loopbackIpv4 || destination === s.loopbackIpv6
    ) return s.schedule(node, LOOPBACK_APP, s.nowNs, node, 0, p);
    const d = nodeRows[at + EGRESS];
    if (d < 0) emitRouted(s, node, p, table);
    else send(node, p, d);
  }

  return { deliver, runEvents: eventLoop(s, deliver), digest, forward, forwardTowards, takeIn, send, emit, emitNow };
}
