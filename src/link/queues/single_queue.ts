/**
 * What disciplines with one queue share.
 *
 * @module
 */
import type { StateVisitor } from "../../base/state.ts";
import { FIFO, pushPacket, type QueueLimits, type QueuePackets } from "./discipline.ts";

const { BYTES, PACKETS } = FIFO;

/** A first-in-first-out queue with a limit, and counters. */
export class SingleQueue {
  /** See `QueueDiscipline`. */
  earlyDrops = 0;
  /** See `QueueDiscipline`. */
  marks = 0;
  /** The queue's row: a `FIFO`, and what else the discipline keeps. */
  protected queue: Float64Array;
  /** Where packets are, and where dropped ones are left. */
  protected readonly held: QueuePackets;

  /** An empty queue with a row of so many places. */
  constructor(held: QueuePackets, places: number) {
    this.held = held;
    this.queue = new Float64Array(places);
  }

  /** See `QueueDiscipline`. */
  get packets(): number {
    return this.queue[PACKETS];
  }

  /** See `QueueDiscipline`. */
  get bytes(): number {
    return this.queue[BYTES];
  }

  /** Appends packet `p`, or drops it if the queue is full. */
  protected append(p: number, bytes: number, nowNs: number, limits: QueueLimits): void {
    if (this.packets >= limits.queuePackets || this.bytes + bytes > limits.queueBytes) this.held.overflowed.push(p);
    else pushPacket(this.queue, 0, this.held.packets.rows.words, p, bytes, nowNs);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.earlyDrops = v.number(this.earlyDrops);
    this.marks = v.number(this.marks);
    this.queue = v.column(this.queue);
  }
}
