import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { addToAddress, formatAddress, parseAddress, prefixContains } from "../../src/base/address.ts";
import { defaultPrefix, rangePrefixes } from "../../src/node/prefixes.ts";

function texts(first: string, count: number): string[] {
  return rangePrefixes(parseAddress(first), count).map(({ address, bits }) => `${formatAddress(address)}/${bits}`);
}

Deno.test("a range becomes the fewest prefixes", () => {
  assertEquals(texts("10.0.0.0", 256), ["10.0.0.0/24"]);
  assertEquals(texts("10.0.0.1", 1), ["10.0.0.1/32"]);
  assertEquals(texts("10.0.0.1", 6), ["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/31", "10.0.0.6/32"]);
  assertEquals(texts("0.0.0.0", 2 ** 32), ["0.0.0.0/1", "128.0.0.0/1"]);
  assertEquals(texts("2001:db8::", 65536), ["2001:db8::/112"]);
  assertEquals(texts("2001:db8::ffff", 2), ["2001:db8::ffff/128", "2001:db8::1:0/128"]);
});

Deno.test("prefixes of a range cover exactly its addresses, each once", () => {
  const family = fc.constantFrom("10.0.0.0", "2001:db8::");
  fc.assert(
    fc.property(family, fc.nat(5000), fc.integer({ min: 1, max: 300 }), (base, offset, count) => {
      const first = addToAddress(parseAddress(base), offset);
      const prefixes = rangePrefixes(first, count);
      for (let i = -1; i <= count; i++) {
        if (i < 0 && offset === 0) continue;
        const address = addToAddress(parseAddress(base), offset + i);
        const covering = prefixes.filter((prefix) => prefixContains(prefix, address)).length;
        assertEquals(covering, i >= 0 && i < count ? 1 : 0);
      }
    }),
  );
});

Deno.test("the default prefix covers everything of its family", () => {
  assert(prefixContains(defaultPrefix(4), parseAddress("203.0.113.9")));
  assert(prefixContains(defaultPrefix(6), parseAddress("2001:db8::1")));
});
