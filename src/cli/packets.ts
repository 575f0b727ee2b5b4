/**
 * What `--packets` prints: a line for every packet that a link delivers.
 *
 * @module
 */
import { formatPacket } from "../wire/tcpdump.ts";
import type { PacketFilter, SeenPacket } from "../network/packet_filter.ts";
import type { LineWriter } from "./output.ts";

/** Prints the packets that pass the filter: tcpdump's line, and the nodes at both ends of the link. */
export class PacketPrinter {
  /** Lines printed. */
  count = 0;
  readonly #out: LineWriter;
  readonly #filter: PacketFilter | undefined;

  /** Prints to `out`; without a filter, all. */
  constructor(out: LineWriter, filter?: PacketFilter) {
    this.#out = out;
    this.#filter = filter;
  }

  /** Looks at a delivery. */
  see(seen: SeenPacket): void {
    if (this.#filter !== undefined && !this.#filter(seen)) return;
    this.count++;
    this.#out.write(packetLine(seen));
  }
}

/** `0.010000000 IP 10.0.0.2.32768 > 192.0.2.1.443: Flags [S], …, length 0  (client -> r1)`. */
export function packetLine(seen: SeenPacket): string {
  return `${formatPacket(seen.packets, seen.addresses, seen.p, seen.timeNs)}  (${seen.from} -> ${seen.to})`;
}
