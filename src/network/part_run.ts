/**
 * The run of one part of a network beside the others, in windows of simulated time. A packet takes `lookaheadNs` at least
 * to get from one part to another: what happens before the earliest next event of all parts plus that time cannot be
 * changed by any other part any more. So all parts run up to there, hand over what they have sent, and meet; then again.
 *
 * @module
 */
import { NS_PER_MS } from "../base/units.ts";
import { CLOCK } from "../store/clock.ts";
import type { SharedBarrier } from "../store/shared_barrier.ts";
import { DIRECTION } from "../link/links.ts";
import { PACKET } from "../wire/packet.ts";
import { APP_EVENT } from "./app_event.ts";
import { fireAppEvent } from "./drain.ts";
import { earliestTick, fireTick, limitNs, nextEventNs, NO_TICK, type Stop } from "./loop.ts";
import { LONGEST_RUN_NS } from "./options.ts";
import { EVENT_KIND, isAt, type Part } from "./part.ts";
import { handOver, takeArrivals } from "./part_crossing.ts";
import type { PartJournal } from "./part_journal.ts";
import type { Sightings } from "./part_sightings.ts";
import type { Partition } from "./partition.ts";

const { LIMIT } = CLOCK;
const { LINK, STRIDE: PACKET_STRIDE } = PACKET;
const { RANK, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const EVENT_STRIDE = APP_EVENT.STRIDE;

/**
 * What each part brings to a meeting: when its next event is, when the next that keeps a run alive, its time, and whether
 * it wants to stop, because it was asked to or because a handler has thrown; and what it has done so far.
 */
const BROUGHT = {
  NEXT: 0,
  LIVE: 1,
  NOW: 2,
  STOP: 3,
  ATTEMPTED: 4,
  ESTABLISHED: 5,
  OPEN: 6,
  HOPS: 7,
  THREW: 8,
  SEEN: 9,
  ACTED: 10,
} as const;

/** Numbers that a part brings; after them come those of its journal, if it is kept. */
export const NUMBERS_BROUGHT = 11;

/** Where some part has seen more than this in a window, the next is half as long. */
const MOST_SEEN = 16_384;

/** A window at most: parts that no link joins meet too, for whoever wants to stop them. */
const LONGEST_WINDOW_NS = 1e9;

/** How to run. */
export interface PartRun {
  /** Up to this time, events at it included. */
  untilNs: number;
  /** Past quiescence? */
  past: boolean;
  /** Asked before each window, by the part that may stop the others. */
  interrupted?: () => boolean;
}

/** One part's side of a run in parts. */
export class PartRunner {
  readonly #partition: Partition;
  readonly #part: Part;
  readonly #barrier: SharedBarrier;
  readonly #lookaheadNs: number;
  readonly #journal: PartJournal | undefined;
  readonly #wait: () => void;
  readonly #runEvents: () => void;
  /** Called when the threads have met, with a time before which everything has happened, in all parts. */
  onHorizon: ((horizonNs: number) => void) | undefined = undefined;
  /** How long windows are, ns: shorter than they might be where somebody looks at what happens in them. */
  #windowNs: number;
  #hasMet = false;

  /** `journal`: what it keeps, if it is kept. */
  constructor(
    partition: Partition,
    part: Part,
    options: { barrier: SharedBarrier; lookaheadNs: number; journal: PartJournal | undefined },
  ) {
    this.#partition = partition;
    this.#part = part;
    this.#barrier = options.barrier;
    this.#lookaheadNs = Math.min(options.lookaheadNs, LONGEST_WINDOW_NS);
    this.#windowNs = part.sightings === undefined ? this.#lookaheadNs : Math.min(this.#lookaheadNs, NS_PER_MS);
    this.#journal = options.journal;
    this.#runEvents = partEventLoop(partition, part);
    this.#wait = () => {
      part.check();
      takeArrivals(partition, part);
    };
  }

  /**
   * As `runPartition`; all parts have to be called with the same times, and return the same. "threw": a handler has; all
   * are through with what they did meanwhile.
   */
  run({ untilNs, past, interrupted }: PartRun): Stop | "threw" {
    const s = this.#partition;
    const barrier = this.#barrier;
    const endNs = Math.min(untilNs, LONGEST_RUN_NS);
    for (;;) {
      this.#meet(interrupted?.() === true);
      const { count } = this.#part;
      let nextNs = Infinity;
      let liveNs = Infinity;
      let nowNs = 0;
      let stop = 0;
      let threw = 0;
      for (let k = 0; k < count; k++) {
        nextNs = Math.min(nextNs, barrier.brought(k, BROUGHT.NEXT));
        liveNs = Math.min(liveNs, barrier.brought(k, BROUGHT.LIVE));
        nowNs = Math.max(nowNs, barrier.brought(k, BROUGHT.NOW));
        stop += barrier.brought(k, BROUGHT.STOP);
        threw += barrier.brought(k, BROUGHT.THREW);
      }
      if (this.#part.sightings !== undefined) this.#fitWindow();
      this.onHorizon?.(nextNs);
      if (threw > 0) return "threw";
      if (past ? nextNs === Infinity && untilNs === Infinity : liveNs === Infinity && nextNs > nowNs) {
        if (s.nowNs < nowNs) s.queue.advanceTo(nowNs);
        s.syncNow();
        return "quiescence";
      }
      // So long at least the run is alive: parts at rest go on with what waits in the background.
      const aliveNs = past ? Infinity : liveNs === Infinity ? nowNs : Math.max(liveNs, nowNs);
      const startNs = Math.min(nextNs, liveNs);
      if (startNs > endNs) {
        if (s.nowNs < endNs) s.queue.advanceTo(endNs);
        s.syncNow();
        return "time";
      }
      if (stop > 0) return "batch";
      this.#go(Math.min(startNs + this.#windowNs - 1, endNs), aliveNs);
    }
  }

  /** All parts see how much was seen in the last window, and choose the same length for the next. */
  #fitWindow(): void {
    let most = 0;
    for (let k = 0; k < this.#part.count; k++) most = Math.max(most, this.#barrier.brought(k, BROUGHT.SEEN));
    if (most > MOST_SEEN) this.#windowNs = Math.ceil(this.#windowNs / 2);
    else if (most < MOST_SEEN / 4) this.#windowNs = Math.min(this.#lookaheadNs, this.#windowNs * 2);
  }

  /** What all parts had done when they met last. */
  progress(): { attempted: number; established: number; open: number; packets: number } {
    const [attempted, established] = [this.#sum(BROUGHT.ATTEMPTED), this.#sum(BROUGHT.ESTABLISHED)];
    return { attempted, established, open: this.#sum(BROUGHT.OPEN), packets: this.#sum(BROUGHT.HOPS) };
  }

  /** Links crossed, timers that acted and application events, of all parts when they met last. */
  get events(): number {
    return this.#sum(BROUGHT.HOPS) + this.#sum(BROUGHT.ACTED);
  }

  /** When something happens next in any part, ns: at the earliest. As they saw it when they met last. */
  nextEventNs(): number {
    if (!this.#hasMet) return nextEventNs(this.#partition);
    let nextNs = Infinity;
    for (let k = 0; k < this.#part.count; k++) nextNs = Math.min(nextNs, this.#barrier.brought(k, BROUGHT.NEXT));
    return nextNs;
  }

  #sum(which: number): number {
    let total = 0;
    for (let k = 0; k < this.#part.count; k++) total += this.#barrier.brought(k, which);
    return total;
  }

  /** Hands over what was sent, says how far this part is, and waits for the others. */
  #meet(stop: boolean): void {
    const s = this.#partition;
    const part = this.#part;
    const barrier = this.#barrier;
    this.#hasMet = true;
    if (part.sightings !== undefined) {
      barrier.bring(BROUGHT.SEEN, part.sightings.count);
      part.sightings.count = 0;
      part.sightings.handOver(true);
    }
    handOver(part);
    const nextNs = nextEventNs(s);
    const sentNs = part.earliestSentNs;
    part.earliestSentNs = Infinity;
    barrier.bring(BROUGHT.NEXT, Math.min(nextNs, sentNs));
    barrier.bring(BROUGHT.LIVE, Math.min(isAtRest(s) ? Infinity : nextNs, sentNs));
    barrier.bring(BROUGHT.NOW, s.nowNs);
    barrier.bring(BROUGHT.STOP, stop ? 1 : 0);
    barrier.bring(BROUGHT.THREW, s.halted ? 1 : 0);
    const { attempted, established, open } = s.stats;
    barrier.bring(BROUGHT.ATTEMPTED, attempted);
    barrier.bring(BROUGHT.ESTABLISHED, established);
    barrier.bring(BROUGHT.OPEN, open);
    barrier.bring(BROUGHT.HOPS, s.hops);
    barrier.bring(BROUGHT.ACTED, s.acted);
    this.#journal?.bring(barrier, NUMBERS_BROUGHT);
    barrier.meet(this.#wait);
    takeArrivals(s, part);
    this.#journal?.settle(barrier, part, NUMBERS_BROUGHT);
  }

  /**
   * Runs what happens up to `lastNs`. Once this part is at rest, what is in the background happens up to `aliveNs` only:
   * until then some part is not.
   */
  #go(lastNs: number, aliveNs: number): void {
    const s = this.#partition;
    const part = this.#part;
    for (;;) {
      s.clock[LIMIT] = limitNs(s, lastNs);
      if (part.sightings !== undefined) runWatched(s, part, part.sightings);
      else this.#runEvents();
      const tick = earliestTick(s);
      if (tick === NO_TICK) return;
      const tickNs = tick * NS_PER_MS;
      if (tickNs > lastNs || (tickNs > aliveNs && isAtRest(s))) return;
      fireTick(s, tick, tickNs);
    }
  }
}

/**
 * Makes the function that lets events up to `clock[LIMIT]` happen: it has the part's tables as constants, as
 * `event_loop.ts` has. Where in the total order an event is (`Part.eventKind`) is noted only at what is no delivery; of
 * those the partition knows over which direction they came.
 */
function partEventLoop(s: Partition, part: Part): () => void {
  const { queue } = s;
  const { deliver } = s.path;
  return function runEvents(): void {
    part.eventKind = EVENT_KIND.DELIVERY;
    for (let ref = queue.popWithin(); ref >= 0; ref = queue.popWithin()) {
      if ((ref & 1) === 0) deliver(ref >>> 1);
      else fireNoted(s, part, ref >>> 1);
    }
  };
}

/** An application's event, of which a part notes where in the total order it is. */
function fireNoted(s: Partition, part: Part, row: number): void {
  isAt(part, EVENT_KIND.APPLICATION, s.events.words[row * EVENT_STRIDE + APP_EVENT.RANK]);
  fireAppEvent(s, row);
  part.eventKind = EVENT_KIND.DELIVERY;
}

/** Events up to `clock[LIMIT]` happen, where packets are looked at. */
function runWatched(s: Partition, part: Part, sightings: Sightings): void {
  const { queue } = s;
  for (let ref = queue.popWithin(); ref >= 0; ref = queue.popWithin()) {
    const row = ref >>> 1;
    if ((ref & 1) === 0) {
      const d = s.packets.rows.words[row * PACKET_STRIDE + LINK];
      isAt(part, EVENT_KIND.DELIVERY, s.links.words[d * DIRECTION_STRIDE + RANK]);
      s.path.deliver(row);
    } else {
      isAt(part, EVENT_KIND.APPLICATION, s.events.words[row * EVENT_STRIDE + APP_EVENT.RANK]);
      sightings.begins(row, isEverywhere(s, row));
      fireAppEvent(s, row);
    }
    sightings.handOver(false);
  }
}

/** Does an event of an application happen in all parts? */
function isEverywhere(s: Partition, row: number): boolean {
  return s.apps[s.events.words[row * EVENT_STRIDE + APP_EVENT.APP]]!.everywhere === true;
}

/** Has this part nothing to do that would keep a run alive? */
function isAtRest(s: Partition): boolean {
  return s.queue.size === 0 && s.tcp.liveTimers === 0 && s.timers.live === 0;
}
