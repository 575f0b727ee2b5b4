/**
 * A trace from its bytes: the header, then packet events, checkpoints, the report, one after the other.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import type { PlainValue } from "../base/plain.ts";
import { ItemReader, readHeader, readItem, TRACE_FORMAT, type TraceCheckpoint, type TraceHeader } from "./items.ts";
import { PacketDecoder, type PacketEvent } from "./packet_decoder.ts";
import { Places } from "./places.ts";

/** A trace's header says what it is within so many bytes. */
const FORMAT_WITHIN = 64;

/** Gives a file's bytes from the start, piece by piece; null at its end. */
export type Pieces = () => Uint8Array | null;

/** What a trace says next. */
export type TraceStep =
  | { kind: "event"; event: PacketEvent }
  | { kind: "checkpoint"; checkpoint: TraceCheckpoint }
  | { kind: "report"; report: PlainValue };

/** Reads a trace. Errors are `InputError`s: one sentence that begins with the file's name. */
export class TraceReader {
  /** What was recorded, and how. */
  declare readonly header: TraceHeader;
  /** Names of places. */
  declare readonly places: Places;
  /** The file's name, for errors. */
  declare readonly file: string;
  readonly #items: ItemReader;
  readonly #decoder: PacketDecoder;
  #peeked: TraceStep | null = null;
  #events: PacketEvent[] = [];
  #at = 0;
  #count = 1;
  #ended = false;

  /** Reads the header. */
  constructor(file: string, pieces: Pieces) {
    this.file = file;
    let beginning: Uint8Array | undefined;
    this.#items = new ItemReader(() => {
      const piece = pieces();
      if (piece !== null) beginning ??= piece.slice(0, FORMAT_WITHIN);
      return piece;
    });
    this.header = this.#located(() => {
      try {
        const first = this.#items.next();
        if (first === null) throw new InputError("it is empty");
        return readHeader(first);
      } catch (error) {
        // (Of a picture or a page of JSON it helps nobody to hear what is wrong with it as CBOR.)
        const foreign = beginning !== undefined && !String.fromCharCode(...beginning).includes(TRACE_FORMAT);
        throw foreign ? new InputError("this is no trace of fourtuple") : error;
      }
    });
    this.places = new Places(this.header);
    this.#decoder = new PacketDecoder((rank) => this.places.endsAtHost(rank));
  }

  /** The step that `next` will give, without taking it. */
  peek(): TraceStep | null {
    return this.#peeked ??= this.next();
  }

  /** The next step; null at the trace's end. Throws `InputError` where it has none, or goes on after it. */
  next(): TraceStep | null {
    const peeked = this.#peeked;
    this.#peeked = null;
    return peeked ?? this.#located(() => this.#next());
  }

  /** Goes through to the end without looking into blocks: is it all there? Throws `InputError`. */
  check(): void {
    this.#located(() => {
      for (;;) {
        const item = this.#item();
        if (item === null) return;
      }
    });
  }

  #next(): TraceStep | null {
    for (;;) {
      if (this.#at < this.#events.length) return { kind: "event", event: this.#events[this.#at++] };
      const item = this.#item();
      if (item === null) return null;
      if (item.kind !== "packets") return item;
      this.#events = this.#decoder.block(item.block);
      this.#at = 0;
    }
  }

  #item() {
    if (this.#ended) return null;
    const bytes = this.#items.next();
    if (bytes === null) throw new InputError("it is cut short: it has no end");
    const item = readItem(bytes);
    if (item.kind !== "end") {
      this.#count++;
      return item;
    }
    if (item.items !== this.#count) {
      throw new InputError(`it is damaged: it should have ${item.items} items before its end, and has ${this.#count}`);
    }
    if (this.#items.next() !== null) throw new InputError("something follows its end");
    this.#ended = true;
    return null;
  }

  #located<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError(`${this.file}: ${error.message}.`, { file: this.file });
    }
  }
}
