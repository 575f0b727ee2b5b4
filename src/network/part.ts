/**
 * A part of a network: the nodes that one thread runs. Every thread builds the whole network, which is deterministic, so
 * that rows, tables and ids of the declaration are the same in all; then each runs what happens at its own nodes, and
 * packets that leave its part travel as words (`part_crossing.ts`).
 *
 * @module
 */
import { DIRECTION, DIRECTION_FLAG } from "../link/links.ts";
import type { SharedRing } from "../store/shared_ring.ts";
import { WordList } from "../store/word_list.ts";
import type { Sightings } from "./part_sightings.ts";
import type { Partition } from "./partition.ts";
import { SpoofsHeld } from "./spoofs.ts";

const { FROM, TO, FLAGS, MASK, STRIDE } = DIRECTION;

/** Kinds of events in the order in which they happen at one instant and in one round. */
export const EVENT_KIND = { TCP_TIMER: 0, APP_TIMER: 1, NAT_TIMER: 2, DELIVERY: 3, APPLICATION: 4 } as const;

/** Kinds of notes. */
export const NOTE = { SCHEDULE: 0 } as const;

/** What a thread knows of the part that it runs. */
export class Part {
  /** Its number, and how many there are. */
  declare readonly index: number;
  declare readonly count: number;
  /** The part of each node, by row. Row 0, where what concerns the whole network happens, is the first part's. */
  declare readonly owners: Uint8Array;
  /** Rings to and from the other parts, by their number. */
  readonly outgoing: (SharedRing | undefined)[];
  readonly incoming: (SharedRing | undefined)[];
  /** Which blocks of addresses all parts have alike (`AddressTable.blocksForGood` after the build). */
  declare readonly commonBlocks: Uint8Array;
  /** The earliest arrival of a packet that was sent to another part since the threads met last, ns. */
  earliestSentNs = Infinity;
  /** Pieces of bytes that other parts have sent, for which nobody has asked yet, by their number. */
  declare readonly bytes: Uint8Array[][];
  /** What other parts have seen, where the first one is to know (`part_replay.ts`), by their number. */
  declare readonly sighted: WordList[];
  /** Writes down what taps see, if somebody watches. */
  sightings: Sightings | undefined = undefined;
  /** What other parts note (`sendNote`), by its kind. */
  readonly notes: ((a: number, b: number, c: number) => void)[] = [];
  /** Addresses of floods that run elsewhere. */
  readonly spoofs: SpoofsHeld = new SpoofsHeld();
  /**
   * Where this thread is in the total order: the kind (`EVENT_KIND`) and entity of the event that is happening. (The
   * entity of a delivery is kept only where packets are looked at: else `Partition.arrivedOver` tells it.)
   */
  eventKind = 0;
  eventEntity = 0;
  /** Called while a thread has to wait: throws where another one has failed. */
  readonly check: () => void;

  /** See the fields. */
  constructor(
    options: Pick<Part, "index" | "count" | "owners" | "outgoing" | "incoming" | "commonBlocks" | "check">,
  ) {
    this.index = options.index;
    this.count = options.count;
    this.owners = options.owners;
    this.outgoing = options.outgoing;
    this.incoming = options.incoming;
    this.commonBlocks = options.commonBlocks;
    this.check = options.check;
    this.bytes = Array.from({ length: options.count }, () => []);
    this.sighted = Array.from({ length: options.count }, () => new WordList());
  }
}

/** Notes what is happening: an event of this kind and entity. */
export function isAt(part: Part, kind: number, entity: number): void {
  part.eventKind = kind;
  part.eventEntity = entity;
}

/** Is `node` run here? */
export function owns(s: Partition, node: number): boolean {
  const { part } = s;
  return part === undefined || part.owners[node] === part.index;
}

/** From now on `s` runs one part only. */
export function takePart(s: Partition, part: Part): void {
  s.part = part;
  const { owners, index } = part;
  const words = s.links.words;
  for (let d = 0; d < s.links.count; d++) {
    const at = (d * STRIDE) & MASK;
    if (owners[words[at + FROM]] !== index || owners[words[at + TO]] === index) continue;
    words[at + FLAGS] |= DIRECTION_FLAG.AWAY;
  }
}
