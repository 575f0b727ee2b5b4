/**
 * Writing: whole texts to the terminal or a pipe, and files that are either complete or not there.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { EXIT } from "./exit.ts";

/** The reader of a pipe has gone (`simulate --packets | head`): there is nobody left to write for. */
export class ReaderGone extends Error {
  /** Nothing more to say. */
  constructor() {
    super("The reader of the output has gone.");
    this.name = "ReaderGone";
  }
}

/** Writes all of `bytes`. Throws {@linkcode ReaderGone} where a pipe's other end is closed. */
export function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += stream.writeSync(bytes.subarray(at));
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) throw new ReaderGone();
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      // A full pipe that somebody made non-blocking: wait a millisecond.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** Writes a text to standard output. Returns the exit code of success. */
export function print(text: string): number {
  writeAll(Deno.stdout, new TextEncoder().encode(text));
  return EXIT.OK;
}

/** Writes a text to standard error. Returns `code`. */
export function complain(text: string, code: number): number {
  writeAll(Deno.stderr, new TextEncoder().encode(text));
  return code;
}

/** Lines gathered into large writes. */
export class LineWriter {
  readonly #stream: { writeSync(bytes: Uint8Array): number };
  readonly #encoder = new TextEncoder();
  #lines: string[] = [];
  #chars = 0;

  /** Writes to `stream`. */
  constructor(stream: { writeSync(bytes: Uint8Array): number }) {
    this.#stream = stream;
  }

  /** Adds a line; its line feed is added here. */
  write(line: string): void {
    this.#lines.push(line);
    this.#chars += line.length;
    if (this.#chars >= 65536) this.flush();
  }

  /** Writes what is gathered. */
  flush(): void {
    if (this.#lines.length === 0) return;
    const text = this.#lines.join("\n") + "\n";
    this.#lines = [];
    this.#chars = 0;
    writeAll(this.#stream, this.#encoder.encode(text));
  }
}

/** The ending of files that are not complete yet. */
const PARTIAL = ".partial";

/**
 * Files that grow while a run goes on and get their names at its end: `append` writes to `NAME.partial`, `commit`
 * renames all of them, `discard` removes what is there. Keeps at most `bufferBytes` in memory, and no file open.
 */
export class GrowingFiles {
  readonly #bufferBytes: number;
  readonly #pending = new Map<string, Uint8Array[]>();
  readonly #started = new Set<string>();
  #pendingBytes = 0;

  /** `bufferBytes` of all files together, default 32 MiB. */
  constructor(options: { bufferBytes?: number } = {}) {
    this.#bufferBytes = options.bufferBytes ?? 32 * 2 ** 20;
  }

  /** Files begun. */
  get count(): number {
    return this.#pending.size;
  }

  /** Has the file at `path` begun? */
  has(path: string): boolean {
    return this.#pending.has(path);
  }

  /** Adds bytes (not copied) to the end of the file at `path`. */
  append(path: string, bytes: Uint8Array): void {
    const list = this.#pending.get(path);
    if (list === undefined) this.#pending.set(path, [bytes]);
    else list.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes >= this.#bufferBytes) this.flush();
  }

  /** Takes a file back. */
  remove(path: string): void {
    for (const bytes of this.#pending.get(path) ?? []) this.#pendingBytes -= bytes.length;
    this.#pending.delete(path);
    if (this.#started.delete(path)) written(path, () => Deno.removeSync(path + PARTIAL));
  }

  /** Writes what is gathered to the `.partial` files. */
  flush(): void {
    for (const [path, list] of this.#pending) {
      if (list.length === 0) continue;
      const first = !this.#started.has(path);
      if (first) checkReplaceable(path);
      this.#started.add(path);
      written(path, () => Deno.writeFileSync(path + PARTIAL, joined(list), { append: !first, create: true }));
      this.#pending.set(path, []);
    }
    this.#pendingBytes = 0;
  }

  /** Completes every file: each gets its name. */
  commit(): void {
    this.flush();
    for (const path of this.#started) written(path, () => Deno.renameSync(path + PARTIAL, path));
    this.#started.clear();
    this.#pending.clear();
  }

  /** Leaves nothing behind. */
  discard(): void {
    for (const path of this.#started) {
      try {
        Deno.removeSync(path + PARTIAL);
      } catch {
        // It is gone already, or was never made.
      }
    }
    this.#started.clear();
    this.#pending.clear();
  }
}

/** A file that cannot be written is the caller's to mend, not a fault of ours. */
function written(path: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw new InputError(`${path} cannot be written: ${reasonOf(error)}.`, { file: path });
  }
}

/** Only a file may be replaced: a directory cannot be, and a device (`/dev/null`, for root) must not. */
function checkReplaceable(path: string): void {
  let found: Deno.FileInfo;
  try {
    found = Deno.statSync(path);
  } catch {
    return; // There is nothing, or the write will tell.
  }
  if (found.isFile) return;
  const what = found.isDirectory ? "it is a directory" : "it is a device or a pipe, not a file";
  throw new InputError(`${path} cannot be written: ${what}.`, { file: path });
}

/** What the system says, without the numbers and calls that Deno adds. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message.replace(/ \(os error \d+\).*$/s, "").replace(/^[A-Z]/, (letter) => letter.toLowerCase());
}

function joined(list: Uint8Array[]): Uint8Array {
  if (list.length === 1) return list[0];
  const all = new Uint8Array(list.reduce((sum, bytes) => sum + bytes.length, 0));
  let at = 0;
  for (const bytes of list) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}
