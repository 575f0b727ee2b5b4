/**
 * What the threads of a run in parts share, and what the first of them tells the others to do.
 *
 * @module
 */
import { OutOfMemory } from "../base/growth.ts";
import { barrierBuffer, SharedBarrier } from "../store/shared_barrier.ts";
import { ringBuffer, SharedRing } from "../store/shared_ring.ts";
import type { NetworkDocument } from "./document.ts";
import type { DumpKind } from "./dump.ts";
import { Part, takePart } from "./part.ts";
import { RING_WORDS, SIGHTINGS_RING_WORDS } from "./part_crossing.ts";
import { journalNumbers, journalOf } from "./part_journal.ts";
import { NUMBERS_BROUGHT, PartRunner } from "./part_run.ts";
import { Sightings, type Watched } from "./part_sightings.ts";
import type { Partition } from "./partition.ts";
import { shareSchedules } from "./workloads_schedule.ts";
import type { Numbering } from "./plan.ts";

/** What the first thread asks the others with LOOK: for dumps of their nodes, or for a sample of a series. */
export type LookRequest = { dump: DumpKind; nodes?: string } | { series: number };

/** What a thread gets to begin with. */
export interface ThreadOrder {
  /** Which part it is. */
  index: number;
  /** What to build. */
  declaration: NetworkDocument;
  numbering: Numbering;
  /** Modules to import first. */
  modules: string[];
  /** Congestion controls that the first thread knows: those of modules, and those that only code has registered. */
  congestionControls: string[];
  /** What series are of: nodes (undefined: all). */
  series: (string | undefined)[];
  /** How the network is divided. */
  division: Division;
  shared: SharedMemory;
}

/** How a network is divided. */
export interface Division {
  /** Parts. */
  count: number;
  /** The part of each node, by row. */
  owners: Uint8Array;
  /** Time that every packet takes at least from one part to another, ns; infinite where no link joins them. */
  lookaheadNs: number;
  /** Do several parts open connections? Then they write down when. */
  journals: boolean;
}

/** Memory of all threads. */
export interface SharedMemory {
  control: SharedArrayBuffer;
  barrier: SharedArrayBuffer;
  /** From part i to part j: number `i * count + j`. */
  rings: (SharedArrayBuffer | undefined)[];
  /** What is to be seen of packets, if somebody looks. */
  watched: Watched | undefined;
}

/** Places of the control block. */
export const CONTROL_AT = {
  COMMAND: 0,
  READY: 16,
  FAILED: 17,
  PAST: 18,
  STARTED: 19,
  MESSAGE_LENGTH: 20,
  SECTION: 21,
} as const;
/** Bytes at which its numbers begin, and those of a failure's text. */
const NUMBERS_AT = 256;
const TEXT_AT = 512;
const TEXT_BYTES = 4096;

/** What a thread that can do no more says: it is writing why; here is a text; a table could not grow. */
const FAILED = { WRITING: 1, FAULT: 2, MEMORY: 3 } as const;
/** Numbers of a table that could not grow: bytes needed, and what there was (NaN: unknown). */
const [NEEDED_BYTES, ROOM_BYTES] = [1, 2];

/** Commands: the low bits of their running number. */
export const COMMAND = { RUN: 1, REPORT: 2, DIGEST: 3, END: 4, THROWN: 5, LOOK: 6, BITS: 3 } as const;

/** Memory for a run in `count` parts, each of which brings so many `numbers` to a meeting. */
export function sharedMemory(count: number, watched: Watched | undefined, numbers = NUMBERS_BROUGHT): SharedMemory {
  const rings = Array.from({ length: count * count }, (_, i) => {
    const [from, to] = [Math.floor(i / count), i % count];
    if (from === to) return undefined;
    return ringBuffer(to === 0 && watched !== undefined ? SIGHTINGS_RING_WORDS : RING_WORDS);
  });
  return {
    control: new SharedArrayBuffer(TEXT_AT + TEXT_BYTES),
    barrier: barrierBuffer(count, numbers),
    rings,
    watched,
  };
}

/** How many numbers each part of `s` brings to a meeting. */
export function numbersBrought(s: Partition, { journals }: Division): number {
  return NUMBERS_BROUGHT + (journals ? journalNumbers(1 + s.workloads.length) : 0);
}

/** The control block, as all threads see it. */
export class ThreadControl {
  /** `CONTROL_AT`. */
  declare readonly words: Int32Array;
  /** Until when to run, ns. */
  declare readonly numbers: Float64Array;
  readonly #text: Uint8Array;

  /** Of the memory in `buffer`. */
  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer, 0, NUMBERS_AT / 4);
    this.numbers = new Float64Array(buffer, NUMBERS_AT, 8);
    this.#text = new Uint8Array(buffer, TEXT_AT, TEXT_BYTES);
  }

  /** Tells the other threads what to do: a running number, and one of `COMMAND` in its low bits. */
  command(command: number): void {
    Atomics.store(this.words, CONTROL_AT.COMMAND, command);
    Atomics.notify(this.words, CONTROL_AT.COMMAND);
  }

  /** This thread can do no more: the others are told why. */
  fail(error: unknown): void {
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    if (Atomics.compareExchange(this.words, CONTROL_AT.FAILED, 0, FAILED.WRITING) !== 0) return;
    if (error instanceof OutOfMemory) {
      this.numbers[NEEDED_BYTES] = error.neededBytes;
      this.numbers[ROOM_BYTES] = error.roomBytes ?? NaN;
    }
    const bytes = new TextEncoder().encode(text).subarray(0, TEXT_BYTES);
    this.#text.set(bytes);
    Atomics.store(this.words, CONTROL_AT.MESSAGE_LENGTH, bytes.length);
    Atomics.store(this.words, CONTROL_AT.FAILED, error instanceof OutOfMemory ? FAILED.MEMORY : FAILED.FAULT);
    Atomics.notify(this.words, CONTROL_AT.READY);
  }

  /** Why a thread has failed, if one has. */
  get failure(): string | undefined {
    if (Atomics.load(this.words, CONTROL_AT.FAILED) < FAILED.FAULT) return undefined;
    const length = Atomics.load(this.words, CONTROL_AT.MESSAGE_LENGTH);
    return new TextDecoder().decode(this.#text.slice(0, length));
  }

  /** Throws where another thread has failed. */
  check(): void {
    const { failure } = this;
    if (this.words[CONTROL_AT.FAILED] === FAILED.MEMORY) {
      const roomBytes = this.numbers[ROOM_BYTES];
      throw new OutOfMemory(this.numbers[NEEDED_BYTES], Number.isNaN(roomBytes) ? undefined : roomBytes);
    }
    if (failure !== undefined) throw new Error(`A thread of the run has failed: ${failure}`);
  }
}

/** Makes `s` run part `index` beside the others. */
export function joinThreads(
  s: Partition,
  index: number,
  division: Division,
  shared: SharedMemory,
  commonBlocks: Uint8Array,
): { part: Part; runner: PartRunner; control: ThreadControl; journal: ReturnType<typeof journalOf> | undefined } {
  const { count, owners, lookaheadNs } = division;
  const control = new ThreadControl(shared.control);
  const ring = (from: number, to: number) => {
    const buffer = shared.rings[from * count + to];
    return buffer === undefined ? undefined : new SharedRing(buffer);
  };
  const others = Array.from({ length: count }, (_, k) => k);
  const part = new Part({
    index,
    count,
    owners,
    outgoing: others.map((k) => ring(index, k)),
    incoming: others.map((k) => ring(k, index)),
    commonBlocks,
    check: () => control.check(),
  });
  takePart(s, part);
  shareSchedules(s, part);
  if (shared.watched !== undefined) part.sightings = new Sightings(s, part, shared.watched);
  const journal = division.journals ? journalOf(s) : undefined;
  const barrier = new SharedBarrier(shared.barrier, {
    me: index,
    parties: count,
    numbers: numbersBrought(s, division),
  });
  return { part, runner: new PartRunner(s, part, { barrier, lookaheadNs, journal }), control, journal };
}
