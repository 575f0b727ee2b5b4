/**
 * Open files of the emulated process: descriptors, status flags, and what is behind them.
 *
 * @module
 */
import { FILE } from "./abi.ts";
import type { Epoll } from "./epoll.ts";
import type { Pipe, RegularFile } from "./pipe.ts";
import type { Sock } from "./socket.ts";

/** An open file. */
export interface OpenFile {
  /** The process's own number, which scripts need not use. */
  readonly fd: number;
  /** Status flags: `O_RDWR`, `O_NONBLOCK`. */
  flags: number;
  readonly target: Sock | Epoll | Pipe | RegularFile;
}

/** Is the file non-blocking? */
export function isNonBlocking(file: OpenFile): boolean {
  return (file.flags & FILE.O_NONBLOCK) !== 0;
}

/**
 * The table of descriptors. Standard input, output and error are taken; the lowest free number is given out. Scripts
 * name files by the numbers in their results, which are looked up first.
 */
export class FileTable {
  readonly #open = new Map<number, OpenFile>();
  readonly #byScript = new Map<number, OpenFile>();

  /** Opens a file at the lowest free number. */
  open(target: OpenFile["target"], flags: number): OpenFile {
    let fd = 3;
    while (this.#open.has(fd)) fd++;
    const file = { fd, flags, target };
    this.#open.set(fd, file);
    return file;
  }

  /**
   * The script calls the file `number` from now on. False if it has another of that name, unless that is `replaced`:
   * then the script cannot speak of the other any more.
   */
  name(file: OpenFile, number: number, replaced = false): boolean {
    if (!replaced && this.#byScript.has(number)) return false;
    this.#byScript.set(number, file);
    return true;
  }

  /** The file that the script calls `number`. */
  get(number: number): OpenFile | undefined {
    return this.#byScript.get(number);
  }

  /** The file's own number and the script's are free again. */
  close(file: OpenFile): void {
    this.#open.delete(file.fd);
    for (const [number, named] of this.#byScript) if (named === file) this.#byScript.delete(number);
  }

  /** Files open, in order of their numbers. */
  [Symbol.iterator](): Iterator<OpenFile> {
    return [...this.#open.values()].toSorted((a, b) => a.fd - b.fd)[Symbol.iterator]();
  }
}
