import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InputError } from "../../src/base/errors.ts";
import { ColumnReader, ColumnWriter } from "../../src/trace/columns.ts";
import { CONTENT } from "../../src/trace/content.ts";
import { BLOCK_EVENTS, placeNumber } from "../../src/trace/packet_code.ts";
import { PacketDecoder, type PacketEvent } from "../../src/trace/packet_decoder.ts";
import { PacketEncoder } from "../../src/trace/packet_encoder.ts";

Deno.test("varints, zigzags and words come back as they were written", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ n: fc.maxSafeNat(), a: fc.integer(), b: fc.integer() })), (list) => {
      const writer = new ColumnWriter();
      for (const { n, a, b } of list) {
        writer.varint(n);
        writer.zigzag(a, b);
        writer.word(a);
      }
      const reader = new ColumnReader(writer.take());
      for (const { n, a, b } of list) assertEquals([reader.varint(), reader.zigzag(b), reader.word()], [n, a, a]);
      assert(reader.done);
    }),
  );
});

Deno.test("a column that ends too early, or a number too large, is refused", () => {
  assertThrows(() => new ColumnReader(Uint8Array.of(128)).varint(), InputError);
  assertThrows(() => new ColumnReader(Uint8Array.of(1, 2)).word(), InputError);
  assertThrows(() => new ColumnReader(new Uint8Array(9).fill(255)).varint(), InputError);
});

/** Hosts are behind even directions. */
const endsAt = (rank: number) => rank % 2 === 0;

interface Step {
  timeNs: number;
  place: number;
  row: number;
  content: Int32Array;
  reason: number;
}

interface Sketch {
  waitNs: number;
  dropped: boolean;
  rank: number;
  row: number;
  reason: number;
  six: boolean;
  again: boolean;
  words: number[];
  changed: [number, number][];
}

const word = fc.oneof(fc.integer(), fc.nat(3));
const sketches: fc.Arbitrary<Sketch[]> = fc.array(
  fc.record({
    waitNs: fc.oneof(fc.nat(1000), fc.nat(1e12)),
    dropped: fc.boolean(),
    rank: fc.nat(5),
    row: fc.nat(6),
    reason: fc.nat(30),
    six: fc.boolean(),
    again: fc.boolean(),
    words: fc.array(word, { minLength: CONTENT.WORDS, maxLength: CONTENT.WORDS }),
    changed: fc.array(fc.tuple(fc.integer({ min: CONTENT.PORTS, max: CONTENT.WORDS - 1 }), word), { maxLength: 3 }),
  }),
  { maxLength: 80 },
);

/** What a recorder might give: packets that go on from hop to hop, or are something else in the same row. */
function play(list: Sketch[]): Step[] {
  const rows = new Map<number, Int32Array>();
  let timeNs = 0;
  return list.map(({ waitNs, dropped, rank, row, reason, six, again, words, changed }) => {
    timeNs += waitNs;
    const before = rows.get(row);
    const content = again && before !== undefined ? before.slice() : Int32Array.from(words);
    if (again && before !== undefined) { for (const [at, value] of changed) content[at] = value; }
    else {
      content[CONTENT.FAMILY] = six ? 6 : 4;
      for (let k = 1; k < 4 && !six; k++) content[CONTENT.SRC + k] = content[CONTENT.DST + k] = 0;
    }
    if (dropped || endsAt(rank)) rows.delete(row);
    else rows.set(row, content);
    return { timeNs, place: placeNumber(dropped, rank), row, content, reason: dropped ? reason : -1 };
  });
}

function code(encoder: PacketEncoder, { timeNs, place, row, content, reason }: Step): void {
  encoder.event(timeNs, place, row, content, reason >= 0 || endsAt(Math.floor(place / 2) - 1), reason);
}

Deno.test("events come back as they were coded, over several blocks", () => {
  fc.assert(fc.property(sketches, fc.nat(40), (list, cut) => {
    const encoder = new PacketEncoder();
    const decoder = new PacketDecoder(endsAt);
    const read: PacketEvent[] = [];
    const played = play(list);
    for (const [i, step] of played.entries()) {
      if (i === cut) read.push(...decoder.block(encoder.take()));
      code(encoder, step);
    }
    read.push(...decoder.block(encoder.take()));
    assertEquals(
      read.map(({ timeNs, dropped, rank, reason, content }) => [timeNs, placeNumber(dropped, rank), reason, content]),
      played.map(({ timeNs, place, reason, content }) => [timeNs, place, reason, content]),
    );
  }));
});

Deno.test("a damaged block is refused or read as something else, and nothing else happens", () => {
  const encoder = new PacketEncoder();
  for (const step of play(fc.sample(sketches, { numRuns: 30, seed: 5 }).flat())) code(encoder, step);
  assert(encoder.pending > 100);
  const block = encoder.take();
  fc.assert(fc.property(fc.nat(5), fc.nat(), fc.nat(255), (column, at, value) => {
    const columns = block.columns.map((bytes) => bytes.slice());
    columns[column][at % columns[column].length] = value;
    try {
      new PacketDecoder(endsAt).block({ ...block, columns });
    } catch (error) {
      assert(error instanceof InputError, `${error}`);
    }
  }));
  const many = { ...block, count: BLOCK_EVENTS + 1 };
  assertThrows(() => new PacketDecoder(endsAt).block(many), InputError);
});
