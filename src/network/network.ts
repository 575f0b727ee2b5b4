/**
 * Networks in code: declare nodes, links and workloads, then build.
 *
 * @module
 */
import { canonicalText, plainText, type PlainValue, plainValue } from "../base/plain.ts";
import { residentBytes } from "../base/machine.ts";
import { type ApplicationOptions, installApplications } from "./applications.ts";
import { buildBalancers } from "./balancer_build.ts";
import type { BalancerOptions } from "./balancer_options.ts";
import { buildPartition } from "./build.ts";
import { analyseCapacity, type CapacityOptions, type CapacityReport } from "./capacity.ts";
import { planDns } from "./dns_plan.ts";
import type { NetworkDocument } from "./document.ts";
import { NetworkError } from "./errors.ts";
import type { NetworkEvent } from "./event_options.ts";
import { planEvents } from "./event_plan.ts";
import { installEvents } from "./events.ts";
import { estimateOf, type MemoryEstimate } from "./estimate.ts";
import { reserveDeclared } from "./reserve.ts";
import { type Load, loadOf, NO_LOAD } from "./load.ts";
import { membersNamed } from "./load_ways.ts";
import { planParts } from "./part_plan.ts";
import type { HostOptions, LinkOptions, NatOptions, RouterOptions, WorkloadOptions } from "./options.ts";
import { type Declaration, type LinkDeclaration, type Numbering, planNetwork } from "./plan.ts";
import type { ProbeOptions } from "./probe_options.ts";
import { installProbes, planProbes } from "./probe_plan.ts";
import { checkReachable } from "./reachability.ts";
import type { RunRecord } from "./restore.ts";
import { Simulation } from "./simulation.ts";
import { installWorkloads, planWorkloads } from "./workloads.ts";

export type { NetworkDocument } from "./document.ts";
export { NetworkError } from "./errors.ts";

/** A declared node or population, to be used in `link`. */
export interface NodeRef {
  /** Its name. */
  readonly name: string;
  /** Members; 1 for a single node. */
  readonly count: number;
}

/** Options of {@linkcode Network}. */
export interface NetworkOptions {
  /** Default `network`. */
  name?: string;
  /** Seed of every random draw, an integer from 0 to 2^53 - 1. Default 1. */
  seed?: number;
  /**
   * Simulated time, ns, after which runs end, where that is known: what is estimated and reserved goes by it. It ends no
   * run. Default: until quiescence.
   */
  untilNs?: number;
  /** How rows are numbered; results do not depend on it, and tests make sure. */
  numbering?: Partial<Numbering>;
}

/**
 * A network being declared.
 *
 * @example
 * ```ts
 * import { Network } from "./network.ts";
 * const network = new Network({ seed: 1 });
 * const server = network.host("server", { address: "192.0.2.1/24", listen: [{ port: 443 }] });
 * const clients = network.host("clients", { count: 4, address: "198.51.100.1/24" });
 * const router = network.router("r1");
 * network.link(clients, router, { rateBps: 1e9, delayNs: 5e6 });
 * network.link(router, server, { rateBps: 10e9, delayNs: 100e3 });
 * network.workload({ name: "load", kind: "hold", from: ["clients"], to: ["server:443"], connections: 1000 });
 * const simulation = network.build();
 * simulation.run();
 * console.log(simulation.report().connections.established);
 * ```
 */
export class Network {
  readonly #name: string;
  readonly #seed: number;
  readonly #untilNs: number;
  readonly #numbering: Numbering;
  readonly #declarations: Declaration[] = [];
  readonly #names = new Set<string>();
  readonly #links: LinkDeclaration[] = [];
  readonly #workloads: WorkloadOptions[] = [];
  readonly #events: NetworkEvent[] = [];
  readonly #probes: ProbeOptions[] = [];
  readonly #applications: ApplicationOptions[] = [];
  #parts: string[][] | undefined;

  /** An empty network. */
  constructor(options: NetworkOptions = {}) {
    this.#name = options.name ?? "network";
    this.#seed = options.seed ?? 1;
    if (!Number.isSafeInteger(this.#seed) || this.#seed < 0) {
      throw new NetworkError("seed", `A seed is a whole number from 0 to 2^53 - 1, not ${options.seed}.`);
    }
    this.#untilNs = options.untilNs ?? Infinity;
    this.#numbering = { skip: 0, reversed: false, ...options.numbering };
  }

  /** Declares a host, or with `count` a population of hosts. */
  host(name: string, options: HostOptions): NodeRef {
    return this.#declare({ kind: "host", name, options });
  }

  /** Declares a router, or with `count` a population of routers. */
  router(name: string, options: RouterOptions = {}): NodeRef {
    return this.#declare({ kind: "router", name, options });
  }

  /** Declares a NAT gateway, or with `count` a population of gateways. */
  nat(name: string, options: NatOptions): NodeRef {
    return this.#declare({ kind: "nat", name, options });
  }

  /** Declares a layer-4 balancer, or with `count` a population of balancers. */
  balancer(name: string, options: BalancerOptions): NodeRef {
    return this.#declare({ kind: "balancer", name, options });
  }

  /**
   * Links two nodes, or the members of two populations: member i of the larger one (of m) to member floor(i * n / m)
   * of the smaller one (of n). Names may pick members: `clients[3]`, `clients[0..9]`.
   */
  link(a: NodeRef | string, b: NodeRef | string, options: LinkOptions = {}): void {
    this.#links.push({ a: typeof a === "string" ? a : a.name, b: typeof b === "string" ? b : b.name, options });
  }

  /** Adds a workload. */
  workload(options: WorkloadOptions): void {
    this.#workloads.push(options);
  }

  /** A `ping` or `traceroute` that begins at a given time. */
  probe(options: ProbeOptions): void {
    this.#probes.push(options);
  }

  /** An application that a module has registered (`registerApplication`), on hosts. */
  application(options: ApplicationOptions): void {
    this.#applications.push(options);
  }

  /** Something that happens at a given time. */
  event(event: NetworkEvent): void {
    this.#events.push(event);
  }

  /**
   * Says which nodes the first thread runs, which the second and so on, for runs with `workers`: names as in `link`. The
   * first has those that are not named. Without it, that is worked out. It has no part in the result.
   */
  partition(parts: readonly (readonly string[])[]): void {
    this.#parts = parts.map((names) => [...names]);
  }

  /**
   * The declaration as plain data, which `JSON.stringify` writes and `Network.fromJSON` takes; equal networks have equal
   * text. Infinity is written as a map (`canonicalText`). Row numbering is left out: results do not depend on it.
   */
  toJSON(): NetworkDocument {
    const plain = <T>(value: T) => JSON.parse(canonicalText(value as PlainValue)) as T;
    return {
      name: this.#name,
      seed: this.#seed,
      nodes: this.#declarations.map(plain),
      links: this.#links.map(plain),
      workloads: this.#workloads.map(plain),
      events: this.#events.map(plain),
      probes: this.#probes.map(plain),
      ...(this.#applications.length === 0 ? {} : { applications: this.#applications.map(plain) }),
      ...(this.#parts === undefined ? {} : { partition: plain(this.#parts) }),
    };
  }

  /**
   * The network of a document that `toJSON` made. Throws `NetworkError` where it is none. `numbering`: see
   * `NetworkOptions`.
   */
  static fromJSON(document: NetworkDocument, numbering?: Partial<Numbering>): Network {
    const plain = plainValue(plainText(document as unknown as PlainValue)) as unknown as NetworkDocument;
    const { name, seed, nodes, links, workloads, events = [], probes = [], applications = [], partition } = plain;
    for (const [key, list] of Object.entries({ nodes, links, workloads, events, probes, applications })) {
      if (!Array.isArray(list)) throw new NetworkError(key, `The declaration of a network has a list of ${key}.`);
    }
    const network = new Network({ name, seed, numbering });
    for (const declaration of nodes) network.#declare(declaration);
    for (const link of links) network.#links.push(link);
    for (const workload of workloads) network.#workloads.push(workload);
    for (const event of events) network.#events.push(event);
    if (partition !== undefined) network.partition(partition);
    for (const probe of probes) network.#probes.push(probe);
    for (const application of applications) network.#applications.push(application);
    return network;
  }

  /**
   * Checks everything and builds the simulation. Throws `NetworkError`: one sentence, and what it is about. `run`: what a
   * snapshot knows of a run that goes on.
   */
  build(run?: RunRecord): Simulation {
    const plan = planNetwork(this.#declarations, this.#links, this.#numbering);
    if (this.#parts !== undefined) planParts(plan, this.#parts);
    const dns = planDns(plan);
    const workloads = planWorkloads(this.#workloads, plan, dns);
    const probes = planProbes(this.#probes, plan);
    const events = planEvents(this.#events, plan, workloads.map(({ options }) => options.name));
    const estimate = this.estimateMemory();
    const load = this.#load();
    const partition = buildPartition(plan, this.#seed, load);
    buildBalancers(partition, plan);
    checkReachable(partition, workloads);
    installWorkloads(partition, plan, dns, workloads, this.#seed);
    installApplications(partition, plan, this.#applications, this.#seed);
    installProbes(partition, probes);
    reserveDeclared(partition, load);
    installEvents(partition, events);
    return new Simulation({
      partition,
      name: this.#name,
      seed: this.#seed,
      estimate,
      declaration: this.toJSON(),
      numbering: this.#numbering,
      run,
      links: plan.links.toSorted((x, y) => x.firstRank - y.firstRank).map(({ name, count, a, b }) => ({
        name,
        count,
        a: [a.population.firstRank + a.first, a.count],
        b: [b.population.firstRank + b.first, b.count],
      })),
    });
  }

  /**
   * What this network can hold, worked out without running it: at how many connections each limit on the workloads' ways
   * binds, and which binds first. Throws `NetworkError` as `build` does.
   */
  capacity(options: CapacityOptions = {}): CapacityReport {
    const plan = planNetwork(this.#declarations, this.#links, this.#numbering);
    const dns = planDns(plan);
    const workloads = planWorkloads(this.#workloads, plan, dns);
    const partition = buildPartition(plan, this.#seed, NO_LOAD);
    buildBalancers(partition, plan);
    checkReachable(partition, workloads);
    installWorkloads(partition, plan, dns, workloads, this.#seed);
    return analyseCapacity(partition, plan, workloads, {
      ...options,
      name: this.#name,
      seed: this.#seed,
      notes: [
        ...(this.#events.length === 0 ? [] : ["The events that change the network on the way are left out."]),
        ...(this.#applications.length === 0 ? [] : ["What applications of modules open is left out."]),
      ],
    });
  }

  /**
   * What the process will take in memory if this is built and run: what it has taken already, and what will come, from
   * counts, rates, holding times, delays and limits alone, before anything large is made. What user code opens by itself
   * is not in it.
   *
   * @example
   * ```ts
   * import { Network } from "./network.ts";
   * const network = new Network();
   * network.host("server", { address: "192.0.2.1/24", listen: [{ port: 443 }] });
   * network.host("clients", { count: 400, address: "192.0.2.2/16" });
   * network.link("clients", "server", { delayNs: 1e6 });
   * network.workload({ name: "load", kind: "hold", from: ["clients"], to: ["server:443"], connections: 10_000_000 });
   * const { residentBytes } = network.estimateMemory();
   * console.log(residentBytes > 3e9); // true
   * ```
   */
  estimateMemory(): MemoryEstimate {
    const count = (kind?: string) =>
      this.#declarations.reduce(
        (sum, one) => sum + (kind === undefined || one.kind === kind ? one.options.count ?? 1 : 0),
        0,
      );
    const members = new Map(this.#declarations.map(({ name, options }) => [name, options.count ?? 1]));
    const directions = this.#links.reduce(
      (sum, { a, b }) => sum + 2 * Math.max(...[a, b].map((end) => membersOf(end, members))),
      0,
    );
    return estimateOf(this.#load(), { nodes: count(), directions, gateways: count("nat") }, residentBytes());
  }

  #load(): Load {
    return loadOf(this.#declarations, this.#links, this.#workloads, this.#untilNs / 1e9, this.#events);
  }

  #declare(declaration: Declaration): NodeRef {
    const { name, options } = declaration;
    if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name)) {
      throw new NetworkError(
        `nodes.${name}`,
        `"${name}" is no name for a node: letters, digits, "_", "-" and ".", a letter or "_" first.`,
      );
    }
    if (this.#names.has(name)) throw new NetworkError(`nodes.${name}`, `Two nodes are called "${name}".`);
    this.#names.add(name);
    this.#declarations.push(declaration);
    return { name, count: options.count ?? 1 };
  }
}

function membersOf(end: string, members: ReadonlyMap<string, number>): number {
  const { name, count } = membersNamed(end);
  return count === 0 ? members.get(name) ?? 1 : count;
}
