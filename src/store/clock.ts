/**
 * The clock of a partition: a few times in one `Float64Array`.
 *
 * A double that crosses a call which is not inlined is boxed: an allocation and a dependent load each time. The run
 * loop, the queue, links and cores therefore share this array and pass times in its places, not as arguments.
 *
 * @module
 */

/** Places in a clock. All are times in ns. */
export const CLOCK = {
  /** Now. */
  NOW: 0,
  /** The event queue's: end of the current bucket. */
  END: 1,
  /** The event queue's: start of its wheels. */
  EPOCH: 2,
  /** The argument of `EventQueue.pushTimed`, and the result of `Links.sendNow`: when the packet arrives. */
  TIME: 3,
  /** `EventQueue.popWithin` pops what is due up to this time: a `TimerWheel` lowers it to before its earliest timer. */
  LIMIT: 4,
  /** The event queue's: end of what its finest wheel holds. */
  FINE_END: 5,
  /** The event queue's: buckets in a nanosecond. */
  PER_NS: 6,
  /** Places. */
  SIZE: 8,
} as const;

/** A clock at time 0. */
export function newClock(): Float64Array {
  return new Float64Array(CLOCK.SIZE);
}
