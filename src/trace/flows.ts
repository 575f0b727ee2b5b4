/**
 * What came before: the last packet of each flow (its addresses, ports and protocol, one way), from which the next one
 * is predicted. Writer and reader keep the same table: a flow's slot follows from its content alone.
 *
 * @module
 */
import { finalise32 } from "../base/hash.ts";
import { CONTROL as CONTROL_BIT, EXTRA as EXTRA_ROW } from "../wire/packet.ts";
import { CONTENT, nextSequence } from "./content.ts";

const {
  FAMILY,
  SRC,
  DST,
  PORTS,
  SEQ,
  ACK,
  CONTROL,
  TS_VAL,
  TS_ECR,
  CORRUPT,
  EXTRA,
  TTL_TOS_WINDOW,
  LENGTH,
  SYN_OPTIONS,
  WORDS,
} = CONTENT;

/** Slots, as a power of two: a flow that meets another in its slot takes it over. */
export const FLOW_SLOT_BITS = 18;
const SLOTS = 1 << FLOW_SLOT_BITS;
/** Words of a flow: all of the content but the extra part. */
const FLOW_WORDS = EXTRA;
/** Hops of a flow's way that are remembered. */
const WAY_HOPS = 8;
const { PROTOCOL_SHIFT } = CONTROL_BIT;
/** Where the edges of SACK blocks stand. */
export const SACK_FROM: number = EXTRA + EXTRA_ROW.SACK - EXTRA_ROW.URGENT;
/** Kinds of packets, by their flags and options; beyond them two for the first packet of a flow. */
const KINDS = 4096;
/** What follows from a packet's kind. */
const NEXT = [CONTROL, TTL_TOS_WINDOW, LENGTH, SYN_OPTIONS] as const;
const NEXT_WORDS = NEXT.length;

/** The table. */
export class Flows {
  /** Contents by slot; family 0: never used. */
  readonly words: Int32Array = new Int32Array(SLOTS * FLOW_WORDS);
  /** When the slot's packet was first seen, whole ms. */
  readonly #seenMs = new Float64Array(SLOTS);
  /** Where the slot's last packet was seen, hop by hop: 1 + place, 0 for not known. */
  readonly #way = new Int32Array(SLOTS * WAY_HOPS);

  /** What came last after a packet of a kind (`NEXT`); CONTROL 0: nothing yet. */
  readonly #next = new Int32Array((KINDS + 2) * NEXT_WORDS);
  #kind = 0;

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
    const at = slot * FLOW_WORDS;
    into.set(this.words.subarray(at, at + FLOW_WORDS));
    into.fill(0, FLOW_WORDS, WORDS);
    if (into[FAMILY] === 0) return;
    into[SEQ] = nextSequence(this.words, at);
    into[TS_VAL] = (into[TS_VAL] + (timeMs - this.#seenMs[slot])) | 0;
    into[CORRUPT] = 0;
  }

  /**
   * Predicts of what kind the packet is, once the addresses and ports in `into` are right: what came last after a packet of
   * such a kind, or (`begins`) as the first of such a flow; and what it answers, if the other side was heard.
   */
  predictKind(begins: boolean, into: Int32Array): void {
    const reverse = this.slotOf(into, 0, true) * FLOW_WORDS;
    const answers = this.words[reverse + FAMILY] !== 0 && isReverse(this.words, reverse, into);
    if (answers) {
      into[ACK] = nextSequence(this.words, reverse);
      into[TS_ECR] = this.words[reverse + TS_VAL];
    }
    const kind = begins ? (answers ? KINDS + 1 : KINDS) : kindOf(into[CONTROL]);
    this.#kind = kind;
    const at = kind * NEXT_WORDS;
    const next = this.#next;
    if (next[at] === 0 || (!begins && next[at] === into[CONTROL])) return;
    for (let k = 0; k < NEXT_WORDS; k++) into[NEXT[k]] = next[at + k];
  }

  /** The packet is of this kind: the next after one of the kind that came before it will be predicted to be. */
  learnKind(words: Int32Array): void {
    for (let k = 0; k < NEXT_WORDS; k++) this.#next[this.#kind * NEXT_WORDS + k] = words[NEXT[k]];
  }

  /** Predicts the edges of so many SACK blocks, once the acknowledgement number in `into` is right: they lie close above it. */
  predictSack(count: number, into: Int32Array): void {
    into.fill(into[ACK], SACK_FROM, SACK_FROM + 2 * Math.min(4, Math.max(0, count)));
  }

  /** Keeps a packet that was seen for the first time. */
  keep(slot: number, timeMs: number, words: Int32Array): void {
    this.words.set(words.subarray(0, FLOW_WORDS), slot * FLOW_WORDS);
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

function kindOf(control: number): number {
  return (control ^ (control >>> 12)) & (KINDS - 1);
}

function isReverse(words: Int32Array, at: number, packet: Int32Array): boolean {
  const ports = packet[PORTS];
  if (words[at + PORTS] !== ((ports << 16) | (ports >>> 16))) return false;
  for (let k = 0; k < 4; k++) {
    if (words[at + SRC + k] !== packet[DST + k] || words[at + DST + k] !== packet[SRC + k]) return false;
  }
  return true;
}
