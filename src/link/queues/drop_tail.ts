/**
 * Packets that wait in a drop-tail queue whose limit is in packets: when each will have left is known when it comes, so
 * that the queue needs no event of its own.
 *
 * @module
 */
import { grown } from "../../base/growth.ts";

/** Departure times of the packets that wait, for queues limited in packets. */
export interface PacketQueue {
  departuresNs: Float64Array;
  head: number;
  count: number;
}

/** Takes out the packets that have left by `nowNs`. */
export function forgetDeparted(queue: PacketQueue, nowNs: number): void {
  const size = queue.departuresNs.length;
  while (queue.count > 0 && queue.departuresNs[queue.head] <= nowNs) {
    queue.head = queue.head + 1 === size ? 0 : queue.head + 1;
    queue.count--;
  }
}

/** Adds a packet; the ring doubles when it is full. */
export function remember(queue: PacketQueue, departureNs: number): void {
  const size = queue.departuresNs.length;
  if (queue.count === size) {
    const longer = grown(size * 8, () => new Float64Array(size * 2));
    for (let i = 0; i < size; i++) longer[i] = queue.departuresNs[(queue.head + i) % size];
    queue.departuresNs = longer;
    queue.head = 0;
  }
  queue.departuresNs[(queue.head + queue.count) % queue.departuresNs.length] = departureNs;
  queue.count++;
}
