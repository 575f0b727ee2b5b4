/**
 * What became of one workload's connections: who was served, and who was cut off.
 *
 * @module
 */
import { type StateVisitor, visitNumbers } from "../base/state.ts";
import { OpenCount } from "./open_journal.ts";

/** Highest `ERRNO` plus one. */
const ERRNO_COUNT = 64;

/** Outcomes of one workload's connections (over UDP: exchanges), as their openers saw them. */
export class WorkloadCounts extends OpenCount {
  /** Of the workload. */
  declare readonly name: string;
  /** `server:443`, where all go to one port of one address; else null. */
  declare readonly destination: string | null;
  /** Calls of connect; exchanges begun. */
  attempted = 0;
  /** That reached ESTABLISHED; exchanges that were answered. */
  established = 0;
  /** That did not, by `ERRNO`. */
  readonly failed: Int32Array = new Int32Array(ERRNO_COUNT);
  /** That broke after it, by `ERRNO`. */
  readonly broken: Int32Array = new Int32Array(ERRNO_COUNT);
  /** Requests answered in full. */
  repliesCompleted = 0;

  /** Nothing yet. */
  constructor(name: string, destination: string | null) {
    super();
    this.name = name;
    this.destination = destination;
  }

  /** A connection reached ESTABLISHED. */
  recordEstablished(): void {
    this.established++;
    this.opened();
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    visitNumbers(v, this);
    v.inPlace(this.failed);
    v.inPlace(this.broken);
  }
}
