/**
 * Parts of a network as they are declared.
 *
 * @module
 */
import { NetworkError } from "./errors.ts";
import { findMembers, type Plan } from "./plan.ts";

/** Parts at most. */
const MOST_PARTS = 64;

/** The part of each node, by row. Throws `NetworkError` for names that there are not, and for nodes in two parts. */
export function planParts(plan: Plan, parts: readonly (readonly string[])[]): Uint8Array {
  const rows = plan.populations.reduce((most, { firstRow, count }) => Math.max(most, firstRow + count), 1);
  if (parts.length < 1 || parts.length > MOST_PARTS) {
    throw new NetworkError("partition", `A network has 1 to ${MOST_PARTS} parts, not ${parts.length}.`);
  }
  const owners = new Uint8Array(rows);
  const named = new Uint8Array(rows);
  parts.forEach((names, part) => {
    names.forEach((name, i) => {
      const subject = `partition[${part}][${i}]`;
      const { population, first, count } = findMembers(name, subject, plan.byName);
      for (let row = population.firstRow + first; row < population.firstRow + first + count; row++) {
        if (named[row] === 1) throw new NetworkError(subject, `${name} stands in two places: a node has one part.`);
        named[row] = 1;
        owners[row] = part;
      }
    });
  });
  return owners;
}
