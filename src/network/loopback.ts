/**
 * Packets of a host to itself: they cross no link, and arrive at the same instant in the next round.
 *
 * @module
 */
import type { App } from "../app/types.ts";
import { cpuReceive, hasCpu } from "./cpu.ts";
import type { Partition } from "./partition.ts";

/** Stands for the loopback interface where a direction's rank would stand. */
const LOOPBACK_RANK = -1;

/** The application behind loopback: an event of a host delivers a packet (the argument) to that host (the code). */
export class Loopback implements App {
  readonly #partition: Partition;

  /** Of one partition. */
  constructor(partition: Partition) {
    this.#partition = partition;
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}. It has no state. */
  visitState(): void {}

  /** See {@linkcode App}. */
  onTimer(node: number, _connection: number, packet: number): void {
    const s = this.#partition;
    s.path.digest(packet, node, LOOPBACK_RANK);
    for (const tap of s.taps) tap(packet, s.nowNs, node, node, -1);
    if (hasCpu(s, node)) cpuReceive(s, node, packet);
    else s.path.takeIn(node, packet);
  }
}
