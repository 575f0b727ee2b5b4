// Two people behind NAT gateways want to talk directly, over UDP. A rendezvous server tells each where the other
// one's datagrams seem to come from (RFC 5128); then both send. Which gateways let them meet?
//
//   deno run examples/hole_punching.ts
import { type Endpoint, type NatBehaviour, Network } from "../mod.ts";

type Behaviour = { mapping: NatBehaviour; filtering: NatBehaviour };

/** Do datagrams come through, both ways? */
function theyMeet(left: Behaviour, right: Behaviour): boolean {
  const network = new Network();
  network.router("internet");
  network.host("rendezvous", { address: "192.0.2.1/24" });
  network.link("rendezvous", "internet", { delayNs: 5e6 });
  for (const [name, side, outer] of [["alice", left, "203.0.113.1"], ["bob", right, "198.51.100.1"]] as const) {
    network.host(name, { address: "192.168.1.2/24" });
    network.nat(`${name}s-nat`, {
      address: `${outer}/24`,
      insideAddress: "192.168.1.1",
      portAssignment: "random",
      ...side,
    });
    network.link(name, `${name}s-nat`, { delayNs: 1e6 });
    network.link(`${name}s-nat`, "internet", { delayNs: 10e6 });
  }
  const simulation = network.build();

  // The rendezvous: who has said hello is told of all the others.
  const known: Endpoint[] = [];
  const rendezvous = simulation.host("rendezvous").udp({ port: 3478 });
  rendezvous.on("message", (_hello, from) => {
    for (const other of known) {
      rendezvous.send(`${from.address} ${from.port}`, other);
      rendezvous.send(`${other.address} ${other.port}`, from);
    }
    known.push(from);
  });

  const heard = new Set<string>();
  for (const name of ["alice", "bob"]) {
    const host = simulation.host(name);
    const socket = host.udp();
    socket.on("message", (bytes, from) => {
      if (from.address !== "192.0.2.1") {
        // The other one, from wherever its gateway lets it speak: that is where an answer goes.
        if (!heard.has(name)) socket.send("hi yourself", from);
        heard.add(name);
        return;
      }
      const [address, port] = new TextDecoder().decode(bytes).split(" ");
      // Again and again: the first ones only open the own gateway.
      for (let i = 0; i < 5; i++) host.setTimeout(() => socket.send("hi", { address, port: Number(port) }), i * 100e6);
    });
    socket.send("hello", { address: "192.0.2.1", port: 3478 });
  }
  simulation.run();
  return heard.size === 2;
}

const GATEWAYS: [string, Behaviour][] = [
  ["full cone", { mapping: "endpoint-independent", filtering: "endpoint-independent" }],
  ["restricted cone", { mapping: "endpoint-independent", filtering: "address-dependent" }],
  ["port-restricted cone", { mapping: "endpoint-independent", filtering: "address-and-port-dependent" }],
  ["symmetric", { mapping: "address-and-port-dependent", filtering: "address-and-port-dependent" }],
];

const WIDTH = 22;
console.log("".padEnd(WIDTH) + GATEWAYS.map(([name]) => name.padEnd(WIDTH)).join("").trimEnd());
for (const [name, left] of GATEWAYS) {
  const cells = GATEWAYS.map(([, right]) => (theyMeet(left, right) ? "they meet" : "-").padEnd(WIDTH));
  console.log((name.padEnd(WIDTH) + cells.join("")).trimEnd());
}
