/**
 * A proxy is one client address to its back ends: it has so many ports towards each of them, and a closed connection
 * keeps its port for a minute. What each remedy against that wins, measured with packets, beside the arithmetic.
 *
 *     deno run examples/proxy_remedies.ts
 */
import { Network, type ProxyOptions } from "../mod.ts";

/** A short port range, so that every remedy meets its wall: Linux's has 28,232, and everything here scales with it. */
const PORTS = 10;
/** Requests come for so long, more of them than any remedy can take. */
const SECONDS = 10;
const REQUESTS = 12_500;
/** Between the proxy and its back ends: what a request takes on a connection that is there already. */
const ROUND_TRIP_NS = 100e6;

interface Remedy {
  name: string;
  /** What it should win: requests in all that find a port (or a connection). */
  factors: [number, string][];
  proxy?: Partial<ProxyOptions>;
  sources?: number;
  backends?: number;
  backendPorts?: number[];
}

/** How many of the requests are answered, and over how many connections. */
function answered({ proxy, sources = 1, backends = 1, backendPorts = [80] }: Remedy): [number, number] {
  const addresses = Array.from({ length: sources }, (_, i) => `203.0.113.${i + 1}`);
  const network = new Network({ seed: 1 });
  network.host("clients", { count: 20, address: "10.0.0.1/16" });
  network.host("proxy", {
    address: `${addresses[0]}/24`,
    extraAddresses: addresses.slice(1),
    profile: { ephemeralPortLow: 50_000, ephemeralPortHigh: 50_000 + PORTS - 1 },
    proxy: { port: 443, backends: backendPorts.map((port) => `web:${port}`), sources: addresses, ...proxy },
  });
  network.host("web", { count: backends, address: "192.0.2.1/24", listen: backendPorts.map((port) => ({ port })) });
  network.router("r1");
  for (const name of ["clients", "proxy"]) network.link(name, "r1", { delayNs: 1e6 });
  network.link("web", "r1", { delayNs: ROUND_TRIP_NS / 2 - 1e6 });
  network.workload({
    name: "load",
    kind: "request-response",
    from: ["clients"],
    to: ["proxy:443"],
    connections: REQUESTS,
    // A segment's worth: of smaller ones Nagle's algorithm, at the back end, would hold some back.
    replyBytes: 1448,
    arrivals: { kind: "rate", perSecond: REQUESTS / SECONDS },
  });
  const simulation = network.build();
  simulation.run({ untilNs: 30e9 });
  const [{ replies, opened }] = simulation.report().proxies;
  return [replies, opened];
}

const ports: [number, string] = [PORTS, "ports"];
const turns: [number, string] = [SECONDS * 1e9 / ROUND_TRIP_NS, "round trips"];

const remedies: Remedy[] = [
  { name: "a connection for every request", factors: [ports] },
  { name: "4 source addresses", sources: 4, factors: [ports, [4, "sources"]] },
  { name: "5 back ends", backends: 5, factors: [ports, [5, "back ends"]] },
  { name: "3 ports on the back end", backendPorts: [80, 81, 82], factors: [ports, [3, "ports there"]] },
  { name: "4 sources, 5 back ends", sources: 4, backends: 5, factors: [ports, [4, "sources"], [5, "back ends"]] },
  { name: "a pool (keep-alive)", proxy: { keepAlive: true }, factors: [ports, turns] },
  {
    name: "a pool, 10 requests at once on each",
    proxy: { keepAlive: true, multiplex: 10 },
    factors: [ports, turns, [10, "at once"]],
  },
];

console.log(
  `${REQUESTS} requests in ${SECONDS} s; ${PORTS} ports for each (source, back end, port), which a closed connection ` +
    `keeps for 60 s\n`,
);
console.log("remedy                               answered  factor  connections  at most");
let base = 0;
for (const remedy of remedies) {
  const [replies, opened] = answered(remedy);
  base ||= replies;
  const most = remedy.factors.reduce((product, [factor]) => product * factor, 1);
  const columns = [String(replies).padStart(8), (replies / base).toFixed(1).padStart(6), String(opened).padStart(11)];
  const arithmetic = remedy.factors.map(([factor, of]) => `${factor} ${of}`).join(" x ");
  console.log(`${remedy.name.padEnd(35)}  ${columns.join("  ")}  ${arithmetic} = ${most}`);
}
console.log("\nA pool falls a little short: a connection is opened first, and waits a moment for its next request.");
