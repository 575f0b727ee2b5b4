/**
 * Groups of nodes into parts: the largest first, each where it makes the fullest part least full, then moved as long as
 * that helps.
 *
 * @module
 */

/** What is to be packed. */
export interface Packing {
  /** Which nodes stay together: the same number for all of them, by row; the least row of each. */
  atoms: Int32Array;
  /** Load by row. */
  loads: Float64Array;
  /** Links by their ends, and the packets that go over each. */
  edges: { a: Int32Array; b: Int32Array };
  packets: Float64Array;
  /** What a packet costs that crosses between parts, at either end. */
  crossing: number;
  parts: number;
}

/** Rounds of moving. */
const ROUNDS = 4;
/** More groups than this are not moved any more. */
const MOST_MOVED = 20_000;

/** Packs; undefined where there are fewer groups than parts. `most`: load of the fullest part. */
export function packParts(packing: Packing): { owners: Uint8Array; most: number } | undefined {
  const { atoms, loads, edges, packets, crossing, parts } = packing;
  const rows = atoms.length;
  const weight = new Float64Array(rows);
  for (let row = 1; row < rows; row++) weight[atoms[row]] += loads[row];
  const groups: number[] = [];
  for (let row = 1; row < rows; row++) if (atoms[row] === row) groups.push(row);
  const busy = groups.filter((group) => weight[group] > 0);
  if (busy.length < parts) return undefined;
  const neighbours = linksBetween(atoms, edges, packets);
  groups.sort((x, y) => weight[y] - weight[x] || x - y);
  const partOf = new Int32Array(rows).fill(-1);
  const full = new Float64Array(parts);
  /** What crosses if `group` is in `part`, as far as its neighbours have a place. */
  const crosses = (group: number, part: number) => {
    let sum = 0;
    for (const [other, count] of neighbours.get(group) ?? []) {
      if (partOf[other] >= 0 && partOf[other] !== part) sum += count;
    }
    return sum * crossing;
  };
  const place = (group: number) => {
    let best = 0;
    let least = Infinity;
    for (let part = 0; part < parts; part++) {
      const cost = full[part] + weight[group] + 2 * crosses(group, part);
      if (cost < least) [best, least] = [part, cost];
    }
    return best;
  };
  for (const group of groups) {
    const part = place(group);
    partOf[group] = part;
    full[part] += weight[group];
  }
  for (let round = 0; round < ROUNDS && groups.length <= MOST_MOVED; round++) {
    let moved = false;
    for (const group of groups) {
      const from = partOf[group];
      full[from] -= weight[group];
      const costOf = (part: number) => {
        const most = full.reduce((max, load, k) => Math.max(max, k === part ? load + weight[group] : load), 0);
        return most + crosses(group, part);
      };
      let best = from;
      let least = costOf(from);
      for (let part = 0; part < parts; part++) {
        const cost = part === from ? Infinity : costOf(part);
        if (cost < least * (1 - 1e-9)) [best, least] = [part, cost];
      }
      partOf[group] = best;
      full[best] += weight[group];
      moved ||= best !== from;
    }
    if (!moved) break;
  }
  const owners = new Uint8Array(rows);
  for (let row = 1; row < rows; row++) owners[row] = partOf[atoms[row]];
  const total = Float64Array.from(full);
  for (let i = 0; i < edges.a.length; i++) {
    const [x, y] = [owners[edges.a[i]], owners[edges.b[i]]];
    if (x === y) continue;
    total[x] += packets[i] * crossing;
    total[y] += packets[i] * crossing;
  }
  if (new Set(busy.map((group) => partOf[group])).size < parts) return undefined;
  return { owners, most: total.reduce((max, load) => Math.max(max, load), 0) };
}

/** Packets between groups: of each group, with each neighbour. */
function linksBetween(
  atoms: Int32Array,
  { a, b }: { a: Int32Array; b: Int32Array },
  packets: Float64Array,
): Map<number, Map<number, number>> {
  const found = new Map<number, Map<number, number>>();
  const add = (from: number, to: number, count: number) => {
    let of = found.get(from);
    if (of === undefined) found.set(from, of = new Map());
    of.set(to, (of.get(to) ?? 0) + count);
  };
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [atoms[a[i]], atoms[b[i]]];
    if (x === y) continue;
    add(x, y, packets[i]);
    add(y, x, packets[i]);
  }
  return found;
}
