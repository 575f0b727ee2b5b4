/**
 * Files of golden tests: found next to the test, read at once, written whole or not at all. By way of `node:fs`, so that
 * Node's test runner can use them too.
 *
 * @module
 */
import fs from "node:fs";
import process from "node:process";
import { InputError } from "../base/errors.ts";

/** What a test runner gives a test: Deno's `Deno.TestContext` and Node's `TestContext` both are such. */
export interface GoldenContext {
  /** The test's name. */
  readonly name: string;
  /** URL of the test's file (Deno). */
  readonly origin?: string;
  /** Path of the test's file (Node, where it says so). */
  readonly filePath?: string;
  /** Node's tests have this. */
  readonly diagnostic?: (message: string) => void;
}

/** The place of a file: relative paths begin at the test's own file; where that is not known, at the working directory. */
export function besideTest(context: GoldenContext, file: string | URL): string {
  if (file instanceof URL) return pathOf(file);
  if (/^([/\\]|[A-Za-z]:[/\\])/.test(file)) return file;
  if (file.startsWith("file:")) return pathOf(new URL(file));
  const { origin, filePath, diagnostic } = context;
  // (Node's runner gives each file a process of its own, whose program it is.)
  const program = diagnostic === undefined ? undefined : process.argv[1];
  const test = origin?.startsWith("file:") ? pathOf(new URL(origin)) : filePath ?? program;
  return test === undefined ? file : `${test.replace(/[^/\\]*$/, "")}${file.replace(/^\.[/\\]/, "")}`;
}

/** A file's bytes; undefined where there is none. Throws `InputError` where it may not be read. */
export function readFile(path: string): Uint8Array | undefined {
  try {
    return fs.readFileSync(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new InputError(`${path} cannot be read: ${messageOf(error)}`, { file: path });
  }
}

/** A file that gets its name when it is whole. Makes the directories that it needs. */
export class WholeFile {
  readonly #path: string;
  readonly #partial: string;
  #handle: number | undefined;

  /** Begins the file at `path`. Throws `InputError` where it may not be written. */
  constructor(path: string) {
    this.#path = path;
    this.#partial = `${path}.partial`;
    this.#handle = this.#written(() => {
      const folder = path.replace(/[/\\]?[^/\\]*$/, "");
      // (Not where it is there: making it would need a permission for the folder itself.)
      if (folder !== "" && !isThere(folder)) fs.mkdirSync(folder, { recursive: true });
      const there = fs.statSync(path, { throwIfNoEntry: false });
      if (there !== undefined && !there.isFile()) throw new Error("it is no file, but a directory or a device");
      return fs.openSync(this.#partial, "w");
    });
  }

  /** Adds bytes. */
  append(bytes: Uint8Array): void {
    this.#written(() => {
      for (let at = 0; at < bytes.length;) at += fs.writeSync(this.#handle!, bytes, at);
    });
  }

  /** It is whole: it gets its name. */
  commit(): void {
    this.#written(() => {
      this.#close();
      fs.renameSync(this.#partial, this.#path);
    });
  }

  /** Leaves nothing behind. */
  discard(): void {
    this.#close();
    fs.rmSync(this.#partial, { force: true });
  }

  #close(): void {
    if (this.#handle !== undefined) fs.closeSync(this.#handle);
    this.#handle = undefined;
  }

  #written<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw new InputError(`${this.#path} cannot be written: ${messageOf(error)}`, { file: this.#path });
    }
  }
}

/** The path of a `file:` URL. */
function pathOf(url: URL): string {
  if (url.protocol !== "file:") throw new InputError(`${url} is no file of this machine.`);
  return decodeURIComponent(url.pathname).replace(/^\/(?=[A-Za-z]:)/, "");
}

function isThere(path: string): boolean {
  try {
    return fs.statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
