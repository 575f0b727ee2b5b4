import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseAddress } from "../../src/base/address.ts";
import { NetworkError } from "../../src/network/errors.ts";
import type { WorkloadOptions } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { decodeDns, DNS_TYPE, type DnsRecord, encodeDns } from "../../src/wire/dns.ts";
import { isWireError } from "../../src/wire/error.ts";
import { built } from "../network/support/networks.ts";
import { assertConserved, assertEmpty, watch } from "../network/support/probe.ts";

const NAME = "www.example.com";

const service = { kind: "respond", requestBytes: 100, replyBytes: 1000 } as const;

/** What the server of a test says: addresses by family, and how long it thinks about each, ms; -1 for ever. */
interface Says {
  ipv4?: string[];
  ipv6?: string[];
  ipv4Ms?: number;
  ipv6Ms?: number;
}

/**
 * One client, a web server, a host that swallows packets (with the addresses `dead` too), and a DNS server in code that
 * answers each family when the test wants it to. Everything is 1 ms from the router.
 */
function ran(says: Says, workload: Partial<WorkloadOptions> = {}, dead: string[] = []) {
  const simulation = built([
    (n) => n.host("ns", { address: "192.0.2.53/24" }),
    (n) => n.host("web", { address: "192.0.2.1/24", address6: "2001:db8:2::1/64", listen: [{ port: 80, service }] }),
    (n) => n.host("client", { address: "10.0.0.1/24", address6: "2001:db8:1::1/64", resolver: "ns" }),
    (n) => n.router("r1"),
    (n) => n.host("hole", { address: "198.51.100.1/24", address6: "2001:db8:3::1/64", extraAddresses: dead }),
    (n) => n.link("ns", "r1", { delayNs: 1e6 }),
    (n) => n.link("web", "r1", { delayNs: 1e6 }),
    (n) => n.link("client", "r1", { delayNs: 1e6 }),
    (n) => n.link("hole", "r1", { delayNs: 1e6, loss: 1 }),
    (n) =>
      n.workload({
        name: "w",
        kind: "request-response",
        from: ["client"],
        to: [`${NAME}:80`],
        connections: 1,
        happyEyeballs: true,
        ...workload,
      }),
  ]);
  const asked = answer(simulation, says);
  const seen = watch(simulation);
  simulation.run();
  assertConserved(simulation);
  const syns = seen.filter(({ from, flags, protocol }) => from === "client" && protocol === 6 && flags === 2)
    .map(({ timeNs, dst }) => [Math.round(timeNs / 1e6) - 1, dst]);
  return { simulation, asked, syns, report: simulation.report() };
}

/** Answers as told. Returns the questions: when they arrived, ms, and the type. */
function answer(simulation: Simulation, { ipv4 = [], ipv6 = [], ipv4Ms = 0, ipv6Ms = 0 }: Says): [number, number][] {
  const asked: [number, number][] = [];
  const ns = simulation.host("ns");
  const socket = ns.udp({ port: 53 });
  socket.on("message", (bytes, from) => {
    const message = decodeDns(bytes);
    assert(!isWireError(message));
    const [{ name, type }] = message.questions;
    asked.push([simulation.nowNs / 1e6, type]);
    const list = type === DNS_TYPE.A ? ipv4 : ipv6;
    const ms = type === DNS_TYPE.A ? ipv4Ms : ipv6Ms;
    const answers = list.map((text): DnsRecord => ({ name, type, ttl: 60, data: { address: parseAddress(text) } }));
    const reply = encodeDns({ ...message, response: true, answers, additionals: [] });
    if (ms >= 0) ns.setTimeout(() => socket.send(reply, from), ms * 1e6);
  });
  return asked;
}

const [WEB, WEB6] = ["192.0.2.1", "2001:db8:2::1"];
const [HOLE, HOLE6] = ["198.51.100.1", "2001:db8:3::1"];

Deno.test("AAAA is asked first, A right after it (RFC 8305 section 3)", () => {
  const { asked } = ran({ ipv4: [WEB], ipv6: [WEB6] });
  assertEquals(asked, [[2, DNS_TYPE.AAAA], [2, DNS_TYPE.A]]);
});

Deno.test("IPv6 addresses are tried as soon as they are known: the A answer is not waited for", () => {
  const { syns, report } = ran({ ipv4: [WEB], ipv6: [WEB6], ipv4Ms: 4000 });
  assertEquals(syns, [[4, WEB6]]);
  assertEquals(report.connections.connectMs.max, 8);
});

Deno.test("IPv4 addresses wait 50 ms for the AAAA answer; when it comes, IPv6 is tried at once and first", () => {
  const { syns, report } = ran({ ipv4: [WEB], ipv6: [WEB6], ipv6Ms: 30 });
  assertEquals(syns, [[34, WEB6]]);
  assertEquals(report.connections.ipv6.established, 1);
});

Deno.test("without an AAAA answer in 50 ms, IPv4 is tried", () => {
  for (const [delay, resolutionDelayNs] of [[50, undefined], [0, 0], [120, 120e6]] as const) {
    const { syns, report, simulation } = ran({ ipv4: [WEB], ipv6: [WEB6], ipv6Ms: 200 }, { resolutionDelayNs });
    assertEquals(syns, [[4 + delay, WEB]]);
    assertEquals(report.connections.connectMs.max, 8 + delay);
    // What comes later is still taken in by the resolver's cache (section 5), and nothing is left behind.
    assertEquals([report.dns?.lookups, report.dns?.answered, report.dns?.failed], [1, 1, {}]);
    assertEquals(report.dns?.lookupMs.max, 4 + delay);
    simulation.run({ untilNs: 3600e9, pastQuiescence: true });
    assertEmpty(simulation);
  }
});

Deno.test("a negative AAAA answer ends the waiting", () => {
  assertEquals(ran({ ipv4: [WEB], ipv6Ms: 20 }).syns, [[24, WEB]]);
  assertEquals(ran({ ipv4: [WEB] }).syns, [[4, WEB]]);
});

Deno.test("with ipv4 preferred it is the other way round", () => {
  const workload = { preferredFamily: "ipv4" } as const;
  assertEquals(ran({ ipv4: [WEB], ipv6: [WEB6], ipv6Ms: 900 }, workload).syns, [[4, WEB]]);
  assertEquals(ran({ ipv4: [WEB], ipv6: [WEB6], ipv4Ms: 900 }, workload).syns, [[54, WEB6]]);
});

Deno.test("addresses that come while IPv4 is being tried join the list, IPv6 before other IPv4", () => {
  // IPv4 begins at 54 ms; the AAAA answer at 104 ms waits for the attempt delay to be over, at 304 ms.
  const { syns, report } = ran({ ipv4: [HOLE, WEB], ipv6: [WEB6], ipv6Ms: 100 });
  assertEquals(syns, [[54, HOLE], [304, WEB6]]);
  assertEquals([report.connections.established, report.connections.failed], [1, {}]);
});

Deno.test("addresses that come when all others are under way are tried at once if the attempt delay is over", () => {
  assertEquals(ran({ ipv4: [HOLE], ipv6: [WEB6], ipv6Ms: 800 }).syns, [[54, HOLE], [804, WEB6]]);
});

Deno.test("while an answer is to come, failed attempts do not end the race", () => {
  // Nothing listens on port 80 of ns, which refuses.
  const { syns, report } = ran({ ipv4: ["192.0.2.53"], ipv6: [WEB6], ipv6Ms: 400 });
  assertEquals(syns, [[54, "192.0.2.53"], [404, WEB6]]);
  assertEquals([report.connections.attempted, report.connections.established, report.connections.failed], [1, 1, {}]);
  const lost = ran({ ipv4: ["192.0.2.53"], ipv6: [], ipv6Ms: 400 }).report.connections;
  assertEquals([lost.attempted, lost.failed], [1, { ECONNREFUSED: 1 }]);
});

Deno.test("a server that is silent about AAAA costs the resolution delay, not the resolver's timeout", () => {
  const { syns, report } = ran({ ipv4: [WEB], ipv6Ms: -1 });
  assertEquals(syns, [[54, WEB]]);
  assertEquals(report.connections.connectMs.max, 58);
  // Without Happy Eyeballs it costs two timeouts of five seconds, as with getaddrinfo.
  assertEquals(ran({ ipv4: [WEB], ipv6Ms: -1 }, { happyEyeballs: false }).syns, [[10_000, WEB]]);
});

Deno.test("the families take turns after the First Address Family Count of the preferred one (section 4)", () => {
  const dead6 = ["2001:db8:3::1", "2001:db8:3::2", "2001:db8:3::3"];
  const dead4 = ["198.51.100.1", "198.51.100.2"];
  const dead = ["2001:db8:3::2", "2001:db8:3::3", "198.51.100.2"];
  const order = (firstAddressFamilyCount: number | undefined, ipv4Ms = 0) =>
    ran({ ipv4: [...dead4, WEB], ipv6: dead6, ipv4Ms }, { firstAddressFamilyCount, attemptDelayNs: 100e6 }, dead)
      .syns.filter(([, dst], i, all) => all.findIndex(([, other]) => other === dst) === i)
      .map(([ms, dst]) => `${ms} ${dst}`);
  assertEquals(order(undefined), [
    "4 2001:db8:3::1",
    "104 198.51.100.1",
    "204 2001:db8:3::2",
    "304 198.51.100.2",
    "404 2001:db8:3::3",
    "504 192.0.2.1",
  ]);
  assertEquals(order(2), [
    "4 2001:db8:3::1",
    "104 2001:db8:3::2",
    "204 198.51.100.1",
    "304 2001:db8:3::3",
    "404 198.51.100.2",
    "504 192.0.2.1",
  ]);
  // Later answers take the places that they would have had.
  assertEquals(order(undefined, 150), [
    "4 2001:db8:3::1",
    "104 2001:db8:3::2",
    "204 198.51.100.1",
    "304 198.51.100.2",
    "404 2001:db8:3::3",
    "504 192.0.2.1",
  ]);
});

Deno.test("the winner cancels the others, and attempts that were still to be made", () => {
  const { syns, simulation, report } = ran({ ipv4: [HOLE, WEB], ipv6: [HOLE6] }, { attemptDelayNs: 20e6 });
  assertEquals(syns, [[4, HOLE6], [24, HOLE], [44, WEB]]);
  assertEquals(report.connections.open, 0);
  assertEquals(report.connections.repliesCompleted, 1);
  assertEmpty(simulation);
});

Deno.test("delays that make no sense are refused", () => {
  const refused = (workload: Partial<WorkloadOptions>, key: string) =>
    assertEquals(assertThrows(() => ran({}, workload), NetworkError).subject, `workloads.w.${key}`);
  refused({ resolutionDelayNs: -1 }, "resolutionDelay");
  refused({ resolutionDelayNs: 61e9 }, "resolutionDelay");
  refused({ attemptDelayNs: 61e9 }, "attemptDelay");
  refused({ firstAddressFamilyCount: 0 }, "firstAddressFamilyCount");
});
