/**
 * What came before: the last packet of each flow (its addresses, ports and protocol, one way), from which the next one
 * is predicted. Writer and reader keep the same table: a flow's slot follows from its content alone.
 *
 * @module
 */
import { finalise32 } from "../base/hash.ts";
import { CONTENT, nextSequence } from "./content.ts";

const { FAMILY, SRC, DST, PORTS, SEQ, ACK, CONTROL, TS_VAL, TS_ECR, CORRUPT, WORDS } = CONTENT;

/** Slots, as a power of two: a flow that meets another in its slot takes it over. */
export const FLOW_SLOT_BITS = 16;
const SLOTS = 1 << FLOW_SLOT_BITS;
/** Hops of a flow's way that are remembered. */
const WAY_HOPS = 8;
const PROTOCOL_SHIFT = 24;

/** The table. */
export class Flows {
  /** Contents by slot; family 0: never used. */
  readonly words: Int32Array = new Int32Array(SLOTS * WORDS);
  /** When the slot's packet was first seen, whole ms. */
  readonly #seenMs = new Float64Array(SLOTS);
  /** Where the slot's last packet was seen, hop by hop: 1 + place, 0 for not known. */
  readonly #way = new Float64Array(SLOTS * WAY_HOPS);

  /** The slot of a packet's flow, or (`reverse`) of the flow the other way. */
  slotOf(words: Int32Array, at: number, reverse: boolean): number {
    const a = at + (reverse ? DST : SRC);
    const b = at + (reverse ? SRC : DST);
    const ports = words[at + PORTS];
    let h = words[at + FAMILY] ^ (words[at + CONTROL] >>> PROTOCOL_SHIFT << 4);
    for (let k = 0; k < 4; k++) h = Math.imul(h ^ (h >>> 15) ^ words[a + k], 0x85ebca6b);
    for (let k = 0; k < 4; k++) h = Math.imul(h ^ (h >>> 13) ^ words[b + k], 0xc2b2ae35);
    return finalise32(h ^ (reverse ? (ports << 16) | (ports >>> 16) : ports)) & (SLOTS - 1);
  }

  /** Predicts who sends to whom, and what the numbers of one's own are: from the slot's last packet. */
  predictOwn(slot: number, timeMs: number, into: Int32Array): void {
    const at = slot * WORDS;
    into.set(this.words.subarray(at, at + WORDS));
    if (into[FAMILY] === 0) return;
    into[SEQ] = nextSequence(this.words, at);
    into[TS_VAL] = (into[TS_VAL] + (timeMs - this.#seenMs[slot])) | 0;
    into[CORRUPT] = 0;
  }

  /** Predicts what answers the other side, once the addresses and ports in `into` are right. */
  predictAnswer(into: Int32Array): void {
    const reverse = this.slotOf(into, 0, true);
    const at = reverse * WORDS;
    const words = this.words;
    if (words[at + FAMILY] === 0 || !isReverse(words, at, into)) return;
    into[ACK] = nextSequence(words, at);
    into[TS_ECR] = words[at + TS_VAL];
  }

  /** Keeps a packet that was seen for the first time. */
  keep(slot: number, timeMs: number, words: Int32Array): void {
    this.words.set(words.subarray(0, WORDS), slot * WORDS);
    this.#seenMs[slot] = timeMs;
  }

  /** Where the packet before this one of the flow was at hop `hop`; -1 if that is not known. */
  wayOf(slot: number, hop: number): number {
    return hop < WAY_HOPS ? this.#way[slot * WAY_HOPS + hop] - 1 : -1;
  }

  /** Remembers a place on the flow's way. */
  keepWay(slot: number, hop: number, place: number): void {
    if (hop < WAY_HOPS) this.#way[slot * WAY_HOPS + hop] = place + 1;
  }
}

function isReverse(words: Int32Array, at: number, packet: Int32Array): boolean {
  const ports = packet[PORTS];
  if (words[at + PORTS] !== ((ports << 16) | (ports >>> 16))) return false;
  for (let k = 0; k < 4; k++) {
    if (words[at + SRC + k] !== packet[DST + k] || words[at + DST + k] !== packet[SRC + k]) return false;
  }
  return true;
}
