/**
 * Whether a simulation runs in one thread or in several: decided when it first runs.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { plainText, type PlainValue, plainValue } from "../base/plain.ts";
import { planDns } from "./dns_plan.ts";
import type { NetworkDocument } from "./document.ts";
import { planEvents } from "./event_plan.ts";
import { isLate, isLocal } from "./observers.ts";
import { type RunOptions, UNTIL_GRID_NS } from "./options.ts";
import { registeredModules } from "./modules.ts";
import { mayRead } from "./part_crew.ts";
import { divideNetwork } from "./part_division.ts";
import { LeadThread } from "./part_lead.ts";
import type { Partition } from "./partition.ts";
import type { Numbering } from "./plan.ts";
import { planWorkloads } from "./workloads.ts";

/** Threads at most: the parts of a network have numbers of eight bits, and nobody has more cores to give. */
const MOST_THREADS = 64;

/** See the module's description. */
export class Threads {
  /** The thread that leads the others, if there are any. */
  lead: LeadThread | undefined = undefined;
  /** Why there are not as many as were asked for: a sentence; empty where there are. */
  why = "";
  /** What series are of, in the order in which they were begun: nodes (undefined: all). */
  readonly series: (string | undefined)[] = [];
  readonly #partition: Partition;
  readonly #built: { declaration: NetworkDocument; numbering: Numbering };
  #decided: boolean;
  #code = false;

  /** `restored`: it goes on from a snapshot. */
  constructor(
    partition: Partition,
    { declaration, numbering }: { declaration: NetworkDocument; numbering: Numbering },
    restored: boolean,
  ) {
    this.#partition = partition;
    this.#built = { declaration, numbering };
    this.#decided = restored;
    if (restored) this.why = "What goes on from a snapshot runs in one thread.";
  }

  /** See `Simulation.threads`. */
  get summary(): { count: number; why: string; lookaheadNs: number } {
    const { count, lookaheadNs } = this.lead?.division ?? { count: 1, lookaheadNs: 0 };
    return { count, why: this.why, lookaheadNs };
  }

  /** Code opens sockets, or wants to be called. */
  codeActs(): void {
    this.needOne();
    this.#code = true;
  }

  /** Throws `InputError` where there are several threads: none of them has the whole network before it. */
  needOne(): void {
    if (this.lead === undefined) return;
    throw new InputError(
      "This looks into, or changes, the whole network, which runs in several threads: run it in one.",
    );
  }

  /** Decides, when a run begins for the first time. */
  begin(options: RunOptions, marked: boolean): LeadThread | undefined {
    const { workers = 1 } = options;
    if (!(Number.isInteger(workers) && workers >= 1)) {
      throw new RangeError(`A run has a whole number of workers from 1 on, not ${workers}.`);
    }
    if (this.#decided) return this.lead;
    this.#decided = true;
    if (workers === 1) return undefined;
    const found = this.#reasonAgainst(options, marked) ?? this.#divide(options, Math.min(workers, MOST_THREADS));
    if (typeof found === "string") this.why = found;
    else this.lead = found;
    return this.lead;
  }

  /** Why one thread has to run it all; undefined where nothing is known. */
  #reasonAgainst(options: RunOptions, marked: boolean): string | undefined {
    const s = this.#partition;
    if (this.#code) return "Code opens sockets or is called on the way, which needs the whole network in one thread.";
    if (options.until !== undefined) {
      return "Code decides every simulated millisecond whether it ends, which needs the whole network in one thread.";
    }
    if (marked) {
      return "Snapshots are written on the way, which needs the whole network in one thread.";
    }
    if (![...s.taps, ...s.sendTaps, ...s.dropTaps].every((tap) => isLate(tap) || isLocal(tap))) {
      return "Packets are looked at as they pass, which needs the whole network in one thread.";
    }
    const { nodes, applications = [] } = this.#built.declaration;
    if (applications.length > 0 && registeredModules().length === 0) {
      return "Its applications were registered by no module's URL (registerModule), which other threads need.";
    }
    for (const node of nodes) {
      if (node.kind !== "balancer" || node.options.services.every(({ health }) => health === undefined)) continue;
      return `Whether anything but health checks of ${node.name} is under way is known in one thread only.`;
    }
    if (typeof Worker === "undefined" || typeof SharedArrayBuffer === "undefined") {
      return "This runtime has no threads with shared memory.";
    }
    return mayRead() ? undefined : "Threads need permission to read fourtuple's own modules (--allow-read).";
  }

  #divide(options: RunOptions, count: number): LeadThread | string {
    const s = this.#partition;
    const plan = s.plan!;
    const commonBlocks = s.addresses.blocksForGood();
    const { workloads: declared, events, applications = [] } = plainValue(
      plainText(this.#built.declaration as unknown as PlainValue),
    ) as unknown as NetworkDocument;
    const workloads = planWorkloads(declared, plan, planDns(plan));
    const division = divideNetwork(s, {
      plan,
      workloads,
      applications,
      events: planEvents(events, plan, declared.map(({ name }) => name)),
      count,
      parts: this.#built.declaration.partition,
      watched: s.taps.length + s.sendTaps.length + s.dropTaps.length > 0,
      meetNs: options.untilReport === undefined ? undefined : UNTIL_GRID_NS,
      always: ALWAYS.has(options),
    });
    if (typeof division === "string") return division;
    if (division.count < 2) return "All of the network is in one part.";
    return LeadThread.start(s, division, { ...this.#built, series: this.series }, commonBlocks);
  }
}

/** Runs that are to be divided whether that saves time or not: for tests. */
const ALWAYS = new WeakSet<RunOptions>();

/** @internal The same options, of a run that is divided also where that takes longer. */
export function always(options: RunOptions): RunOptions {
  const copy = { ...options };
  ALWAYS.add(copy);
  return copy;
}
