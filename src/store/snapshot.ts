/**
 * One buffer that holds a state: magic, version, a header in JSON, then what a `visitState` method shows, in its order.
 *
 *     offset  bytes
 *          0      8  "4TUPLES1"
 *          8      8  bytes of all of it (f64, little-endian, as everything here)
 *         16      8  checksum of what follows (two u32)
 *         24      8  bytes of the header (f64)
 *         32      n  the header: JSON, UTF-8, padded with spaces to a multiple of 8
 *                    the state: records that begin at multiples of 8
 *
 * A record is a word of kind and a word of length, then its bytes. Columns are written as they stand in memory, so a
 * snapshot is as large as the rows that were ever in use, and is written and read at the speed of memory.
 *
 * @module
 */
import { grown } from "../base/growth.ts";
import { InputError } from "../base/errors.ts";
import { plainText, plainValue } from "../base/plain.ts";
import type { Column, PlainValue, Stateful, StateVisitor } from "../base/state.ts";
import { alignedWords } from "./rows.ts";

const MAGIC = "4TUPLES1";
/** What comes before the header, and where in it. */
const PREFIX_BYTES = 32;
const AT = { LENGTH: 8, CHECKSUM: 16, HEADER_LENGTH: 24 } as const;

/** Kinds of records. */
const KIND = { SECTION: 1, NUMBER: 2, PLAIN: 3, COLUMN: 4, IN_PLACE: 5 } as const;
const KIND_NAMES = ["", "a section", "a number", "a value", "a column", "a fixed column"];
/** Bytes before a record's content. */
const RECORD_BYTES = 8;
/** A column's content begins with its element kind, its length and the elements that are kept: three doubles. */
const COLUMN_BYTES = 24;

const COLUMN_TYPES = [Int32Array, Uint32Array, Uint16Array, Uint8Array, Float64Array] as const;

/** What a snapshot's header says. */
export type SnapshotHeader = { [key: string]: PlainValue };

/** The bytes of a state, with what is needed to know what to put it back into. */
export function takeSnapshot(header: SnapshotHeader, state: Stateful): Uint8Array {
  const headerBytes = paddedJson(header, PREFIX_BYTES);
  const start = PREFIX_BYTES + headerBytes.length;
  const sizer = new Sizer();
  state.visitState(sizer);
  const bytes = grown(start + sizer.bytes, () => new Uint8Array(start + sizer.bytes));
  bytes.set(new TextEncoder().encode(MAGIC));
  const view = new DataView(bytes.buffer);
  view.setFloat64(AT.LENGTH, bytes.length, true);
  view.setFloat64(AT.HEADER_LENGTH, headerBytes.length, true);
  bytes.set(headerBytes, PREFIX_BYTES);
  state.visitState(new Saver(bytes, start));
  const [lo, hi] = checksum(bytes);
  view.setUint32(AT.CHECKSUM, lo, true);
  view.setUint32(AT.CHECKSUM + 4, hi, true);
  return bytes;
}

/** The header of a snapshot. Throws `InputError` for bytes that are none, or not those that were written. */
export function readSnapshotHeader(bytes: Uint8Array): SnapshotHeader {
  return parseHeader(bytes, true).header;
}

/**
 * Puts a snapshot's state back into `state`, which must be built as the one it was taken of. Throws `InputError`.
 * `checked`: `readSnapshotHeader` has had these bytes.
 */
export function restoreSnapshot(bytes: Uint8Array, state: Stateful, checked = false): void {
  const { end } = parseHeader(bytes, !checked);
  const restorer = new Restorer(bytes, end);
  state.visitState(restorer);
  restorer.end();
}

function parseHeader(bytes: Uint8Array, check: boolean): { header: SnapshotHeader; end: number } {
  const magic = new TextDecoder().decode(bytes.subarray(0, MAGIC.length));
  if (magic !== MAGIC) throw new InputError("This is no snapshot of fourtuple: it does not begin with its magic word.");
  if (bytes.length < PREFIX_BYTES) throw cutShort(bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = view.getFloat64(AT.LENGTH, true);
  if (whole > bytes.length) throw cutShort(bytes.length);
  if (whole !== bytes.length) throw new InputError("The snapshot is damaged: it is not as long as it says.");
  if (check) {
    const [lo, hi] = checksum(bytes);
    if (lo !== view.getUint32(AT.CHECKSUM, true) || hi !== view.getUint32(AT.CHECKSUM + 4, true)) {
      throw new InputError("The snapshot is damaged: its checksum is another.");
    }
  }
  const length = view.getFloat64(AT.HEADER_LENGTH, true);
  const end = PREFIX_BYTES + length;
  if (!(Number.isInteger(length) && length >= 0 && end <= bytes.length)) {
    throw new InputError("The snapshot is damaged: its header cannot be read.");
  }
  let header: unknown;
  try {
    header = plainValue(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(PREFIX_BYTES, end)));
  } catch {
    throw new InputError("The snapshot is damaged: its header cannot be read.");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw new InputError("The snapshot is damaged: its header is no map.");
  }
  return { header: header as SnapshotHeader, end };
}

/** Two words over what follows the checksum: one that tells any change of a word or two, and one that tells most others. */
function checksum(bytes: Uint8Array): [lo: number, hi: number] {
  const from = AT.CHECKSUM + 8;
  const count = Math.floor((bytes.length - from) / 4);
  const aligned = (bytes.byteOffset + from) % 4 === 0;
  const start = aligned ? bytes.byteOffset + from : 0;
  const words = new Int32Array(aligned ? bytes.buffer : bytes.slice(from).buffer, start, count);
  let lo = 0x2545f491;
  let hi = 0x6c62272e;
  for (let i = 0; i < count; i++) {
    lo = Math.imul(lo ^ words[i], 0x01000193);
    hi = (Math.imul(hi, 0x85ebca6b) + words[i]) | 0;
    lo ^= lo >>> 15;
  }
  for (let i = from + 4 * count; i < bytes.length; i++) lo = Math.imul(lo ^ bytes[i], 0x01000193);
  return [lo >>> 0, hi >>> 0];
}

function cutShort(length: number): InputError {
  return new InputError(`The snapshot is cut short: it ends after ${length} bytes.`);
}

/** JSON text, padded so that what follows `before` bytes and it begins at a multiple of 8. */
function paddedJson(header: SnapshotHeader, before: number): Uint8Array {
  const json = new TextEncoder().encode(plainText(header));
  const padded = new Uint8Array(roundUp(before + json.length) - before).fill(0x20);
  padded.set(json);
  return padded;
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function columnBytes(column: Column, used: number): number {
  return COLUMN_BYTES + used * column.BYTES_PER_ELEMENT;
}

/** The first walk: how many bytes it takes. */
class Sizer implements StateVisitor {
  readonly restoring = false;
  bytes = 0;

  section(name: string): void {
    this.#add(new TextEncoder().encode(name).length);
  }

  number(value: number): number {
    this.#add(8);
    return value;
  }

  plain<T extends PlainValue>(value: T): T {
    this.#add(new TextEncoder().encode(plainText(value)).length);
    return value;
  }

  column<T extends Column>(column: T, used: number = column.length): T {
    this.#add(columnBytes(column, used));
    return column;
  }

  inPlace(column: Column): void {
    this.#add(columnBytes(column, column.length));
  }

  #add(bytes: number): void {
    this.bytes += RECORD_BYTES + roundUp(bytes);
  }
}

/** The second walk: writes. */
class Saver implements StateVisitor {
  readonly restoring = false;
  readonly #bytes: Uint8Array = new Uint8Array(0);
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.#at = at;
  }

  section(name: string): void {
    this.#text(KIND.SECTION, name);
  }

  number(value: number): number {
    this.#view.setFloat64(this.#begin(KIND.NUMBER, 8), value, true);
    return value;
  }

  plain<T extends PlainValue>(value: T): T {
    this.#text(KIND.PLAIN, plainText(value));
    return value;
  }

  column<T extends Column>(column: T, used: number = column.length): T {
    this.#column(KIND.COLUMN, column, used);
    return column;
  }

  inPlace(column: Column): void {
    this.#column(KIND.IN_PLACE, column, column.length);
  }

  #text(kind: number, text: string): void {
    const encoded = new TextEncoder().encode(text);
    this.#bytes.set(encoded, this.#begin(kind, encoded.length));
  }

  #column(kind: number, column: Column, used: number): void {
    const at = this.#begin(kind, columnBytes(column, used));
    const type = COLUMN_TYPES.findIndex((made) => column instanceof made);
    this.#view.setFloat64(at, type, true);
    this.#view.setFloat64(at + 8, column.length, true);
    this.#view.setFloat64(at + 16, used, true);
    const part = column.subarray(0, used);
    this.#bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at + COLUMN_BYTES);
  }

  /** Writes a record's head; where its content goes. */
  #begin(kind: number, length: number): number {
    const at = this.#at;
    this.#view.setUint32(at, kind, true);
    // (A column may be longer than 2^32 bytes: its own content says how long, this only checks.)
    this.#view.setUint32(at + 4, length % 2 ** 32, true);
    this.#at = at + RECORD_BYTES + roundUp(length);
    return at + RECORD_BYTES;
  }
}

/** Puts back. */
class Restorer implements StateVisitor {
  readonly restoring = true;
  readonly #bytes: Uint8Array = new Uint8Array(0);
  readonly #view: DataView;
  #at = 0;
  #section = "the beginning";
  /** Bytes that columns may still take up: what a damaged length must not ask for. Most have room for more than they use. */
  #room = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
    this.#room = 16 * bytes.length + 2 ** 28;
  }

  section(name: string): void {
    const found = this.#text(KIND.SECTION);
    if (found !== name) {
      throw new InputError(
        `The snapshot does not fit: it has "${found}" where this version of fourtuple keeps "${name}".`,
      );
    }
    this.#section = name;
  }

  number(_value: number): number {
    const [at] = this.#begin(KIND.NUMBER, 8);
    return this.#view.getFloat64(at, true);
  }

  plain<T extends PlainValue>(_value: T): T {
    const text = this.#text(KIND.PLAIN);
    try {
      return plainValue(text) as T;
    } catch {
      throw this.#damaged("a value cannot be read");
    }
  }

  column<T extends Column>(column: T): T {
    const { from, length, used } = this.#column(KIND.COLUMN, column);
    const made =
      (column instanceof Int32Array
        ? alignedWords(length)
        : new (column.constructor as new (length: number) => Column)(length)) as T;
    this.#copy(from, made, used);
    return made;
  }

  inPlace(column: Column): void {
    const { from, length, used } = this.#column(KIND.IN_PLACE, column);
    if (length !== column.length) {
      throw this.#damaged(`a column has ${length} elements where there are ${column.length}`);
    }
    this.#copy(from, column, used);
  }

  /** Everything must have been read. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw this.#damaged(`${this.#bytes.length - this.#at} bytes are left over`);
  }

  #copy(from: number, into: Column, used: number): void {
    const target = new Uint8Array(into.buffer, into.byteOffset, used * into.BYTES_PER_ELEMENT);
    target.set(this.#bytes.subarray(from, from + target.length));
  }

  #column(kind: number, column: Column): { from: number; length: number; used: number } {
    const [at, recorded] = this.#begin(kind, COLUMN_BYTES);
    const type = this.#view.getFloat64(at, true);
    const length = this.#view.getFloat64(at + 8, true);
    const used = this.#view.getFloat64(at + 16, true);
    const bytes = COLUMN_BYTES + used * column.BYTES_PER_ELEMENT;
    const fits = Number.isSafeInteger(length) && Number.isSafeInteger(used) && used >= 0 && used <= length &&
      at + bytes <= this.#bytes.length && bytes % 2 ** 32 === recorded &&
      length * column.BYTES_PER_ELEMENT <= this.#room;
    if (COLUMN_TYPES[type] === undefined || !(column instanceof COLUMN_TYPES[type]) || !fits) {
      throw this.#damaged("a column is not what it says");
    }
    this.#room -= length * column.BYTES_PER_ELEMENT;
    this.#at = at + roundUp(bytes);
    return { from: at + COLUMN_BYTES, length, used };
  }

  #text(kind: number): string {
    const [at, length] = this.#begin(kind, 0);
    if (at + length > this.#bytes.length) throw cutShort(this.#bytes.length);
    this.#at = at + roundUp(length);
    return new TextDecoder().decode(this.#bytes.subarray(at, at + length));
  }

  /** Reads a record's head, which must be of `kind` and have room for `least` bytes: content and recorded length. */
  #begin(kind: number, least: number): [at: number, length: number] {
    const at = this.#at;
    if (at + RECORD_BYTES + least > this.#bytes.length) throw cutShort(this.#bytes.length);
    const found = this.#view.getUint32(at, true);
    if (found !== kind) {
      throw this.#damaged(`there is ${KIND_NAMES[found] ?? "something unknown"} instead of ${KIND_NAMES[kind]}`);
    }
    const length = this.#view.getUint32(at + 4, true);
    this.#at = at + RECORD_BYTES + roundUp(length);
    return [at + RECORD_BYTES, length];
  }

  #damaged(what: string): InputError {
    return new InputError(
      `The snapshot is damaged or of another version of fourtuple: ${what}, in "${this.#section}".`,
    );
  }
}
