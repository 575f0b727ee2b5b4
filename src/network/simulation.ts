/**
 * A network ready to run.
 *
 * @module
 */
import type { AddressTable } from "../base/address.ts";
import type { RunReport } from "../report/document.ts";
import type { PacketPool } from "../wire/packet.ts";
import { type BackendChange, changeBackends } from "./balancer_build.ts";
import { type Capture, type CaptureOptions, Captures, type CaptureSink } from "./capture.ts";
import { combineDigest } from "./digest.ts";
import { checkDumpKind, type DumpKind, dumpText, type Inspection } from "./dump.ts";
import { natSubscriberTable, natTable } from "./dump_nat.ts";
import { links, routes } from "./dump_routes.ts";
import { sockets } from "./dump_sockets.ts";
import { eachNode, hostRows } from "./node_selection.ts";
import { Series, type SeriesOptions, type SeriesRow } from "./series.ts";
import { drainTcp } from "./drain.ts";
import { nextEventNs, runBatches } from "./loop.ts";
import { LONGEST_RUN_NS, type RunOptions, UNTIL_GRID_NS, untilOf } from "./options.ts";
import { SocketLayer } from "../socket/layer.ts";
import { NetworkError } from "./errors.ts";
import { HostHandle } from "./host_handle.ts";
import type { NetworkDocument } from "./document.ts";
import { late, type LinkGroup, type Mark, type PacketTap, takeOff, type TapOptions } from "./observers.ts";
import { type DeliveryTap, type Partition, SOCKET_APP } from "./partition.ts";
import type { Numbering } from "./plan.ts";
import {
  readHeader,
  restoreSimulation,
  restoreWithModules,
  type RunRecord,
  type SimulationHeader,
  writeSimulation,
} from "./restore.ts";
import { canonicalText, type PlainValue } from "../base/plain.ts";
import { addChanges, type ForkChange } from "./fork.ts";
import { inOwnProcess, type MemoryEstimate } from "./estimate.ts";
import { liveReport, NO_FACTS, type ReportFacts, runReport } from "./report.ts";
import { takeThrown, throwAll } from "./part_thrown.ts";
import { Threads } from "./threads.ts";

export type { LinkGroup, Mark, PacketTap, TapOptions } from "./observers.ts";

/**
 * A network that runs: made by `Network.build`.
 *
 * @example In steps, with a look at every packet
 * ```ts
 * import { formatPacket, Network } from "../../mod.ts";
 *
 * const network = new Network({ seed: 7 });
 * network.host("client", { address: "10.0.0.1/24" });
 * network.host("server", { address: "10.0.0.2/24", listen: [{ port: 80 }] });
 * network.link("client", "server", { rateBps: 10e6, delayNs: 20e6, loss: 0.01 });
 * network.workload({ name: "up", kind: "bulk", from: ["client"], to: ["server:80"], connections: 1, bytes: 50_000 });
 * const simulation = network.build();
 * const takeOff = simulation.onDelivery((packet, timeNs, _from, to) => {
 *   if (to === "server") console.log(formatPacket(simulation.packets, simulation.addresses, packet, timeNs));
 * });
 * simulation.run({ untilNs: 50e6 });
 * takeOff();
 * const { ended } = simulation.run();
 * console.log(ended, simulation.nowNs / 1e9, "s", simulation.digest);
 * ```
 */
export class Simulation {
  /** @internal Its tables; for tests and tools. They may change with any version. */
  declare readonly partition: Partition;
  /** The network's name. */
  declare readonly name: string;
  /** The seed of its random draws. */
  declare readonly seed: number;
  /** What the process will take: estimated from the declaration, before the run. */
  declare readonly estimate: MemoryEstimate;
  /** @internal Those who look at it on the way. */
  readonly marks: Mark[] = [];
  /** Its links, in the order of their directions' ranks. */
  declare readonly links: readonly LinkGroup[];
  readonly #sockets: SocketLayer;
  #declaration: NetworkDocument;
  readonly #numbering: Numbering;
  #asked: RunRecord = { ended: "interrupted" };
  #captures: Captures | undefined;
  /** Events that there had been when a condition was asked last. */
  #eventsSeen = -1;
  #running = false;
  readonly #threads: Threads;

  /** @internal For `Network.build`. */
  constructor(
    options: {
      partition: Partition;
      name: string;
      seed: number;
      estimate: MemoryEstimate;
      declaration: NetworkDocument;
      numbering: Numbering;
      run?: RunRecord;
      links: readonly LinkGroup[];
    },
  ) {
    this.#declaration = options.declaration;
    this.links = options.links;
    this.#numbering = options.numbering;
    if (options.run !== undefined) this.#asked = { ...options.run };
    this.#threads = new Threads(options.partition, options, options.run !== undefined);
    this.partition = options.partition;
    this.name = options.name;
    this.seed = options.seed;
    this.#sockets = new SocketLayer(options.partition, SOCKET_APP);
    options.partition.apps[SOCKET_APP] = this.#sockets;
    this.estimate = options.estimate;
  }

  /**
   * In how many threads it runs, and where that is not as many as `run` was asked for, why: a sentence. `lookaheadNs`: what
   * a packet takes at least from one part of the network to another, ns (0: there is one part; infinite: no link joins them).
   */
  get threads(): { count: number; why: string; lookaheadNs: number } {
    return this.#threads.summary;
  }

  /**
   * Ends the other threads of a run with `workers`, which else live on for the next call of `run`, and keep the process
   * alive. Reports and digests stay readable.
   */
  close(): void {
    this.#threads.lead?.close();
  }

  /** What it was built from, as plain data, and how it was changed since. */
  get declaration(): NetworkDocument {
    return this.#declaration;
  }

  /** Simulated time, ns. */
  get nowNs(): number {
    return this.partition.nowNs;
  }

  /** Packets in flight: rows for taps. */
  get packets(): PacketPool {
    return this.partition.packets;
  }

  /** Addresses of packet rows. */
  get addresses(): AddressTable {
    return this.partition.addresses;
  }

  /** 64 bits over every packet delivery so far, 16 hexadecimal digits (DESIGN section 4). */
  get digest(): string {
    return this.#threads.lead?.digest("deliveries") ?? combineDigest(this.partition.nodes, "deliveries");
  }

  /** 64 bits over drops, NAT decisions and timers that acted, 16 hexadecimal digits. */
  get eventDigest(): string {
    return this.#threads.lead?.digest("events") ?? combineDigest(this.partition.nodes, "events");
  }

  /**
   * Runs until the first of: quiescence (no packet in flight, no application event, no timer pending but keep-alives
   * and NAT expiry), `untilNs`, `until()`, `LONGEST_RUN_NS` (12 days). May be called again to go on; a run in slices is the same run.
   *
   * What a handler of a socket or a timer throws comes out of here, after the event that it belongs to is done with;
   * the run may then go on. Not to be called by handlers (`Error`).
   */
  run(options: RunOptions = {}): { ended: RunReport["ended"] } {
    if (this.#running) {
      throw new Error("run() was called by a handler: handlers only open, write, close and set timers.");
    }
    this.#running = true;
    try {
      return this.#run(options);
    } finally {
      this.#running = false;
    }
  }

  #run(options: RunOptions): { ended: RunReport["ended"] } {
    const s = this.partition;
    // What was asked for between runs.
    drainTcp(s);
    const untilNs = untilOf(options);
    const past = options.pastQuiescence ?? false;
    this.#asked = {
      ended: "interrupted",
      askNs: this.#asked.askNs,
      untilNs: options.untilNs,
      pastQuiescence: options.pastQuiescence,
    };
    const asks = options.until !== undefined || options.untilReport !== undefined;
    const lead = this.#threads.begin(options, this.marks.some(({ inThreads }) => inThreads !== true));
    for (;;) {
      const markNs = this.#nextMark();
      const lookNs = asks ? this.#nextLook() : Infinity;
      const stopNs = Math.min(untilNs, lookNs, markNs);
      const { interrupted } = options;
      const stop = lead?.run({ untilNs: stopNs, past, interrupted }) ?? runBatches(s, stopNs, past, interrupted);
      if (s.halted) this.#throw();
      if (stop === "batch") return this.#end("interrupted");
      if (stop !== "quiescence" && stopNs === markNs) this.#reach(markNs);
      // Not where a slice ends in between: the condition is asked at the same moments however the run is sliced.
      if (stop === "quiescence" || stopNs === lookNs) {
        this.#asked.askNs = undefined;
        const askNow = asks && (this.#hasHappened() || stop === "quiescence");
        if (askNow && this.#isOver(options)) return this.#end("until");
      }
      if (stop === "quiescence") return this.#end("quiescence");
      if (stopNs === untilNs || s.nowNs >= LONGEST_RUN_NS) return this.#end("time");
      // (Where marks are close together, no batch ever ends between them.)
      const between = stopNs === lookNs || stopNs === markNs;
      if (between && interrupted?.() === true) return this.#end("interrupted");
    }
  }

  /**
   * A host, to open sockets on: `server`, `clients[3]`, `clients` (its first member). Throws `NetworkError` where there
   * is none of that name.
   */
  host(name: string): HostHandle {
    this.#threads.codeActs();
    const match = /^([^[\]]+)(?:\[(\d+)\])?$/.exec(name);
    const hosts = match === null ? undefined : hostRows(this.partition.nodes, match[1]);
    const member = Number(match?.[2] ?? 0);
    if (hosts === undefined || member >= hosts.count) {
      throw new NetworkError(`nodes.${name}`, `There is no host called "${name}".`);
    }
    return new HostHandle(this.partition, this.#sockets, hosts.first + member);
  }

  /** All members of a population of hosts, in order; of a single host just that. Throws `NetworkError`. */
  hosts(name: string): HostHandle[] {
    this.#threads.codeActs();
    const hosts = hostRows(this.partition.nodes, name);
    if (hosts === undefined) throw new NetworkError(`nodes.${name}`, `There are no hosts called "${name}".`);
    return Array.from(
      { length: hosts.count },
      (_, i) => new HostHandle(this.partition, this.#sockets, hosts.first + i),
    );
  }

  /**
   * Tells a balancer that back ends are up, are down or are to drain: `which` as declared (`web[3]:80`), or a host or
   * population of them (`web[3]`, `web`). Throws `NetworkError` where there are none.
   */
  setBackends(balancer: string, which: string, state: BackendChange): void {
    this.#threads.codeActs();
    changeBackends(this.partition, balancer, which, state);
  }

  /**
   * Calls `action` once, at simulated time `timeNs` (whole, not in the past, or `RangeError`): before what hosts do at
   * that time by themselves. Returns a number for `HostHandle.clearTimeout` of any host.
   */
  at(timeNs: number, action: () => void): number {
    this.#threads.codeActs();
    return this.#sockets.call(0, timeNs, action);
  }

  /**
   * Sees every packet delivery, at every hop. It must not change anything, nor call sockets, and the row is good for
   * the time of the call only. Returns a function that takes it off again. One that may be `late` is called in the same
   * order, but maybe after other things have happened: then several threads may run the network.
   */
  onDelivery(tap: PacketTap, options: TapOptions = {}): () => void {
    return this.#tap(this.partition.taps, tap, options);
  }

  /**
   * Sees every packet as a node hands it to a link, also those that the link will drop or lose; `onDelivery` sees
   * them arrive. It must not change anything. Returns a function that takes it off again. `options` as of `onDelivery`.
   */
  onSend(tap: PacketTap, options: TapOptions = {}): () => void {
    return this.#tap(this.partition.sendTaps, tap, options);
  }

  #tap(taps: DeliveryTap[], tap: PacketTap, options: TapOptions): () => void {
    this.#threads.needOne();
    const { nodes } = this.partition;
    const inner: DeliveryTap = (p, timeNs, from, to) => tap(p, timeNs, nodes.nameOf(from), nodes.nameOf(to));
    taps.push(options.late === true ? late(inner) : inner);
    return () => takeOff(taps, inner);
  }

  /**
   * Its whole state in one buffer, from which `Simulation.restore` makes a simulation that goes on exactly as this one
   * would, in this process or another. Between two runs, at any time, also where one was interrupted. `extra` is kept
   * beside it, for `readSnapshot`. Taps are not part of it.
   *
   * Throws `InputError` where code has sockets, listeners, timers, calls or lookups open: closures cannot be saved.
   */
  snapshot(extra: { [key: string]: PlainValue } = {}): Uint8Array {
    this.#threads.needOne();
    const { declaration } = this;
    const run = Object.fromEntries(Object.entries(this.#asked).filter(([_, value]) => value !== undefined));
    return writeSimulation(this.partition, {
      declaration,
      numbering: this.#numbering,
      run: run as unknown as RunRecord,
      extra,
    });
  }

  /**
   * The simulation that a snapshot was taken of, as it was. Throws `InputError`, one sentence, for bytes that are no
   * snapshot, are damaged, or that another version of fourtuple wrote; and where a registered module is missing.
   */
  static restore(snapshot: Uint8Array): Simulation {
    return restoreSimulation(snapshot);
  }

  /** As `restore`, but first imports the modules that were registered (`registerModule`) when the snapshot was taken. */
  static restoreWithModules(snapshot: Uint8Array): Promise<Simulation> {
    return restoreWithModules(snapshot);
  }

  /**
   * Another simulation that begins where this one stands, with `changes`, and a future of its own. This one stays as it
   * is. Throws `InputError` as `snapshot` does; `NetworkError` for a change that cannot be.
   *
   * @example What if the link had got slower?
   * ```ts
   * import { Network } from "../../mod.ts";
   *
   * const network = new Network();
   * network.host("client", { address: "10.0.0.1/24" });
   * network.host("server", { address: "10.0.0.2/24", listen: [{ port: 80 }] });
   * network.link("client", "server", { rateBps: 10e6, delayNs: 20e6 });
   * network.workload({ name: "up", kind: "bulk", from: ["client"], to: ["server:80"], connections: 1, bytes: 500_000 });
   * const simulation = network.build();
   * simulation.run({ untilNs: 100e6 });
   * const slower = simulation.fork([{ kind: "link", link: "client--server", rateBps: 1e6 }]);
   * simulation.run();
   * slower.run();
   * console.log(simulation.nowNs < slower.nowNs); // true
   * ```
   */
  fork(changes: readonly ForkChange[] = []): Simulation {
    const forked = restoreSimulation(this.snapshot());
    if (changes.length > 0) forked.#change(changes);
    return forked;
  }

  #change(changes: readonly ForkChange[]): void {
    const more = addChanges(this.partition, this.#declaration, changes);
    const plain = JSON.parse(canonicalText(more as unknown as PlainValue));
    this.#declaration = { ...this.#declaration, events: [...this.#declaration.events, ...plain] };
  }

  /** What a snapshot says of itself: time, declaration, how the run was asked to end. Throws `InputError` as `restore` does. */
  static readSnapshot(snapshot: Uint8Array): SimulationHeader {
    return readHeader(snapshot);
  }

  /**
   * A look inside, in the shape that people know: `sockets` as `ss -tan`, `sockets-summary` as `ss -s`, `nat` as
   * `conntrack -L`, `routes` as `ip route`, and so on. `nodes` narrows it: `server, clients[0..9]`. Throws `InputError`.
   */
  dump(kind: DumpKind, nodes?: string): string {
    const { lead } = this.#threads;
    return dumpText(this.partition, checkDumpKind(kind), nodes, lead && (() => lead.dumps(kind, nodes)));
  }

  /** The same as plain data, of all nodes or of some. Throws `InputError`. */
  inspect(nodes?: string): Inspection {
    this.#threads.needOne();
    const s = this.partition;
    const rows = eachNode(s.nodes, nodes);
    return {
      sockets: () => sockets(s, rows),
      natSessions: () => natTable(s, rows),
      natSubscribers: () => natSubscriberTable(s, rows),
      routes: () => routes(s, rows),
      links: () => links(s, rows),
    };
  }

  /**
   * Samples what nodes do at the ends of intervals of simulated time, from now on; `sink` gets the rows. Call `finish` on
   * what is returned after the run, for the last, shorter interval. It changes nothing of the run. Throws `InputError`.
   */
  series(options: SeriesOptions, sink: (row: SeriesRow) => void): Series {
    this.#threads.needOne();
    const number = this.#threads.series.length;
    const series = new Series(this.partition, options, sink, () => this.#threads.lead?.samples(number) ?? []);
    this.#threads.series.push(options.nodes);
    this.marks.push(series);
    return series;
  }

  /**
   * Writes what passes a node, or one of its interfaces, to `sink` as a pcapng file: real bytes and checksums, times in
   * nanoseconds, drops as comments and in the statistics at the end, which `close` of the capture writes. It changes
   * nothing. Throws `NetworkError` where there is no such interface, `InputError` for a wrong filter.
   *
   * @example
   * ```ts
   * import { Network } from "../../mod.ts";
   *
   * const network = new Network();
   * network.host("client", { address: "10.0.0.1/24" });
   * network.host("server", { address: "10.0.0.2/24", listen: [{ port: 80 }] });
   * network.link("client", "server", { delayNs: 1e6 });
   * network.workload({ name: "up", kind: "bulk", from: ["client"], to: ["server:80"], connections: 1, bytes: 5000 });
   * const simulation = network.build();
   * const chunks: Uint8Array[] = [];
   * const capture = simulation.capture({ node: "server", interface: "client", filter: "port 80" }, (bytes) => {
   *   chunks.push(bytes);
   * });
   * simulation.run();
   * capture.close();
   * console.log(capture.packets, chunks.length > 0); // 14 true
   * ```
   */
  capture(options: CaptureOptions, sink: CaptureSink | ((bytes: Uint8Array) => void)): Capture {
    this.#threads.needOne();
    return this.captures.add(options, typeof sink === "function" ? { write: sink } : sink);
  }

  /** @internal All of them. */
  get captures(): Captures {
    return this.#captures ??= new Captures(this);
  }

  /** How far the run has come. `packets`: links crossed. */
  progress(): { nowNs: number; attempted: number; established: number; open: number; packets: number } {
    const { nowNs, stats, hops } = this.partition;
    return this.#threads.lead?.progress() ??
      { nowNs, attempted: stats.attempted, established: stats.established, open: stats.open, packets: hops };
  }

  /** The run's outcome so far, with what the caller measured. */
  report(extra: { fourtuple?: string; wallSeconds?: number; peakRssBytes?: number } = {}): RunReport {
    const facts = this.#facts(extra);
    return this.#threads.lead?.report(facts) ?? runReport(this.partition, facts);
  }

  /** The same, each part worked out only when it is read: for conditions that are asked often. */
  liveReport(): RunReport {
    const facts = this.#facts({});
    return this.#threads.lead?.liveReport(facts) ?? liveReport(this.partition, facts);
  }

  /**
   * When the condition is asked next: at the end of the grid step that the next event lies in. Kept until then, so that
   * a run that is interrupted in between asks at the same moments.
   */
  #nextLook(): number {
    const s = this.partition;
    const { askNs } = this.#asked;
    if (askNs !== undefined && askNs >= s.nowNs) return askNs;
    const nextNs = Math.max(s.nowNs + 1, this.#threads.lead?.nextEventNs() ?? nextEventNs(s));
    const lookNs = Math.ceil(nextNs / UNTIL_GRID_NS) * UNTIL_GRID_NS;
    if (lookNs !== Infinity) this.#asked.askNs = lookNs;
    return lookNs;
  }

  /** Has anything happened since this was asked last? (A timer may have been taken back, or not be due yet.) */
  #hasHappened(): boolean {
    const { hops, acted } = this.partition;
    const events = this.#threads.lead?.events ?? hops + acted;
    if (events === this.#eventsSeen) return false;
    this.#eventsSeen = events;
    return true;
  }

  #isOver({ until, untilReport }: RunOptions): boolean {
    return until?.() === true || untilReport?.(this.liveReport()) === true;
  }

  #nextMark(): number {
    let nextNs = Infinity;
    for (const mark of this.marks) if (mark.nextNs < nextNs) nextNs = mark.nextNs;
    return nextNs;
  }

  #reach(timeNs: number): void {
    for (const mark of this.marks) if (mark.nextNs === timeNs) mark.reached();
  }

  #throw(): never {
    this.#asked.ended = "interrupted";
    throwAll(takeThrown(this.partition));
  }

  #end(ended: RunReport["ended"]): { ended: RunReport["ended"] } {
    this.#asked.ended = ended;
    return { ended };
  }

  #facts(extra: { fourtuple?: string; wallSeconds?: number; peakRssBytes?: number }): ReportFacts {
    const { name: scenario, seed } = this;
    // (Where nothing of this process is told, equal runs have equal reports.)
    const estimate = extra.peakRssBytes === undefined ? inOwnProcess(this.estimate) : this.estimate;
    return { ...NO_FACTS, ...extra, scenario, seed, estimate, ended: this.#asked.ended };
  }
}
