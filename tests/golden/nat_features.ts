/** Small runs that each show a behaviour of NAT gateways. */
import { type Endpoint, type NatBehaviour, type NatOptions, Network, type WorkloadOptions } from "../../mod.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import type { Shown } from "./shown.ts";
import type { Feature } from "./tcp_features.ts";

/** lan[i] (10.0.0.2 …) -- home -- gw (203.0.113.1 …) -- isp -- web (192.0.2.1 …). */
function behind(nat: Partial<NatOptions>, workload?: Partial<WorkloadOptions>, hosts = 4): Network {
  const network = new Network({ seed: 1 });
  network.host("lan", { address: "10.0.0.2/24", count: hosts, listen: [{ port: 8080 }] });
  network.router("home", { address: "10.0.0.254" });
  network.nat("gw", { address: "203.0.113.1/24", insideAddress: "10.0.0.1", ...nat });
  network.router("isp", { address: "198.18.0.1" });
  network.host("web", { address: "192.0.2.1/24", count: 3, listen: [{ port: 80 }, { port: 53, protocol: "udp" }] });
  for (const [a, b] of [["lan", "home"], ["home", "gw"], ["gw", "isp"], ["isp", "web"]]) {
    network.link(a, b, { rateBps: 1e9, delayNs: 1e6 });
  }
  if (workload === undefined) return network;
  const pages: WorkloadOptions = {
    name: "pages",
    kind: "request-response",
    from: ["lan"],
    to: ["web:80"],
    connections: 12,
  };
  network.workload({ ...pages, ...workload });
  return network;
}

/** All pages come, whatever else. */
const answered = (trace: Shown) => trace.fact("connections.repliesCompleted") === 12;

const refusing = (nat: Partial<NatOptions>, reason: string): Feature => ({
  make: () => behind({ onRefusal: "icmp", ...nat }, { kind: "hold", connections: 40 }),
  shows: (trace) =>
    trace.icmpError && trace.fact("connections.failed.EHOSTUNREACH") > 0 &&
    trace.fact(`nats.0.refused.${reason}`) > 0,
});

/** Two hosts behind gateways of the same kind, and a rendezvous server: do they come to talk (RFC 5128)? */
function holePunching(mapping: NatBehaviour, filtering: NatBehaviour): () => Simulation {
  return () => {
    const network = new Network({ seed: 1 });
    network.router("internet");
    network.host("rendezvous", { address: "192.0.2.1/24" });
    network.link("rendezvous", "internet", { delayNs: 5e6 });
    for (const [name, outer] of [["alice", "203.0.113.1"], ["bob", "198.51.100.1"]]) {
      network.host(name, { address: "192.168.1.2/24" });
      network.nat(`${name}s-nat`, {
        address: `${outer}/24`,
        insideAddress: "192.168.1.1",
        portAssignment: "random",
        mapping,
        filtering,
      });
      network.link(name, `${name}s-nat`, { delayNs: 1e6 });
      network.link(`${name}s-nat`, "internet", { delayNs: 10e6 });
    }
    const simulation = network.build();
    const known: Endpoint[] = [];
    const rendezvous = simulation.host("rendezvous").udp({ port: 3478 });
    rendezvous.on("message", (_hello, from) => {
      for (const other of known) {
        rendezvous.send(`${from.address} ${from.port}`, other);
        rendezvous.send(`${other.address} ${other.port}`, from);
      }
      known.push(from);
    });
    for (const name of ["alice", "bob"]) {
      const host = simulation.host(name);
      const socket = host.udp();
      socket.on("message", (bytes, from) => {
        if (from.address !== "192.0.2.1") return;
        const [address, port] = new TextDecoder().decode(bytes).split(" ");
        for (let i = 0; i < 4; i++) host.setTimeout(() => socket.send("hi", { address, port: Number(port) }), i * 1e8);
      });
      socket.send("hello", { address: "192.0.2.1", port: 3478 });
    }
    return simulation;
  };
}

const EI = "endpoint-independent";
const AD = "address-dependent";
const APD = "address-and-port-dependent";

/** NAT's features by name. */
export const NAT_FEATURES: Record<string, Feature> = {
  "nat-full-cone": { make: holePunching(EI, EI), shows: ({ drops }) => !drops.some(isNat) },
  "nat-restricted-cone": { make: holePunching(EI, AD), shows: ({ drops }) => drops.filter(isNat).length <= 2 },
  "nat-port-restricted-cone": { make: holePunching(EI, APD), shows: ({ drops }) => drops.filter(isNat).length <= 2 },
  "nat-symmetric": { make: holePunching(APD, APD), shows: ({ drops }) => drops.filter(isNat).length >= 6 },
  "nat-address-dependent-mapping": {
    make: () => behind({ mapping: AD, filtering: AD, portAssignment: "sequential" }, {}),
    shows: answered,
  },
  "nat-preservation": { make: () => behind({ portAssignment: "preservation" }, {}), shows: answered },
  "nat-random-ports": { make: () => behind({ portAssignment: "random" }, {}), shows: answered },
  "nat-arbitrary-pooling": {
    make: () => behind({ pooling: "arbitrary", pool: { first: "203.0.113.1", count: 3 }, mapping: APD }, {}),
    shows: answered,
  },
  "nat-overloading": {
    make: () =>
      behind({ mapping: APD, overloading: true, portLow: 2000, portHigh: 2007 }, { kind: "hold", connections: 20 }),
    shows: (trace) => trace.fact("connections.established") === 20,
  },
  "nat-pool-empty": refusing({ mapping: APD, portLow: 2000, portHigh: 2019 }, "pool-empty"),
  "nat-session-quota": refusing({ quotaSessions: 6 }, "quota"),
  "nat-port-blocks": refusing({ blocks: { size: 8 }, mapping: APD }, "block"),
  "nat-deterministic": refusing(
    { deterministic: { first: "10.0.0.2", count: 16 }, portLow: 1024, portHigh: 1151, mapping: APD },
    "block",
  ),
  "nat-hold-down": {
    make: () =>
      behind({
        holdDownNs: 120e9,
        portLow: 2000,
        portHigh: 2007,
        mapping: APD,
        tcpTransitoryNs: 5e9,
        onRefusal: "icmp",
      }, {
        connections: 30,
        arrivals: { kind: "rate", perSecond: 1 },
      }, 1),
    shows: (trace) => trace.fact("connections.failed.EHOSTUNREACH") > 0,
  },
  "nat-hairpin": {
    make: () =>
      behind({
        mapping: EI,
        filtering: EI,
        hairpinning: true,
        forwards: [{ protocol: "tcp", externalPort: 8080, address: "10.0.0.2", port: 8080 }],
      }, { kind: "hold", from: ["lan[1..3]"], to: ["203.0.113.1:8080"] }),
    shows: (trace) => trace.fact("connections.established") === 12,
  },
  "nat-port-forward": {
    make: () =>
      behind({ forwards: [{ protocol: "tcp", externalPort: 80, address: "10.0.0.3", port: 8080 }] }, {
        kind: "hold",
        from: ["web"],
        to: ["203.0.113.1:80"],
      }),
    shows: (trace) => trace.fact("connections.established") === 12,
  },
  "nat-unsolicited-syn": {
    make: () => behind({}, { from: ["web"], to: ["203.0.113.1:9999"], connections: 2 }),
    untilNs: 20e9,
    shows: (trace) => trace.icmpError,
  },
  "nat-idle-timeout": {
    make: () =>
      behind({ tcpEstablishedNs: 30e9, tcpTransitoryNs: 5e9 }, { requests: 2, thinkNs: 60e9, connections: 2 }),
    untilNs: 120e9,
    shows: (trace) => trace.mostSent > 1 && trace.fact("connections.repliesCompleted") < 4,
  },
  "nat-udp": {
    make: () =>
      behind({ mapping: EI, udpNs: 2e9 }, {
        transport: "udp",
        to: ["web:53"],
        requests: 2,
        thinkNs: 5e9,
        timeoutNs: 1e9,
      }),
    shows: (trace) => trace.fact("datagrams.answered") > 0,
  },
  "nat-behind-nat": {
    make: () => {
      const network = new Network({ seed: 1 });
      network.host("laptops", { address: "192.168.1.2/24", count: 6 });
      network.nat("homes", { count: 3, address: "100.64.0.2/10", insideAddress: "192.168.1.1" });
      network.nat("carrier", { address: "203.0.113.1/24", insideAddress: "100.64.0.1", blocks: { size: 16 } });
      network.host("web", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
      network.link("laptops", "homes", { delayNs: 1e6 });
      network.link("homes", "carrier", { delayNs: 3e6 });
      network.link("carrier", "web", { delayNs: 5e6 });
      network.workload({ name: "pages", kind: "request-response", from: ["laptops"], to: ["web:80"], connections: 12 });
      return network;
    },
    shows: answered,
  },
  "nat64": {
    make: () => {
      const network = new Network({ seed: 1 });
      network.host("phones", { address: "2001:db8:1::1/64", count: 3 });
      network.nat("gateway", { address: "203.0.113.1", nat64: "64:ff9b::/96", address6: "2001:db8:3::1" });
      network.router("isp", { address: "198.51.100.1" });
      network.host("web", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
      network.link("phones", "gateway", { delayNs: 5e6 });
      network.link("gateway", "isp", { delayNs: 1e6 });
      network.link("isp", "web", { delayNs: 1e6 });
      network.workload({
        name: "pages",
        kind: "request-response",
        from: ["phones"],
        to: ["[64:ff9b::c000:201]:80"],
        connections: 12,
      });
      return network;
    },
    shows: (trace) => answered(trace) && trace.ipv6 && trace.fact("connections.ipv4.attempts") === 0,
  },
};

function isNat(reason: string): boolean {
  return !["loss", "queue", "checksum", "mtu", "cpu"].includes(reason);
}
