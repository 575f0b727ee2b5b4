import { assert, assertEquals } from "@std/assert";
import { defaultConfig } from "../../src/packetdrill/config.ts";
import { applyCommands } from "../../src/packetdrill/effects.ts";
import { EmulatedHost, HOST_ROW } from "../../src/packetdrill/host.ts";
import { packetdrillProfile } from "../../src/packetdrill/sysctl.ts";

function host(): EmulatedHost {
  return new EmulatedHost({ config: defaultConfig("ipv4"), profile: packetdrillProfile });
}

const command = (text: string) => ({ text, at: { line: 1, column: 1 } });

Deno.test("a sysctl changes the host's profile, and set_sysctls' restoring script changes it back", () => {
  const one = host();
  applyCommands(one, command("sysctl -q net.ipv4.tcp_timestamps=0"));
  assertEquals(one.profile.timestamps, false);
  applyCommands(one, command("/tmp/sysctl_restore_${PPID}.sh"));
  assertEquals(one.profile.timestamps, true);
});

Deno.test("a queue without room shuts the interface, another opens it again", () => {
  const one = host();
  applyCommands(one, command("tc qdisc replace dev tun0 root pfifo limit 0"));
  assert(one.stack.isEgressShut(HOST_ROW));
  applyCommands(one, command("tc qdisc replace dev tun0 root pfifo"));
  assert(!one.stack.isEgressShut(HOST_ROW));
});

Deno.test("fq paces, pfifo does not", () => {
  const one = host();
  applyCommands(one, command("tc qdisc replace dev tun0 root fq"));
  assertEquals(one.profile.pacing, true);
  applyCommands(one, command("tc qdisc replace dev tun0 root pfifo"));
  assertEquals(one.profile.pacing, false);
});

Deno.test("metrics of the route set the first window and the least timeout until the route goes", () => {
  const one = host();
  applyCommands(one, command("ip route add 192.0.2.0/24 dev tun0 initcwnd 20 rto_min 50ms"));
  assertEquals([one.profile.initialWindowSegments, one.profile.rtoMinMs], [20, 50]);
  applyCommands(one, command("ip route del 192.0.2.0/24 dev tun0"));
  assertEquals([one.profile.initialWindowSegments, one.profile.rtoMinMs], [10, 200]);
});

Deno.test("another congestion control is for new connections", () => {
  const one = host();
  applyCommands(one, command("sysctl -q net.ipv4.tcp_congestion_control=reno"));
  assertEquals(one.profile.congestionControl, "reno");
  applyCommands(one, command("sysctl -q net.ipv4.tcp_timestamps=0"));
  assertEquals([one.profile.congestionControl, one.profile.timestamps], ["reno", false]);
});

Deno.test("what has no meaning is returned with its reason", () => {
  const { ignored } = applyCommands(
    host(),
    command("sysctl -q net.ipv4.tcp_mem='1 2 3'; ip route add default dev tun0 quickack 1"),
  );
  assertEquals(ignored.length, 2);
  assert(ignored[1].includes("quickack"));
});
