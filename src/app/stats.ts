/**
 * Connections as their openers saw them: attempts, outcomes, how long it took.
 *
 * @module
 */
import { type StateVisitor, visitNumbers } from "../base/state.ts";
import { grown, lengthened } from "../base/growth.ts";
import { OpenCount } from "./open_journal.ts";

/** Highest `ERRNO` plus one. */
const ERRNO_COUNT = 64;

/** Outcome counters of one partition. */
export class ConnectionStats extends OpenCount {
  /** Calls of connect. */
  attempted = 0;
  /** That reached ESTABLISHED at the opener. */
  established = 0;
  /** Attempts by address family, IPv4 and IPv6; of several to open one connection (Happy Eyeballs) each counts. */
  readonly attempts: Float64Array = new Float64Array(2);
  /** Established connections by address family. */
  readonly establishedOver: Float64Array = new Float64Array(2);
  /** Failures before ESTABLISHED, by `ERRNO`. */
  readonly failed: Int32Array = new Int32Array(ERRNO_COUNT);
  /** Failures after it, by `ERRNO`. */
  readonly broken: Int32Array = new Int32Array(ERRNO_COUNT);
  /** Requests answered in full. */
  repliesCompleted = 0;
  /** Payload bytes that openers received. */
  bytesReceived = 0;
  #connectUs = new Uint32Array(1024);
  #samples = 0;

  /** A connection reached ESTABLISHED `connectUs` microseconds after connect. */
  recordEstablished(connectUs: number, ipv6: boolean): void {
    this.established++;
    this.establishedOver[ipv6 ? 1 : 0]++;
    this.opened();
    if (this.#samples === this.#connectUs.length) {
      this.reserve(this.#samples * 2);
    }
    this.#connectUs[this.#samples++] = connectUs;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    visitNumbers(v, this);
    for (const counts of [this.attempts, this.establishedOver, this.failed, this.broken]) v.inPlace(counts);
    this.#samples = v.number(this.#samples);
    this.#connectUs = v.column(this.#connectUs, this.#samples);
  }

  /** Bytes of the connect times kept. */
  get bytes(): number {
    return this.#samples * 4;
  }

  /** Room for `count` samples, so that no buffer doubles in the middle of a run. */
  reserve(count: number): void {
    if (count <= this.#connectUs.length) return;
    this.#connectUs = lengthened(this.#connectUs, count);
  }

  /** All connect times, µs, in ascending order. */
  sortedConnectUs(): Uint32Array {
    return grown(this.bytes, () => this.#connectUs.slice(0, this.#samples)).sort();
  }
}
