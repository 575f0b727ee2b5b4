/**
 * Shows those who look at packets what the taps of all parts have seen, in the order in which one thread would have: the
 * sightings of the parts are put together, and each packet stands in a row of the first thread's while it is looked at.
 * A packet has the same row at all of its hops.
 *
 * @module
 */
import { lengthened } from "../base/growth.ts";
import { DIRECTION } from "../link/links.ts";
import type { WordList } from "../store/word_list.ts";
import { EXTRA, PACKET } from "../wire/packet.ts";
import { isLocal, takeOff } from "./observers.ts";
import type { Part } from "./part.ts";
import { releaseAddresses, takeAddresses, takeBytes } from "./part_crossing.ts";
import { SEEN, SIGHTING, type Watched } from "./part_sightings.ts";
import type { DeliveryTap, Partition } from "./partition.ts";

const { EXTRA: EXTRA_AT, LINK, LINK_SEQ, MASK, STRIDE } = PACKET;
const { PAYLOAD, STRIDE: EXTRA_STRIDE } = EXTRA;
const { TIME_LO, TIME_HI, ORDER, PLACE, ROW, FROM, TO, DIRECTION: DIRECTION_AT, WORDS } = SEEN;
const { DELIVERED, SENT, DROPPED, GONE, MARKED } = SIGHTING;

const WORD = 4294967296;

/** Those who look at packets: the taps of a partition. */
export interface Observers {
  taps: DeliveryTap[];
  sendTaps: DeliveryTap[];
  dropTaps: DeliveryTap[];
  endTaps: ((packet: number) => void)[];
  markTaps: ((packet: number) => void)[];
}

/** Takes the observers of `s` away, for what its own part does is not all. Undefined where nobody looks. */
export function takeObservers(s: Partition): Observers | undefined {
  if (watchedBy(s) === undefined) return undefined;
  const { taps, sendTaps, dropTaps, endTaps, markTaps } = s;
  s.taps = taps.filter(isLocal);
  s.sendTaps = sendTaps.filter(isLocal);
  s.dropTaps = dropTaps.filter(isLocal);
  s.endTaps = [];
  s.markTaps = [];
  const others = <T extends object>(list: T[]) => {
    // (Who takes a tap off knows the list.)
    for (const tap of list.filter(isLocal)) takeOff(list, tap);
    return list;
  };
  return { taps: others(taps), sendTaps: others(sendTaps), dropTaps: others(dropTaps), endTaps, markTaps };
}

/** What they want to see; undefined where nobody looks. */
export function watchedBy({ taps, sendTaps, dropTaps, endTaps, markTaps }: Observers): Watched | undefined {
  const [deliveries, sends, drops] = [taps, sendTaps, dropTaps].map((list) => !list.every(isLocal));
  if (!deliveries && !sends && !drops) return undefined;
  return {
    deliveries,
    sends,
    drops,
    marks: markTaps.length > 0,
    identities: endTaps.length + markTaps.length > 0,
  };
}

/** Puts sightings together. */
export class Replay {
  readonly #partition: Partition;
  readonly #part: Part;
  readonly #observers: Observers;
  /** What the parts have seen, by their number. */
  readonly #lists: WordList[];
  /** The row here of each row of a part, and of packets on their way from one part to another. */
  readonly #rows: Int32Array[];
  readonly #away = new Map<number, number>();

  /** Shows `observers` of `s` what its `part` and the others see. */
  constructor(s: Partition, part: Part, observers: Observers) {
    this.#partition = s;
    this.#part = part;
    this.#observers = observers;
    this.#lists = part.sighted.with(part.index, part.sightings!.list);
    this.#rows = this.#lists.map(() => new Int32Array(1024));
  }

  /** Shows what was seen before `horizonNs`: everything up to then has happened. */
  showUntil(horizonNs: number): void {
    const lists = this.#lists;
    for (;;) {
      let first = -1;
      let firstNs = horizonNs;
      for (let k = 0; k < lists.length; k++) {
        const list = lists[k];
        if (!list.filled) continue;
        const timeNs = timeOf(list);
        if (timeNs >= horizonNs || timeNs > firstNs) continue;
        if (first >= 0 && timeNs === firstNs && !goesBefore(list, lists[first])) continue;
        first = k;
        firstNs = timeNs;
      }
      if (first < 0) return;
      this.#show(first, lists[first], firstNs);
    }
  }

  #show(part: number, list: WordList, timeNs: number): void {
    const { words, begin: at } = list;
    const head = words[at];
    const kind = head & 7;
    const [from, to, d] = [words[at + FROM], words[at + TO], words[at + DIRECTION_AT]];
    list.begin = at + WORDS;
    if (kind > DROPPED) this.#note(kind, part, words[at + ROW], d, to);
    else {
      const p = this.#rowOf(part, words[at + ROW], words, at + WORDS);
      const spelt = this.#read(list, p);
      const { taps, sendTaps, dropTaps } = this.#observers;
      const watching = kind === DELIVERED ? taps : kind === SENT ? sendTaps : dropTaps;
      for (const tap of watching) tap(p, timeNs, from, to, kind === DROPPED ? -1 : d);
      if (spelt !== 0) {
        const { rows: { words: rows } } = this.#partition.packets;
        releaseAddresses(this.#partition, spelt, p * STRIDE, rows[p * STRIDE + EXTRA_AT] * EXTRA_STRIDE);
      }
    }
    list.begin = at + (head >>> 3);
  }

  /** A packet has ended, was marked, or left for another part. */
  #note(kind: number, part: number, row: number, d: number, sequence: number): void {
    const rows = this.#rows[part];
    const p = row < rows.length ? rows[row] : 0;
    if (p === 0) return;
    const { endTaps, markTaps } = this.#observers;
    if (kind === GONE) { for (const tap of endTaps) tap(p); }
    else if (kind === MARKED) { for (const tap of markTaps) tap(p); }
    else {
      this.#away.set(keyOf(d, sequence), p);
      rows[row] = 0;
    }
  }

  /** The row here of a packet, whose words stand at `at`. */
  #rowOf(part: number, row: number, words: Int32Array, at: number): number {
    const s = this.#partition;
    if (row >= this.#rows[part].length) this.#rows[part] = lengthened(this.#rows[part], 2 * row);
    const rows = this.#rows[part];
    const d = words[at + LINK];
    if (this.#away.size > 0 && this.#part.owners[s.links.words[d * DIRECTION.STRIDE + DIRECTION.FROM]] !== part) {
      const key = keyOf(d, words[at + LINK_SEQ]);
      const p = this.#away.get(key);
      if (p !== undefined) {
        this.#away.delete(key);
        if (rows[row] !== 0) s.packets.release(rows[row]);
        rows[row] = p;
      }
    }
    if (rows[row] === 0) rows[row] = s.packets.allocate();
    return rows[row];
  }

  /** Reads a packet into row `p`. Returns which of its addresses were spelt out. */
  #read(list: WordList, p: number): number {
    const s = this.#partition;
    s.packets.releaseExtraOf(p);
    const rows = s.packets.rows.words;
    const o = (p * STRIDE) & MASK;
    for (let i = 0; i < STRIDE; i++) rows[o + i] = list.take();
    const spelt = list.take();
    let e = 0;
    if (rows[o + EXTRA_AT] !== 0) {
      rows[o + EXTRA_AT] = 0;
      e = s.packets.extraOf(p) * EXTRA_STRIDE;
      const extras = s.packets.extras.words;
      for (let i = 0; i < EXTRA_STRIDE; i++) extras[e + i] = list.take();
      const length = list.take();
      extras[e + PAYLOAD] = length < 0 ? 0 : s.packets.payloads.put(takeBytes(list, length));
    }
    if (spelt !== 0) takeAddresses(s, list, spelt, o, e);
    return spelt;
  }
}

/** A packet between two parts. (Those on their way over one direction are fewer than 2^24.) */
function keyOf(d: number, sequence: number): number {
  return d * 2 ** 24 + (sequence & 0xffffff);
}

function timeOf({ words, begin }: WordList): number {
  return words[begin + TIME_HI] * WORD + (words[begin + TIME_LO] >>> 0);
}

/** The order of two sightings of the same time. */
function goesBefore(a: WordList, b: WordList): boolean {
  for (let i = ORDER as number; i <= PLACE; i++) {
    const difference = a.words[a.begin + i] - b.words[b.begin + i];
    if (difference !== 0) return difference < 0;
  }
  return false;
}
