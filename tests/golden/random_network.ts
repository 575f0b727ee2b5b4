/** Networks at random: node kinds, links and their impairments, profiles, workloads, gateways, balancers, names. */
import fc from "fast-check";
import { Network } from "../../src/network/network.ts";
import type { NetworkDocument } from "../../src/network/document.ts";

const profile = fc.record({
  congestionControl: fc.constantFrom("reno", "cubic", "bbr", "dctcp", "vegas"),
  sack: fc.boolean(),
  timestamps: fc.boolean(),
  rack: fc.boolean(),
  ecn: fc.constantFrom("off", "on", "passive"),
  pacing: fc.boolean(),
  nagle: fc.boolean(),
  synCookies: fc.constantFrom(0, 1, 2),
  timeWaitReuse: fc.boolean(),
  mtuProbing: fc.constantFrom(0, 1, 2),
  initialWindowSegments: fc.integer({ min: 1, max: 20 }),
  delayedAckMs: fc.constantFrom(0, 40, 200),
  receiveBufferBytes: fc.constantFrom(8192, 65_536, 131_072),
  ephemeralPortHigh: fc.constantFrom(32_771, 33_000, 60_999),
  portAllocation: fc.constantFrom("linux", "host-wide"),
}, { requiredKeys: [] });

const share = (max: number) => fc.integer({ min: 0, max: 100 }).map((n) => (n * max) / 100);

const link = fc.record({
  rateBps: fc.constantFrom(2e6, 20e6, 1e9),
  delayNs: fc.integer({ min: 1000, max: 40e6 }),
  jitterNs: fc.constantFrom(0, 100e3, 5e6),
  mtu: fc.constantFrom(1500, 1500, 1400, 1280),
  queuePackets: fc.constantFrom(5, 50, 1000),
  ecnThresholdPackets: fc.constantFrom(2, 20),
  loss: share(0.05),
  duplicate: share(0.03),
  reorder: share(0.05),
  reorderNs: fc.constantFrom(1e6, 10e6),
  corrupt: share(0.02),
}, { requiredKeys: ["rateBps", "delayNs"] });

const behaviour = fc.constantFrom("endpoint-independent", "address-dependent", "address-and-port-dependent");

const nat = fc.record({
  mapping: behaviour,
  filtering: behaviour,
  portAssignment: fc.constantFrom("preservation", "sequential", "random"),
  pooling: fc.constantFrom("paired", "arbitrary"),
  portHigh: fc.constantFrom(1039, 1100, 65_535),
  blocks: fc.record({ size: fc.constantFrom(2, 8) }),
  holdDownNs: fc.constantFrom(1e9, 120e9),
  quotaSessions: fc.constantFrom(2, 10),
  tcpTransitoryNs: fc.constantFrom(5e9, 240e9),
  udpNs: fc.constantFrom(1e9, 300e9),
  onRefusal: fc.constantFrom("drop", "icmp"),
}, { requiredKeys: [] });

const workload = fc.record({
  kind: fc.constantFrom("hold", "request-response", "bulk", "torrent"),
  transport: fc.constantFrom("tcp", "tcp", "udp"),
  connections: fc.integer({ min: 1, max: 40 }),
  bytes: fc.integer({ min: 1, max: 60_000 }),
  requestBytes: fc.integer({ min: 1, max: 5000 }),
  replyBytes: fc.integer({ min: 1, max: 20_000 }),
  requests: fc.integer({ min: 1, max: 4 }),
  thinkNs: fc.constantFrom(0, 30e6, 1e9),
  holdNs: fc.constantFrom(0, 200e6),
  close: fc.constantFrom("client", "server", "both"),
  direction: fc.constantFrom("upload", "download"),
  arrivals: fc.oneof(
    fc.constant({ kind: "at-once" }),
    fc.record({ kind: fc.constantFrom("rate", "poisson"), perSecond: fc.constantFrom(20, 1000) }),
  ),
  destination: fc.nat(3),
  ipv6: fc.boolean(),
});

const shape = fc.record({
  seed: fc.nat(1e6),
  clients: fc.integer({ min: 1, max: 6 }),
  middle: fc.constantFrom("router", "nat", "homes"),
  profiles: fc.tuple(profile, profile),
  links: fc.tuple(link, link, link),
  nat,
  mode: fc.constantFrom("nat", "direct-return", "full-nat"),
  algorithm: fc.constantFrom("round-robin", "least-connections", "source-hash", "maglev"),
  workloads: fc.array(workload, { minLength: 1, maxLength: 3 }),
  cpu: fc.option(fc.record({ perPacketNs: fc.constantFrom(5e3, 200e3), queuePackets: fc.constantFrom(4, 100) })),
});

/** A kind of value that `fc.record` made, as the network's options want it. */
// deno-lint-ignore no-explicit-any
const asOptions = (value: object): any => value;

/** clients -- (router, gateway or homes) -- core -- web, back ends behind a balancer, a name server. */
function declare(from: typeof shape extends fc.Arbitrary<infer T> ? T : never): NetworkDocument {
  const network = new Network({ seed: from.seed });
  const ipv6 = from.middle === "router";
  network.host("clients", {
    count: from.clients,
    address: "192.168.1.2/24",
    address6: ipv6 ? "2001:db8:1::1/64" : undefined,
    profile: asOptions(from.profiles[0]),
    resolver: "ns",
  });
  const outer = { address: "203.0.113.1/24", insideAddress: "192.168.1.1", ...asOptions(from.nat) };
  if (from.middle === "router") network.router("middle", { address6: "2001:db8:3::1" });
  else network.nat("middle", { ...outer, count: from.middle === "homes" ? from.clients : 1 });
  network.router("core", { address: "198.18.0.1", address6: "2001:db8:4::1" });
  // (Each workload has its own port: what a port does follows from what is asked of it.)
  const ports = [0, 1, 2];
  const listen = ports.flatMap((i) => [{ port: 80 + i }, { port: 53 + i, protocol: "udp" as const }]);
  network.host("web", {
    count: 2,
    address: "192.0.2.1/24",
    address6: ipv6 ? "2001:db8:2::1/64" : undefined,
    profile: asOptions(from.profiles[1]),
    listen,
    cpu: from.cpu ?? undefined,
  });
  const virtual = "192.0.2.80";
  network.host("pool", {
    count: 3,
    address: "198.51.100.1/24",
    listen: ports.map((i) => ({ port: 80 + i })),
    virtualAddresses: from.mode === "direct-return" ? [virtual] : undefined,
  });
  network.balancer("lb", {
    address: "192.0.2.70",
    services: ports.map((i) => ({
      address: virtual,
      port: 80 + i,
      backends: [`pool:${80 + i}`],
      ...asOptions({ mode: from.mode, algorithm: from.algorithm }),
    })),
  });
  network.host("ns", { address: "192.0.2.53/24", dns: { records: { "www.example.com": { addresses: ["web"] } } } });
  network.link("clients", "middle", asOptions(from.links[0]));
  network.link("middle", "core", asOptions(from.links[1]));
  network.link("core", "web", asOptions(from.links[2]));
  for (const name of ["pool", "lb", "ns"]) network.link("core", name, { delayNs: 1e6, rateBps: 1e9 });
  from.workloads.forEach(({ destination, ipv6: six, transport, ...rest }, i) => {
    const udp = transport === "udp" && (rest.kind === "request-response" || rest.kind === "torrent");
    const host = ["web", "web[0]", virtual, "www.example.com"][destination];
    const to = udp ? `web:${53 + i}` : `${host}:${80 + i}`;
    network.workload({
      name: `w${i}`,
      from: ["clients"],
      to: [to],
      ...asOptions(udp ? { ...rest, transport, close: undefined, timeoutNs: 500e6 } : rest),
      family: six && ipv6 && destination < 2 ? "ipv6" : undefined,
    });
  });
  return network.toJSON();
}

/** Networks that can be built, as plain data. */
export const randomNetwork: fc.Arbitrary<NetworkDocument> = shape.map(declare);
