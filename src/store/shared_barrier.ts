/**
 * A barrier of threads that each bring some numbers along: who has passed it knows all of them. Spinning comes first, for
 * threads that run at the same time meet within microseconds; who has to wait longer sleeps.
 *
 * @module
 */

/** Words at the beginning: how many have arrived, how often all have met, how many sleep. A cache line each. */
const ARRIVED = 0;
const MET = 16;
const SLEEPERS = 32;
const HEADER_WORDS = 48;

/** Looks at the barrier before a thread goes to sleep: some tens of microseconds. */
const SPINS = 4000;

/** How long a sleeper sleeps at most before it looks again, ms. */
const NAP_MS = 20;

/** Memory of a barrier for `parties` threads with `numbers` numbers each. */
export function barrierBuffer(parties: number, numbers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * HEADER_WORDS + 2 * 8 * parties * numbers);
}

/** One thread's end of a barrier. */
export class SharedBarrier {
  readonly #header: Int32Array = new Int32Array(0);
  readonly #numbers: Float64Array = new Float64Array(0);
  readonly #parties: number = 0;
  readonly #each: number = 0;
  readonly #me: number = 0;
  #round = 0;

  /** Thread number `me` of `parties`, each of which brings so many `numbers`. */
  constructor(buffer: SharedArrayBuffer, options: { me: number; parties: number; numbers: number }) {
    this.#header = new Int32Array(buffer, 0, HEADER_WORDS);
    this.#numbers = new Float64Array(buffer, 4 * HEADER_WORDS);
    this.#parties = options.parties;
    this.#each = options.numbers;
    this.#me = options.me;
  }

  /** Brings number `which` to the next meeting. */
  bring(which: number, value: number): void {
    this.#numbers[this.#place(this.#round, this.#me, which)] = value;
  }

  /** What `party` brought to the meeting that this thread has come from last. */
  brought(party: number, which: number): number {
    return this.#numbers[this.#place(this.#round - 1, party, which)];
  }

  /** Waits until all have come. `idle` is called now and then meanwhile. */
  meet(idle: () => void): void {
    const header = this.#header;
    const round = this.#round++;
    // (Two sets of numbers in turn: nobody is two meetings ahead of anybody.)
    if (Atomics.add(header, ARRIVED, 1) === this.#parties - 1) {
      Atomics.store(header, ARRIVED, 0);
      Atomics.store(header, MET, (round + 1) | 0);
      if (Atomics.load(header, SLEEPERS) > 0) Atomics.notify(header, MET);
      return;
    }
    for (let spins = 0; Atomics.load(header, MET) === (round | 0); spins++) {
      if (spins < SPINS) continue;
      idle();
      Atomics.add(header, SLEEPERS, 1);
      Atomics.wait(header, MET, round | 0, NAP_MS);
      Atomics.sub(header, SLEEPERS, 1);
    }
  }

  #place(round: number, party: number, which: number): number {
    return ((round & 1) * this.#parties + party) * this.#each + which;
  }
}
