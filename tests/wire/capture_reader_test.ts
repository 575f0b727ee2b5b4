import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InputError } from "../../src/base/errors.ts";
import { CaptureReader, type CaptureRecord } from "../../src/wire/capture_reader.ts";
import { pcapHeader, pcapRecord } from "../../src/wire/pcap.ts";
import { pcapngInterface, pcapngPacket, pcapngSectionHeader, pcapngStatistics } from "../../src/wire/pcapng.ts";
import { concat, pieces } from "../replay/import_fixture.ts";

function records(bytes: Uint8Array, size?: number): CaptureRecord[] {
  const reader = new CaptureReader(pieces(bytes, size));
  const found: CaptureRecord[] = [];
  for (let one = reader.next(); one !== null; one = reader.next()) found.push({ ...one, bytes: one.bytes.slice() });
  return found;
}

const PAYLOAD = Uint8Array.of(1, 2, 3, 4, 5);

/** A pcap file with one record of 5 bytes at 7.000008 s (or 7.000000008 s) and one a tick later, in either byte order. */
function pcap(little: boolean, nanoseconds: boolean, linkType = 101): Uint8Array {
  const bytes = new Uint8Array(24 + 2 * 21);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, little);
  view.setUint16(4, 2, little);
  view.setUint16(6, 4, little);
  view.setUint32(16, 65535, little);
  view.setUint32(20, linkType, little);
  for (const at of [24, 45]) {
    view.setUint32(at, 7, little);
    view.setUint32(at + 4, at === 24 ? 8 : 9, little);
    view.setUint32(at + 8, 5, little);
    view.setUint32(at + 12, 60, little);
    bytes.set(PAYLOAD, at + 16);
  }
  return bytes;
}

for (const little of [true, false]) {
  for (const nanoseconds of [true, false]) {
    Deno.test(`pcap of ${little ? "little" : "big"}-endian ${nanoseconds ? "nano" : "micro"}seconds is read`, () => {
      const found = records(pcap(little, nanoseconds));
      assertEquals(found.map(({ timeNs }) => timeNs), [0, nanoseconds ? 1 : 1000]);
      assertEquals(found.map(({ offset }) => offset), [24, 45]);
      assertEquals([...found[1].bytes], [1, 2, 3, 4, 5]);
      assertEquals([found[0].originalBytes, found[0].linkType], [60, 101]);
    });
  }
}

/** The same bytes as a section in the other byte order. */
function bigEndian(): Uint8Array {
  const view = new DataView(new ArrayBuffer(28 + 28 + 40));
  const put = (at: number, ...words: number[]) => words.forEach((word, i) => view.setUint32(at + 4 * i, word));
  put(0, 0x0a0d0d0a, 28, 0x1a2b3c4d, 0x00010000, 0xffffffff, 0xffffffff, 28);
  // An interface of link type 1, with if_tsresol 2^-10 s and no if_tsoffset.
  put(28, 1, 28, 0x00010000, 0, 0x00090001, 0x8a000000, 28);
  put(56, 6, 40, 0, 0, 2048, 5, 5, 0x01020304, 0x05000000, 40);
  return new Uint8Array(view.buffer);
}

Deno.test("pcapng is read: several interfaces, sections of both byte orders, resolutions, blocks of no interest", () => {
  const file = concat([
    pcapngSectionHeader({ comment: "x" }),
    pcapngInterface({ name: "a" }),
    pcapngInterface({ name: "b", linkType: 1 }),
    pcapngPacket(1, 1_000_000_007, PAYLOAD, { originalBytes: 9, comment: "why" }),
    pcapngStatistics(0, 5, { received: 3 }),
    pcapngPacket(0, 1_000_000_009, PAYLOAD),
    bigEndian(),
  ]);
  for (const size of [1, 7, 65536]) {
    const found = records(file, size);
    assertEquals(found.map(({ timeNs }) => timeNs), [0, 2, 999_999_993]);
    assertEquals(found.map(({ linkType }) => linkType), [1, 101, 1]);
    assertEquals(found.map(({ originalBytes }) => originalBytes), [9, 5, 5]);
    assert(found.every(({ bytes }) => String(bytes) === String(PAYLOAD)));
  }
});

Deno.test("a time before the last one is lifted to it, and counted", () => {
  const reader = new CaptureReader(
    pieces(concat([pcapHeader(), pcapRecord(9, PAYLOAD), pcapRecord(50, PAYLOAD), pcapRecord(20, PAYLOAD)])),
  );
  assertEquals([reader.next()?.timeNs, reader.next()?.timeNs, reader.next()?.timeNs], [0, 41, 41]);
  assertEquals(reader.timesBackwards, 1);
});

const HUGE = (() => {
  const bytes = concat([pcapHeader(), pcapRecord(0, PAYLOAD)]);
  new DataView(bytes.buffer).setUint32(24 + 8, 0xfffffff0, true);
  return bytes;
})();
const NG = concat([pcapngSectionHeader(), pcapngInterface({ name: "a" }), pcapngPacket(0, 0, PAYLOAD)]);

function changed(bytes: Uint8Array, at: number, word: number): Uint8Array {
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(at, word, true);
  return copy;
}

for (
  const [name, bytes, sentence] of [
    ["an empty file", new Uint8Array(0), "it is empty."],
    ["text", new TextEncoder().encode("nodes: {}"), "begins neither as pcap nor as pcapng"],
    ["a compressed file", Uint8Array.of(0x1f, 0x8b, 8, 0), "gunzip"],
    ["a header cut short", pcapHeader().subarray(0, 20), "at byte 0: the file ends in its header, after 20 bytes."],
    ["a record cut short", pcap(true, true).subarray(0, 50), "at byte 45: the file ends in a record's header"],
    ["a packet cut short", pcap(true, true).subarray(0, 63), "at byte 45: a record claims to hold 5 bytes"],
    ["a record of 4 GiB", HUGE, "at byte 24: a record claims to hold 4294967280 bytes"],
    ["a block cut short", NG.subarray(0, NG.length - 8), "the file ends before that"],
    ["a block with two lengths", changed(NG, NG.length - 4, 44), "at its beginning and 44 at its end"],
    ["a block of 5 bytes", changed(NG, NG.length - 44 + 4 + 4, 5), "claims 5 bytes"],
    [
      "no interface",
      concat([pcapngSectionHeader(), pcapngPacket(0, 0, PAYLOAD)]),
      "interface 0, which was not described",
    ],
  ] as const
) {
  Deno.test(`${name} is answered with a sentence`, () => {
    const error = assertThrows(() => records(bytes), InputError);
    assert(error.message.includes(sentence), error.message);
    assert(error.message.endsWith("."));
  });
}

Deno.test("no damage makes the reader throw anything but a sentence, read on for ever, or hold more than a record", () => {
  const files = [pcap(true, false), pcap(false, true), concat([NG, bigEndian(), NG])];
  const damage = fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 0, max: 255 })), { maxLength: 8 });
  fc.assert(
    fc.property(fc.constantFrom(...files), damage, fc.nat(300), (file, bytes, cut) => {
      const copy = file.slice(0, Math.max(0, file.length - (cut > 200 ? cut - 200 : 0)));
      for (const [at, value] of bytes) if (at < copy.length) copy[at] = value;
      const reader = new CaptureReader(pieces(copy));
      try {
        let count = 0;
        while (reader.next() !== null) assert(++count <= copy.length / 12);
      } catch (error) {
        assert(error instanceof InputError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});
