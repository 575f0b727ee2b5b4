import { assert, assertEquals, assertGreater, assertLess, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  addressBytes,
  AddressError,
  AddressTable,
  addToAddress,
  formatAddress,
  type IpAddress,
  parseAddress,
} from "../../src/base/address.ts";

/** A few neighbourhoods, so that ranges and single addresses meet: around page and word borders of both families. */
const base = fc.constantFrom(
  "10.0.0.0",
  "10.0.255.128",
  "255.255.250.0",
  "2001:db8::",
  "2001:db8::ffff:ff80",
  "2001:db8:0:1::",
)
  .map((text) => parseAddress(text));
const single: fc.Arbitrary<IpAddress> = fc.tuple(base, fc.nat(1100)).map(([first, n]) => addToAddress(first, n));
const range = fc.record({ first: single, count: fc.integer({ min: 1, max: 400 }) });

/** Fails unless the id stands for the address in every respect. */
function assertStandsFor(table: AddressTable, id: number, address: IpAddress): void {
  assert(id > 0 && id < 2 ** 31);
  assertEquals(table.toAddress(id), address);
  assertEquals(table.toText(id), formatAddress(address));
  assertEquals(table.isIpv6(id), address.family === 6);
  const bytes = new Uint8Array(18);
  const length = table.writeBytes(id, bytes, 1);
  assertEquals(bytes.slice(1, 1 + length), addressBytes(address));
  assertEquals(table.lookup(address), id);
  assertEquals(table.lookup(formatAddress(address)), id);
  assertEquals(table.lookup(addressBytes(address)), id);
  assertEquals(table.lookupBytes(bytes, 1, length), id);
  if (address.family === 4) assertEquals(table.word(id), address.words[0] | 0);
  else for (let k = 0; k < 4; k++) assertEquals(table.v6Word(id, k), address.words[k] | 0);
}

Deno.test("equal addresses have equal ids and different ones different ids, after ranges were reserved", () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 6 }), fc.array(single, { maxLength: 60 }), (ranges, singles) => {
      const table = new AddressTable({ blocks: 2 });
      const ids = new Map<string, number>();
      const seen = (address: IpAddress, id: number) => {
        const text = formatAddress(address);
        assertEquals(ids.get(text) ?? id, id, text);
        ids.set(text, id);
      };
      const firsts = table.reserve(ranges);
      for (const address of singles) seen(address, table.intern(address));
      for (const [i, { first, count }] of ranges.entries()) {
        assertEquals(table.internRange(first, count), firsts[i]);
        for (let n = 0; n < count; n++) seen(addToAddress(first, n), firsts[i] + n);
      }
      for (const [text, id] of ids) assertStandsFor(table, id, parseAddress(text));
      assertEquals(new Set(ids.values()).size, ids.size);
    }),
    { numRuns: 150 },
  );
});

Deno.test("without reserving, each range either gets ids in a row or is refused, and no id ever changes", () => {
  const step = fc.oneof(range, single.map((first) => ({ first, count: 0 })));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const table = new AddressTable();
      const ids = new Map<string, number>();
      for (const { first, count } of steps) {
        let id = 0;
        try {
          id = count === 0 ? table.intern(first) : table.internRange(first, count);
        } catch (error) {
          assert(error instanceof AddressError && error.message.includes("reserve all ranges"));
          continue;
        }
        for (let n = 0; n < Math.max(1, count); n++) {
          const text = formatAddress(addToAddress(first, n));
          assertEquals(ids.get(text) ?? id + n, id + n);
          ids.set(text, id + n);
        }
      }
      assertEquals(new Set(ids.values()).size, ids.size);
      for (const [text, id] of ids) assertStandsFor(table, id, parseAddress(text));
      for (let n = 0; n < 1100; n += 7) {
        const address = addToAddress(parseAddress("10.0.0.0"), n);
        assertEquals(table.lookup(address), ids.get(formatAddress(address)) ?? 0);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("counted addresses live while they are held and cost nothing afterwards", () => {
  const step = fc.record({ address: single, what: fc.constantFrom("take", "retain", "release", "pin") });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const table = new AddressTable({ blocks: 2 });
      const range = table.internRange("10.0.0.3", 600);
      const pinned = table.blocksInUse;
      const holds = new Map<string, { id: number; count: number }>();
      const kept = new Set<string>();
      for (const { address, what } of steps) {
        const text = formatAddress(address);
        const held = holds.get(text);
        if (what === "pin") {
          table.intern(address);
          kept.add(text);
        } else if (what === "take") {
          const id = table.internCounted(address);
          if (held !== undefined) assertEquals(id, held.id);
          holds.set(text, { id, count: (held?.count ?? 0) + 1 });
        } else if (held !== undefined && what === "retain") {
          table.retain(held.id);
          held.count++;
        } else if (held !== undefined) {
          table.release(held.id);
          if (--held.count === 0) holds.delete(text);
        }
        for (const [text, { id }] of holds) assertEquals(table.lookup(text), id);
        for (const text of kept) assertNotEquals(table.lookup(text), 0);
        assertEquals(new Set([...holds.values()].map(({ id }) => id)).size, holds.size);
      }
      for (const { id, count } of holds.values()) for (let i = 0; i < count; i++) table.release(id);
      assertEquals(table.lookup("10.0.0.5"), range + 2);
      if (kept.size === 0) assertEquals(table.blocksInUse, pinned);
    }),
    { numRuns: 300 },
  );
});

Deno.test("a flood of a million spoofed addresses, released again, leaves the table as it was", () => {
  const table = new AddressTable();
  const server = table.intern("192.0.2.1");
  const window: number[] = [];
  let highest = 0;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 1_000_000; i++) {
    new DataView(bytes.buffer).setUint32(0, Math.imul(i + 1, 0x9e3779b1) >>> 0);
    const id = table.internCounted(bytes);
    highest = Math.max(highest, id);
    window.push(id);
    if (window.length > 1000) table.release(window.splice(0, 1)[0]);
  }
  assertLess(highest >>> 8, 1100);
  for (const id of window) table.release(id);
  assertEquals(table.blocksInUse, 1);
  assertEquals(table.lookup("192.0.2.1"), server);
});

Deno.test("releasing and retaining what was interned for good has no effect", () => {
  const table = new AddressTable();
  const id = table.intern("10.0.0.1");
  assertEquals(table.internCounted("10.0.0.1"), id);
  for (let i = 0; i < 5; i++) table.release(id);
  table.retain(id);
  table.release(0);
  assertEquals(table.lookup("10.0.0.1"), id);
  const counted = table.internCounted("10.9.0.1");
  table.intern("10.9.0.1");
  table.release(counted);
  assertEquals(table.lookup("10.9.0.1"), counted);
});

Deno.test("an address inside a range has the range's id, and a range inside a range lies in it", () => {
  const table = new AddressTable();
  const id = table.internRange("10.0.0.2", 1000);
  assertEquals(table.intern("10.0.3.233"), id + 999);
  assertEquals(table.internRange("10.0.1.0", 512), id + 254);
  assertEquals(table.internRange("10.0.0.2", 1), id);
  assertEquals(table.lookup("10.0.0.1"), 0);
  assertEquals(table.lookup("10.0.3.234"), 0);
  assertNotEquals(table.intern("10.0.0.1") + 1, 0);
  assertEquals(table.toText(table.intern("10.0.0.1")), "10.0.0.1");
});

Deno.test("a range that runs into an address with an id of its own is refused, unless both were reserved", () => {
  const table = new AddressTable();
  table.intern("10.0.1.7");
  const error = assertThrows(() => table.internRange("10.0.0.2", 1000), AddressError);
  assertEquals(
    error.message,
    "The 1000 addresses from 10.0.0.2 to 10.0.3.233 cannot have ids in a row, since some of them already have others: " +
      "reserve all ranges before interning single addresses.",
  );
  const reserved = new AddressTable();
  const [many, one] = reserved.reserve([{ first: "10.0.0.2", count: 1000 }, { first: "10.0.1.7", count: 1 }]);
  assertEquals(one, many + 256 + 5);
});

Deno.test("a range is refused if it has no addresses or leaves its family", () => {
  const table = new AddressTable();
  for (const count of [0, -1, 1.5, NaN]) {
    assertThrows(() => table.internRange("10.0.0.0", count), AddressError, "cannot have");
  }
  assertThrows(() => table.internRange("255.255.255.0", 257), AddressError, "is outside the IPv4 addresses");
  assertThrows(() => table.internRange("0.0.0.0", 2 ** 32), AddressError, "The table of addresses is full");
  assertEquals(table.blocksInUse, 0);
  assertEquals(table.toText(table.internRange("255.255.255.0", 256) + 255), "255.255.255.255");
});

Deno.test("words depend on the address alone, not on the order of interning", () => {
  const texts = ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db8:1::1"];
  const [forth, back] = [new AddressTable(), new AddressTable()];
  back.internRange("2001:db8::", 1000);
  const words = (table: AddressTable, list: string[]) =>
    new Map(list.map((text) => [text, table.word(table.intern(text))]));
  const first = words(forth, texts);
  assertEquals(words(back, texts.toReversed()), first);
  assertEquals(new Set(first.values()).size, texts.length);
  assertEquals(first.get("2001:db8::2"), first.get("2001:db8::1")! + 1);
  assertEquals(first.get("10.0.0.1"), 0x0a000001);
  assertEquals(first.get("2001:db8::1"), 1665576013); // frozen: ECMP and balancers hash it
});

Deno.test("words of a hundred thousand IPv6 networks rarely meet", () => {
  const table = new AddressTable();
  const words = new Set<number>();
  for (let i = 0; i < 100_000; i++) words.add(table.word(table.intern({ family: 6, words: [0x20010db8, i, 0, 1] })));
  assertGreater(words.size, 99_980); // 1.2 expected to be lost
});

Deno.test("id 0 is no address, and the unspecified addresses are ordinary ones", () => {
  const table = new AddressTable();
  assertEquals([table.toText(0), table.word(0), table.isIpv6(0)], ["*", 0, false]);
  assertThrows(() => table.toAddress(0), AddressError);
  assertEquals([table.lookup("0.0.0.0"), table.lookup("::")], [0, 0]);
  assertStandsFor(table, table.intern("0.0.0.0"), parseAddress("0.0.0.0"));
  assertStandsFor(table, table.intern("::"), parseAddress("::"));
});

Deno.test("an IPv4 address and the IPv6 address that maps it are two", () => {
  const table = new AddressTable();
  assertNotEquals(table.intern("192.0.2.1"), table.intern("::ffff:192.0.2.1"));
});

Deno.test("sixteen million addresses in a range take a few megabytes and milliseconds", () => {
  const table = new AddressTable();
  const id = table.internRange("10.0.0.0", 2 ** 24);
  assertEquals(table.blocksInUse, 65536);
  assertEquals(table.toText(id + 2 ** 24 - 1), "10.255.255.255");
  assertEquals(table.word(id + 123_456), 0x0a000000 + 123_456);
});
