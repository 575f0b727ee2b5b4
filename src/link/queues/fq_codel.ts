/**
 * FQ-CoDel (RFC 8290): flows are hashed onto queues that a deficit round robin serves, those that have just begun first;
 * each queue is under CoDel. A flow that fills more than its share waits behind itself alone.
 *
 * @module
 */
import { finalise32 } from "../../base/hash.ts";
import type { StateVisitor } from "../../base/state.ts";
import { CODEL, type CodelCounts, codelDequeue } from "./codel.ts";
import {
  type FqCodelSettings,
  pushPacket,
  type QueueDiscipline,
  type QueueLimits,
  type QueuePackets,
  shiftPacket,
} from "./discipline.ts";

const { BYTES, PACKETS, COUNT } = CODEL;
/** Fields of a flow's row after CoDel's: bytes that it may still send in its turn; the next flow of its list. */
const DEFICIT = CODEL.STRIDE;
const NEXT = CODEL.STRIDE + 1;
/** Which list it is on: 0 none, else `NEW` or `OLD`. */
const LIST = CODEL.STRIDE + 2;
const STRIDE = CODEL.STRIDE + 3;

const NEW = 1;
const OLD = 2;

/** RFC 8290 4.1: of the fattest flow at most so many packets are dropped at once, so that a flood costs little. */
const DROP_BATCH = 64;

/** FQ-CoDel's queues. Rows are numbered from 1. */
export class FqCodel implements QueueDiscipline, CodelCounts {
  /** See {@linkcode QueueDiscipline}. */
  earlyDrops = 0;
  /** See {@linkcode QueueDiscipline}. */
  marks = 0;
  /** See {@linkcode QueueDiscipline}. */
  packets = 0;
  /** See {@linkcode QueueDiscipline}. */
  bytes = 0;
  readonly #settings: FqCodelSettings;
  readonly #packets: QueuePackets;
  readonly #perturbation: number = 0;
  // (Made when the first packet comes: links that never carry any need no queues.)
  #flows = new Float64Array(0);
  #mostBytes = 0;
  /** First and last flow of the two lists, by list. */
  #first = new Int32Array(3);
  #last = new Int32Array(3);

  /** Empty queues. `perturbation` salts the hash of flows. */
  constructor(settings: FqCodelSettings, packets: QueuePackets, perturbation: number) {
    this.#settings = settings;
    this.#packets = packets;
    this.#perturbation = perturbation;
  }

  /** See {@linkcode QueueDiscipline}. */
  enqueue(p: number, bytes: number, nowNs: number, limits: QueueLimits): void {
    const { flows: count, quantumBytes } = this.#settings;
    if (this.#flows.length === 0) this.#flows = new Float64Array((count + 1) * STRIDE);
    const flows = this.#flows;
    const flow = 1 + (finalise32(this.#packets.flowHash(p) ^ this.#perturbation) >>> 0) % count;
    const at = flow * STRIDE;
    pushPacket(flows, at, this.#packets.packets.rows.words, p, bytes, nowNs);
    this.packets++;
    this.bytes += bytes;
    if (bytes > this.#mostBytes) this.#mostBytes = bytes;
    if (flows[at + LIST] === 0) {
      flows[at + DEFICIT] = quantumBytes;
      this.#append(flow, NEW);
    }
    if (this.packets > limits.queuePackets || this.bytes > limits.queueBytes) this.#dropOfFattest();
  }

  /** See {@linkcode QueueDiscipline}. */
  dequeue(nowNs: number): number {
    const flows = this.#flows;
    const settings = this.#settings;
    for (;;) {
      const list = this.#first[NEW] !== 0 ? NEW : OLD;
      const flow = this.#first[list];
      if (flow === 0) return 0;
      const at = flow * STRIDE;
      if (flows[at + DEFICIT] <= 0) {
        flows[at + DEFICIT] += settings.quantumBytes;
        this.#removeFirst(list);
        this.#append(flow, OLD);
        continue;
      }
      const bytesBefore = flows[at + BYTES];
      const packetsBefore = flows[at + PACKETS];
      const p = codelDequeue(flows, at, this.#packets, settings, this.#mostBytes, nowNs, this);
      this.bytes -= bytesBefore - flows[at + BYTES];
      this.packets -= packetsBefore - flows[at + PACKETS];
      if (p !== 0) {
        flows[at + DEFICIT] -= this.#packets.bytesOf(p);
        return p;
      }
      // RFC 8290 4.2: a new flow that is through is old for one round, lest it come back as new at once.
      this.#removeFirst(list);
      if (list === NEW && this.#first[OLD] !== 0) this.#append(flow, OLD);
    }
  }

  /** See {@linkcode QueueDiscipline}. */
  visitState(v: StateVisitor): void {
    this.earlyDrops = v.number(this.earlyDrops);
    this.marks = v.number(this.marks);
    this.packets = v.number(this.packets);
    this.bytes = v.number(this.bytes);
    this.#mostBytes = v.number(this.#mostBytes);
    this.#flows = v.column(this.#flows);
    this.#first = v.column(this.#first);
    this.#last = v.column(this.#last);
  }

  #append(flow: number, list: number): void {
    const flows = this.#flows;
    flows[flow * STRIDE + LIST] = list;
    flows[flow * STRIDE + NEXT] = 0;
    if (this.#first[list] === 0) this.#first[list] = flow;
    else flows[this.#last[list] * STRIDE + NEXT] = flow;
    this.#last[list] = flow;
  }

  #removeFirst(list: number): void {
    const flow = this.#first[list];
    this.#first[list] = this.#flows[flow * STRIDE + NEXT];
    this.#flows[flow * STRIDE + LIST] = 0;
  }

  /** RFC 8290 4.1: half of the flow with the most bytes goes, from its head, but no more than a batch. */
  #dropOfFattest(): void {
    const flows = this.#flows;
    let fattest = 0;
    for (let at = STRIDE; at < flows.length; at += STRIDE) {
      if (flows[at + BYTES] > flows[fattest + BYTES]) fattest = at;
    }
    const half = flows[fattest + BYTES] / 2;
    let dropped = 0;
    do {
      const before = flows[fattest + BYTES];
      this.#packets.overflowed.push(shiftPacket(flows, fattest, this.#packets));
      this.bytes -= before - flows[fattest + BYTES];
      this.packets--;
      dropped++;
    } while (dropped < DROP_BATCH && flows[fattest + BYTES] > half);
    flows[fattest + COUNT] += dropped;
  }
}
