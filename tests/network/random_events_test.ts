import { assertEquals } from "@std/assert";
import type { NetworkEvent } from "../../src/network/event_options.ts";
import { Network } from "../../src/network/network.ts";
import { Simulation } from "../../src/network/simulation.ts";
import { NODE } from "../../src/node/nodes.ts";
import { FLAG, LISTENER, listenersOf, TCB } from "../../src/tcp/mod.ts";
import { BUDGET } from "../../src/transport/budgets.ts";

/** Small whole numbers, the same for the same seed. */
function generator(seed: number) {
  let x = Math.imul(seed, 2654435761) >>> 0;
  const below = (n: number) => {
    x = (x ^ (x << 13)) >>> 0;
    x ^= x >>> 17;
    x = (x ^ (x << 5)) >>> 0;
    return x % n;
  };
  return { below, pick: <T>(list: readonly T[]): T => list[below(list.length)] };
}

type Draw = ReturnType<typeof generator>;

const HOSTS = ["web", "web[0]", "cl", "cl[1]", "dual", "ns", "rs", "dual[1]", "cl[0..2]"];
const LINKS = ["cl--gw", "cl--gw[1]", "gw--r1", "r1--r2", "alt", "r2--web[0]", "r2--ns"];
const SETTINGS = [
  { synRetries: 1 },
  { maxTimeWaits: 3 },
  { maxOrphans: 0 },
  { memoryBytes: 50000 },
  { bytesPerSocket: 100 },
  { synCookies: 0 },
  { ephemeralPortLow: 60000 },
  { maxFiles: 5 },
];

/** Something at some time, often at the same instant as others. */
function drawEvent({ below, pick }: Draw): NetworkEvent {
  const atNs = below(3) === 0 ? pick([0, 1e9, 1.5e9, 2.003e9]) : below(4e9);
  const node = pick([...HOSTS, "gw", "r1", "r2"]);
  const convergenceNs = pick([0, 1e8, Infinity]);
  switch (below(10)) {
    case 0:
      return { atNs, kind: "link", link: pick(LINKS), state: pick(["up", "down"]), convergenceNs };
    case 1: {
      const changes = {
        delayNs: below(50e6),
        loss: below(3) / 10,
        rateBps: pick([1e5, 1e9]),
        queuePackets: pick([5, 100]),
      };
      return { atNs, kind: "link", link: pick(LINKS), ...changes, jitterNs: below(3e6) };
    }
    case 2:
      return { atNs, kind: "node", node, action: "reboot", downForNs: pick([0, 0, 5e8]) };
    case 3:
      return { atNs, kind: "node", node, action: pick(["down", "up"]) };
    case 4:
      return { atNs, kind: "nat", node: "gw", restart: below(2) === 1, timeouts: { udpNs: 1e9 + below(1e9) } };
    case 5:
      return { atNs, kind: "route", node: "r1", to: "192.0.2.0/24", via: pick(["automatic", "unreachable", "r2"]) };
    case 6: {
      const [port, protocol] = pick([[80, "tcp"], [53, "udp"], [6881, "udp"]] as const);
      return { atNs, kind: "listener", node: pick(["web", "web[1]"]), port, protocol, action: pick(["open", "close"]) };
    }
    case 7:
      return {
        atNs,
        kind: "workload",
        workload: pick(["a", "b", "u", "d"]),
        action: pick(["start", "stop"]),
        close: true,
      };
    case 8:
      return { atNs, kind: "profile", node: pick(HOSTS), set: pick(SETTINGS) };
    default: {
      const cpu = { perPacketNs: pick([0, 1e4, 1e6]), queuePackets: below(50) };
      return { atNs, kind: "host", node: pick(HOSTS), maxFiles: below(30), memoryBytes: below(300000), cpu };
    }
  }
}

function randomNetwork(seed: number): { network: Network; snapshotNs: number } {
  const draw = generator(seed);
  const { below } = draw;
  const n = new Network({ seed });
  const service = { kind: "respond" } as const;
  n.host("web", {
    count: 2,
    address: "192.0.2.1/24",
    address6: "2001:db8:1::1/64",
    listen: [
      { port: 80, backlog: below(20), service },
      { port: 90 },
      { port: 53, protocol: "udp" },
      { port: 6881, protocol: "udp" },
    ],
    ...(below(2) === 1 ? { cpu: { perPacketNs: 1e5, perAcceptNs: 1e6, perRequestNs: 1e6 }, memoryBytes: 200000 } : {}),
  });
  n.host("ns", { address: "192.0.3.1/24", dns: { records: { "w.test": { addresses: ["web[0]", "web[1]"] } } } });
  n.host("rs", { address: "192.0.4.1/24", dns: { forward: "ns" } });
  n.host("cl", { count: 4, address: "10.0.0.1/24", resolver: "rs" });
  n.host("dual", { count: 2, address: "192.0.5.1/24", address6: "2001:db8:5::1/64", resolver: "rs" });
  n.nat("gw", { address: "203.0.113.1/24" });
  n.router("r1");
  n.router("r2");
  n.link("cl", "gw", { delayNs: below(5e6) });
  n.link("gw", "r1", { delayNs: below(5e6), rateBps: 1e6, queuePackets: 20 });
  n.link("dual", "r1", { delayNs: 1e6 });
  n.link("r1", "r2", { delayNs: below(20e6), rateBps: 2e6 });
  n.link("r1", "r2", { name: "alt", delayNs: below(20e6) });
  for (const [name, router] of [["web", "r2"], ["ns", "r2"], ["rs", "r1"]]) n.link(router, name, { delayNs: 1e6 });
  const arrivals = { kind: "poisson", perSecond: 20 } as const;
  const asking = { requests: 3, thinkNs: 1e8, connections: 50, arrivals };
  const happyEyeballs = below(2) === 1;
  n.workload({ name: "a", kind: "request-response", from: ["cl"], to: ["w.test:80"], ...asking, happyEyeballs });
  n.workload({
    ...{ name: "b", kind: "hold", from: ["dual"], to: ["w.test:90"], connections: 40, arrivals, happyEyeballs },
    ...{ holdNs: 1e9, close: draw.pick(["client", "server", "both"]) },
  });
  const udp = { transport: "udp", ...asking } as const;
  n.workload({ name: "u", kind: "torrent", from: ["cl", "dual"], to: ["web:6881"], family: "ipv4", ...udp });
  n.workload({ name: "d", kind: "request-response", from: ["dual"], to: ["web:53"], holdNs: 3e8, ...udp });
  n.probe({ name: "p", kind: "ping", from: "cl[0]", to: "web[0]", count: 5, family: "ipv4" });
  for (let i = 0; i < 12; i++) n.event(drawEvent(draw));
  return { network: n, snapshotNs: 1e9 + below(3e9) };
}

/** What hosts' counters say must be what their rows say: files open, and what memory is charged for. */
function checkCounters({ partition: s }: Simulation): void {
  const { tcp } = s;
  for (const { firstRow, count } of s.nodes.populations) {
    for (let host = firstRow; host < firstRow + count; host++) {
      const own = (words: Int32Array, at: number) => words[at + TCB.PORTS] !== 0 && words[at + TCB.HOST] === host;
      const listeners = listenersOf(tcp, host, 1);
      let [sockets, orphans, waiting] = [listeners.length + (s.udpSockets?.socketsOf(host, 1).length ?? 0), 0, 0];
      for (let c = 1; c < tcp.tcbs.end; c++) {
        if (!own(tcp.tcbs.words, c * TCB.STRIDE)) continue;
        const state = tcp.tcbs.words[c * TCB.STRIDE + TCB.STATE];
        if ((state & FLAG.ORPHAN) === 0) sockets++;
        else if ((state & FLAG.DONE) === 0) orphans++;
      }
      for (const l of listeners) waiting += tcp.listeners.words[l * LISTENER.STRIDE + LISTENER.ACCEPT_COUNT];
      assertEquals(s.nodes.words[host * NODE.STRIDE + NODE.FILES], sockets - waiting, s.nodes.nameOf(host));
      const row = s.hosts.budgets === undefined ? 0 : s.hosts.budgetOf(host);
      if (row === 0) continue;
      const words = s.hosts.budgets!.words.subarray(row * BUDGET.STRIDE);
      const rows = [tcp.synRows, tcp.timeWaits].map((pool) => {
        let found = 0;
        for (let k = 1; k < pool.end; k++) if (own(pool.words, k * pool.strideWords)) found++;
        return found;
      });
      const counted = [words[BUDGET.SOCKETS], words[BUDGET.ORPHANS], words[BUDGET.REQUESTS], words[BUDGET.TIME_WAITS]];
      assertEquals(counted, [sockets, orphans, ...rows], s.nodes.nameOf(host));
    }
  }
}

const facts = (simulation: Simulation) => {
  const { wallSeconds: _, memory: __, ...rest } = simulation.report();
  return { ...rest, digest: simulation.digest, eventDigest: simulation.eventDigest };
};

Deno.test("whatever happens at whatever moment: counters agree with rows, and snapshots of renumbered runs go on alike", () => {
  for (let seed = 1; seed <= 6; seed++) {
    const { network, snapshotNs } = randomNetwork(seed);
    const document = network.toJSON();
    const whole = network.build();
    whole.run({ untilNs: 60e9 });
    checkCounters(whole);
    const half = Network.fromJSON(document, { skip: 3, reversed: true }).build();
    half.run({ untilNs: snapshotNs });
    checkCounters(half);
    const restored = Simulation.restore(half.snapshot());
    restored.run({ untilNs: 60e9 });
    assertEquals(facts(restored), facts(whole), `seed ${seed}`);
  }
});
