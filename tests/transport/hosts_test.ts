import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { HOST, HostTable } from "../../src/transport/hosts.ts";

Deno.test("a host takes one cache line, and rows may come in any order", () => {
  assertEquals(HOST.STRIDE * 4, 64);
  const hosts = new HostTable({ seed: 1, capacity: 1 });
  hosts.addHost(1000, { name: "late", rank: 3, profile: 2, mtu: 9000 });
  hosts.addHost(2, { name: "early" });
  assertEquals([hosts.rankOf(1000), hosts.profileOf(1000), hosts.mtuOf(1000)], [3, 2, 9000]);
  assertEquals([hosts.rankOf(2), hosts.profileOf(2), hosts.mtuOf(2)], [0, 0, 1500]);
  assertEquals(hosts.end, 1001);
});

Deno.test("serial numbers count from 1 for each host", () => {
  const hosts = new HostTable({ seed: 1 });
  hosts.ensure(4);
  assertEquals([hosts.nextSerial(3), hosts.nextSerial(3), hosts.nextSerial(4)], [1, 2, 1]);
});

Deno.test("secrets follow from the seed and the name, not from the row", () => {
  const one = new HostTable({ seed: 1 });
  one.addHost(3, { name: "web" });
  one.addHost(4, { name: "db" });
  const two = new HostTable({ seed: 1 });
  two.addHost(9, { name: "web" });
  const reseeded = new HostTable({ seed: 2 ** 32 + 1 });
  reseeded.addHost(3, { name: "web" });
  assertEquals(one.secretWord(3, 0), two.secretWord(9, 0));
  assertNotEquals(one.secretWord(3, 0), one.secretWord(4, 0));
  assertNotEquals(one.secretWord(3, 0), one.secretWord(3, 1));
  assertNotEquals(one.secretWord(3, 0), reseeded.secretWord(3, 0));
});

Deno.test("files are opened up to the limit", () => {
  const hosts = new HostTable({ seed: 1 });
  hosts.ensure(0);
  assert(hosts.openFile(0, 2) && hosts.openFile(0, 2));
  assert(!hosts.openFile(0, 2));
  assert(hosts.openFile(0, Infinity));
  hosts.closeFile(0);
  assertEquals(hosts.filesOf(0), 2);
});

Deno.test("challenge ACKs are limited in each second, from the first on", () => {
  const hosts = new HostTable({ seed: 1 });
  hosts.ensure(0);
  const taken = [0, 1, 999, 1000, 1001, 1002].map((ms) => hosts.takeChallengeAck(0, ms, 2));
  assertEquals(taken, [true, true, false, true, true, false]);
  assert(!hosts.takeChallengeAck(0, 5000, 0));
});

Deno.test("an MTU that no link has is refused", () => {
  const hosts = new HostTable({ seed: 1 });
  hosts.ensure(0);
  assertThrows(() => hosts.setMtu(0, 67), RangeError, "An MTU is a whole number of bytes from 68 to 65535, not 67.");
  hosts.setMtu(0, 1280);
  assertEquals(hosts.mtuOf(0), 1280);
});
