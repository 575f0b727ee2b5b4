import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import type { SeriesOptions, SeriesRow } from "../../src/network/series.ts";
import { behindNat, workload } from "./support/homes.ts";
import { built, mixed, star, type Step } from "./support/networks.ts";

function sampled(steps: Step[], options: SeriesOptions = {}, slices: number[] = []): SeriesRow[] {
  const rows: SeriesRow[] = [];
  const simulation = built(steps);
  const series = simulation.series(options, (row) => rows.push(row));
  for (const untilNs of slices) simulation.run({ untilNs });
  simulation.run();
  series.finish();
  return rows;
}

const LOAD = { connections: 40, arrivals: { kind: "rate", perSecond: 20 } } as const;

Deno.test("rows stand at the ends of intervals, the last at the end of the run", () => {
  const rows = sampled(star({ workload: LOAD }), { intervalNs: 500e6, nodes: "server" });
  assertEquals(rows.map(({ timeSeconds, established }) => [timeSeconds, established]), [
    [0.5, 10],
    [1, 20],
    [1.5, 30],
    [rows[3].timeSeconds, 40],
  ]);
  assert(rows[3].timeSeconds > 1.95 && rows[3].timeSeconds < 2);
  assertEquals([rows[1].acceptedPerSecond, rows[1].opensPerSecond], [20, 0]);
});

Deno.test("a population is one row, named members are one each", () => {
  const [both, first, second] = ["clients", "clients[0]", "clients[1]"].map((nodes) =>
    sampled(star({ workload: LOAD }), { intervalNs: 1e9, nodes })[0]
  );
  assertEquals([both.node, first.node, second.node], ["clients", "clients[0]", "clients[1]"]);
  assertEquals([both, first, second].map((row) => row.opensPerSecond), [21, 11, 10]);
  assertEquals(both.packetsOutPerSecond, first.packetsOutPerSecond + second.packetsOutPerSecond);
  const each = sampled(star({ workload: LOAD }), { intervalNs: 1e9, nodes: "clients[0..1], server" });
  assertEquals(each.slice(0, 3).map(({ node }) => node), ["clients[0]", "clients[1]", "server"]);
});

Deno.test("failures are counted by reason, ports towards the fullest destination", () => {
  const clients = { profile: { ephemeralPortLow: 40000, ephemeralPortHigh: 40004 }, count: 1 };
  const rows = sampled(star({ clients, workload: LOAD }), { intervalNs: 1e9, nodes: "clients" });
  assertEquals(rows.map(({ failures }) => failures), [{ EADDRNOTAVAIL: 16 }, { EADDRNOTAVAIL: 19 }]);
  assertEquals([rows[1].portsUsed, rows[1].portsCapacity, rows[0].failuresPerSecond], [5, 5, 16]);
});

Deno.test("goodput is what arrives in order, whatever is sent again", () => {
  const bulk = { kind: "bulk", connections: 1, bytes: 1e6 } as const;
  const rows = sampled(star({ link: { rateBps: 8e6, delayNs: 1e6, loss: 0.02 }, workload: bulk }), {
    intervalNs: 100e6,
    nodes: "server",
  });
  let lastSeconds = 0;
  let bytes = 0;
  for (const { timeSeconds, goodputBps } of rows) {
    bytes += goodputBps * (timeSeconds - lastSeconds) / 8;
    lastSeconds = timeSeconds;
  }
  assertEquals(Math.round(bytes), 1e6);
});

Deno.test("a gateway's sessions, ports and refusals are told", () => {
  const nat = { portLow: 2000, portHigh: 2003 };
  const rows = sampled([...behindNat(nat), workload({ from: ["lan"], to: ["web:80"], connections: 6 })], {
    nodes: "gw",
  });
  const { natSessions, natPortsUsed, natPortsCapacity, natRefused } = rows[0];
  assertEquals([natSessions, natPortsUsed, natPortsCapacity], [4, 4, 4]);
  assert(natRefused >= 2);
});

Deno.test("a series changes nothing, and is the same in slices", () => {
  const plain = built(mixed());
  plain.run();
  const watched = built(mixed());
  const rows: SeriesRow[] = [];
  const series = watched.series({ intervalNs: 250e6 }, (row) => rows.push(row));
  watched.run();
  series.finish();
  assertEquals([watched.digest, watched.eventDigest, watched.nowNs], [plain.digest, plain.eventDigest, plain.nowNs]);
  assertEquals(watched.report().events, plain.report().events);
  assertEquals(sampled(mixed(), { intervalNs: 250e6 }, [3e6, 20e6, 137e6]), rows);
});

Deno.test("too many rows are refused, before the run where its end is known", () => {
  const steps = star({ workload: LOAD });
  const sentence = "more than 5 rows: choose a longer interval or fewer nodes";
  assertThrows(() => sampled(steps, { intervalNs: 1e8, mostRows: 5 }), InputError, sentence);
  assertThrows(() => built(steps).series({ mostRows: 5, untilNs: 60e9 }, () => {}), InputError, sentence);
  assertThrows(() => built(steps).series({ intervalNs: 1.5e6 }, () => {}), InputError, "whole milliseconds");
  assertThrows(() => built(steps).series({ nodes: "clients,clients[0]" }, () => {}), InputError, "twice");
});

Deno.test("drops are counted by reason where they happen, those of listeners' queues too", () => {
  const workload = { connections: 40, arrivals: { kind: "at-once" } } as const;
  const link = { rateBps: 1e6, delayNs: 1e6, queuePackets: 9 };
  const rows = sampled(star({ link, workload, clients: { count: 1 } }), { intervalNs: 10e6, nodes: "clients, server" });
  // Of forty SYNs one is being sent and nine wait.
  assertEquals([rows[0].node, rows[0].drops, rows[0].dropsPerSecond], ["clients", { queue: 30 }, 3000]);
  const listen = [{ port: 80, backlog: 3, acceptIntervalNs: 1e12 }];
  const server = { listen, profile: { synCookies: 0 } };
  const full = sampled(star({ link: { delayNs: 1e6 }, workload, server }), { intervalNs: 1e9, nodes: "server" });
  // The SYN queue takes four.
  assertEquals(full[0].drops, { "syn-queue": 36 });
});

Deno.test("exchanges over UDP and lookups that fail are among the rates and failures", () => {
  const steps: Step[] = [
    (n) => n.host("client", { address: "10.0.0.1/24", resolver: { servers: ["server"], attempts: 1 } }),
    (n) => n.host("server", { address: "10.0.0.2/24", listen: [{ port: 7, protocol: "udp" }] }),
    (n) => n.link("client", "server", { delayNs: 1e6 }),
    workload({ kind: "request-response", transport: "udp", from: ["client"], to: ["server:7"], connections: 10 }),
    (n) => n.workload({ name: "lost", kind: "hold", from: ["client"], to: ["nowhere.test:80"], connections: 3 }),
  ];
  const [row] = sampled(steps, { intervalNs: 1e9, nodes: "client" });
  assertEquals(row.failures, { EAI_AGAIN: 3 });
  assertEquals(Math.round(row.exchangesPerSecond / row.answersPerSecond), 1);
});
