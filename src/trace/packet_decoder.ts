/**
 * Blocks of columns into packet events: the encoder's other half.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { CONTROL as CONTROL_BIT } from "../wire/packet.ts";
import { ColumnReader } from "./columns.ts";
import { CONTENT } from "./content.ts";
import { FLOW_SLOT_BITS, Flows, SACK_FROM } from "./flows.ts";
import { BLOCK_EVENTS, COLUMNS, MASK, MASK_TUPLE, ONE_HOP, ZIGZAGS } from "./packet_code.ts";
import type { PacketBlock } from "./packet_encoder.ts";

const { FAMILY, SRC, DST, PORTS, CONTROL, TTL_TOS_WINDOW, EXTRA, EXTRA_WORDS, PAYLOAD, WORDS } = CONTENT;

const { HAS_SACK } = CONTROL_BIT;

/** Something that happened to a packet, as a trace has it. */
export interface PacketEvent {
  /** When, ns. */
  timeNs: number;
  /** Dropped, or delivered at the end of a link. */
  dropped: boolean;
  /** Rank of the link direction (-1: loopback), or of the node that dropped it. */
  rank: number;
  /** `DROP` code of a drop, else -1. */
  reason: number;
  /** The packet's number in the trace, from 1. */
  serial: number;
  /** Places where it was before. */
  hop: number;
  /** What it says (`CONTENT`). */
  content: Int32Array;
}

/** Which link directions lead to hosts: packets end there. */
export type EndsAt = (directionRank: number) => boolean;

interface Live {
  slot: number;
  hop: number;
  words: Int32Array;
}

/** Reads events one block after the other. Throws `InputError` where a block is not what it should be. */
export class PacketDecoder {
  readonly #flows = new Flows();
  readonly #live = new Map<number, Live>();
  readonly #lastAddresses = new Int32Array(16);
  readonly #endsAt: EndsAt;
  #serials = 0;
  #lastSerial = 0;
  #lastSlot = 0;

  /** `endsAt` comes from the trace's header. */
  constructor(endsAt: EndsAt) {
    this.#endsAt = endsAt;
  }

  /** The events of the next block. */
  block(block: PacketBlock): PacketEvent[] {
    if (!(block.count >= 0 && block.count <= BLOCK_EVENTS) || block.columns.length !== COLUMNS.length) {
      throw new InputError("it is no block of packet events");
    }
    const columns = block.columns.map((bytes) => new ColumnReader(bytes));
    const events: PacketEvent[] = [];
    let timeNs = block.sinceNs;
    for (let i = 0; i < block.count; i++) {
      timeNs += columns[0].varint();
      events.push(this.#event(timeNs, columns));
    }
    if (!columns.every((column) => column.done)) throw new InputError("its columns are longer than its events");
    return events;
  }

  #event(timeNs: number, columns: ColumnReader[]): PacketEvent {
    const [, places, serials, flows, masks, values] = columns;
    const timeMs = Math.floor(timeNs / 1e6);
    const code = serials.varint();
    const serial = code === 0 ? ++this.#serials : this.#lastSerial + unzigzag(code - 1);
    const words = new Int32Array(WORDS);
    let live = this.#live.get(serial);
    if (code === 0) {
      const slot = this.#lastSlot + unzigzag(flows.varint());
      if (!(slot >= 0 && slot < 2 ** FLOW_SLOT_BITS)) throw new InputError("a flow of it is out of range");
      this.#lastSlot = slot;
      live = { slot, hop: 0, words };
      this.#flows.predictOwn(slot, timeMs, words);
    } else {
      if (live === undefined) throw new InputError(`it goes on with packet ${serial}, which is not on its way`);
      words.set(live.words);
      words[TTL_TOS_WINDOW] -= ONE_HOP;
    }
    this.#lastSerial = serial;
    const { slot, hop } = live!;
    const where = places.varint();
    const place = where === 0 ? this.#flows.wayOf(slot, hop) : where - 1;
    if (place < 0) throw new InputError("a place of it is not known");
    this.#flows.keepWay(slot, hop, place);
    this.#differences(words, code === 0, masks.varint(), values);
    const dropped = (place & 1) === 1;
    const rank = Math.floor(place / 2) - 1;
    const reason = dropped ? values.varint() : -1;
    if (code === 0) this.#flows.keep(slot, timeMs, words);
    if (dropped || this.#endsAt(rank)) this.#live.delete(serial);
    else this.#live.set(serial, { slot, hop: Math.min(255, hop + 1), words });
    return { timeNs, dropped, rank, reason, serial, hop, content: words };
  }

  #differences(words: Int32Array, first: boolean, mask: number, values: ColumnReader): void {
    if (mask & MASK.FAMILY) {
      words[FAMILY] = values.varint();
      if (words[FAMILY] !== 4 && words[FAMILY] !== 6) {
        throw new InputError("an address family of it is neither 4 nor 6");
      }
    }
    if (mask & MASK.SRC) this.#address(words, SRC, values);
    if (mask & MASK.DST) this.#address(words, DST, values);
    if (mask & MASK.PORTS) words[PORTS] = values.zigzag(words[PORTS]);
    if (first) this.#flows.predictKind((mask & MASK_TUPLE) !== 0, words);
    if (mask & MASK.CONTROL) words[CONTROL] ^= values.varint();
    for (const [word, bit] of ZIGZAGS) if (mask & bit) words[word] = values.zigzag(words[word]);
    if (first) this.#flows.learnKind(words);
    if (mask & MASK.EXTRA) {
      const extras = values.varint();
      const sack = first && (words[CONTROL] & HAS_SACK) !== 0;
      for (let k = 0; k < EXTRA_WORDS; k++) {
        if (sack && EXTRA + k === SACK_FROM) this.#flows.predictSack(words[EXTRA + k - 1], words);
        if ((extras >> k) & 1) words[EXTRA + k] = values.zigzag(words[EXTRA + k]);
      }
    }
    if (mask & MASK.PAYLOAD) words[PAYLOAD] = values.word();
  }

  #address(words: Int32Array, word: number, values: ColumnReader): void {
    const last = this.#lastAddresses;
    const six = words[FAMILY] === 6;
    const at = (word === SRC ? 0 : 8) + (six ? 4 : 0);
    for (let k = 0; k < 4; k++) words[word + k] = k > 0 && !six ? 0 : last[at + k] = values.zigzag(last[at + k]);
  }
}

function unzigzag(code: number): number {
  return code % 2 === 0 ? code / 2 : -(code + 1) / 2;
}
