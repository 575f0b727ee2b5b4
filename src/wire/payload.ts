/**
 * Virtual payload as bytes: the pattern that stands for counted data wherever somebody looks at it.
 *
 * @module
 */
import { virtualByte } from "./packet.ts";

const PERIOD = 64;
const PATTERN = new Uint8Array(0x10000 + PERIOD).map((_, position) => virtualByte(position));

/** Writes the `virtualByte`s of the stream positions `position` to `position + length - 1`. Positions are modulo 2^32. */
export function fillVirtual(into: Uint8Array, at: number, length: number, position: number): void {
  const phase = position & PERIOD - 1;
  let done = 0;
  while (done < length) {
    const chunk = Math.min(length - done, 0x10000);
    into.set(PATTERN.subarray(phase, phase + chunk), at + done);
    done += chunk;
  }
}

/** Whether `length` bytes from `at` are the `virtualByte`s of the positions from `position` on. True for no bytes. */
export function isVirtual(bytes: Uint8Array, at: number, length: number, position: number): boolean {
  const phase = position & PERIOD - 1;
  for (let i = 0; i < length; i++) if (bytes[at + i] !== PATTERN[phase + i & PERIOD - 1]) return false;
  return true;
}
