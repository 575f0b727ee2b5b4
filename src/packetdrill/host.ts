/**
 * The emulated host of a script: one TCP stack behind one interface, in simulated time. The wire is a queue of what it
 * has sent, each packet as the bytes that a link would carry; what is put in comes as bytes too.
 *
 * @module
 */
import { AddressTable } from "../base/address.ts";
import { HostTable } from "../transport/hosts.ts";
import { makeProfile, type Profile, ProfileTable } from "../transport/profile.ts";
import {
  fineTimerFired,
  icmpErrorIn,
  releaseAfterEvent,
  segmentIn,
  setCongestion,
  setLinger,
  TCP_EVENT,
  TcpStack,
  timerActs,
  timerFired,
  timerSerial,
} from "../tcp/mod.ts";
import { congestionId } from "../tcp/congestion/types.ts";
import { isWireError } from "../wire/error.ts";
import { CONTROL, PACKET, packetBytes, PacketPool, PROTOCOL } from "../wire/packet.ts";
import { decodePacket, encodePacket } from "../wire/row_codec.ts";
import type { RunConfig } from "./config.ts";

/** The host's row number. */
export const HOST_ROW = 1;

const MS = 1e6;

/** When a run begins, ns: well past 0, which some clocks take for "never", and on a millisecond. */
const START_NS = 100_000 * MS;

/** A packet that the host has sent. */
export interface LivePacket {
  /** When, ns since the run began. */
  timeNs: number;
  /** From the IP header on. */
  bytes: Uint8Array;
}

/** Options of {@linkcode EmulatedHost}. */
export interface HostOptions {
  config: RunConfig;
  /** The host's settings. */
  profile?: Partial<Profile>;
  /** Called for every event of the stack. */
  onEvent?: (conn: number, kind: number, argument: number) => void;
}

/** See the module's description. */
export class EmulatedHost {
  readonly packets: PacketPool = new PacketPool({ capacity: 256 });
  readonly addresses: AddressTable = new AddressTable();
  declare readonly stack: TcpStack;
  /** Address ids of the host and of the peer that the script plays. */
  declare readonly local: number;
  declare readonly remote: number;
  declare readonly ipv6: boolean;
  /** Packets sent and not yet looked at. */
  readonly sent: LivePacket[] = [];
  /** Called for every event of the stack. */
  onEvent: (conn: number, kind: number, argument: number) => void;
  /** Called for every segment with data: source and destination port in one word, its first byte, and behind the last. */
  onSegment: (ports: number, start: number, end: number) => void = () => {};
  readonly #profiles = new ProfileTable();
  /** Numbers of the profiles that the host has had: connections keep the one with their congestion control. */
  readonly #profileIds: number[];
  readonly #hosts = new HostTable({ seed: 1, capacity: 2 });
  #settings: Partial<Profile>;
  readonly #timers = new Map<number, number[]>();
  readonly #ticks: number[] = [];
  /** Timers finer than a millisecond, the next first. */
  readonly #fine: { timeNs: number; ref: number; generation: number }[] = [];
  #clockNs = START_NS;
  #buffer = new Uint8Array(65536);

  /** A host at time 0. */
  constructor(options: HostOptions) {
    const { config, profile = {} } = options;
    this.ipv6 = config.ipVersion === "ipv6";
    this.local = this.addresses.intern(config.localIp);
    this.remote = this.addresses.intern(config.remoteIp);
    this.onEvent = options.onEvent ?? (() => {});
    this.#settings = profile;
    this.#profileIds = [this.#profiles.add(makeProfile(profile))];
    this.#hosts.addHost(HOST_ROW, { name: "packetdrill", profile: this.#profileIds[0], mtu: config.mtu });
    this.stack = new TcpStack({
      packets: this.packets,
      addresses: this.addresses,
      hosts: this.#hosts,
      profiles: this.#profiles,
      seed: 1,
      connectionCapacity: 16,
    });
    this.stack.setNow(this.#clockNs);
  }

  /** ns since the run began. */
  get nowNs(): number {
    return this.#clockNs - START_NS;
  }

  /** The host's settings. */
  get profile(): Readonly<Profile> {
    return this.#profiles.get(this.#profileIds[this.#profileIds.length - 1]);
  }

  /**
   * Changes settings of the host, for the connections that it has as well; but for the congestion control, which
   * new ones take.
   */
  configure(changes: Partial<Profile>): void {
    const { congestionControl: before } = this.profile;
    this.#settings = { ...this.#settings, ...changes };
    const changed = makeProfile(this.#settings);
    for (const id of this.#profileIds) {
      const { congestionControl } = this.#profiles.get(id);
      this.#profiles.replace(id, makeProfile({ ...this.#settings, congestionControl }));
    }
    if (changed.congestionControl === before) return;
    const id = this.#profiles.add(changed);
    this.#profileIds.push(id);
    this.#hosts.setProfile(HOST_ROW, id);
  }

  /** Sets the interface's MTU, bytes. */
  setMtu(bytes: number): void {
    this.#hosts.setMtu(HOST_ROW, bytes);
  }

  /** Lets the interface take nothing any more, or again: TCP is told that its packets were dropped. */
  setEgress(open: boolean): void {
    this.stack.setEgress(HOST_ROW, open);
  }

  /** Forgets what is remembered of peers beyond their connections. */
  forgetPeers(): void {
    this.stack.fastOpen.flush(this.stack, HOST_ROW);
  }

  /** When the host next has something to do by itself, ns since the run began; Infinity for never. */
  get nextTimerNs(): number {
    const tick = this.#ticks.length === 0 ? Infinity : this.#ticks[0] * MS;
    const fine = this.#fine.length === 0 ? Infinity : this.#fine[0].timeNs;
    return Math.min(tick, fine) - START_NS;
  }

  /** Takes out of the stack what it has written. Call after every call into the stack. */
  drain(): void {
    const stack = this.stack;
    for (;;) {
      for (let i = 0; i < stack.timerRequestCount; i++) {
        this.#request(stack.timerRequests[2 * i], stack.timerRequests[2 * i + 1]);
      }
      stack.timerRequestCount = 0;
      for (let i = 0; i < stack.fineTimerRequestCount; i++) {
        const ref = stack.fineTimerRequests[2 * i];
        const timeNs = Math.ceil(stack.fineTimerRequests[2 * i + 1]);
        this.#fine.push({ timeNs, ref, generation: stack.generation(ref >>> 2) });
        this.#fine.sort((a, b) => a.timeNs - b.timeNs);
      }
      stack.fineTimerRequestCount = 0;
      for (let i = 0; i < stack.outCount; i++) this.#transmit(stack.out[i]);
      stack.outCount = 0;
      if (stack.eventCount === 0) return;
      const count = stack.eventCount;
      const events = stack.events.slice(0, 3 * count);
      stack.eventCount = 0;
      for (let i = 0; i < count; i++) {
        const conn = events[3 * i];
        const kind = events[3 * i + 1];
        this.onEvent(conn, kind, events[3 * i + 2]);
        if (kind === TCP_EVENT.CLOSED || kind === TCP_EVENT.FAILED) releaseAfterEvent(stack, conn);
      }
    }
  }

  #request(ref: number, tick: number): void {
    const now = Math.floor(this.#clockNs / MS);
    const exact = now + ((tick - (now | 0)) | 0);
    let refs = this.#timers.get(exact);
    if (refs === undefined) {
      this.#timers.set(exact, refs = []);
      let i = this.#ticks.length;
      while (i > 0 && this.#ticks[i - 1] > exact) i--;
      this.#ticks.splice(i, 0, exact);
    }
    refs.push(ref);
  }

  #transmit(p: number): void {
    const length = packetBytes(this.packets, p, this.ipv6);
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(length);
    encodePacket(this.packets, this.addresses, p, this.#buffer);
    const words = this.packets.rows.words;
    const at = p * PACKET.STRIDE;
    const isTcp = words[at + PACKET.CONTROL] >>> CONTROL.PROTOCOL_SHIFT === PROTOCOL.TCP;
    const bytes = words[at + PACKET.LENGTH];
    if (isTcp && bytes > 0) {
      this.onSegment(words[at + PACKET.PORTS], words[at + PACKET.SEQ], (words[at + PACKET.SEQ] + bytes) | 0);
    }
    this.packets.release(p);
    this.sent.push({ timeNs: this.nowNs, bytes: this.#buffer.slice(0, length) });
  }

  /** Does what is due at the next timer, which is not after `untilNs`, or sets the clock to `untilNs`; false then. */
  step(untilNs: number): boolean {
    if (this.nextTimerNs > untilNs) {
      this.#setClock(untilNs + START_NS);
      return false;
    }
    const fine = this.#fine[0];
    if (fine !== undefined && !(this.#ticks[0] * MS <= fine.timeNs)) {
      this.#fine.shift();
      this.#setClock(fine.timeNs);
      if (this.stack.generation(fine.ref >>> 2) === fine.generation) fineTimerFired(this.stack, fine.ref);
      this.drain();
      return true;
    }
    const tick = this.#ticks.shift()!;
    this.#setClock(tick * MS);
    const refs = this.#timers.get(tick)!;
    this.#timers.delete(tick);
    const stack = this.stack;
    const acting = [...new Set(refs)].filter((ref) => timerActs(stack, ref));
    this.drain();
    acting.sort((a, b) => timerSerial(stack, a) - timerSerial(stack, b));
    for (const ref of acting) {
      timerFired(stack, ref);
      this.drain();
    }
    return true;
  }

  #setClock(ns: number): void {
    if (ns <= this.#clockNs) return;
    this.#clockNs = ns;
    this.stack.setNow(ns);
  }

  /** Is there a congestion control of that name? */
  hasCongestionControl(name: string): boolean {
    return congestionId(name) >= 0;
  }

  /** TCP_CONGESTION of a connection: 0 or `-errno`. */
  setCongestion(conn: number, name: string): number {
    return setCongestion(this.stack, conn, name);
  }

  /** SO_LINGER of a connection: seconds, null for off. */
  setLinger(conn: number, seconds: number | null): void {
    setLinger(this.stack, conn, seconds !== null, seconds ?? 0);
  }

  /** A packet from the wire: bytes from the IP header on. Returns what is wrong with them, or null. */
  receive(bytes: Uint8Array): string | null {
    const p = decodePacket(this.packets, this.addresses, bytes);
    if (isWireError(p)) return p.message;
    const control = this.packets.rows.words[p * PACKET.STRIDE + PACKET.CONTROL];
    if (control >>> CONTROL.PROTOCOL_SHIFT === PROTOCOL.TCP) segmentIn(this.stack, HOST_ROW, p);
    else if ((control & CONTROL.QUOTES) !== 0) icmpErrorIn(this.stack, HOST_ROW, p);
    this.packets.release(p);
    this.drain();
    return null;
  }
}
