// How many connections does one listening port hold? A sweep: clients, and ephemeral ports of each client.
// (65,535 is nowhere in it.)
//
//   deno run examples/sweep.ts          a table
//   deno run examples/sweep.ts --csv    comma-separated values
import { Network } from "../mod.ts";

/** Connections that the server holds at once, and why there are no more. */
function held(clients: number, ports: number): { open: number; refused: number; why: string } {
  const network = new Network({ name: "sweep" });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 443 }] });
  network.host("clients", {
    count: clients,
    address: "198.51.100.1/24",
    profile: { ephemeralPortLow: 32_768, ephemeralPortHigh: 32_768 + ports - 1 },
  });
  network.router("r1");
  network.link("clients", "r1", { rateBps: 1e9, delayNs: 1e6 });
  network.link("r1", "server", { rateBps: 10e9, delayNs: 1e6 });
  network.workload({
    name: "load",
    kind: "hold",
    from: ["clients"],
    to: ["server:443"],
    connections: Math.ceil(clients * ports * 1.05),
    arrivals: { kind: "rate", perSecond: 200_000 },
  });
  const simulation = network.build();
  simulation.run();
  const { connections } = simulation.report();
  const [why] = Object.keys(connections.failed);
  return { open: connections.open, refused: connections.failed[why], why };
}

const CLIENTS = [1, 2, 4, 8, 16];
const PORTS = [100, 1000, 5000];

if (Deno.args.includes("--csv")) {
  console.log("clients,ports,held,refused,reason");
  for (const ports of PORTS) {
    for (const clients of CLIENTS) {
      const { open, refused, why } = held(clients, ports);
      console.log(`${clients},${ports},${open},${refused},${why}`);
    }
  }
} else {
  console.log("Connections held by one listening port\n");
  console.log("ports of a client" + CLIENTS.map((n) => `${n} client${n === 1 ? "" : "s"}`.padStart(12)).join(""));
  for (const ports of PORTS) {
    const cells = CLIENTS.map((clients) => held(clients, ports).open);
    console.log(`${ports}`.padStart(17) + cells.map((open) => open.toLocaleString("en").padStart(12)).join(""));
  }
  console.log("\nAlways clients × ports: the wall is the clients', and its name is EADDRNOTAVAIL.");
}
