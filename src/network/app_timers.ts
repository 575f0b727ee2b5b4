/**
 * Timers of applications that are usually taken back: an answer's deadline. One that is stopped does not keep a run
 * alive, which an event of the queue would. In whole milliseconds, on the wheel of NAT's timers (as negative
 * references): they act before those, ordered by (rank of the node, its own count of events).
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import type { StateVisitor } from "../base/state.ts";
import { NODE } from "../node/nodes.ts";
import { RowPool } from "../store/rows.ts";
import type { RefList } from "../store/timer_wheel.ts";
import { digestEvent } from "./digest.ts";
import { drainTcp } from "./drain.ts";
import { EVENT_KIND, isAt, owns } from "./part.ts";
import type { Partition } from "./partition.ts";

/** Word offsets of a timer. */
export const APP_TIMER = {
  APP: 0,
  CODE: 1,
  ARGUMENT: 2,
  NODE: 3,
  RANK: 4,
  SERIAL: 5,
  LIVE: 6,
  MASK: rowMask(8),
  STRIDE: 8,
} as const;

const { APP, CODE, ARGUMENT, NODE: NODE_AT, RANK, SERIAL, LIVE, MASK, STRIDE } = APP_TIMER;

/** `LIVE` of a timer that keeps a run alive, and of one that does not; 0: stopped. */
const FOREGROUND = 1;
const BACKGROUND = 2;

/** Event digest code of one that acted. */
const APP_TIMER_ACTED = 102;

/** The timers of a partition. */
export class AppTimers {
  /** Timers that are to act: a run with one is not at rest. */
  live = 0;
  readonly #partition: Partition;
  readonly #rows = new RowPool({ strideWords: STRIDE, capacity: 64 });
  readonly #due: number[] = [];

  /** None yet. */
  constructor(partition: Partition) {
    this.#partition = partition;
  }

  /** Timers on the wheel, those that were stopped included. */
  get pending(): number {
    return this.#rows.inUse;
  }

  /** Bytes of rows, at the most. */
  get bytes(): number {
    return this.#rows.peak * STRIDE * 4;
  }

  /** Room for so many on the wheel. */
  reserve(rows: number): void {
    this.#rows.reserve(rows);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.live = v.number(this.live);
    this.#rows.visitState(v);
  }

  /** Calls `apps[app].onTimer(code, 0, argument)` at the first millisecond from `atNs` on, unless it is stopped. */
  start(node: number, app: number, atNs: number, code: number, argument: number): number {
    this.live++;
    return this.#start(node, app, atNs, code, argument, FOREGROUND);
  }

  /** As `start`, of what a run at rest does not wait for. */
  startInBackground(node: number, app: number, atNs: number, code: number, argument: number): number {
    return this.#start(node, app, atNs, code, argument, BACKGROUND);
  }

  #start(node: number, app: number, atNs: number, code: number, argument: number, live: number): number {
    const s = this.#partition;
    const row = this.#rows.allocate();
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    const nodes = s.nodes.words;
    words[o + APP] = app;
    words[o + CODE] = code;
    words[o + ARGUMENT] = argument;
    words[o + NODE_AT] = node;
    words[o + RANK] = nodes[node * NODE.STRIDE + NODE.RANK];
    words[o + SERIAL] = nodes[node * NODE.STRIDE + NODE.SCHEDULED]++;
    words[o + LIVE] = live;
    s.natWheel.push(Math.max(s.natWheel.currentTick + 1, Math.ceil(atNs / 1e6)), -row);
    return row;
  }

  /** Takes back one that has not acted. */
  stop(timer: number): void {
    const at = timer * STRIDE + LIVE;
    if (this.#rows.words[at] === FOREGROUND) this.live--;
    this.#rows.words[at] = 0;
  }

  /** The node's own count at a timer that has not acted: a number that the node has only once. */
  serialOf(timer: number): number {
    return this.#rows.words[timer * STRIDE + SERIAL] >>> 0;
  }

  /** Takes the applications' timers out of those that are due, and lets them act. */
  fire(due: RefList): void {
    const s = this.#partition;
    const items = due.items;
    const acting = this.#due;
    let others = 0;
    for (let i = 0; i < due.count; i++) {
      if (items[i] >= 0) items[others++] = items[i];
      else if (this.#rows.words[-items[i] * STRIDE + LIVE] !== 0) acting.push(-items[i]);
      else this.#rows.release(-items[i]);
    }
    due.count = others;
    if (acting.length === 0) return;
    const words = this.#rows.words;
    acting.sort((a, b) =>
      words[a * STRIDE + RANK] - words[b * STRIDE + RANK] ||
      (words[a * STRIDE + SERIAL] >>> 0) - (words[b * STRIDE + SERIAL] >>> 0)
    );
    for (const timer of acting.splice(0)) this.#act(s, timer);
  }

  #act(s: Partition, timer: number): void {
    const words = this.#rows.words;
    const o = (timer * STRIDE) & MASK;
    // An earlier one of this tick may have stopped it.
    const live = words[o + LIVE];
    const [app, code, argument, node] = [words[o + APP], words[o + CODE], words[o + ARGUMENT], words[o + NODE_AT]];
    const serial = words[o + SERIAL];
    this.#rows.release(timer);
    if (live === 0) return;
    if (live === FOREGROUND) this.live--;
    if (!owns(s, node)) return;
    s.acted++;
    if (s.part !== undefined) isAt(s.part, EVENT_KIND.APP_TIMER, s.nodes.rankOf(node));
    digestEvent(s.nodes.words, node, APP_TIMER_ACTED, serial, s.clock);
    s.apps[app]!.onTimer(code, 0, argument);
    drainTcp(s);
  }
}
