import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  addressBytes,
  addressDistance,
  AddressError,
  addressFromBytes,
  addToAddress,
  compareAddresses,
  formatAddress,
  formatPrefix,
  type IpAddress,
  networkOf,
  notAHostsAddress,
  parseAddress,
  parsePrefix,
  prefixContains,
} from "../../src/base/address.ts";

const u32 = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(0, 1, 0xffff, 0x10000, 2 ** 32 - 1));
const anyAddress: fc.Arbitrary<IpAddress> = fc.oneof(
  u32.map((word) => ({ family: 4 as const, words: [word] })),
  fc.tuple(u32, u32, u32, u32).map((words) => ({ family: 6 as const, words })),
);

/** An address as one number. */
function wide(address: IpAddress): bigint {
  return address.words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
}

Deno.test("IPv6 addresses are written as RFC 5952 asks", () => {
  const cases: [string, string][] = [
    // Section 4.1: leading zeros.
    ["2001:0db8::0001", "2001:db8::1"],
    // 4.2.1: "::" as short as can be; 4.2.2: not for one group; 4.2.3: the longest run, the first of equals.
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8::0:1", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    // 4.3: lower case.
    ["2001:DB8::ABCD", "2001:db8::abcd"],
    // Section 5: the IPv4-mapped form.
    ["::ffff:c000:0201", "::ffff:192.0.2.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["0:0:3:4:5:6:0:0", "::3:4:5:6:0:0"],
    ["fe80:0:0:0:0:0:0:0", "fe80::"],
  ];
  for (const [text, canonical] of cases) assertEquals(formatAddress(parseAddress(text)), canonical, text);
});

Deno.test("IPv4 addresses are read and written", () => {
  assertEquals(parseAddress("192.0.2.1"), { family: 4, words: [0xc0000201] });
  assertEquals(formatAddress({ family: 4, words: [0xffffffff] }), "255.255.255.255");
  assertEquals(formatAddress(parseAddress("0.0.0.0")), "0.0.0.0");
});

Deno.test("any address survives being written and read, as text and as bytes", () => {
  fc.assert(
    fc.property(anyAddress, (address) => {
      assertEquals(parseAddress(formatAddress(address)), address);
      assertEquals(addressFromBytes(addressBytes(address)), address);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("the engine's own URL parser reads our IPv6 text as the same address", () => {
  fc.assert(fc.property(fc.tuple(u32, u32, u32, u32), (words) => {
    const text = formatAddress({ family: 6, words });
    const host = new URL(`http://[${text}]/`).hostname.slice(1, -1);
    assertEquals(parseAddress(host), { family: 6, words });
    if (!text.includes(".")) assertEquals(host, text);
  }));
});

Deno.test("what is no address is refused with a sentence that says why", () => {
  const cases: [string, string][] = [
    ["", "write IPv4 as 192.0.2.1 or IPv6 as 2001:db8::1"],
    ["host", "write IPv4 as"],
    ["1.2.3", "write IPv4 as"],
    ["1.2.3.4.5", "write IPv4 as"],
    ["1.2.3.256", "256 is above 255"],
    ["1.2.3.x", '"x" is not a number from 0 to 255'],
    ["1.2.3.", '"" is not a number'],
    ["1.2.3.-4", '"-4" is not a number'],
    ["010.0.0.1", "begins with a 0"],
    ["1::2::3", '"::" may stand only once'],
    ["1:2:3", "it has 3 groups of 16 bits, not 8"],
    ["1:2:3:4:5:6:7:8:9", "it has 9 groups"],
    ["1:2:3:4:5:6:7:8::", "leaves nothing out"],
    ["12345::", '"12345" is not a group'],
    ["g::", '"g" is not a group'],
    [":1:2:3:4:5:6:7", 'a ":" stands alone'],
    [":::", 'a ":" stands alone'],
    ["1.2.3.4::", '"1.2.3.4" is not a group'],
    ["::1.2.3.256", "256 is above 255"],
    ["fe80::1%eth0", "zone indices"],
  ];
  for (const [text, message] of cases) {
    assert(assertThrows(() => parseAddress(text), AddressError, message).message.includes(`"${text}"`));
  }
  assertThrows(() => addressFromBytes(new Uint8Array(5)), AddressError, "4 or 16 bytes, not 5");
});

Deno.test("prefixes are read with their length, and cleared behind it when written", () => {
  assertEquals(parsePrefix("10.1.2.3/8"), { address: parseAddress("10.1.2.3"), bits: 8 });
  assertEquals(formatPrefix(parsePrefix("10.1.2.3/8")), "10.0.0.0/8");
  assertEquals(formatPrefix(parsePrefix("2001:db8:ffff::1/36")), "2001:db8:f000::/36");
  assertEquals(formatPrefix(parsePrefix("1.2.3.4/0")), "0.0.0.0/0");
  assertEquals(formatPrefix(parsePrefix("1.2.3.4/32")), "1.2.3.4/32");
  for (const text of ["10.0.0.0", "10.0.0.0/33", "::/129", "::/", "10.0.0.0/08", "10.0.0.0/-1", "10/8"]) {
    assertThrows(() => parsePrefix(text), AddressError);
  }
});

Deno.test("a prefix contains exactly the addresses that share its leading bits", () => {
  fc.assert(
    fc.property(anyAddress, anyAddress, fc.nat(128), fc.nat(128), (a, b, bits, shared) => {
      const size = a.family === 4 ? 32 : 128;
      const prefix = { address: a, bits: Math.min(bits, size) };
      if (a.family !== b.family) return assertEquals(prefixContains(prefix, b), false);
      // Make `b` share some leading bits.
      const low = BigInt(size - Math.min(shared, size));
      const mixed = ((wide(a) >> low) << low) | (wide(b) & ((1n << low) - 1n));
      const words = a.words.map((_, i) => Number((mixed >> BigInt(32 * (a.words.length - 1 - i))) & 0xffffffffn));
      const inside = (mixed >> BigInt(size - prefix.bits)) === (wide(a) >> BigInt(size - prefix.bits));
      assertEquals(prefixContains(prefix, { family: a.family, words }), inside);
      assertEquals(wide(networkOf(prefix)), (wide(a) >> BigInt(size - prefix.bits)) << BigInt(size - prefix.bits));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("adding to an address carries through all words and refuses to leave the family", () => {
  assertEquals(formatAddress(addToAddress(parseAddress("10.0.0.255"), 1)), "10.0.1.0");
  assertEquals(formatAddress(addToAddress(parseAddress("2001:db8::"), -1)), "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff");
  fc.assert(
    fc.property(anyAddress, fc.oneof(fc.maxSafeInteger(), fc.integer()), (address, n) => {
      const sum = wide(address) + BigInt(n);
      if (sum < 0n || sum >= 1n << BigInt(32 * address.words.length)) {
        assertThrows(() => addToAddress(address, n), AddressError, "is outside the IPv");
      } else {
        const moved = addToAddress(address, n);
        assertEquals(wide(moved), sum);
        assertEquals(addressDistance(address, moved), n);
      }
    }),
    { numRuns: 2000 },
  );
  assertThrows(() => addToAddress(parseAddress("::"), 0.5), RangeError);
});

Deno.test("addresses are ordered by number, IPv4 before IPv6", () => {
  fc.assert(fc.property(anyAddress, anyAddress, (a, b) => {
    const order = a.family - b.family || Number(wide(a) - wide(b));
    assertEquals(Math.sign(compareAddresses(a, b)), Math.sign(order));
  }));
});

Deno.test("addresses that no host can have are told apart", () => {
  const kinds = (...texts: string[]) => texts.map((text) => notAHostsAddress(parseAddress(text)));
  assertEquals(kinds("0.0.0.0", "::"), ["the unspecified address", "the unspecified address"]);
  assertEquals(kinds("127.0.0.1", "127.9.9.9", "::1"), Array(3).fill("a loopback address"));
  assertEquals(kinds("224.0.0.1", "239.1.2.3", "ff02::1"), Array(3).fill("a multicast address"));
  assertEquals(kinds("255.255.255.255"), ["the broadcast address"]);
  assertEquals(
    kinds("10.0.0.0", "10.0.0.255", "223.255.255.255", "240.0.0.1", "::2", "::ffff:10.0.0.1", "fe80::1", "2001:db8::1"),
    Array(8).fill(undefined),
  );
});
