/**
 * The run loop: one event after the other, in the total order (time, round, kind, entity, number). Timers come
 * first in their millisecond, then deliveries, then application events.
 *
 * @module
 */
import { NS_PER_MS } from "../base/units.ts";
import type { NatTables } from "../nat/tables.ts";
import { natTimerActs, natTimerFired, natTimerGateway, natTimerSerial } from "../nat/timers.ts";
import { timerActs, timerFired, timerHost, timerSerial } from "../tcp/mod.ts";
import { CLOCK } from "../store/clock.ts";
import { digestEvent } from "./digest.ts";
import { drainNat, drainTcp } from "./drain.ts";
import { LONGEST_RUN_NS } from "./options.ts";
import { EVENT_KIND, isAt } from "./part.ts";
import type { Partition } from "./partition.ts";
import { touchNatTimers, touchTcpTimers } from "./prefetch.ts";

/** Why `runPartition` returned. */
export type Stop = "quiescence" | "time" | "batch";

/** Events between two looks at `interrupted`. */
const BATCH = 8192;

const { LIMIT } = CLOCK;

/** `TimerWheel.next` of an empty wheel. */
export const NO_TICK = 0x7fffffff;

/** Event digest codes of timers that acted. */
const TCP_TIMER_ACTED = 100;
const NAT_TIMER_ACTED = 101;

/**
 * Runs until `untilNs` (events at that very time included) or the longest time there is, until quiescence (unless
 * `pastQuiescence`), or for `batch` events, or until a handler has thrown (`Partition.halted`).
 */
export function runPartition(s: Partition, untilNs: number, pastQuiescence: boolean, batch: number): Stop {
  const { clock } = s;
  const { runEvents } = s.path;
  const endNs = Math.min(untilNs, LONGEST_RUN_NS);
  clock[LIMIT] = limitNs(s, endNs);
  for (let left = batch | 0; left > 0 && !s.halted; left = ~left - 1) {
    left = runEvents(left);
    if (left >= 0) return "batch";
    const stop = pastEvents(s, endNs, untilNs === Infinity, pastQuiescence);
    if (stop !== undefined) return stop;
    clock[LIMIT] = limitNs(s, endNs);
  }
  return "batch";
}

/** The millisecond of the earliest timer; `NO_TICK` if there is none. */
export function earliestTick(s: Partition): number {
  return Math.min(s.tcpWheel.next, s.natWheel.next);
}

/**
 * Up to when events may pop: timers go first in their millisecond, so up to the nanosecond before it. (An earlier timer
 * that is armed on the way lowers `CLOCK.LIMIT` itself.)
 */
export function limitNs(s: Partition, endNs: number): number {
  const tick = earliestTick(s);
  return tick === NO_TICK ? endNs : Math.min(endNs, tick * NS_PER_MS - 1);
}

/** No event is due before the earliest timers, or before `endNs`: those timers act, or it is why the run stops. */
function pastEvents(s: Partition, endNs: number, endless: boolean, pastQuiescence: boolean): Stop | undefined {
  const eventNs = s.queue.peekTimeNs();
  const tick = earliestTick(s);
  const tickNs = tick === NO_TICK ? Infinity : tick * NS_PER_MS;
  if (eventNs === Infinity && !pastQuiescence && s.tcp.liveTimers === 0 && s.timers.live === 0) return "quiescence";
  const nextNs = Math.min(eventNs, tickNs);
  if (nextNs === Infinity && endless) return "quiescence";
  if (nextNs > endNs) return stopAt(s, endNs);
  // (Asked where a tick is due, wherever slices of the run end.)
  if (!pastQuiescence && s.balancers?.onlyChecks() === true) return "quiescence";
  fireTick(s, tick, tickNs);
}

/** As `runPartition`, until `interrupted` says so, or a handler has thrown: "batch". */
export function runBatches(s: Partition, untilNs: number, pastQuiescence: boolean, interrupted?: () => boolean): Stop {
  for (;;) {
    const stop = runPartition(s, untilNs, pastQuiescence, BATCH);
    if (stop !== "batch" || s.halted || interrupted?.() === true) return stop;
  }
}

/** When something happens next, ns: at the earliest. */
export function nextEventNs(s: Partition): number {
  return Math.min(s.queue.peekTimeNs(), s.tcpWheel.nextTick() * NS_PER_MS, s.natWheel.nextTick() * NS_PER_MS);
}

/** Nothing more happens up to `endNs`. */
function stopAt(s: Partition, endNs: number): Stop {
  s.queue.advanceTo(endNs);
  s.syncNow();
  return "time";
}

/** The timers of a millisecond act. */
export function fireTick(s: Partition, tick: number, tickNs: number): void {
  const due = s.due;
  s.queue.advanceTo(tickNs);
  s.syncNow();
  if (s.tcpWheel.nextTick() === tick) {
    due.count = 0;
    s.tcpWheel.advance(tick, due);
    fireTcpTimers(s);
  }
  if (s.natWheel.nextTick() === tick) {
    due.count = 0;
    s.natWheel.advance(tick, due);
    fireNatTimers(s);
  }
}

/** Those that do nothing but wait on are put back; the others act in the order (rank of the host, serial). */
function fireTcpTimers(s: Partition): void {
  const tcp = s.tcp;
  const items = s.due.items;
  touchTcpTimers(s, items, s.due.count);
  let acting = 0;
  for (let i = 0; i < s.due.count; i++) {
    const ref = items[i];
    if (timerActs(tcp, ref)) items[acting++] = ref;
  }
  if (acting > 1) {
    const nodes = s.nodes;
    items.subarray(0, acting).sort((a, b) =>
      nodes.rankOf(timerHost(tcp, a)) - nodes.rankOf(timerHost(tcp, b)) ||
      (timerSerial(tcp, a) >>> 0) - (timerSerial(tcp, b) >>> 0)
    );
  }
  for (let i = 0; i < acting; i++) {
    const ref = items[i];
    // An earlier one of this tick may have ended it.
    if (!timerActs(tcp, ref)) continue;
    s.acted++;
    if (s.part !== undefined) isAt(s.part, EVENT_KIND.TCP_TIMER, s.nodes.rankOf(timerHost(tcp, ref)));
    digestEvent(s.nodes.words, timerHost(tcp, ref), TCP_TIMER_ACTED, timerSerial(tcp, ref), s.clock);
    timerFired(tcp, ref);
    drainTcp(s);
  }
  drainTcp(s);
}

function fireNatTimers(s: Partition): void {
  const nat: NatTables = s.nat;
  if (s.timers.pending > 0) s.timers.fire(s.due);
  const items = s.due.items;
  touchNatTimers(s, items, s.due.count);
  let acting = 0;
  for (let i = 0; i < s.due.count; i++) {
    const ref = items[i];
    if (natTimerActs(nat, ref)) items[acting++] = ref;
    else natTimerFired(nat, ref);
  }
  if (acting > 1) {
    items.subarray(0, acting).sort((a, b) =>
      natTimerGateway(nat, a) - natTimerGateway(nat, b) || natTimerSerial(nat, a) - natTimerSerial(nat, b)
    );
  }
  for (let i = 0; i < acting; i++) {
    const ref = items[i];
    // (A row that was used again may stand here twice.)
    if (!natTimerActs(nat, ref)) continue;
    s.acted++;
    const gateway = s.nodes.rowOfRank(natTimerGateway(nat, ref));
    digestEvent(s.nodes.words, gateway, NAT_TIMER_ACTED, natTimerSerial(nat, ref), s.clock);
    natTimerFired(nat, ref);
  }
  if (s.part !== undefined) isAt(s.part, EVENT_KIND.NAT_TIMER, 0);
  drainNat(s);
}
