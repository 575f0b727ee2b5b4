import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { AddressTable, formatAddress, parsePrefix } from "../../src/base/address.ts";
import { type RouteEntry, type RoutePrefix, RouteTables } from "../../src/node/routes.ts";

/** Whether the first `bits` bits of two addresses agree, bit by bit. */
function matches(prefix: RoutePrefix, words: readonly number[]): boolean {
  for (let bit = 0; bit < prefix.bits; bit++) {
    if (((prefix.address.words[bit >> 5] ^ words[bit >> 5]) >>> (31 - (bit & 31))) & 1) return false;
  }
  return true;
}

/** Words that often share their leading bytes. */
const word = fc.tuple(...[0, 1, 2, 3].map(() => fc.constantFrom(0, 1, 10, 128, 255))).map(
  ([a, b, c, d]) => ((a << 24) | (b << 16) | (c << 8) | d) >>> 0,
);

const address = fc.oneof(
  word.map((w) => ({ family: 4 as const, words: [w] })),
  fc.tuple(word, word, word, word).map((words) => ({ family: 6 as const, words: [...words] })),
  // Differ late only.
  word.map((w) => ({ family: 6 as const, words: [0x20010db8, 0, 0, w] })),
);

const prefix = fc.tuple(address, fc.nat(128)).map(([address, bits]): RoutePrefix => ({
  address,
  bits: address.family === 4 ? bits % 33 : bits,
}));

Deno.test("a lookup takes the longest prefix, like a naive scan, from lists and from tries", () => {
  fc.assert(
    fc.property(
      fc.array(prefix, { maxLength: 60, size: "max" }),
      fc.array(address, { minLength: 1, maxLength: 30, size: "max" }),
      fc.integer({ min: 1, max: 3 }),
      (prefixes, destinations, tableCount) => {
        const addresses = new AddressTable();
        const routes = new RouteTables(addresses, { tables: 1 });
        const tables = Array.from({ length: tableCount }, () => routes.create());
        const lists: RoutePrefix[][] = tables.map(() => []);
        prefixes.forEach((prefix, i) => {
          routes.add(tables[i % tableCount], prefix, { link: i });
          lists[i % tableCount].push(prefix);
        });
        for (const table of tables) routes.freeze(table);
        // Addresses near the prefixes as well as drawn ones.
        for (const destination of [...destinations, ...prefixes.map((prefix) => prefix.address)]) {
          const id = addresses.intern(formatAddress(destination));
          tables.forEach((table, t) => {
            let best = -1;
            lists[t].forEach((prefix, i) => {
              if (prefix.address.family !== destination.family || !matches(prefix, destination.words)) return;
              if (best < 0 || prefix.bits >= lists[t][best].bits) best = i;
            });
            assertEquals(routes.lookup(table, id, 0), best < 0 ? -1 : best * tableCount + t);
          });
        }
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("a population is reached over its own links, and nobody else in its prefix is", () => {
  for (const extra of [0, 20]) {
    const addresses = new AddressTable();
    const first = addresses.internRange("10.0.0.2", 1000);
    const routes = new RouteTables(addresses);
    const table = routes.create();
    routes.add(table, parsePrefix("0.0.0.0/0"), { link: 1 });
    routes.add(table, parsePrefix("10.0.0.0/22"), { firstId: first, count: 1000, linkBase: 5000, stride: 2 });
    for (let i = 0; i < extra; i++) routes.add(table, parsePrefix(`192.168.${i}.0/24`), { link: 2 });
    routes.freeze(table);
    assertEquals(routes.lookup(table, addresses.intern("10.0.0.2"), 0), 5000);
    assertEquals(routes.lookup(table, addresses.intern("10.0.1.1"), 0), 5000 + 2 * 255);
    assertEquals(routes.lookup(table, addresses.intern("10.0.3.233"), 0), 5000 + 2 * 999);
    assertEquals(routes.lookup(table, addresses.intern("10.0.3.234"), 0), -1);
    assertEquals(routes.lookup(table, addresses.intern("10.0.0.1"), 0), -1);
    assertEquals(routes.lookup(table, addresses.intern("10.0.4.0"), 0), 1);
    assertEquals(routes.lookup(table, addresses.intern("2001:db8::1"), 0), -1);
  }
});

Deno.test("the flow hash alone picks the link of an equal-cost group", () => {
  const addresses = new AddressTable();
  const routes = new RouteTables(addresses);
  const table = routes.create();
  routes.add(table, parsePrefix("::/0"), { links: [7, 8, 9] });
  routes.freeze(table);
  const id = addresses.intern("2001:db8::1");
  const picks = [0, 1, 2, 3, -1, -2].map((hash) => routes.lookup(table, id, hash));
  assertEquals(picks, [7, 8, 9, 7, 7, 9]);
});

Deno.test("a home gateway's table of four routes takes less than 100 bytes", () => {
  const routes = new RouteTables(new AddressTable());
  const entry = (link: number): RouteEntry => ({ link });
  const before = routes.bytes;
  for (let i = 0; i < 1000; i++) {
    const table = routes.create();
    routes.add(table, parsePrefix("0.0.0.0/0"), entry(4 * i));
    routes.add(table, parsePrefix("192.168.1.0/24"), entry(4 * i + 1));
    routes.add(table, parsePrefix("::/0"), entry(4 * i));
    routes.add(table, parsePrefix("2001:db8::/64"), entry(4 * i + 1));
    routes.freeze(table);
  }
  const bytes = (routes.bytes - before) / 1000;
  assert(bytes < 100, `${bytes} bytes`);
});

Deno.test("tables that are made anew again and again take the room of those before, and the first ones stay", () => {
  const addresses = new AddressTable();
  const routes = new RouteTables(addresses, { tables: 1 });
  const make = (link: number) => {
    const table = routes.create();
    // (Enough for a trie, and a group.)
    for (let i = 0; i < 12; i++) routes.add(table, parsePrefix(`10.${i}.0.0/16`), { links: [link, link] });
    routes.freeze(table);
    return table;
  };
  const first = make(7);
  const destination = addresses.intern("10.3.1.1");
  let bytes = 0;
  for (let round = 1; round < 50; round++) {
    routes.renew();
    const tables = [make(100 + round), make(200 + round)];
    assertEquals(tables.map((table) => routes.lookup(table, destination, 0)), [100 + round, 200 + round]);
    assertEquals(routes.lookup(first, destination, 0), 7);
    if (round === 1) bytes = routes.bytes;
  }
  assertEquals(routes.bytes, bytes);
});

Deno.test("routes out of range, empty groups and frozen tables are refused", () => {
  const routes = new RouteTables(new AddressTable());
  const table = routes.create();
  const prefix = parsePrefix("10.0.0.0/8");
  assertThrows(() => routes.add(table, prefix, { link: -1 }), RangeError, "A link direction");
  assertThrows(() => routes.add(table, prefix, { links: [] }), RangeError, "at least one link");
  assertThrows(() => routes.add(table, prefix, { firstId: 0, count: 1, linkBase: 0, stride: 1 }), RangeError);
  assertThrows(() => routes.add(table, { ...prefix, bits: 33 }, { link: 1 }), RangeError, "33 bits");
  routes.freeze(table);
  assertThrows(() => routes.add(table, prefix, { link: 1 }), Error, "is frozen");
  assertThrows(() => routes.freeze(table), Error, "is frozen");
});
