/**
 * Processors of hosts, from their options.
 *
 * @module
 */
import { CPU_QUEUE_PACKETS, Cpus, type CpuSettings } from "../node/cpus.ts";
import { NODE } from "../node/nodes.ts";
import { CpuApp } from "./cpu.ts";
import { NetworkError } from "./errors.ts";
import type { CpuOptions } from "./options.ts";
import { CPU_APP, type Partition } from "./partition.ts";
import type { Plan } from "./plan.ts";

/** Most cores of a host. */
const MOST_CORES = 1024;
/** The longest cost, ns: a second and more would be no processor. */
const LONGEST_NS = 2 ** 40;
const COSTS = ["perPacketNs", "perByteNs", "perAcceptNs", "perConnectNs", "perRequestNs"] as const;

/** Gives those hosts a CPU that have one told. */
export function addCpus(s: Partition, plan: Plan): void {
  for (const population of plan.populations) {
    const { declaration } = population;
    if (declaration.kind !== "host" || declaration.options.cpu === undefined) continue;
    const cpus = s.cpus ??= new Cpus();
    s.apps[CPU_APP] ??= new CpuApp(s);
    const settings = cpus.settings.push(cpuSettings(declaration.options.cpu, `nodes.${population.name}.cpu`)) - 1;
    for (let i = 0; i < population.count; i++) {
      const node = population.firstRow + i;
      s.nodes.words[node * NODE.STRIDE + NODE.CPU] = cpus.add(node, settings);
    }
  }
}

/** Sees to it that `count` hosts from `first` on have a CPU, whose work costs nothing as yet. */
export function ensureCpus(s: Partition, first: number, count: number): void {
  let settings = -1;
  for (let node = first; node < first + count; node++) {
    if (s.nodes.words[node * NODE.STRIDE + NODE.CPU] !== 0) continue;
    const cpus = s.cpus ??= new Cpus();
    s.apps[CPU_APP] ??= new CpuApp(s);
    if (settings < 0) settings = cpus.settings.push(cpuSettings({}, "cpu")) - 1;
    s.nodes.words[node * NODE.STRIDE + NODE.CPU] = cpus.add(node, settings);
  }
}

/** Throws `NetworkError` for what is out of range. */
export function cpuSettings(options: CpuOptions, subject: string): CpuSettings {
  const { cores = 1, queuePackets = CPU_QUEUE_PACKETS } = options;
  if (!(Number.isInteger(cores) && cores >= 1 && cores <= MOST_CORES)) {
    throw new NetworkError(`${subject}.cores`, `A host has 1 to ${MOST_CORES} cores, not ${cores}.`);
  }
  if (!(Number.isSafeInteger(queuePackets) && queuePackets >= 0)) {
    throw new NetworkError(
      `${subject}.queue`,
      `A queue holds a whole number of packets from 0 on, not ${queuePackets}.`,
    );
  }
  const costs = { perPacketNs: 0, perByteNs: 0, perAcceptNs: 0, perConnectNs: 0, perRequestNs: 0 };
  for (const name of COSTS) {
    const ns = options[name] ?? 0;
    // Bytes may cost fractions: what a packet of them costs is rounded.
    if (!(ns >= 0 && ns <= LONGEST_NS && (name === "perByteNs" || Number.isInteger(ns)))) {
      throw new NetworkError(`${subject}.${name}`, `A cost is whole nanoseconds from 0 to ${LONGEST_NS}, not ${ns}.`);
    }
    costs[name] = ns;
  }
  return { cores, queuePackets, ...costs };
}
