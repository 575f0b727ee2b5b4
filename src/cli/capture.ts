/**
 * What `--pcap DIR` writes: a pcapng file for every capture point, by default one for every node.
 *
 * @module
 */
import { dirname } from "node:path";
import { InputError } from "../base/errors.ts";
import { formatCount } from "../base/units.ts";
import type { CaptureOptions, CaptureSink } from "../network/capture.ts";
import { NetworkError } from "../network/network.ts";
import { type PacketFilter, parseFilter } from "../network/packet_filter.ts";
import type { Simulation } from "../network/simulation.ts";
import type { LoadedScenario } from "../scenario/load.ts";
import type { CapturePointOptions, Ring } from "../scenario/schema_capture.ts";
import { GrowingFiles } from "./output.ts";
import { version } from "./version.ts";

/** So many files at most: a population of a million hosts would make a million. */
export const MOST_FILES = 4096;

/** What the command line says of captures. */
export interface CaptureSettings {
  /** Where files go; made if it is not there. */
  directory: string;
  /** Capture points instead of the scenario's. */
  capture?: readonly CapturePointOptions[];
  /** `--filter`, which narrows these files and more. */
  filter?: string;
  /** `--capture-filter`, instead of those of the scenario's points. */
  captureFilter?: string;
  /** Instead of those of the scenario's points. */
  snaplen?: number;
  /** Instead of those of the scenario's points. */
  ring?: Ring;
}

/** The capture files of a run. */
export class CaptureOut {
  readonly #settings: CaptureSettings;
  readonly #simulation: Simulation;
  readonly #nodes: string[];
  readonly #files: GrowingFiles;
  readonly #names = new Set<string>();
  /** Directories that were not there, the innermost first. */
  readonly #made: string[];

  /** Begins the captures that the command line asks for, or else the scenario. Throws `InputError`. */
  constructor(
    settings: CaptureSettings,
    simulation: Simulation,
    loaded: LoadedScenario,
    files: GrowingFiles = new GrowingFiles(),
  ) {
    this.#settings = settings;
    this.#simulation = simulation;
    this.#nodes = Object.keys(loaded.scenario.nodes);
    this.#files = files;
    const asked = settings.capture ?? [];
    const points = asked.length > 0 ? asked : loaded.scenario.capture ?? [];
    for (const [i, point] of points.entries()) {
      try {
        simulation.capture(this.#options(point), this.#sink(pointName(point), point.ring));
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error;
        if (asked.length === 0) throw loaded.error(`capture[${i}]`, error.message);
        throw new InputError(`--capture: ${error.message}`);
      }
    }
    if (points.length === 0) {
      // (A filter that makes no sense is to be known before the run.)
      this.#options({ node: "" });
      simulation.captures.addEveryNode((node) => ({ options: this.#options({ node }), sink: this.#sink(node) }));
    }
    this.#made = makeDirectory(settings.directory);
  }

  /** The run has ended: the files get their ends and their names. */
  commit(): void {
    this.#simulation.captures.close();
    this.#files.commit();
  }

  /** Leaves nothing behind. */
  discard(): void {
    this.#files.discard();
    for (const directory of this.#made) {
      try {
        Deno.removeSync(directory);
      } catch {
        // Somebody has put something into it.
        break;
      }
    }
  }

  #options(point: CapturePointOptions): CaptureOptions {
    const settings = this.#settings;
    const { filter, filterText } = this.#filter(settings.captureFilter ?? point.filter);
    const ring = settings.ring ?? point.ring;
    return {
      node: point.node,
      interface: point.interface,
      filter,
      filterText,
      snaplen: settings.snaplen ?? point.snaplen,
      fileBytes: ring?.bytes,
      application: `fourtuple ${version()}`,
      comment: `fourtuple ${version()}, captured at ${
        point.interface === undefined ? point.node : `${point.node}:${point.interface}`
      }`,
    };
  }

  #filter(text: string | undefined): { filter?: PacketFilter; filterText?: string } {
    const { filter } = this.#settings;
    const general = filter === undefined ? undefined : parseFilter(filter, this.#nodes);
    const own = text === undefined ? undefined : parseFilter(text, this.#nodes, "--capture-filter");
    if (general === undefined) return { filter: own, filterText: text };
    if (own === undefined) return { filter: general, filterText: filter };
    return { filter: (seen) => general(seen) && own(seen), filterText: `(${filter}) and (${text})` };
  }

  /** A file, or with a ring the last files, of one point. */
  #sink(name: string, ofPoint?: Ring): CaptureSink {
    const ring = this.#settings.ring ?? ofPoint;
    const unique = this.#unique(captureName(name));
    const files = this.#files;
    const base = `${this.#settings.directory}/${unique}`;
    if (ring === undefined) return { write: (bytes) => files.append(`${base}.pcapng`, bytes) };
    let number = 1;
    const path = (n: number) => `${base}_${String(n).padStart(5, "0")}.pcapng`;
    return {
      write: (bytes) => files.append(path(number), bytes),
      next: () => {
        number++;
        if (number > ring.files) files.remove(path(number - ring.files));
      },
    };
  }

  #unique(name: string): string {
    if (this.#names.size === MOST_FILES) {
      throw new InputError(
        `--pcap: more than ${
          formatCount(MOST_FILES)
        } nodes see packets; choose some with --capture, or narrow it with --filter 'node NAME', for example.`,
      );
    }
    let unique = name;
    for (let n = 2; this.#names.has(unique); n++) unique = `${name}-${n}`;
    this.#names.add(unique);
    return unique;
  }
}

function pointName({ node, interface: name }: CapturePointOptions): string {
  return name === undefined ? node : `${node}:${name}`;
}

/** The file of a point: what file systems dislike is replaced. `clients[3]:r1` becomes `clients.3.r1`. */
export function captureName(point: string): string {
  return point.replace(/\[(\d+)\]/g, ".$1").replace(/:/, ".").replace(/[^\p{L}\p{N}._-]/gu, "_");
}

/** Makes a directory. Returns those that were not there, the innermost first. */
function makeDirectory(directory: string): string[] {
  try {
    const made: string[] = [];
    for (let path = directory; !exists(path); path = dirname(path)) made.push(path);
    Deno.mkdirSync(directory, { recursive: true });
    return made;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new InputError(`--pcap: ${directory} is a file, not a directory.`);
    }
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
      throw new InputError(`--pcap: you may not write to ${directory}.`);
    }
    throw new InputError(`--pcap: ${directory} cannot be made: ${error instanceof Error ? error.message : error}.`);
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
