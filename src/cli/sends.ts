/**
 * Sees packets as nodes hand them to links, for captures at the sender; `Simulation.onDelivery` sees them arrive.
 *
 * @module
 */
import type { PacketTap, Simulation } from "../network/simulation.ts";
import { DIRECTION } from "../link/links.ts";

/** Calls `tap` for every packet that a node hands to a link, also for those that the link will drop. */
export function onSend(simulation: Simulation, tap: PacketTap): void {
  const { links, nodes } = simulation.partition;
  const send = links.send.bind(links);
  links.send = (d: number, p: number, nowNs: number): number => {
    const at = d * DIRECTION.STRIDE;
    tap(p, nowNs, nodes.nameOf(links.words[at + DIRECTION.FROM]), nodes.nameOf(links.words[at + DIRECTION.TO]));
    return send(d, p, nowNs);
  };
}
