/**
 * Where connections to names went: by name, port and address. Shows how evenly the answers of DNS spread them.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { KeyTable } from "../transport/key_table.ts";

/** One address that a name has led to. */
export interface TargetCount {
  /** Number of the name. */
  name: number;
  /** Address id. */
  address: number;
  /** Destination port. */
  port: number;
  /** Connections established (or exchanges answered). */
  established: number;
  /** Attempts that failed; the next address may have served. */
  failed: number;
}

/** The counts of one partition. */
export class TargetCounts {
  /** In no promised order. */
  readonly all: TargetCount[] = [];
  readonly #rows = new KeyTable();

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    const all = v.plain(this.all.map(({ name, address, port, established, failed }) => {
      return [name, address, port, established, failed];
    }));
    if (v.restoring) {
      this.all.length = 0;
      for (const [name, address, port, established, failed] of all) {
        this.all.push({ name, address, port, established, failed });
      }
    }
    this.#rows.visitState(v);
  }

  /** The count of an address, from 0 if it is new. */
  of(name: number, address: number, port: number): TargetCount {
    const row = this.#rows.get(name, address, port);
    if (row !== 0) return this.all[row - 1];
    const made = { name, address, port, established: 0, failed: 0 };
    this.#rows.set(name, address, port, this.all.push(made));
    return made;
  }
}
