/**
 * IPv4 and IPv6 addresses as text and numbers (RFC 4291, RFC 5952).
 *
 * @module
 */
import { InputError } from "./errors.ts";

/** An address. */
export interface IpAddress {
  /** IP version. */
  readonly family: 4 | 6;
  /** One (IPv4) or four (IPv6) unsigned 32-bit words, the leading one first. */
  readonly words: readonly number[];
}

/** `count` addresses from `first` on. */
export interface AddressRange {
  /** The first address. */
  first: IpAddress | string;
  /** How many, at least 1. */
  count: number;
}

/** A block of addresses that share their leading bits. */
export interface IpPrefix {
  /** An address of the block, as written: `10.0.0.5/8` keeps the 5. See {@linkcode networkOf}. */
  readonly address: IpAddress;
  /** How many leading bits count: 0 to 32, or to 128 for IPv6. */
  readonly bits: number;
}

/** Something that should be an address and is not. */
export class AddressError extends InputError {
  /** `message` is a whole sentence. */
  constructor(message: string) {
    super(message);
    this.name = "AddressError";
  }
}

/** Reads `192.0.2.1` or `2001:db8::1`. Throws {@linkcode AddressError}. Zone indices (`%eth0`) are not taken. */
export function parseAddress(text: string): IpAddress {
  return text.includes(":") ? parseIpv6(text) : { family: 4, words: [parseIpv4(text, text)] };
}

function parseIpv4(text: string, whole: string): number {
  const parts = text.split(".");
  if (parts.length !== 4) {
    throw new AddressError(`"${whole}" is not an IP address: write IPv4 as 192.0.2.1 or IPv6 as 2001:db8::1.`);
  }
  let word = 0;
  for (const part of parts) {
    if (!/^\d+$/.test(part)) {
      throw new AddressError(`"${whole}" is not an IP address: "${part}" is not a number from 0 to 255.`);
    }
    if (part.length > 1 && part[0] === "0") {
      throw new AddressError(`"${whole}" is not an IP address: "${part}" begins with a 0, which some read as octal.`);
    }
    if (Number(part) > 255) throw new AddressError(`"${whole}" is not an IP address: ${part} is above 255.`);
    word = word * 256 + Number(part);
  }
  return word;
}

function parseIpv6(text: string): IpAddress {
  const wrong = (why: string) => new AddressError(`"${text}" is not an IPv6 address: ${why}.`);
  if (text.includes("%")) throw wrong("zone indices (after %) are not supported");
  const halves = text.split("::");
  if (halves.length > 2) throw wrong(`"::" may stand only once`);
  const groupsOf = (half: string, last: boolean): number[] => {
    if (half === "") return [];
    const groups: number[] = [];
    const parts = half.split(":");
    for (const [index, part] of parts.entries()) {
      if (part.includes(".") && last && index === parts.length - 1) {
        const word = parseIpv4(part, text);
        groups.push(word >>> 16, word & 0xffff);
      } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
        groups.push(parseInt(part, 16));
      } else {
        throw wrong(part === "" ? `a ":" stands alone` : `"${part}" is not a group of 1 to 4 hexadecimal digits`);
      }
    }
    return groups;
  };
  const head = groupsOf(halves[0], halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1], true) : [];
  const count = head.length + tail.length;
  if (halves.length === 1 && count !== 8) throw wrong(`it has ${count} groups of 16 bits, not 8`);
  if (halves.length === 2 && count > 7) throw wrong(`"::" leaves nothing out, since there are ${count} groups`);
  const groups = [...head, ...new Array(8 - count).fill(0), ...tail];
  const words: number[] = [];
  for (let i = 0; i < 8; i += 2) words.push(groups[i] * 65536 + groups[i + 1]);
  return { family: 6, words };
}

/** The address as text; IPv6 as in RFC 5952 (lower case, the longest run of zeros cut; `::ffff:192.0.2.1`). */
export function formatAddress(address: IpAddress): string {
  const { words } = address;
  if (address.family === 4) return formatIpv4(words[0]);
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return `::ffff:${formatIpv4(words[3])}`;
  const groups: number[] = [];
  for (const word of words) groups.push(word >>> 16, word & 0xffff);
  let longest = 1; // a single zero group is not cut
  let start = -1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > longest) {
      longest = end - i;
      start = i;
    }
    if (end > i) i = end;
  }
  const hex = (from: number, to: number) => groups.slice(from, to).map((group) => group.toString(16)).join(":");
  return start < 0 ? hex(0, 8) : `${hex(0, start)}::${hex(start + longest, 8)}`;
}

function formatIpv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** The address in 4 or 16 bytes, as in a packet. Throws {@linkcode AddressError} at any other length. */
export function addressFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new AddressError(`An address has 4 or 16 bytes, not ${bytes.length}.`);
  }
  const words: number[] = [];
  for (let i = 0; i < bytes.length; i += 4) words.push(readWord(bytes, i) >>> 0);
  return { family: bytes.length === 4 ? 4 : 6, words };
}

/** The 4 or 16 bytes of an address, as in a packet. */
export function addressBytes(address: IpAddress): Uint8Array {
  const bytes = new Uint8Array(address.words.length * 4);
  for (const [i, word] of address.words.entries()) writeWord(word, bytes, 4 * i);
  return bytes;
}

/** Reads `10.0.0.0/8` or `2001:db8::/32`. The address is kept as written. Throws {@linkcode AddressError}. */
export function parsePrefix(text: string): IpPrefix {
  const slash = text.indexOf("/");
  if (slash < 0) throw new AddressError(`"${text}" has no prefix length: write it as 10.0.0.0/8 or 2001:db8::/32.`);
  const address = parseAddress(text.slice(0, slash));
  const most = address.family === 4 ? 32 : 128;
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(digits) || Number(digits) > most) {
    throw new AddressError(`"${text}" has the prefix length "${digits}": IPv${address.family} takes 0 to ${most}.`);
  }
  return { address, bits: Number(digits) };
}

/** The prefix as text, with the bits behind its length cleared: `10.0.0.0/8`. */
export function formatPrefix(prefix: IpPrefix): string {
  return `${formatAddress(networkOf(prefix))}/${prefix.bits}`;
}

/** The first address of a prefix. */
export function networkOf(prefix: IpPrefix): IpAddress {
  const { family, words } = prefix.address;
  return { family, words: words.map((word, i) => (word & maskOf(prefix.bits - 32 * i)) >>> 0) };
}

/** Whether the address lies in the prefix; never across families. */
export function prefixContains(prefix: IpPrefix, address: IpAddress): boolean {
  if (prefix.address.family !== address.family) return false;
  for (let i = 0; i < address.words.length; i++) {
    if ((prefix.address.words[i] ^ address.words[i]) & maskOf(prefix.bits - 32 * i)) return false;
  }
  return true;
}

/** A mask of the leading `bits` bits of a word; below 0 counts as 0, above 32 as 32. */
function maskOf(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits);
}

/** What an address is that no host can have: multicast, broadcast, loopback or none at all. Undefined for a host's. */
export function notAHostsAddress(address: IpAddress): string | undefined {
  const [first, ...rest] = address.words;
  if (address.family === 4) {
    if (first === 0) return "the unspecified address";
    if (first >>> 24 === 127) return "a loopback address";
    if (first === 0xffffffff) return "the broadcast address";
    return first >>> 28 === 0xe ? "a multicast address" : undefined;
  }
  if (first >>> 24 === 0xff) return "a multicast address";
  if (first !== 0 || rest[0] !== 0 || rest[1] !== 0 || rest[2] > 1) return undefined;
  return rest[2] === 0 ? "the unspecified address" : "a loopback address";
}

/** The address `n` further (or back, if negative); `n` is a safe integer. Throws {@linkcode AddressError} past either end. */
export function addToAddress(address: IpAddress, n: number): IpAddress {
  if (!Number.isSafeInteger(n)) throw new RangeError(`${n} is not a whole number to add to an address.`);
  const words = [...address.words];
  let carry = n;
  for (let i = words.length - 1; i >= 0 && carry !== 0; i--) {
    // Apart, so that the sum stays below 2^53.
    const high = Math.floor(carry / 4294967296);
    const sum = words[i] + (carry - high * 4294967296);
    words[i] = sum >>> 0;
    carry = high + (sum >= 4294967296 ? 1 : 0);
  }
  if (carry !== 0) {
    throw new AddressError(
      `${formatAddress(address)} ${n < 0 ? "-" : "+"} ${Math.abs(n)} is outside the IPv${address.family} addresses.`,
    );
  }
  return { family: address.family, words };
}

/** How far `b` is past `a` of the same family; exact below 2^53. */
export function addressDistance(a: IpAddress, b: IpAddress): number {
  let distance = 0;
  for (let i = 0; i < a.words.length; i++) distance = distance * 4294967296 + (b.words[i] - a.words[i]);
  return distance;
}

/** Below 0 if `a` comes before `b`, 0 if they are equal, else above 0: IPv4 before IPv6, then by number. */
export function compareAddresses(a: IpAddress, b: IpAddress): number {
  if (a.family !== b.family) return a.family - b.family;
  for (let i = 0; i < a.words.length; i++) {
    if (a.words[i] !== b.words[i]) return a.words[i] < b.words[i] ? -1 : 1;
  }
  return 0;
}

/** The signed 32-bit word at `at`, in network byte order. */
export function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

/** Writes a 32-bit word at `at`, in network byte order. */
export function writeWord(word: number, into: Uint8Array, at: number): void {
  into[at] = word >>> 24;
  into[at + 1] = word >>> 16;
  into[at + 2] = word >>> 8;
  into[at + 3] = word;
}
