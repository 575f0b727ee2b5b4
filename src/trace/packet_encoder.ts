/**
 * Packet events into blocks of columns. Each event is coded as what differs from a prediction: at a packet's first
 * sight from the last packet of its flow, afterwards from what it was at its last hop.
 *
 * @module
 */
import { CONTROL as CONTROL_BIT } from "../wire/packet.ts";
import { ColumnWriter } from "./columns.ts";
import { CONTENT } from "./content.ts";
import { Flows, SACK_FROM } from "./flows.ts";
import { BLOCK_EVENTS, COLUMNS, MASK, MASK_TUPLE, ONE_HOP, ZIGZAGS } from "./packet_code.ts";

const {
  FAMILY,
  SRC,
  DST,
  PORTS,
  CONTROL,
  TTL_TOS_WINDOW,
  LENGTH,
  SEQ,
  ACK,
  TS_VAL,
  EXTRA,
  EXTRA_WORDS,
  PAYLOAD,
  WORDS,
} = CONTENT;

const { HAS_SACK } = CONTROL_BIT;

/** A block that is full: how many events, when the first was (ns), and its columns. */
export interface PacketBlock {
  /** Events in it. */
  count: number;
  /** Time that the first event's time counts from, ns. */
  sinceNs: number;
  /** Bytes of the columns, in the order of `COLUMNS`. */
  columns: Uint8Array[];
}

/** What is known of packets on their way, by their row here. */
class LivePackets {
  serials = new Float64Array(1024);
  slots = new Int32Array(1024);
  hops = new Uint8Array(1024);
  words = new Int32Array(1024 * WORDS);

  /** Makes room for a row. */
  ensure(row: number): void {
    if (row < this.serials.length) return;
    const length = Math.max(row + 1, this.serials.length * 2);
    const { serials, slots, hops, words } = this;
    (this.serials = new Float64Array(length)).set(serials);
    (this.slots = new Int32Array(length)).set(slots);
    (this.hops = new Uint8Array(length)).set(hops);
    (this.words = new Int32Array(length * WORDS)).set(words);
  }
}

/** Codes events one after the other. */
export class PacketEncoder {
  readonly #flows = new Flows();
  readonly #live = new LivePackets();
  readonly #columns = COLUMNS.map(() => new ColumnWriter());
  readonly #predicted = new Int32Array(WORDS);
  /** Last address coded: source and destination, by family. */
  readonly #lastAddresses = new Int32Array(16);
  #count = 0;
  #sinceNs = 0;
  #lastNs = 0;
  #serials = 0;
  #lastSerial = 0;
  #lastSlot = 0;

  /** Events in the block that is being filled. */
  get pending(): number {
    return this.#count;
  }

  /** Is the block full, so that it must be taken before the next event? */
  get full(): boolean {
    return this.#count >= BLOCK_EVENTS;
  }

  /**
   * Codes an event: the packet with `content` was at a place (`placeNumber`) at `timeNs`. `row` tells packets on their way
   * apart, `ended` says that this one goes no further. A drop has a reason, -1 stands for none.
   */
  event(timeNs: number, place: number, row: number, content: Int32Array, ended: boolean, reason: number): void {
    const [times, places, serials, flows, masks] = this.#columns;
    if (this.#count++ === 0) this.#sinceNs = this.#lastNs = timeNs;
    times.varint(timeNs - this.#lastNs);
    this.#lastNs = timeNs;
    const live = this.#live;
    live.ensure(row);
    const known = live.serials[row] !== 0 && this.#continues(row, content);
    const timeMs = Math.floor(timeNs / 1e6);
    if (known) {
      serials.varint(1 + zigzag(live.serials[row] - this.#lastSerial));
      this.#predictHop(row);
    } else {
      live.serials[row] = ++this.#serials;
      live.hops[row] = 0;
      serials.varint(0);
      this.#predictFirst(row, content, timeMs, flows);
    }
    this.#lastSerial = live.serials[row];
    const slot = live.slots[row];
    const hop = live.hops[row];
    places.varint(this.#flows.wayOf(slot, hop) === place ? 0 : place + 1);
    this.#flows.keepWay(slot, hop, place);
    this.#differences(content, !known, masks);
    if (reason >= 0) this.#columns[5].varint(reason);
    if (!known) this.#flows.keep(slot, timeMs, content);
    if (ended) {
      live.serials[row] = 0;
      return;
    }
    live.words.set(content, row * WORDS);
    if (hop < 255) live.hops[row] = hop + 1;
  }

  /** The packet in `row` goes no further, and nobody saw it end. */
  ended(row: number): void {
    if (row < this.#live.serials.length) this.#live.serials[row] = 0;
  }

  /** The block so far; what comes next begins another. */
  take(): PacketBlock {
    const block = { count: this.#count, sinceNs: this.#sinceNs, columns: this.#columns.map((column) => column.take()) };
    this.#count = 0;
    return block;
  }

  /** Is the packet in `row` the one that was there at its last hop? (A node may have taken that in, and made another.) */
  #continues(row: number, content: Int32Array): boolean {
    const words = this.#live.words;
    const at = row * WORDS;
    return words[at + CONTROL] === content[CONTROL] && words[at + LENGTH] === content[LENGTH] &&
      words[at + SEQ] === content[SEQ] && words[at + ACK] === content[ACK] && words[at + TS_VAL] === content[TS_VAL];
  }

  #predictHop(row: number): void {
    const at = row * WORDS;
    this.#predicted.set(this.#live.words.subarray(at, at + WORDS));
    this.#predicted[TTL_TOS_WINDOW] -= ONE_HOP;
  }

  #predictFirst(row: number, content: Int32Array, timeMs: number, flows: ColumnWriter): void {
    const slot = this.#flows.slotOf(content, 0, false);
    this.#live.slots[row] = slot;
    flows.varint(zigzag(slot - this.#lastSlot));
    this.#lastSlot = slot;
    this.#flows.predictOwn(slot, timeMs, this.#predicted);
  }

  #differences(content: Int32Array, first: boolean, masks: ColumnWriter): void {
    const values = this.#columns[5];
    const predicted = this.#predicted;
    let mask = 0;
    if (content[FAMILY] !== predicted[FAMILY]) {
      mask |= MASK.FAMILY;
      values.varint(content[FAMILY]);
    }
    if (differs(content, predicted, SRC, 4) || (mask & MASK.FAMILY) !== 0) {
      mask |= MASK.SRC;
      this.#address(content, SRC, values);
    }
    if (differs(content, predicted, DST, 4) || (mask & MASK.FAMILY) !== 0) {
      mask |= MASK.DST;
      this.#address(content, DST, values);
    }
    if (content[PORTS] !== predicted[PORTS]) {
      mask |= MASK.PORTS;
      values.zigzag(content[PORTS], predicted[PORTS]);
    }
    if (first) {
      predicted.set(content.subarray(FAMILY, PORTS + 1));
      this.#flows.predictKind((mask & MASK_TUPLE) !== 0, predicted);
    }
    if (content[CONTROL] !== predicted[CONTROL]) {
      mask |= MASK.CONTROL;
      values.varint((content[CONTROL] ^ predicted[CONTROL]) >>> 0);
    }
    for (const [word, bit] of ZIGZAGS) {
      if (content[word] === predicted[word]) continue;
      mask |= bit;
      values.zigzag(content[word], predicted[word]);
    }
    if (first) {
      this.#flows.learnKind(content);
      predicted[ACK] = content[ACK];
      if ((content[CONTROL] & HAS_SACK) !== 0) this.#flows.predictSack(content[SACK_FROM - 1], predicted);
    }
    if (differs(content, predicted, EXTRA, EXTRA_WORDS)) {
      mask |= MASK.EXTRA;
      this.#extra(content, values);
    }
    if (content[PAYLOAD] !== predicted[PAYLOAD]) {
      mask |= MASK.PAYLOAD;
      values.word(content[PAYLOAD]);
    }
    masks.varint(mask);
  }

  /** An address, against the last one of its kind that was coded. */
  #address(content: Int32Array, word: number, values: ColumnWriter): void {
    const last = this.#lastAddresses;
    const six = content[FAMILY] === 6;
    const at = (word === SRC ? 0 : 8) + (six ? 4 : 0);
    for (let k = 0; k < (six ? 4 : 1); k++) {
      values.zigzag(content[word + k], last[at + k]);
      last[at + k] = content[word + k];
    }
  }

  #extra(content: Int32Array, values: ColumnWriter): void {
    const predicted = this.#predicted;
    let mask = 0;
    for (let k = 0; k < EXTRA_WORDS; k++) if (content[EXTRA + k] !== predicted[EXTRA + k]) mask |= 1 << k;
    values.varint(mask);
    for (let k = 0; k < EXTRA_WORDS; k++) {
      if ((mask >> k) & 1) values.zigzag(content[EXTRA + k], predicted[EXTRA + k]);
    }
  }
}

/** A whole difference as a number that is not negative. */
export function zigzag(difference: number): number {
  return difference >= 0 ? 2 * difference : -2 * difference - 1;
}

function differs(a: Int32Array, b: Int32Array, from: number, count: number): boolean {
  for (let k = from; k < from + count; k++) if (a[k] !== b[k]) return true;
  return false;
}
