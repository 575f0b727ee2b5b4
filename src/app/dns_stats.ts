/**
 * What became of lookups and queries.
 *
 * @module
 */
import { type StateVisitor, visitNumbers } from "../base/state.ts";
import { Samples } from "./samples.ts";

/** Counters of one partition. */
export class DnsStats {
  /** Lookups of a name's addresses that applications asked for. */
  lookups = 0;
  /** Of these, those that found an address. */
  answered = 0;
  /** Of these, those that did not, by `ERRNO`. */
  readonly failed: Int32Array = new Int32Array(64);
  /** Answers that a cache gave, of one family of addresses each. */
  cacheHits = 0;
  /** Datagrams with a question that resolvers sent, repeated ones included. */
  queries = 0;
  /** Those that no answer came to in time. */
  timeouts = 0;
  /** Questions that servers answered. */
  served = 0;
  /** Of these, those that they asked another server about first. */
  forwarded = 0;
  /** Answers of servers that had no room for all records (TC). */
  truncated = 0;
  /** From the question of an application to its answer, µs. */
  readonly lookupUs: Samples = new Samples();

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    visitNumbers(v, this);
    v.inPlace(this.failed);
    this.lookupUs.visitState(v);
  }
}
