/**
 * Pipes and files, as `splice` and `sendfile` need them: counts of bytes.
 *
 * @module
 */

/** A regular file, as `sendfile` needs one: it has as many bytes as are asked for. */
export class RegularFile {
  readonly kind = "regular";
}

/** Bytes that a pipe holds (Linux: 16 pages). */
const CAPACITY = 65536;

/** One end of a pipe; both ends share `state`. */
export class Pipe {
  readonly kind = "pipe";
  declare readonly state: { bytes: number; readers: number; writers: number };
  declare readonly writes: boolean;

  /** An end that reads or writes. */
  constructor(state: Pipe["state"], writes: boolean) {
    this.state = state;
    this.writes = writes;
    if (writes) state.writers++;
    else state.readers++;
  }

  /** Room for writing. */
  get room(): number {
    return CAPACITY - this.state.bytes;
  }
}
