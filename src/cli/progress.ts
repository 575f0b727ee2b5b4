/**
 * The one line that a terminal shows while a run goes on.
 *
 * @module
 */
import { formatCount, formatDurationNs } from "../base/units.ts";
import { writeAll } from "./output.ts";

/** Where a run stands. */
export interface ProgressState {
  /** Simulated time, ns. */
  nowNs: number;
  /** Connections established so far. */
  established: number;
  /** Connections open now. */
  open: number;
  /** Packets delivered so far. */
  packets: number;
}

/** What the run will come to, where that is known. */
export interface ProgressGoal {
  /** Simulated time at which it ends, ns. */
  endNs?: number;
  /** Connections that it will open. */
  connections?: number;
}

/** Milliseconds between two updates. */
const UPDATE_MS = 200;

/**
 * The line's text, below 80 columns up to a million: `t = 1.2 s | 28,232 established, 28,232 open | 1.2 M packets/s | ETA 12 s`.
 * `packetsPerSecond` is of real time; `remainingSeconds` is left out where nothing tells it.
 */
export function progressText(state: ProgressState, packetsPerSecond: number, remainingSeconds?: number): string {
  const parts = [
    `t = ${formatDurationNs(state.nowNs, 3)}`,
    `${formatCount(state.established)} established, ${formatCount(state.open)} open`,
    `${short(packetsPerSecond)} packets/s`,
  ];
  if (remainingSeconds !== undefined) parts.push(`ETA ${clock(remainingSeconds)}`);
  return parts.join(" | ");
}

/** How much of the run is done, 0 to 1; undefined where nothing tells it. */
export function shareDone(state: ProgressState, goal: ProgressGoal): number | undefined {
  const byTime = goal.endNs === undefined || !(goal.endNs > 0) ? undefined : state.nowNs / goal.endNs;
  const byCount = goal.connections === undefined || !(goal.connections > 0)
    ? undefined
    : state.established / goal.connections;
  if (byTime === undefined && byCount === undefined) return undefined;
  return Math.min(1, Math.max(byTime ?? 0, byCount ?? 0));
}

/** Draws the line again and again over itself on standard error; does nothing where that is no terminal. */
export class ProgressLine {
  readonly #enabled: boolean;
  readonly #goal: ProgressGoal;
  readonly #startedMs: number;
  #drawnMs: number;
  #drawnPackets = 0;
  #width = 0;

  /** `enabled` false: every call does nothing. */
  constructor(enabled: boolean, goal: ProgressGoal) {
    this.#enabled = enabled;
    this.#goal = goal;
    this.#startedMs = this.#drawnMs = performance.now();
  }

  /** Draws, if the last time was long enough ago. */
  update(state: ProgressState): void {
    if (!this.#enabled) return;
    const nowMs = performance.now();
    if (nowMs - this.#drawnMs < UPDATE_MS) return;
    const perSecond = (state.packets - this.#drawnPackets) / (nowMs - this.#drawnMs) * 1000;
    const done = shareDone(state, this.#goal);
    const elapsed = (nowMs - this.#startedMs) / 1000;
    const remaining = done === undefined || done < 0.01 ? undefined : elapsed * (1 - done) / done;
    this.#draw(progressText(state, perSecond, remaining));
    this.#drawnMs = nowMs;
    this.#drawnPackets = state.packets;
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#width > 0) writeAll(Deno.stderr, new TextEncoder().encode("\r\x1b[2K"));
    this.#width = 0;
  }

  #draw(text: string): void {
    const columns = terminalColumns();
    const cut = text.length < columns ? text : text.slice(0, Math.max(0, columns - 1));
    writeAll(Deno.stderr, new TextEncoder().encode(`\r\x1b[2K${cut}`));
    this.#width = cut.length;
  }
}

/** Columns of the terminal; 80 where there is none. */
export function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}

function short(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(1)} M`;
  return perSecond >= 1e4 ? `${Math.round(perSecond / 1e3)} k` : formatCount(Math.round(perSecond));
}

/** `"12 s"`, `"3 min 05 s"`, `"2 h 04 min"`. */
function clock(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole % 3600 / 60))} min`;
}
