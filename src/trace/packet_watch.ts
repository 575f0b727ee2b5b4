/**
 * Sees every packet event of a simulation as a trace has it.
 *
 * @module
 */
import { DIRECTION } from "../link/links.ts";
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

/** Calls `watch` at every delivery and drop. Returns a function that ends it. */
export function watchPackets(simulation: Simulation, watch: PacketWatch): () => void {
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
  s.taps.push(delivered);
  s.dropTaps.push(dropped);
  return () => {
    if (s.taps.includes(delivered)) s.taps.splice(s.taps.indexOf(delivered), 1);
    if (s.dropTaps.includes(dropped)) s.dropTaps.splice(s.dropTaps.indexOf(dropped), 1);
  };
}
