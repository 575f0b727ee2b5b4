/**
 * When what is in use will be given back: the earliest first.
 *
 * @module
 */

/** Times, each with a number. Most come in order, and wait in a queue; the others in a heap. */
export class Expiries {
  #times: number[] = [];
  #numbers: number[] = [];
  #head = 0;
  /** Pairs of time and number, a binary heap by time. */
  readonly #heap: [number, number][] = [];

  /** Adds a time, ns; Infinity is never. */
  add(timeNs: number, number: number): void {
    if (timeNs === Infinity) return;
    const last = this.#times.length - 1;
    if (last < this.#head || timeNs >= this.#times[last]) {
      this.#times.push(timeNs);
      this.#numbers.push(number);
      return;
    }
    const heap = this.#heap;
    let at = heap.push([timeNs, number]) - 1;
    for (let up = (at - 1) >> 1; at > 0 && heap[up][0] > heap[at][0]; up = (at - 1) >> 1) {
      [heap[up], heap[at]] = [heap[at], heap[up]];
      at = up;
    }
  }

  /** The number of the earliest time up to `nowNs`, which is taken out; -1 if there is none. */
  next(nowNs: number): number {
    const queued = this.#head < this.#times.length ? this.#times[this.#head] : Infinity;
    const heaped = this.#heap.length > 0 ? this.#heap[0][0] : Infinity;
    if (Math.min(queued, heaped) > nowNs || (queued === Infinity && heaped === Infinity)) return -1;
    if (heaped < queued) return this.#pop();
    const number = this.#numbers[this.#head++];
    if (this.#head > 65536 && this.#head * 2 > this.#times.length) {
      this.#times = this.#times.slice(this.#head);
      this.#numbers = this.#numbers.slice(this.#head);
      this.#head = 0;
    }
    return number;
  }

  #pop(): number {
    const heap = this.#heap;
    const number = heap[0][1];
    const last = heap.pop()!;
    if (heap.length === 0) return number;
    heap[0] = last;
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && heap[child][0] < heap[least][0]) least = child;
      }
      if (least === at) return number;
      [heap[least], heap[at]] = [heap[at], heap[least]];
      at = least;
    }
  }
}
