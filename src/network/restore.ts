/**
 * Snapshots of whole simulations: what their header says, and how one becomes a simulation again.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import type { PlainValue } from "../base/plain.ts";
import { VERSION } from "../base/version.ts";
import { readSnapshotHeader, restoreSnapshot, takeSnapshot } from "../store/snapshot.ts";
import type { NetworkDocument } from "./document.ts";
import { NetworkError } from "./errors.ts";
import { registeredModules, registerModule } from "./modules.ts";
import { Network } from "./network.ts";
import type { Partition } from "./partition.ts";
import type { Numbering } from "./plan.ts";
import type { Simulation } from "./simulation.ts";
import { partitionState } from "./snapshot.ts";

/** The format that this version writes and reads. */
const FORMAT = 1;

/** What a snapshot says of itself, before its state. */
export interface SimulationHeader {
  /** Number of the format. */
  format: number;
  /** Version of fourtuple that took it. */
  fourtuple: string;
  /** Simulated time, ns. */
  timeNs: number;
  /** What the network was built from. */
  declaration: NetworkDocument;
  /** How rows were numbered (tests only). */
  numbering: Numbering;
  /** How the run was asked to end when it ran last, as far as that is data; nothing before the first run. */
  run: RunRecord;
  /** URLs of the modules that were registered, in that order. */
  modules: string[];
  /** What whoever took it wanted to keep beside it. */
  extra: { [key: string]: PlainValue };
}

/** What is known of a run from outside of its tables. */
export interface RunRecord {
  /** Why it returned. */
  ended: "quiescence" | "time" | "until" | "interrupted";
  /** `RunOptions.untilNs`. */
  untilNs?: number;
  /** `RunOptions.pastQuiescence`. */
  pastQuiescence?: boolean;
  /** When `until` is to be asked next, ns, where a run was interrupted before. */
  askNs?: number;
}

/** Writes a snapshot. */
export function writeSimulation(
  s: Partition,
  facts: Pick<SimulationHeader, "declaration" | "numbering" | "run" | "extra">,
): Uint8Array {
  const header = { format: FORMAT, fourtuple: VERSION, timeNs: s.nowNs, modules: [...registeredModules()], ...facts };
  return takeSnapshot(header as unknown as { [key: string]: PlainValue }, partitionState(s));
}

/**
 * What a snapshot says of itself. Throws `InputError`, one sentence, for bytes that are none, or that another version of
 * fourtuple wrote.
 */
export function readHeader(bytes: Uint8Array): SimulationHeader {
  const header = readSnapshotHeader(bytes) as unknown as SimulationHeader;
  const { format, fourtuple, timeNs, declaration, numbering, run, modules, extra } = header;
  if (fourtuple !== VERSION || format !== FORMAT) {
    throw new InputError(
      `The snapshot was taken by fourtuple ${fourtuple} (format ${format}), and this is ${VERSION} (format ${FORMAT}): ` +
        "a snapshot is restored by the version that took it.",
    );
  }
  const isMap = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  const whole = typeof timeNs === "number" && [declaration, numbering, run, extra].every(isMap) &&
    Array.isArray(modules) && modules.every((url) => typeof url === "string");
  if (!whole) throw new InputError("The snapshot is damaged: its header lacks what a snapshot says of itself.");
  return header;
}

/** Builds a snapshot's network anew, and puts its state back. */
export function restoreSimulation(bytes: Uint8Array): Simulation {
  const header = readHeader(bytes);
  const missing = header.modules.find((url) => !registeredModules().includes(url));
  if (missing !== undefined) {
    throw new InputError(
      `The snapshot needs the module ${missing}: register it first (registerModule), or use restoreWithModules.`,
    );
  }
  const simulation = rebuilt(header);
  try {
    restoreSnapshot(bytes, partitionState(simulation.partition), true);
  } catch (error) {
    throw error instanceof RangeError || error instanceof TypeError ? damaged() : error;
  }
  if (simulation.nowNs !== header.timeNs) throw new InputError("The snapshot is damaged: it does not know its time.");
  return simulation;
}

/** Imports what the snapshot's header names, first. */
export async function restoreWithModules(bytes: Uint8Array): Promise<Simulation> {
  for (const url of readHeader(bytes).modules) {
    try {
      await registerModule(url);
    } catch (error) {
      const why = error instanceof Error ? error.message : error;
      throw new InputError(`The snapshot needs the module ${url}, which cannot be imported: ${why}`);
    }
  }
  return restoreSimulation(bytes);
}

function rebuilt({ declaration, numbering, run }: SimulationHeader): Simulation {
  try {
    return Network.fromJSON(declaration, numbering).build(run);
  } catch (error) {
    if (error instanceof NetworkError) {
      throw new InputError(`The snapshot's network cannot be built: ${error.subject}: ${error.message}`);
    }
    throw error instanceof RangeError || error instanceof TypeError ? damaged() : error;
  }
}

function damaged(): InputError {
  return new InputError("The snapshot is damaged: what it holds does not fit together.");
}
