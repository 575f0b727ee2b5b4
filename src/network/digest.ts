/**
 * The run's digest: every node keeps a running 64-bit hash over what it was delivered; the hashes are combined in
 * the nodes' scenario order, so that the result does not depend on how nodes were interleaved (DESIGN section 4).
 *
 * @module
 */
import { CONTROL as CONTROL_BIT, EXTRA, PACKET, type PacketPool } from "../wire/packet.ts";
import { NODE, type Nodes } from "../node/nodes.ts";
import type { AddressTable } from "../base/address.ts";
import { finalise32 } from "../base/hash.ts";
import { CLOCK } from "../store/clock.ts";

const { SRC, DST, PORTS, CONTROL, SYN_OPTIONS, CORRUPT, EXTRA: EXTRA_AT, MASK, STRIDE } = PACKET;
const { DIGEST_LO, DIGEST_HI, EVENT_LO, EVENT_HI, RANK, MASK: NODE_MASK, STRIDE: NODE_STRIDE } = NODE;
const EXTRA_STRIDE = EXTRA.STRIDE;
const EXTRA_MASK = EXTRA.MASK;
const { NOW } = CLOCK;
const QUOTES = CONTROL_BIT.QUOTES;
const { imul } = Math;

/** Odd multipliers of the two polynomial lanes. */
const P = 0x9e3779b1 | 0;
const Q = 0x85ebca77 | 0;

/** Mixes a delivery of packet `p` to `node` over the direction with rank `directionRank` now into the node's hash. */
export type DeliveryDigest = (p: number, node: number, directionRank: number) => void;

/**
 * Makes the function for the nodes, packets and clock of a partition (see `packet_path.ts`). Its bytecode is short enough
 * for V8 to inline it where packets are delivered (616 of 700 bytes, where it had 1,095: constants in locals, a loop that
 * V8 unrolls, an end of its own): it does without a call a hop.
 */
export function deliveryDigest(
  nodes: Int32Array,
  packets: PacketPool,
  addresses: AddressTable,
  clock: Float64Array,
): DeliveryDigest {
  const pool = packets.rows;

  function digestDelivery(p: number, node: number, directionRank: number): void {
    const rows = pool.words;
    const o = (p * STRIDE) & MASK;
    const at = (node * NODE_STRIDE) & NODE_MASK;
    const mul = imul;
    const m = P;
    const n = Q;
    const nowNs = clock[NOW];
    const timeLo = nowNs | 0;
    const timeHi = (nowNs / 4294967296) | 0;
    // Words enter in pairs, differently in the two lanes: one multiplication a pair and lane. The shift after it brings
    // what has risen to the high bits down again, where a further multiplication spreads it.
    let a = mul(nodes[at + DIGEST_LO] ^ timeLo, m);
    let b = mul(nodes[at + DIGEST_HI] ^ directionRank, n);
    a = ((a ^ (a >>> 15)) + (directionRank ^ mul(timeHi, n))) | 0;
    b = ((b ^ (b >>> 13)) + (timeLo ^ mul(timeHi, m))) | 0;
    let v = addresses.word(rows[o + SRC]);
    let w = addresses.word(rows[o + DST]);
    a = mul(a ^ v, m);
    b = mul(b ^ w, n);
    a = ((a ^ (a >>> 15)) + w) | 0;
    b = ((b ^ (b >>> 13)) + v) | 0;
    // (PORTS and SEQ, ACK and CONTROL, WINDOW_TTL_TOS and LENGTH, TS_VAL and TS_ECR.)
    for (let k: number = PORTS; k < SYN_OPTIONS; k += 2) {
      v = rows[o + k];
      w = rows[o + k + 1];
      a = mul(a ^ v, m);
      b = mul(b ^ w, n);
      a = ((a ^ (a >>> 15)) + w) | 0;
      b = ((b ^ (b >>> 13)) + v) | 0;
    }
    v = rows[o + SYN_OPTIONS];
    w = rows[o + CORRUPT];
    a = mul(a ^ v, m);
    b = mul(b ^ w, n);
    a = ((a ^ (a >>> 15)) + w) | 0;
    b = ((b ^ (b >>> 13)) + v) | 0;
    const extra = rows[o + EXTRA_AT];
    if (extra === 0) finish(at, a, b);
    else finishWithExtra(at, extra, (rows[o + CONTROL] & QUOTES) !== 0, a, b);
  }

  /** Writes the hash of the node whose row is at `at`. */
  function finish(at: number, a: number, b: number): void {
    a = imul(a, Q);
    b = imul(b, P);
    nodes[at + DIGEST_LO] = a ^ (a >>> 16);
    nodes[at + DIGEST_HI] = b ^ (b >>> 15);
  }

  /** As `finish`, with what stands in the extra row. */
  function finishWithExtra(at: number, extra: number, quotes: boolean, a: number, b: number): void {
    const h: number = hashExtra(packets, addresses, extra, quotes);
    finish(at, imul(a ^ h, P), imul(b ^ (b >>> 15) ^ h, Q));
  }

  return digestDelivery;
}

/** Mixes an event (a drop, a NAT decision, a timer that acted) at `node` into the event digest. */
export function digestEvent(
  nodes: Int32Array,
  node: number,
  code: number,
  argument: number,
  clock: Float64Array,
): void {
  const nowNs = clock[NOW];
  const at = (node * NODE_STRIDE) & NODE_MASK;
  let a = nodes[at + EVENT_LO];
  let b = nodes[at + EVENT_HI];
  const w = (nowNs | 0) ^ Math.imul(code + 1, 0x27d4eb2f);
  a = (Math.imul(a ^ w, P) + argument) | 0;
  b = (Math.imul(b ^ argument, Q) + w + ((nowNs / 4294967296) | 0)) | 0;
  nodes[at + EVENT_LO] = a ^ (a >>> 15);
  nodes[at + EVENT_HI] = b ^ (b >>> 13);
}

/** Combines all nodes' hashes in rank order: 16 hexadecimal digits. `which` chooses deliveries or events. */
export function combineDigest(nodes: Nodes, which: "deliveries" | "events"): string {
  const lo = which === "deliveries" ? DIGEST_LO : EVENT_LO;
  const hi = which === "deliveries" ? DIGEST_HI : EVENT_HI;
  let a = 0x811c9dc5 | 0;
  let b = 0x01000193;
  // Populations stand in the order of their names, members in rows of their own order: rank order.
  for (const population of nodes.populations) {
    for (let i = 0; i < population.count; i++) {
      const at = (population.firstRow + i) * NODE_STRIDE;
      const rank = nodes.words[at + RANK];
      a = finalise32(Math.imul(a, P) ^ nodes.words[at + lo] ^ rank);
      b = finalise32((Math.imul(b, Q) + nodes.words[at + hi] + rank) | 0);
    }
  }
  return hex(finalise32(a ^ Math.imul(b, P))) + hex(b);
}

/** Delivery and event digests of at most `MOST_GROUPS` groups of nodes of consecutive ranks, 16 bytes each. */
export function groupDigests(nodes: Nodes): Uint8Array {
  const count = nodes.populations.reduce((sum, population) => sum + population.count, 0);
  const size = groupSize(count);
  const words = new Int32Array(4 * Math.ceil(count / size));
  let rank = 0;
  for (const population of nodes.populations) {
    for (let i = 0; i < population.count; i++, rank++) {
      const at = (population.firstRow + i) * NODE_STRIDE;
      const to = 4 * Math.floor(rank / size);
      for (let k = 0; k < 4; k++) {
        words[to + k] = finalise32(Math.imul(words[to + k], P) ^ nodes.words[at + DIGEST_LO + k]);
      }
    }
  }
  return new Uint8Array(words.buffer);
}

/** Nodes in a group of `groupDigests`, of `count` nodes in all. */
export function groupSize(count: number): number {
  return Math.max(1, Math.ceil(count / MOST_GROUPS));
}

/** Groups at most. */
const MOST_GROUPS = 256;

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}

/** Hash of what stands in an extra row: option blocks, a quoted packet, real payload bytes. */
function hashExtra(packets: PacketPool, addresses: AddressTable, extra: number, quotes: boolean): number {
  const words = packets.extras.words;
  const at = (extra * EXTRA_STRIDE) & EXTRA_MASK;
  let h = 0x165667b1;
  for (let i: number = EXTRA.URGENT; i < EXTRA_STRIDE; i++) {
    let w = words[at + i];
    // Quoted addresses are ids, which may differ from run to run: hash the addresses themselves.
    if (quotes && (i === EXTRA.QUOTED_SRC || i === EXTRA.QUOTED_DST)) w = addresses.word(w);
    if (i === EXTRA.NEXT_HOP && w !== 0) w = addresses.word(w);
    h = (Math.imul(h ^ w, P) + i) | 0;
  }
  const payload = words[at + EXTRA.PAYLOAD];
  if (payload !== 0) {
    const bytes = packets.payloads.get(payload);
    for (let i = 0; i < bytes.length; i++) h = (Math.imul(h ^ bytes[i], P) + 1) | 0;
  }
  return finalise32(h);
}
