import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { pcapHeader, pcapRecord } from "../../src/wire/pcap.ts";
import { fromHex } from "./support/rows.ts";
import { concatenate, readPcap } from "./support/capture_readers.ts";

const anyTimeNs = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

Deno.test("a capture file begins with the nanosecond magic, version 2.4 and LINKTYPE_RAW", () => {
  assertEquals(pcapHeader(), fromHex("4d3cb2a1 0200 0400 00000000 00000000 00000400 65000000"));
});

Deno.test("packets come back with their exact time, bytes and original length", () => {
  const anyPacket = fc.record({ timeNs: anyTimeNs, bytes: fc.uint8Array({ maxLength: 99 }), more: fc.nat(1500) });
  fc.assert(fc.property(fc.array(anyPacket, { maxLength: 9 }), (packets) => {
    const file = concatenate([
      pcapHeader({ snapLength: 99 }),
      ...packets.map(({ timeNs, bytes, more }) => pcapRecord(timeNs, bytes, { originalBytes: bytes.length + more })),
    ]);
    const read = readPcap(file);
    assertEquals([read.magic, read.version, read.snapLength, read.linkType], [0xa1b23c4d, "2.4", 99, 101]);
    assertEquals(
      read.packets.map(({ timeNs, bytes, originalBytes }) => ({ timeNs, bytes, more: originalBytes - bytes.length })),
      packets.map(({ timeNs, bytes, more }) => ({ timeNs: BigInt(timeNs), bytes, more })),
    );
  }));
});

Deno.test("time 0 may stand for any second since 1970", () => {
  const file = concatenate([
    pcapHeader(),
    pcapRecord(1_500_000_001, new Uint8Array(1), { epochSeconds: 1_700_000_000 }),
  ]);
  assertEquals(readPcap(file).packets[0].timeNs, 1_700_000_001_500_000_001n);
});
