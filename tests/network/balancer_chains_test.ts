import { assert, assertEquals, assertThrows } from "@std/assert";
import { NetworkError } from "../../src/network/errors.ts";
import { built, type Step } from "./support/networks.ts";

const around = (...names: string[]): Step[] => [
  (n) => n.router("r1"),
  ...names.map((name): Step => (n) => n.link(name, "r1", { delayNs: 1e6 })),
];

Deno.test("balancers in front of balancers: what answers at the end is what the workload asks", () => {
  for (const second of ["nat", "full-nat"] as const) {
    const simulation = built([
      (n) => n.host("clients", { count: 4, address: "10.0.0.1/16" }),
      (n) => n.host("web", { count: 4, address: "192.0.2.1/24", listen: [{ port: 8080 }] }),
      (n) =>
        n.balancer("front", {
          address: "203.0.113.1/24",
          services: [{ port: 80, backends: ["198.51.100.1:81", "198.51.100.2:81"], mode: "full-nat" }],
        }),
      ...[0, 1].map((i): Step => (n) =>
        n.balancer(`lb${i}`, {
          address: `198.51.100.${i + 1}/24`,
          services: [{ port: 81, backends: [`web[${2 * i}]:8080`, `web[${2 * i + 1}]:8080`], mode: second }],
        })
      ),
      ...around("clients", "web", "front", "lb0", "lb1"),
      (n) =>
        n.workload({ name: "load", kind: "request-response", from: ["clients"], to: ["front:80"], connections: 40 }),
    ]);
    simulation.run();
    const { connections, balancers } = simulation.report();
    assertEquals([connections.repliesCompleted, connections.open], [40, 0]);
    assertEquals(balancers.map(({ connections }) => connections), [40, 20, 20]);
  }
});

Deno.test("a balancer in front of proxies in front of a balancer: sizes and services follow the workload all the way", () => {
  const simulation = built([
    (n) => n.host("clients", { count: 4, address: "10.0.0.1/16" }),
    (n) => n.host("web", { count: 3, address: "192.0.2.1/24", listen: [{ port: 8080 }] }),
    (n) => n.balancer("lb", { address: "203.0.113.1/24", services: [{ port: 443, backends: ["px:8443"] }] }),
    (n) =>
      n.host("px", {
        count: 2,
        address: "198.51.100.1/24",
        proxy: { port: 8443, backends: ["203.0.113.9:80"], keepAlive: true },
      }),
    (n) => n.balancer("inner", { address: "203.0.113.9/24", services: [{ port: 80, backends: ["web:8080"] }] }),
    ...around("clients", "web", "lb", "px", "inner"),
    (n) =>
      n.workload({
        name: "load",
        kind: "request-response",
        from: ["clients"],
        to: ["lb:443"],
        connections: 40,
        requestBytes: 333,
        replyBytes: 7777,
      }),
  ]);
  simulation.run();
  const { connections, proxies: [proxy] } = simulation.report();
  assertEquals(connections.repliesCompleted, 40);
  assertEquals([proxy.bytesForth, proxy.bytesBack], [40 * 333, 40 * 7777]);
});

Deno.test("full-nat's flows come from an address of their own family", () => {
  const steps = (address6?: string): Step[] => [
    (n) => n.host("clients", { count: 4, address: "2001:db8:1::1/64" }),
    (n) => n.host("web", { count: 2, address: "2001:db8:2::1/64", listen: [{ port: 80 }] }),
    (n) =>
      n.balancer("lb", {
        address: "203.0.113.1/24",
        address6,
        sources: { first: "203.0.113.10", count: 4 },
        services: [{ address: "2001:db8:9::80", port: 80, backends: ["web:80"], mode: "full-nat" }],
      }),
    ...around("clients", "web", "lb"),
    (n) =>
      n.workload({
        name: "load",
        kind: "request-response",
        from: ["clients"],
        to: ["[2001:db8:9::80]:80"],
        connections: 8,
      }),
  ];
  const simulation = built(steps("2001:db8:9::1/64"));
  const sources = new Set<string>();
  simulation.onDelivery((p, _timeNs, from, to) => {
    if (from === "r1" && to.startsWith("web")) {
      sources.add(simulation.addresses.toText(simulation.packets.rows.words[p * 16]));
    }
  });
  simulation.run();
  assertEquals(simulation.report().connections.repliesCompleted, 8);
  assertEquals([...sources], ["2001:db8:9::1"]);
  const limit = simulation.report().limits.find(({ limit, node }) => limit === "ports" && node === "lb")!;
  assert(limit.detail.endsWith("(1 source x 64,512 ports, 1,024 to 65,535)"), limit.detail);
  const error = assertThrows(() => built(steps()), NetworkError);
  assertEquals(error.subject, "nodes.lb.services[0].address");
});

Deno.test("a Maglev table that is smaller than the number of back ends is refused", () => {
  const steps: Step[] = [
    (n) => n.host("clients", { address: "10.0.0.1/16" }),
    (n) => n.host("web", { count: 8, address: "192.0.2.1/24", listen: [{ port: 80 }] }),
    (n) =>
      n.balancer("lb", {
        address: "203.0.113.1/24",
        services: [{ port: 80, backends: ["web:80"], algorithm: "maglev", maglevTableSize: 7 }],
      }),
    ...around("clients", "web", "lb"),
  ];
  const error = assertThrows(() => built(steps), NetworkError);
  assertEquals(error.subject, "nodes.lb.services[0].maglevTableSize");
  assertEquals(
    error.message,
    "A Maglev table of 7 entries has none for some of 8 back ends: it should have a hundred times as many.",
  );
});
