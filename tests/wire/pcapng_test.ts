import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  PCAPNG_BLOCK,
  PCAPNG_BYTE_ORDER_MAGIC,
  PCAPNG_PACKET_ROOM,
  pcapngInterface,
  pcapngPacket,
  pcapngSectionHeader,
  pcapngStatistics,
  writePcapngPacket,
} from "../../src/wire/pcapng.ts";
import { concatenate, readBlocks, readEnhancedPacket, readOptions } from "./support/capture_readers.ts";

const utf8 = new TextDecoder();

Deno.test("a section header tells byte order, version 1.0, an unknown length and what wrote the file", () => {
  const [block] = readBlocks(pcapngSectionHeader({ comment: "seed 1" }));
  const view = new DataView(block.body.buffer);
  assertEquals(block.type, PCAPNG_BLOCK.SECTION_HEADER);
  assertEquals(view.getUint32(0, true), PCAPNG_BYTE_ORDER_MAGIC);
  assertEquals([view.getUint16(4, true), view.getUint16(6, true)], [1, 0]);
  assertEquals(view.getBigInt64(8, true), -1n);
  const options = readOptions(block.body, 16);
  assertEquals([utf8.decode(options.get(4)), utf8.decode(options.get(1))], ["fourtuple", "seed 1"]);
});

Deno.test("an interface tells its link type, name, nanosecond resolution and, if given, speed and epoch", () => {
  const [plain, full] = readBlocks(concatenate([
    pcapngInterface({ name: "eth0" }),
    pcapngInterface({
      name: "größer",
      description: "home",
      speedBps: 10e9,
      epochSeconds: 1_700_000_000,
      snapLength: 64,
    }),
  ]));
  assertEquals(plain.type, PCAPNG_BLOCK.INTERFACE_DESCRIPTION);
  assertEquals(new DataView(plain.body.buffer).getUint16(0, true), 101);
  assertEquals([...readOptions(plain.body, 8).keys()], [2, 9]);
  assertEquals(readOptions(plain.body, 8).get(9), Uint8Array.of(9));
  const options = readOptions(full.body, 8);
  assertEquals(new DataView(full.body.buffer).getUint32(4, true), 64);
  assertEquals([utf8.decode(options.get(2)), utf8.decode(options.get(3))], ["größer", "home"]);
  assertEquals(new DataView(options.get(8)!.buffer).getBigUint64(0, true), 10_000_000_000n);
  assertEquals(new DataView(options.get(14)!.buffer).getBigUint64(0, true), 1_700_000_000n);
});

Deno.test("an interface tells its capture filter, as text", () => {
  const [block] = readBlocks(pcapngInterface({ name: "eth0", filter: "port 443" }));
  assertEquals([...readOptions(block.body, 8).get(11)!], [0, ...new TextEncoder().encode("port 443")]);
});

Deno.test("packets come back with their exact time, interface, bytes, direction and comment", () => {
  const anyPacket = fc.record({
    interfaceId: fc.nat(5),
    timeNs: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    bytes: fc.uint8Array({ maxLength: 99 }),
    more: fc.nat(1500),
    direction: fc.option(fc.constantFrom<"inbound" | "outbound">("inbound", "outbound"), { nil: undefined }),
    comment: fc.option(fc.string({ unit: "grapheme" }), { nil: undefined }),
  });
  fc.assert(fc.property(fc.array(anyPacket, { maxLength: 9 }), (packets) => {
    const file = concatenate(
      packets.map(({ interfaceId, timeNs, bytes, more, direction, comment }) =>
        pcapngPacket(interfaceId, timeNs, bytes, { originalBytes: bytes.length + more, direction, comment })
      ),
    );
    const read = readBlocks(file).map((block) => {
      assertEquals(block.type, PCAPNG_BLOCK.ENHANCED_PACKET);
      const { options, originalBytes, timeNs, ...packet } = readEnhancedPacket(block);
      const comment = options.get(1);
      return {
        ...packet,
        timeNs: Number(timeNs),
        more: originalBytes - packet.bytes.length,
        direction: ([undefined, "inbound", "outbound"] as const)[options.get(2)?.[0] ?? 0],
        comment: comment && utf8.decode(comment),
      };
    });
    assertEquals(read, packets);
  }));
});

Deno.test("statistics carry the counts that are given", () => {
  const [block, bare] = readBlocks(concatenate([
    pcapngStatistics(3, 2 ** 40 + 5, {
      startNs: 2 ** 32 + 1,
      endNs: 2,
      received: 2 ** 33,
      dropped: 7,
      accepted: 6,
      droppedBySystem: 5,
      delivered: 4,
      comment: "loss 7",
    }),
    pcapngStatistics(0, 0),
  ]));
  const view = new DataView(block.body.buffer);
  assertEquals(block.type, PCAPNG_BLOCK.INTERFACE_STATISTICS);
  assertEquals([view.getUint32(0, true), view.getUint32(4, true), view.getUint32(8, true)], [3, 256, 5]);
  const options = readOptions(block.body, 12);
  const count = (code: number) => new DataView(options.get(code)!.buffer).getBigUint64(0, true);
  assertEquals([4, 5, 6, 7, 8].map(count), [2n ** 33n, 7n, 6n, 5n, 4n]);
  const time = (code: number) => {
    const value = new DataView(options.get(code)!.buffer);
    return [value.getUint32(0, true), value.getUint32(4, true)];
  };
  assertEquals([time(2), time(3)], [[1, 1], [0, 2]]);
  assertEquals(utf8.decode(options.get(1)), "loss 7");
  assertEquals(readOptions(bare.body, 12).size, 0);
});

Deno.test("text longer than an option can hold is cut, and the file stays readable", () => {
  const [block] = readBlocks(pcapngPacket(0, 0, new Uint8Array(3), { comment: "x".repeat(70_000) }));
  assertEquals(readEnhancedPacket(block).options.get(1)!.length, 65_535);
});

Deno.test("a packet written in place is the same block, whatever was there before", () => {
  for (const length of [0, 1, 2, 3, 4, 59, 1500, 65_575]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i);
    for (const direction of ["inbound", "outbound"] as const) {
      const target = new Uint8Array(length + PCAPNG_PACKET_ROOM + 5).fill(0xff);
      const packet = { id: 3, timeNs: 5e9 + 7, bytes, originalBytes: length + 9, inbound: direction === "inbound" };
      const end = writePcapngPacket(target, new DataView(target.buffer), 4, packet);
      const block = pcapngPacket(3, 5e9 + 7, bytes, { originalBytes: length + 9, direction });
      assertEquals(target.subarray(4, end), block);
      assertEquals([target[3], target[end]], [0xff, 0xff]);
    }
  }
});
