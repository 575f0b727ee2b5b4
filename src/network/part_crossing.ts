/**
 * Packets that cross from one part of a network to another: their rows as words in a ring of shared memory, with the time
 * of their arrival. Each message begins with a cache line. Their place in the total order (link direction, its packet number) is in the row already.
 *
 * @module
 */
import { DIRECTION } from "../link/links.ts";
import { CLOCK } from "../store/clock.ts";
import { LINE_WORDS, type SharedRing } from "../store/shared_ring.ts";
import type { WordList } from "../store/word_list.ts";
import { CONTROL, EXTRA, PACKET } from "../wire/packet.ts";
import type { Part } from "./part.ts";
import type { Partition } from "./partition.ts";

const { SRC, DST, EXTRA: EXTRA_AT, CONTROL: CONTROL_AT, HASH, CORRUPT, MASK, STRIDE } = PACKET;
const { PAYLOAD, QUOTED_SRC, QUOTED_DST, NEXT_HOP, MASK: EXTRA_MASK, STRIDE: EXTRA_STRIDE } = EXTRA;
const { TO, MASK: DIRECTION_MASK, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const { QUOTES, STEERED } = CONTROL;
const { TIME } = CLOCK;

/** Words of a ring: 1 MiB. And of one that sightings go through, which are more than packets. */
export const RING_WORDS = 2 ** 18;
export const SIGHTINGS_RING_WORDS = 2 ** 20;

/** How often a thread looks for an answer before it sleeps, and how long, ms. */
const SPINS = 4000;
const NAP_MS = 0.1;

/** Kinds of messages: the low two bits of their first word. */
const KIND = { NOTE: 0, PACKET: 1, BYTES: 2, SIGHTINGS: 3 } as const;
/** A packet's first word has, besides, whether an extra row follows; then which addresses follow, spelt out. */
const WITH_EXTRA = 4;
const SPELT_SHIFT = 8;
/** Or it has this alone: the packet stands in one line (`putPlain`). */
const PLAIN = KIND.PACKET | 8;
/** The word of that line at which the time of its arrival stands, a number of two words. */
const TIME_AT = 14;
const SPELT = { SRC: 1, DST: 2, QUOTED_SRC: 4, QUOTED_DST: 8, NEXT_HOP: 16 } as const;

const WORD = 4294967296;

/** Words of a message of sightings, at least: they are not taken apart. */
const SIGHTINGS_WORDS = 16_384;

/** What words are written to, and read from. */
type Writable = Pick<SharedRing, "put">;
type Readable = Pick<SharedRing, "take">;

/**
 * Writes the row of a packet without an extra row or a flipped bit into the line of a ring at word `at`: its kind stands
 * where the source is in the row, the source where the hash is, which is 0 on links, and the time of its arrival in the
 * rest. (One line, and no loop: a third of the instructions.)
 */
function putPlain(rows: Int32Array, o: number, { words, numbers }: SharedRing, at: number, timeNs: number): void {
  words[at] = PLAIN;
  words[at + 1] = rows[o + 1];
  words[at + 2] = rows[o + 2];
  words[at + 3] = rows[o + 3];
  words[at + 4] = rows[o + 4];
  words[at + 5] = rows[o + 5];
  words[at + 6] = rows[o + 6];
  words[at + 7] = rows[o + 7];
  words[at + 8] = rows[o + 8];
  words[at + 9] = rows[o + 9];
  words[at + 10] = rows[o + 10];
  words[at + 11] = rows[o + 11];
  words[at + 12] = rows[o + 12];
  words[at + HASH] = rows[o + SRC];
  numbers[at + TIME_AT >> 1] = timeNs;
}

/** Reads it, but for the time, into a row that is zero. */
function takePlain(rows: Int32Array, o: number, words: Int32Array, at: number): void {
  rows[o + SRC] = words[at + HASH];
  rows[o + 1] = words[at + 1];
  rows[o + 2] = words[at + 2];
  rows[o + 3] = words[at + 3];
  rows[o + 4] = words[at + 4];
  rows[o + 5] = words[at + 5];
  rows[o + 6] = words[at + 6];
  rows[o + 7] = words[at + 7];
  rows[o + 8] = words[at + 8];
  rows[o + 9] = words[at + 9];
  rows[o + 10] = words[at + 10];
  rows[o + 11] = words[at + 11];
  rows[o + 12] = words[at + 12];
}

/** Hands packet `p`, which arrives over direction `d` at `clock[TIME]`, to the part that `d` leads to. */
export function sendAway(s: Partition, part: Part, d: number, p: number): void {
  const timeNs = s.clock[TIME];
  if (timeNs < part.earliestSentNs) part.earliestSentNs = timeNs;
  const ring = part.outgoing[part.owners[s.links.words[((d * DIRECTION_STRIDE) & DIRECTION_MASK) + TO]]]!;
  const pool = s.packets.rows;
  const rows = pool.words;
  const o = (p * STRIDE) & MASK;
  const { commonBlocks } = part;
  if (
    (rows[o + EXTRA_AT] | rows[o + CORRUPT]) !== 0 || commonBlocks[rows[o + SRC] >>> 8] !== 1 ||
    commonBlocks[rows[o + DST] >>> 8] !== 1 || part.sightings !== undefined || !ring.hasRoom(LINE_WORDS)
  ) return sendElaborate(s, part, ring, d, p);
  putPlain(rows, o, ring, ring.at & ring.mask & MASK, timeNs);
  ring.at = (ring.at + LINE_WORDS) | 0;
  pool.release(p);
}

/** As `sendAway`, of any packet. */
function sendElaborate(s: Partition, part: Part, ring: SharedRing, d: number, p: number): void {
  const timeNs = s.clock[TIME];
  const o = (p * STRIDE) & MASK;
  const extra = s.packets.rows.words[o + EXTRA_AT];
  const bytes = extra === 0 ? undefined : payloadOf(s, extra);
  const most = 3 + STRIDE + (extra === 0 ? 0 : EXTRA_STRIDE + 1 + ((bytes?.length ?? 0) + 3 >> 2)) + 25;
  if (!ring.hasRoom(most)) waitForRoom(s, part, ring, most);
  const rows = s.packets.rows.words;
  const spelt = speltOf(s, part, o, extra);
  ring.put(KIND.PACKET | (extra === 0 ? 0 : WITH_EXTRA) | (spelt << SPELT_SHIFT));
  ring.put(timeNs | 0);
  ring.put((timeNs / WORD) | 0);
  for (let i = 0; i < STRIDE; i++) ring.put(rows[o + i]);
  if (extra !== 0) {
    const extras = s.packets.extras.words;
    for (let i = 0; i < EXTRA_STRIDE; i++) ring.put(extras[extra * EXTRA_STRIDE + i]);
    ring.put(bytes === undefined ? -1 : bytes.length);
    if (bytes !== undefined) putBytes(ring, bytes);
  }
  if (spelt !== 0) putAddresses(s, ring, spelt, o, extra);
  ring.align();
  part.sightings?.left(d, p);
  s.packets.release(p);
}

/** Takes in what has come from the other parts. */
export function takeArrivals(s: Partition, part: Part): void {
  if (s.spoofs.length > 0) part.spoofs.letGo(s);
  for (let from = 0; from < part.count; from++) {
    const ring = part.incoming[from];
    if (ring === undefined) continue;
    if (ring.readable() === 0) continue;
    do {
      takePlainPackets(s, ring);
      if (ring.readable() === 0) break;
      const first = ring.take();
      if ((first & 3) === KIND.BYTES) part.bytes[from].push(takeMany(ring, first >>> 2));
      else if ((first & 3) === KIND.SIGHTINGS) takeSightings(part, from, ring, first >>> 2);
      else takeOther(s, part, ring, first);
      ring.align();
    } while (ring.readable() > 0);
    ring.done();
  }
}

/** Takes in the packets in a ring up to the first message that is anything else. */
function takePlainPackets(s: Partition, ring: SharedRing): void {
  const { queue, clock } = s;
  const pool = s.packets.rows;
  const { words, numbers, mask } = ring;
  let left = ring.readable();
  for (; left > 0; left = (left - LINE_WORDS) | 0) {
    // (Rows and lines have as many words: with this mask no sum of offsets is checked.)
    const at = ring.at & mask & MASK;
    if (words[at] !== PLAIN) return;
    const p = pool.allocate();
    takePlain(pool.words, (p * STRIDE) & MASK, words, at);
    clock[TIME] = numbers[at + TIME_AT >> 1];
    queue.pushTimed(p << 1);
    ring.at = (ring.at + LINE_WORDS) | 0;
  }
}

/** What was put into the rings is the others' now. */
export function handOver(part: Part): void {
  for (const ring of part.outgoing) ring?.handOver();
}

/** Bytes of a piece of a long text. */
const PIECE = 65_536;

/** Sends bytes to another part, which has to take them meanwhile; an empty piece says that this is all. */
export function sendBytes(s: Partition, part: Part, to: number, bytes: Uint8Array): void {
  const ring = part.outgoing[to]!;
  for (let at = 0; at <= bytes.length; at += PIECE) {
    const piece = bytes.subarray(at, at + PIECE);
    const words = 1 + (piece.length + 3 >> 2);
    if (!ring.hasRoom(words)) waitForRoom(s, part, ring, words);
    ring.put(KIND.BYTES | (piece.length << 2));
    putMany(ring, piece);
    ring.align();
    ring.handOver();
    if (piece.length < PIECE) return;
  }
}

/** Waits for bytes that `from` sends with `sendBytes`. */
export function receiveBytes(s: Partition, part: Part, from: number): Uint8Array {
  const ring = part.incoming[from]!;
  const pieces: Uint8Array[] = [];
  let length = 0;
  // (They may have come with the last arrivals.)
  const early = part.bytes[from];
  for (;;) {
    let piece = early.shift();
    if (piece === undefined) {
      for (let spins = 1; ring.readable() === 0; spins++) {
        if (spins % SPINS !== 0) continue;
        part.check();
        // (Nobody wakes it.)
        Atomics.wait(ring.words, 0, ring.words[0], NAP_MS);
      }
      const first = ring.take();
      if ((first & 3) !== KIND.BYTES) {
        if ((first & 3) === KIND.SIGHTINGS) takeSightings(part, from, ring, first >>> 2);
        else takeOther(s, part, ring, first);
        ring.align();
        continue;
      }
      piece = takeMany(ring, first >>> 2);
      ring.align();
      ring.done();
    }
    pieces.push(piece);
    length += piece.length;
    if (piece.length === PIECE) continue;
    const whole = new Uint8Array(length);
    let at = 0;
    for (const one of pieces) {
      whole.set(one, at);
      at += one.length;
    }
    return whole;
  }
}

/** Tells all other parts three numbers of 32 bits: `Part.notes` of this kind gets them, before any later packet. */
export function sendNote(s: Partition, part: Part, kind: number, a: number, b: number, c: number): void {
  for (const ring of part.outgoing) {
    if (ring === undefined) continue;
    if (!ring.hasRoom(4)) waitForRoom(s, part, ring, 4);
    for (const word of [KIND.NOTE | (kind << 2), a, b, c]) ring.put(word);
    ring.align();
  }
}

function takeOther(s: Partition, part: Part, ring: SharedRing, first: number): void {
  if ((first & 3) === KIND.PACKET) return takePacket(s, part, ring, first);
  const [a, b, c] = [ring.take(), ring.take(), ring.take()];
  part.notes[first >>> 2](a, b, c);
}

function takePacket(s: Partition, part: Part, ring: SharedRing, first: number): void {
  if (first === PLAIN) {
    ring.at = (ring.at - 1) | 0;
    return takePlainPackets(s, ring);
  }
  const timeNs = (ring.take() >>> 0) + ring.take() * WORD;
  const p = s.packets.allocate();
  const o = (p * STRIDE) & MASK;
  const rows = s.packets.rows.words;
  for (let i = 0; i < STRIDE; i++) rows[o + i] = ring.take();
  let e = 0;
  if ((first & WITH_EXTRA) !== 0) {
    rows[o + EXTRA_AT] = 0;
    e = s.packets.extraOf(p) * EXTRA_STRIDE;
    const extras = s.packets.extras.words;
    for (let i = 0; i < EXTRA_STRIDE; i++) extras[e + i] = ring.take();
    const length = ring.take();
    extras[e + PAYLOAD] = length < 0 ? 0 : s.packets.payloads.put(takeBytes(ring, length));
  }
  const spelt = first >>> SPELT_SHIFT;
  if (spelt !== 0) {
    takeAddresses(s, ring, spelt, o, e);
    if (s.spoofs.length > 0) eachSpelt(s, spelt, o, e, (id) => part.spoofs.hold(s, id, timeNs));
  }
  s.queue.push(timeNs, p << 1);
}

/** Hands what is written in `list`, whole sightings, over to the first part. */
export function sendSightings(s: Partition, part: Part, list: WordList): void {
  const ring = part.outgoing[0]!;
  while (list.filled) {
    const { words, begin } = list;
    let end = begin;
    while (end < list.end && end - begin < SIGHTINGS_WORDS) end += words[end] >>> 3;
    if (!ring.hasRoom(1 + end - begin)) waitForRoom(s, part, ring, 1 + end - begin);
    ring.put(KIND.SIGHTINGS | ((end - begin) << 2));
    for (let i = begin; i < end; i++) ring.put(words[i]);
    ring.align();
    ring.handOver();
    list.begin = end;
  }
}

function takeSightings(part: Part, from: number, ring: SharedRing, count: number): void {
  const list = part.sighted[from];
  list.reserve(count);
  for (let i = 0; i < count; i++) list.put(ring.take());
}

/** Which addresses of a packet have ids that other parts may not know. */
export function speltOf(s: Partition, part: Part, o: number, extra: number): number {
  const rows = s.packets.rows.words;
  const strange = (id: number) => id !== 0 && part.commonBlocks[id >>> 8] !== 1;
  let spelt = (strange(rows[o + SRC]) ? SPELT.SRC : 0) | (strange(rows[o + DST]) ? SPELT.DST : 0);
  if (extra === 0) return spelt;
  const extras = s.packets.extras.words;
  const e = (extra * EXTRA_STRIDE) & EXTRA_MASK;
  const control = rows[o + CONTROL_AT];
  if ((control & QUOTES) !== 0) {
    if (strange(extras[e + QUOTED_SRC])) spelt |= SPELT.QUOTED_SRC;
    if (strange(extras[e + QUOTED_DST])) spelt |= SPELT.QUOTED_DST;
  }
  if ((control & STEERED) !== 0 && strange(extras[e + NEXT_HOP])) spelt |= SPELT.NEXT_HOP;
  return spelt;
}

function payloadOf(s: Partition, extra: number): Uint8Array | undefined {
  const handle = s.packets.extras.words[extra * EXTRA_STRIDE + PAYLOAD];
  return handle === 0 ? undefined : s.packets.payloads.get(handle);
}

/** The reader is behind: takes in what has come here meanwhile, so that nobody waits for one another. */
function waitForRoom(s: Partition, part: Part, ring: SharedRing, words: number): void {
  ring.handOver();
  while (!ring.hasRoom(words)) {
    takeArrivals(s, part);
    part.check();
  }
}

/** Writes bytes as words. */
export function putBytes(ring: Writable, bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i += 4) {
    ring.put(bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24));
  }
}

/** Reads bytes that stand there as words. */
export function takeBytes(ring: Readable, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 4) {
    const word = ring.take();
    for (let k = 0; k < 4 && i + k < length; k++) bytes[i + k] = word >>> (8 * k);
  }
  return bytes;
}

/** The same of many bytes, at once. */
function putMany(ring: SharedRing, bytes: Uint8Array): void {
  const words = new Int32Array(bytes.length + 3 >> 2);
  new Uint8Array(words.buffer).set(bytes);
  ring.putAll(words);
}

function takeMany(ring: SharedRing, length: number): Uint8Array {
  const words = new Int32Array(length + 3 >> 2);
  ring.takeAll(words);
  const bytes = new Uint8Array(words.buffer);
  return length === bytes.length ? bytes : bytes.slice(0, length);
}

/** Writes the addresses that are to be spelt out of the packet whose row begins at `o`. */
export function putAddresses(s: Partition, to: Writable, spelt: number, o: number, extra: number): void {
  const rows = s.packets.rows.words;
  const extras = s.packets.extras.words;
  const e = (extra * EXTRA_STRIDE) & EXTRA_MASK;
  if (spelt & SPELT.SRC) putAddress(s, to, rows[o + SRC]);
  if (spelt & SPELT.DST) putAddress(s, to, rows[o + DST]);
  if (spelt & SPELT.QUOTED_SRC) putAddress(s, to, extras[e + QUOTED_SRC]);
  if (spelt & SPELT.QUOTED_DST) putAddress(s, to, extras[e + QUOTED_DST]);
  if (spelt & SPELT.NEXT_HOP) putAddress(s, to, extras[e + NEXT_HOP]);
}

/** Reads them into the packet whose row begins at `o`, its extra row at `e`. It holds their ids. */
export function takeAddresses(s: Partition, from: Readable, spelt: number, o: number, e: number): void {
  const rows = s.packets.rows.words;
  const extras = s.packets.extras.words;
  if (spelt & SPELT.SRC) rows[o + SRC] = takeAddress(s, from);
  if (spelt & SPELT.DST) rows[o + DST] = takeAddress(s, from);
  if (spelt & SPELT.QUOTED_SRC) extras[e + QUOTED_SRC] = takeAddress(s, from);
  if (spelt & SPELT.QUOTED_DST) extras[e + QUOTED_DST] = takeAddress(s, from);
  if (spelt & SPELT.NEXT_HOP) extras[e + NEXT_HOP] = takeAddress(s, from);
}

/** Lets go of the ids that `takeAddresses` holds. */
export function releaseAddresses(s: Partition, spelt: number, o: number, e: number): void {
  eachSpelt(s, spelt, o, e, (id) => s.addresses.release(id));
}

function eachSpelt(s: Partition, spelt: number, o: number, e: number, see: (id: number) => void): void {
  const rows = s.packets.rows.words;
  const extras = s.packets.extras.words;
  if (spelt & SPELT.SRC) see(rows[o + SRC]);
  if (spelt & SPELT.DST) see(rows[o + DST]);
  if (spelt & SPELT.QUOTED_SRC) see(extras[e + QUOTED_SRC]);
  if (spelt & SPELT.QUOTED_DST) see(extras[e + QUOTED_DST]);
  if (spelt & SPELT.NEXT_HOP) see(extras[e + NEXT_HOP]);
}

/** Its length in words, and the words. */
function putAddress(s: Partition, ring: Writable, id: number): void {
  const { family, words } = s.addresses.toAddress(id);
  ring.put(family);
  for (const word of words) ring.put(word | 0);
}

function takeAddress(s: Partition, ring: Readable): number {
  const family = ring.take() as 4 | 6;
  const words = Array.from({ length: family === 4 ? 1 : 4 }, () => ring.take() >>> 0);
  return s.addresses.internCounted({ family, words });
}
