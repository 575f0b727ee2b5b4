/**
 * Hosts whose processors are no faster than told. A packet that comes in waits in one queue for a core (as in Linux's
 * softnet backlog), costs time there, and only then reaches TCP. What it makes the host send is part of the same turn:
 * those packets leave one after the other, each after its own cost. What a host sends without having been sent anything
 * (a client's SYN, a timer's retransmission) waits in the queue as well, and so do accepts. An application's work on a
 * request follows on the turn that completed the request. Packets neither reach the host nor leave it in another order.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import type { App, WorkKind } from "../app/types.ts";
import { WORK } from "../app/types.ts";
import { CORE, CPU, type Cpus, type CpuSettings } from "../node/cpus.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { UDP_SOCKET } from "../transport/udp.ts";
import { CONTROL, PACKET, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { drop } from "./deliver.ts";
import { drainTcp } from "./drain.ts";
import { DROP } from "./drops.ts";
import { APP_EVENT } from "./app_event.ts";
import { CPU_APP, type Partition } from "./partition.ts";

const { CPU: NODE_CPU, ROUTES, MASK: NODE_MASK, STRIDE: NODE_STRIDE } = NODE;
const { LENGTH, LINK_SEQ, CONTROL: CONTROL_AT, MASK: PACKET_MASK, STRIDE: PACKET_STRIDE } = PACKET;
const { MASK: CPU_MASK, STRIDE: CPU_STRIDE, NODE: CPU_NODE, HEAD, NEXT_HEAD, HANDED_NS, SENT_NS } = CPU;
const { WAITING, BUSY_NS, SERVED, BOOTS } = CPU;
const { MASK: CORE_MASK, STRIDE: CORE_STRIDE, CPU: CORE_CPU, UNTIL_NS, JOB } = CORE;
const EVENT_STRIDE = APP_EVENT.STRIDE;
const EVENT_MASK = APP_EVENT.MASK;

/** Kinds of references: the low two bits. A reference is never 0. */
const IN = 1;
const OUT = 2;
const WORKS = 3;

/** Code of the event that lets a packet (the argument) leave; other codes are cores. */
const LEAVES = 0;

/** The application behind the CPUs: a core (the code) is through with something, or a packet leaves. */
export class CpuApp implements App {
  readonly #partition: Partition;

  /** Of one partition. */
  constructor(partition: Partition) {
    this.#partition = partition;
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}. */
  visitState(v: StateVisitor): void {
    this.#partition.cpus!.visitState(v);
  }

  /** See {@linkcode App}. */
  onTimer(code: number, _connection: number, argument: number): void {
    const s = this.#partition;
    const cpus = s.cpus!;
    if (code !== LEAVES) {
      // (The host may have restarted since the core began.)
      const { words, cores } = cpus;
      if (words[cores[code * CORE_STRIDE + CORE_CPU] * CPU_STRIDE + BOOTS] !== argument) return;
      return coreDone(s, cpus, code);
    }
    const node = s.packets.rows.words[argument * PACKET_STRIDE + PACKET.LINK];
    const cpu = s.nodes.words[node * NODE_STRIDE + NODE_CPU];
    if (s.packets.rows.words[argument * PACKET_STRIDE + LINK_SEQ] !== cpus.words[cpu * CPU_STRIDE + BOOTS]) {
      return drop(s, node, argument, DROP.RESTART);
    }
    s.path.emitNow(node, argument, s.nodes.words[node * NODE_STRIDE + ROUTES]);
  }
}

/** What a packet costs, ns. */
function packetNs(s: Partition, settings: CpuSettings, p: number): number {
  return settings.perByteNs === 0
    ? settings.perPacketNs
    : settings.perPacketNs + Math.round(settings.perByteNs * s.packets.rows.words[p * PACKET_STRIDE + LENGTH]);
}

/** Is the packet a datagram for a service? Then its work is part of the packet's turn. */
function isRequest(s: Partition, node: number, p: number): boolean {
  const rows = s.packets.rows.words;
  const o = (p * PACKET_STRIDE) & PACKET_MASK;
  if (s.udpSockets === undefined || rows[o + CONTROL_AT] >>> CONTROL.PROTOCOL_SHIFT !== PROTOCOL.UDP) return false;
  const ports = rows[o + PACKET.PORTS];
  const swapped = (ports << 16) | (ports >>> 16);
  const socket = s.udpSockets.lookup(node, rows[o + PACKET.DST], rows[o + PACKET.SRC], swapped);
  if (socket === 0) return false;
  return s.apps[s.udpSockets.rows.words[socket * UDP_SOCKET.STRIDE + UDP_SOCKET.APP]]?.serves === true;
}

/** What it costs to send a packet, ns: opening a connection goes with its SYN. */
function sendingNs(s: Partition, settings: CpuSettings, p: number): number {
  const costNs = packetNs(s, settings, p);
  return settings.perConnectNs !== 0 && opens(s, p) ? costNs + settings.perConnectNs : costNs;
}

/** Is the packet a SYN that opens a connection? */
function opens(s: Partition, p: number): boolean {
  const control = s.packets.rows.words[p * PACKET_STRIDE + CONTROL_AT];
  return control >>> CONTROL.PROTOCOL_SHIFT === PROTOCOL.TCP &&
    (control & (TCP_FLAG.SYN | TCP_FLAG.ACK)) === TCP_FLAG.SYN;
}

/** Is it a host whose work takes time? (Balancers and gateways have something else in that word.) */
export function hasCpu(s: Partition, node: number): boolean {
  const at = (node * NODE_STRIDE) & NODE_MASK;
  return s.nodes.words[at + NODE_CPU] !== 0 && s.nodes.words[at + NODE.KIND] === NODE_KIND.HOST;
}

/** Packet `p` has reached host `node`, which has a CPU. */
export function cpuReceive(s: Partition, node: number, p: number): void {
  const cpus = s.cpus!;
  const cpu = s.nodes.words[node * NODE_STRIDE + NODE_CPU];
  const { perPacketNs, perByteNs, perRequestNs } = cpus.settingsOf(cpu);
  // What costs nothing needs no core.
  if (perPacketNs === 0 && perByteNs === 0 && (perRequestNs === 0 || !isRequest(s, node, p)) && !isBehind(s, cpu)) {
    return s.path.takeIn(node, p);
  }
  offerPacket(s, cpus, cpu, node, p, IN);
}

/** Packets have cost something, and some of those wait or are being served: others do not overtake them. */
function isBehind({ cpus, nowNs }: Partition, cpu: number): boolean {
  const at = (cpu * CPU_STRIDE) & CPU_MASK;
  return cpus!.changed && (cpus!.words[at + WAITING] > 0 || cpus!.words[at + HANDED_NS] > nowNs);
}

/** Host `node`, which has a CPU, sends packet `p`. */
export function cpuSend(s: Partition, node: number, p: number): void {
  const cpus = s.cpus!;
  const cpu = s.nodes.words[node * NODE_STRIDE + NODE_CPU];
  const at = (cpu * CPU_STRIDE) & CPU_MASK;
  const words = cpus.words;
  s.packets.rows.words[p * PACKET_STRIDE + PACKET.LINK] = node;
  const core = s.servingCore;
  if (core !== 0 && cpus.cores[core * CORE_STRIDE + CORE_CPU] === cpu) {
    const costNs = sendingNs(s, cpus.settingsOf(cpu), p);
    words[at + BUSY_NS] += costNs;
    const until = core * CORE_STRIDE + UNTIL_NS;
    cpus.cores[until] = Math.max(s.nowNs, cpus.cores[until]) + costNs;
    return leave(s, cpus, cpu, node, p, cpus.cores[until]);
  }
  const { perPacketNs, perByteNs, perConnectNs } = cpus.settingsOf(cpu);
  if (perPacketNs === 0 && perByteNs === 0 && (perConnectNs === 0 || !opens(s, p)) && !isBehind(s, cpu)) {
    return leave(s, cpus, cpu, node, p, s.nowNs);
  }
  offerPacket(s, cpus, cpu, node, p, OUT);
}

/** Lets a packet out when its turn is over, and not before those that were made before it. */
function leave(s: Partition, cpus: Cpus, cpu: number, node: number, p: number, readyNs: number): void {
  const at = cpu * CPU_STRIDE + SENT_NS;
  const leavesNs = Math.max(readyNs, cpus.words[at]);
  cpus.words[at] = leavesNs;
  if (leavesNs > s.nowNs) {
    s.packets.rows.words[p * PACKET_STRIDE + LINK_SEQ] = cpus.words[cpu * CPU_STRIDE + BOOTS];
    s.schedule(node, CPU_APP, leavesNs, LEAVES, 0, p);
  } else s.path.emitNow(node, p, s.nodes.words[node * NODE_STRIDE + ROUTES]);
}

/** Does this kind of work cost anything on a host? */
export function cpuCosts(s: Partition, node: number, kind: WorkKind): boolean {
  const cpus = s.cpus;
  if (cpus === undefined || !hasCpu(s, node)) return false;
  const cpu = s.nodes.words[node * NODE_STRIDE + NODE_CPU];
  return (kind === WORK.ACCEPT ? cpus.settingsOf(cpu).perAcceptNs : cpus.settingsOf(cpu).perRequestNs) > 0;
}

/**
 * Work of an application, `count` times, on a host where it costs something (`cpuCosts`):
 * `apps[app].onTimer(code, connection, argument)` follows when a core has done it.
 */
export function cpuWork(
  s: Partition,
  node: number,
  kind: WorkKind,
  count: number,
  app: number,
  code: number,
  connection: number,
  argument: number,
): void {
  const cpus = s.cpus!;
  const cpu = s.nodes.words[node * NODE_STRIDE + NODE_CPU];
  const row = s.events.allocate();
  const words = s.events.words;
  const o = (row * EVENT_STRIDE) & EVENT_MASK;
  words[o + APP_EVENT.APP] = app;
  words[o + APP_EVENT.CODE] = code;
  words[o + APP_EVENT.CONNECTION] = connection;
  words[o + APP_EVENT.GENERATION] = connection === 0 ? 0 : s.tcp.generation(connection);
  words[o + APP_EVENT.NODE] = node;
  // It is in no event queue: these two hold what it is, and the next in the CPU's queue.
  words[o + APP_EVENT.RANK] = (count << 1) | kind;
  words[o + APP_EVENT.SEQUENCE] = 0;
  words[o + APP_EVENT.ARGUMENT] = argument;
  const ref = (row << 2) | WORKS;
  const core = cpus.idleCore(cpu);
  if (core !== 0) begin(s, cpus, cpu, core, ref);
  else {
    const follows = kind === WORK.REQUEST && s.servingCore !== 0 &&
      cpus.cores[s.servingCore * CORE_STRIDE + CORE_CPU] === cpu;
    append(s, cpus, cpu, ref, follows ? NEXT_HEAD : HEAD);
  }
}

function offerPacket(s: Partition, cpus: Cpus, cpu: number, node: number, p: number, kind: number): void {
  const core = cpus.idleCore(cpu);
  const words = cpus.words;
  const at = (cpu * CPU_STRIDE) & CPU_MASK;
  if (core !== 0) return begin(s, cpus, cpu, core, (p << 2) | kind);
  if (words[at + WAITING] >= cpus.settingsOf(cpu).queuePackets) {
    cpus.noteDrop(cpu, s.nowNs);
    return drop(s, node, p, DROP.CPU);
  }
  append(s, cpus, cpu, (p << 2) | kind, HEAD);
  cpus.changeWaiting(cpu, 1, s.nowNs);
}

/** Puts a reference at the end of a queue (`HEAD` or `NEXT_HEAD`; its tail stands in the next word). */
function append(s: Partition, cpus: Cpus, cpu: number, ref: number, head: number): void {
  const words = cpus.words;
  const at = cpu * CPU_STRIDE + head;
  setNext(s, ref, 0);
  if (words[at] === 0) words[at] = ref;
  else setNext(s, words[at + 1], ref);
  words[at + 1] = ref;
}

/** Takes the first reference of a queue, 0 if it is empty. */
function take(s: Partition, cpus: Cpus, cpu: number, head: number): number {
  const words = cpus.words;
  const at = cpu * CPU_STRIDE + head;
  const ref = words[at];
  if (ref === 0) return 0;
  words[at] = nextOf(s, ref);
  if (words[at] === 0) words[at + 1] = 0;
  return ref;
}

function setNext(s: Partition, ref: number, next: number): void {
  const row = ref >>> 2;
  if ((ref & 3) === WORKS) s.events.words[row * EVENT_STRIDE + APP_EVENT.SEQUENCE] = next;
  else s.packets.rows.words[row * PACKET_STRIDE + LINK_SEQ] = next;
}

function nextOf(s: Partition, ref: number): number {
  const row = ref >>> 2;
  return (ref & 3) === WORKS
    ? s.events.words[row * EVENT_STRIDE + APP_EVENT.SEQUENCE]
    : s.packets.rows.words[row * PACKET_STRIDE + LINK_SEQ];
}

/** A core that is free begins with `ref`. */
function begin(s: Partition, cpus: Cpus, cpu: number, core: number, ref: number): void {
  const words = cpus.words;
  const at = (cpu * CPU_STRIDE) & CPU_MASK;
  const settings = cpus.settingsOf(cpu);
  const row = ref >>> 2;
  let costNs: number;
  if ((ref & 3) === WORKS) {
    const what = s.events.words[row * EVENT_STRIDE + APP_EVENT.RANK];
    costNs = (what >>> 1) * ((what & 1) === WORK.ACCEPT ? settings.perAcceptNs : settings.perRequestNs);
  } else {
    costNs = (ref & 3) === OUT ? sendingNs(s, settings, row) : packetNs(s, settings, row);
    words[at + SERVED]++;
  }
  // Datagrams need no order: requests do not hold up other packets.
  const request = (ref & 3) === IN && settings.perRequestNs > 0 && isRequest(s, words[at + CPU_NODE], row);
  if (request) costNs += settings.perRequestNs;
  words[at + BUSY_NS] += costNs;
  let doneNs = s.nowNs + costNs;
  if ((ref & 3) === IN && !request) {
    // A smaller packet does not overtake a larger one that another core is busy with.
    doneNs = Math.max(doneNs, words[at + HANDED_NS]);
    words[at + HANDED_NS] = doneNs;
  }
  const c = (core * CORE_STRIDE) & CORE_MASK;
  cpus.cores[c + UNTIL_NS] = doneNs;
  cpus.cores[c + JOB] = ref;
  s.schedule(words[at + CPU_NODE], CPU_APP, doneNs, core, 0, words[at + BOOTS]);
}

/** A core has come to the end of what it had to do: that happens now, and the next is begun. */
function coreDone(s: Partition, cpus: Cpus, core: number): void {
  const c = (core * CORE_STRIDE) & CORE_MASK;
  const cpu = cpus.cores[c + CORE_CPU];
  const node = cpus.words[cpu * CPU_STRIDE + CPU_NODE];
  const ref = cpus.cores[c + JOB];
  if (ref > 0) {
    cpus.cores[c + JOB] = 0;
    s.servingCore = core;
    serve(s, cpus, cpu, node, ref);
    drainTcp(s);
    s.servingCore = 0;
    // What it sent keeps it busy.
    const untilNs = cpus.cores[c + UNTIL_NS];
    if (untilNs > s.nowNs) {
      return s.schedule(node, CPU_APP, untilNs, core, 0, cpus.words[cpu * CPU_STRIDE + BOOTS]);
    }
  }
  let next = take(s, cpus, cpu, NEXT_HEAD);
  if (next === 0) {
    next = take(s, cpus, cpu, HEAD);
    if (next !== 0 && (next & 3) !== WORKS) cpus.changeWaiting(cpu, -1, s.nowNs);
  }
  if (next === 0) cpus.cores[c + JOB] = -1;
  else begin(s, cpus, cpu, core, next);
}

function serve(s: Partition, cpus: Cpus, cpu: number, node: number, ref: number): void {
  const row = ref >>> 2;
  if ((ref & 3) === IN) return s.path.takeIn(node, row);
  if ((ref & 3) === OUT) return leave(s, cpus, cpu, node, row, s.nowNs);
  const words = s.events.words;
  const o = (row * EVENT_STRIDE) & EVENT_MASK;
  const app = s.apps[words[o + APP_EVENT.APP]];
  const code = words[o + APP_EVENT.CODE];
  const connection = words[o + APP_EVENT.CONNECTION];
  const generation = words[o + APP_EVENT.GENERATION];
  const argument = words[o + APP_EVENT.ARGUMENT];
  s.events.release(row);
  if (connection !== 0 && s.tcp.generation(connection) !== generation) return;
  app!.onTimer(code, connection, argument);
}

/** Forgets all that waits for a host's CPU, and what its cores are at: the host has restarted. */
export function cpuReset(s: Partition, node: number): void {
  const cpus = s.cpus;
  if (cpus === undefined || !hasCpu(s, node)) return;
  const cpu = s.nodes.words[node * NODE_STRIDE + NODE_CPU];
  const at = (cpu * CPU_STRIDE) & CPU_MASK;
  const forget = (ref: number) => {
    if ((ref & 3) === WORKS) s.events.release(ref >>> 2);
    else drop(s, node, ref >>> 2, DROP.RESTART);
  };
  for (const head of [NEXT_HEAD, HEAD]) {
    for (let ref = take(s, cpus, cpu, head); ref !== 0; ref = take(s, cpus, cpu, head)) {
      if (head === HEAD && (ref & 3) !== WORKS) cpus.changeWaiting(cpu, -1, s.nowNs);
      forget(ref);
    }
  }
  const first = cpus.words[cpu * CPU_STRIDE + CPU.CORE];
  for (let core = first; core < first + cpus.settingsOf(cpu).cores; core++) {
    const c = (core * CORE_STRIDE) & CORE_MASK;
    if (cpus.cores[c + JOB] > 0) forget(cpus.cores[c + JOB]);
    cpus.words[at + BUSY_NS] -= Math.max(0, cpus.cores[c + UNTIL_NS] - s.nowNs);
    cpus.cores[c + JOB] = -1;
    cpus.cores[c + UNTIL_NS] = 0;
  }
  cpus.words[at + HANDED_NS] = cpus.words[at + SENT_NS] = 0;
  cpus.words[at + BOOTS]++;
}
