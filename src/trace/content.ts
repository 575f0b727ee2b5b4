/**
 * What a packet says, as words that mean the same in every process: addresses by value, not by id. A trace compares,
 * predicts and codes these.
 *
 * @module
 */
import type { AddressTable } from "../base/address.ts";
import { finalise32 } from "../base/hash.ts";
import { CONTROL as CONTROL_BIT, EXTRA as EXTRA_ROW, PACKET, type PacketPool, TCP_FLAG } from "../wire/packet.ts";

/** Word offsets of a packet's content. */
export const CONTENT = {
  /** 4 or 6. */
  FAMILY: 0,
  /** Source address: one word, or four. */
  SRC: 1,
  /** Destination address. */
  DST: 5,
  /** As `PACKET.PORTS`, and so on. */
  PORTS: 9,
  SEQ: 10,
  ACK: 11,
  CONTROL: 12,
  /** TTL << 24 | traffic class << 16 | window: turned, so that a changed window is a small difference. */
  TTL_TOS_WINDOW: 13,
  LENGTH: 14,
  TS_VAL: 15,
  TS_ECR: 16,
  SYN_OPTIONS: 17,
  CORRUPT: 18,
  /**
   * What stands in the extra row: of an ICMP error the quoted packet (addresses of four words each, then ports, sequence
   * number, CONTROL, length, and window, TTL and traffic class); else the urgent pointer, the count of SACK blocks and the blocks, or
   * Fast Open's option: `EXTRA` from `URGENT` on. Zeros without.
   */
  EXTRA: 19,
  /** Words of the extra part. */
  EXTRA_WORDS: 14,
  /** Hash of real payload bytes, 0 for virtual ones. */
  PAYLOAD: 33,
  /** Words in all. */
  WORDS: 34,
} as const;

const { SRC, DST, PORTS, SEQ, CONTROL, LENGTH, EXTRA, PAYLOAD, WORDS } = CONTENT;
const { MASK, STRIDE } = PACKET;
const { QUOTES } = CONTROL_BIT;
const { SYN, FIN } = TCP_FLAG;

/** Reads a packet row into `into` from place `at` on. */
export function readContent(
  packets: PacketPool,
  addresses: AddressTable,
  packet: number,
  into: Int32Array,
  at: number,
): void {
  const words = packets.rows.words;
  const o = (packet * STRIDE) & MASK;
  into[at] = addresses.isIpv6(words[o + PACKET.SRC]) ? 6 : 4;
  readAddress(addresses, words[o + PACKET.SRC], into, at + SRC);
  readAddress(addresses, words[o + PACKET.DST], into, at + DST);
  into[at + PORTS] = words[o + PACKET.PORTS];
  into[at + SEQ] = words[o + PACKET.SEQ];
  into[at + CONTENT.ACK] = words[o + PACKET.ACK];
  into[at + CONTROL] = words[o + PACKET.CONTROL];
  const wtt = words[o + PACKET.WINDOW_TTL_TOS];
  into[at + CONTENT.TTL_TOS_WINDOW] = (wtt << 16) | (wtt >>> 16);
  into[at + LENGTH] = words[o + PACKET.LENGTH];
  into[at + CONTENT.TS_VAL] = words[o + PACKET.TS_VAL];
  into[at + CONTENT.TS_ECR] = words[o + PACKET.TS_ECR];
  into[at + CONTENT.SYN_OPTIONS] = words[o + PACKET.SYN_OPTIONS];
  into[at + CONTENT.CORRUPT] = words[o + PACKET.CORRUPT];
  into.fill(0, at + EXTRA, at + WORDS);
  const extra = words[o + PACKET.EXTRA];
  if (extra !== 0) readExtra(packets, addresses, extra, (words[o + PACKET.CONTROL] & QUOTES) !== 0, into, at);
}

function readExtra(
  packets: PacketPool,
  addresses: AddressTable,
  extra: number,
  quotes: boolean,
  into: Int32Array,
  at: number,
): void {
  const words = packets.extras.words;
  const from = extra * EXTRA_ROW.STRIDE;
  if (quotes) {
    readAddress(addresses, words[from + EXTRA_ROW.QUOTED_SRC], into, at + EXTRA);
    readAddress(addresses, words[from + EXTRA_ROW.QUOTED_DST], into, at + EXTRA + 4);
    for (let i = 0; i < 5; i++) into[at + EXTRA + 8 + i] = words[from + EXTRA_ROW.QUOTED_PORTS + i];
  } else {
    for (let i = 0; i < CONTENT.EXTRA_WORDS; i++) into[at + EXTRA + i] = words[from + EXTRA_ROW.URGENT + i];
    const nextHop = words[from + EXTRA_ROW.NEXT_HOP];
    if (nextHop !== 0) into[at + EXTRA + EXTRA_ROW.NEXT_HOP - EXTRA_ROW.URGENT] = addresses.word(nextHop);
  }
  const payload = words[from + EXTRA_ROW.PAYLOAD];
  if (payload !== 0) into[at + PAYLOAD] = hashBytes(packets.payloads.get(payload));
}

function readAddress(addresses: AddressTable, id: number, into: Int32Array, at: number): void {
  if (!addresses.isIpv6(id)) {
    into[at] = addresses.word(id);
    into[at + 1] = into[at + 2] = into[at + 3] = 0;
    return;
  }
  for (let k = 0; k < 4; k++) into[at + k] = addresses.v6Word(id, k);
}

/** 32 bits of FNV-1a, mixed; never 0. */
function hashBytes(bytes: Uint8Array): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ bytes[i], 0x01000193);
  return finalise32(h) || 1;
}

/** The number in sequence space that follows a packet's. */
export function nextSequence(words: Int32Array, at: number): number {
  const control = words[at + CONTROL];
  return (words[at + SEQ] + words[at + LENGTH] + (control & SYN ? 1 : 0) + (control & FIN ? 1 : 0)) | 0;
}
