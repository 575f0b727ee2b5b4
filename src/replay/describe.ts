/**
 * Packet events of a trace as text: in tcpdump's style, and what differs between two of them.
 *
 * @module
 */
import { AddressTable, formatAddress, type IpAddress } from "../base/address.ts";
import { DROP_REASONS } from "../network/drops.ts";
import { CONTROL, EXTRA, PACKET, PacketPool, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { formatPacket } from "../wire/tcpdump.ts";
import { CONTENT } from "../trace/content.ts";
import type { PacketEvent } from "../trace/packet_decoder.ts";
import type { Places } from "../trace/places.ts";

const { FAMILY, SRC, DST, CONTROL: CONTROL_AT, TTL_TOS_WINDOW, EXTRA: EXTRA_AT, EXTRA_WORDS } = CONTENT;
/** Control bits that need the extra row. */
const EXTRA_BITS = CONTROL.HAS_SACK | CONTROL.QUOTES | CONTROL.HAS_FAST_OPEN;

/** The four numbers and addresses that name a packet's connection. */
export interface EventTuple {
  source: IpAddress;
  destination: IpAddress;
  ports: number;
  tcp: boolean;
}

/** Who sent the packet of an event to whom. */
export function tupleOf({ content }: PacketEvent): EventTuple {
  return {
    source: addressAt(content, SRC),
    destination: addressAt(content, DST),
    ports: content[CONTENT.PORTS],
    tcp: content[CONTROL_AT] >>> CONTROL.PROTOCOL_SHIFT === PROTOCOL.TCP,
  };
}

/** One line: when, where, what. */
export function eventLine(event: PacketEvent, places: Places): string {
  const where = event.dropped ? places.nodeName(event.rank) : places.directionName(event.rank);
  const what = event.dropped ? ` dropped (${DROP_REASONS[event.reason] ?? event.reason})` : "";
  return `${packetText(event)}  [${where}${what}]`;
}

/** The packet as tcpdump prints it. */
export function packetText({ content, timeNs }: PacketEvent): string {
  const pool = new PacketPool({ capacity: 4 });
  const addresses = new AddressTable();
  const p = pool.allocate();
  const words = pool.rows.words;
  const o = p * PACKET.STRIDE;
  words[o + PACKET.SRC] = addresses.intern(addressAt(content, SRC));
  words[o + PACKET.DST] = addresses.intern(addressAt(content, DST));
  words[o + PACKET.PORTS] = content[CONTENT.PORTS];
  words[o + PACKET.SEQ] = content[CONTENT.SEQ];
  words[o + PACKET.ACK] = content[CONTENT.ACK];
  // (Its bytes are not here: the text does not need them.)
  words[o + PACKET.CONTROL] = content[CONTROL_AT] & ~CONTROL.REAL_PAYLOAD;
  const turned = content[TTL_TOS_WINDOW];
  words[o + PACKET.WINDOW_TTL_TOS] = (turned << 16) | (turned >>> 16);
  words[o + PACKET.LENGTH] = content[CONTENT.LENGTH];
  words[o + PACKET.TS_VAL] = content[CONTENT.TS_VAL];
  words[o + PACKET.TS_ECR] = content[CONTENT.TS_ECR];
  words[o + PACKET.SYN_OPTIONS] = content[CONTENT.SYN_OPTIONS];
  words[o + PACKET.CORRUPT] = content[CONTENT.CORRUPT];
  const urgent = (content[CONTROL_AT] & TCP_FLAG.URG) !== 0;
  if ((content[CONTROL_AT] & EXTRA_BITS) !== 0 || urgent) fillExtra(pool, addresses, p, content);
  return formatPacket(pool, addresses, p, timeNs);
}

function fillExtra(pool: PacketPool, addresses: AddressTable, p: number, content: Int32Array): void {
  const at = pool.extraOf(p) * EXTRA.STRIDE;
  const extras = pool.extras.words;
  if ((content[CONTROL_AT] & CONTROL.QUOTES) === 0) {
    for (let k = 0; k < EXTRA_WORDS; k++) extras[at + EXTRA.URGENT + k] = content[EXTRA_AT + k];
    return;
  }
  extras[at + EXTRA.QUOTED_SRC] = addresses.intern(addressAt(content, EXTRA_AT));
  extras[at + EXTRA.QUOTED_DST] = addresses.intern(addressAt(content, EXTRA_AT + 4));
  for (let k = 0; k < 5; k++) extras[at + EXTRA.QUOTED_PORTS + k] = content[EXTRA_AT + 8 + k];
}

function addressAt(content: Int32Array, at: number): IpAddress {
  const family = content[FAMILY] === 6 ? 6 : 4;
  return { family, words: Array.from({ length: family === 6 ? 4 : 1 }, (_, k) => content[at + k] >>> 0) };
}

/** A field that two events do not share. */
export interface FieldDifference {
  /** Its name, in the field's words. */
  field: string;
  /** What was recorded, and what there is now. */
  recorded: string;
  now: string;
}

const unsigned = (word: number) => String(word >>> 0);
const FIELDS: readonly (readonly [name: string, read: (content: Int32Array) => string])[] = [
  ["source address", (c) => addressText(c, SRC)],
  ["destination address", (c) => addressText(c, DST)],
  ["source port", (c) => String(c[CONTENT.PORTS] >>> 16)],
  ["destination port", (c) => String(c[CONTENT.PORTS] & 0xffff)],
  ["protocol", (c) => String(c[CONTROL_AT] >>> CONTROL.PROTOCOL_SHIFT)],
  ["flags", (c) => flagsText(c[CONTROL_AT])],
  ["options", (c) => optionsText(c[CONTROL_AT])],
  ["don't fragment", (c) => (c[CONTROL_AT] & CONTROL.DONT_FRAGMENT) === 0 ? "no" : "yes"],
  ["sequence number", (c) => unsigned(c[CONTENT.SEQ])],
  ["acknowledgement number", (c) => unsigned(c[CONTENT.ACK])],
  ["window", (c) => String(c[TTL_TOS_WINDOW] & 0xffff)],
  ["TTL", (c) => String(c[TTL_TOS_WINDOW] >>> 24)],
  ["traffic class", (c) => String((c[TTL_TOS_WINDOW] >>> 16) & 0xff)],
  ["length", (c) => String(c[CONTENT.LENGTH])],
  ["timestamp value", (c) => unsigned(c[CONTENT.TS_VAL])],
  ["timestamp echo", (c) => unsigned(c[CONTENT.TS_ECR])],
  ["MSS", (c) => optionText(c, CONTROL.HAS_MSS, c[CONTENT.SYN_OPTIONS] & 0xffff)],
  ["window scale", (c) => optionText(c, CONTROL.HAS_WINDOW_SCALE, c[CONTENT.SYN_OPTIONS] >>> 16)],
  ["flipped bit", (c) => c[CONTENT.CORRUPT] === 0 ? "none" : unsigned(c[CONTENT.CORRUPT] - 1)],
  ["SACK blocks, quoted packet or further options", (c) => c.subarray(EXTRA_AT, EXTRA_AT + EXTRA_WORDS).join(" ")],
  ["payload (hash of its bytes)", (c) => unsigned(c[CONTENT.PAYLOAD])],
];

/** What differs between two events. */
export function differences(recorded: PacketEvent, now: PacketEvent, places: Places): FieldDifference[] {
  const found: FieldDifference[] = [];
  const compare = (field: string, a: string, b: string) => {
    if (a !== b) found.push({ field, recorded: a, now: b });
  };
  compare("time", `${seconds(recorded.timeNs)} s`, `${seconds(now.timeNs)} s`);
  compare("place", placeText(recorded, places), placeText(now, places));
  compare("drop reason", reasonText(recorded), reasonText(now));
  for (const [name, read] of FIELDS) compare(name, read(recorded.content), read(now.content));
  return found;
}

/** Simulated time with nine decimals. */
export function seconds(timeNs: number): string {
  const whole = Math.floor(timeNs / 1e9);
  return `${whole}.${String(timeNs - whole * 1e9).padStart(9, "0")}`;
}

function placeText(event: PacketEvent, places: Places): string {
  return event.dropped ? `dropped at ${places.nodeName(event.rank)}` : `[${places.directionName(event.rank)}]`;
}

function reasonText(event: PacketEvent): string {
  return event.dropped ? DROP_REASONS[event.reason] ?? String(event.reason) : "none";
}

function addressText(content: Int32Array, at: number): string {
  return formatAddress(addressAt(content, at));
}

const OPTION_NAMES: readonly (readonly [bit: number, name: string])[] = [
  [CONTROL.HAS_MSS, "MSS"],
  [CONTROL.HAS_SACK_PERMITTED, "SACK permitted"],
  [CONTROL.HAS_TIMESTAMPS, "timestamps"],
  [CONTROL.HAS_WINDOW_SCALE, "window scale"],
  [CONTROL.HAS_SACK, "SACK blocks"],
  [CONTROL.HAS_FAST_OPEN, "Fast Open"],
];

function optionsText(control: number): string {
  const names = OPTION_NAMES.filter(([bit]) => (control & bit) !== 0).map(([, name]) => name);
  return names.length === 0 ? "none" : names.join(", ");
}

function optionText(content: Int32Array, bit: number, value: number): string {
  return (content[CONTROL_AT] & bit) === 0 ? "none" : String(value);
}

function flagsText(control: number): string {
  const names = Object.entries(TCP_FLAG).filter(([, bit]) => (control & bit) !== 0).map(([name]) => name);
  return names.length === 0 ? "none" : names.join(" ");
}
