import { assertEquals, assertThrows } from "@std/assert";
import type { NetworkOptions } from "../../src/network/network.ts";
import { NetworkError } from "../../src/network/errors.ts";
import type { ListenOptions } from "../../src/network/options.ts";
import { built, star, type Step } from "./support/networks.ts";
import { behindNat, workload } from "./support/homes.ts";

/** Subject and message of the error. */
function refusal(steps: Step[], options: NetworkOptions = {}): string[] {
  const error = assertThrows(() => built(steps, options), NetworkError);
  return [error.subject, error.message];
}

/** A network that is refused, and what it is refused for: the subject, and a part of the sentence. */
function refused(name: string, steps: Step[], subject: string, part: string): void {
  Deno.test(`refused: ${name}`, () => {
    const [found, message] = refusal(steps);
    assertEquals(found, subject, message);
    assertEquals(message.includes(part), true, message);
    assertEquals(/^[A-Z"1-9a-z].*[.?]$/s.test(message), true, message);
  });
}

const a: Step = (n) => n.host("a", { address: "10.0.0.1" });
const b: Step = (n) => n.host("b", { address: "10.0.0.2", listen: [{ port: 80 }] });
const r: Step = (n) => n.router("r");
const ar: Step = (n) => n.link("a", "r");
const br: Step = (n) => n.link("b", "r");

refused("two nodes with one name", [a, (n) => n.router("a")], "nodes.a", "Two nodes");
refused("a name that is none", [(n) => n.host("9 lives", { address: "10.0.0.1" })], "nodes.9 lives", "no name");
refused("an address that is none", [(n) => n.host("a", { address: "10.0.0.256" })], "nodes.a.address", "10.0.0.256");
refused(
  "a population that leaves its subnet",
  [(n) => n.host("a", { address: "10.0.0.250/24", count: 10 })],
  "nodes.a.address",
  "10.0.1.3",
);
refused(
  "a population that leaves the address space",
  [(n) => n.host("a", { address: "255.255.255.250", count: 10 })],
  "nodes.a.address",
  "255.255.255.250",
);
refused("a count of none", [(n) => n.host("a", { address: "10.0.0.1", count: 0 })], "nodes.a.count", "1 to 16,000,000");
refused("a link to nobody", [a, (n) => n.link("a", "aa")], "links[0].between[1]", 'Did you mean "a"?');
refused("a link to oneself", [a, (n) => n.link("a", "a")], "links[0].between", "itself");
refused(
  "members that overlap to themselves",
  [(n) => n.router("x", { count: 3 }), (n) => n.link("x[0..2]", "x[1]")],
  "links[0].between",
  "x[1]",
);
refused(
  "a member that there is not",
  [(n) => n.host("a", { address: "10.0.0.1/24", count: 3 }), r, (n) => n.link("a[3]", "r")],
  "links[0].between[0]",
  "0 to 2",
);
refused(
  "a range upside down",
  [(n) => n.host("a", { address: "10.0.0.1/24", count: 3 }), r, (n) => n.link("a[2..1]", "r")],
  "links[0].between[0]",
  "outside",
);
refused("two links with one name", [a, r, ar, ar], "links[1]", "Two links");
refused("an inside without a NAT", [a, r, (n) => n.link("a", "r", { inside: true })], "links[0].inside", "NAT");
refused(
  "an address outside the link's subnet",
  [a, r, (n) => n.link("a", "r", { subnet: "10.0.1.0/24" })],
  "links[0].subnet",
  "10.0.0.1",
);

for (
  const [options, field] of [
    [{ loss: 1.5 }, "loss"],
    [{ corrupt: NaN }, "corrupt"],
    [{ delayNs: -1 }, "delay"],
    [{ delayNs: 0.5 }, "delay"],
    [{ jitterNs: -5 }, "jitter"],
    [{ reorderNs: Infinity }, "reorder"],
    [{ rateBps: 0 }, "rate"],
    [{ mtu: 67 }, "mtu"],
    [{ mtu: 1500.5 }, "mtu"],
    [{ queueBytes: 1000 }, "queue"],
    [{ rateBps: 1e6, queuePackets: -1 }, "queue"],
    [{ rateBps: 1e6, ecnThresholdPackets: 0.5 }, "ecnThreshold"],
    [{ ecnThresholdBytes: 1000 }, "ecnThreshold"],
    [{ delaySpreadSteps: 4000, delaySpreadStepNs: 1e6 }, "delaySpread"],
  ] as const
) {
  refused(`a link with ${JSON.stringify(options)}`, [a, r, (n) => n.link("a", "r", options)], `links[0].${field}`, "");
  refused(
    `the other direction with ${JSON.stringify(options)}`,
    [a, r, (n) => n.link("a", "r", { reverse: options })],
    `links[0].reverse.${field}`,
    "",
  );
}

refused(
  "an unknown congestion control",
  [(n) => n.host("h", { address: "10.0.0.9", profile: { congestionControl: "cubik" } })],
  "nodes.h.profile",
  'did you mean "cubic"?',
);

const same = (name: string, extra: string[] = []): Step => (n) =>
  n.host(name, { address: "10.0.0.1", extraAddresses: extra });
refused("one address twice on a router", [a, same("z"), r, ar, (n) => n.link("z", "r")], "nodes.z.address", "a and z");
refused("one address twice on a link", [a, same("z"), (n) => n.link("a", "z")], "nodes.z.address", "10.0.0.1");
refused(
  "one address twice behind several routers",
  [a, same("z"), r, (n) => n.router("q"), ar, (n) => n.link("r", "q"), (n) => n.link("q", "z")],
  "nodes.z.address",
  "10.0.0.1",
);
refused(
  "a further address that another has",
  [a, (n) => n.host("z", { address: "10.0.0.3", extraAddresses: ["10.0.0.1"] }), r, ar, (n) => n.link("z", "r")],
  "nodes.z.address",
  "10.0.0.1",
);
refused(
  "a population that runs into a host",
  [a, (n) => n.host("many", { address: "9.255.255.200", count: 100 }), r, ar, (n) => n.link("many", "r")],
  "nodes.many.address",
  "many[57]",
);
refused(
  "a router with a host's address",
  [a, (n) => n.router("r", { address: "10.0.0.1" }), ar],
  "nodes.r.address",
  "a and r",
);
refused(
  "a gateway whose pool has a host's address",
  [...behindNat({ pool: { first: "192.0.1.255", count: 4 } })],
  "nodes.web.address",
  "gw",
);
refused(
  "a gateway's inner address that an inner host has",
  [...behindNat({ insideAddress: "10.0.0.3" })],
  "nodes.lan.address",
  "10.0.0.3",
);

Deno.test("one address may stand in realms apart, on both sides of a NAT, and twice on one host", () => {
  built([
    ...behindNat(),
    (n) => n.host("twin", { address: "10.0.0.2", extraAddresses: ["10.0.0.2"] }),
    (n) => n.link("twin", "isp"),
    (n) => n.host("lonely", { address: "10.0.0.2" }),
  ]);
  // Many homes, each with the same addresses inside.
  built([
    (n) => n.host("pcs", { count: 30, address: "192.168.1.2/24" }),
    (n) => n.nat("homes", { count: 10, address: "100.64.0.1/10", insideAddress: "192.168.1.1" }),
    r,
    (n) => n.link("pcs", "homes"),
    (n) => n.link("homes", "r"),
  ]);
  // A host with two links to one router.
  built([a, r, ar, (n) => n.link("a", "r", { name: "second" })]);
});

const to = (text: string): Step => workload({ from: ["a"], to: [text] });
const two = [a, b, r, ar, br];
refused("a destination without a port", [...two, to("b")], "workloads.load.to[0]", "node:port");
refused("a destination with port 0", [...two, to("b:0")], "workloads.load.to[0]", "1 to 65535");
refused("a destination that is no address", [...two, to("300.0.0.1:80")], "workloads.load.to[0]", "300.0.0.1");
refused("a destination that is no IPv6 address", [...two, to("[1:2]:80")], "workloads.load.to[0]", "1:2");
refused("a destination that nobody has", [...two, to("bb:80")], "workloads.load.to[0]", 'Did you mean "b"?');
refused("a router as a destination", [...two, to("r:80")], "workloads.load.to[0]", "router");
refused("an address that no route leads to", [...two, to("192.0.2.7:80")], "workloads.load.to[0]", "cannot be reached");
refused(
  "a multicast address",
  [(n) => n.host("a", { address: "224.0.0.1/24" })],
  "nodes.a.address",
  "224.0.0.1 is a multicast address",
);
refused(
  "a further address that is loopback's",
  [(n) => n.host("a", { address: "10.0.0.1/24", extraAddresses: ["127.0.0.1"] })],
  "nodes.a.extraAddresses[0]",
  "127.0.0.1 is a loopback address",
);
// What TypeScript would not let through, JavaScript does.
refused(
  "a host without an address",
  [(n) => n.host("a", {} as { address: string })],
  "nodes.a.address",
  "A host needs an address",
);
for (
  const [what, options, subject, text] of [
    ["a kind that there is not", { kind: "x" }, "workloads.load.kind", "hold, request-response, bulk, torrent"],
    ["nobody to close", { close: "x" }, "workloads.load.close", "client, server, both, none"],
    ["a source outside of a list", { from: "a" }, "workloads.load.from", "A list of names"],
    ["no name", { name: undefined }, "workloads", "needs a name"],
  ] as const
) {
  refused(`a workload with ${what}`, [...two, workload(options as never)], subject, text);
}

refused(
  "an IPv6 destination behind a link that no IPv6 packet need fit",
  [
    (n) => n.host("a", { address: "2001:db8:1::1/64" }),
    (n) => n.host("six", { address: "2001:db8:2::1/64" }),
    (n) => n.link("a", "six", { mtu: 1279 }),
    to("six:80"),
  ],
  "workloads.load.to[0]",
  "the link from a to six has an MTU of 1279, and IPv6 needs 1,280",
);
refused(
  "a destination of a family that the source has no address of",
  [a, (n) => n.host("six", { address: "2001:db8::1/64" }), r, ar, (n) => n.link("six", "r"), to("six:80")],
  "workloads.load.to[0]",
  "six:80 (2001:db8::1) cannot be reached from a: a has no IPv6 address",
);
refused("a destination without a link", [a, b, r, ar, to("b:80")], "workloads.load.to[0]", "cannot be reached");
refused("a source without a link", [a, b, r, br, to("b:80")], "workloads.load.from[0]", "no link");
refused(
  "a last member without a link",
  [
    (n) => n.host("many", { count: 4, address: "10.0.1.1/24" }),
    b,
    r,
    br,
    (n) => n.link("many[0..1]", "r"),
    (n) => n.link("many[3]", "r"),
    workload({ from: ["many"], to: ["b:80"] }),
  ],
  "workloads.load.from[0]",
  "many[2]",
);
refused(
  "a last destination without a link",
  [
    (n) => n.host("many", { count: 4, address: "10.0.1.1/24", listen: [{ port: 80 }] }),
    a,
    r,
    ar,
    (n) => n.link("many[0..2]", "r"),
    workload({ from: ["a"], to: ["many:80"] }),
  ],
  "workloads.load.to[0]",
  "10.0.1.4",
);
refused(
  "what lies behind a NAT, from outside",
  [...behindNat(), workload({ from: ["far"], to: ["lan[0]:8080"] })],
  "workloads.load.to[0]",
  "cannot be reached",
);
refused(
  "a source that is no host",
  [...two, workload({ from: ["r"], to: ["b:80"] })],
  "workloads.load.from[0]",
  "hosts",
);
for (
  const [options, field] of [
    [{ connections: 1.5 }, "connections"],
    [{ requests: 0 }, "requests"],
    [{ requestBytes: 0 }, "request"],
    [{ replyBytes: 2 ** 31 }, "reply"],
    [{ bytes: -1 }, "bytes"],
    [{ holdNs: NaN }, "hold"],
    [{ thinkNs: 0.5 }, "think"],
    [{ arrivals: { kind: "rate" as const } }, "arrivals"],
    [{ arrivals: { kind: "poisson" as const, perSecond: Infinity } }, "arrivals"],
    [{ arrivals: { kind: "at-once" as const, startNs: -1 } }, "arrivals.start"],
  ] as const
) {
  const steps = [...two, workload({ from: ["a"], to: ["b:80"], ...options })];
  refused(`a workload with ${JSON.stringify(options)}`, steps, `workloads.load.${field}`, "");
}
refused(
  "two workloads that want different things of a port",
  [
    ...two,
    to("b:80"),
    workload({ name: "other", kind: "bulk", bytes: 5, direction: "download", from: ["a"], to: ["b:80"] }),
  ],
  "nodes.b.listen",
  "different things",
);

const listening = (listen: ListenOptions): Step => (n) => n.host("c", { address: "10.0.0.3", listen: [listen] });
refused("a port that is none", [listening({ port: 0 })], "nodes.c.listen", "1 to 65535");
refused(
  "a port twice",
  [(n) => n.host("c", { address: "10.0.0.3", listen: [{ port: 8 }, { port: 8 }] })],
  "nodes.c.listen",
  "twice",
);
refused("a listener on another's address", [listening({ port: 8, address: "10.0.0.9" })], "nodes.c.listen", "10.0.0.9");
refused("a listener on no address", [listening({ port: 8, address: "ten" })], "nodes.c.listen", "ten");
for (
  const [service, field] of [
    [{ requestBytes: 0 }, "service.request"],
    [{ replyBytes: 2 ** 31 }, "service.reply"],
    [{ answersBeforeClose: 0 }, "service.answers"],
    [{ closeAfterNs: -1 }, "service.closeAfter"],
  ] as const
) {
  const step = listening({ port: 8, service: { kind: "respond", ...service } });
  refused(`a service with ${JSON.stringify(service)}`, [step], "nodes.c.listen", field);
}
refused("a backlog below none", [listening({ port: 8, backlog: -1 })], "nodes.c.listen", "backlog");
refused(
  "a port range upside down",
  star({ clients: { profile: { ephemeralPortLow: 5000, ephemeralPortHigh: 4000 } } }),
  "nodes.clients.profile",
  "4000",
);
refused("a NAT's port range upside down", behindNat({ portLow: 9, portHigh: 8 }), "nodes.gw.ports", "9-8");
refused("a pool of none", behindNat({ pool: { first: "198.18.1.0", count: 0 } }), "nodes.gw.pool", "at least one");
refused(
  "a forward to no address",
  behindNat({ forwards: [{ protocol: "tcp", externalPort: 80, address: "10", port: 80 }] }),
  "nodes.gw.forwards",
  "10",
);
refused(
  "a port forwarded twice",
  behindNat({
    forwards: [2, 3].map((i) => ({ protocol: "tcp" as const, externalPort: 80, address: `10.0.0.${i}`, port: 80 })),
  }),
  "nodes.gw.forwards",
  "80",
);

Deno.test("a seed is a whole number", () => {
  for (const seed of [-1, 0.5, 2 ** 53]) assertEquals(refusal([], { seed })[0], "seed");
});
