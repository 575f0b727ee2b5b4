/**
 * RED, random early detection (Floyd and Jacobson 1993): packets that come are dropped, or marked, with a probability
 * that rises with the average length of the queue. "Gentle" (Floyd 2000): between the upper threshold and twice it the
 * probability goes on rising to 1, instead of jumping.
 *
 * @module
 */
import { drawFraction } from "../../base/rng.ts";
import type { StateVisitor } from "../../base/state.ts";
import {
  markCongestion,
  type QueueDiscipline,
  type QueueLimits,
  type QueuePackets,
  type RedSettings,
  shiftPacket,
} from "./discipline.ts";
import { SingleQueue } from "./single_queue.ts";

/** A packet of usual size, bytes: how fast an idle link would have emptied the queue, and what byte thresholds mean. */
const USUAL_BYTES = 1000;

/** One queue under RED. */
export class Red extends SingleQueue implements QueueDiscipline {
  readonly #settings: RedSettings;
  readonly #k0: number = 0;
  readonly #k1: number = 0;
  #average = 0;
  /** Since when the queue has been empty, ns. */
  #emptyNs = 0;
  /** Packets since the last one that was dropped or marked; -1 below the lower threshold. */
  #sinceLast = -1;
  #draws = 0;

  /** An empty queue; the key is that of its own random numbers. */
  constructor(settings: RedSettings, packets: QueuePackets, k0: number, k1: number) {
    super(packets, 4);
    this.#settings = settings;
    this.#k0 = k0;
    this.#k1 = k1;
  }

  /** See {@linkcode QueueDiscipline}. */
  enqueue(p: number, bytes: number, nowNs: number, limits: QueueLimits): void {
    const inBytes = limits.queueBytes !== Infinity;
    this.#takeAverage(inBytes, nowNs, limits.rateBps);
    if (this.#hits(inBytes, bytes)) {
      const { ecn, maxThreshold } = this.#settings;
      if (ecn && this.#average < maxThreshold && markCongestion(this.held.packets.rows.words, p)) this.marks++;
      else {
        this.earlyDrops++;
        this.held.early.push(p);
        return;
      }
    }
    this.append(p, bytes, nowNs, limits);
  }

  /** See {@linkcode QueueDiscipline}. */
  dequeue(nowNs: number): number {
    const p = shiftPacket(this.queue, 0, this.held);
    if (p !== 0 && this.packets === 0) this.#emptyNs = nowNs;
    return p;
  }

  /** See {@linkcode QueueDiscipline}. */
  override visitState(v: StateVisitor): void {
    super.visitState(v);
    this.#average = v.number(this.#average);
    this.#emptyNs = v.number(this.#emptyNs);
    this.#sinceLast = v.number(this.#sinceLast);
    this.#draws = v.number(this.#draws);
  }

  /** Is the packet that comes to be dropped or marked? */
  #hits(inBytes: boolean, bytes: number): boolean {
    const probability = this.#probability();
    if (probability < 0) {
      this.#sinceLast = -1;
      return false;
    }
    this.#sinceLast++;
    // The paper's section 4: the gaps between drops are spread evenly.
    const share = inBytes ? Math.min(1, probability * bytes / USUAL_BYTES) : probability;
    const left = 1 - this.#sinceLast * share;
    const hit = share >= 1 || left <= 0 ||
      (share > 0 && drawFraction(this.#k0, this.#k1, this.#draws++) < share / left);
    if (hit) this.#sinceLast = 0;
    return hit;
  }

  /** The exponentially weighted average; after an idle time as if small packets had come to an empty queue. */
  #takeAverage(inBytes: boolean, nowNs: number, rateBps: number): void {
    const { weight } = this.#settings;
    const length = inBytes ? this.bytes : this.packets;
    if (length > 0) {
      this.#average += weight * (length - this.#average);
      return;
    }
    let packets = Math.floor((nowNs - this.#emptyNs) * rateBps / (USUAL_BYTES * 8e9));
    // (1 - weight)^packets by squaring: only multiplications, which round alike everywhere.
    for (let factor = 1 - weight; packets > 0 && this.#average > 0; packets = Math.floor(packets / 2)) {
      if (packets % 2 === 1) this.#average *= factor;
      factor *= factor;
    }
    this.#emptyNs = nowNs;
  }

  /** The share of packets to drop or mark now; below 0 where the average is under the lower threshold. */
  #probability(): number {
    const { minThreshold, maxThreshold, maxProbability } = this.#settings;
    const average = this.#average;
    if (average < minThreshold) return -1;
    if (average < maxThreshold) return maxProbability * (average - minThreshold) / (maxThreshold - minThreshold);
    return Math.min(1, maxProbability + (1 - maxProbability) * (average - maxThreshold) / maxThreshold);
  }
}
