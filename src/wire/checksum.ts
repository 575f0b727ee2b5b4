/**
 * The Internet checksum: the one's complement of a one's complement sum of 16-bit words (RFC 1071), and its
 * incremental update (RFC 1624).
 *
 * @module
 */
import type { IpAddress } from "../base/address.ts";

/**
 * Adds `length` bytes from `at` as 16-bit big-endian words to `sum` (an odd last byte counts as a high byte). The sum is
 * not folded, so that parts may be added in turn; every part but the last must have an even length.
 */
export function onesSum(bytes: Uint8Array, at: number, length: number, sum = 0): number {
  const even = at + (length & ~1);
  let total = sum;
  for (let i = at; i < even; i += 2) total += bytes[i] << 8 | bytes[i + 1];
  if (length & 1) total += bytes[even] << 8;
  return total;
}

/** A sum folded to 16 bits by adding the carries back in (RFC 1071 section 1). */
export function foldSum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = folded % 0x10000 + Math.floor(folded / 0x10000);
  return folded;
}

/** The checksum of `length` bytes from `at`, on top of a partial `sum`: 0 to 0xffff. Over bytes that contain a correct checksum it is 0. */
export function internetChecksum(bytes: Uint8Array, at = 0, length: number = bytes.length - at, sum = 0): number {
  return ~foldSum(onesSum(bytes, at, length, sum)) & 0xffff;
}

/**
 * The partial sum of a pseudo-header: RFC 9293 section 3.1 and RFC 768 for IPv4, RFC 8200 section 8.1 for IPv6.
 * `length` counts the transport header and its data, in bytes.
 */
export function pseudoHeaderSum(source: IpAddress, destination: IpAddress, protocol: number, length: number): number {
  let sum = protocol + (length & 0xffff) + Math.floor(length / 0x10000);
  for (const word of source.words) sum += (word >>> 16) + (word & 0xffff);
  for (const word of destination.words) sum += (word >>> 16) + (word & 0xffff);
  return sum;
}

/**
 * The checksum after one 16-bit word that it covers changed: HC' = ~(~HC + ~m + m') (RFC 1624 equation 3). For UDP the
 * caller leaves a checksum of 0 ("none") alone and writes a result of 0 as 0xffff (RFC 768).
 */
export function updateChecksum16(checksum: number, before: number, after: number): number {
  return ~foldSum((~checksum & 0xffff) + (~before & 0xffff) + (after & 0xffff)) & 0xffff;
}

/** As {@linkcode updateChecksum16} for a 32-bit field at an even offset: an IPv4 address, a sequence number. */
export function updateChecksum32(checksum: number, before: number, after: number): number {
  const sum = (~checksum & 0xffff) + (~before >>> 16) + (~before & 0xffff) + (after >>> 16) + (after & 0xffff);
  return ~foldSum(sum) & 0xffff;
}
