/**
 * Growth of tables in mid-run. Rows are reserved up front where the workloads tell how many there will be; where they do
 * not, a table that is full is copied into a larger one, and for that moment both take memory. Where that would be more
 * than there is, the run ends with one sentence. Every array that grows with the run grows here.
 *
 * @module
 */
import { InputError } from "./errors.ts";
import { availableBytes } from "./machine.ts";
import { formatCount } from "./units.ts";

/** Copies of less are made without asking. */
const LARGE_BYTES = 64 * 2 ** 20;

let askedFromBytes = LARGE_BYTES;

/** @internal Lets tests have copies from `bytes` on asked for; without a number, large ones again. */
export function askFrom(bytes = LARGE_BYTES): void {
  askedFromBytes = bytes;
}

/** A table could not grow. */
export class OutOfMemory extends InputError {
  /** Bytes that it would have taken. */
  declare readonly neededBytes: number;
  /** What the process might still have taken; undefined where the system refused without saying. */
  readonly roomBytes: number | undefined;

  /** See the fields. */
  constructor(neededBytes: number, roomBytes: number | undefined) {
    const room = roomBytes === undefined ? "the system does not give them" : `there are ${megabytes(roomBytes)}`;
    super(
      `The run has outgrown the memory: a table that is full would take ${megabytes(neededBytes)} more to grow, and ` +
        `${room}. Fewer connections at the same time, or fewer packets under way, would fit.`,
    );
    this.neededBytes = neededBytes;
    this.roomBytes = roomBytes;
  }
}

/** Arrays that grow. */
type Growing = Int32Array | Uint32Array | Uint8Array | Float64Array;

/**
 * A larger array for a table that is full, from `make`, of which `touchedBytes` are written at once (a copy of the old
 * one, or a whole hash table).
 *
 * @throws {OutOfMemory} where they do not fit beside the old one, before any of them is touched.
 */
export function grown<T>(touchedBytes: number, make: () => T): T {
  if (touchedBytes >= askedFromBytes) {
    const room = availableBytes();
    if (touchedBytes > room) throw new OutOfMemory(touchedBytes, room);
  }
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) throw new OutOfMemory(touchedBytes, undefined);
    throw error;
  }
}

/** A copy with room for `length` elements; of the old ones the first `used` are not all zero. */
export function lengthened<T extends Growing>(elements: T, length: number, used: number = elements.length): T {
  const Elements = elements.constructor as new (length: number) => T;
  const longer = grown(used * elements.BYTES_PER_ELEMENT, () => new Elements(length));
  longer.set(used === elements.length ? elements : elements.subarray(0, used));
  return longer;
}

function megabytes(bytes: number): string {
  return `${formatCount(Math.round(bytes / 1e6))} MB`;
}
