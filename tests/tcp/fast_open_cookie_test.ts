// Fast Open's cookies: the same that Linux makes.
import { assertEquals } from "@std/assert";
import { PacketPool } from "../../src/wire/packet.ts";
import { AddressTable } from "../../src/base/address.ts";
import {
  keysFromBytes,
  newCookie,
  parseFastOpenKeys,
  readFastOpen,
  sameCookie,
  serverCookie,
  writeFastOpen,
} from "../../src/tcp/fast_open_cookie.ts";

const KEY = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";
const ZERO = "00000000-00000000-00000000-00000000";

function cookieOf(server: string, client: string, key: string): string {
  const addresses = new AddressTable();
  const cookie = newCookie();
  serverCookie(addresses, addresses.intern(server), addresses.intern(client), parseFastOpenKeys(key)[0], cookie);
  return [...cookie.words.subarray(0, 2)].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

Deno.test("a cookie is Linux's SipHash of the address pair, over IPv4", () => {
  assertEquals(cookieOf("192.168.0.1", "192.0.2.1", KEY), "3021b9d889017eeb");
  assertEquals(cookieOf("192.168.0.1", "192.0.2.1", ZERO), "b7c12350a90dc8f5");
});

Deno.test("a cookie is Linux's SipHash of the address pair, over IPv6", () => {
  assertEquals(cookieOf("fd3d:0a0b:17d6::1", "fd3d:fa7b:d17d::1", KEY), "c1d1e9742a47a9bc");
  assertEquals(cookieOf("fd3d:0a0b:17d6::1", "fd3d:fa7b:d17d::1", ZERO), "82af1a8f9a205c34");
});

Deno.test("TCP_FASTOPEN_KEY's bytes are the sysctl's words, the first byte the least", () => {
  const bytes = Uint8Array.from([
    0xf7,
    0x63,
    0xbf,
    0xa0,
    0x81,
    0x3d,
    0x80,
    0xed,
    0x30,
    0x1d,
    0x64,
    0xcd,
    0x90,
    0x4a,
    0xbc,
    0xce,
  ]);
  assertEquals(keysFromBytes(bytes), parseFastOpenKeys("a0bf63f7-ed803d81-cd641d30-cebc4a90"));
  assertEquals(keysFromBytes(bytes.subarray(3)), null);
});

Deno.test("cookies are the same if their bytes are, whatever stands behind those", () => {
  const [a, b] = [newCookie(), newCookie()];
  a.length = b.length = 6;
  a.words.set([0x01020304, 0x05060000]);
  b.words.set([0x01020304, 0x0506ffff, 7]);
  assertEquals(sameCookie(a, b), true);
  b.words[1] = 0x0507ffff;
  assertEquals(sameCookie(a, b), false);
});

Deno.test("an option in a packet's row has the bytes of its length and no others, which a digest would see", () => {
  for (const [length, words] of [[0, [0, 0]], [4, [0x01020304, 0]], [6, [0x01020304, 0x05060000]]] as const) {
    const pool = new PacketPool();
    const left = Object.assign(newCookie(), { length });
    left.words.set([0x01020304, 0x05060708, 9, 10]);
    const p = pool.allocate();
    writeFastOpen(pool, p, left);
    const read = newCookie();
    readFastOpen(pool, p, read);
    assertEquals([read.length, ...read.words], [length, ...words, 0, 0]);
  }
});
