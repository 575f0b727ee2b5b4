/**
 * Exchanges of UDP workloads as those saw them who began them.
 *
 * @module
 */
import { type StateVisitor, visitNumbers } from "../base/state.ts";
import { Samples } from "./samples.ts";

/** Counters of one partition. */
export class DatagramStats {
  /** Exchanges begun: a request to one destination, with its repetitions, or several requests one after the other. */
  exchanges = 0;
  /** Of these, those whose every request was answered. */
  answered = 0;
  /** Of these, those that failed, by `ERRNO`; no answer in time is `ETIMEDOUT`. */
  readonly failed: Int32Array = new Int32Array(64);
  /** Datagrams that workloads and their services sent. */
  sent = 0;
  /** Datagrams that reached them. */
  received = 0;
  /** Requests that no answer came to in time, repeated ones included. */
  timedOut = 0;
  /** From a request to its answer, µs, of requests that were not repeated. */
  readonly replyUs: Samples = new Samples();

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    visitNumbers(v, this);
    v.inPlace(this.failed);
    this.replyUs.visitState(v);
  }
}
