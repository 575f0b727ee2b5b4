/**
 * Translation turned off for some destinations (RFC 6888 REQ-6): what inner addresses and these say to each other passes
 * a gateway as it would a router. IPv4 only.
 *
 * @module
 */
import { CONTROL, EXTRA, PACKET, PROTOCOL } from "../wire/packet.ts";
import type { NatTables } from "./tables.ts";

const { SRC, DST, PORTS, CONTROL: CONTROL_AT, EXTRA: EXTRA_AT, MASK, STRIDE } = PACKET;
const { QUOTED_DST, QUOTED_SRC, QUOTED_PORTS, QUOTED_CONTROL, STRIDE: EXTRA_STRIDE } = EXTRA;
const { QUOTES, PROTOCOL_SHIFT } = CONTROL;
const { TCP, UDP } = PROTOCOL;

/** An IPv4 prefix: its bits, signed, and their mask. */
export interface Ipv4Prefix {
  readonly word: number;
  readonly mask: number;
}

/** What a gateway does not translate. */
export interface Untranslated {
  /** Inner addresses that are known outside. */
  readonly inside: Ipv4Prefix;
  /** Destinations. */
  readonly to: readonly Ipv4Prefix[];
  /** Their ports, of TCP and UDP; none for all, of any protocol. */
  readonly ports: readonly number[];
}

/** The prefix of `bits` bits that an address (word) begins with. */
export function ipv4Prefix(word: number, bits: number): Ipv4Prefix {
  const mask = bits === 0 ? 0 : -1 << (32 - bits);
  return { word: word & mask, mask };
}

/** Is an inner host's packet to this destination passed on as it is? */
export function isUntranslated(t: NatTables, gateway: number, inner: number, remote: number, port: number): boolean {
  const off = t.extrasIfAny(gateway)?.untranslated;
  if (off === undefined || t.addresses.isIpv6(inner) || t.addresses.isIpv6(remote)) return false;
  const { inside, to, ports } = off;
  if ((t.addresses.word(inner) & inside.mask) !== inside.word) return false;
  const word = t.addresses.word(remote);
  if (ports.length > 0 && !ports.includes(port)) return false;
  return to.some((prefix) => (word & prefix.mask) === prefix.word);
}

/** Is a packet from inside passed on as it is? An ICMP error is if the packet that it is about was. */
export function passesOutward(t: NatTables, gateway: number, packet: number): boolean {
  const words = t.packets.rows.words;
  const at = (packet * STRIDE) & MASK;
  if ((words[at + CONTROL_AT] & QUOTES) !== 0) {
    const extras = t.packets.extras.words;
    const quote = words[at + EXTRA_AT] * EXTRA_STRIDE;
    const port = portOf(extras[quote + QUOTED_CONTROL], extras[quote + QUOTED_PORTS] >>> 16);
    return isUntranslated(t, gateway, extras[quote + QUOTED_DST], extras[quote + QUOTED_SRC], port);
  }
  const port = portOf(words[at + CONTROL_AT], words[at + PORTS] & 0xffff);
  return isUntranslated(t, gateway, words[at + SRC], words[at + DST], port);
}

/** Is a packet from outside passed on as it is? */
export function passesInward(t: NatTables, gateway: number, packet: number): boolean {
  const words = t.packets.rows.words;
  const at = (packet * STRIDE) & MASK;
  if ((words[at + CONTROL_AT] & QUOTES) !== 0) {
    const extras = t.packets.extras.words;
    const quote = words[at + EXTRA_AT] * EXTRA_STRIDE;
    const port = portOf(extras[quote + QUOTED_CONTROL], extras[quote + QUOTED_PORTS] & 0xffff);
    return isUntranslated(t, gateway, extras[quote + QUOTED_SRC], extras[quote + QUOTED_DST], port);
  }
  const port = portOf(words[at + CONTROL_AT], words[at + PORTS] >>> 16);
  return isUntranslated(t, gateway, words[at + DST], words[at + SRC], port);
}

/** A port of TCP or UDP, -1 of another protocol. */
function portOf(control: number, port: number): number {
  const protocol = control >>> PROTOCOL_SHIFT;
  return protocol === TCP || protocol === UDP ? port : -1;
}
