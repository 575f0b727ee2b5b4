/** A reader of traces made from docs/trace-format.md alone: a CBOR decoder, and nothing of ours. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Decoder } from "cbor-x";

import { DROP_REASONS } from "../../src/network/drops.ts";
import { Recorder } from "../../src/trace/recorder.ts";
import { watchPackets } from "../../src/trace/packet_watch.ts";
import { built, mixed } from "../network/support/networks.ts";

interface Header {
  format: string;
  version: number;
  nodes: { name: string; count: number; plural: boolean; host: boolean }[];
  links: { name: string; count: number; a: [number, number]; b: [number, number] }[];
}

/** "Predictions" and "Values" of the document; words as in "What a packet says". */
class Reader {
  readonly events: string[] = [];
  readonly #hostEnds: boolean[] = [];
  readonly #slots = new Map<number, { words: Int32Array; ms: number }>();
  readonly #ways = new Map<string, number>();
  readonly #kinds = new Map<number, number[]>();
  readonly #live = new Map<number, { slot: number; hop: number; words: Int32Array }>();
  readonly #last = new Map<string, Int32Array>();
  #serials = 0;
  #serial = 0;
  #slot = 0;

  constructor({ nodes, links }: Header) {
    const hosts = nodes.flatMap(({ count, host }) => Array<boolean>(count).fill(host));
    for (const { count, a, b } of links) {
      for (let i = 0; i < count; i++) {
        this.#hostEnds.push(hosts[b[0] + Math.floor(i * b[1] / count)], hosts[a[0] + Math.floor(i * a[1] / count)]);
      }
    }
  }

  block(count: number, sinceNs: number, columns: Uint8Array[]): void {
    const [time, place, serial, flow, mask, value] = columns.map(column);
    let timeNs = sinceNs;
    for (let i = 0; i < count; i++) {
      timeNs += time.varint();
      this.#event(timeNs, { serial, flow, place, mask, value });
    }
  }

  #event(timeNs: number, columns: Record<"serial" | "flow" | "place" | "mask" | "value", Column>): void {
    const ms = Math.floor(timeNs / 1e6);
    const code = columns.serial.varint();
    const first = code === 0;
    this.#serial = first ? ++this.#serials : this.#serial + unzigzag(code - 1);
    let words: Int32Array;
    let slot: number;
    let hop = 0;
    if (first) {
      slot = this.#slot += unzigzag(columns.flow.varint());
      words = new Int32Array(34);
      const own = this.#slots.get(slot);
      if (own !== undefined) {
        words.set(own.words.subarray(0, 19));
        words[10] = next(own.words);
        words[15] += ms - own.ms;
        words[18] = 0;
      }
    } else {
      const before = this.#live.get(this.#serial)!;
      ({ slot, hop } = before);
      words = before.words.slice();
      words[13] -= 1 << 24;
    }
    const where = columns.place.varint();
    const way = `${slot} ${hop}`;
    const place = where === 0 ? this.#ways.get(way)! : where - 1;
    if (hop < 8) this.#ways.set(way, place);
    const { value } = columns;
    const mask = columns.mask.varint();
    const has = (bit: number) => (mask >> bit & 1) === 1;
    if (has(11)) words[0] = value.varint();
    if (has(9)) this.#address("source", words, 1, value);
    if (has(10)) this.#address("destination", words, 5, value);
    if (has(8)) words[9] = value.zigzag(words[9]);
    let kind = -1;
    if (first) {
      const other = this.#slots.get(slotOf(words, true))?.words;
      const answers = other !== undefined && isReverse(other, words);
      if (answers) {
        words[11] = next(other);
        words[16] = other[15];
      }
      const begins = has(8) || has(9) || has(10) || has(11);
      kind = begins ? (answers ? 4097 : 4096) : (words[12] ^ words[12] >>> 12) & 4095;
      const kept = this.#kinds.get(kind);
      if (kept !== undefined && (begins || kept[0] !== words[12])) {
        [12, 13, 14, 17].forEach((w, i) => words[w] = kept[i]);
      }
    }
    if (has(3)) words[12] ^= value.varint();
    for (const [bit, word] of [[1, 10], [2, 11], [0, 13], [4, 14], [5, 15], [6, 16], [7, 17], [12, 18]]) {
      if (has(bit)) words[word] = value.zigzag(words[word]);
    }
    if (first) this.#kinds.set(kind, [12, 13, 14, 17].map((word) => words[word]));
    if (has(13)) {
      const extras = value.varint();
      for (let k = 0; k < 14; k++) {
        // Step 5: word 20 is the number of SACK blocks, 21 on are their edges.
        if (k === 2 && first && (words[12] >> 16 & 1) === 1) words.fill(words[11], 21, 21 + 2 * Math.min(4, words[20]));
        if (extras >> k & 1) words[19 + k] = value.zigzag(words[19 + k]);
      }
    }
    if (has(14)) words[33] = value.word();
    const dropped = place % 2 === 1;
    const reason = dropped ? value.varint() : -1;
    if (first) this.#slots.set(slot, { words: words.slice(), ms });
    const rank = Math.floor(place / 2) - 1;
    if (dropped || rank < 0 || this.#hostEnds[rank]) this.#live.delete(this.#serial);
    else this.#live.set(this.#serial, { slot, hop: hop + 1, words });
    this.events.push(`${timeNs} ${place} ${reason} ${words}`);
  }

  #address(which: string, words: Int32Array, at: number, value: Column): void {
    const key = `${which} ${words[0]}`;
    const last = this.#last.get(key) ?? new Int32Array(4);
    this.#last.set(key, last);
    const count = words[0] === 6 ? 4 : 1;
    words.fill(0, at, at + 4);
    for (let k = 0; k < count; k++) words[at + k] = last[k] = value.zigzag(last[k]);
  }
}

interface Column {
  varint(): number;
  zigzag(predicted: number): number;
  word(): number;
}

function column(bytes: Uint8Array): Column {
  let at = 0;
  const varint = () => {
    let value = 0;
    let scale = 1;
    for (; bytes[at] > 127; scale *= 128) value += (bytes[at++] & 127) * scale;
    return value + bytes[at++] * scale;
  };
  return {
    varint,
    zigzag: (predicted) => (predicted + unzigzag(varint())) | 0,
    word: () => (at += 4, new DataView(bytes.buffer, bytes.byteOffset).getInt32(at - 4, true)),
  };
}

function unzigzag(code: number): number {
  return code % 2 === 0 ? code / 2 : -(code + 1) / 2;
}

function next(words: Int32Array): number {
  return words[10] + words[14] + (words[12] >> 1 & 1) + (words[12] & 1);
}

function swapped(ports: number): number {
  return ports << 16 | ports >>> 16;
}

function isReverse(other: Int32Array, words: Int32Array): boolean {
  return other[9] === swapped(words[9]) &&
    [0, 1, 2, 3].every((k) => other[1 + k] === words[5 + k] && other[5 + k] === words[1 + k]);
}

/** "The hash of a slot." */
function slotOf(words: Int32Array, reverse: boolean): number {
  const [a, b] = reverse ? [5, 1] : [1, 5];
  let h = words[0] ^ words[12] >>> 24 << 4;
  for (let k = 0; k < 4; k++) h = Math.imul(h ^ h >>> 15 ^ words[a + k], 0x85ebca6b);
  for (let k = 0; k < 4; k++) h = Math.imul(h ^ h >>> 13 ^ words[b + k], 0xc2b2ae35);
  h ^= reverse ? swapped(words[9]) : words[9];
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b);
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35);
  return (h ^ h >>> 16) & 2 ** 18 - 1;
}

Deno.test("the document says which drop reason each number is", () => {
  const text = Deno.readTextFileSync(new URL("../../docs/trace-format.md", import.meta.url)).replaceAll(/\s+/g, " ");
  const list = DROP_REASONS.map((name, code) => `${code} ${name}`).slice(1).join(", ");
  assertStringIncludes(text, `why. ${list}.`);
});

Deno.test("a reader made from the specification, with nothing but a CBOR decoder, sees every packet event", () => {
  const parts: Uint8Array[] = [];
  const simulation = built(mixed());
  const recorder = new Recorder(simulation, { level: "packets", engine: "test", sink: (bytes) => parts.push(bytes) });
  const expected: string[] = [];
  watchPackets(
    simulation,
    (timeNs, place, content, reason) => expected.push(`${timeNs} ${place} ${reason} ${content}`),
  );
  simulation.run();
  recorder.finish(simulation.report());
  const trace = new Uint8Array(parts.flatMap((part) => [...part]));

  // deno-lint-ignore no-explicit-any
  const [header, ...items] = new Decoder({ mapsAsObjects: true, useRecords: false }).decodeMultiple(trace) as any[];
  assertEquals([header.format, header.version], ["fourtuple-trace", 1]);
  const reader = new Reader(header);
  for (const [kind, ...rest] of items) if (kind === "packets") reader.block(rest[0], rest[1], rest[2]);
  assert(expected.length > 5000);
  assertEquals(reader.events.length, expected.length);
  const wrong = reader.events.findIndex((event, i) => event !== expected[i]);
  assertEquals(reader.events[wrong], expected[wrong], `event ${wrong}`);
  assertEquals(items.at(-1), ["end", items.length]);
  assertEquals(items.at(-2)[0], "report");
  assertEquals(items.at(-3).slice(0, 5), [
    "checkpoint",
    simulation.nowNs,
    simulation.progress().packets,
    simulation.digest,
    simulation.eventDigest,
  ]);
});
