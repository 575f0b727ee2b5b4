/**
 * Packets that wait in a drop-tail queue whose limit is in packets: when each will have left is known when it comes, so
 * that the queue needs no event of its own.
 *
 * @module
 */
import { grown } from "../../base/growth.ts";

/** Departure times of the packets that wait, for queues limited in packets. */
export interface PacketQueue {
  /** A ring: its length is a power of two. */
  departuresNs: Float64Array;
  head: number;
  count: number;
}

/**
 * Takes out the packets that have left by `nowNs`, and adds one that will have left at `departureNs` unless more than
 * `most` wait. Returns how many were waiting. The ring doubles when it is full.
 */
export function join(queue: PacketQueue, most: number, nowNs: number, departureNs: number): number {
  const departuresNs = queue.departuresNs;
  const mask = departuresNs.length - 1;
  let head = queue.head;
  let count = queue.count;
  for (; count > 0 && departuresNs[head] <= nowNs; count = (count - 1) | 0) head = (head + 1) & mask;
  queue.head = head;
  queue.count = count;
  if (count > most) return count;
  if (count > mask) {
    lengthen(queue);
    return join(queue, most, nowNs, departureNs);
  }
  departuresNs[(head + count) & mask] = departureNs;
  queue.count = (count + 1) | 0;
  return count;
}

function lengthen(queue: PacketQueue): void {
  const { departuresNs, head } = queue;
  const size = departuresNs.length;
  const longer = grown(size * 8, () => new Float64Array(size * 2));
  for (let i = 0; i < size; i++) longer[i] = departuresNs[(head + i) & (size - 1)];
  queue.departuresNs = longer;
  queue.head = 0;
}
