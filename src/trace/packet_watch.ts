/**
 * Sees every packet event of a simulation as a trace has it.
 *
 * @module
 */
import { DIRECTION } from "../link/links.ts";
import { late, takeOff } from "../network/observers.ts";
import type { Simulation } from "../network/simulation.ts";
import { PACKET } from "../wire/packet.ts";
import { CONTENT, readContent } from "./content.ts";
import { placeNumber } from "./packet_code.ts";

/**
 * Told of an event: when (ns), where (`placeNumber`), what the packet says (good for the time of the call), the `DROP`
 * code of a drop (else -1), the packet's row and the node.
 */
export type PacketWatch = (
  timeNs: number,
  place: number,
  content: Int32Array,
  reason: number,
  row: number,
  node: number,
) => void;

/**
 * Calls `watch` at every delivery and drop, later than they happen where several threads run the network; and `ended` with
 * the row of a packet that has ended, unseen, at the gateway or router that it was for. Returns a function that ends it.
 */
export function watchPackets(simulation: Simulation, watch: PacketWatch, ended?: (row: number) => void): () => void {
  const s = simulation.partition;
  const content = new Int32Array(CONTENT.WORDS);
  const delivered = (p: number, timeNs: number, from: number, to: number) => {
    const direction = s.packets.rows.words[p * PACKET.STRIDE + PACKET.LINK];
    const rank = from === to ? -1 : s.links.words[direction * DIRECTION.STRIDE + DIRECTION.RANK];
    readContent(s.packets, s.addresses, p, content, 0);
    watch(timeNs, placeNumber(false, rank), content, -1, p, to);
  };
  const dropped = (p: number, timeNs: number, node: number, reason: number) => {
    readContent(s.packets, s.addresses, p, content, 0);
    watch(timeNs, placeNumber(true, s.nodes.rankOf(node)), content, reason, p, node);
  };
  const { taps, dropTaps, endTaps } = s;
  taps.push(late(delivered));
  dropTaps.push(late(dropped));
  if (ended !== undefined) endTaps.push(ended);
  return () => {
    takeOff(taps, delivered);
    takeOff(dropTaps, dropped);
    if (ended !== undefined) takeOff(endTaps, ended);
  };
}
