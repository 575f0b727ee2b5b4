/**
 * SYN floods (RFC 4987): SYNs whose source addresses are made up, so that the answers lead nowhere and half-open
 * connections stay until the server gives them up.
 *
 * The addresses are met in mid-run: each is held (`AddressTable.internCounted`) while packets about it may be under way,
 * and let go of then. What keeps one for longer, as a row of a SYN queue does, holds it itself.
 *
 * @module
 */
import { ArrivalLoop } from "../app/arrival_loop.ts";
import type { ArrivalTimes } from "../app/arrivals.ts";
import type { Sources, Targets } from "../app/targets.ts";
import type { App } from "../app/types.ts";
import { AddressError, type IpAddress, networkOf, parsePrefix } from "../base/address.ts";
import { drawWord, substreamKey } from "../base/rng.ts";
import type { StateVisitor } from "../base/state.ts";
import { NODE } from "../node/nodes.ts";
import { CONTROL, PACKET, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { NetworkError } from "./errors.ts";
import type { WorkloadOptions } from "./options.ts";
import type { Partition } from "./partition.ts";
import { HELD_NS, maskOf, type Spoof } from "./spoofs.ts";

/** What a plain SYN looks like: Ethernet's MSS, Linux's window and TTL. */
const SYN_CONTROL = TCP_FLAG.SYN | CONTROL.HAS_MSS | CONTROL.DONT_FRAGMENT |
  (PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT);
const SYN_OPTIONS = 1460;
const SYN_WINDOW_TTL = (64240 << 16) | (64 << 8);

/** Codes of its own events. */
const TIMER = { SEND: 0, LET_GO: 1 } as const;

/** Draws for each SYN: its port, its sequence number, its address. */
const DRAWS = 4;

/** What `WorkloadOptions.spoof` says. Throws `NetworkError`. */
export function spoofOf(options: WorkloadOptions, subject: string): Spoof {
  if (options.spoof === undefined || options.spoof === "random") return undefined;
  try {
    const prefix = parsePrefix(options.spoof);
    return { address: networkOf(prefix), bits: prefix.bits };
  } catch (error) {
    if (error instanceof AddressError) throw new NetworkError(`${subject}.spoof`, error.message);
    throw error;
  }
}

/** A destination, as far as a flood needs it. */
interface FloodTarget {
  text: string;
  subject: string;
  first: IpAddress;
  first6?: IpAddress;
  name?: string;
}

/** Checks a flood's options. Throws `NetworkError`. */
export function checkFlood(options: WorkloadOptions, subject: string, to: readonly FloodTarget[]): void {
  if (options.kind !== "syn-flood") {
    if (options.spoof === undefined) return;
    throw new NetworkError(`${subject}.spoof`, "Only a syn-flood makes its addresses up.");
  }
  const family = spoofOf(options, subject)?.address.family ?? 4;
  for (const { text, subject: at, first, first6, name } of to) {
    if (name !== undefined) {
      throw new NetworkError(at, `A syn-flood needs an address or a node, and ${text} is a name.`);
    }
    if (first.family === family || (family === 6 && first6 !== undefined)) continue;
    throw new NetworkError(at, `${text} has no IPv${family} address, and the flood's made-up ones are IPv${family}.`);
  }
}

/** The application that sends the SYNs. */
export class SynFlood implements App {
  /** See {@linkcode App}. */
  readonly everywhere = true;
  readonly #partition: Partition;
  readonly #app: number;
  readonly #spoof: Spoof;
  readonly #sources: Sources;
  readonly #targets: Targets;
  readonly #key: { k0: number; k1: number };
  readonly #loop: ArrivalLoop;
  /** Addresses held, the oldest first, and since when; those before `#head` have been let go of. */
  #ids: number[] = [];
  #sinceNs: number[] = [];
  #head = 0;
  readonly #bytes4 = new Uint8Array(4);
  readonly #bytes16 = new Uint8Array(16);

  /** `app` is its index among the applications. */
  constructor(
    partition: Partition,
    app: number,
    options: WorkloadOptions,
    ends: { sources: Sources; targets: Targets; arrivals: ArrivalTimes; seed: number },
  ) {
    this.#partition = partition;
    this.#app = app;
    this.#spoof = spoofOf(options, `workloads.${options.name}`);
    this.#sources = ends.sources;
    this.#targets = ends.targets;
    this.#loop = new ArrivalLoop({
      runtime: partition,
      app,
      code: TIMER.SEND,
      count: options.connections,
      sources: ends.sources,
      times: ends.arrivals,
      begin: (i) => this.#send(i),
    });
    this.#key = substreamKey(ends.seed, "workload", options.name);
    partition.spoofs.push(this.#spoof);
  }

  /** Schedules the first SYN. */
  start(): void {
    this.#loop.start();
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}. */
  onTimer(code: number): void {
    this.#letGo();
    if (code === TIMER.LET_GO || !this.#loop.arrive()) return;
    // After the last one.
    const s = this.#partition;
    s.schedule(this.#sources.at(this.#loop.begun - 1), this.#app, s.nowNs + HELD_NS, TIMER.LET_GO, 0, 0);
  }

  /** See {@linkcode App}. */
  visitState(v: StateVisitor): void {
    this.#head = v.number(this.#head);
    this.#ids = v.plain(this.#ids);
    this.#sinceNs = v.plain(this.#sinceNs);
    this.#loop.visitState(v);
  }

  /** See {@linkcode App}. */
  pause(): void {
    this.#loop.pause();
  }

  /** See {@linkcode App}. */
  resume(): void {
    this.#loop.resume();
  }

  #send(i: number): void {
    const s = this.#partition;
    const { k0, k1 } = this.#key;
    const node = this.#sources.at(i);
    if (!s.owns(node)) return;
    const source = this.#address(i);
    this.#targets.notOwn(i, s.addressOf(node));
    const p = s.packets.allocate();
    const rows = s.packets.rows.words;
    const o = p * PACKET.STRIDE;
    const wanted = s.addresses.isIpv6(source);
    const { address, address6 } = this.#targets;
    rows[o + PACKET.SRC] = source;
    rows[o + PACKET.DST] = wanted && address6 !== 0 ? address6 : address;
    // Any port from 1,024 on.
    const port = 1024 + (drawWord(k0, k1, i * DRAWS) >>> 0) % 64512;
    rows[o + PACKET.PORTS] = (port << 16) | this.#targets.port;
    rows[o + PACKET.SEQ] = drawWord(k0, k1, i * DRAWS + 1);
    rows[o + PACKET.CONTROL] = SYN_CONTROL;
    rows[o + PACKET.SYN_OPTIONS] = SYN_OPTIONS;
    rows[o + PACKET.WINDOW_TTL_TOS] = SYN_WINDOW_TTL;
    s.path.emit(node, p, s.nodes.words[node * NODE.STRIDE + NODE.ROUTES]);
  }

  /** Makes the address of SYN `i` up, and holds it. */
  #address(i: number): number {
    const s = this.#partition;
    const { k0, k1 } = this.#key;
    const spoof = this.#spoof;
    const bytes = spoof === undefined || spoof.address.family === 4 ? this.#bytes4 : this.#bytes16;
    for (let k = 0; k < bytes.length / 4; k++) {
      // (The words of an IPv6 address beyond the second are what its hosts differ in.)
      const drawn = drawWord(k0, k1, i * DRAWS + 2 + (k & 1)) ^ (k > 1 ? k : 0);
      const mask = spoof === undefined ? 0 : maskOf(spoof.bits, k);
      const word = spoof === undefined ? drawn : (spoof.address.words[k] & mask) | (drawn & ~mask);
      for (let b = 0; b < 4; b++) bytes[4 * k + b] = word >>> (24 - 8 * b);
    }
    if (spoof === undefined) {
      // A unicast address: 1 to 223, but for 127.
      const first = 1 + bytes[0] % 222;
      bytes[0] = first < 127 ? first : first + 1;
    }
    const id = s.addresses.internCounted(bytes);
    this.#ids.push(id);
    this.#sinceNs.push(s.nowNs);
    return id;
  }

  /** Lets go of the addresses whose packets are through. */
  #letGo(): void {
    const s = this.#partition;
    const ids = this.#ids;
    while (this.#head < ids.length && this.#sinceNs[this.#head] + HELD_NS <= s.nowNs) {
      s.addresses.release(ids[this.#head++]);
    }
    if (this.#head * 2 < ids.length || this.#head === 0) return;
    this.#ids = ids.slice(this.#head);
    this.#sinceNs = this.#sinceNs.slice(this.#head);
    this.#head = 0;
  }
}
