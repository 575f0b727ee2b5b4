/**
 * Growth of tables in mid-run. Rows are reserved up front where the workloads tell how many there will be; where they do
 * not, a table that is full is copied into a larger one, and for that moment both take memory. Where that would be more
 * than there is, the run ends with one sentence.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";

/** Copies of less are made without asking. */
const LARGE_BYTES = 64 * 2 ** 20;

/** Memory that the process may still take, bytes: who has a machine to ask says so (`watchMemory`). */
let freeBytes: () => number = () => Infinity;

/** Lets large tables ask how much memory there is before they grow. */
export function watchMemory(ask: () => number): void {
  freeBytes = ask;
}

/** A table could not grow. */
export class OutOfMemory extends InputError {}

/**
 * A larger array for a table that is full, from `make`, of which `touchedBytes` are written at once (a copy of the old
 * one, or a whole hash table).
 *
 * @throws {OutOfMemory} where they do not fit beside the old one, before any of them is touched.
 */
export function grown<T>(touchedBytes: number, make: () => T): T {
  if (touchedBytes >= LARGE_BYTES) {
    const room = freeBytes();
    if (touchedBytes > room) throw outOfMemory(touchedBytes, `there are ${megabytes(room)}`);
  }
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) throw outOfMemory(touchedBytes, "the system does not give them");
    throw error;
  }
}

/** A copy with room for `length` words. */
export function lengthened(words: Int32Array, length: number): Int32Array {
  const longer = grown(words.byteLength, () => new Int32Array(length));
  longer.set(words);
  return longer;
}

function outOfMemory(bytes: number, sentence: string): OutOfMemory {
  return new OutOfMemory(
    `The run has outgrown the memory: a table that is full would take ${
      megabytes(bytes)
    } more to grow, and ${sentence}. ` +
      "Fewer connections at the same time, or fewer packets under way, would fit.",
  );
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6).toLocaleString("en-US")} MB`;
}
