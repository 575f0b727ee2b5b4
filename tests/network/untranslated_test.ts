/** Translation turned off for some destinations. */
import { assertEquals, assertThrows } from "@std/assert";
import { NetworkError } from "../../src/network/errors.ts";
import { natStats } from "../../src/network/nat_events.ts";
import type { NatOptions } from "../../src/network/options.ts";
import { behindNat, workload } from "./support/homes.ts";
import { built, type Step } from "./support/networks.ts";
import { assertConserved, nodeRow, send, watch } from "./support/probe.ts";

/** Subscribers of a carrier whose own server, 198.51.100.1, sees them as they are (RFC 6888 REQ-6). */
function ownServer(options: Partial<NonNullable<NatOptions["untranslated"]>> = {}): Step[] {
  return behindNat({ untranslated: { inside: "10.0.0.0/24", to: ["198.51.100.0/24"], ...options } });
}

Deno.test("what is not translated reaches its destination under the inner address, and comes back (RFC 6888 REQ-6)", () => {
  const simulation = built([
    ...ownServer(),
    workload({ name: "own", from: ["lan"], to: ["far:80"], kind: "request-response", connections: 6 }),
    workload({ name: "other", from: ["lan"], to: ["web:80"], kind: "request-response", connections: 6 }),
    workload({ name: "back", from: ["far"], to: ["lan[1]:8080"], kind: "request-response", connections: 1 }),
  ]);
  const seen = watch(simulation);
  simulation.run();
  const { workloads } = simulation.report();
  assertEquals(workloads.map(({ name, repliesCompleted }) => [name, repliesCompleted]), [
    ["own", 6],
    ["other", 6],
    ["back", 1],
  ]);
  const sources = (to: string) => [...new Set(seen.filter((one) => one.to === to).map(({ src }) => src))].toSorted();
  assertEquals(sources("far"), ["10.0.0.2", "10.0.0.3", "10.0.0.4"]);
  assertEquals(sources("web"), ["203.0.113.1"]);
  assertEquals(natStats(simulation.partition, nodeRow(simulation, "gw")).sessionsOpened, 6);
  assertConserved(simulation);
});

Deno.test("translation may be turned off for some ports alone; everything else has a session", () => {
  const simulation = built(ownServer({ ports: [53] }));
  const seen = watch(simulation);
  for (const dport of [53, 54]) {
    send(simulation, { from: "lan[0]", dst: "198.51.100.1", protocol: "UDP", sport: 4000 + dport, dport });
  }
  simulation.run();
  const there = seen.filter(({ to, protocol }) => to === "far" && protocol === 17);
  assertEquals(there.map(({ src, dport }) => [src, dport]), [["10.0.0.2", 53], ["203.0.113.1", 54]]);
  // Nobody listens: Port Unreachable comes back both ways, about what was sent.
  const errors = seen.filter(({ to, protocol }) => to === "lan[0]" && protocol === 1);
  assertEquals(errors.map(({ quotedSrc, quotedPorts }) => [quotedSrc, quotedPorts >>> 16]), [
    ["10.0.0.2", 4053],
    ["10.0.0.2", 4054],
  ]);
  // From outside, another port is not let in.
  send(simulation, { from: "far", dst: "10.0.0.2", protocol: "UDP", sport: 54, dport: 9 });
  simulation.run();
  assertEquals(simulation.report().packets.dropped, { "no-protocol": 2, "nat-no-mapping": 1 });
});

Deno.test("a hop limit that ends at a gateway that does not translate is told of in both directions", () => {
  const simulation = built(ownServer());
  const seen = watch(simulation);
  send(simulation, { from: "lan[0]", dst: "198.51.100.1", protocol: "UDP", sport: 1, dport: 2, ttl: 2 });
  send(simulation, { from: "far", dst: "10.0.0.2", protocol: "UDP", sport: 2, dport: 1, ttl: 2 });
  simulation.run();
  const told = seen.filter(({ to, icmp }) => (to === "lan[0]" || to === "far") && icmp === 0x0b00);
  assertEquals(told.map(({ to, src, quotedSrc, quotedDst }) => [to, src, quotedSrc, quotedDst]).toSorted(), [
    ["far", "203.0.113.1", "198.51.100.1", "10.0.0.2"],
    ["lan[0]", "10.0.0.1", "10.0.0.2", "198.51.100.1"],
  ]);
});

Deno.test("what cannot be left untranslated is said in a sentence", () => {
  const refused = (untranslated: NatOptions["untranslated"], count?: number) =>
    assertThrows(() => built(behindNat({ untranslated, count })), NetworkError).subject;
  assertEquals(refused({ inside: "10.0.0.0/8", to: ["2001:db8::/32"] }), "nodes.gw.untranslated.to[0]");
  assertEquals(refused({ inside: "ten", to: [] }), "nodes.gw.untranslated.inside");
  assertEquals(refused({ inside: "10.0.0.0/8", to: [], ports: [70_000] }), "nodes.gw.untranslated.ports");
  assertEquals(refused({ inside: "10.0.0.0/8", to: [] }, 2), "nodes.gw.untranslated");
});
