/**
 * One search for a free port: scans and single tries over a range, counted, and carried on in a bitmap once many
 * ports turned out to be taken. What it answers does not depend on whether there is a bitmap.
 *
 * @module
 */
import { ANY_PARITY, EVEN, ODD, type PortBitmap } from "./port_bitmap.ts";
import type { PortUse } from "./port_use.ts";

/** Taken ports that a search meets one by one before it makes a bitmap. */
const PATIENCE = 64;

/** A search, reused: `begin` with the range and whom it is for, then ask. Offsets count from the range's lowest port. */
export class PortSearch {
  /** Ports in the range. */
  size = 0;
  readonly #use: PortUse;
  readonly #bitmaps: boolean;
  #scope = 0;
  #host = 0;
  #local = 0;
  #remote = 0;
  #remotePort = 0;
  /** The range's lowest port. */
  low = 0;
  #met = 0;
  #reuses = false;
  #bitmap: PortBitmap | null = null;

  /** Searches in `use`; without bitmaps (for tests) if `bitmaps` is false. */
  constructor(use: PortUse, bitmaps: boolean) {
    this.#use = use;
    this.#bitmaps = bitmaps;
  }

  /**
   * Starts a search for a port from `low` to `high`, free in the sense of `scope` (`PORT_SCOPE`) for these words. With
   * `reuses`, TIME-WAIT tuples that have rested are free as well: time frees them, and no bitmap follows that.
   */
  begin(
    scope: number,
    host: number,
    local: number,
    remote: number,
    remotePort: number,
    low: number,
    high: number,
    reuses = false,
  ): void {
    this.size = high - low + 1;
    this.#reuses = reuses;
    this.#scope = scope;
    this.#host = host;
    this.#local = local;
    this.#remote = remote;
    this.#remotePort = remotePort;
    this.low = low;
    this.#met = 0;
    const range = reuses ? undefined : this.#use.findCrowded(scope, host, local, remote, remotePort, low, this.size);
    this.#bitmap = range === undefined ? null : range.bitmap;
  }

  /** True if it is known already that no port of the range is free. */
  get exhausted(): boolean {
    return this.#bitmap !== null && this.#bitmap.freeCount === 0;
  }

  /** Is the port at this offset free? */
  isFree(offset: number): boolean {
    return this.#bitmap !== null ? this.#bitmap.isFree(offset) : this.#probe(offset);
  }

  /** Steps from `start` to the first free port, going up and round through the whole range; -1 if none is free. */
  scan(start: number): number {
    const size = this.size;
    for (let step = 0; step < size; step++) {
      if (this.#bitmap !== null) return this.#leap(start, 1, size, ANY_PARITY);
      const offset = start + step;
      if (this.#probe(offset < size ? offset : offset - size)) return step;
    }
    return -1;
  }

  /** As `scan`, through the ports of the parity of `start` only; a step is from one of them to the next. */
  scanParity(start: number): number {
    const parity = start & 1;
    const count = parity === 0 ? (this.size + 1) >> 1 : this.size >> 1;
    for (let step = 0; step < count; step++) {
      if (this.#bitmap !== null) return this.#leap(start, 2, count, parity === 0 ? EVEN : ODD);
      const offset = start + 2 * step;
      if (this.#probe(offset < this.size ? offset : offset - 2 * count)) return step;
    }
    return -1;
  }

  #leap(start: number, stride: number, count: number, parity: number): number {
    const bitmap = this.#bitmap!;
    if (bitmap.freeCount === 0) return -1;
    let found = bitmap.next(start, parity);
    if (found < 0) found = bitmap.next(0, parity);
    if (found < 0) return -1;
    return found >= start ? (found - start) / stride : (found - start) / stride + count;
  }

  #probe(offset: number): boolean {
    const port = this.low + offset;
    const reuses = this.#reuses;
    if (!this.#use.isTaken(this.#scope, this.#host, this.#local, this.#remote, this.#remotePort, port, reuses)) {
      return true;
    }
    if (++this.#met > PATIENCE && this.#bitmaps && !reuses) {
      const range = this.#use.addCrowded(
        this.#scope,
        this.#host,
        this.#local,
        this.#remote,
        this.#remotePort,
        this.low,
        this.size,
      );
      this.#bitmap = range.bitmap;
    }
    return false;
  }
}
