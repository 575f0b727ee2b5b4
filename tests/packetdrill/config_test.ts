import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { configFor, defaultConfig, defaultSymbols } from "../../src/packetdrill/config.ts";
import { parseScript } from "../../src/packetdrill/parser.ts";

const script = (options: string) =>
  parseScript(`${options}\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n`, { path: "a.pkt", symbols: new Map() });

Deno.test("the defaults are packetdrill's: its addresses, its tolerance, and one MSS for both IP versions", () => {
  const v4 = defaultConfig("ipv4");
  const v6 = defaultConfig("ipv6");
  assertEquals([v4.localIp, v4.remoteIp, v4.mtu - 40], ["192.168.0.1", "192.0.2.1", 1460]);
  assertEquals([v6.localIp, v6.remoteIp, v6.mtu - 60], ["fd3d:0a0b:17d6::1", "fd3d:fa7b:d17d::1", 1460]);
  assertEquals([v4.toleranceNs, v4.bindPort, v4.connectPort], [4e6, 8080, 8080]);
});

Deno.test("a script's options change the defaults, the command line's win over them", () => {
  const one = script("--tolerance_usecs=9000\n--mtu=1200\n--local_ip=192.168.0.7");
  const alone = configFor(one, "ipv4", []);
  assertEquals([alone.toleranceNs, alone.mtu, alone.localIp], [9e6, 1200, "192.168.0.7"]);
  assertEquals(configFor(one, "ipv4", [["mtu", "1300"]]).mtu, 1300);
});

Deno.test("addresses of the other IP version are not taken over", () => {
  assertEquals(configFor(script("--local_ip=192.168.0.7"), "ipv6", []).localIp, "fd3d:0a0b:17d6::1");
});

Deno.test("an option that packetdrill does not have, or a value that it does not take, is an error with its line", () => {
  const error = assertThrows(() => configFor(script("--mtu=1200\n--no_such=1"), "ipv4", []), InputError, "--no_such");
  assertEquals(error.line, 2);
  assertThrows(() => configFor(script("--mtu=many"), "ipv4", []), InputError, "--mtu does not take");
});

Deno.test("symbols default to what Linux's runner defines", () => {
  assertEquals(defaultSymbols("ipv4").get("TFO_COOKIE"), "3021b9d889017eeb");
  assertEquals(defaultSymbols("ipv6").get("CMSG_LEVEL_IP"), "SOL_IPV6");
});
