/**
 * A proxy is one client address to its back ends: it has so many ports towards each of them, and a closed connection
 * keeps its port for a minute. What each remedy against that wins, measured with packets.
 *
 *     deno run examples/proxy_remedies.ts
 */
import { Network, type ProxyOptions } from "../mod.ts";

/** A short port range, so that it takes a moment: Linux's has 28,232, and everything here scales with it. */
const PORTS = 200;
const REQUESTS = 6_000;

interface Remedy {
  name: string;
  proxy?: Partial<ProxyOptions>;
  sources?: number;
  backends?: number;
  backendPorts?: number[];
}

/** How many of the requests, all within ten seconds, are answered, and over how many connections. */
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
  for (const name of ["clients", "proxy", "web"]) network.link(name, "r1", { delayNs: 1e6 });
  network.workload({
    name: "load",
    kind: "request-response",
    from: ["clients"],
    to: ["proxy:443"],
    connections: REQUESTS,
    arrivals: { kind: "rate", perSecond: REQUESTS / 10 },
  });
  const simulation = network.build();
  simulation.run({ untilNs: 30e9 });
  const [{ replies, opened }] = simulation.report().proxies;
  return [replies, opened];
}

const remedies: Remedy[] = [
  { name: "a connection for every request" },
  { name: "4 source addresses", sources: 4 },
  { name: "5 back ends", backends: 5 },
  { name: "3 ports on the back end", backendPorts: [80, 81, 82] },
  { name: "4 sources and 5 back ends", sources: 4, backends: 5 },
  { name: "a pool (keep-alive)", proxy: { keepAlive: true } },
  { name: "a pool, 100 requests at once on each", proxy: { keepAlive: true, multiplex: 100 } },
];

console.log(`${REQUESTS} requests in 10 s; ${PORTS} ports for each (source, back end, port), TIME-WAIT 60 s\n`);
console.log("remedy                                 answered  factor  connections  requests on each");
const [[base]] = [answered(remedies[0])];
for (const remedy of remedies) {
  const [replies, opened] = answered(remedy);
  const columns = [String(replies).padStart(7), (replies / base).toFixed(1).padStart(6), String(opened).padStart(11)];
  console.log(`${remedy.name.padEnd(38)}  ${columns.join("  ")}  ${(replies / opened).toFixed(1).padStart(16)}`);
}
