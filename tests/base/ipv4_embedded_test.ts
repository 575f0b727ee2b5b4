import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatAddress, parseAddress, prefixContains } from "../../src/base/ip.ts";
import {
  embeddedIpv4,
  EMBEDDING_BITS,
  embedIpv4,
  parseEmbeddingPrefix,
  WELL_KNOWN_PREFIX,
} from "../../src/base/ipv4_embedded.ts";

Deno.test("IPv4 addresses are embedded as the table of RFC 6052 section 2.4 has them", () => {
  const rows = [
    ["2001:db8::/32", "2001:db8:c000:221::"],
    ["2001:db8:100::/40", "2001:db8:1c0:2:21::"],
    ["2001:db8:122::/48", "2001:db8:122:c000:2:2100::"],
    ["2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"],
    ["2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:0"],
    ["2001:db8:122:344::/96", "2001:db8:122:344::c000:221"],
    [WELL_KNOWN_PREFIX, "64:ff9b::c000:221"],
  ];
  for (const [prefix, address] of rows) {
    const embedded = embedIpv4(parseEmbeddingPrefix(prefix), parseAddress("192.0.2.33"));
    assertEquals(formatAddress(embedded), formatAddress(parseAddress(address)));
  }
});

Deno.test("what is embedded lies in the prefix, and comes out again", () => {
  fc.assert(
    fc.property(fc.constantFrom(...EMBEDDING_BITS), fc.nat(2 ** 32 - 1), (bits, word) => {
      const prefix = parseEmbeddingPrefix(`2001:db8:aaaa:bbbb:00cc:dddd:eeee:ffff/${bits}`);
      const address = { family: 4, words: [word] } as const;
      const embedded = embedIpv4(prefix, address);
      assertEquals(prefixContains(prefix, embedded), true);
      assertEquals(embeddedIpv4(prefix, embedded), address);
    }),
  );
});

Deno.test("a prefix of another length or family holds no IPv4 addresses", () => {
  for (const text of ["64:ff9b::/95", "64:ff9b::/128", "10.0.0.0/8", "64:ff9b::"]) {
    assertThrows(() => parseEmbeddingPrefix(text));
  }
});
