/** Networks of everything that there is, drawn at random: every kind of node, workload and feature. */
import fc from "fast-check";
import { Network } from "../../../src/network/network.ts";
import type { NetworkEvent } from "../../../src/network/event_options.ts";
import type { LinkOptions, NatOptions, WorkloadOptions } from "../../../src/network/options.ts";
import type { ProxyOptions } from "../../../src/network/proxy_options.ts";
import type { BalancerServiceOptions } from "../../../src/network/balancer_options.ts";
import { registerModule } from "../../../src/network/modules.ts";
import type { Profile } from "../../../src/transport/profile.ts";

await registerModule(new URL("./chatter_module.ts", import.meta.url));

const evenInteger = (min: number, max: number) => fc.noBias(fc.integer({ min, max }));

/** Draws values, as `fc.gen()` gives it. */
export class Draw {
  readonly #g: fc.GeneratorValue;

  constructor(g: fc.GeneratorValue) {
    this.#g = g;
  }

  /** One of them. */
  one<T>(...values: T[]): T {
    return values[this.int(0, values.length - 1)];
  }

  /** True in one of `n` cases. */
  rarely(n: number): boolean {
    return this.#g(fc.nat, n - 1) === 0;
  }

  /** A whole number, small ones and those at the ends more often. */
  int(min: number, max: number): number {
    return this.#g(fc.integer, { min, max });
  }

  /** A whole number, all alike. */
  even(min: number, max: number): number {
    return this.#g(evenInteger, min, max);
  }
}

const CONTROLS = ["cubic", "reno", "bbr", "dctcp", "vegas"];

/** What few hosts have: each drawn in one of eight cases. */
const RARE: { [K in keyof Profile]?: Profile[K][] } = {
  tailLossProbe: [false],
  dsack: [false],
  forwardRtoRecovery: [false],
  slowStartAfterIdle: [false],
  moderateReceiveBuffer: [false],
  windowScaling: [false],
  timeWaitReuse: [true],
  timeWaitNs: [1e9, 2e9],
  thinLinearTimeouts: [true],
  rfc1337: [true],
  abortOnOverflow: [true],
  pathMtuDiscovery: [false],
  portScanFallback: [true],
  notSentLowBytes: [16_384],
  compressedAckDelayNs: [1e6],
  initialWindowSegments: [1, 30],
  delayedAckMs: [0, 200],
  retries2: [3],
  synRetries: [1, 3],
  retries1: [1],
  rtoMinMs: [50],
  finTimeoutMs: [1000],
  maxTimeWaits: [3],
  maxOrphans: [2],
  sendBufferInitialBytes: [20_000],
  ephemeralPortHigh: [32_790],
  mtuProbeIntervalSeconds: [1],
  challengeAckLimitPerSecond: [2],
  fastOpenBlackholeSeconds: [2],
  fastOpenKey: ["00112233-44556677-8899aabb-ccddeeff"],
  defaultTtl: [5],
};

function profile(d: Draw): Partial<Profile> {
  const rare = Object.fromEntries(
    Object.entries(RARE).filter(() => d.rarely(8)).map(([name, values]) => [name, d.one<unknown>(...values)]),
  );
  return {
    congestionControl: d.one(...CONTROLS),
    ecn: d.one("off", "on", "passive"),
    pacing: d.rarely(3),
    fastOpen: d.one(1, 0x403, 0x403, 0x605, 0),
    accounting: d.rarely(4),
    mtuProbing: d.one(0, 0, 1, 2),
    sack: !d.rarely(5),
    rack: !d.rarely(5),
    timestamps: !d.rarely(4),
    nagle: !d.rarely(4),
    portAllocation: d.one("linux", "host-wide", "rfc6056-1", "rfc6056-2", "rfc6056-3", "rfc6056-4", "rfc6056-5"),
    synCookies: d.one(0, 1, 2),
    receiveBufferBytes: d.one(131_072, 16_384),
    ...rare,
  };
}

function link(d: Draw): LinkOptions {
  const rated = d.rarely(2) ? { rateBps: d.one(2e6, 5e7, 1e9) } : {};
  const queued = "rateBps" in rated
    ? d.one<LinkOptions>(
      {},
      { queuePackets: 20 },
      { queueBytes: 30_000 },
      {
        queuePackets: 50,
        ecnThresholdPackets: 10,
      },
      { queueDiscipline: { kind: "codel", ecn: d.rarely(2) } },
      {
        queueDiscipline: { kind: "fq-codel", flows: 8, targetNs: 2e6, intervalNs: 20e6 },
        queuePackets: 60,
      },
      { queueDiscipline: { kind: "red", minThreshold: 5, maxThreshold: 20 }, queuePackets: 40 },
    )
    : {};
  const bad = d.rarely(2)
    ? d.one<LinkOptions>(
      { loss: 0.05 },
      { duplicate: 0.1 },
      { reorder: 0.1, reorderNs: 3e6 },
      { corrupt: 0.02 },
      { jitterNs: 2e6 },
      { loss: 0.02, duplicate: 0.02, reorder: 0.05, corrupt: 0.01, jitterNs: 5e5 },
    )
    : {};
  const other: LinkOptions = d.rarely(4)
    ? d.one<LinkOptions>(
      { reverse: { rateBps: 1e6, queueBytes: 20_000, ecnThresholdBytes: 6000, loss: 0.01 } },
      { delaySpreadSteps: 3, delaySpreadStepNs: 1e6 },
      { reverse: { delayNs: 3e6, mtu: 1300 } },
    )
    : {};
  return { delayNs: d.int(0, 10_000) * 1000, mtu: d.one(1500, 1500, 1400), ...rated, ...queued, ...bad, ...other };
}

function natOptions(d: Draw): Partial<NatOptions> {
  const behaviour = ["endpoint-independent", "address-dependent", "address-and-port-dependent"] as const;
  const mapping = d.one(...behaviour);
  const shared = d.one<Partial<NatOptions>>(
    {},
    {},
    { blocks: { size: 8, perSubscriber: 3 } },
    { quotaSessions: 5 },
    { maxSessions: 12 },
    { sessionsPerSecond: 20, sessionsBurst: 5 },
    { overloading: true, mapping: "address-and-port-dependent", filtering: "address-and-port-dependent" },
    { quotaPorts: 4 },
    { pooling: "arbitrary" },
    { blocks: { size: 4 }, log: "blocks", logFormat: "syslog" },
    { log: "sessions", logDestinations: true, holdDownPorts: 3, holdDownNs: 5e9 },
  );
  return {
    mapping,
    filtering: d.one(...behaviour),
    portAssignment: d.one("preservation", "sequential", "random"),
    onRefusal: d.one("drop", "icmp"),
    refresh: d.one("outbound", "both", "inbound"),
    hairpinning: !d.rarely(4),
    unsolicitedSyn: d.one("icmp", "drop"),
    ...d.one({}, {}, { tcpOpeningNs: 1e9, tcpClosingNs: 5e8 }),
    portLow: 1024,
    portHigh: d.one(65535, 1064),
    udpNs: 2e9,
    tcpEstablishedNs: d.one(5e9, 7440e9),
    tcpTransitoryNs: 2e9,
    tcpLoose: d.rarely(2),
    log: d.one("none", "none", "sessions") as NatOptions["log"],
    ...(d.rarely(3) ? { holdDownNs: 1e9, holdDownTcp: true } : {}),
    ...shared,
  };
}

function service(d: Draw): Omit<BalancerServiceOptions, "port" | "backends"> {
  const mode = d.one("nat", "full-nat", "direct-return") as BalancerServiceOptions["mode"];
  const algorithm = d.one("round-robin", "weighted-round-robin", "least-connections", "source-hash", "maglev");
  return {
    mode,
    algorithm: algorithm as BalancerServiceOptions["algorithm"],
    maglevTableSize: algorithm === "maglev" ? 251 : undefined,
    onBackendDown: d.one("silence", "reset"),
    health: d.one(undefined, { intervalNs: 5e8, fall: 1, rise: 1 }, {
      intervalNs: 3e8,
      timeoutNs: 1e8,
      fall: 2,
      rise: 2,
    }),
    connectionTable: mode === "full-nat" || !["source-hash", "maglev"].includes(algorithm) || !d.rarely(2),
    hashOn: d.one("address", "flow"),
  };
}

type Kind = Partial<WorkloadOptions> & { kind: WorkloadOptions["kind"]; to: string[] };

function workload(d: Draw, i: number): WorkloadOptions {
  const kind = d.one<Kind>(
    { kind: "request-response", to: ["web:443"], requests: 3, thinkNs: 2e7 },
    { kind: "request-response", to: ["web[0]:444"], requestBytes: 20_000, replyBytes: 70_000, requests: 2 },
    { kind: "request-response", to: ["www.example.com:443"] },
    { kind: "request-response", to: ["nowhere.example.com:443"] },
    { kind: "request-response", to: ["203.0.113.80:80"], requests: 2, thinkNs: 1e7 },
    { kind: "request-response", to: ["proxy:8080"], requests: 2 },
    { kind: "request-response", to: ["web:53"], transport: "udp", timeoutNs: 2e8, retries: 2 },
    { kind: "bulk", to: ["web:83"], bytes: 150_000 },
    { kind: "bulk", to: ["web:82"], bytes: 90_000, direction: "download", close: "server" },
    { kind: "hold", to: ["web:84"], holdNs: 3e8, holdDistribution: "exponential", keepAliveNs: 1e9 },
    { kind: "hold", to: ["gw:8443"], holdNs: 3e8 },
    { kind: "request-response", to: ["[64:ff9b::c000:201]:443"], from: ["phones"], requests: 2, thinkNs: 1e7 },
    { kind: "bulk", to: ["[64:ff9b::c000:202]:83"], from: ["phones"], bytes: 60_000 },
    { kind: "request-response", to: ["[64:ff9b::c000:201]:53"], from: ["phones"], transport: "udp", timeoutNs: 1e8 },
    { kind: "request-response", to: ["203.0.113.1:8443"], from: ["laptops"], close: "server" },
    { kind: "dns", to: ["www.example.com", "other.example.com"] },
    { kind: "syn-flood", to: ["web[0]:443"], spoof: "198.18.0.0/15" },
    { kind: "torrent", to: ["web:6881"], transport: "udp", requests: 2 },
    { kind: "torrent", to: ["web:6882"], requestBytes: 500, replyBytes: 3000, spread: d.one("permutation", "random") },
    { kind: "bulk", to: ["proxy:8080"], bytes: 20_000 },
    { kind: "request-response", to: ["203.0.113.80:5353"], transport: "udp", timeoutNs: 3e8, retries: 1 },
    { kind: "request-response", to: ["cgn-only.example.org:443"] },
    { kind: "hold", to: ["web:84"], holdNs: 2e8, close: "both", family: d.one("any", "ipv4"), keepAliveNs: 5e7 },
    {
      kind: "schedule",
      to: ["web:85"],
      connections: 4,
      atNs: [1e7, 2e7, 2e7, 4e8],
      fromPorts: [5001, 0, 5003],
      exchanges: [{ requestBytes: 300, replyBytes: 20_000, workNs: 1e7 }, {
        replyBytes: 500,
        thinkNs: 5e7,
        workNs: 3e7,
      }],
      holdNs: 1e8,
      close: d.one("client", "server"),
      ...d.one<Partial<WorkloadOptions>>({}, { reset: true }, { halfClose: true }, {
        halfClose: true,
        closeWaitNs: 2e8,
      }),
    },
  );
  const names = kind.to.some((to) => to.includes("example"));
  const sources = kind.kind === "syn-flood" || kind.kind === "schedule"
    ? ["direct"]
    : d.one(["laptops"], ["direct"], ["laptops", "direct"]);
  const happy = kind.transport === undefined && (names || kind.to[0].startsWith("web:")) && d.rarely(2);
  return {
    name: `w${i}`,
    from: sources,
    connections: d.int(1, 60),
    preferredFamily: d.one("ipv6", "ipv4"),
    ...(kind.kind === "request-response" && kind.transport === undefined && d.rarely(4)
      ? d.one<Partial<WorkloadOptions>>({ thinkDistribution: "exponential" }, { thinkDistribution: "uniform" })
      : {}),
    arrivals: kind.kind === "schedule" ? undefined : d.one<WorkloadOptions["arrivals"]>(
      { kind: "at-once", startNs: 1e7 },
      { kind: "rate", perSecond: 150 },
      { kind: "poisson", perSecond: 100 },
    ),
    ...(happy ? { happyEyeballs: true, attemptDelayNs: 2e7 } : {}),
    ...kind,
  };
}

/** Something that happens in the first second. */
function event(d: Draw): NetworkEvent {
  const atNs = d.int(1, 1000) * 1e6;
  return d.one<NetworkEvent>(
    { kind: "link", link: "core--web", atNs, delayNs: 4e6, rateBps: 5e6, queuePackets: 30 },
    { kind: "link", link: "direct--isp", atNs, loss: 0.1, jitterNs: 1e6 },
    { kind: "link", link: "isp--left", atNs, state: "down", convergenceNs: d.one(0, 2e8) },
    { kind: "link", link: "isp--left", atNs, cost: 5, convergenceNs: d.one(0, 2e8) },
    { kind: "node", node: "left", atNs, action: "reboot", downForNs: 2e8 },
    { kind: "node", node: d.one("gw", "web[1]", "lb", "direct"), atNs, action: "reboot" },
    { kind: "node", node: "web[2]", atNs, action: "down" },
    { kind: "nat", node: "gw", atNs, restart: true },
    { kind: "nat", node: "gw", atNs, timeouts: { tcpEstablishedNs: 6e9, udpNs: 1e9 } },
    { kind: "route", node: "core", atNs, to: "192.0.2.2", via: d.one("unreachable", "web[0]", "automatic") },
    { kind: "listener", node: "web", port: 443, atNs, action: d.one("open", "close") },
    { kind: "backend", balancer: "lb", backend: "web[0]:80", atNs, state: d.one("down", "drain", "up") },
    { kind: "workload", workload: "w0", atNs, action: d.one("start", "stop"), close: d.rarely(2) },
    { kind: "node", node: "web[1]", atNs, action: "reboot", downForNs: 3e8 },
    { kind: "link", link: "core--web", atNs, direction: d.one("forward", "reverse"), state: "down" },
    { kind: "link", link: "core--web", atNs, mtu: 1000 },
    { kind: "host", node: "web[0]", atNs, maxFiles: 12, memoryBytes: 150_000 },
    { kind: "listener", node: "web", port: 53, protocol: "udp", atNs, action: d.one("open", "close") },
    { kind: "listener", node: "web", port: 443, atNs, backlog: 2 },
    { kind: "link", link: "core--web", atNs, queuePackets: 5, ecnThresholdPackets: 2 },
    { kind: "profile", node: "web", atNs, set: { somaxconn: 3, synCookies: 2, ecn: "on" } },
    { kind: "profile", node: "direct", atNs, set: { congestionControl: d.one(...CONTROLS), sack: false } },
  );
}

/** Homes behind NATs (behind a carrier's, perhaps), and servers with all that there is in front of them. */
export function anyNetwork(d: Draw): Network {
  const network = new Network({ seed: d.int(1, 1000), numbering: { skip: d.int(0, 40), reversed: d.rarely(2) } });
  const cgn = d.rarely(3);
  const dual = d.rarely(2);
  const lb = service(d);
  const six = (prefix: string) => dual ? { address6: `2001:db8:${prefix}::1/64` } : {};
  const hosts = d.int(1, 6);
  const cpu = () =>
    d.rarely(3)
      ? {
        cores: d.int(1, 2),
        perPacketNs: 20_000,
        perRequestNs: 100_000,
        queuePackets: 50,
        ...d.one({}, { perByteNs: 10, perAcceptNs: 200_000, perConnectNs: 50_000 }),
      }
      : undefined;
  const resolver = d.one<string | { servers: string[]; cache?: boolean; timeoutNs?: number }>(
    "isp-dns",
    { servers: ["ns"], cache: false },
    { servers: ["192.0.2.2", "ns"], timeoutNs: 2e8 },
  );
  network.host("laptops", {
    address: "192.168.1.2/24",
    count: hosts * 2,
    profile: profile(d),
    resolver,
    ...six("1"),
    maxFiles: d.one(Infinity, 8),
  });
  network.host("direct", { address: "10.9.0.1/16", count: 4, profile: profile(d), resolver, cpu: cpu(), ...six("9") });
  network.nat("gw", {
    address: "203.0.113.1/24",
    insideAddress: "192.168.1.1",
    ...(dual ? { ipv6: "route" } : {}),
    ...natOptions(d),
    forwards: [{ protocol: "tcp", externalPort: 8443, address: "192.168.1.2", port: 22 }],
  });
  if (cgn) network.nat("cgn", { address: "100.99.0.1", ...(dual ? { ipv6: "route" } : {}), ...natOptions(d) });
  const { overloading: _, mapping: _m, filtering: _f, ...nat64 } = natOptions(d);
  network.host("phones", { address: "2001:db8:64::1/64", count: 3, profile: profile(d) });
  network.nat("nat64", { address: "203.0.113.65", address6: "2001:db8:65::1", nat64: "64:ff9b::/96", ...nat64 });
  network.router("isp", { address: "198.51.100.1" });
  network.router("left", { ecmp: "modulo" });
  network.router("right");
  network.router("core", { ecmp: d.one("resilient", "modulo") });
  const web = profile(d);
  network.host("web", {
    address: "192.0.2.1/24",
    count: 3,
    ...six("2"),
    profile: { ...web, maxSynBacklog: d.one(4096, 8), somaxconn: d.one(4096, 4) },
    cpu: cpu(),
    memoryBytes: d.one(Infinity, 200_000),
    listen: [
      { port: 444 },
      { port: 443, service: { kind: "respond" }, acceptIntervalNs: d.one(0, 1e6), backlog: d.one(4096, 4) },
      { port: 80, service: { kind: "respond" } },
      { port: 81, service: { kind: "respond" } },
      { port: 83 },
      { port: 82 },
      { port: 84 },
      { port: 22 },
      { port: 53, protocol: "udp" },
      { port: 6881, protocol: "udp" },
      { port: 6882 },
      { port: 85 },
      { port: 5353, protocol: "udp" },
      { port: 86, service: { kind: d.one("echo", "source", "sink"), bytes: 30_000, closeAfterNs: 1e7 } },
    ],
    ...(lb.mode === "direct-return" ? { virtualAddresses: ["203.0.113.80"] } : {}),
  });
  network.balancer("lb", {
    address: "203.0.113.79",
    services: [
      {
        address: "203.0.113.80",
        port: 80,
        ...lb,
        backends: d.one<BalancerServiceOptions["backends"]>(["web:80"], [
          { to: "web[0]:80", weight: 3 },
          { to: "web[1..2]:80", weight: 1 },
        ]),
      },
      { address: "203.0.113.80", port: 5353, protocol: "udp", backends: ["web:5353"], mode: lb.mode, hashOn: "flow" },
    ],
    maxFlows: d.one(undefined, undefined, 6),
    ...(lb.mode === "full-nat" ? { sources: { first: "203.0.113.90", count: 2 } } : {}),
    udpNs: 1e9,
    portLow: 2000,
    portHigh: d.one(65535, 2010),
    finNs: 1e9,
    closedNs: 5e8,
  });
  const kind = d.one<NonNullable<ProxyOptions["kind"]>>("stream", "request");
  network.host("proxy", {
    address: "192.0.2.200",
    proxy: {
      port: 8080,
      backends: ["web:81"],
      kind,
      algorithm: d.one("round-robin", "least-connections", "weighted-round-robin"),
      ...d.one<Partial<ProxyOptions>>({}, { maxConnections: 2 }, { maxConnections: 3, maxWaiting: 10 }, {
        keepAlive: kind === "request",
        multiplex: kind === "request" ? 3 : undefined,
        maxConnections: 2,
      }),
    },
  });
  network.host("ns", {
    address: "192.0.2.53",
    dns: {
      records: {
        "www.example.com": ["web"],
        "other.example.com": { alias: "www.example.com", ttlNs: 1e9 },
        "cgn-only.example.org": ["web[1]", "web[2]"],
      },
      order: d.one("rotate", "random", "fixed"),
      ttlNs: d.one(1e9, 300e9),
    },
  });
  network.host("isp-dns", {
    address: "192.0.2.54",
    dns: { forward: "ns", forwardOrder: d.one("fixed", "rotate", "random"), negativeTtlNs: 1e9 },
  });
  const uplink = cgn ? "cgn" : "isp";
  network.link("laptops", "gw", link(d));
  network.link("gw", uplink, link(d));
  if (cgn) network.link("cgn", "isp", link(d));
  network.link("direct", "isp", link(d));
  network.link("phones", "nat64", link(d));
  network.link("nat64", "isp", link(d));
  network.link("isp", "left", { delayNs: 1e6 });
  network.link("isp", "right", { delayNs: 1e6 });
  network.link("left", "core", { delayNs: 1e6 });
  network.link("right", "core", { delayNs: 1e6 });
  network.link("core", "web", link(d));
  for (const name of ["lb", "proxy", "ns", "isp-dns"]) network.link("core", name, { delayNs: 5e5 });
  if (d.rarely(2)) {
    const options = {
      to: ["192.0.2.1", "192.0.2.2", "198.18.255.1"],
      port: 7,
      connections: d.int(1, 8),
      fastOpen: true,
    };
    network.application({ name: "echo", application: "test-echo", on: ["web"], options });
    network.application({
      name: "talk",
      application: "test-talk",
      on: [d.one("laptops", "direct")],
      options,
      startNs: 1e6,
    });
  }
  const count = d.int(1, 4);
  for (let i = 0; i < count; i++) network.workload(workload(d, i));
  for (let left = d.rarely(2) ? d.int(1, 3) : 0; left > 0; left--) network.event(event(d));
  if (d.rarely(4)) network.probe({ name: "p", kind: d.one("ping", "traceroute"), from: "direct[0]", to: "web[0]" });
  return network;
}
