/**
 * CBOR (RFC 8949) as traces use it: a sequence (RFC 8742) of maps and arrays of numbers, text and byte strings.
 *
 * cbor-x encodes and decodes. It allocates what an item claims to be, so no item reaches it before `itemEnd` has walked
 * over its heads and found that the bytes it claims are there.
 *
 * @module
 */
import { Encoder } from "cbor-x";
import { InputError } from "../base/errors.ts";

/** Nesting that a trace needs, with room. */
const MOST_DEPTH = 64;

const CODEC = new Encoder({ useRecords: false, mapsAsObjects: true, variableMapSize: true, tagUint8Array: false });

/** The bytes of one item. */
export function encodeItem(value: unknown): Uint8Array {
  // (The encoder hands out a part of a buffer that it goes on using.)
  return Uint8Array.from(CODEC.encode(value));
}

/** The value of the bytes of one item, which `itemEnd` has looked at. Throws `InputError`. */
export function decodeItem(bytes: Uint8Array): unknown {
  try {
    return CODEC.decode(bytes);
  } catch {
    throw new InputError("an item cannot be decoded");
  }
}

/**
 * Where the item that begins at `at` ends; -1 if more bytes than `bytes` has are needed to tell. Throws `InputError` for
 * what is not CBOR, nested deeper than 64, or of a kind that no trace has (tags, indefinite lengths, simple values but false, true and null).
 */
export function itemEnd(bytes: Uint8Array, at: number): number {
  return walk(bytes, at, 0);
}

function walk(bytes: Uint8Array, begin: number, depth: number): number {
  if (depth > MOST_DEPTH) throw new InputError(`items are nested deeper than ${MOST_DEPTH}`);
  if (begin >= bytes.length) return -1;
  const major = bytes[begin] >> 5;
  const minor = bytes[begin] & 31;
  if (minor > 27) throw new InputError("there is an item of indefinite length, or none at all");
  const extra = minor < 24 ? 0 : 1 << (minor - 24);
  let at = begin + 1 + extra;
  if (at > bytes.length) return -1;
  if (major === 7) {
    // false, true, null and floats.
    if (minor >= 25 || (minor >= 20 && minor <= 22)) return at;
    throw new InputError("there is a simple value that no trace has");
  }
  if (major === 6) throw new InputError("there is a tag, which no trace has");
  let argument = minor;
  if (extra > 0) {
    argument = 0;
    for (let i = begin + 1; i < at; i++) argument = argument * 256 + bytes[i];
  }
  if (major < 2) return at;
  if (major < 4) return at + argument <= bytes.length ? at + argument : -1;
  const items = major === 5 ? argument * 2 : argument;
  // Every item takes a byte at least.
  if (at + items > bytes.length) return -1;
  for (let i = 0; i < items; i++) {
    at = walk(bytes, at, depth + 1);
    if (at < 0) return -1;
  }
  return at;
}
