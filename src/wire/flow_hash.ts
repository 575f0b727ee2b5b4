/**
 * A hash of what names a flow, for those who spread flows: equal-cost paths, fair queues.
 *
 * @module
 */
import type { AddressTable } from "../base/address.ts";
import { CONTROL, PACKET } from "./packet.ts";

const { SRC, DST, PORTS, CONTROL: CONTROL_AT, MASK, STRIDE } = PACKET;
const { PROTOCOL_SHIFT } = CONTROL;

/** Of packet row `p` in `rows`: addresses, ports, protocol; from address bytes, not ids. An unsigned 32-bit number. */
export function flowHash(rows: Int32Array, addresses: AddressTable, p: number): number {
  const o = (p * STRIDE) & MASK;
  let h = Math.imul(addresses.word(rows[o + SRC]) ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15) ^ addresses.word(rows[o + DST]), 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 13) ^ rows[o + PORTS], 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 15) ^ (rows[o + CONTROL_AT] >>> PROTOCOL_SHIFT), 0x165667b1);
  return (h ^ (h >>> 16)) >>> 0;
}
