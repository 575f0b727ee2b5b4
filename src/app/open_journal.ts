/**
 * Who writes down when connections open and close, where several threads count them: what was open at the same time is
 * known only when their journals are put together.
 *
 * @module
 */

/** One thread's journal. */
export interface OpenJournal {
  /** Count number `slot` has changed by 1 or -1, now. */
  note(slot: number, change: number): void;
}

/** How many are open now, and were at most. */
export class OpenCount {
  /** Now. */
  open = 0;
  /** At most. */
  peakOpen = 0;
  #journal: OpenJournal | undefined;
  #slot = 0;

  /** Has every change written down, under this number. */
  writeDown(journal: OpenJournal, slot: number): void {
    this.#journal = journal;
    this.#slot = slot;
  }

  /** One more. */
  opened(): void {
    if (++this.open > this.peakOpen) this.peakOpen = this.open;
    this.#journal?.note(this.#slot, 1);
  }

  /** One less. */
  closed(): void {
    this.open--;
    this.#journal?.note(this.#slot, -1);
  }
}
