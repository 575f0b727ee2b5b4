/** Small variants of the examples: the same networks with fewer hosts and connections, for tests that run all of them. */
import { buildSimulation, runOptions } from "../../src/scenario/build.ts";
import { type LoadedScenario, loadScenario } from "../../src/scenario/load.ts";
import type { TracedRun } from "../../src/replay/source.ts";

const FOLDER = new URL("../../examples/", import.meta.url);

/** What is smaller in each, as after `--set`. (What an example expects is not asked of its variant.) */
export const SMALL: Record<string, string[]> = {
  "backlog-overflow.yaml": ["workloads.burst.connections=40", "nodes.server.listen[0].backlog=4"],
  "budgets.yaml": [
    "workloads.crowd.connections=60",
    "workloads.many.connections=24",
    "nodes.small.maxFiles=20",
    "nodes.server.maxFiles=40",
  ],
  "cgn-to-ipv6.yaml": ["nodes.homes.count=100", "workloads.pages.connections=100"],
  "cpu-bound.yaml": [
    "workloads.usual.connections=40",
    "workloads.rush.connections=40",
    "workloads.rush.arrivals.start=10ms",
    "nodes.server.cpu.queue=10",
  ],
  "dns-stickiness.yaml": ["workloads.to-even.connections=18", "workloads.to-sticky.connections=18"],
  "ecmp-anycast.yaml": ["workloads.in-the-west.connections=80", "workloads.in-the-east.connections=120"],
  "full-nat.yaml": [
    "workloads.load.connections=70",
    "nodes.lb.sourcePorts=1024-1033",
  ],
  "happy-eyeballs.yaml": ["workloads.pages.connections=40"],
  "home-nats.yaml": ["nodes.computers.count=30", "nodes.homes.count=10", "workloads.pages.connections=30"],
  "lossy-link.yaml": ["workloads.up.bytes=250kB", "workloads.down.bytes=250kB"],
  "maglev.yaml": ["workloads.pages.connections=20", "workloads.pages.think=200ms", "nodes.lb.health.interval=40s"],
  "memory-bound.yaml": ["nodes.server.memory=300KiB", "workloads.crowd.connections=160"],
  "million-hosts.yaml": ["nodes.hosts.count=1000", "workloads.everyone.connections=150"],
  "million.yaml": ["workloads.load.connections=40"],
  "nat64.yaml": ["workloads.photos.connections=4", "workloads.photos.bytes=40kB"],
  "port-blocks.yaml": [
    "workloads.swarm.connections=60",
    "workloads.pages.connections=40",
    "nodes.cgn.blocks.size=32",
  ],
  "quickstart.yaml": [
    "workloads.alone.connections=60",
    "workloads.together.connections=160",
    "nodes.loner.profile={ ephemeralPorts: 40000-40049 }",
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
  "torrent-behind-nat.yaml": ["workloads.swarm.connections=90", "nodes.gateway.ports=1024-1083"],
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
  return { simulation, run: runOptions(loaded, () => simulation.liveReport()) };
}
