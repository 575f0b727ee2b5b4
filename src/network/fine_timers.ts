/**
 * Timers of TCP that are finer than a millisecond (pacing): events of the connection's host in the event queue, numbered
 * by the host's own count.
 *
 * @module
 */
import type { App } from "../app/types.ts";
import { TCB } from "../tcp/state/tcb.ts";
import { fineTimerFired } from "../tcp/mod.ts";
import { FINE_TIMER_APP, type Partition } from "./partition.ts";

/** The application behind fine timers. */
export class FineTimers implements App {
  readonly #partition: Partition;

  /** Of one partition. */
  constructor(partition: Partition) {
    this.#partition = partition;
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}. It has no state. */
  visitState(): void {}

  /** See {@linkcode App}: the argument is the timer's reference. */
  onTimer(_code: number, _connection: number, ref: number): void {
    fineTimerFired(this.#partition.tcp, ref);
  }
}

/** Puts the timers that TCP asked for into the event queue. */
export function drainFineTimers(s: Partition): void {
  const tcp = s.tcp;
  const requests = tcp.fineTimerRequests;
  for (let i = 0; i < tcp.fineTimerRequestCount; i++) {
    const ref = requests[2 * i];
    const connection = ref >>> 2;
    const host = tcp.tcbs.words[connection * TCB.STRIDE + TCB.HOST];
    s.schedule(host, FINE_TIMER_APP, Math.ceil(requests[2 * i + 1]), 0, connection, ref);
  }
  tcp.fineTimerRequestCount = 0;
}
