import { assert, assertEquals } from "@std/assert";
import { built, type Step } from "./support/networks.ts";
import { changeBackends } from "../../src/network/balancer_build.ts";
import type { BalancerMode } from "../../src/network/balancer_options.ts";
import { backendsOf, balanced, setLink, shares, total, VIRTUAL } from "./support/balanced.ts";

const MODES: BalancerMode[] = ["nat", "direct-return", "full-nat"];

for (const mode of MODES) {
  Deno.test(`${mode}: every request is answered, the back ends take turns`, () => {
    const simulation = built(balanced({ service: { mode }, workload: { requests: 3 } }));
    simulation.run();
    const { connections, packets } = simulation.report();
    assertEquals(connections.established, 400);
    assertEquals(connections.repliesCompleted, 1200);
    assertEquals(connections.broken, {});
    assertEquals(packets.dropped, {});
    assertEquals(shares(simulation), [100, 100, 100, 100]);
  });
}

Deno.test("who talks to whom: nat keeps the client's address, full-nat does not, direct return is answered past the balancer", () => {
  const seen = (mode: BalancerMode) => {
    const simulation = built(balanced({ service: { mode }, workload: { connections: 1 } }));
    const lines = new Set<string>();
    simulation.onDelivery((packet, _timeNs, from, to) => {
      const [src, dst] = simulation.packets.rows.words.subarray(packet * 16, packet * 16 + 2);
      const text = (id: number) => simulation.addresses.toText(id);
      if (to === "web[0]" || to === "clients[0]" || from === "lb") lines.add(`${to}: ${text(src)} > ${text(dst)}`);
    });
    simulation.run();
    return [...lines].toSorted();
  };
  assertEquals(seen("nat"), [
    `clients[0]: ${VIRTUAL} > 10.0.0.1`,
    "r1: 10.0.0.1 > 192.0.2.1",
    `r1: ${VIRTUAL} > 10.0.0.1`,
    "web[0]: 10.0.0.1 > 192.0.2.1",
  ]);
  assertEquals(seen("full-nat"), [
    `clients[0]: ${VIRTUAL} > 10.0.0.1`,
    "r1: 203.0.113.1 > 192.0.2.1",
    `r1: ${VIRTUAL} > 10.0.0.1`,
    "web[0]: 203.0.113.1 > 192.0.2.1",
  ]);
  assertEquals(seen("direct-return"), [
    `clients[0]: ${VIRTUAL} > 10.0.0.1`,
    `r1: 10.0.0.1 > ${VIRTUAL}`,
    `web[0]: 10.0.0.1 > ${VIRTUAL}`,
  ]);
});

Deno.test("full-nat is one client to its back ends: it runs out of ports per (source, back end), and more sources or back ends multiply them", () => {
  const open = (sources: number, backends: number) => {
    const simulation = built(balanced({
      service: { mode: "full-nat" },
      balancer: {
        portLow: 1024,
        portHigh: 1123,
        sources: sources === 1 ? undefined : { first: "203.0.113.10", count: sources },
      },
      backends,
      workload: { kind: "hold", connections: 1000 },
      clients: { profile: { synRetries: 0 } },
    }));
    simulation.run();
    const report = simulation.report();
    const limit = report.limits.find(({ limit, node }) => limit === "ports" && node === "lb")!;
    assertEquals(limit.refused, 1000 - report.connections.established);
    assertEquals(report.packets.dropped["balancer-no-port"], limit.refused);
    return [report.connections.established, limit.used, limit.capacity];
  };
  assertEquals(open(1, 1), [100, 100, 100]);
  assertEquals(open(3, 1), [300, 300, 300]);
  assertEquals(open(1, 4), [400, 100, 100]);
  assertEquals(open(2, 3), [600, 200, 200]);
});

Deno.test("client-preserving nat and direct return need no ports of the balancer's", () => {
  for (const mode of ["nat", "direct-return"] as const) {
    const simulation = built(balanced({
      service: { mode },
      balancer: { portLow: 1024, portHigh: 1033 },
      backends: 1,
      workload: { kind: "hold", connections: 1000 },
    }));
    simulation.run();
    assertEquals(simulation.report().connections.established, 1000);
  }
});

Deno.test("weights divide the flows: weighted round robin exactly, hashes on the average, 0 takes none", () => {
  const run = (algorithm: "weighted-round-robin" | "maglev" | "source-hash" | "least-connections") => {
    const simulation = built(balanced({
      service: {
        algorithm,
        hashOn: "flow",
        backends: [{ to: "web[0]:80", weight: 3 }, { to: "web[1]:80" }, { to: "web[2]:80", weight: 0 }],
      },
      workload: { kind: "hold", connections: 4000 },
    }));
    simulation.run();
    return shares(simulation);
  };
  assertEquals(run("weighted-round-robin"), [3000, 1000, 0]);
  assertEquals(run("least-connections"), [3000, 1000, 0]);
  for (const algorithm of ["maglev", "source-hash"] as const) {
    const [heavy, , none] = run(algorithm);
    assert(Math.abs(heavy - 3000) < 5 * 27.4, `${heavy}`);
    assertEquals(none, 0);
  }
});

Deno.test("least connections gives new flows to whom the fewest are open", () => {
  const simulation = built([
    ...balanced({
      service: { algorithm: "least-connections" },
      backends: 2,
      workload: { kind: "hold", connections: 100 },
    }),
  ]);
  simulation.run();
  assertEquals(shares(simulation), [50, 50]);
  changeBackends(simulation.partition, "lb", "web[0]", "drain");
  const [first] = backendsOf(simulation);
  assertEquals(first.service.pool.eligible, new Uint8Array([0, 1]));
  changeBackends(simulation.partition, "lb", "web[0]", "up");
  assertEquals(first.service.pool.eligible, new Uint8Array([1, 1]));
});

Deno.test("a full flow table refuses new flows, and says so", () => {
  const simulation = built(balanced({
    balancer: { maxFlows: 50 },
    clients: { profile: { synRetries: 0 } },
    workload: { kind: "hold", connections: 80 },
  }));
  simulation.run();
  const report = simulation.report();
  assertEquals(report.connections.established, 50);
  assertEquals(report.connections.failed, { ETIMEDOUT: 30 });
  assertEquals(report.packets.dropped, { "balancer-table-full": 30 });
  const limit = report.limits.find(({ limit }) => limit === "flow-table")!;
  assertEquals([limit.node, limit.used, limit.capacity, limit.refused], ["lb", 50, 50, 30]);
});

Deno.test("flows are forgotten after their timeout, and a flow that goes on is not", () => {
  const timeouts = { synNs: 1e9, establishedNs: 5e9, finNs: 2e9, closedNs: 1e9 };
  const idle = built(balanced({ balancer: timeouts, workload: { kind: "hold", connections: 10 } }));
  const flows = () => idle.partition.balancers!.list[1]!.flows;
  idle.run({ untilNs: 4e9, pastQuiescence: true });
  assertEquals(flows(), 10);
  idle.run({ untilNs: 6e9, pastQuiescence: true });
  assertEquals(flows(), 0);
  const busy = built(balanced({
    balancer: timeouts,
    workload: { connections: 10, requests: 6, thinkNs: 4e9, close: "client" },
  }));
  busy.run({ untilNs: 60e9, pastQuiescence: true });
  assertEquals(busy.report().connections.repliesCompleted, 60);
  assertEquals(busy.partition.balancers!.list[1]!.flows, 0);
});

Deno.test("an idle flow that was forgotten is reset where the algorithm cannot tell its back end, and goes on where a hash can", () => {
  const run = (algorithm: "round-robin" | "maglev") => {
    const simulation = built(balanced({
      service: { algorithm },
      balancer: { establishedNs: 2e9 },
      workload: { connections: 40, requests: 2, thinkNs: 5e9 },
    }));
    simulation.run();
    return [simulation.report().connections.repliesCompleted, total(simulation.report().connections.broken)];
  };
  assertEquals(run("round-robin"), [40, 40]);
  assertEquals(run("maglev"), [80, 0]);
});

const failing = (service: Parameters<typeof balanced>[0]["service"]): Step[] =>
  balanced({
    service: { health: { intervalNs: 1e8, fall: 3, rise: 2 }, ...service },
    workload: { connections: 400, requests: 2, thinkNs: 3e9, holdNs: 1e9 },
  });

for (const mode of MODES) {
  Deno.test(`${mode}: health checks find a dead back end in fall intervals, and a returned one in rise intervals`, () => {
    const simulation = built(failing({ mode }));
    simulation.run({ untilNs: 1e9 });
    setLink(simulation, "r1", "web[1]", true);
    const up = () => backendsOf(simulation).map(({ up }) => up);
    simulation.run({ untilNs: 1.24e9 });
    assertEquals(up(), [true, true, true, true]);
    simulation.run({ untilNs: 1.26e9 });
    assertEquals(up(), [true, false, true, true]);
    setLink(simulation, "r1", "web[1]", false);
    simulation.run({ untilNs: 1.42e9 });
    assertEquals(up(), [true, true, true, true]);
    simulation.run();
    // It was back before its clients gave up: nothing broke.
    assertEquals(simulation.report().connections.repliesCompleted, 800);
  });
}

Deno.test("flows of a dead back end break: reset at once, or silence until the client gives up", () => {
  const run = (onBackendDown: "reset" | "silence") => {
    const simulation = built(failing({ onBackendDown }));
    simulation.run({ untilNs: 1e9 });
    setLink(simulation, "r1", "web[1]", true);
    simulation.run();
    assertEquals(backendsOf(simulation).map(({ broken }) => broken), [0, 100, 0, 0]);
    return simulation.report().connections.broken;
  };
  assertEquals(run("reset"), { ECONNRESET: 100 });
  assertEquals(run("silence"), { ETIMEDOUT: 100 });
});

Deno.test("new flows avoid a back end that is down, and half-open ones are given to another", () => {
  const simulation = built(balanced({
    service: { health: { detectionNs: 5e8 } },
    workload: { connections: 400, arrivals: { kind: "rate", perSecond: 200 } },
  }));
  simulation.run({ untilNs: 5e8 });
  setLink(simulation, "r1", "web[2]", true);
  changeBackends(simulation.partition, "lb", "web[2]:80", "down");
  simulation.run();
  // Those that came within the detection time sent their SYN again a second later.
  assertEquals(simulation.report().connections.established, 400);
  assertEquals(simulation.report().connections.failed, {});
  // Established flows are another matter: at most the few that were waiting for a reply.
  assert(simulation.report().connections.repliesCompleted >= 398);
});

Deno.test("a draining back end keeps its flows and takes no new ones", () => {
  const simulation = built(balanced({
    workload: { connections: 400, arrivals: { kind: "rate", perSecond: 200 }, requests: 2, thinkNs: 3e9 },
  }));
  simulation.run({ untilNs: 1e9 });
  const before = shares(simulation);
  changeBackends(simulation.partition, "lb", "web[0]", "drain");
  simulation.run();
  assertEquals(shares(simulation)[0], before[0]);
  assertEquals(simulation.report().connections.repliesCompleted, 800);
});

Deno.test("with no back end left, clients are refused at once", () => {
  const simulation = built(balanced({ workload: { connections: 20 } }));
  changeBackends(simulation.partition, "lb", "web", "down");
  simulation.run();
  assertEquals(simulation.report().connections.failed, { ECONNREFUSED: 20 });
  assertEquals(simulation.report().packets.dropped, { "balancer-no-backend": 20 });
});

Deno.test("without a connection table flows break when a back end goes: (n-1)/n of them by modulo, few more than its own by Maglev", () => {
  const broken = (algorithm: "source-hash" | "maglev", mode: "nat" | "direct-return", connectionTable = false) => {
    const simulation = built(balanced({
      service: { algorithm, mode, connectionTable, hashOn: "flow" },
      backends: 10,
      workload: { connections: 2000, requests: 2, thinkNs: 3e9, arrivals: { kind: "rate", perSecond: 10_000 } },
    }));
    simulation.run({ untilNs: 1e9 });
    assertEquals(simulation.report().connections.established, 2000);
    changeBackends(simulation.partition, "lb", "web[4]", "drain");
    simulation.run();
    return total(simulation.report().connections.broken);
  };
  for (const mode of ["nat", "direct-return"] as const) {
    const modulo = broken("source-hash", mode);
    assert(Math.abs(modulo - 1800) < 100, `${modulo}`);
    const maglev = broken("maglev", mode);
    // Its own tenth, and a few per cent besides.
    assert(maglev > 140 && maglev < 300, `${maglev}`);
    assertEquals(broken("maglev", mode, true), 0);
    assertEquals(broken("source-hash", mode, true), 0);
  }
});

Deno.test("when ECMP moves flows to another balancer, Maglev's agree on the back end and round robin's do not", () => {
  const broken = (algorithm: "round-robin" | "maglev") => {
    const simulation = built([
      (n) => n.host("clients", { count: 8, address: "10.0.0.1/16" }),
      (n) => n.host("web", { count: 8, address: "192.0.2.1/24", virtualAddresses: [VIRTUAL], listen: [{ port: 80 }] }),
      (n) => n.router("r1"),
      (n) =>
        n.balancer("lb", {
          count: 3,
          address: "203.0.113.1/24",
          services: [{ address: VIRTUAL, port: 80, backends: ["web:80"], mode: "direct-return", algorithm }],
        }),
      (n) => n.link("clients", "r1", { delayNs: 1e6 }),
      (n) => n.link("r1", "web", { delayNs: 1e6 }),
      (n) => n.link("r1", "lb", { delayNs: 1e6 }),
      (n) =>
        n.workload({
          name: "load",
          kind: "request-response",
          from: ["clients"],
          to: [`${VIRTUAL}:80`],
          connections: 600,
          requests: 2,
          thinkNs: 3e9,
        }),
    ]);
    simulation.run({ untilNs: 1e9 });
    const flows = simulation.partition.balancers!.list.slice(1).map((one) => one!.flows);
    assertEquals(flows.reduce((a, b) => a + b), 600);
    for (const count of flows) assert(Math.abs(count - 200) < 60, `${flows}`);
    setLink(simulation, "r1", "lb[1]", true);
    simulation.run();
    return total(simulation.report().connections.broken);
  };
  assertEquals(broken("maglev"), 0);
  assert(broken("round-robin") > 200);
});

Deno.test("a balancer on the path forwards what is not for its services", () => {
  const simulation = built([
    (n) => n.host("clients", { count: 2, address: "10.0.0.1/16" }),
    (n) => n.host("web", { count: 2, address: "192.0.2.1/24", listen: [{ port: 80 }, { port: 81 }] }),
    (n) => n.balancer("lb", { address: "10.0.255.1/16", services: [{ port: 80, backends: ["web:80"] }] }),
    (n) => n.router("r1"),
    (n) => n.link("clients", "lb", { delayNs: 1e6 }),
    (n) => n.link("lb", "r1", { delayNs: 1e6 }),
    (n) => n.link("r1", "web", { delayNs: 1e6 }),
    (n) => n.workload({ name: "a", kind: "request-response", from: ["clients"], to: ["lb:80"], connections: 10 }),
    (n) => n.workload({ name: "b", kind: "request-response", from: ["clients"], to: ["web[1]:81"], connections: 10 }),
  ]);
  simulation.run();
  assertEquals(simulation.report().connections.repliesCompleted, 20);
  assertEquals(shares(simulation), [5, 5]);
});

Deno.test("ICMP errors about a balanced flow find their way: a narrow link behind the balancer lowers the segment size", () => {
  for (const mode of ["nat", "full-nat"] as const) {
    const simulation = built([
      (n) => n.host("clients", { address: "10.0.0.1/16" }),
      (n) => n.host("web", { address: "192.0.2.1/24", listen: [{ port: 80 }] }),
      (n) => n.balancer("lb", { address: "203.0.113.1/24", services: [{ port: 80, backends: ["web:80"], mode }] }),
      (n) => n.router("r1"),
      (n) => n.router("r2"),
      (n) => n.link("clients", "lb", { delayNs: 1e6 }),
      (n) => n.link("lb", "r1", { delayNs: 1e6 }),
      (n) => n.link("r1", "r2", { delayNs: 1e6, mtu: 1200 }),
      (n) => n.link("r2", "web", { delayNs: 1e6 }),
      (n) => n.workload({ name: "up", kind: "bulk", from: ["clients"], to: ["lb:80"], bytes: 100_000, connections: 1 }),
    ]);
    simulation.run({ untilNs: 5e9 });
    const report = simulation.report();
    assert(report.packets.dropped.mtu > 0);
    assertEquals([report.connections.open, report.connections.broken], [0, {}], mode);
  }
});

for (const direction of ["upload", "download"] as const) {
  for (
    const [mode, algorithm, connectionTable] of [
      ["nat", "round-robin", true],
      ["nat", "maglev", false],
      ["full-nat", "round-robin", true],
      ["direct-return", "round-robin", true],
      ["direct-return", "source-hash", false],
    ] as const
  ) {
    const table = connectionTable ? "" : " without a connection table";
    Deno.test(`path MTU through a balancer: ${direction}, ${mode}${table}, a narrow link before and behind it`, () => {
      for (const narrow of ["c1", "r1", "r2"]) {
        const mtu = (name: string) => name === narrow ? 1200 : 1500;
        const simulation = built([
          (n) => n.host("clients", { count: 2, address: "10.0.0.1/16" }),
          (n) =>
            n.host("web", {
              count: 3,
              address: "192.0.2.1/24",
              virtualAddresses: mode === "direct-return" ? [VIRTUAL] : [],
              listen: [{ port: 80 }],
            }),
          (n) =>
            n.balancer("lb", {
              address: "203.0.113.1/24",
              services: [{ address: VIRTUAL, port: 80, backends: ["web:80"], mode, algorithm, connectionTable }],
            }),
          ...["c0", "c1", "r1", "r2"].map((name): Step => (n) => n.router(name)),
          (n) => n.link("clients", "c0", { delayNs: 1e6 }),
          (n) => n.link("c0", "c1", { delayNs: 1e6, mtu: mtu("c1") }),
          (n) => n.link("c1", "lb", { delayNs: 1e6 }),
          (n) => n.link("lb", "r1", { delayNs: 1e6, mtu: mtu("r1") }),
          (n) => n.link("r1", "r2", { delayNs: 1e6, mtu: mtu("r2") }),
          (n) => n.link("r2", "web", { delayNs: 1e6 }),
          (n) =>
            n.workload({
              ...{ name: "bulk", kind: "bulk", direction, from: ["clients"], to: [`${VIRTUAL}:80`], bytes: 50_000 },
              connections: 6,
            }),
        ]);
        simulation.run({ untilNs: 5e9 });
        const { connections, packets } = simulation.report();
        assert(packets.dropped.mtu > 0);
        assertEquals([connections.established, connections.open, connections.broken], [6, 0, {}], narrow);
      }
    });
  }
}

Deno.test("neither the order of declaration nor the numbering of rows changes the digests", () => {
  const options = [
    { mode: "nat", algorithm: "least-connections" },
    { mode: "direct-return", algorithm: "maglev", connectionTable: false },
    { mode: "full-nat", algorithm: "source-hash" },
  ] as const;
  for (const service of options) {
    const steps = balanced({
      service: { ...service, health: { intervalNs: 2e8 } },
      balancer: { sources: { first: "203.0.113.10", count: 3 } },
      workload: { arrivals: { kind: "poisson", perSecond: 500 } },
    });
    const digests = (order: Step[], numbering = {}) => {
      const simulation = built(order, { numbering });
      simulation.run({ untilNs: 3e8 });
      setLink(simulation, "r1", "web[3]", true);
      simulation.run();
      return [simulation.digest, simulation.eventDigest];
    };
    const expected = digests(steps);
    assertEquals(digests(steps.toReversed(), { reversed: true, skip: 19 }), expected);
    assertEquals(digests(steps, { skip: 5 }), expected);
  }
});
