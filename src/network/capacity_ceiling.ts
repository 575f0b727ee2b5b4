/**
 * At how many connections a limit binds, from how much its places hold and how connections are spread over them.
 *
 * @module
 */
import { formatCount } from "../base/units.ts";
import type { Gauge } from "./capacity_gauge.ts";
import { perSecondText, time } from "./capacity_words.ts";

/** What is found. */
export interface Ceiling {
  /** Null: it never binds, or only a rate does. */
  connections: number | null;
  perSecond: number | null;
  estimate: string | undefined;
  formula: string;
}

/** The ceiling of a gauge. `cut`: not all of the connections' spread has been seen. */
export function ceilingOf(gauge: Gauge, cut: boolean): Ceiling {
  if (gauge.drainPerNs > 0) return rateCeiling(gauge);
  const { connections, guessed } = fits(gauge, cut);
  const streams = [...gauge.streams];
  const estimate = gauge.estimate ?? (
    streams.some(({ named }) => named) && gauge.places.count > 1
      ? "which address of a name a connection goes to depends on servers and caches"
      : gauge.guessed && gauge.places.count > 1
      ? "which of several equal ways a connection takes depends on a hash of its ports"
      : gauge.mayHaveRevived
      ? "a client that uses a port again finds the session that it had with it: there may be room for more"
      : streams.some((stream) => stream.drawsHold) && gauge.firstOver !== undefined && gauge.longestKeepNs < Infinity
      ? "how long connections last is drawn at random"
      : guessed
      ? "worked out of the declared connections' spread"
      : gauge.firstOver === undefined || !gauge.firstOver.afterExpiry
      ? undefined
      : "connections end in the meantime, and how long they take is estimated"
  );
  const words = gauge.words(gauge);
  const total = formulaTotal(gauge);
  let formula = total === undefined ? words : `${words} = ${formatCount(total)}`;
  if (connections === null) formula += "; no more are asked for, however many connections there are";
  else if (total !== connections) {
    formula += total === undefined
      ? `: full at ${formatCount(connections)} connections`
      : `; spread as declared, the first place is full at ${formatCount(connections)}`;
  }
  let perSecond: number | null = null;
  if (connections !== null && gauge.longestKeepNs > 0 && gauge.longestKeepNs < Infinity) {
    perSecond = connections / (gauge.longestKeepNs / 1e9);
    formula += `, each kept for ${time(gauge.longestKeepNs)}: ${formatCount(connections)} / ${
      time(gauge.longestKeepNs)
    } = ${perSecondText(perSecond)} a second`;
  }
  return { connections, perSecond, estimate, formula };
}

/** All places together, where a connection takes one of a place. */
function formulaTotal(gauge: Gauge): number | undefined {
  return gauge.unit === "blocks" ? undefined : gauge.places.count * gauge.capacity;
}

/** Connections that fit until the first place is full. */
function fits(gauge: Gauge, cut: boolean): { connections: number | null; guessed: boolean } {
  if (gauge.unit === "blocks") return blocksFit(gauge, cut);
  const { capacity, firstOver } = gauge;
  if (gauge.once || gauge.onceAWay) {
    return { connections: firstOver === undefined ? null : firstOver.connection - 1, guessed: false };
  }
  if (gauge.places.count <= 1) return { connections: capacity, guessed: false };
  if (firstOver !== undefined && (!firstOver.afterExpiry || gauge.streams.size > 1)) {
    return { connections: firstOver.connection - 1, guessed: false };
  }
  if (gauge.streams.size === 1 && !cut && gauge.sequenceLength > 0) {
    return { connections: byPeriod(gauge), guessed: false };
  }
  let most = 0;
  for (const total of gauge.totals) if (total > most) most = total;
  return { connections: most === 0 ? null : Math.floor(capacity * gauge.total / most), guessed: true };
}

/**
 * A place that comes c times in a period of n connections is full after q = floor(capacity / c) periods, and the rest
 * of the capacity in the next.
 */
function byPeriod(gauge: Gauge): number {
  const { capacity, sequence, sequenceLength: n } = gauge;
  const counts = new Float64Array(gauge.places.count);
  for (let i = 0; i < n; i++) counts[sequence[i]]++;
  const seen = new Float64Array(gauge.places.count);
  let least = Infinity;
  for (let i = 0; i < n; i++) {
    const place = sequence[i];
    const periods = Math.floor(capacity / counts[place]);
    if (seen[place]++ !== capacity - periods * counts[place]) continue;
    const full = periods * n + i;
    if (full < least) least = full;
  }
  return least;
}

/** Connections are gone through no further. */
const MOST_STEPS = 16_000_000;

/** Connections at which the pool has no block left for the next one; null if subscribers never ask for so many. */
function blocksFit(pool: Gauge, cut: boolean): { connections: number | null; guessed: boolean } {
  const { firstOver, sharedOutBy: ports } = pool;
  if (firstOver !== undefined) return { connections: firstOver.connection - 1, guessed: false };
  const most = ports === undefined ? 0 : ports.capacity / ports.blocks!.size * ports.places.count;
  if (ports === undefined || most <= pool.capacity) return { connections: null, guessed: false };
  // From one period to the next, until a block is asked for that is not there.
  const { sequence, sequenceLength: n, blocks, capacity } = ports;
  const used = new Float64Array(ports.places.count);
  const given = new Float64Array(pool.places.count);
  for (let step = 0, last = 0; n > 0 && step < MOST_STEPS && step - last <= n; step++) {
    const place = sequence[step % n];
    if (used[place] >= capacity) continue;
    last = step;
    if (used[place]++ % blocks!.size !== 0) continue;
    if (++given[blocks!.places[place]] > pool.capacity) {
      return { connections: step, guessed: cut || ports.streams.size > 1 };
    }
  }
  return { connections: null, guessed: cut || ports.streams.size > 1 };
}

/** Rates: what comes back of a place in a second, over what a connection takes of it. */
function rateCeiling(gauge: Gauge): Ceiling {
  let cost = 0;
  let weight = 0;
  for (const stream of gauge.streams) {
    cost += gauge.cost(stream) * stream.options.connections;
    weight += stream.options.connections;
  }
  cost = weight === 0 ? Math.max(...[...gauge.streams].map((stream) => gauge.cost(stream))) : cost / weight;
  let most = 0;
  let all = 0;
  for (const total of gauge.totals) {
    if (total > most) most = total;
    all += total ?? 0;
  }
  const share = all === 0 ? 1 / Math.max(1, gauge.places.count) : most / all;
  const perSecond = gauge.drainPerNs * 1e9 / cost / share;
  const burst = gauge.limit === "nat-rate" || gauge.limit === "accept-queue"
    ? Math.floor(gauge.capacity / share)
    : null;
  return {
    connections: burst,
    perSecond,
    estimate: gauge.estimate,
    formula: `${gauge.words(gauge)} = ${perSecondText(perSecond)} a second`,
  };
}
