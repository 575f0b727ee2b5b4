/**
 * Which nodes a dump or a series is about, as people call them.
 *
 * @module
 */
import { InputError, nearest } from "../base/errors.ts";
import { NODE, NODE_KIND, type Nodes } from "../node/nodes.ts";

/** Some members of a population. */
export interface NodeSelection {
  /** As called: `clients`, `clients[3]`. */
  name: string;
  /** Row of the first, and how many. */
  first: number;
  count: number;
}

/** `server`, `clients`, `clients[3]`, `clients[0..9]`, separated by commas. Throws `InputError`, a sentence. */
export function selectNodes(nodes: Nodes, text: string): NodeSelection[] {
  return text.split(",").map((part) => {
    const name = part.trim();
    const match = /^([^[\]]+)(?:\[(\d+)(?:\.\.(\d+))?\])?$/.exec(name);
    const population = match === null ? undefined : nodes.population(match[1]);
    if (match === null || population === undefined) {
      const names = nodes.populations.map((one) => one.name);
      const near = nearest(match?.[1] ?? name, names);
      throw new InputError(`There is no node called "${name}".${near === undefined ? "" : ` Did you mean "${near}"?`}`);
    }
    if (match[2] === undefined) return { name, first: population.firstRow, count: population.count };
    const low = Number(match[2]);
    const high = match[3] === undefined ? low : Number(match[3]);
    if (high < low || high >= population.count) {
      throw new InputError(`"${name}" is outside ${population.name}, which has members 0 to ${population.count - 1}.`);
    }
    return { name, first: population.firstRow + low, count: high - low + 1 };
  });
}

/** Every node, or those of `text`, each by itself, in the order of ranks. */
export function eachNode(nodes: Nodes, text: string | undefined): number[] {
  const selected = text === undefined
    ? nodes.populations.map(({ name, firstRow, count }) => ({ name, first: firstRow, count }))
    : selectNodes(nodes, text);
  const rows = new Set<number>();
  for (const { first, count } of selected) for (let i = 0; i < count; i++) rows.add(first + i);
  return [...rows].sort((a, b) => nodes.rankOf(a) - nodes.rankOf(b));
}

/** The rows of a population of hosts; undefined where there is none of that name. */
export function hostRows(nodes: Nodes, name: string): { first: number; count: number } | undefined {
  const population = nodes.population(name);
  if (population === undefined) return undefined;
  const { firstRow: first, count } = population;
  return nodes.words[first * NODE.STRIDE + NODE.KIND] === NODE_KIND.HOST ? { first, count } : undefined;
}
