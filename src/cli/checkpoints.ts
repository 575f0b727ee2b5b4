/**
 * Checkpoints of long runs: snapshots that hold the scenario too, written at fixed simulated times, so that a run goes on
 * from the last one when its process has died.
 *
 * @module
 */
import { canonicalText, type PlainValue } from "../base/plain.ts";
import { InputError } from "../base/errors.ts";
import type { Mark } from "../network/observers.ts";
import { Simulation } from "../network/simulation.ts";
import { type LoadedScenario, loadScenario } from "../scenario/load.ts";
import { pathFromInvocation } from "./files.ts";
import { withinMemory } from "./memory.ts";

/** Checkpoints that are kept. */
const KEPT = 2;

const ENDING = ".4tuple";
const PARTIAL = ".partial";

/** Writes a snapshot every so often. */
export class Checkpoints implements Mark {
  declare nextNs: number;
  readonly #simulation: Simulation;
  readonly #scenario: string;
  readonly #everyNs: number;
  readonly #directory: string;
  readonly #written: string[] = [];

  /**
   * Every `everyNs` (whole ms) of simulated time into `directory`, which is made if there is none. `resumed`: the
   * checkpoint that the run goes on from, which is one of those kept.
   *
   * @throws {InputError} where the directory cannot be made.
   */
  constructor(
    options: {
      simulation: Simulation;
      loaded: LoadedScenario;
      everyNs: number;
      directory: string;
      resumed?: string;
    },
  ) {
    const { simulation, loaded, everyNs, directory, resumed } = options;
    this.#simulation = simulation;
    this.#scenario = canonicalText(loaded.document as PlainValue);
    this.#everyNs = everyNs;
    this.#directory = pathFromInvocation(directory);
    written(directory, () => Deno.mkdirSync(this.#directory, { recursive: true }));
    if (resumed !== undefined && folderOf(resumed) === this.#directory) this.#adopt(resumed);
    this.nextNs = this.#after(simulation.nowNs);
  }

  /** See {@linkcode Mark}. */
  reached(): void {
    const timeNs = this.#simulation.nowNs;
    this.nextNs = this.#after(timeNs);
    const bytes = this.#simulation.snapshot({ scenario: this.#scenario });
    const path = this.#pathAt(timeNs);
    written(path, () => {
      // The name is given to what is whole, and on the disk.
      using file = Deno.openSync(path + PARTIAL, { write: true, create: true, truncate: true });
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncDataSync();
      Deno.renameSync(path + PARTIAL, path);
    });
    if (this.#written.at(-1) !== path) this.#written.push(path);
    while (this.#written.length > KEPT) removeIfThere(this.#written.shift()!);
  }

  /** Those of the process before count too. What it had not written to the end goes. */
  #adopt(resumed: string): void {
    const pattern = /-\d+\.\d{3}s\.4tuple$/;
    const own = this.#pathAt(0).replace(pattern, "");
    for (const { name } of Deno.readDirSync(this.#directory)) {
      const path = `${this.#directory}/${name}`;
      const partial = path.endsWith(PARTIAL) ? path.slice(0, -PARTIAL.length) : "";
      if (pattern.test(partial) && partial.replace(pattern, "") === own) removeIfThere(path);
      if (pattern.test(path) && path.replace(pattern, "") === own && path <= resumed) this.#written.push(path);
    }
    this.#written.sort();
  }

  /** The file of a checkpoint: names sort by time. */
  #pathAt(timeNs: number): string {
    const name = this.#simulation.name.replaceAll(/[^A-Za-z0-9_.-]/g, "_");
    return `${this.#directory}/${name}-${(timeNs / 1e9).toFixed(3).padStart(11, "0")}s${ENDING}`;
  }

  #after(timeNs: number): number {
    return (Math.floor(timeNs / this.#everyNs) + 1) * this.#everyNs;
  }
}

/** A run that goes on: its simulation, its scenario, and the file that it was read from. */
export interface Resumed {
  simulation: Simulation;
  loaded: LoadedScenario;
  path: string;
}

/**
 * Reads a checkpoint, or the newest one of a directory.
 *
 * @throws {InputError} one sentence.
 */
export function resume(file: string): Resumed {
  const path = checkpointAt(file);
  const about = path === pathFromInvocation(file) ? file : path;
  try {
    const bytes = Deno.readFileSync(path);
    const { extra } = Simulation.readSnapshot(bytes);
    if (typeof extra.scenario !== "string") {
      throw new InputError("This snapshot was taken by code: it has no scenario, and Simulation.restore takes it.");
    }
    const loaded = loadScenario("scenario.json", extra.scenario);
    const simulation = withinMemory(loaded, {}, () => Simulation.restore(bytes));
    return { simulation, loaded, path };
  } catch (error) {
    if (error instanceof InputError) throw new InputError(`${about}: ${error.message}`, { file: about });
    const why = error instanceof Deno.errors.NotFound ? "there is no such file" : "it cannot be read";
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      throw new InputError(`${about}: ${why}.`, { file: about });
    }
    throw error;
  }
}

function checkpointAt(file: string): string {
  const path = pathFromInvocation(file);
  let newest: { path: string; time: number } | undefined;
  try {
    if (!Deno.statSync(path).isDirectory) return path;
    for (const { name } of Deno.readDirSync(path)) {
      if (!name.endsWith(ENDING)) continue;
      const found = { path: `${path}/${name}`, time: Deno.statSync(`${path}/${name}`).mtime?.getTime() ?? 0 };
      const isNewer = newest === undefined || found.time > newest.time ||
        (found.time === newest.time && found.path > newest.path);
      if (isNewer) newest = found;
    }
  } catch {
    return path;
  }
  if (newest === undefined) throw new InputError(`${file}: there is no checkpoint in this directory.`, { file });
  return newest.path;
}

function folderOf(path: string): string {
  return path.replace(/[/\\][^/\\]*$/, "");
}

function written(path: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw new InputError(`${path} cannot be written: ${error instanceof Error ? error.message : error}.`, {
      file: path,
    });
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Somebody else has removed it.
  }
}
