/**
 * IPv4 addresses within IPv6 ones (RFC 6052): what NAT64 translates and DNS64 answers with.
 *
 * @module
 */
import { addressBytes, AddressError, addressFromBytes, type IpAddress, type IpPrefix, parsePrefix } from "./ip.ts";

/** The lengths that such a prefix may have (RFC 6052 2.2). */
export const EMBEDDING_BITS: readonly number[] = [32, 40, 48, 56, 64, 96];

/** RFC 6052 2.1. */
export const WELL_KNOWN_PREFIX = "64:ff9b::/96";

/** The byte that stays 0 ("u", RFC 6052 2.2). */
const ZERO_BYTE = 8;

/** Reads a prefix that IPv4 addresses may be embedded in. Throws {@linkcode AddressError}. */
export function parseEmbeddingPrefix(text: string): IpPrefix {
  const prefix = parsePrefix(text);
  if (prefix.address.family !== 6 || !EMBEDDING_BITS.includes(prefix.bits)) {
    throw new AddressError(
      `"${text}" cannot hold IPv4 addresses: expected an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, ` +
        `such as ${WELL_KNOWN_PREFIX}.`,
    );
  }
  return prefix;
}

/** The IPv6 address that stands for an IPv4 one. */
export function embedIpv4(prefix: IpPrefix, address: IpAddress): IpAddress {
  const bytes = addressBytes(prefix.address).fill(0, prefix.bits >> 3);
  let at = prefix.bits >> 3;
  for (const byte of addressBytes(address)) {
    if (at === ZERO_BYTE) at++;
    bytes[at++] = byte;
  }
  return addressFromBytes(bytes);
}

/** The IPv4 address that an IPv6 address of the prefix stands for. (Whether it is of the prefix is the caller's to see.) */
export function embeddedIpv4(prefix: IpPrefix, address: IpAddress): IpAddress {
  const bytes = addressBytes(address);
  const found = new Uint8Array(4);
  let at = prefix.bits >> 3;
  for (let i = 0; i < 4; i++) {
    if (at === ZERO_BYTE) at++;
    found[i] = bytes[at++];
  }
  return addressFromBytes(found);
}
