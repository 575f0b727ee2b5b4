import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { columnBytes } from "../../src/network/memory.ts";
import { Network } from "../../src/network/network.ts";
import type { LinkOptions, WorkloadOptions } from "../../src/network/options.ts";
import { anyNetwork, Draw } from "./support/anything.ts";

/** 10,000 connections through a NAT or a router to a server. */
function network(
  load: Partial<WorkloadOptions>,
  middle: "nat" | "eim" | "router",
  access: LinkOptions = {},
  trunk: LinkOptions = {},
): Network {
  const network = new Network({ seed: 5 });
  network.host("clients", { count: 10, address: "10.0.0.2/8" });
  if (middle === "router") network.router("middle");
  else {
    const mapping = middle === "eim" ? "endpoint-independent" : "address-and-port-dependent";
    network.nat("middle", { address: "203.0.113.1/24", mapping, portAssignment: "sequential" });
  }
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
  network.link("clients", "middle", { rateBps: 1e9, delayNs: 1e6, ...access });
  network.link("middle", "server", { rateBps: 1e10, delayNs: 4e6, ...trunk });
  const ends = { from: ["clients"], to: ["server:80"], connections: 10_000 };
  const arrivals = { kind: "rate" as const, perSecond: 5_000 };
  network.workload({ name: "load", kind: "request-response", arrivals, ...ends, ...load });
  return network;
}

const CASES: [string, Partial<WorkloadOptions>, Parameters<typeof network>[1]][] = [
  ["held", { holdNs: Infinity }, "router"],
  ["held, through a NAT", { holdNs: Infinity }, "nat"],
  ["held, through a NAT with mappings", { holdNs: Infinity }, "eim"],
  ["closed by the clients, at random times", { holdNs: 5e8, holdDistribution: "exponential" }, "nat"],
  ["closed by the server", { close: "server" }, "nat"],
  ["closed by both at once", { close: "both", holdNs: 0 }, "router"],
  ["with replies of several segments", { holdNs: Infinity, replyBytes: 10_000 }, "router"],
  ["with replies that fill windows", { holdNs: 5e8, replyBytes: 20_000 }, "router"],
  ["with several requests and time to think", { requests: 3, thinkNs: 1e8, holdNs: Infinity }, "nat"],
  ["with keep-alive probes", { keepAliveNs: 1e9, holdNs: 3e9 }, "router"],
  ["all at once", { holdNs: Infinity, arrivals: { kind: "at-once" } }, "router"],
  ["of 50 kB each", { kind: "bulk", bytes: 50_000 }, "router"],
];

Deno.test("10,000 connections whose SYNs a full queue drops: the tables take what was estimated, within a fifth", () => {
  const arrivals = { kind: "at-once" as const };
  held(network({ kind: "hold", arrivals }, "router", {}, { rateBps: 1e8, queuePackets: 200 }), 0.2);
});

Deno.test("10,000 connections whose SYNs all get lost: the tables take what was estimated, within 10%", () => {
  held(network({ kind: "hold" }, "router", {}, { loss: 1 }));
});

Deno.test("a balancer that keeps no table of flows, hosts that count and pace: the estimate knows", () => {
  const network = new Network();
  const profile = { accounting: true, congestionControl: "bbr" };
  network.host("clients", { count: 10, address: "10.0.0.2/8", profile });
  network.router("middle");
  network.balancer("balancer", {
    address: "203.0.113.1/24",
    services: [{ port: 80, backends: ["server:80"], algorithm: "source-hash", connectionTable: false }],
  });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
  for (const name of ["clients", "balancer", "server"]) network.link(name, "middle", { delayNs: 1e6 });
  const arrivals = { kind: "rate" as const, perSecond: 5000 };
  const ends = { from: ["clients"], to: ["balancer:80"], connections: 10_000 };
  network.workload({ name: "load", kind: "request-response", holdNs: Infinity, arrivals, ...ends });
  held(network);
});

Deno.test("a balancer's flows are not doubled in mid-run", () => {
  const network = new Network();
  network.host("clients", { count: 10, address: "10.0.0.2/8" });
  network.router("middle");
  network.balancer("balancer", { address: "203.0.113.1/24", services: [{ port: 80, backends: ["server:80"] }] });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
  for (const name of ["clients", "balancer", "server"]) network.link(name, "middle", { delayNs: 1e6 });
  const arrivals = { kind: "rate" as const, perSecond: 5000 };
  const ends = { from: ["clients"], to: ["balancer:80"], connections: 10_000 };
  network.workload({ name: "load", kind: "request-response", holdNs: 1e9, arrivals, ...ends });
  keepsItsTables(network);
});

for (const keepAlive of [true, false]) {
  const how = keepAlive ? "a pool towards its back ends" : "a connection for each request, which stays in TIME_WAIT";
  Deno.test(`a proxy with ${how}: the tables take what was estimated, within 10%`, () => held(proxied(keepAlive)));
}

/** 10,000 connections that stay open, to a proxy. */
function proxied(keepAlive: boolean): Network {
  const network = new Network();
  network.host("clients", { count: 10, address: "10.0.0.2/8" });
  network.router("middle");
  network.host("proxy", {
    address: "203.0.113.1/24",
    proxy: { port: 80, backends: ["server:80"], keepAlive },
  });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
  for (const name of ["clients", "proxy", "server"]) network.link(name, "middle", { delayNs: 1e6 });
  const arrivals = { kind: "rate" as const, perSecond: 5000 };
  const ends = { from: ["clients"], to: ["proxy:80"], connections: 10_000 };
  network.workload({ name: "load", kind: "request-response", holdNs: Infinity, arrivals, ...ends });
  return network;
}

Deno.test("a NAT's quota bounds the connections that are expected, and how it refuses how many wait", () => {
  const bytes = (onRefusal?: "icmp") => {
    const network = new Network();
    network.host("clients", { count: 10, address: "10.0.0.2/8" });
    network.nat("middle", { address: "203.0.113.1/24", quotaPorts: 100, onRefusal });
    network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
    network.link("clients", "middle", { delayNs: 1e6 });
    network.link("middle", "server", { delayNs: 1e6 });
    const ends = { from: ["clients"], to: ["server:80"], connections: 100_000 };
    network.workload({ name: "load", kind: "hold", arrivals: { kind: "rate", perSecond: 1000 }, ...ends });
    return network.estimateMemory().tableBytes;
  };
  assert(bytes("icmp") < 1e6 && bytes() > 1e7);
});

Deno.test("10,000 connections over links that lose packets: the tables take what was estimated, within 10%", () => {
  held(network({ holdNs: Infinity, replyBytes: 5000 }, "router", { loss: 0.02 }));
});

Deno.test("a thousand bulk flows through one queue under FQ-CoDel: the queue bounds the estimate", () => {
  const flows = { kind: "bulk" as const, bytes: 100_000, connections: 1000, arrivals: { kind: "at-once" as const } };
  const narrow = { rateBps: 2e8, queueDiscipline: { kind: "fq-codel" as const } };
  const simulation = network(flows, "router", {}, narrow).build();
  simulation.run({ untilNs: 3e9 });
  const truth = columnBytes(simulation.partition);
  const { tableBytes } = simulation.estimate;
  assert(tableBytes > 0.8 * truth && tableBytes < 1.5 * truth, `${tableBytes} estimated, ${truth} taken`);
});

Deno.test("where each port serves one destination only, no more connections are expected than ports", () => {
  const hosts = (portAllocation: "linux" | "host-wide") => {
    const network = new Network();
    network.host("client", { address: "10.0.0.1/8", profile: { portAllocation } });
    network.host("servers", { count: 2, address: "192.0.2.1/24", listen: [{ port: 80 }] });
    network.link("client", "servers", { delayNs: 1e6 });
    network.workload({ name: "load", kind: "hold", from: ["client"], to: ["servers:80"], connections: 56_464 });
    return network.estimateMemory().tableBytes;
  };
  assert(hosts("linux") > 1.5 * hosts("host-wide"));
});

Deno.test("10,000 connections of which two ports of three refuse theirs: the tables take what was estimated, within 10%", () => {
  held(network({ to: ["server:81", "server:80", "server:82"] }, "router"));
});

Deno.test("connections that nobody listens for are estimated as small as they are, also where a port closes later", () => {
  const closes = network({ connections: 20_000 }, "nat");
  closes.event({ kind: "listener", atNs: 2e9, node: "server", port: 80, action: "close" });
  held(closes);
  held(network({ kind: "hold", to: ["server:81"], connections: 20_000 }, "nat"));
});

Deno.test("10,000 connections within 10 ms: the queue has lists for as long as links delay, within 10%", () => {
  const arrivals = { kind: "rate" as const, perSecond: 1_000_000 };
  held(network({ holdNs: Infinity, arrivals }, "router", { rateBps: 1e10 }, { delayNs: 2e6 }));
});

Deno.test("connections that nobody closes before the end of the run leave no TIME_WAIT in the estimate", () => {
  const bytes = (holdNs: number) => {
    const network = new Network({ untilNs: 60e9 });
    network.host("clients", { count: 10, address: "10.0.0.2/8" });
    network.host("server", { address: "10.0.1.1/8", listen: [{ port: 80 }] });
    network.link("clients", "server", { delayNs: 1e6 });
    const ends = { from: ["clients"], to: ["server:80"], connections: 10_000 };
    network.workload({ name: "load", kind: "hold", holdNs, arrivals: { kind: "rate", perSecond: 1000 }, ...ends });
    return network.estimateMemory().tableBytes;
  };
  assert(bytes(40e9) - bytes(60e9) > 64 * 9_000);
});

/** The tables take what was estimated. */
function held(network: Network, within = 0.1): void {
  const simulation = network.build();
  simulation.run();
  const { tableBytes } = simulation.estimate;
  const truth = columnBytes(simulation.partition);
  assert(Math.abs(tableBytes / truth - 1) <= within, `${tableBytes} estimated, ${truth} taken`);
}

/** Rows that a pool may double for without anybody noticing. */
const SMALL_ROWS = 3000;

/** Runs it, and sees that no pool of many rows was doubled on the way, which leaves the old one in the process's memory. */
function keepsItsTables(network: Network): void {
  const simulation = network.build();
  const { tcp, nat, packets, events, balancers, udpSockets } = simulation.partition;
  const { tcbs, cold, segments, settings, receivers, senders, accounts, synRows, timeWaits } = tcp;
  const pools = {
    tcbs,
    cold,
    segments,
    settings,
    receivers,
    senders,
    accounts,
    synRows,
    timeWaits,
    packets: packets.rows,
  };
  const more = { events, sessions: nat.sessions, flows: balancers?.flows.rows, sockets: udpSockets?.rows };
  const algorithms = Object.fromEntries(
    Array.from(tcp.congestionPools, (pool, i) => [`congestion control ${i}`, pool]),
  );
  const all = Object.entries({ ...pools, ...more, ...algorithms });
  const before = all.map(([_, pool]) => pool?.words);
  simulation.run();
  const large = all.filter(([_, pool]) => pool !== undefined && pool.peak > SMALL_ROWS);
  assert(large.length > 0);
  const doubled = all.filter(([_, pool], i) =>
    pool !== undefined && pool.peak > SMALL_ROWS && pool.words !== before[i]
  );
  assertEquals(doubled.map(([name, pool]) => `${name}: ${pool!.peak}`), []);
}

/** 10,000 exchanges over UDP. */
function exchanges(load: Partial<WorkloadOptions> = {}): Network {
  const network = new Network({ seed: 5 });
  network.host("clients", { count: 10, address: "10.0.0.2/8" });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 53, protocol: "udp" }] });
  network.link("clients", "server", { rateBps: 1e9, delayNs: 1e6 });
  const arrivals = { kind: "rate" as const, perSecond: 5_000 };
  const ends = { from: ["clients"], to: ["server:53"], connections: 10_000 };
  network.workload({ name: "load", kind: "request-response", transport: "udp", arrivals, ...ends, ...load });
  return network;
}

Deno.test("10,000 exchanges over UDP whose sockets are held: the tables take what was estimated, within 10%", () => {
  held(exchanges({ holdNs: 2e10, requests: 2, thinkNs: 5e8, timeoutNs: 2e9 }));
  keepsItsTables(exchanges({ holdNs: 2e10, requests: 2, thinkNs: 5e8, timeoutNs: 2e9 }));
});

Deno.test("hosts that talk to many others: the estimate knows of Linux's port counters, within 10%", () => {
  const network = new Network({ seed: 5 });
  network.host("clients", { count: 10, address: "10.0.0.2/8" });
  network.router("middle");
  network.host("peers", { count: 1000, address: "198.18.0.1/16", listen: [{ port: 80 }] });
  for (const name of ["clients", "peers"]) network.link(name, "middle", { delayNs: 1e6 });
  const arrivals = { kind: "rate" as const, perSecond: 5_000 };
  network.workload({
    name: "load",
    kind: "torrent",
    from: ["clients"],
    to: ["peers:80"],
    connections: 10_000,
    arrivals,
  });
  held(network);
});

for (const [name, load, middle] of CASES) {
  Deno.test(`10,000 connections, ${name}: the tables take what was estimated, within 10%`, () => {
    held(network(load, middle));
  });
  Deno.test(`10,000 connections, ${name}: no table of many rows is doubled`, () => {
    keepsItsTables(network(load, middle));
  });
}

Deno.test("whatever a network is, its estimate is of whole bytes", () => {
  fc.assert(
    fc.property(fc.gen(), (g) => {
      for (const bytes of Object.values(anyNetwork(new Draw(g)).estimateMemory())) {
        assert(Number.isSafeInteger(bytes) && bytes > 0);
      }
    }),
    { numRuns: 300, seed: 1 },
  );
});
