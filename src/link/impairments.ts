/**
 * What a link does to packets besides taking time: loss, duplication, reordering, corruption, jitter. Every draw is
 * counter-based on the direction's own packet number, so a draw never depends on what happens elsewhere.
 *
 * @module
 */
import { drawFraction } from "../base/rng.ts";

/** Shares are 0 to 1, independent for each packet; times in ns. */
export interface Impairments {
  /** Share of packets lost. */
  loss: number;
  /** Share of packets that arrive twice. */
  duplicate: number;
  /** Share of packets held back by `reorderNs`. */
  reorder: number;
  /** How long such a packet is held back, ns. */
  reorderNs: number;
  /** Share of packets with one bit flipped, anywhere from the IP header to the end. */
  corrupt: number;
  /** Each packet is delayed by up to this much more, evenly, ns. */
  jitterNs: number;
}

/** A link without fault. */
export const NO_IMPAIRMENTS: Impairments = {
  loss: 0,
  duplicate: 0,
  reorder: 0,
  reorderNs: 0,
  corrupt: 0,
  jitterNs: 0,
};

/** A packet and when it arrives. */
export interface ImpairedPacket {
  /** Packet row, 0 for none. */
  packet: number;
  /** Arrival, ns. */
  arrivalNs: number;
}

/** What happens to one packet. */
export interface ImpairmentOutcome {
  /** It is lost. */
  drop: boolean;
  /** Extra delay, ns, an integer. */
  extraNs: number;
  /** It arrives twice. */
  duplicate: boolean;
  /** 1 + the flipped bit's position; 0 for none. */
  corruptBit: number;
}

/** Draws made for one packet, each with its own counter. */
const DRAWS = 8;

/** Can anything go wrong at all? */
export function hasImpairments(i: Impairments): boolean {
  return i.loss > 0 || i.duplicate > 0 || i.reorder > 0 || i.corrupt > 0 || i.jitterNs > 0;
}

/** Does nothing go wrong but that packets are lost? Then the draw of `isLost` says all. */
export function losesOnly(i: Impairments): boolean {
  return i.duplicate + i.reorder + i.corrupt + i.jitterNs === 0;
}

/** Is packet number `sequence` lost? As `impair` decides. */
export function isLost(loss: number, k0: number, k1: number, sequence: number): boolean {
  return loss > 0 && drawFraction(k0, k1, sequence * DRAWS) < loss;
}

/** Decides the fate of packet number `sequence` of `bits` bits on the direction with key (`k0`, `k1`). */
export function impair(
  i: Impairments,
  k0: number,
  k1: number,
  sequence: number,
  bits: number,
  outcome: ImpairmentOutcome,
): void {
  const counter = sequence * DRAWS;
  outcome.drop = isLost(i.loss, k0, k1, sequence);
  outcome.duplicate = i.duplicate > 0 && drawFraction(k0, k1, counter + 1) < i.duplicate;
  outcome.extraNs = 0;
  if (i.reorder > 0 && drawFraction(k0, k1, counter + 2) < i.reorder) outcome.extraNs += i.reorderNs;
  if (i.jitterNs > 0) outcome.extraNs += Math.floor(drawFraction(k0, k1, counter + 3) * i.jitterNs);
  outcome.corruptBit = 0;
  if (i.corrupt > 0 && drawFraction(k0, k1, counter + 4) < i.corrupt) {
    outcome.corruptBit = 1 + Math.floor(drawFraction(k0, k1, counter + 5) * bits);
  }
}
