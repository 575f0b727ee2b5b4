// A gateway with 1,000 external ports, and 40 hosts behind it that want 50 connections each: 2,000. How many get
// through depends on the gateway's mapping behaviour (RFC 4787), and on how many destinations they go to.
//
//   deno run examples/nat_walls.ts
import { type NatBehaviour, Network } from "../mod.ts";

const HOSTS = 40;
const EACH = 50;
const PORTS = 1000;

interface Gateway {
  mapping: NatBehaviour;
  overloading?: boolean;
}

/** Connections that are open in the end, of `HOSTS * EACH`. */
function through(gateway: Gateway, servers: number): number {
  const network = new Network();
  network.host("hosts", { count: HOSTS, address: "10.0.0.2/16", profile: { synRetries: 0 } });
  network.nat("gateway", {
    address: "203.0.113.1/24",
    insideAddress: "10.0.0.1",
    portLow: 10_000,
    portHigh: 10_000 + PORTS - 1,
    filtering: gateway.mapping,
    ...gateway,
  });
  network.router("internet");
  network.host("servers", { count: servers, address: "192.0.2.1/24" });
  network.link("hosts", "gateway", { rateBps: 1e9, delayNs: 1e6 });
  network.link("gateway", "internet", { rateBps: 1e9, delayNs: 5e6 });
  network.link("internet", "servers", { rateBps: 10e9, delayNs: 1e6 });
  const simulation = network.build();

  for (const server of simulation.hosts("servers")) server.listen({ port: 443 }, () => {});
  const addresses = simulation.hosts("servers").map((server) => server.address);
  let open = 0;
  simulation.hosts("hosts").forEach((host, i) => {
    for (let k = 0; k < EACH; k++) {
      // Each host goes from one server to the next, a connection every 20 ms, all from few source ports.
      host.setTimeout(() => {
        const localPort = 40_000 + Math.floor(k / servers);
        const socket = host.connect({ address: addresses[(i + k) % servers], port: 443, localPort });
        socket.on("connect", () => open++);
        socket.on("error", () => {});
      }, k * 20e6 + i * 1e5);
    }
  });
  simulation.run();
  return open;
}

const GATEWAYS: [string, Gateway][] = [
  ["endpoint-independent", { mapping: "endpoint-independent" }],
  ["address-dependent", { mapping: "address-dependent" }],
  ["address-and-port-dependent", { mapping: "address-and-port-dependent" }],
  ["the same, overloading ports", { mapping: "address-and-port-dependent", overloading: true }],
];
const SERVERS = [1, 5, 25];

console.log(`${HOSTS * EACH} connections wanted, ${PORTS} external ports\n`);
console.log("mapping".padEnd(32) + SERVERS.map((n) => `${n} server${n === 1 ? "" : "s"}`.padStart(12)).join(""));
for (const [name, gateway] of GATEWAYS) {
  const cells = SERVERS.map((servers) => through(gateway, servers));
  console.log(name.padEnd(32) + cells.map((open) => `${open}`.padStart(12)).join(""));
}
console.log(`
A mapping that serves every destination (endpoint-independent) needs a port for each source port, not for each
connection. One that is made anew for each destination hits the wall at ${PORTS}, wherever the connections go,
unless the gateway lets several connections to different places share a port, as Linux does and RFC 4787 forbids.`);
