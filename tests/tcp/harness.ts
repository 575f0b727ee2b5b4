/**
 * Two hosts and a raw peer around one TcpStack, with a tiny virtual clock and a configurable pipe: everything that
 * the tests of the TCP core need, and no simulator.
 */
import { AddressTable } from "../../src/base/address.ts";
import { Substream, substreamKey } from "../../src/base/rng.ts";
import { HostTable } from "../../src/transport/hosts.ts";
import { makeProfile, ProfileTable } from "../../src/transport/profile.ts";
import { CONTROL, EXTRA, PACKET, PacketPool, PROTOCOL, TCP_FLAG } from "../../src/wire/packet.ts";
import {
  connectionInfo,
  fineTimerFired,
  icmpErrorIn,
  releaseAfterEvent,
  segmentIn,
  TCP_EVENT,
  TcpStack,
  timerActs,
  timerFired,
  timerHost,
  timerSerial,
} from "../../src/tcp/mod.ts";
import type { PipeOptions, Segment, WorldOptions } from "./harness_types.ts";

export type { PipeOptions, Segment, WorldOptions } from "./harness_types.ts";

export const A = 1;
export const B = 2;
export const MS = 1e6;
export const SECOND = 1e9;

interface Entry {
  time: number;
  order: number;
  packet: number;
}

const FLAG_LETTERS: [number, string][] = [
  [TCP_FLAG.SYN, "S"],
  [TCP_FLAG.FIN, "F"],
  [TCP_FLAG.RST, "R"],
  [TCP_FLAG.PSH, "P"],
  [TCP_FLAG.ACK, "."],
  [TCP_FLAG.URG, "U"],
  [TCP_FLAG.ECE, "E"],
  [TCP_FLAG.CWR, "W"],
];

export class World {
  readonly packets = new PacketPool();
  readonly addresses = new AddressTable();
  readonly hosts: HostTable;
  readonly profiles = new ProfileTable();
  readonly stack: TcpStack;
  readonly addressA: number;
  readonly addressB: number;
  readonly addressRaw: number;
  pipe: PipeOptions;
  nowNs: number;
  /** Every segment sent, in order. */
  log: Segment[] = [];
  /** Keep `log`? Off in long runs. */
  logging = true;
  /** Segments sent to the raw peer. */
  toRaw: Segment[] = [];
  /** Events seen, in order. */
  events: { conn: number; kind: number; arg: number; time: number }[] = [];
  onEvent: (conn: number, kind: number, arg: number) => void = () => {};
  readonly #draws: Substream;
  #heap: Entry[] = [];
  #order = 0;
  #timers = new Map<number, number[]>();
  #ticks: number[] = [];
  #fine: { time: number; ref: number; generation: number }[] = [];

  constructor(options: WorldOptions = {}) {
    const seed = options.seed ?? 1;
    this.hosts = new HostTable({ seed });
    this.addressA = this.addresses.intern(options.ipv6 ? "2001:db8::1" : "192.0.2.1");
    this.addressB = this.addresses.intern(options.ipv6 ? "2001:db8::2" : "192.0.2.2");
    this.addressRaw = this.addresses.intern(options.ipv6 ? "2001:db8::9" : "192.0.2.9");
    this.hosts.addHost(A, { name: "a", rank: 0, profile: this.profiles.add(makeProfile(options.profileA)) });
    this.hosts.addHost(B, { name: "b", rank: 1, profile: this.profiles.add(makeProfile(options.profileB)) });
    this.stack = new TcpStack({
      packets: this.packets,
      addresses: this.addresses,
      hosts: this.hosts,
      profiles: this.profiles,
      seed,
    });
    this.pipe = { delayNs: 10 * MS, ...options.pipe };
    this.nowNs = options.startNs ?? SECOND;
    this.stack.setNow(this.nowNs);
    this.#draws = new Substream(substreamKey(seed, "pipe", ""));
  }

  /** Takes what the stack has written: timers, packets, events (which may write more). */
  drain(): void {
    const stack = this.stack;
    for (;;) {
      for (let i = 0; i < stack.timerRequestCount; i++) {
        this.#request(stack.timerRequests[2 * i], stack.timerRequests[2 * i + 1]);
      }
      stack.timerRequestCount = 0;
      for (let i = 0; i < stack.fineTimerRequestCount; i++) {
        const [ref, time] = stack.fineTimerRequests.subarray(2 * i, 2 * i + 2);
        this.#fine.push({ time: Math.ceil(time), ref, generation: stack.generation(ref >>> 2) });
      }
      stack.fineTimerRequestCount = 0;
      this.#fine.sort((a, b) => a.time - b.time);
      for (let i = 0; i < stack.outCount; i++) this.#transmit(stack.out[i]);
      stack.outCount = 0;
      if (stack.eventCount === 0) return;
      const count = stack.eventCount;
      const events = stack.events.slice(0, 3 * count);
      stack.eventCount = 0;
      for (let i = 0; i < count; i++) {
        const [conn, kind, arg] = events.subarray(3 * i, 3 * i + 3);
        if (this.logging) this.events.push({ conn, kind, arg, time: this.nowNs });
        this.onEvent(conn, kind, arg);
        if (kind === TCP_EVENT.CLOSED || kind === TCP_EVENT.FAILED) releaseAfterEvent(stack, conn);
      }
    }
  }

  #request(ref: number, tick: number): void {
    const now = Math.floor(this.nowNs / MS);
    const exact = now + ((tick - (now | 0)) | 0);
    if (exact * MS < this.nowNs) throw new Error(`a timer for the past: ${exact} at ${this.nowNs}`);
    let refs = this.#timers.get(exact);
    if (refs === undefined) {
      this.#timers.set(exact, refs = []);
      this.#ticks.push(exact);
      this.#ticks.sort((a, b) => a - b);
    }
    refs.push(ref);
  }

  /** A packet row as a readable segment. */
  read(p: number): Segment {
    const words = this.packets.rows.words;
    const o = p * PACKET.STRIDE;
    const control = words[o + PACKET.CONTROL];
    const segment: Segment = {
      flags: FLAG_LETTERS.map(([bit, letter]) => (control & bit ? letter : "")).join(""),
      seq: words[o + PACKET.SEQ] >>> 0,
      ack: words[o + PACKET.ACK] >>> 0,
      length: words[o + PACKET.LENGTH],
      window: words[o + PACKET.WINDOW_TTL_TOS] >>> 16,
      srcPort: words[o + PACKET.PORTS] >>> 16,
      dstPort: words[o + PACKET.PORTS] & 0xffff,
      ttl: (words[o + PACKET.WINDOW_TTL_TOS] >>> 8) & 0xff,
      trafficClass: words[o + PACKET.WINDOW_TTL_TOS] & 0xff,
      time: this.nowNs,
      from: words[o + PACKET.LINK],
    };
    if (!(control & CONTROL.DONT_FRAGMENT)) segment.mayFragment = true;
    if (control & CONTROL.HAS_MSS) segment.mss = words[o + PACKET.SYN_OPTIONS] & 0xffff;
    if (control & CONTROL.HAS_WINDOW_SCALE) segment.shift = (words[o + PACKET.SYN_OPTIONS] >>> 16) & 0xff;
    if (control & CONTROL.HAS_SACK_PERMITTED) segment.sackPermitted = true;
    if (control & CONTROL.HAS_TIMESTAMPS) {
      segment.tsVal = words[o + PACKET.TS_VAL] >>> 0;
      segment.tsEcr = words[o + PACKET.TS_ECR] >>> 0;
    }
    if (control & TCP_FLAG.URG) {
      segment.urgent = this.packets.extras.words[words[o + PACKET.EXTRA] * EXTRA.STRIDE + EXTRA.URGENT];
    }
    if (control & CONTROL.HAS_FAST_OPEN) segment.cookie = this.#readCookie(words[o + PACKET.EXTRA]);
    if (control & CONTROL.HAS_SACK) {
      const extras = this.packets.extras.words;
      const e = words[o + PACKET.EXTRA] * EXTRA.STRIDE;
      segment.sack = Array.from({ length: extras[e + EXTRA.SACK_COUNT] }, (_, i) => [
        extras[e + EXTRA.SACK + 2 * i] >>> 0,
        extras[e + EXTRA.SACK + 2 * i + 1] >>> 0,
      ]);
    }
    return segment;
  }

  #writeCookie(p: number, cookie: string): void {
    const e = this.packets.extraOf(p) * EXTRA.STRIDE;
    const digits = cookie.replace("x:", "");
    const words = this.packets.extras.words;
    words[e + EXTRA.FAST_OPEN] = digits.length / 2 | (cookie.startsWith("x:") ? 0x100 : 0);
    for (let i = 0; i < 4; i++) {
      words[e + EXTRA.FAST_OPEN_COOKIE + i] = parseInt(digits.slice(8 * i, 8 * i + 8).padEnd(8, "0"), 16);
    }
  }

  #readCookie(extra: number): string {
    const words = this.packets.extras.words;
    const e = extra * EXTRA.STRIDE;
    const option = words[e + EXTRA.FAST_OPEN];
    const digits = [0, 1, 2, 3].map((i) => (words[e + EXTRA.FAST_OPEN_COOKIE + i] >>> 0).toString(16).padStart(8, "0"));
    return (option & 0x100 ? "x:" : "") + digits.join("").slice(0, 2 * (option & 0xff));
  }

  #transmit(p: number): void {
    const segment = this.read(p);
    if (this.logging) this.log.push(segment);
    const words = this.packets.rows.words;
    if (words[p * PACKET.STRIDE + PACKET.DST] === this.addressRaw) {
      this.toRaw.push(segment);
      this.packets.release(p);
      return;
    }
    const { delayNs = 0, loss = 0, duplicate = 0, reorder = 0, reorderNs = 50 * MS, drop } = this.pipe;
    if (drop?.(segment) || (loss > 0 && this.#draws.nextFraction() < loss)) {
      this.packets.release(p);
      return;
    }
    if (duplicate > 0 && this.#draws.nextFraction() < duplicate) {
      const twin = this.packets.clone(p);
      this.#push(this.nowNs + delayNs + Math.floor(this.#draws.nextFraction() * reorderNs), twin);
    }
    let delay = delayNs;
    if (reorder > 0 && this.#draws.nextFraction() < reorder) {
      delay += Math.floor(this.#draws.nextFraction() * reorderNs);
    }
    this.#push(this.nowNs + delay, p);
  }

  #push(time: number, packet: number): void {
    const heap = this.#heap;
    const entry = { time, order: this.#order++, packet };
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (before(heap[parent], entry)) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): Entry {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
      if (before(last, heap[child])) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
    return top;
  }

  /** Packets in flight. */
  get inPipe(): number {
    return this.#heap.length;
  }

  #deliver(p: number): void {
    const destination = this.packets.rows.words[p * PACKET.STRIDE + PACKET.DST];
    segmentIn(this.stack, destination === this.addressA ? A : B, p);
    this.packets.release(p);
    this.drain();
  }

  /** Does the next thing, not after `untilNs`. False if there was nothing. */
  step(untilNs: number): boolean {
    const packetAt = this.#heap.length > 0 ? this.#heap[0].time : Infinity;
    const tickAt = this.#ticks.length > 0 ? this.#ticks[0] * MS : Infinity;
    const fineAt = this.#fine.length > 0 ? this.#fine[0].time : Infinity;
    const time = Math.min(packetAt, tickAt, fineAt);
    if (time > untilNs) return false;
    this.nowNs = Math.max(this.nowNs, time);
    this.stack.setNow(this.nowNs);
    if (time === fineAt) {
      const { ref, generation } = this.#fine.shift()!;
      if (this.stack.generation(ref >>> 2) === generation) fineTimerFired(this.stack, ref);
      this.drain();
      return true;
    }
    if (packetAt <= tickAt) {
      this.#deliver(this.#pop().packet);
      return true;
    }
    const tick = this.#ticks.shift()!;
    const refs = this.#timers.get(tick)!;
    this.#timers.delete(tick);
    const acting = [...new Set(refs)].filter((ref) => timerActs(this.stack, ref));
    this.drain();
    acting.sort((a, b) =>
      timerHost(this.stack, a) - timerHost(this.stack, b) || timerSerial(this.stack, a) - timerSerial(this.stack, b)
    );
    for (const ref of acting) {
      timerFired(this.stack, ref);
      this.drain();
    }
    return true;
  }

  /** Runs for a time, then sets the clock to its end. */
  run(ns: number): void {
    this.drain();
    const end = this.nowNs + ns;
    while (this.step(end));
    this.nowNs = end;
    this.stack.setNow(end);
  }

  /** Runs until nothing is in flight and no timer keeps the run alive. Throws if that takes longer than `ns`. */
  runToQuiet(ns = 2e13): void {
    this.drain();
    const end = this.nowNs + ns;
    while (this.inPipe > 0 || this.stack.liveTimers > 0) {
      if (!this.step(end)) throw new Error(`not quiet after ${ns / 1e9} s`);
    }
  }

  /** Hands a hand-made segment from the raw peer (or another source) to a host, now. */
  inject(
    to: number,
    fields: {
      flags: string;
      seq?: number;
      ack?: number;
      length?: number;
      window?: number;
      srcPort: number;
      dstPort: number;
      source?: number;
      destination?: number;
      mss?: number;
      shift?: number;
      sackPermitted?: boolean;
      tsVal?: number;
      tsEcr?: number;
      cookie?: string;
      /** Urgent pointer, with URG. */
      urgent?: number;
      trafficClass?: number;
      bytes?: Uint8Array;
      /** SACK blocks: left and right edges. */
      sack?: [number, number][];
    },
  ): void {
    const p = this.packets.allocate();
    const words = this.packets.rows.words;
    const o = p * PACKET.STRIDE;
    let control = PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT;
    for (const [bit, letter] of FLAG_LETTERS) if (fields.flags.includes(letter)) control |= bit;
    words[o + PACKET.SRC] = fields.source ?? this.addressRaw;
    words[o + PACKET.DST] = fields.destination ?? (to === A ? this.addressA : this.addressB);
    words[o + PACKET.PORTS] = (fields.srcPort << 16) | fields.dstPort;
    words[o + PACKET.SEQ] = fields.seq ?? 0;
    words[o + PACKET.ACK] = fields.ack ?? 0;
    words[o + PACKET.LENGTH] = fields.length ?? fields.bytes?.length ?? 0;
    words[o + PACKET.WINDOW_TTL_TOS] = ((fields.window ?? 65535) << 16) | (64 << 8) | (fields.trafficClass ?? 0);
    if (fields.urgent !== undefined) {
      this.packets.extras.words[this.packets.extraOf(p) * EXTRA.STRIDE + EXTRA.URGENT] = fields.urgent;
    }
    if (fields.bytes !== undefined) {
      const payload = this.packets.payloads.put(fields.bytes.slice());
      this.packets.extras.words[this.packets.extraOf(p) * EXTRA.STRIDE + EXTRA.PAYLOAD] = payload;
      control |= CONTROL.REAL_PAYLOAD;
    }
    if (fields.sack !== undefined && fields.sack.length > 0) {
      const e = this.packets.extraOf(p) * EXTRA.STRIDE;
      const extras = this.packets.extras.words;
      control |= CONTROL.HAS_SACK;
      extras[e + EXTRA.SACK_COUNT] = fields.sack.length;
      fields.sack.forEach(([from, to], i) => {
        extras[e + EXTRA.SACK + 2 * i] = from;
        extras[e + EXTRA.SACK + 2 * i + 1] = to;
      });
    }
    if (fields.mss !== undefined) control |= CONTROL.HAS_MSS;
    if (fields.shift !== undefined) control |= CONTROL.HAS_WINDOW_SCALE;
    if (fields.sackPermitted) control |= CONTROL.HAS_SACK_PERMITTED;
    words[o + PACKET.SYN_OPTIONS] = (fields.mss ?? 0) | ((fields.shift ?? 0) << 16);
    if (fields.tsVal !== undefined) {
      control |= CONTROL.HAS_TIMESTAMPS;
      words[o + PACKET.TS_VAL] = fields.tsVal;
      words[o + PACKET.TS_ECR] = fields.tsEcr ?? 0;
    }
    words[o + PACKET.WINDOW_TTL_TOS] |= fields.trafficClass ?? 0;
    if (fields.cookie !== undefined) {
      control |= CONTROL.HAS_FAST_OPEN;
      this.#writeCookie(p, fields.cookie);
    }
    words[o + PACKET.CONTROL] = control;
    segmentIn(this.stack, to, p);
    this.packets.release(p);
    this.drain();
  }

  /** Hands an ICMP error to a host, now, that quotes a segment which that host sent. */
  injectIcmp(to: number, type: number, code: number, quoted: Segment, rest = 0): void {
    const p = this.packets.allocate();
    const extra = this.packets.extraOf(p);
    const words = this.packets.rows.words;
    const quotes = this.packets.extras.words;
    const o = p * PACKET.STRIDE;
    const e = extra * EXTRA.STRIDE;
    words[o + PACKET.SRC] = this.addressRaw;
    words[o + PACKET.DST] = to === A ? this.addressA : this.addressB;
    words[o + PACKET.PORTS] = (type << 24) | (code << 16);
    words[o + PACKET.SEQ] = rest;
    const protocol = this.addresses.isIpv6(this.addressRaw) ? PROTOCOL.ICMPV6 : PROTOCOL.ICMP;
    words[o + PACKET.CONTROL] = (protocol << CONTROL.PROTOCOL_SHIFT) | CONTROL.QUOTES;
    quotes[e + EXTRA.QUOTED_SRC] = to === A ? this.addressA : this.addressB;
    quotes[e + EXTRA.QUOTED_DST] = this.addressRaw;
    quotes[e + EXTRA.QUOTED_PORTS] = (quoted.srcPort << 16) | quoted.dstPort;
    quotes[e + EXTRA.QUOTED_SEQ] = quoted.seq;
    quotes[e + EXTRA.QUOTED_CONTROL] = PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT;
    icmpErrorIn(this.stack, to, p);
    this.packets.release(p);
    this.drain();
  }

  /** State name of a connection. */
  state(conn: number): string {
    return connectionInfo(this.stack, conn).state;
  }

  /** Kinds of the events of a connection, in order. */
  kinds(conn: number): number[] {
    return this.events.filter((event) => event.conn === conn).map((event) => event.kind);
  }

  /** Names every row that is still in use: empty when nothing leaks. Listeners are not counted. */
  leaks(): string[] {
    const { stack } = this;
    const pools = {
      connections: stack.tcbs,
      cold: stack.cold,
      segments: stack.segments,
      ranges: stack.ranges,
      settings: stack.settings,
      receivers: stack.receivers,
      recoveries: stack.recoveries,
      senders: stack.senders,
      accounts: stack.accounts,
      fastOpens: stack.fastOpens,
      // (An array with holes: only algorithms that were used have a pool.)
      ...Object.fromEntries(Object.entries(stack.congestionPools).map(([id, pool]) => [`congestion ${id}`, pool!])),
      synRows: stack.synRows,
      timeWaits: stack.timeWaits,
      packets: this.packets.rows,
      extras: this.packets.extras,
    };
    const found = Object.entries(pools).filter(([, pool]) => pool.inUse !== 0).map(([name, pool]) =>
      `${name}: ${pool.inUse}`
    );
    if (stack.demux.size !== 0) found.push(`tuples: ${stack.demux.size}`);
    if (stack.liveTimers !== 0) found.push(`live timers: ${stack.liveTimers}`);
    return found;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
