/** NATs behind NATs, as whole networks. */
import { assert, assertEquals } from "@std/assert";
import type { NatOptions } from "../../src/network/options.ts";
import { natSessions, natStats, natSubscribers, restartNat, setNatTimeouts } from "../../src/network/nat_events.ts";
import { TCP_FLAG } from "../../src/wire/packet.ts";
import { behindNat, workload } from "./support/homes.ts";
import { built, type Step } from "./support/networks.ts";
import { assertConserved, nodeRow, send, watch } from "./support/probe.ts";

const SECOND = 1e9;
const UDP = 17;
const ICMP = 1;

/**
 * pcs (192.168.1.2 …) -- flat (a NAT in the flat) -- home (a NAT in the house) -- cgn (100.64/10 outside of it) -- isp -- web.
 * Two houses, two flats in each, two computers in each flat; the flats' and the houses' inner addresses repeat.
 */
function nested(cgn: Partial<NatOptions> = {}, homes: Partial<NatOptions> = {}): Step[] {
  return [
    (n) => n.host("pcs", { address: "192.168.1.2/24", count: 8, listen: [{ port: 7000 }] }),
    (n) => n.nat("flat", { address: "172.16.0.2/24", insideAddress: "192.168.1.1", count: 4, ...homes }),
    (n) => n.nat("home", { address: "100.64.0.2/10", insideAddress: "172.16.0.1", count: 2, ...homes }),
    (n) => n.nat("cgn", { address: "203.0.113.1/24", insideAddress: "100.64.0.1", ...cgn }),
    (n) => n.router("isp", { address: "198.18.0.1" }),
    (n) => n.host("web", { address: "192.0.2.1", listen: [{ port: 80 }] }),
    (n) => n.link("pcs", "flat", { delayNs: 1e6 }),
    (n) => n.link("flat", "home", { delayNs: 1e6 }),
    (n) => n.link("home", "cgn", { delayNs: 1e6 }),
    (n) => n.link("cgn", "isp", { delayNs: 1e6 }),
    (n) => n.link("isp", "web", { delayNs: 1e6 }),
  ];
}

Deno.test("connections go through three NATs, each of which holds a session for each", () => {
  const simulation = built([
    ...nested({ blocks: { size: 8, perSubscriber: 2 } }),
    workload({ from: ["pcs"], to: ["web:80"], connections: 24, kind: "request-response", holdNs: Infinity }),
  ]);
  simulation.run();
  assertEquals(simulation.report().connections.repliesCompleted, 24);
  const s = simulation.partition;
  const counts = ["flat[0]", "flat[3]", "home[1]", "cgn"].map((name) =>
    natStats(s, nodeRow(simulation, name)).sessions
  );
  assertEquals(counts, [6, 6, 12, 24]);
  // The outermost one sees two subscribers: the houses.
  const subscribers = natSubscribers(s, nodeRow(simulation, "cgn"));
  assertEquals(subscribers.map(({ address, sessions, blocks }) => [s.addresses.toText(address), sessions, blocks]), [
    ["100.64.0.2", 12, 2],
    ["100.64.0.3", 12, 2],
  ]);
  assertConserved(simulation);
});

Deno.test("a TTL that runs out at any of three NATs is told to the sender, with its own packet quoted", () => {
  const simulation = built(nested());
  const seen = watch(simulation);
  for (const ttl of [1, 2, 3, 4]) {
    send(simulation, { from: "pcs[5]", dst: "192.0.2.1", protocol: "UDP", sport: 5000 + ttl, dport: 33434, ttl });
    simulation.run();
  }
  const told = seen.filter(({ to, protocol }) => to === "pcs[5]" && protocol === ICMP);
  assertEquals(told.map(({ src, icmp }) => [src, icmp]), [
    ["192.168.1.1", 0x0b00],
    ["172.16.0.1", 0x0b00],
    ["100.64.0.1", 0x0b00],
    ["198.18.0.1", 0x0b00],
  ]);
  const own = seen.find(({ from, protocol }) => from === "pcs[5]" && protocol === UDP)!.src;
  for (const [i, error] of told.entries()) {
    assertEquals([error.quotedSrc, error.quotedDst, error.quotedPorts >>> 16], [own, "192.0.2.1", 5001 + i]);
  }
});

Deno.test("an error from beyond three NATs is translated at each, inner header too, on its way in", () => {
  const simulation = built(nested({ portAssignment: "random" }));
  const seen = watch(simulation);
  send(simulation, { from: "pcs[2]", dst: "192.0.2.1", protocol: "UDP", sport: 4444, dport: 9 });
  simulation.run();
  const own = seen[0].src;
  const errors = seen.filter(({ protocol }) => protocol === ICMP);
  assertEquals(errors.at(-1)!.to, "pcs[2]");
  assertEquals(errors.map(({ to, dst, quotedSrc }) => [to, dst === quotedSrc]), [
    ["isp", true],
    ["cgn", true],
    ["home[0]", true],
    ["flat[1]", true],
    ["pcs[2]", true],
  ]);
  assertEquals([errors.at(-1)!.quotedSrc, errors.at(-1)!.quotedPorts], [own, (4444 << 16) | 9]);
});

Deno.test("two houses reach each other by the outermost NAT's hairpin, and an error about it comes back", () => {
  const open = { mapping: "endpoint-independent", filtering: "endpoint-independent" } as const;
  const simulation = built(nested(open, open));
  const seen = watch(simulation);
  for (const from of ["pcs[0]", "pcs[7]"]) {
    send(simulation, { from, dst: "192.0.2.1", protocol: "UDP", sport: 4000, dport: 9 });
    simulation.run();
  }
  const external = seen.filter(({ to, from, protocol }) => from === "cgn" && to === "isp" && protocol === UDP);
  assertEquals(external.length, 2);
  seen.length = 0;
  send(simulation, { from: "pcs[0]", dst: "203.0.113.1", protocol: "UDP", sport: 4000, dport: external[1].sport });
  simulation.run();
  const arrived = seen.find(({ to, protocol }) => to === "pcs[7]" && protocol === UDP)!;
  assertEquals([arrived.src, arrived.sport, arrived.dport], ["203.0.113.1", external[0].sport, 4000]);
  assert(!seen.some(({ to }) => to === "isp"), "it never leaves the outermost NAT");
  // Nobody listens there: Port Unreachable goes back through three NATs and the hairpin.
  const error = seen.find(({ to, protocol }) => to === "pcs[0]" && protocol === ICMP)!;
  assertEquals([error.icmp, error.quotedDst, error.quotedPorts >>> 16], [0x0303, "203.0.113.1", 4000]);
});

Deno.test("an unsolicited SYN is answered with Port Unreachable after six seconds, and only once", () => {
  const simulation = built(behindNat());
  const seen = watch(simulation);
  const syn = () => {
    const flags = TCP_FLAG.SYN;
    send(simulation, { from: "far", dst: "203.0.113.1", protocol: "TCP", sport: 1234, dport: 5555, flags });
  };
  syn();
  simulation.run({ untilNs: SECOND, pastQuiescence: true });
  syn();
  simulation.run({ untilNs: 30 * SECOND, pastQuiescence: true });
  const told = seen.filter(({ to, protocol }) => to === "far" && protocol === ICMP);
  assertEquals(told.map(({ icmp, src, quotedDst, quotedPorts }) => [icmp, src, quotedDst, quotedPorts]), [
    [0x0303, "203.0.113.1", "203.0.113.1", (1234 << 16) | 5555],
  ]);
  // Two links there take 2 ms, the answer back 2 ms; held for six seconds, in whole milliseconds.
  assertEquals(told[0].timeNs, 6.004 * SECOND);
  assertEquals(natStats(simulation.partition, nodeRow(simulation, "gw")).unsolicitedSyns, {
    held: 1,
    answered: 1,
    cancelled: 0,
  });
  assertConserved(simulation);
});

Deno.test("a SYN from inside for the same connection cancels the answer: simultaneous open through the NAT", () => {
  const simulation = built(behindNat());
  const seen = watch(simulation);
  const flags = TCP_FLAG.SYN;
  send(simulation, { from: "far", dst: "203.0.113.1", protocol: "TCP", sport: 1234, dport: 5555, flags });
  simulation.run({ untilNs: 3 * SECOND, pastQuiescence: true });
  send(simulation, { from: "lan[0]", dst: "198.51.100.1", protocol: "TCP", sport: 5555, dport: 1234, flags });
  simulation.run({ untilNs: 30 * SECOND, pastQuiescence: true });
  assert(!seen.some(({ protocol }) => protocol === ICMP));
  const { held, answered, cancelled } = natStats(simulation.partition, nodeRow(simulation, "gw")).unsolicitedSyns;
  assertEquals([held, answered, cancelled], [1, 0, 1]);
});

Deno.test("a hairpinned SYN that nobody waits for is held as one from outside is, and answered as its sender sent it", () => {
  const simulation = built(behindNat({ mapping: "endpoint-independent" }));
  const seen = watch(simulation);
  const flags = TCP_FLAG.SYN;
  const syn = (from: string, dst: string, sport: number, dport: number) =>
    send(simulation, { from, dst, protocol: "TCP", sport, dport, flags });
  // The other has a mapping, but not for the first; and nobody has port 7777.
  syn("lan[1]", "198.51.100.1", 2222, 9);
  simulation.run({ untilNs: SECOND, pastQuiescence: true });
  syn("lan[0]", "203.0.113.1", 1111, 2222);
  syn("lan[0]", "203.0.113.1", 1112, 7777);
  simulation.run({ untilNs: 30 * SECOND, pastQuiescence: true });
  const told = seen.filter(({ to, protocol }) => to === "lan[0]" && protocol === ICMP);
  assertEquals(
    told.map((
      { icmp, quotedSrc, quotedDst, quotedPorts, timeNs },
    ) => [icmp, quotedSrc, quotedDst, quotedPorts, timeNs]),
    [1111 * 65_536 + 2222, 1112 * 65_536 + 7777].map((
      ports,
    ) => [0x0303, "10.0.0.2", "203.0.113.1", ports, 7.004 * SECOND]),
  );
  assertEquals(natStats(simulation.partition, nodeRow(simulation, "gw")).unsolicitedSyns.answered, 2);
  assertConserved(simulation);
});

Deno.test("two inner hosts open towards each other by hairpin: the first SYN's answer is cancelled", () => {
  const simulation = built(behindNat({ mapping: "endpoint-independent" }));
  const seen = watch(simulation);
  const flags = TCP_FLAG.SYN;
  const syn = (from: string, dst: string, sport: number, dport: number) =>
    send(simulation, { from, dst, protocol: "TCP", sport, dport, flags });
  syn("lan[1]", "198.51.100.1", 2222, 9);
  simulation.run({ untilNs: SECOND, pastQuiescence: true });
  syn("lan[0]", "203.0.113.1", 1111, 2222);
  simulation.run({ untilNs: 4 * SECOND, pastQuiescence: true });
  syn("lan[1]", "203.0.113.1", 2222, 1111);
  simulation.run({ untilNs: 30 * SECOND, pastQuiescence: true });
  assert(!seen.some(({ to, protocol }) => to === "lan[0]" && protocol === ICMP));
  const { held, answered, cancelled } = natStats(simulation.partition, nodeRow(simulation, "gw")).unsolicitedSyns;
  assertEquals([held, answered, cancelled], [1, 0, 1]);
});

Deno.test("a gateway that is told to drop unsolicited SYNs says nothing, one with a longer hold waits longer", () => {
  const answers = (nat: Partial<NatOptions>) => {
    const simulation = built(behindNat(nat));
    const seen = watch(simulation);
    const flags = TCP_FLAG.SYN;
    send(simulation, { from: "far", dst: "203.0.113.1", protocol: "TCP", dport: 5555, flags });
    simulation.run({ untilNs: 60 * SECOND, pastQuiescence: true });
    return seen.filter(({ to, protocol }) => to === "far" && protocol === ICMP).map(({ timeNs }) => timeNs);
  };
  assertEquals(answers({ unsolicitedSyn: "drop" }), []);
  assertEquals(answers({ unsolicitedSynNs: 20 * SECOND }), [20.004 * SECOND]);
});

for (const tcpLoose of [false, true]) {
  const what = tcpLoose ? "goes on under a new session" : "is refused as not a SYN";
  Deno.test(`after a restart a flow ${what} (tcpLoose ${tcpLoose})`, () => {
    const simulation = built([
      ...behindNat({ tcpLoose }),
      workload({ from: ["lan[0]"], to: ["web:80"], kind: "request-response", requests: 2, thinkNs: 10 * SECOND }),
    ]);
    const gw = nodeRow(simulation, "gw");
    simulation.run({ untilNs: 5 * SECOND });
    const s = simulation.partition;
    assertEquals([...natSessions(s, gw)].length, 1);
    assertEquals(restartNat(s, gw), 1);
    assertEquals([...natSessions(s)].length, 0);
    simulation.run({ untilNs: 3600 * SECOND });
    const { connections, packets } = simulation.report();
    assertEquals(connections.repliesCompleted, tcpLoose ? 2 : 1);
    assertEquals((packets.dropped["nat-no-mapping"] ?? 0) > 0, !tcpLoose);
    assertEquals(natStats(s, gw).restarts, 1);
  });
}

Deno.test("a timeout that changes in mid-run holds from a session's next packet on", () => {
  const simulation = built(behindNat());
  const gw = nodeRow(simulation, "gw");
  const s = simulation.partition;
  const left = () => [...natSessions(s, gw)].map(({ timeoutLeftNs }) => Math.round(timeoutLeftNs / SECOND));
  const ping = () => send(simulation, { from: "lan[0]", dst: "192.0.2.1", protocol: "UDP", sport: 1, dport: 9 });
  ping();
  simulation.run();
  assertEquals(left(), [300]);
  setNatTimeouts(s, gw, { udpNs: 30 * SECOND });
  assertEquals(left(), [300]);
  ping();
  simulation.run();
  assertEquals(left(), [30]);
});

Deno.test("with onRefusal: icmp a host is told of a full block, an exceeded rate and a full table", () => {
  for (
    const nat of [{ blocks: { size: 1 } }, { sessionsPerSecond: 0.01 }, { maxSessions: 1 }] as Partial<NatOptions>[]
  ) {
    const simulation = built(behindNat({ ...nat, onRefusal: "icmp" }));
    const seen = watch(simulation);
    for (const sport of [1, 2]) {
      send(simulation, { from: "lan[0]", dst: "192.0.2.1", protocol: "UDP", sport, dport: 9 });
      simulation.run();
    }
    const told = seen.filter(({ to, protocol, icmp }) => to === "lan[0]" && protocol === ICMP && icmp === 0x030d);
    assertEquals(told.map(({ quotedPorts }) => quotedPorts >>> 16), [2], JSON.stringify(nat));
  }
});

Deno.test("a deterministic NAT with fewer ports than subscribers is refused at once", () => {
  let message = "";
  try {
    built(behindNat({ portLow: 1000, portHigh: 1003, deterministic: { first: "10.0.0.0", count: 8 } }));
  } catch (error) {
    message = (error as Error).message;
  }
  assert(message.includes("there must be a port for everyone"), message);
});

Deno.test("a damaged ICMP message ends at the NAT (RFC 5508 REQ-3), a damaged datagram at the host that it is for", () => {
  const steps = behindNat({ filtering: "endpoint-independent", mapping: "endpoint-independent" });
  steps[9] = (n) => n.link("gw", "isp", { delayNs: 1e6, reverse: { delayNs: 1e6, corrupt: 1 } });
  const simulation = built(steps);
  const seen = watch(simulation);
  for (let i = 0; i < 40; i++) {
    send(simulation, { from: "lan[0]", dst: "192.0.2.1", id: 5, seq: i });
    send(simulation, { from: "lan[0]", dst: "192.0.2.1", protocol: "UDP", sport: 5000, dport: 9 });
    send(simulation, { from: "web", dst: "203.0.113.1", protocol: "UDP", sport: 77, dport: 5000, length: 800 });
    simulation.run();
  }
  const inside = seen.filter(({ from, to }) => from === "gw" && to === "home");
  assertEquals(inside.filter(({ protocol }) => protocol === ICMP).length, 0);
  assert(inside.filter(({ protocol, corrupt }) => protocol === UDP && corrupt > 160).length > 20);
  assertConserved(simulation);
});

Deno.test("a port forward of a further pool address, through a forward of the home's NAT behind it", () => {
  const forward = { protocol: "tcp", externalPort: 8080, externalAddress: "203.0.113.9" } as const;
  const simulation = built([
    (n) => n.host("pc", { address: "192.168.1.2/24", listen: [{ port: 80 }] }),
    (n) => {
      const forwards = [{ protocol: "tcp" as const, externalPort: 8080, address: "192.168.1.2", port: 80 }];
      n.nat("home", { address: "100.64.0.2/10", insideAddress: "192.168.1.1", forwards });
    },
    (n) => {
      const pool = { first: "203.0.113.8", count: 4 };
      const forwards = [{ ...forward, address: "100.64.0.2", port: 8080 }];
      n.nat("cgn", { address: "203.0.113.1/24", pool, insideAddress: "100.64.0.1", forwards });
    },
    (n) => n.host("far", { address: "198.51.100.1" }),
    (n) => n.link("pc", "home", { delayNs: 1e6 }),
    (n) => n.link("home", "cgn", { delayNs: 1e6 }),
    (n) => n.link("cgn", "far", { delayNs: 1e6 }),
    workload({ from: ["far"], to: ["203.0.113.9:8080"] }),
    workload({ name: "wrong", from: ["far"], to: ["203.0.113.8:8080"] }),
  ]);
  simulation.run();
  const { connections } = simulation.report();
  assertEquals([connections.established, connections.failed], [1, { ECONNREFUSED: 1 }]);
  const sessions = [...natSessions(simulation.partition)].map(({ fromOutside, replied }) => [fromOutside, replied]);
  assertEquals(sessions, [[true, true], [true, true]]);
});
