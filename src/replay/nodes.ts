/**
 * Which nodes two checkpoints tell apart.
 *
 * @module
 */
import { groupSize } from "../network/digest.ts";
import type { Places } from "../trace/places.ts";

/** Names of the nodes, or of the groups of nodes, whose digests differ. */
export function differingNodes(recorded: Uint8Array, groups: Uint8Array, places: Places): string[] {
  const size = groupSize(places.nodeCount);
  const names: string[] = [];
  for (let at = 0; at < groups.length; at += 16) {
    if (groups.subarray(at, at + 16).every((byte, k) => byte === recorded[at + k])) continue;
    const first = (at / 16) * size;
    const last = Math.min(first + size, places.nodeCount) - 1;
    names.push(size === 1 ? places.nodeName(first) : `${places.nodeName(first)} to ${places.nodeName(last)}`);
  }
  return names;
}
