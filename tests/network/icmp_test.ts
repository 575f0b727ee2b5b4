import { assert, assertEquals } from "@std/assert";
import { built, star, type Step } from "./support/networks.ts";
import { assertConserved, send, watch } from "./support/probe.ts";

/** a -- r0 -- r1 -- b, the middle link narrow. */
function narrow(mtu: number, family: 4 | 6, reverse?: { mtu: number }): Step[] {
  const [a, b] = family === 4 ? ["10.0.0.1", "10.0.1.1"] : ["2001:db8::1", "2001:db8:1::1"];
  return [
    (n) => n.host("a", { address: a }),
    (n) => n.host("b", { address: b, listen: [{ port: 80 }] }),
    (n) => n.router("r0"),
    (n) => n.router("r1"),
    (n) => n.link("a", "r0", { delayNs: 1e6 }),
    (n) => n.link("r0", "r1", { delayNs: 1e6, mtu, reverse }),
    (n) => n.link("r1", "b", { delayNs: 1e6 }),
  ];
}

/** So many bytes each way on each of some connections. */
const exchange = (connections: number, bytes: number): Step => (n) =>
  n.workload({
    name: "w",
    kind: "request-response",
    from: ["a"],
    to: ["b:80"],
    connections,
    requestBytes: bytes,
    replyBytes: bytes,
  });

for (const [mtu, family] of [[576, 4], [1000, 4], [1280, 4], [1280, 6], [1400, 6]] as const) {
  Deno.test(`data flows both ways through a middle link of ${mtu} bytes, over IPv${family}`, () => {
    const simulation = built([
      ...narrow(mtu, family),
      exchange(3, 50_000),
    ]);
    const seen = watch(simulation);
    simulation.run({ untilNs: 10e9 });
    assertEquals(simulation.report().connections.repliesCompleted, 3);
    const told = seen.filter(({ to, quotedSrc }) => (to === "a" || to === "b") && quotedSrc !== "");
    assert(told.length > 0);
    for (const { icmp, rest } of told) {
      assertEquals([icmp, rest & 0xffff], [family === 4 ? 0x0304 : 0x0200, mtu]);
    }
    const middle = seen.filter(({ from, to }) => from.startsWith("r") && to.startsWith("r"));
    assertEquals(Math.max(...middle.map(({ bytes }) => bytes)), mtu);
    assertConserved(simulation);
  });
}

Deno.test("an MTU of one direction limits that direction alone", () => {
  const simulation = built([
    ...narrow(1500, 4, { mtu: 800 }),
    exchange(1, 20_000),
  ]);
  const seen = watch(simulation);
  simulation.run({ untilNs: 10e9 });
  const largest = (from: string, to: string) =>
    Math.max(...seen.filter((packet) => packet.from === from && packet.to === to).map(({ bytes }) => bytes));
  assertEquals([largest("r0", "r1"), largest("r1", "r0")], [1500, 800]);
});

Deno.test("a TTL too short for the way fails the connection that it belongs to, with EHOSTUNREACH", () => {
  const simulation = built([
    ...narrow(1500, 4).slice(1),
    (n) => n.host("a", { address: "10.0.0.1", profile: { defaultTtl: 2 } }),
    (n) => n.host("near", { address: "10.0.0.9", listen: [{ port: 80 }] }),
    (n) => n.link("near", "r0"),
  ]);
  const codes: string[] = [];
  let connected = 0;
  const host = simulation.host("a");
  host.connect({ address: "10.0.1.1", port: 80 }).on("error", (error) => codes.push(error.code));
  host.connect({ address: "10.0.0.9", port: 80 }, () => connected++);
  simulation.run();
  assertEquals([codes, connected], [["EHOSTUNREACH"], 1]);
});

Deno.test("no route is told to the socket: at once by the host itself, after a round trip by the first router", () => {
  const simulation = built([
    ...narrow(1500, 4),
    (n) => n.host("lonely", { address: "10.9.9.9" }),
  ]);
  const ends: Record<string, number> = {};
  const attempt = (from: string, address: string) =>
    simulation.host(from).connect({ address, port: 80 }).on(
      "error",
      ({ code }) => ends[`${from} ${address} ${code}`] = simulation.nowNs,
    );
  attempt("lonely", "10.0.0.1");
  attempt("a", "198.51.100.1");
  attempt("a", "2001:db8::9");
  simulation.run();
  assertEquals(ends, {
    "lonely 10.0.0.1 ENETUNREACH": 0,
    "a 198.51.100.1 EHOSTUNREACH": 2e6,
    "a 2001:db8::9 ENETUNREACH": 0,
  });
});

Deno.test("a host with addresses of both families speaks each to its kind", () => {
  const simulation = built([
    (n) => n.host("dual", { address: "10.0.0.1", extraAddresses: ["2001:db8::1"] }),
    (n) => n.host("four", { address: "10.0.1.1", listen: [{ port: 80 }] }),
    (n) => n.host("six", { address: "2001:db8:1::1", listen: [{ port: 80 }] }),
    (n) => n.router("r"),
    (n) => n.link("dual", "r"),
    (n) => n.link("four", "r"),
    (n) => n.link("six", "r"),
    (n) =>
      n.workload({ name: "w", kind: "request-response", from: ["dual"], to: ["four:80", "six:80"], connections: 4 }),
  ]);
  const seen = watch(simulation);
  simulation.run();
  assertEquals(simulation.report().connections.repliesCompleted, 4);
  const pairs = new Set(
    seen.filter(({ to, src }) => to === "r" && (src === "10.0.0.1" || src === "2001:db8::1")).map(({ src, dst }) =>
      `${src} ${dst}`
    ),
  );
  assertEquals([...pairs].sort(), ["10.0.0.1 10.0.1.1", "2001:db8::1 2001:db8:1::1"]);
});

Deno.test("hosts answer pings with the same payload, and forward nothing that is not theirs", () => {
  const simulation = built(star());
  const seen = watch(simulation);
  send(simulation, { from: "clients[0]", dst: "192.0.2.1", length: 1000, id: 5, seq: 6 });
  simulation.run();
  const reply = seen.find(({ to, icmp, protocol }) => to === "clients[0]" && protocol === 1 && icmp === 0)!;
  assertEquals([reply.length, reply.rest, reply.src], [1000, (5 << 16) | 6, "192.0.2.1"]);
  assertConserved(simulation);
});
