/**
 * Pipes, as `splice` needs them: counts of bytes.
 *
 * @module
 */

/** Bytes that a pipe holds (Linux: 16 pages). */
const CAPACITY = 65536;

/** One end of a pipe; both ends share `state`. */
export class Pipe {
  readonly kind = "pipe";
  readonly state: { bytes: number; readers: number; writers: number };
  readonly writes: boolean;

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
