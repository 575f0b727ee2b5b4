/**
 * How packet events are coded: what writer and reader share. `docs/trace-format.md` says the same in prose.
 *
 * @module
 */
import { CONTENT } from "./content.ts";

/** Bits of an event's mask: which words of the content differ from the prediction. */
export const MASK = {
  TTL_TOS_WINDOW: 1 << 0,
  SEQ: 1 << 1,
  ACK: 1 << 2,
  CONTROL: 1 << 3,
  LENGTH: 1 << 4,
  TS_VAL: 1 << 5,
  TS_ECR: 1 << 6,
  SYN_OPTIONS: 1 << 7,
  PORTS: 1 << 8,
  SRC: 1 << 9,
  DST: 1 << 10,
  FAMILY: 1 << 11,
  CORRUPT: 1 << 12,
  EXTRA: 1 << 13,
  PAYLOAD: 1 << 14,
} as const;

/** A flow begins: another was in its slot, or none. */
export const MASK_TUPLE: number = MASK.PORTS | MASK.SRC | MASK.DST | MASK.FAMILY;

/** The words that are coded as zigzags after addresses, ports and CONTROL, in the order of the column of values. */
export const ZIGZAGS: readonly (readonly [word: number, bit: number])[] = [
  [CONTENT.SEQ, MASK.SEQ],
  [CONTENT.ACK, MASK.ACK],
  [CONTENT.TTL_TOS_WINDOW, MASK.TTL_TOS_WINDOW],
  [CONTENT.LENGTH, MASK.LENGTH],
  [CONTENT.TS_VAL, MASK.TS_VAL],
  [CONTENT.TS_ECR, MASK.TS_ECR],
  [CONTENT.SYN_OPTIONS, MASK.SYN_OPTIONS],
  [CONTENT.CORRUPT, MASK.CORRUPT],
];

/** One hop less: what a router makes of `TTL_TOS_WINDOW`. */
export const ONE_HOP = 1 << 24;

/** Names of the columns of a block, in their order there. */
export const COLUMNS = ["time", "place", "serial", "flow", "mask", "value"] as const;

/** Events in a block, at most. */
export const BLOCK_EVENTS = 4096;

/** The number of a place: of a delivery over the direction with this rank (-1: loopback), or of a drop at a node. */
export function placeNumber(dropped: boolean, rank: number): number {
  return 2 * (rank + 1) + (dropped ? 1 : 0);
}
