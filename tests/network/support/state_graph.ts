/**
 * Is all state in a snapshot, and is it known that it must be? Run in a copy of the sources whose private fields are
 * public (`tests/full/snapshot_state_test.ts`), so that whole graphs of objects can be held against each other:
 *
 * - that of a simulation against that of the one restored from it: what differs is not saved;
 * - that of a restored one against one for which a place in some `visitState` showed nothing: what does not differ would
 *   not have been missed.
 *
 *     deno run --allow-read state_graph.ts NETWORKS SEED      prints JSON
 */
import fc from "fast-check";
import { runPartition } from "../../../src/network/loop.ts";
import { Network } from "../../../src/network/network.ts";
import type { Partition } from "../../../src/network/partition.ts";
import { readHeader } from "../../../src/network/restore.ts";
import { partitionState } from "../../../src/network/snapshot.ts";
import type { Column, PlainValue, StateVisitor } from "../../../src/base/state.ts";
import { restoreSnapshot } from "../../../src/store/snapshot.ts";
import { anyNetwork, Draw } from "./anything.ts";
import { possible } from "./restorable.ts";

type Found = (path: string) => void;

/** Tells the paths at which two graphs differ. Of columns, what only one of them has counts as zero. */
function compare(a: unknown, b: unknown, path: string, seen: Set<unknown>, found: Found): void {
  if (Object.is(a, b) || typeof a === "function" || typeof b === "function") return;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return found(path);
  if (seen.has(a)) return;
  seen.add(a);
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
    const [x, y] = [a, b] as unknown as [Float64Array, Float64Array];
    for (let i = 0; i < Math.max(x.length, y.length); i++) if (!Object.is(x[i] ?? 0, y[i] ?? 0)) return found(path);
    return;
  }
  if (a instanceof Map || a instanceof Set) {
    const [x, y] = [[...a], [...(b as Map<unknown, unknown>)]];
    return x.length === y.length ? compare(x, y, path, seen, found) : found(path);
  }
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const [x, y] = [a, b] as Record<string, unknown>[];
    compare(x[key], y[key], Array.isArray(a) ? `${path}[]` : `${path}.${key}`, seen, found);
  }
}

function differences(a: Partition, b: Partition): Set<string> {
  const paths = new Set<string>();
  compare(a, b, "", new Set(), (path) => paths.add(path));
  return paths;
}

/** The lines of `visitState`s that show a value now, the innermost first. */
function siteHere(): string {
  const lines = (new Error().stack ?? "").split("\n").map((line) => /\/src\/([\w/]+\.ts:\d+):\d+/.exec(line)?.[1]);
  return lines.filter((line) => line !== undefined && !line.startsWith("store/snapshot.ts")).slice(0, 3).join(" < ");
}

/** Passes on. A value of whose call `forgets` says true stays as it was built. */
class Forgetful implements StateVisitor {
  readonly restoring = true;
  readonly inner: StateVisitor;
  readonly forgets: (call: number) => boolean;
  calls = 0;

  constructor(inner: StateVisitor, forgets: (call: number) => boolean) {
    this.inner = inner;
    this.forgets = forgets;
  }

  section(name: string): void {
    this.inner.section(name);
  }

  number(value: number): number {
    const kept = this.inner.number(value);
    return this.forgets(this.calls++) ? value : kept;
  }

  plain<T extends PlainValue>(value: T): T {
    const kept = this.inner.plain(value);
    return this.forgets(this.calls++) ? value : kept;
  }

  column<T extends Column>(column: T, used?: number): T {
    const kept = this.inner.column(column, used);
    return this.forgets(this.calls++) ? column : kept;
  }

  inPlace(column: Column): void {
    const built = this.forgets(this.calls++) ? column.slice() : undefined;
    this.inner.inPlace(column);
    if (built !== undefined) column.set(built as never);
  }
}

function restored(snapshot: Uint8Array, forgets: (call: number) => boolean = () => false): Partition {
  const { declaration, numbering, run } = readHeader(snapshot);
  const { partition } = Network.fromJSON(declaration, numbering).build(run);
  const state = partitionState(partition);
  restoreSnapshot(snapshot, { visitState: (v) => state.visitState(new Forgetful(v, forgets)) }, true);
  return partition;
}

function isMissed(snapshot: Uint8Array, whole: Partition, calls: ReadonlySet<number>): boolean {
  try {
    return differences(whole, restored(snapshot, (call) => calls.has(call))).size > 0;
  } catch {
    return true;
  }
}

/** Networks of which each place is left out in its turn: enough for all but what is rare. */
const TRIED = 15;

const [networks, seed] = Deno.args.map(Number);
const unsaved = new Set<string>();
const sites = new Set<string>();
const missed = new Set<string>();
let looked = 0;
for (const g of fc.sample(fc.gen(), { numRuns: networks, seed })) {
  const draw = new Draw(g);
  const network = anyNetwork(draw);
  if (possible(network) === undefined) continue;
  const cut = network.build();
  runPartition(cut.partition, 20e9, false, draw.even(1, 6000));
  const snapshot = cut.snapshot();
  looked++;
  const here = new Map<string, Set<number>>();
  const whole = restored(snapshot, (call) => {
    const site = siteHere();
    here.set(site, (here.get(site) ?? new Set()).add(call));
    return false;
  });
  for (const path of differences(cut.partition, whole)) unsaved.add(path);
  for (const [site, calls] of here) {
    sites.add(site);
    if (looked <= TRIED && !missed.has(site) && isMissed(snapshot, whole, calls)) missed.add(site);
  }
}
const unmissed = [...sites].filter((site) => !missed.has(site)).sort();
console.log(JSON.stringify({ looked, unsaved: [...unsaved].sort(), sites: sites.size, unmissed }));
