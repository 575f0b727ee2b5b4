/**
 * `ping` and `traceroute`: ICMP echo requests of hosts (RFC 792, RFC 4443) as real packets, and what comes back.
 *
 * @module
 */
import type { App } from "../app/types.ts";
import { InputError } from "../base/errors.ts";
import type { PlainValue, StateVisitor } from "../base/state.ts";
import { NODE } from "../node/nodes.ts";
import { CONTROL, EXTRA, PACKET, PROTOCOL } from "../wire/packet.ts";
import { unanswered } from "./probe_text.ts";
import type { ProbeAnswer } from "../base/probe_reports.ts";
import type { ProbeSettings } from "./probe_options.ts";
import type { Partition } from "./partition.ts";

const { SRC, DST, PORTS, SEQ, LENGTH, WINDOW_TTL_TOS, CONTROL: CONTROL_AT, MASK, STRIDE } = PACKET;

const ECHO_REQUEST = 8;
const ECHO_REQUEST_V6 = 128;
const TIME_EXCEEDED = [0x0b00, 0x0300];
const TOO_BIG = [0x0304, 0x0200];

/** Codes of its own events. */
const CODE = { SEND: 0, WAITED: 1 } as const;

/** IP and ICMP headers, by family. */
export const ECHO_HEADERS = { V4: 28, V6: 48 } as const;

/** Settings with nothing left open. */
export type ProbeDefaults = Required<Omit<ProbeSettings, "family">>;

/** A probe and what it has found: plain data. */
export interface ProbeState {
  name: string;
  kind: "ping" | "traceroute";
  /** Node that asks. */
  node: number;
  /** What was asked for: a name or an address; the address as text and id; the address that it asks from. */
  to: string;
  address: string;
  target: number;
  source: number;
  settings: ProbeDefaults;
  /** ICMP identifier, of which the host has no other. */
  identifier: number;
  /** When it was to begin, when it ended (-1: it has not), ns. */
  startNs: number;
  endNs: number;
  /** When request i + 1 was sent, ns; -1 once its answer has come. */
  pending: number[];
  /** Requests sent. */
  sent: number;
  answers: ProbeAnswer[];
  /** Second answers to one request. */
  duplicates: number;
  /** `traceroute`: the hop being asked, and whether the destination has answered. */
  ttl: number;
  reached: boolean;
  /** Timer of the wait, 0 for none. */
  timer: number;
}

/** The probes of a run. */
export class Probes implements App {
  readonly states: ProbeState[] = [];
  readonly #partition: Partition;
  readonly #app: number;
  readonly #byIdentifier = new Map<number, number>();
  readonly #identifiers = new Map<number, number>();
  readonly #done = new Map<number, () => void>();

  /** `app` is its index among the applications. */
  constructor(partition: Partition, app: number) {
    this.#partition = partition;
    this.#app = app;
  }

  /** Begins a probe at `startNs`. Returns its number. `done` is called at its end. */
  begin(
    probe: Pick<ProbeState, "name" | "kind" | "node" | "to" | "target" | "source" | "settings" | "startNs">,
    done?: () => void,
  ): number {
    const s = this.#partition;
    const identifier = (this.#identifiers.get(probe.node) ?? 0) + 1 & 0xffff;
    this.#identifiers.set(probe.node, identifier);
    const state: ProbeState = {
      ...probe,
      address: s.addresses.toText(probe.target),
      identifier,
      endNs: -1,
      pending: [],
      sent: 0,
      answers: [],
      duplicates: 0,
      ttl: 1,
      reached: false,
      timer: 0,
    };
    const index = this.states.push(state) - 1;
    this.#byIdentifier.set(probe.node * 65536 + identifier, index);
    if (done !== undefined) this.#done.set(index, done);
    s.schedule(probe.node, this.#app, probe.startNs, CODE.SEND, 0, index);
    return index;
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}: those of the hosts that have begun end there, without a word. */
  hostsRestarted(first: number, count: number): void {
    for (const [index, { node, sent, endNs }] of this.states.entries()) {
      if (node >= first && node < first + count && sent > 0 && endNs < 0) this.#end(index);
    }
  }

  /** See {@linkcode App}. */
  onTimer(code: number, _connection: number, index: number): void {
    const probe = this.states[index];
    if (probe.endNs >= 0) return;
    if (code === CODE.WAITED) {
      probe.timer = 0;
      return probe.kind === "ping" ? this.#end(index) : this.#nextHop(index);
    }
    if (probe.kind === "traceroute") return this.#askHop(index);
    this.#ask(probe, probe.settings.ttl);
    const s = this.#partition;
    if (probe.sent < probe.settings.count) {
      s.schedule(probe.node, this.#app, s.nowNs + probe.settings.intervalNs, CODE.SEND, 0, index);
    } else this.#await(index);
  }

  /** See {@linkcode App}. */
  visitState(v: StateVisitor): void {
    if (this.#done.size > 0) {
      throw new InputError("A snapshot cannot hold probes of code: what is to be called at their end is a closure.");
    }
    const states = v.plain(this.states as unknown as PlainValue[]) as unknown as ProbeState[];
    const identifiers = v.plain([...this.#identifiers]);
    if (!v.restoring) return;
    this.states.splice(0, this.states.length, ...states);
    this.#identifiers.clear();
    this.#byIdentifier.clear();
    for (const [node, identifier] of identifiers) this.#identifiers.set(node, identifier);
    states.forEach(({ node, identifier, endNs }, i) => {
      if (endNs < 0) this.#byIdentifier.set(node * 65536 + identifier, i);
    });
  }

  /** An echo reply has reached a host. */
  replyIn(node: number, p: number): void {
    const s = this.#partition;
    const rows = s.packets.rows.words;
    const o = (p * STRIDE) & MASK;
    this.#answered(node, p, rows[o + SEQ], rows[o + LENGTH] + 8, "", 0);
  }

  /** An ICMP error about an ICMP packet has reached a host. */
  errorIn(node: number, p: number): void {
    const s = this.#partition;
    const rows = s.packets.rows.words;
    const o = (p * STRIDE) & MASK;
    const extra = rows[o + PACKET.EXTRA] * EXTRA.STRIDE;
    const quoted = s.packets.extras.words[extra + EXTRA.QUOTED_SEQ];
    const version = rows[o + CONTROL_AT] >>> CONTROL.PROTOCOL_SHIFT === PROTOCOL.ICMPV6 ? 1 : 0;
    const typeCode = rows[o + PORTS] >>> 16;
    const mtu = typeCode === TOO_BIG[version] ? rows[o + SEQ] : 0;
    this.#answered(node, p, quoted, 0, unanswered(version === 1, typeCode), mtu, typeCode === TIME_EXCEEDED[version]);
  }

  #answered(
    node: number,
    p: number,
    id: number,
    bytes: number,
    error: string,
    mtu: number,
    exceeded = false,
  ): void {
    const index = this.#byIdentifier.get(node * 65536 + (id >>> 16));
    if (index === undefined) return;
    const probe = this.states[index];
    const sequence = id & 0xffff;
    const sentNs = probe.pending[sequence - 1];
    if (probe.endNs >= 0 || sentNs === undefined) return;
    if (sentNs < 0) {
      probe.duplicates++;
      return;
    }
    const s = this.#partition;
    const rows = s.packets.rows.words;
    probe.pending[sequence - 1] = -1;
    const { count } = probe.settings;
    probe.answers.push({
      sequence,
      ttl: probe.kind === "ping" ? probe.settings.ttl : 1 + Math.floor((sequence - 1) / count),
      address: s.addresses.toText(rows[p * STRIDE + SRC]),
      rttNs: s.nowNs - sentNs,
      answerTtl: (rows[p * STRIDE + WINDOW_TTL_TOS] >>> 8) & 0xff,
      bytes,
      error,
      ...(mtu > 0 ? { mtu } : {}),
    });
    // The destination itself, or somebody who says that there is no way to it.
    if (probe.kind === "traceroute" && !exceeded) probe.reached = true;
    if (probe.pending.some((ns) => ns >= 0)) return;
    if (probe.kind === "traceroute") this.#nextHop(index);
    else if (probe.sent === count) this.#end(index);
  }

  #askHop(index: number): void {
    const probe = this.states[index];
    for (let i = 0; i < probe.settings.count; i++) this.#ask(probe, probe.ttl);
    this.#await(index);
  }

  #nextHop(index: number): void {
    const probe = this.states[index];
    this.#stopTimer(probe);
    if (probe.reached || probe.ttl === probe.settings.mostHops) return this.#end(index);
    probe.ttl++;
    const s = this.#partition;
    s.schedule(probe.node, this.#app, s.nowNs, CODE.SEND, 0, index);
  }

  #await(index: number): void {
    const probe = this.states[index];
    const s = this.#partition;
    // (Everything may have been answered at once, by the host itself.)
    if (probe.endNs >= 0 || !probe.pending.some((ns) => ns >= 0)) return;
    probe.timer = s.startTimer(probe.node, this.#app, s.nowNs + probe.settings.timeoutNs, CODE.WAITED, index);
  }

  #stopTimer(probe: ProbeState): void {
    if (probe.timer !== 0) this.#partition.stopTimer(probe.timer);
    probe.timer = 0;
  }

  #end(index: number): void {
    const probe = this.states[index];
    this.#stopTimer(probe);
    probe.endNs = this.#partition.nowNs;
    this.#byIdentifier.delete(probe.node * 65536 + probe.identifier);
    const done = this.#done.get(index);
    this.#done.delete(index);
    try {
      done?.();
    } catch (error) {
      this.#partition.handlerThrew(error);
    }
  }

  #ask(probe: ProbeState, ttl: number): void {
    const s = this.#partition;
    const ipv6 = s.addresses.isIpv6(probe.target);
    probe.sent++;
    probe.pending.push(s.nowNs);
    const p = s.packets.allocate();
    const rows = s.packets.rows.words;
    const o = (p * STRIDE) & MASK;
    rows[o + SRC] = probe.source;
    rows[o + DST] = probe.target;
    rows[o + PORTS] = (ipv6 ? ECHO_REQUEST_V6 : ECHO_REQUEST) << 24;
    rows[o + SEQ] = (probe.identifier << 16) | (probe.sent & 0xffff);
    rows[o + LENGTH] = probe.settings.bytes;
    rows[o + CONTROL_AT] = (ipv6 ? PROTOCOL.ICMPV6 : PROTOCOL.ICMP) << CONTROL.PROTOCOL_SHIFT;
    rows[o + WINDOW_TTL_TOS] = ttl << 8;
    s.path.emit(probe.node, p, s.nodes.words[probe.node * NODE.STRIDE + NODE.ROUTES]);
  }
}

/** The probes of a partition, made when there is the first. */
export function probesOf(s: Partition): Probes {
  if (s.probes === undefined) {
    s.probes = new Probes(s, s.apps.length);
    s.apps.push(s.probes);
  }
  return s.probes;
}
