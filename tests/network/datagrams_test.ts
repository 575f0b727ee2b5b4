import { assert, assertEquals, assertThrows } from "@std/assert";
import { NetworkError } from "../../src/network/errors.ts";
import type { NatOptions, WorkloadOptions } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { built, type Step } from "./support/networks.ts";
import { assertConserved } from "./support/probe.ts";

interface Parts {
  workload?: Partial<WorkloadOptions>;
  loss?: number;
  listen?: boolean;
  nat?: Partial<NatOptions>;
  ephemeral?: [number, number];
  more?: Step[];
}

/** Two clients, behind a NAT or not, and four peers with a UDP port. */
function network({ workload, loss, listen = true, nat, ephemeral, more = [] }: Parts): Step[] {
  const [ephemeralPortLow, ephemeralPortHigh] = ephemeral ?? [32768, 60999];
  const profile = { ephemeralPortLow, ephemeralPortHigh };
  const steps: Step[] = [
    (n) => n.host("clients", { count: 2, address: "10.0.0.2/24", profile }),
    (n) =>
      n.host("peers", {
        count: 4,
        address: "192.0.2.1/24",
        listen: listen ? [{ port: 6881, protocol: "udp" }] : [],
      }),
    (n) => n.router("r1"),
    (n) => n.link("r1", "peers", { delayNs: 1e6, loss }),
    ...more,
    (n) =>
      n.workload({
        name: "load",
        kind: "request-response",
        transport: "udp",
        from: ["clients"],
        to: ["peers:6881"],
        connections: 8,
        arrivals: { kind: "rate", perSecond: 10 },
        ...workload,
      }),
  ];
  if (nat === undefined) steps.push((n) => n.link("clients", "r1", { delayNs: 1e6 }));
  else {
    steps.push((n) => n.nat("nat", { address: "203.0.113.1/24", insideAddress: "10.0.0.1", ...nat }));
    steps.push((n) => n.link("clients", "nat", { delayNs: 5e5 }));
    steps.push((n) => n.link("nat", "r1", { delayNs: 5e5 }));
  }
  return steps;
}

function ran(parts: Parts, untilNs?: number): Simulation {
  const simulation = built(network(parts));
  simulation.run(untilNs === undefined ? {} : { untilNs });
  assertConserved(simulation);
  return simulation;
}

function limit(simulation: Simulation, name: string, node: string) {
  return simulation.report().limits.find((one) => one.limit === name && one.node === node);
}

Deno.test("a request over UDP is answered, its sizes and times are what was declared", () => {
  const simulation = built(network({ workload: { connections: 2, requests: 3, requestBytes: 70, replyBytes: 900 } }));
  const lengths: string[] = [];
  simulation.onDelivery((p, _timeNs, _from, to) => {
    if (to !== "r1") lengths.push(`${to} ${simulation.packets.rows.words[p * 16 + 7]}`);
  });
  simulation.run();
  const { datagrams, connections } = simulation.report();
  assertEquals(lengths.slice(0, 4), ["peers[0] 70", "clients[0] 900", "peers[0] 70", "clients[0] 900"]);
  assertEquals([datagrams.exchanges, datagrams.answered, datagrams.failed], [2, 2, {}]);
  assertEquals([datagrams.sent, datagrams.received, datagrams.timedOut, datagrams.replyMs.max], [12, 12, 0, 4]);
  assertEquals(connections.attempted, 0);
  // The last answer ends the run: deadlines that were met keep nothing alive.
  assertEquals(simulation.nowNs, 0.1e9 + 3 * 4e6);
  // The peers' sockets are left.
  assertEquals(simulation.partition.udpSockets!.rows.inUse, 4);
});

Deno.test("without an answer an exchange times out, after so many repetitions", () => {
  const parts = { loss: 1, workload: { connections: 2, timeoutNs: 2e9, retries: 3 } };
  const { datagrams, simulatedSeconds } = ran(parts).report();
  assertEquals([datagrams.failed, datagrams.sent, datagrams.received, datagrams.timedOut], [{ ETIMEDOUT: 2 }, 8, 0, 8]);
  assertEquals(simulatedSeconds, 8.1);
});

Deno.test("what is lost is repeated, and late answers are not taken for others", () => {
  const { datagrams } = ran({ loss: 0.2, workload: { connections: 400, retries: 20, timeoutNs: 1e8 } }).report();
  assertEquals([datagrams.answered, datagrams.failed], [400, {}]);
  // A request and its answer both get through 64 times of 100: 1/0.64 - 1 repetitions on average.
  const expected = 400 * (1 / 0.64 - 1);
  assert(Math.abs(datagrams.timedOut - expected) < 4 * Math.sqrt(400 * 0.36 / 0.64 ** 2), `${datagrams.timedOut}`);
});

Deno.test("where nobody listens, ICMP says so and the exchange is refused", () => {
  const { datagrams } = ran({ listen: false }).report();
  assertEquals([datagrams.failed, datagrams.timedOut], [{ ECONNREFUSED: 8 }, 0]);
});

Deno.test("a host's ephemeral UDP ports each belong to one socket, whatever the destination", () => {
  const parts: Parts = {
    ephemeral: [40_000, 40_002],
    workload: { connections: 20, arrivals: { kind: "at-once" }, holdNs: Infinity },
  };
  const simulation = ran(parts);
  assertEquals(simulation.report().datagrams.failed, { EAGAIN: 14 });
  const ports = limit(simulation, "ports", "clients")!;
  assertEquals([ports.used, ports.capacity, ports.refused, ports.firstHitSeconds], [3, 3, 14, 0]);
  assertEquals(ports.detail, "ephemeral UDP ports (40,000 to 40,002), one for each socket");
  // With nothing held, each port is free again when its exchange is over.
  assertEquals(ran({ ephemeral: [40_000, 40_002] }).report().datagrams.answered, 8);
});

Deno.test("a torrent over UDP has one socket for each source, and meets every peer once before any twice", () => {
  const simulation = built(network({ workload: { kind: "torrent", bytes: 50, connections: 16 } }));
  const pairs: string[] = [];
  const ports = new Set<string>();
  simulation.onDelivery((p, _timeNs, from, to) => {
    const words = simulation.packets.rows.words;
    if (!to.startsWith("peers")) return;
    const source = simulation.addresses.toText(words[p * 16]);
    pairs.push(`${source} ${to}`);
    ports.add(`${source} ${words[p * 16 + 2] >>> 16}`);
    assertEquals(from, "r1");
  });
  simulation.run();
  assertEquals(simulation.report().datagrams.answered, 16);
  assertEquals([pairs.length, new Set(pairs).size, ports.size], [16, 8, 2]);
});

Deno.test("a torrent's answers find their exchange by who sent them", () => {
  // All at once, several rounds with each of four peers, some asked twice at the same time.
  const workload = {
    kind: "torrent",
    connections: 24,
    requests: 5,
    thinkNs: 1e6,
    arrivals: { kind: "at-once" },
  } as const;
  const { datagrams } = ran({ workload }).report();
  assertEquals([datagrams.answered, datagrams.sent, datagrams.timedOut], [24, 2 * 24 * 5, 0]);
});

for (const [mapping, sessions] of [["endpoint-independent", 2], ["address-and-port-dependent", 8]] as const) {
  Deno.test(`behind a NAT a torrent over UDP takes ${sessions} external ports: ${mapping} mapping`, () => {
    const workload = { kind: "torrent", connections: 8, arrivals: { kind: "at-once" } } as const;
    const simulation = ran({ nat: { mapping }, workload });
    assertEquals(simulation.report().datagrams.answered, 8);
    assertEquals(limit(simulation, "nat-pool", "nat")?.used, sessions);
  });
}

Deno.test("where a NAT has no port left, exchanges over UDP fail, silently or told by ICMP", () => {
  const workload = { connections: 8, arrivals: { kind: "at-once" }, timeoutNs: 1e9 } as const;
  for (const [onRefusal, failed] of [["drop", { ETIMEDOUT: 5 }], ["icmp", { EHOSTUNREACH: 5 }]] as const) {
    const simulation = ran({ nat: { portLow: 5000, portHigh: 5002, onRefusal }, workload });
    const { datagrams } = simulation.report();
    assertEquals([datagrams.answered, datagrams.failed], [3, failed]);
    assertEquals(limit(simulation, "nat-pool", "nat")!.refused, 5);
  }
});

Deno.test("exchanges over UDP may go to a name, and count where it led", () => {
  const more: Step[] = [
    (n) => n.host("ns", { address: "198.51.100.53/24", dns: { records: { "peers.example.com": ["peers"] } } }),
    (n) => n.host("askers", { address: "198.51.100.1/24", resolver: { servers: ["ns"], cache: false } }),
    (n) => n.link("ns", "r1", { delayNs: 1e6 }),
    (n) => n.link("askers", "r1", { delayNs: 1e6 }),
  ];
  const { datagrams, targets } = ran({ more, workload: { from: ["askers"], to: ["peers.example.com:6881"] } }).report();
  assertEquals(datagrams.answered, 8);
  assertEquals(targets.map((target) => target.established), [8, 2, 2, 2, 2]);
});

Deno.test("a workload of lookups asks and remembers, and opens nothing", () => {
  const more: Step[] = [
    (n) => n.host("ns", { address: "198.51.100.53/24", dns: { records: { "a.example.com": ["peers"] }, ttlNs: 1e9 } }),
    (n) => n.host("askers", { count: 3, address: "198.51.100.1/24", resolver: "ns" }),
    (n) => n.link("ns", "r1", { delayNs: 1e6 }),
    (n) => n.link("askers", "r1", { delayNs: 1e6 }),
  ];
  const lookups: Partial<WorkloadOptions> = {
    kind: "dns",
    transport: undefined,
    from: ["askers"],
    to: ["a.example.com", "nosuch.example.com"],
    connections: 60,
  };
  const { dns, connections, datagrams, targets } = ran({ more, workload: lookups }).report();
  assertEquals([dns.lookups, dns.answered, dns.failed], [60, 30, { EAI_NONAME: 30 }]);
  assertEquals(dns.queries + dns.cacheHits, 60);
  assertEquals([connections.attempted, datagrams.exchanges], [0, 0]);
  assertEquals([targets[0].target, targets[0].established], ["a.example.com", 30]);
});

Deno.test("what makes no sense over UDP is told in a sentence", () => {
  const refused = (workload: Partial<WorkloadOptions>, subject: string, words: RegExp) => {
    const error = assertThrows(() => built(network({ workload })), NetworkError);
    assertEquals(error.subject, subject);
    assert(words.test(error.message), error.message);
  };
  refused({ kind: "bulk" }, "workloads.load.transport", /bulk does not go over UDP/);
  refused({ kind: "hold" }, "workloads.load.transport", /hold does not go over UDP/);
  refused({ transport: "tcp", retries: 1 }, "workloads.load.retries", /Only exchanges over UDP/);
  refused({ timeoutNs: 10 }, "workloads.load.timeout", /at least 1 ms/);
  refused({ retries: 1000 }, "workloads.load.retries", /0 to 255/);
  refused({ requestBytes: 70_000 }, "workloads.load.request", /65507 bytes at most/);
  // deno-lint-ignore no-explicit-any
  refused({ transport: "sctp" as any }, "workloads.load.transport", /One of tcp, udp/);
});
