/**
 * CoDel, controlled delay (RFC 8289): packets are dropped at the head of a queue whose delay has not been below the
 * target for an interval, ever faster until it is.
 *
 * @module
 */
import type { StateVisitor } from "../../base/state.ts";
import {
  type CodelSettings,
  FIFO,
  markCongestion,
  type QueueDiscipline,
  type QueueLimits,
  type QueuePackets,
  shiftPacket,
  sojournNs,
} from "./discipline.ts";
import { SingleQueue } from "./single_queue.ts";

/** Fields of a queue under CoDel: a `FIFO`, and RFC 8289 5's variables. */
export const CODEL = {
  ...FIFO,
  /** When the delay will have been above the target for an interval, ns; 0 while it is not. */
  FIRST_ABOVE_NS: 4,
  /** When to drop next, ns. */
  DROP_NEXT_NS: 5,
  /** Drops since the dropping state was entered. */
  COUNT: 6,
  /** `COUNT` when it was entered last. */
  LAST_COUNT: 7,
  /** 1 in the dropping state. */
  DROPPING: 8,
  /** Places in a row. */
  STRIDE: 9,
} as const;

const { BYTES, FIRST_ABOVE_NS, DROP_NEXT_NS, COUNT, LAST_COUNT, DROPPING, STRIDE } = CODEL;

/** Counters that the queues of one discipline share. */
export interface CodelCounts {
  earlyDrops: number;
  marks: number;
}

/** Was the packet that {@linkcode codelDequeue} has just taken late enough to be dropped? */
let late = false;

/** RFC 8289 5.4: takes the first packet, and notes in `late` whether the delay has been too long for an interval. */
function takeFirst(
  queue: Float64Array,
  at: number,
  packets: QueuePackets,
  settings: Omit<CodelSettings, "kind">,
  mostBytes: number,
  nowNs: number,
): number {
  late = false;
  const p = shiftPacket(queue, at, packets);
  if (p === 0) {
    queue[at + FIRST_ABOVE_NS] = 0;
    return 0;
  }
  if (
    sojournNs(packets.packets.rows.words, p, nowNs) < settings.targetNs || queue[at + BYTES] <= mostBytes
  ) queue[at + FIRST_ABOVE_NS] = 0;
  else if (queue[at + FIRST_ABOVE_NS] === 0) queue[at + FIRST_ABOVE_NS] = nowNs + settings.intervalNs;
  else late = nowNs >= queue[at + FIRST_ABOVE_NS];
  return p;
}

/**
 * RFC 8289 5.5: the packet to be sent of the queue at `at`, 0 if none is left. `mostBytes` is the largest packet seen: a
 * queue of no more is never too long.
 */
export function codelDequeue(
  queue: Float64Array,
  at: number,
  packets: QueuePackets,
  settings: Omit<CodelSettings, "kind">,
  mostBytes: number,
  nowNs: number,
  counts: CodelCounts,
): number {
  let p = takeFirst(queue, at, packets, settings, mostBytes, nowNs);
  if (queue[at + DROPPING] === 1) {
    if (!late) queue[at + DROPPING] = 0;
    while (queue[at + DROPPING] === 1 && nowNs >= queue[at + DROP_NEXT_NS]) {
      queue[at + COUNT]++;
      const marked = drop(p, packets, settings.ecn, counts);
      if (!marked) {
        p = takeFirst(queue, at, packets, settings, mostBytes, nowNs);
        if (!late) {
          queue[at + DROPPING] = 0;
          break;
        }
      }
      queue[at + DROP_NEXT_NS] = controlLaw(queue[at + DROP_NEXT_NS], settings.intervalNs, queue[at + COUNT]);
      if (marked) break;
    }
  } else if (late) {
    if (!drop(p, packets, settings.ecn, counts)) {
      p = takeFirst(queue, at, packets, settings, mostBytes, nowNs);
    }
    queue[at + DROPPING] = 1;
    // Where it was left not long ago, the rate that was right then is a good beginning.
    const drops = queue[at + COUNT] - queue[at + LAST_COUNT];
    queue[at + COUNT] = drops > 1 && nowNs - queue[at + DROP_NEXT_NS] < 16 * settings.intervalNs ? drops : 1;
    queue[at + DROP_NEXT_NS] = controlLaw(nowNs, settings.intervalNs, queue[at + COUNT]);
    queue[at + LAST_COUNT] = queue[at + COUNT];
  }
  return p;
}

/** RFC 8289 3.3: the time to the next drop falls with the square root of their number. */
function controlLaw(timeNs: number, intervalNs: number, count: number): number {
  // (IEEE 754 has square roots rounded correctly: the same on every machine.)
  return timeNs + Math.floor(intervalNs / Math.sqrt(count));
}

/** Marks a packet, or else drops it. True if it is still there. */
function drop(p: number, packets: QueuePackets, ecn: boolean, counts: CodelCounts): boolean {
  if (ecn && markCongestion(packets.packets.rows.words, p)) {
    counts.marks++;
    return true;
  }
  counts.earlyDrops++;
  packets.early.push(p);
  return false;
}

/** One queue under CoDel. */
export class Codel extends SingleQueue implements QueueDiscipline, CodelCounts {
  readonly #settings: CodelSettings;
  #mostBytes = 0;

  /** An empty queue. */
  constructor(settings: CodelSettings, packets: QueuePackets) {
    super(packets, STRIDE);
    this.#settings = settings;
  }

  /** See {@linkcode QueueDiscipline}. */
  enqueue(p: number, bytes: number, nowNs: number, limits: QueueLimits): void {
    if (bytes > this.#mostBytes) this.#mostBytes = bytes;
    this.append(p, bytes, nowNs, limits);
  }

  /** See {@linkcode QueueDiscipline}. */
  dequeue(nowNs: number): number {
    return codelDequeue(this.queue, 0, this.held, this.#settings, this.#mostBytes, nowNs, this);
  }

  /** See {@linkcode QueueDiscipline}. */
  override visitState(v: StateVisitor): void {
    super.visitState(v);
    this.#mostBytes = v.number(this.#mostBytes);
  }
}
