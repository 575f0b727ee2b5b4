/**
 * What those who look at a run see of it.
 *
 * @module
 */

/**
 * Somebody who looks at a run at simulated times that do not depend on how it is sliced: `reached` is called when
 * everything up to and at `nextNs` (whole ms, later than before) has happened, unless the run is at rest sooner.
 * It must not change anything.
 */
export interface Mark {
  /** When to be called next, ns; Infinity for never. */
  nextNs: number;
  /** Called then; sets `nextNs`. */
  reached(): void;
  /** Does it look only at what several threads gather: the simulation's time, digests and progress? */
  readonly inThreads?: boolean;
}

/** How a tap is called. */
export interface TapOptions {
  /** May it be called later than what it sees has happened, in the same order? Default false. */
  late?: boolean;
}

/** Taps that may be called late. */
const LATE = new WeakSet<object>();

/**
 * Says of a tap that it may be called later than what it sees has happened, but in the same order: that it looks at the
 * packet, and at nothing else. Then several threads may run the network.
 */
export function late<T extends object>(tap: T): T {
  LATE.add(tap);
  return tap;
}

/** Taps of which each thread has its own. */
const LOCAL = new WeakSet<object>();

/** Says of a tap that each thread has one like it, which sees what happens in its part. */
export function local<T extends object>(tap: T): T {
  LOCAL.add(tap);
  return tap;
}

/** Has each thread a tap like this? */
export function isLocal(tap: object): boolean {
  return LOCAL.has(tap);
}

/** May a tap be called late? */
export function isLate(tap: object): boolean {
  return LATE.has(tap);
}

/** Takes a tap off its list, where it is there. */
export function takeOff<T>(taps: T[], tap: T): void {
  const at = taps.indexOf(tap);
  if (at >= 0) taps.splice(at, 1);
}

/**
 * Links of one declaration: `count` of them, each with two directions of neighbouring ranks (there and back). Of an end
 * there are the rank of the first node and how many nodes there are: link i joins number floor(i * n / count).
 */
export interface LinkGroup {
  /** As declared. */
  readonly name: string;
  /** Links. */
  readonly count: number;
  /** One end. */
  readonly a: readonly [firstRank: number, count: number];
  /** The other. */
  readonly b: readonly [firstRank: number, count: number];
}

/** A tap: packet row, time in ns, names of the nodes at both ends of the link. */
export type PacketTap = (packet: number, timeNs: number, from: string, to: string) => void;
