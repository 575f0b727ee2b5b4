/**
 * Walls of all kinds: where the arithmetic says that each stands, and where a run finds it. The ceilings of the table
 * are worked out by hand.
 */
import { assert, assertEquals } from "@std/assert";
import { buildSimulation, runOptions } from "../../src/scenario/build.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { foretell } from "./capacity.ts";

/** Three clients with 100 ports each, a server with two, and what is between them. */
interface Wall {
  what: string;
  /** More nodes, or others. */
  nodes?: Record<string, string>;
  /** Default: clients and server at the router. */
  links?: string[];
  /** Of the workload, beside `from: clients`. */
  load?: string;
  until?: string;
  /** What binds first, and at how many connections; or at about as many. */
  binds: string;
  ceiling: number;
  about?: boolean;
  /** Connections that it refuses; default: not looked at. */
  refused?: number;
}

const PORTS = "profile: { ephemeralPorts: 20000-20099, synRetries: 0 }";
const MANY_PORTS = "profile: { ephemeralPorts: 20000-40000, synRetries: 0 }";
const client = (more: string) => `{ kind: host, count: 3, address: 10.0.0.1/24, ${more} }`;
const SERVER = "{ kind: host, address: 192.0.2.1/24, listen: [80, 81] }";
const web = (more: string) => `{ kind: host, count: 3, address: 192.0.2.1/24, listen: [80], ${more} }`;
const gateway = (more = "") => `{ kind: nat, address: 203.0.113.1/24, ports: 1024-1123, onRefusal: icmp${more} }`;
const balancer = (more: string, backends = "web:80") =>
  `{ kind: balancer, address: 203.0.113.9/24, services: [{ port: 80, backends: "${backends}"${more} }`;
const BEHIND_NAT = ["{ between: [clients, gw], delay: 1ms }", "{ between: [[gw, server], net], delay: 2ms }"];
const BALANCED = ["{ between: [[clients, web, lb], net], delay: 1ms }"];
const PROXIED = ["{ between: [[clients, web, proxy], net], delay: 1ms }"];
const BOTH_PORTS = 'kind: hold, connections: 700, to: ["server:80", "server:81"]';
const SHORT = "kind: request-response, to: server:80";
const proxy = (more: string) =>
  "{ kind: host, address: 203.0.113.1/24, profile: { ephemeralPorts: 30000-30049 }, " +
  `proxy: { port: 80, backends: "web:80", ${more} } }`;

const WALLS: Wall[] = [
  // Ports.
  { what: "ports to two listeners", load: BOTH_PORTS, binds: "ports@clients", ceiling: 3 * 100 * 2, refused: 100 },
  {
    what: "ports, some of which are listened on",
    nodes: { clients: client(`listen: [20005, 20010], ${PORTS}`) },
    binds: "ports@clients",
    ceiling: 3 * 98,
  },
  {
    what: "ports of a host-wide allocation",
    nodes: { clients: client("profile: { ephemeralPorts: 20000-20099, portAllocation: host-wide }") },
    load: BOTH_PORTS,
    binds: "ports@clients",
    ceiling: 3 * 100,
    refused: 400,
  },
  {
    what: "ports in TIME-WAIT",
    load: `${SHORT}, connections: 4000, arrivals: { kind: rate, rate: 10/s }`,
    until: "200s",
    binds: "ports@clients",
    ceiling: 300,
  },
  // Budgets.
  {
    what: "files at both ends",
    nodes: {
      clients: client("maxFiles: 50"),
      server: "{ kind: host, address: 192.0.2.1/24, listen: [80], maxFiles: 121 }",
    },
    binds: "files@server",
    ceiling: 121 - 1,
  },
  {
    what: "memory of a client, with sockets of 3,000 B",
    nodes: { clients: client("memory: 128KiB, profile: { bytesPerSocket: 3000 }") },
    binds: "memory@clients",
    ceiling: 3 * 43,
    about: true,
    refused: 271,
  },
  // NAT.
  { what: "a pool", nodes: { gw: gateway() }, links: BEHIND_NAT, binds: "nat-pool@gw", ceiling: 100, refused: 300 },
  {
    what: "a pool of three addresses for three subscribers",
    nodes: { gw: gateway(", pool: 203.0.113.1-203.0.113.3") },
    links: BEHIND_NAT,
    load: BOTH_PORTS,
    binds: "nat-pool@gw",
    ceiling: 300,
  },
  {
    what: "a pool of two, the first of which two subscribers share",
    nodes: { gw: gateway(", pool: 203.0.113.1-203.0.113.2") },
    links: BEHIND_NAT,
    load: BOTH_PORTS,
    binds: "nat-pool@gw",
    ceiling: 150,
  },
  {
    what: "a pool that is overloaded",
    nodes: { gw: gateway(", overloading: true") },
    links: BEHIND_NAT,
    load: BOTH_PORTS,
    binds: "nat-pool@gw",
    ceiling: 100 * 2,
    refused: 500,
  },
  {
    what: "a pool whose ports come back after 30 s",
    nodes: { gw: gateway(", timeouts: { transitory: 30s }") },
    links: BEHIND_NAT,
    load: `${SHORT}, connections: 1000, arrivals: { kind: rate, rate: 5/s }`,
    binds: "nat-pool@gw",
    ceiling: 100,
  },
  {
    what: "a quota, which does not count resting ports",
    nodes: { gw: gateway(", quota: { ports: 21 }, holdDown: 60s, timeouts: { transitory: 20s }") },
    links: BEHIND_NAT,
    load: `${SHORT}, connections: 400, arrivals: { kind: rate, rate: 2/s }`,
    binds: "nat-pool@gw",
    ceiling: 100,
  },
  {
    what: "blocks",
    nodes: { gw: gateway(", blocks: { size: 16, perSubscriber: 2 }") },
    links: BEHIND_NAT,
    binds: "nat-block@gw",
    ceiling: 3 * 2 * 16,
    refused: 304,
  },
  {
    what: "too few blocks",
    nodes: { gw: gateway(", blocks: { size: 40 }") },
    links: BEHIND_NAT,
    binds: "nat-pool@gw",
    ceiling: 2,
  },
  {
    what: "computed ports",
    nodes: { gw: gateway(", deterministic: 10.0.0.0/29") },
    links: BEHIND_NAT,
    binds: "nat-block@gw",
    ceiling: 3 * 12,
    refused: 364,
  },
  {
    what: "nested NATs: what the outer one refuses takes ports of the inner ones",
    nodes: {
      clients: client("maxFiles: 9999"),
      box: "{ kind: nat, count: 3, address: 100.64.0.2/10, ports: 1024-1073, onRefusal: icmp }",
      gw: gateway(),
    },
    links: ["{ between: [clients, box] }", "{ between: [box, gw] }", "{ between: [[gw, server], net] }"],
    binds: "nat-pool@gw",
    ceiling: 100,
    refused: 50,
  },
  {
    what: "NAT64",
    nodes: {
      clients: '{ kind: host, count: 3, address: "2001:db8::1/64" }',
      gw: gateway(', address6: "2001:db8:1::1", nat64: "64:ff9b::/96"'),
    },
    links: BEHIND_NAT,
    load: 'kind: hold, connections: 300, to: "[64:ff9b::c000:201]:80"',
    binds: "nat-pool@gw",
    ceiling: 100,
    refused: 200,
  },
  // Balancers, proxies, equal ways.
  {
    what: "a full-nat balancer's ports",
    nodes: {
      web: web("maxFiles: 1000"),
      lb: balancer(", mode: full-nat") + "], sourcePorts: 1024-1053, sources: 203.0.113.10-203.0.113.11 }",
    },
    links: BALANCED,
    load: "kind: hold, connections: 250, to: lb:80",
    binds: "ports@lb",
    ceiling: 2 * 30 * 3,
    refused: 70,
  },
  {
    what: "files behind a balancer of the least connections",
    nodes: { web: web("maxFiles: 51"), lb: balancer(", algorithm: least-connections") + "] }" },
    links: BALANCED,
    load: "kind: hold, connections: 200, to: lb:80",
    binds: "files@web",
    ceiling: 3 * 50,
  },
  {
    what: "files behind equal ways",
    nodes: { web: web("maxFiles: 51, virtualAddresses: [203.0.113.80]") },
    links: ["{ between: [[clients, web], net], delay: 1ms }"],
    load: 'kind: hold, connections: 200, to: "203.0.113.80:80"',
    binds: "files@web",
    ceiling: 140,
    about: true,
  },
  {
    what: "a flow table",
    nodes: { web: web("maxFiles: 999"), lb: balancer(", algorithm: maglev") + "], maxFlows: 70 }" },
    links: BALANCED,
    load: "kind: hold, connections: 100, to: lb:80",
    binds: "flow-table@lb",
    ceiling: 70,
    refused: 30,
  },
  {
    what: "a streaming proxy's ports",
    nodes: { clients: client(MANY_PORTS), web: web("maxFiles: 999"), proxy: proxy("kind: stream") },
    links: PROXIED,
    load: "kind: request-response, hold: forever, connections: 200, to: proxy:80",
    binds: "ports@proxy",
    ceiling: 50 * 3,
  },
  {
    what: "a proxy's ports in TIME-WAIT",
    nodes: { clients: client(MANY_PORTS), web: web("maxFiles: 999"), proxy: proxy("kind: request") },
    links: PROXIED,
    load: "kind: request-response, connections: 200, to: proxy:80",
    binds: "ports@proxy",
    ceiling: 50 * 3,
    about: true,
  },
];

function scenarioOf({ nodes = {}, links, load, until }: Wall): string {
  const all: Record<string, string> = { clients: client(PORTS), server: SERVER, net: "{ kind: router }", ...nodes };
  const used = links ?? ["{ between: [[clients, server], net], delay: 2ms }"];
  if (!used.join().includes("server")) delete all.server;
  return [
    "nodes:",
    ...Object.entries(all).map(([name, node]) => `  ${name}: ${node}`),
    "links:",
    ...used.map((link) => `  - ${link}`),
    "workloads:",
    `  - { arrivals: { kind: rate, rate: 100/s }, ${load ?? "kind: hold, connections: 400, to: server:80"},`.replace(
      /arrivals: \{ kind: rate, rate: 100\/s \}, (?=.*arrivals)/,
      "",
    ),
    "      name: load, from: clients }",
    `run: { until: ${until ?? "80s"} }`,
  ].join("\n") + "\n";
}

for (const wall of WALLS) {
  Deno.test(`the wall of ${wall.what} stands at ${wall.ceiling}`, () => {
    const loaded = loadScenario("wall.yaml", scenarioOf(wall));
    const { binds } = foretell(loaded);
    assertEquals([`${binds?.limit}@${binds?.node}`, binds?.exact], [wall.binds, wall.about !== true]);
    assert(
      Math.abs(binds!.ceiling! - wall.ceiling) <= (wall.about === true ? 0.06 * wall.ceiling : 0),
      `${binds!.ceiling}`,
    );

    const simulation = buildSimulation(loaded);
    simulation.run(runOptions(loaded));
    const bound = simulation.report().limits.filter(({ refused }) => refused > 0);
    const [first] = bound.toSorted((a, b) => a.firstHitSeconds! - b.firstHitSeconds!);
    assertEquals(`${first.limit}@${first.node}`, wall.binds);
    // The connection after the ceiling's is the first that finds no room, when it gets there.
    const { connection, seconds } = binds!.firstRefused!;
    const late = first.firstHitSeconds! - seconds;
    assert(Math.abs(late) < (wall.about === true ? 0.1 : 0.02) && (wall.about === true || late >= 0), `${late} s late`);
    if (wall.about !== true) assertEquals(connection, wall.ceiling + 1);
    if (wall.refused !== undefined) assertEquals([first.refused, binds!.refused], [wall.refused, wall.refused]);
  });
}
