/**
 * IPv4 addresses within a NAT64's IPv6 prefix (RFC 6052), as the packet path sees them: ids and words.
 *
 * @module
 */
import type { AddressTable, IpPrefix } from "../base/address.ts";

/** A NAT64's prefix. */
export interface Nat64Prefix {
  /** The words of its first address, signed. */
  readonly words: readonly number[];
  /** 32, 40, 48, 56, 64 or 96. */
  readonly bits: number;
  /** 64:ff9b::/96, which stands for global IPv4 addresses only (RFC 6052 3.1). */
  readonly wellKnown: boolean;
}

/** Prepares a prefix (of `parseEmbeddingPrefix`). */
export function nat64Prefix(prefix: IpPrefix): Nat64Prefix {
  const words = prefix.address.words.map((word, k) => word & maskWord(prefix.bits, k));
  const wellKnown = prefix.bits === 96 && words[0] === 0x0064ff9b && (words[1] | words[2]) === 0;
  return { words, bits: prefix.bits, wellKnown };
}

/** Does an address (id) stand for an IPv4 one by this prefix? */
export function isEmbedded(addresses: AddressTable, prefix: Nat64Prefix, id: number): boolean {
  if (!addresses.isIpv6(id)) return false;
  const { words, bits } = prefix;
  for (let k = 0; 32 * k < bits; k++) {
    if (((addresses.v6Word(id, k) ^ words[k]) & maskWord(bits, k)) !== 0) return false;
  }
  return true;
}

/** The IPv4 address, as a word, that an address of the prefix stands for (RFC 6052 2.2: byte 8 is left out). */
export function embeddedWord(addresses: AddressTable, prefix: Nat64Prefix, id: number): number {
  const w1 = addresses.v6Word(id, 1);
  const w2 = addresses.v6Word(id, 2);
  const w3 = addresses.v6Word(id, 3);
  switch (prefix.bits) {
    case 32:
      return w1;
    case 40:
      return (w1 << 8) | ((w2 >>> 16) & 0xff);
    case 48:
      return (w1 << 16) | ((w2 >>> 8) & 0xffff);
    case 56:
      return (w1 << 24) | (w2 & 0xffffff);
    case 64:
      return (w2 << 8) | (w3 >>> 24);
    default:
      return w3;
  }
}

const bytes6 = new Uint8Array(16);
const bytes4 = new Uint8Array(4);

/** The id of the IPv6 address that stands for an IPv4 one (word), held once for the caller. */
export function holdEmbedded(addresses: AddressTable, prefix: Nat64Prefix, word: number): number {
  writeEmbedded(prefix, word);
  return addresses.internCounted(bytes6);
}

/** The same, given for good: for the few that no session holds, such as routers'. */
export function internEmbedded(addresses: AddressTable, prefix: Nat64Prefix, word: number): number {
  writeEmbedded(prefix, word);
  return addresses.lookupBytes(bytes6, 0, 16) || addresses.intern(bytes6);
}

/** The id of an IPv4 address (word), held once for the caller. */
export function holdIpv4(addresses: AddressTable, word: number): number {
  for (let i = 0; i < 4; i++) bytes4[i] = word >>> (24 - 8 * i);
  return addresses.internCounted(bytes4);
}

function writeEmbedded(prefix: Nat64Prefix, word: number): void {
  bytes6.fill(0);
  for (let i = 0; i < prefix.bits >> 3; i++) bytes6[i] = prefix.words[i >> 2] >>> (24 - 8 * (i & 3));
  let at = prefix.bits >> 3;
  for (let i = 0; i < 4; i++) {
    if (at === 8) at++;
    bytes6[at++] = word >>> (24 - 8 * i);
  }
}

/**
 * May the well-known prefix stand for this IPv4 address (word)? Not for private (RFC 1918), shared (RFC 6598), loopback,
 * link-local, multicast or unspecified ones. (Addresses for documentation and benchmarks count as global here.)
 */
export function isGlobal(word: number): boolean {
  const top = word >>> 24;
  if (top === 0 || top === 10 || top === 127 || top >= 224) return false;
  const second = (word >>> 16) & 0xff;
  if (top === 100) return (second & 0xc0) !== 64;
  if (top === 169) return second !== 254;
  if (top === 172) return (second & 0xf0) !== 16;
  return !(top === 192 && second === 168);
}

/** Word `k` of the mask of a prefix of `bits` bits, signed. */
function maskWord(bits: number, k: number): number {
  const rest = bits - 32 * k;
  return rest >= 32 ? -1 : rest <= 0 ? 0 : -1 << (32 - rest);
}
