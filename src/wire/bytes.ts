/**
 * Integers in network byte order (big-endian), read from and written to plain byte arrays.
 *
 * @module
 */

/** The unsigned 16-bit integer at `at`. */
export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at] << 8 | bytes[at + 1];
}

/** The 32-bit integer at `at`, signed as in a packet row; `>>> 0` makes it unsigned. */
export function readI32(bytes: Uint8Array, at: number): number {
  return bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
}

/** Writes the low 16 bits of `value`. */
export function writeU16(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 8;
  into[at + 1] = value;
}

/** Writes the low 32 bits of `value`, signed or unsigned. */
export function writeU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

/** Throws `RangeError` unless `length` bytes fit into `into` from `at` on: an encoder never writes half a header. */
export function requireRoom(into: Uint8Array, at: number, length: number): void {
  if (at < 0 || at + length > into.length) {
    throw new RangeError(`Encoding needs ${length} bytes from offset ${at}, but the buffer holds ${into.length}.`);
  }
}
