/**
 * Packets that are taken to another node than the one they are addressed to: from a balancer in direct return to a back
 * end, which has the virtual address too; and from a back end to the balancer that is its gateway. On a real network a
 * frame's destination does that (or a tunnel). Here the packet names its next hop, and what stands in between forwards
 * by that; no bytes are added.
 *
 * @module
 */
import { DIRECTION, DIRECTION_FLAG } from "../link/links.ts";
import { CONTROL, EXTRA, PACKET } from "../wire/packet.ts";
import type { Partition } from "./partition.ts";

const { CONTROL: CONTROL_AT, EXTRA: EXTRA_AT, MASK, STRIDE } = PACKET;
const { STEERED } = CONTROL;
const { NEXT_HOP, STRIDE: EXTRA_STRIDE } = EXTRA;
const { FLAGS, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const { TO_HOST } = DIRECTION_FLAG;

/** From here on packet `p` goes to the node with this address. */
export function steer(s: Partition, p: number, address: number): void {
  const extra = s.packets.extraOf(p);
  s.packets.extras.words[extra * EXTRA_STRIDE + NEXT_HOP] = address;
  s.packets.rows.words[p * STRIDE + CONTROL_AT] |= STEERED;
}

/** Where packet `p` is taken to; 0 if to its destination. */
export function steeredTo(s: Partition, p: number): number {
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  if ((rows[o + CONTROL_AT] & STEERED) === 0) return 0;
  return s.packets.extras.words[rows[o + EXTRA_AT] * EXTRA_STRIDE + NEXT_HOP];
}

/** Packet `p` has got where it was taken to. */
export function unsteer(s: Partition, p: number): void {
  const rows = s.packets.rows.words;
  const o = (p * STRIDE) & MASK;
  rows[o + CONTROL_AT] &= ~STEERED;
  s.packets.extras.words[rows[o + EXTRA_AT] * EXTRA_STRIDE + NEXT_HOP] = 0;
}

/** Forwards a packet that is steered. Over the last link, to a host, it is a packet like any other. */
export function forwardSteered(s: Partition, node: number, p: number, table: number): void {
  const target = steeredTo(s, p);
  const d = s.routes.route(table, target);
  if (d >= 0 && (s.links.words[d * DIRECTION_STRIDE + FLAGS] & TO_HOST) !== 0) unsteer(s, p);
  s.path.forwardTowards(node, p, table, target);
}
