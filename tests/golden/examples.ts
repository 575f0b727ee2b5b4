/** Small variants of the examples: the same networks with fewer hosts and connections, for tests that run all of them. */
import { buildSimulation, runOptions } from "../../src/scenario/build.ts";
import { type LoadedScenario, loadScenario } from "../../src/scenario/load.ts";
import type { TracedRun } from "../../src/replay/source.ts";

const FOLDER = new URL("../../examples/", import.meta.url);

/** What is smaller in each, as after `--set`. (What an example expects is not asked of its variant.) */
export const SMALL: Record<string, string[]> = {
  "fair-queue.yaml": ["workloads.uploads.bytes=300KB", "probes.ping.at=300ms", "probes.ping.count=3"],
  "1-one-port.yaml": [
    "workloads.crowd.connections=60",
    "workloads.own.connections=20",
    "workloads.own.arrivals.start=1ms",
    "nodes.clients.count=4",
    "nodes.clients.profile={ ephemeralPorts: 50000-50011 }",
  ],
  "2-four-tuple.yaml": [
    "nodes.sites.count=20",
    "workloads.many-sites.connections=21",
    "workloads.one-site.connections=21",
    "workloads.two.connections=42",
    "workloads.host-wide.connections=42",
    "nodes.linux.profile={ ephemeralPorts: 50000-50019 }",
    "nodes.twice.profile={ ephemeralPorts: 50000-50019 }",
    "nodes.simple.profile={ ephemeralPorts: 50000-50019, portAllocation: host-wide }",
  ],
  "3-ceilings.yaml": [
    "nodes.files.maxFiles=12",
    "nodes.memory.memory=40KiB",
    "nodes.slow.listen[0].backlog=4",
    "nodes.flooded.listen[0].backlog=4",
    "nodes.busy.cpu.queue=6",
    "nodes.fewFiles.maxFiles=10",
    "nodes.littleMemory.memory=40KiB",
    ...["files", "memory", "slow", "flooded"].map((name) => `workloads.to-${name}.connections=14`),
    "workloads.flood.connections=60",
    "workloads.to-busy.connections=30",
    "workloads.own-files.connections=15",
    "workloads.own-memory.connections=15",
  ],
  "4-nat-pool.yaml": [
    "nodes.each.ports=1024-1063",
    "nodes.shared.ports=1024-1063",
    "nodes.t1.count=4",
    "nodes.t2.count=4",
    "nodes.peers.count=15",
    "workloads.swarm-each.connections=60",
    "workloads.swarm-shared.connections=60",
    "workloads.pages-each.connections=5",
    "workloads.pages-shared.connections=5",
  ],
  "5-balancers.yaml": [
    "profiles.thousand.ephemeralPorts=40000-40003",
    ...["nat", "direct"].map((mode) => `workloads.one-${mode}.connections=5`),
    ...["nat", "direct", "hidden"].map((mode) => `workloads.five-${mode}.connections=20`),
    "nodes.lb.sourcePorts=1024-1027",
  ],
  "5-failing-back-end.yaml": [
    ...["turns", "least", "hash", "maglev"].map((name) => `workloads.by-${name}.connections=8`),
    ...["turns", "least", "hash", "maglev"].map((name) => `workloads.by-${name}.requests=3`),
    "events[0].at=500ms",
    "nodes.web.count=4",
  ],
  "5-more-addresses.yaml": [
    "profiles.thousand.ephemeralPorts=40000-40003",
    ...["dns", "addresses", "anycast"].map((name) => `workloads.${name}.connections=17`),
  ],
  "6-carrier-grade-nat.yaml": [
    "nodes.peers.count=40",
    "nodes.cgn.quota.sessions=7",
    "nodes.cgn.blocks.size=8",
    "workloads.pages.connections=9",
    "workloads.swarm.connections=24",
    "workloads.swarm-computed.connections=9",
    "workloads.busy.connections=24",
  ],
  "6-no-way-in.yaml": [],
  "7-ipv6.yaml": [
    ...["old", "dual", "phones"].map((name) => `nodes.${name}.count=20`),
    ...["oldCgn", "dualCgn", "nat64"].map((name) => `nodes.${name}.ports=1024-1043`),
    ...["old-town", "dual-town", "phones-new", "phones-old"].map((name) => `workloads.${name}.connections=30`),
  ],
  "backlog-overflow.yaml": ["workloads.burst.connections=40", "nodes.server.listen[0].backlog=4"],
  "budgets.yaml": [
    "workloads.crowd.connections=60",
    "workloads.many.connections=24",
    "nodes.small.maxFiles=20",
    "nodes.server.maxFiles=40",
  ],
  "cgn-to-ipv6.yaml": ["nodes.homes.count=100", "workloads.pages.connections=100"],
  "cpu-bound.yaml": [
    "workloads.usual.connections=25",
    "workloads.rush.connections=25",
    "workloads.rush.arrivals.start=10ms",
    "nodes.server.cpu.queue=10",
  ],
  "dns-stickiness.yaml": ["workloads.to-even.connections=18", "workloads.to-sticky.connections=18"],
  "ecmp-anycast.yaml": ["workloads.in-the-west.connections=40", "workloads.in-the-east.connections=60"],
  "full-nat.yaml": [
    "workloads.load.connections=70",
    "nodes.lb.sourcePorts=1024-1033",
  ],
  "happy-eyeballs.yaml": ["workloads.pages.connections=40"],
  "home-nats.yaml": ["nodes.computers.count=30", "nodes.homes.count=10", "workloads.pages.connections=30"],
  "link-failure.yaml": ["nodes.clients.count=4", "workloads.talk.connections=4"],
  "lossy-link.yaml": ["workloads.up.bytes=250kB", "workloads.down.bytes=250kB"],
  "maglev.yaml": ["workloads.pages.connections=20", "workloads.pages.think=200ms", "nodes.lb.health.interval=40s"],
  "memory-bound.yaml": ["nodes.server.memory=150KiB", "workloads.crowd.connections=90"],
  "million-hosts.yaml": ["nodes.hosts.count=1000", "workloads.everyone.connections=80"],
  "million.yaml": ["workloads.load.connections=20"],
  "nat64.yaml": ["workloads.photos.connections=4", "workloads.photos.bytes=40kB"],
  "port-blocks.yaml": [
    "workloads.swarm.connections=40",
    "workloads.pages.connections=20",
    "nodes.cgn.blocks.size=32",
  ],
  "quickstart.yaml": [
    "workloads.alone.connections=40",
    "workloads.together.connections=80",
    "nodes.loner.profile={ ephemeralPorts: 40000-40029 }",
  ],
  "syn-flood.yaml": [
    "workloads.flood.connections=250",
    "workloads.denied.connections=10",
    "workloads.served.connections=10",
    "nodes.plain.listen[0].backlog=16",
    "nodes.cookies.listen[0].backlog=16",
  ],
  "time-wait.jsonc": [
    "workloads.short.connections=120",
    "nodes.client.profile={ ephemeralPorts: 40000-40049 }",
  ],
  "torrent-behind-nat.yaml": ["workloads.swarm.connections=45", "nodes.gateway.ports=1024-1053"],
  "torrent-over-udp.yaml": [
    "workloads.wide.connections=80",
    "workloads.narrow.connections=80",
    "nodes.by-destination.ports=1024-1073",
  ],
  "two-routers.json": [],
};

/** The scenarios among the examples. */
export function exampleNames(): string[] {
  return [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => /\.(yaml|jsonc?)$/.test(name)).sort();
}

/** Where an example is. */
export function exampleUrl(name: string): URL {
  return new URL(name, FOLDER);
}

/** An example's small variant. */
export function loadSmall(name: string): LoadedScenario {
  return loadScenario(`examples/${name}`, Deno.readTextFileSync(exampleUrl(name)), SMALL[name]);
}

/** The same, ready to run. */
export function smallRun(loaded: LoadedScenario): TracedRun {
  const simulation = buildSimulation(loaded);
  return { simulation, run: runOptions(loaded) };
}
