/**
 * Trace files: written piece by piece under another name until they are whole, read piece by piece.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import type { Simulation } from "../network/simulation.ts";
import { scenarioSource } from "../replay/record.ts";
import type { LoadedScenario } from "../scenario/load.ts";
import type { TraceLevel } from "../trace/items.ts";
import type { Pieces } from "../trace/reader.ts";
import { Recorder } from "../trace/recorder.ts";
import { pathFromInvocation } from "./files.ts";
import { GrowingFiles } from "./output.ts";
import { version } from "./version.ts";

/** Bytes read at once. */
const PIECE_BYTES = 1 << 18;

/** A trace being written. */
export class TraceOut {
  readonly #files = new GrowingFiles();
  readonly #recorder: Recorder;

  /** Records `simulation`, which is at its beginning, into `file`. `overrides` are those of the command line. */
  constructor(
    options: {
      file: string;
      level: TraceLevel;
      simulation: Simulation;
      loaded: LoadedScenario;
      overrides: readonly string[];
    },
  ) {
    const { file, level, simulation, loaded, overrides } = options;
    const path = pathFromInvocation(file);
    this.#recorder = new Recorder(simulation, {
      level,
      engine: version(),
      source: scenarioSource(loaded, overrides),
      sink: (bytes) => this.#files.append(path, bytes),
    });
    try {
      // A file that cannot be written is told of before the run and not after it.
      this.#files.flush();
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** The run has ended by itself: the file gets its end and its name. */
  commit(report: { ended: string }): void {
    if (report.ended === "interrupted") {
      // Where it was interrupted depends on real time: nobody could replay that.
      this.discard();
      throw new InputError("The run was interrupted: there is no trace of it.");
    }
    this.#recorder.finish(report);
    this.#files.commit();
  }

  /** Leaves nothing behind. */
  discard(): void {
    this.#recorder.stop();
    this.#files.discard();
  }
}

/**
 * Opens a trace (or `what` else) for reading, each time from its beginning.
 *
 * @throws {InputError} one sentence, where there is no such file or it may not be read.
 */
export function openTrace(file: string, what = "a trace"): Pieces {
  const path = pathFromInvocation(file);
  let handle: Deno.FsFile;
  try {
    if (Deno.statSync(path).isDirectory) throw new InputError(`${file}: this is a directory, not ${what}.`, { file });
    handle = Deno.openSync(path);
  } catch (error) {
    if (error instanceof InputError) throw error;
    const why = error instanceof Deno.errors.NotFound ? "there is no such file" : "it cannot be read";
    throw new InputError(`${file}: ${why}.`, { file });
  }
  return () => {
    const piece = new Uint8Array(PIECE_BYTES);
    const count = handle.readSync(piece);
    if (count !== null) return piece.subarray(0, count);
    handle.close();
    return null;
  };
}
