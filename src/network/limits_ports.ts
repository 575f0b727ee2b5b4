/**
 * How many ephemeral ports are in use towards the fullest destinations, counted when a run is over: no host keeps such
 * counts while it runs.
 *
 * @module
 */
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { FLAG, TCB, TIME_WAIT_ROW } from "../tcp/state/tcb.ts";
import { ephemeralPortsText } from "./limits.ts";
import type { LimitFound } from "./limits_hosts.ts";
import type { Partition } from "./partition.ts";

const { LOCAL, REMOTE, PORTS, HOST, STATE, STRIDE } = TCB;

/** Pairs of source and destination between which no port is left, of one population. */
export interface FullPairs {
  /** The population's name. */
  node: string;
  pairs: number;
  /** Addresses that they come from. */
  sources: number;
  hosts: number;
  /** Ports of a host. */
  ports: number;
  destinations: string[];
}

/** What was found of a population, and what it comes after where another is as full. */
export interface PortsFound extends LimitFound {
  node: string;
  order: number[];
}

/** Which of two lists of numbers comes first. */
export function compareOrders(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/** Ports in use towards the fullest destination of each population's fullest host, and where none is left. */
export function portLimits(s: Partition): { found: PortsFound[]; full: FullPairs[] } {
  const pairs = new PortPairs(s);
  countPairs(s, pairs);
  return { found: fullestPairs(s, pairs), full: fullPairs(s, pairs) };
}

/**
 * Connections by host, source address and destination: a table that grows with the pairs, since a million connections
 * may have a thousand of them. A pair is known by one of its connections: a row, or a TIME_WAIT row as a negative one.
 */
class PortPairs {
  heads = new Int32Array(1024);
  counts = new Int32Array(1024);
  #pairs = 0;
  readonly #tcbs: Int32Array;
  readonly #timeWaits: Int32Array;

  constructor(s: Partition) {
    this.#tcbs = s.tcp.tcbs.words;
    this.#timeWaits = s.tcp.timeWaits.words;
  }

  wordsOf(head: number): Int32Array {
    return head > 0 ? this.#tcbs : this.#timeWaits;
  }

  placeOf(head: number): number {
    return head > 0 ? head * STRIDE : -head * TIME_WAIT_ROW.STRIDE;
  }

  add(head: number): void {
    const slot = this.#slotOf(head);
    this.counts[slot]++;
    if (this.heads[slot] !== 0) return;
    this.heads[slot] = head;
    if (++this.#pairs * 2 > this.heads.length) this.#grow();
  }

  #slotOf(head: number): number {
    const words = this.wordsOf(head);
    const o = this.placeOf(head);
    const remote = words[o + REMOTE];
    const host = words[o + HOST];
    const local = words[o + LOCAL];
    const port = words[o + PORTS] & 0xffff;
    const heads = this.heads;
    const last = heads.length - 1;
    let h = Math.imul(remote ^ Math.imul(host, 0x9e3779b1), 0x85ebca6b) ^ port ^ local;
    h = Math.imul(h ^ (h >>> 15), 0x27d4eb2f);
    let slot = (h ^ (h >>> 16)) & last;
    for (; heads[slot] !== 0; slot = (slot + 1) & last) {
      const other = this.wordsOf(heads[slot]);
      const q = this.placeOf(heads[slot]);
      if (
        other[q + REMOTE] === remote && other[q + HOST] === host && other[q + LOCAL] === local &&
        (other[q + PORTS] & 0xffff) === port
      ) break;
    }
    return slot;
  }

  #grow(): void {
    const { heads, counts } = this;
    this.heads = new Int32Array(heads.length * 2);
    this.counts = new Int32Array(heads.length * 2);
    for (let slot = 0; slot < heads.length; slot++) {
      if (heads[slot] === 0) continue;
      const to = this.#slotOf(heads[slot]);
      this.heads[to] = heads[slot];
      this.counts[to] = counts[slot];
    }
  }
}

function countPairs(s: Partition, pairs: PortPairs): void {
  const { tcbs, timeWaits } = s.tcp;
  // (A balancer's own connections are health checks.)
  const isBalancer = (host: number) => s.nodes.words[host * NODE.STRIDE + NODE.KIND] === NODE_KIND.BALANCER;
  for (let c = 1; c < tcbs.end; c++) {
    const o = c * STRIDE;
    if ((tcbs.words[o + STATE] & FLAG.ACTIVE) !== 0 && !isBalancer(tcbs.words[o + HOST])) pairs.add(c);
  }
  for (let row = 1; row < timeWaits.end; row++) {
    const o = row * TIME_WAIT_ROW.STRIDE;
    if (timeWaits.words[o + TIME_WAIT_ROW.PORTS] === 0) continue;
    // A TIME_WAIT row may be a server's: its local port is then outside the ephemeral range.
    if (isEphemeral(s, row) && !isBalancer(timeWaits.words[o + HOST])) pairs.add(-row);
  }
}

function isEphemeral(s: Partition, row: number): boolean {
  const words = s.tcp.timeWaits.words;
  const o = row * TIME_WAIT_ROW.STRIDE;
  const port = words[o + TIME_WAIT_ROW.PORTS] >>> 16;
  const profile = s.profiles.get(s.hosts.profileOf(words[o + TIME_WAIT_ROW.HOST]));
  return port >= profile.ephemeralPortLow && port <= profile.ephemeralPortHigh;
}

function fullestPairs(s: Partition, pairs: PortPairs): PortsFound[] {
  // What tells destinations and hosts apart, whatever their rows.
  const identity = (head: number): number[] => {
    const words = pairs.wordsOf(head);
    const o = pairs.placeOf(head);
    const remote = words[o + REMOTE];
    const six = s.addresses.isIpv6(remote) ? 1 : 0;
    return [six, s.addresses.word(remote) >>> 0, words[o + PORTS] & 0xffff, s.nodes.rankOf(words[o + HOST])];
  };
  const goesFirst = (head: number, other: number) => compareOrders(identity(head), identity(other)) < 0;
  const fullest = new Map<number, { count: number; head: number }>();
  const { heads, counts } = pairs;
  for (let slot = 0; slot < heads.length; slot++) {
    const head = heads[slot];
    if (head === 0) continue;
    const count = counts[slot];
    const host = pairs.wordsOf(head)[pairs.placeOf(head) + HOST];
    const population = s.nodes.words[host * NODE.STRIDE + NODE.POPULATION];
    const best = fullest.get(population);
    if (best === undefined || count > best.count) fullest.set(population, { count, head });
    else if (count === best.count && goesFirst(head, best.head)) best.head = head;
  }
  return [...fullest].map(([population, { count, head }]) => {
    const words = pairs.wordsOf(head);
    const o = pairs.placeOf(head);
    const address = s.addresses.toText(words[o + REMOTE]);
    const target = address.includes(":") ? `[${address}]` : address;
    return {
      node: s.nodes.populations[population].name,
      used: count,
      capacity: portsOf(s, words[o + HOST]),
      firstNs: -1,
      refused: 0,
      detail: ephemeralPortsText(
        s.profiles.get(s.hosts.profileOf(words[o + HOST])),
        `${target}:${words[o + PORTS] & 0xffff}`,
      ),
      order: identity(head),
    };
  });
}

/** Where a host has no port left towards a destination: their number is what the population held in all. */
function fullPairs(s: Partition, pairs: PortPairs): FullPairs[] {
  const { heads, counts } = pairs;
  const full = new Map<
    number,
    { pairs: number; ports: number; sources: Set<string>; hosts: Set<number>; destinations: Set<string> }
  >();
  for (let slot = 0; slot < heads.length; slot++) {
    if (heads[slot] === 0) continue;
    const words = pairs.wordsOf(heads[slot]);
    const o = pairs.placeOf(heads[slot]);
    const host = words[o + HOST];
    const ports = portsOf(s, host);
    if (counts[slot] < ports) continue;
    const population = s.nodes.words[host * NODE.STRIDE + NODE.POPULATION];
    let found = full.get(population);
    if (found === undefined) {
      found = { pairs: 0, ports, sources: new Set(), hosts: new Set(), destinations: new Set() };
      full.set(population, found);
    }
    found.pairs++;
    found.sources.add(`${host} ${words[o + LOCAL]}`);
    found.hosts.add(host);
    found.destinations.add(`${s.addresses.toText(words[o + REMOTE])} ${words[o + PORTS] & 0xffff}`);
  }
  return [...full].map(
    ([index, { pairs, ports, sources: { size: sources }, hosts: { size: hosts }, destinations }]) => {
      const node = s.nodes.populations[index].name;
      return { node, pairs, sources, hosts, ports, destinations: [...destinations] };
    },
  );
}

/** Ephemeral ports of a host. */
function portsOf(s: Partition, host: number): number {
  const profile = s.profiles.get(s.hosts.profileOf(host));
  return profile.ephemeralPortHigh - profile.ephemeralPortLow + 1;
}
