/**
 * A workload of lookups: hosts ask their resolvers for the addresses of names, and do nothing with them.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import type { AddressClient, AddressLookups } from "./address_lookups.ts";
import { ArrivalLoop } from "./arrival_loop.ts";
import type { ArrivalTimes } from "./arrivals.ts";
import type { TargetCounts } from "./target_counts.ts";
import type { Sources, Targets } from "./targets.ts";
import type { App, AppRuntime } from "./types.ts";

/** The lookups of one workload. */
export class DnsLoad implements App, AddressClient {
  /** See {@linkcode App}: every thread goes through all arrivals, and opens those of its hosts. */
  readonly everywhere = true;
  readonly #runtime: AppRuntime;
  readonly #sources: Sources;
  readonly #targets: Targets;
  readonly #addresses: AddressLookups;
  readonly #counts: TargetCounts;
  readonly #number: number;
  readonly #loop: ArrivalLoop;

  /** `app` is its index among the applications; `lookups` how many there are to be. */
  constructor(
    options: {
      runtime: AppRuntime;
      app: number;
      lookups: number;
      sources: Sources;
      targets: Targets;
      arrivals: ArrivalTimes;
      addresses: AddressLookups;
      counts: TargetCounts;
    },
  ) {
    this.#runtime = options.runtime;
    this.#sources = options.sources;
    this.#targets = options.targets;
    this.#addresses = options.addresses;
    this.#counts = options.counts;
    this.#number = options.addresses.addClient(this);
    this.#loop = new ArrivalLoop({
      runtime: options.runtime,
      app: options.app,
      code: 0,
      count: options.lookups,
      sources: options.sources,
      times: options.arrivals,
      begin: (i) => this.#lookUp(i),
    });
  }

  /** Schedules the first arrival. */
  start(): void {
    this.#loop.start();
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}: lookups are due. */
  onTimer(): void {
    this.#loop.arrive();
  }

  /** See {@linkcode App}. */
  visitState(v: StateVisitor): void {
    this.#loop.visitState(v);
  }

  /** See {@linkcode AddressClient}: counts whom a client of this name would have gone to. */
  onAddresses(i: number, errno: number, list: number): void {
    if (errno !== 0) return this.#runtime.onExchange?.(this.#sources.at(i), errno);
    this.#targets.choose(i);
    const { name } = this.#targets;
    const { answers } = this.#addresses.lookups;
    for (const address of answers.list(list)) this.#counts.of(name, address, 0);
    this.#counts.of(name, answers.at(list, 0), 0).established++;
  }

  /** See {@linkcode App}. */
  pause(): void {
    this.#loop.pause();
  }

  /** See {@linkcode App}. */
  resume(): void {
    this.#loop.resume();
  }

  #lookUp(i: number): void {
    const node = this.#sources.at(i);
    if (!this.#runtime.owns(node)) return;
    const targets = this.#targets;
    targets.choose(i);
    this.#addresses.lookup(node, targets.name, this.#number, i);
  }
}
