/**
 * What an event queue is made with.
 *
 * @module
 */
import type { CompareRefs } from "./tie_sort.ts";

/** Options of {@linkcode EventQueue}. */
export interface EventQueueOptions {
  /** The order of two events of one time and one round; negative if `refA` goes first. */
  compareTies: CompareRefs;
  /** Nanoseconds in a bucket: a power of two from 1 to 2^20, default 4,096. */
  bucketNs?: number;
  /** Events to reserve room for. Default 8,192. The pool doubles when they run out. */
  capacity?: number;
  /** The clock to use. Default a new one. */
  clock?: Float64Array;
}
