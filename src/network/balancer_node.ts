/**
 * A balancer as a node: packets for its services go to back ends, what back ends answer comes back through it (but in
 * direct return), everything else is forwarded as a router does.
 *
 * @module
 */
import {
  type Balancer,
  BALANCER_MODE,
  type Balancers,
  type CheckPorts,
  findsAgain,
  FLOW_REFUSAL,
  type Service,
} from "../node/balancers.ts";
import { chooseBackend } from "../node/balancing.ts";
import { FLOW, FLOW_STATE, isOver, trackFlow } from "../node/flow_table.ts";
import { NODE } from "../node/nodes.ts";
import { CONTROL, EXTRA, PACKET, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { drop } from "./deliver.ts";
import { DROP } from "./drops.ts";
import { sendIcmpError, UNREACHABLE } from "./icmp.ts";
import { FLOW_TIMEOUT } from "./balancer_app.ts";
import type { Partition } from "./partition.ts";
import { steer, steeredTo, unsteer } from "./steering.ts";

const { SRC, DST, PORTS, SEQ, ACK, LENGTH, WINDOW_TTL_TOS, CONTROL: CONTROL_AT, MASK, STRIDE } = PACKET;
const { QUOTES, PROTOCOL_SHIFT, FLAGS_MASK, DONT_FRAGMENT } = CONTROL;
const { TCP, UDP } = PROTOCOL;
const { SYN, FIN, RST, ACK: ACK_FLAG } = TCP_FLAG;
const { ROUTES, BALANCER, STRIDE: NODE_STRIDE } = NODE;
const {
  CLIENT,
  VIRTUAL,
  PORTS: FLOW_PORTS,
  LOCAL,
  REAL,
  REAL_PORTS,
  BACKEND,
  STATE,
  DEADLINE,
  TIMER,
  TIMER_AT,
  MASK: FLOW_MASK,
  STRIDE: FLOW_STRIDE,
} = FLOW;
const { MASK: STATE_MASK, SYN: STATE_SYN } = FLOW_STATE;
const { DIRECT_RETURN } = BALANCER_MODE;
const { NO_BACKEND, NO_PORT } = FLOW_REFUSAL;

/** An initial TTL for what it sends itself. */
const TTL = 64;

/** A packet has reached a balancer. */
export function balancerIn(s: Partition, node: number, p: number): void {
  const b = s.balancers!;
  const table = s.nodes.words[node * NODE_STRIDE + ROUTES];
  const target = steeredTo(s, p);
  if (target !== 0) {
    if (!s.nodes.hasAddress(node, target)) return s.path.forward(node, p, table);
    unsteer(s, p);
  }
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  const balancer = b.list[s.nodes.words[node * NODE_STRIDE + BALANCER]]!;
  const destination = rows[o + DST];
  const protocol = rows[o + CONTROL_AT] >>> PROTOCOL_SHIFT;
  if (protocol === TCP || protocol === UDP) {
    const udp = protocol === UDP;
    const ports = rows[o + PORTS];
    const source = rows[o + SRC];
    if (!udp && balancer.checkPorts !== undefined && isForCheck(balancer.checkPorts, destination, ports & 0xffff)) {
      return s.path.takeIn(node, p);
    }
    if (balancer.flows > 0) {
      const owner = (balancer.id << 1) | (udp ? 1 : 0);
      const flow = b.flows.findForward(owner, source, destination, ports);
      if (flow !== 0) return fromClient(s, node, p, flow);
      const back = b.flows.findBackward(owner, destination, source, (ports << 16) | (ports >>> 16));
      if (back !== 0) return fromBackend(s, node, p, back);
    }
    const service = b.serviceOf(balancer, udp, destination, ports & 0xffff);
    if (service !== undefined) return newcomer(s, node, p, service);
    if (answersWithoutFlow(balancer, udp, rows, o)) return s.path.forward(node, p, table);
  } else if ((rows[o + CONTROL_AT] & QUOTES) !== 0 && translateError(s, balancer, p)) {
    return s.path.forward(node, p, table);
  }
  if (s.isOwn(node, destination)) return s.path.takeIn(node, p);
  s.path.forward(node, p, table);
}

/** Is it the answer to a health check? */
function isForCheck({ addresses, low, high, services }: CheckPorts, destination: number, port: number): boolean {
  return port >= low && port <= high && addresses.includes(destination) && !services.includes(port);
}

/** The balancer that back end `node` sends packet `p` to, which answers a client of it; 0 for none. */
export function viaBalancer(s: Partition, node: number, p: number): number {
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  const protocol = rows[o + CONTROL_AT] >>> PROTOCOL_SHIFT;
  for (const { udp, address, port, via } of s.balancers!.returns.get(node)!) {
    if (rows[o + SRC] !== address || rows[o + PORTS] >>> 16 !== port) continue;
    if (protocol === (udp ? UDP : TCP)) return via;
  }
  return 0;
}

/** A packet of a flow that is known, from its client. */
function fromClient(s: Partition, node: number, p: number, flow: number): void {
  const b = s.balancers!;
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  const words = b.flows.rows.words;
  const at = (flow * FLOW_STRIDE) & FLOW_MASK;
  const backend = b.backends[words[at + BACKEND]];
  const state = words[at + STATE];
  const flags = rows[o + CONTROL_AT] & FLAGS_MASK;
  const begins = !backend.service.udp && (flags & (SYN | ACK_FLAG)) === SYN;
  if (begins && isOver(state)) {
    b.close(flow);
    return newcomer(s, node, p, backend.service);
  }
  if (!backend.up) {
    // What has not been answered yet may as well be asked of another; datagrams too.
    if ((begins && (state & STATE_MASK) === STATE_SYN) || backend.service.udp) {
      b.close(flow);
      return newcomer(s, node, p, backend.service);
    }
    b.countBroken(flow);
    if (backend.service.resets) {
      sendReset(s, node, p);
      b.close(flow);
    }
    return drop(s, node, p, DROP.BALANCER_BACKEND_DEAD);
  }
  b.setState(flow, trackFlow(state, flags, false));
  refresh(s, b, flow);
  if (words[at + LOCAL] === 0) {
    steer(s, p, words[at + REAL]);
  } else {
    rows[o + SRC] = words[at + LOCAL];
    rows[o + DST] = words[at + REAL];
    rows[o + PORTS] = words[at + REAL_PORTS];
  }
  s.path.forward(node, p, s.nodes.words[node * NODE_STRIDE + ROUTES]);
}

/** A packet of a flow that is known, from its back end. */
function fromBackend(s: Partition, node: number, p: number, flow: number): void {
  const b = s.balancers!;
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  const words = b.flows.rows.words;
  const at = (flow * FLOW_STRIDE) & FLOW_MASK;
  const flags = rows[o + CONTROL_AT] & FLAGS_MASK;
  if ((flags & RST) !== 0) b.countBroken(flow);
  b.setState(flow, trackFlow(words[at + STATE], flags, true));
  refresh(s, b, flow);
  const ports = words[at + FLOW_PORTS];
  rows[o + SRC] = words[at + VIRTUAL];
  rows[o + DST] = words[at + CLIENT];
  rows[o + PORTS] = (ports << 16) | (ports >>> 16);
  s.path.forward(node, p, s.nodes.words[node * NODE_STRIDE + ROUTES]);
}

/** A packet for a service, of no flow that is known. */
function newcomer(s: Partition, node: number, p: number, service: Service): void {
  const b = s.balancers!;
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  const flags = rows[o + CONTROL_AT] & FLAGS_MASK;
  const begins = service.udp || (flags & (SYN | ACK_FLAG)) === SYN;
  if (!service.remembers) return withoutFlow(s, node, p, service, begins);
  // With a hash, a flow that another balancer began goes where that one has sent it (the Maglev paper's section 3.3).
  // (Not in full-nat: its back end knows the flow by the source port that the other has given it.)
  if (!begins && (!findsAgain(service) || (flags & RST) !== 0)) {
    if ((flags & RST) === 0) sendReset(s, node, p);
    return drop(s, node, p, DROP.BALANCER_NO_FLOW);
  }
  const flow = b.open(service, rows[o + SRC], rows[o + PORTS], !begins);
  if (flow < 0) return refuse(s, node, p, service, -flow);
  fromClient(s, node, p, flow);
}

/** Every packet is hashed anew. */
function withoutFlow(s: Partition, node: number, p: number, service: Service, begins: boolean): void {
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  const hash = s.balancers!.hash(service, rows[o + SRC], rows[o + PORTS]);
  const place = chooseBackend(service.pool, hash);
  if (place < 0) return refuse(s, node, p, service, NO_BACKEND);
  const backend = service.backends[place];
  if (begins) backend.connections++;
  if (service.mode === DIRECT_RETURN) steer(s, p, backend.address);
  else {
    rows[o + DST] = backend.address;
    rows[o + PORTS] = (rows[o + PORTS] & 0xffff0000) | backend.port;
  }
  s.path.forward(node, p, s.nodes.words[node * NODE_STRIDE + ROUTES]);
}

/** Does the packet come from a back end of a service without a connection table? Then its source is rewritten. */
function answersWithoutFlow(balancer: Balancer, udp: boolean, rows: Int32Array, o: number): boolean {
  for (const service of balancer.services) {
    if (service.remembers || service.mode === DIRECT_RETURN || service.udp !== udp) continue;
    for (const { address, port } of service.backends) {
      if (rows[o + SRC] !== address || rows[o + PORTS] >>> 16 !== port) continue;
      rows[o + SRC] = service.address;
      rows[o + PORTS] = (service.port << 16) | (rows[o + PORTS] & 0xffff);
      return true;
    }
  }
  return false;
}

/** A flow that there is no place for. */
function refuse(s: Partition, node: number, p: number, service: Service, refusal: number): void {
  s.balancers!.refuse(service.balancer, refusal, s.nowNs);
  if (refusal === NO_BACKEND) {
    // As IPVS: there is a service, but nobody behind it.
    sendIcmpError(s, node, p, UNREACHABLE.PORT, 0);
    return drop(s, node, p, DROP.BALANCER_NO_BACKEND);
  }
  drop(s, node, p, refusal === NO_PORT ? DROP.BALANCER_NO_PORT : DROP.BALANCER_TABLE_FULL);
}

/** Moves a flow's deadline; its timer only where it would act too late. */
function refresh(s: Partition, b: Balancers, flow: number): void {
  const words = b.flows.rows.words;
  const at = (flow * FLOW_STRIDE) & FLOW_MASK;
  const { balancer } = b.backends[words[at + BACKEND]].service;
  const deadline = Math.ceil(s.nowNs / 1e6) + balancer.timeoutsMs[words[at + STATE] & STATE_MASK];
  words[at + DEADLINE] = deadline;
  if (words[at + TIMER] !== 0) {
    if (words[at + TIMER_AT] <= deadline) return;
    s.stopTimer(words[at + TIMER]);
  }
  armFlow(s, b, flow, balancer.node);
}

/** Has a flow's timer act at its deadline. */
export function armFlow(s: Partition, b: Balancers, flow: number, node: number): void {
  const at = (flow * FLOW_STRIDE) & FLOW_MASK;
  const deadline = b.flows.rows.words[at + DEADLINE];
  const timer = s.timers.startInBackground(node, b.app, deadline * 1e6, FLOW_TIMEOUT, flow);
  const words = b.flows.rows.words;
  words[at + TIMER] = timer;
  words[at + TIMER_AT] = deadline;
}

/** Answers segment `p` of a flow that goes nowhere with a reset in the name of its virtual address (RFC 9293 3.10.7.1). */
function sendReset(s: Partition, node: number, p: number): void {
  const q = s.packets.allocate();
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  const at = (q * STRIDE) & MASK;
  const flags = rows[o + CONTROL_AT] & FLAGS_MASK;
  rows[at + SRC] = rows[o + DST];
  rows[at + DST] = rows[o + SRC];
  rows[at + PORTS] = (rows[o + PORTS] << 16) | (rows[o + PORTS] >>> 16);
  let control = (TCP << PROTOCOL_SHIFT) | RST;
  if (!s.addresses.isIpv6(rows[o + SRC])) control |= DONT_FRAGMENT;
  if ((flags & ACK_FLAG) !== 0) rows[at + SEQ] = rows[o + ACK];
  else {
    control |= ACK_FLAG;
    const occupied = rows[o + LENGTH] + ((flags & SYN) !== 0 ? 1 : 0) + ((flags & FIN) !== 0 ? 1 : 0);
    rows[at + ACK] = (rows[o + SEQ] + occupied) | 0;
  }
  rows[at + CONTROL_AT] = control;
  rows[at + WINDOW_TTL_TOS] = TTL << 8;
  s.path.emit(node, q, s.nodes.words[node * NODE_STRIDE + ROUTES]);
}

/**
 * An ICMP error about a packet of a flow: translated as the packet was, and sent on to who sent that. False if it is
 * about no flow.
 */
export function translateError(s: Partition, balancer: Balancer, p: number): boolean {
  const b = s.balancers!;
  const rows = s.packets.rows.words;
  const extras = s.packets.extras.words;
  const o = (p * STRIDE) & MASK;
  const extra = rows[o + PACKET.EXTRA] * EXTRA.STRIDE;
  const protocol = extras[extra + EXTRA.QUOTED_CONTROL] >>> PROTOCOL_SHIFT;
  if (protocol !== TCP && protocol !== UDP) return false;
  const owner = (balancer.id << 1) | (protocol === UDP ? 1 : 0);
  const [source, destination] = [extras[extra + EXTRA.QUOTED_SRC], extras[extra + EXTRA.QUOTED_DST]];
  const ports = extras[extra + EXTRA.QUOTED_PORTS];
  const words = b.flows.rows.words;
  const quote = (from: number, to: number, both: number) => {
    extras[extra + EXTRA.QUOTED_SRC] = from;
    extras[extra + EXTRA.QUOTED_DST] = to;
    extras[extra + EXTRA.QUOTED_PORTS] = both;
  };
  const swapped = (ports << 16) | (ports >>> 16);
  const forth = b.flows.findForward(owner, destination, source, swapped);
  if (forth !== 0) {
    const at = (forth * FLOW_STRIDE) & FLOW_MASK;
    if (words[at + LOCAL] === 0) steer(s, p, words[at + REAL]);
    else {
      rows[o + DST] = words[at + REAL];
      const real = words[at + REAL_PORTS];
      quote(words[at + REAL], words[at + LOCAL], (real << 16) | (real >>> 16));
    }
    return true;
  }
  const back = b.flows.findBackward(owner, source, destination, ports);
  if (back !== 0) {
    const at = (back * FLOW_STRIDE) & FLOW_MASK;
    rows[o + DST] = words[at + CLIENT];
    quote(words[at + CLIENT], words[at + VIRTUAL], words[at + FLOW_PORTS]);
    return true;
  }
  return translateWithoutFlow(s, balancer, p, protocol === UDP, quote);
}

/** As `translateError`, of a packet of no flow that is known: where a hash, or the back end's address, tells whose it is. */
function translateWithoutFlow(
  s: Partition,
  balancer: Balancer,
  p: number,
  udp: boolean,
  quote: (from: number, to: number, both: number) => void,
): boolean {
  const b = s.balancers!;
  const rows = s.packets.rows.words;
  const extras = s.packets.extras.words;
  const extra = rows[p * STRIDE + PACKET.EXTRA] * EXTRA.STRIDE;
  const [source, destination] = [extras[extra + EXTRA.QUOTED_SRC], extras[extra + EXTRA.QUOTED_DST]];
  const ports = extras[extra + EXTRA.QUOTED_PORTS];
  const service = b.serviceOf(balancer, udp, source, ports >>> 16);
  if (service !== undefined) {
    // A back end's answer to a client.
    if (!findsAgain(service)) return false;
    const place = chooseBackend(service.pool, b.hash(service, destination, (ports << 16) | (ports >>> 16)));
    if (place < 0) return false;
    const { address, port } = service.backends[place];
    if (service.mode === DIRECT_RETURN) steer(s, p, address);
    else {
      rows[p * STRIDE + DST] = address;
      quote(address, destination, (port << 16) | (ports & 0xffff));
    }
    return true;
  }
  // A client's packet, on its way to a back end.
  for (const { remembers, mode, udp: datagrams, backends, address, port } of balancer.services) {
    if (remembers || mode === DIRECT_RETURN || datagrams !== udp) continue;
    if (!backends.some((one) => one.address === destination && one.port === (ports & 0xffff))) continue;
    quote(source, address, (ports & 0xffff0000) | port);
    return true;
  }
  return false;
}
