/**
 * Events one after the other, as long as nothing else is due.
 *
 * @module
 */
import { fireAppEvent } from "./drain.ts";
import type { Partition } from "./partition.ts";

/**
 * Pops and carries out up to `most` events of a partition that are due up to `CLOCK.LIMIT`, and stops when a handler has
 * thrown. Returns how many of them are left; the complement of that (`~left`, below 0) where no further one was due.
 */
export type EventLoop = (most: number) => number;

/** Makes the function for a partition, which is a constant in it (see `packet_path.ts`). */
export function eventLoop(s: Partition, deliver: (p: number) => void): EventLoop {
  const { queue } = s;
  return function runEvents(most: number): number {
    let left = most | 0;
    for (; left > 0 && !s.halted; left = (left - 1) | 0) {
      // (Worked out before it is needed: V8 compiles nothing that it has not seen, and compiled all of this once more.)
      const none = ~left;
      const ref = queue.popWithin();
      if (ref < 0) return none;
      if ((ref & 1) === 0) deliver(ref >>> 1);
      else fireAppEvent(s, ref >>> 1);
    }
    return left;
  };
}
