/**
 * A workload of lookups: hosts ask their resolvers for the addresses of names, and do nothing with them.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import type { AddressClient, AddressLookups } from "./address_lookups.ts";
import { ArrivalGate } from "./arrival_gate.ts";
import type { ArrivalTimes } from "./arrivals.ts";
import type { TargetCounts } from "./target_counts.ts";
import type { Sources, Targets } from "./targets.ts";
import type { App, AppRuntime } from "./types.ts";

/** The lookups of one workload. */
export class DnsLoad implements App, AddressClient {
  /** Lookups begun. */
  opened = 0;
  readonly #runtime: AppRuntime;
  readonly #app: number;
  readonly #lookups: number;
  readonly #sources: Sources;
  readonly #targets: Targets;
  readonly #arrivals: ArrivalTimes;
  readonly #addresses: AddressLookups;
  readonly #counts: TargetCounts;
  readonly #number: number;
  readonly #gate = new ArrivalGate();
  #nextArrivalNs = 0;

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
    this.#app = options.app;
    this.#lookups = options.lookups;
    this.#sources = options.sources;
    this.#targets = options.targets;
    this.#arrivals = options.arrivals;
    this.#addresses = options.addresses;
    this.#counts = options.counts;
    this.#number = options.addresses.addClient(this);
  }

  /** Schedules the first arrival. */
  start(): void {
    if (this.#lookups === 0) return;
    this.#nextArrivalNs = this.#arrivals.next();
    this.#scheduleArrival();
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}: lookups are due. */
  onTimer(): void {
    if (this.#gate.holds()) return;
    const now = this.#nextArrivalNs;
    do {
      const i = this.opened++;
      this.#targets.choose(i);
      this.#addresses.lookup(this.#sources.at(i), this.#targets.name, this.#number, this.#targets.name);
      if (this.opened === this.#lookups) return;
      this.#nextArrivalNs = this.#arrivals.next();
    } while (this.#nextArrivalNs <= now);
    this.#scheduleArrival();
  }

  /** See {@linkcode App}. */
  visitState(v: StateVisitor): void {
    this.opened = v.number(this.opened);
    this.#nextArrivalNs = v.number(this.#nextArrivalNs);
    this.#arrivals.visitState(v);
    this.#gate.visitState(v);
  }

  /** See {@linkcode AddressClient}: counts whom a client of this name would have gone to. */
  onAddresses(name: number, errno: number, list: number): void {
    if (errno !== 0) return;
    const { answers } = this.#addresses.lookups;
    for (const address of answers.list(list)) this.#counts.of(name, address, 0);
    this.#counts.of(name, answers.at(list, 0), 0).established++;
  }

  /** See {@linkcode App}. */
  pause(): void {
    this.#gate.pause();
  }

  /** See {@linkcode App}. */
  resume(): void {
    if (!this.#gate.resume()) return;
    const { nowNs } = this.#runtime;
    this.#arrivals.shift(nowNs - this.#nextArrivalNs);
    this.#nextArrivalNs = nowNs;
    this.#scheduleArrival();
  }

  #scheduleArrival(): void {
    const node = this.#sources.at(this.opened);
    this.#runtime.schedule(node, this.#app, this.#nextArrivalNs, 0, 0, 0);
  }
}
