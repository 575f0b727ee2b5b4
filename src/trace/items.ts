/**
 * The items of a trace, and their reading. `docs/trace-format.md` is the specification.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import type { PlainValue } from "../base/plain.ts";
import { decodeItem, itemEnd } from "./cbor.ts";
import type { PacketBlock } from "./packet_encoder.ts";

/** What a trace's header says that it is. */
export const TRACE_FORMAT = "fourtuple-trace";
/** Version of the format. */
export const TRACE_VERSION = 1;
/** An item is at most so long, bytes: a block of packet events takes less than a tenth. */
export const MOST_ITEM_BYTES = 64 * 1024 * 1024;

/** How much is recorded. */
export type TraceLevel = "checkpoints" | "packets";

/** Nodes as a header has them, in rank order: one of this name, or (`plural`) `count` of them. */
export interface TracePopulation {
  /** As declared. */
  name: string;
  /** Members. */
  count: number;
  /** Are members called `name[i]`? */
  plural: boolean;
  /** Do packets end here? */
  host: boolean;
}

/** Links as a header has them, in rank order: `count` links, each with two directions of neighbouring ranks. */
export interface TraceLinks {
  /** As declared. */
  name: string;
  /** Links. */
  count: number;
  /** Rank of the first node at this end, and how many nodes there are: link i has number floor(i * n / count). */
  a: [firstRank: number, count: number];
  /** The other end. */
  b: [firstRank: number, count: number];
}

/** The first item. */
export interface TraceHeader {
  /** `TRACE_FORMAT`. */
  format: string;
  /** `TRACE_VERSION`. */
  version: number;
  /** Version of fourtuple that wrote it. */
  engine: string;
  /** How much was recorded. */
  level: TraceLevel;
  /** The run's name. */
  name: string;
  /** Its seed. */
  seed: number;
  /** What was run: a scenario's document (overrides applied), or a network's. JSON text. */
  source: { kind: "scenario" | "network"; text: string; overrides: string[] };
  /** How the run ended by itself: options of `run`, where the source does not say so. */
  run: { untilNs: number | null; pastQuiescence: boolean };
  /** Nodes. */
  nodes: TracePopulation[];
  /** Links. */
  links: TraceLinks[];
}

/** Digests at a simulated time. */
export interface TraceCheckpoint {
  /** Everything up to and at this time has happened, ns. */
  timeNs: number;
  /** Deliveries so far. */
  deliveries: number;
  /** The run's digest and event digest so far. */
  digest: string;
  eventDigest: string;
  /** Delivery and event digests of groups of nodes (of consecutive ranks), 16 bytes each. */
  groups: Uint8Array;
}

/** An item after the header. */
export type TraceItem =
  | { kind: "packets"; block: PacketBlock }
  | { kind: "checkpoint"; checkpoint: TraceCheckpoint }
  | { kind: "report"; report: PlainValue }
  | { kind: "end"; items: number };

/** An item as it stands in the sequence. */
export function itemValue(item: TraceItem): unknown {
  switch (item.kind) {
    case "packets":
      return ["packets", item.block.count, item.block.sinceNs, item.block.columns];
    case "checkpoint": {
      const { timeNs, deliveries, digest, eventDigest, groups } = item.checkpoint;
      return ["checkpoint", timeNs, deliveries, digest, eventDigest, groups];
    }
    case "report":
      return ["report", item.report];
    case "end":
      return ["end", item.items];
  }
}

/** Reads items out of a file's bytes, which come in pieces. Errors are sentences without the file's name. */
export class ItemReader {
  readonly #next: () => Uint8Array | null;
  #bytes = new Uint8Array(0);
  #at = 0;
  #over = false;
  /** Bytes before the next item. */
  offset = 0;

  /** `next` gives the next piece of the file, null at its end. */
  constructor(next: () => Uint8Array | null) {
    this.#next = next;
  }

  /** The next item's bytes; null at the end of the file. Throws `InputError`. */
  next(): Uint8Array | null {
    for (;;) {
      const end = this.#at < this.#bytes.length ? this.#end() : -1;
      if (end >= 0) {
        const item = this.#bytes.subarray(this.#at, end);
        this.offset += item.length;
        this.#at = end;
        return item;
      }
      if (this.#bytes.length - this.#at > MOST_ITEM_BYTES) {
        throw new InputError("an item is larger than any of a trace");
      }
      if (!this.#more()) {
        if (this.#at === this.#bytes.length) return null;
        throw new InputError(
          `it ends in the middle of an item, after ${this.offset + this.#bytes.length - this.#at} bytes`,
        );
      }
    }
  }

  #end(): number {
    try {
      return itemEnd(this.#bytes, this.#at);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError(`${error.message}, at byte ${this.offset}`);
    }
  }

  #more(): boolean {
    const piece = this.#over ? null : this.#next();
    if (piece === null) {
      this.#over = true;
      return false;
    }
    const rest = this.#bytes.subarray(this.#at);
    const bytes = new Uint8Array(rest.length + piece.length);
    bytes.set(rest);
    bytes.set(piece, rest.length);
    this.#bytes = bytes;
    this.#at = 0;
    return true;
  }
}

/** The value of an item after the header. Throws `InputError`. */
export function readItem(bytes: Uint8Array): TraceItem {
  const value = decodeItem(bytes);
  if (Array.isArray(value)) {
    const [kind, ...rest] = value;
    if (kind === "packets" && isPacketBlock(rest)) {
      return { kind, block: { count: rest[0], sinceNs: rest[1], columns: rest[2] } };
    }
    if (kind === "checkpoint" && isCheckpoint(rest)) {
      const [timeNs, deliveries, digest, eventDigest, groups] = rest;
      return { kind, checkpoint: { timeNs, deliveries, digest, eventDigest, groups } };
    }
    if (kind === "report" && rest.length === 1 && typeof rest[0] === "object") return { kind, report: rest[0] };
    if (kind === "end" && isCount(rest[0])) return { kind, items: rest[0] };
  }
  throw new InputError("an item is none of a trace's");
}

function isPacketBlock(rest: unknown[]): rest is [number, number, Uint8Array[]] {
  return isCount(rest[0]) && isCount(rest[1]) && Array.isArray(rest[2]) &&
    rest[2].every((column) => column instanceof Uint8Array);
}

function isCheckpoint(rest: unknown[]): rest is [number, number, string, string, Uint8Array] {
  return rest.length === 5 && isCount(rest[0]) && isCount(rest[1]) && typeof rest[2] === "string" &&
    typeof rest[3] === "string" && rest[4] instanceof Uint8Array;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** The header's value. Throws `InputError` for what is no trace, or one of another version of the format. */
export function readHeader(bytes: Uint8Array): TraceHeader {
  const value = decodeItem(bytes) as Partial<TraceHeader> | null;
  if (typeof value !== "object" || value === null || value.format !== TRACE_FORMAT) {
    throw new InputError("this is no trace of fourtuple");
  }
  if (value.version !== TRACE_VERSION) {
    throw new InputError(`it is of version ${value.version} of the format, and this fourtuple reads ${TRACE_VERSION}`);
  }
  const { engine, level, name, seed, source, run, nodes, links } = value;
  const good = typeof engine === "string" && (level === "checkpoints" || level === "packets") &&
    typeof name === "string" && isCount(seed) && isSource(source) && isRun(run) &&
    Array.isArray(nodes) && nodes.every(isPopulation) && Array.isArray(links) && links.every(isLinks);
  if (!good) throw new InputError("its header is not what a trace's header is");
  return value as TraceHeader;
}

function isSource(value: TraceHeader["source"] | undefined): boolean {
  return typeof value === "object" && value !== null && (value.kind === "scenario" || value.kind === "network") &&
    typeof value.text === "string" && Array.isArray(value.overrides) &&
    value.overrides.every((text) => typeof text === "string");
}

function isRun(value: TraceHeader["run"] | undefined): boolean {
  return typeof value === "object" && value !== null && (value.untilNs === null || isCount(value.untilNs)) &&
    typeof value.pastQuiescence === "boolean";
}

function isPopulation(value: TracePopulation): boolean {
  return typeof value === "object" && value !== null && typeof value.name === "string" && isCount(value.count) &&
    typeof value.plural === "boolean" && typeof value.host === "boolean";
}

function isLinks(value: TraceLinks): boolean {
  const isEnd = (end: unknown) => Array.isArray(end) && end.length === 2 && end.every(isCount);
  return typeof value === "object" && value !== null && typeof value.name === "string" && isCount(value.count) &&
    isEnd(value.a) && isEnd(value.b);
}
