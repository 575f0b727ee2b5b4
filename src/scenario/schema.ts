/**
 * What a scenario file may say: the one source of its types, its validation and its JSON Schema
 * (`schema/scenario.schema.json`). Values are in a person's units here and in base units once read.
 *
 * @module
 */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { LONGEST_RUN_NS } from "../network/options.ts";
import { MOST_EXCHANGE_BYTES } from "../network/workloads_schedule.ts";
import { PORT_ALLOCATIONS } from "../transport/profile.ts";
import * as f from "./fields.ts";
import { balancerSchema, proxySchema } from "./schema_balancer.ts";
import { captureSchema } from "./schema_capture.ts";
import { datagramFields, dnsSchema, portWithProtocol, resolverSchema } from "./schema_dns.ts";
import { dumpSchema, seriesSchema } from "./schema_looks.ts";
import { eventsSchema } from "./schema_events.ts";
import { budgetSettings, cpuSchema } from "./schema_host.ts";
import { natSchema } from "./schema_nat.ts";
import { probeSchema } from "./schema_probes.ts";

const ECMP = ["off", "modulo", "resilient"] as const;

const NAME = "^[A-Za-z_][A-Za-z0-9_-]*$";

/** Names of nodes and profiles: they must survive `a.b`, `a[0]` and `a:80`. */
function named<T extends z.ZodType>(value: T): z.ZodRecord<z.ZodString, T> {
  return z.record(
    z.string().regex(new RegExp(NAME), { error: "expected a name of letters, digits, - and _" }),
    value,
    { error: "expected a map from names to settings" },
  );
}

const profileSchema = f.fields({
  ephemeralPorts: f.portRange.optional().describe(
    "Ports that outgoing connections take (net.ipv4.ip_local_port_range). Default 32768-60999: 28,232 ports.",
  ),
  portAllocation: f.choice(PORT_ALLOCATIONS).optional().describe(
    "How they are chosen: Linux's way, RFC 6056's algorithms 1 to 5, or host-wide (one port is never used twice). Default linux.",
  ),
  portScanFallback: f.flag.optional().describe(
    "RFC 6056 algorithms 2 and 5 may give up although a port is free; true lets them scan on. Default false.",
  ),
  portTableBits: f.whole(1, 16).optional().describe("RFC 6056 algorithm 4: bits of its table's index. Default 10."),
  portMaxIncrement: f.whole(1, 65535).optional().describe("RFC 6056 algorithm 5: largest increment N. Default 500."),
  timeWait: f.timer.optional().describe("How long a closed connection stays in TIME-WAIT. Default 60s."),
  timeWaitReuse: f.flag.optional().describe(
    "A new connection may take over the host's own TIME-WAIT tuple (net.ipv4.tcp_tw_reuse, RFC 6191). Default false.",
  ),
  synRetries: f.whole(0, 255).optional().describe("Repeated SYNs before ETIMEDOUT (tcp_syn_retries). Default 6."),
  synAckRetries: f.whole(0, 255).optional().describe("Repeated SYN-ACKs (tcp_synack_retries). Default 5."),
  retries2: f.whole(0, 255).optional().describe("Repeated data before ETIMEDOUT (tcp_retries2). Default 15."),
  orphanRetries: f.whole(0, 255).optional().describe("The same, once the application is gone. Default 8."),
  rtoInitial: f.milliseconds.optional().describe("Retransmission timeout before anything was measured. Default 1s."),
  rtoMin: f.milliseconds.optional().describe("Least retransmission timeout. Default 200ms (Linux; RFC 6298 says 1s)."),
  rtoMax: f.milliseconds.optional().describe("Greatest retransmission timeout. Default 2m."),
  delayedAck: f.milliseconds.optional().describe("How long an acknowledgement may wait, below 500ms. Default 40ms."),
  keepAliveIdle: f.milliseconds.optional().describe(
    "Idle time before the first keep-alive probe of connections that ask for them. Default 2h.",
  ),
  keepAliveInterval: f.milliseconds.optional().describe("Time between keep-alive probes. Default 75s."),
  keepAliveProbes: f.whole(1, 127).optional().describe("Unanswered probes before ETIMEDOUT. Default 9."),
  finTimeout: f.milliseconds.optional().describe("How long an orphan waits in FIN-WAIT-2. Default 60s."),
  receiveBuffer: f.bytes(1).optional().describe("Receive buffer of a connection. Default 128KiB."),
  sendBuffer: f.bytes(1).optional().describe("Send buffer of a connection. Default 4MiB."),
  timestamps: f.flag.optional().describe("TCP timestamps (RFC 7323). Default true."),
  windowScaling: f.flag.optional().describe("Window scaling (RFC 7323). Default true."),
  sack: f.flag.optional().describe("Selective acknowledgements (RFC 2018). Default true."),
  congestionControl: f.congestionControl.optional().describe(
    "Congestion control (tcp_congestion_control): reno, cubic, dctcp, bbr, vegas, or one that was registered. Default cubic.",
  ),
  ecnFallback: f.flag.optional().describe("A repeated SYN no longer asks for ECN (tcp_ecn_fallback). Default true."),
  ecn: f.choice(["off", "on", "passive"]).optional().describe(
    "ECN (tcp_ecn): never, asked for and granted, or granted only. Default passive.",
  ),
  dsack: f.flag.optional().describe("Report duplicate segments (tcp_dsack, RFC 2883). Default true."),
  rack: f.flag.optional().describe("Find losses by time (tcp_recovery, RFC 8985). Default true."),
  tailLossProbe: f.flag.optional().describe(
    "Probe for the loss of a tail (tcp_early_retrans, RFC 8985). Default true.",
  ),
  forwardRtoRecovery: f.flag.optional().describe("Detect needless timeouts (tcp_frto, RFC 5682). Default true."),
  reordering: f.whole(1, 300).optional().describe(
    "Segments that reordering may displace before a loss is assumed (tcp_reordering). Default 3.",
  ),
  slowStartAfterIdle: f.flag.optional().describe(
    "Shrink the window after an idle time (tcp_slow_start_after_idle). Default true.",
  ),
  pacing: f.flag.optional().describe("Space segments out, as the fq queue does. Default false."),
  fastOpen: f.whole(0, 0xffffffff).optional().describe(
    "TCP Fast Open (tcp_fastopen, RFC 7413): sum of bits. Default 1.",
  ),
  fastOpenKey: f.text("32 hexadecimal digits as 8-8-8-8").optional().describe(
    "Key of its cookies (tcp_fastopen_key). Default: from the seed and the host's name.",
  ),
  synCookies: f.whole(0, 2).optional().describe(
    "SYN cookies (tcp_syncookies): 0 never, 1 when full, 2 always. Default 1.",
  ),
  maxSynBacklog: f.whole(0, 2 ** 31 - 1).optional().describe(
    "Half-open connections (tcp_max_syn_backlog). Default 4096.",
  ),
  receiveBufferMax: f.bytes(1, 2 ** 30).optional().describe("What a receive buffer grows to (tcp_rmem). Default 6MiB."),
  moderateReceiveBuffer: f.flag.optional().describe("Let it grow (tcp_moderate_rcvbuf). Default true."),
  sendBufferInitial: f.bytes(1, 2 ** 30).optional().describe(
    "What a send buffer begins with (tcp_wmem). Default 4MiB.",
  ),
  notSentLow: f.bytes().optional().describe(
    "Unsent bytes above which a socket is not writable (tcp_notsent_lowat). Default unlimited.",
  ),
  mtuProbing: f.whole(0, 2).optional().describe(
    "Probe for the path MTU (tcp_mtu_probing, RFC 4821): 0 never, 1 after a black hole, 2 always. Default 0.",
  ),
  minPathMtu: f.bytes(68, 65535).optional().describe("Least path MTU that is believed (route.min_pmtu). Default 68."),
  pathMtuDiscovery: f.flag.optional().describe("Path MTU discovery (RFC 1191). Default true."),
  rfc1337: f.flag.optional().describe("A reset does not end TIME-WAIT (tcp_rfc1337). Default false."),
  synLinearTimeouts: f.whole(0, 127).optional().describe(
    "First repeated SYNs that are not backed off (tcp_syn_linear_timeouts). Default 0.",
  ),
  retries1: f.whole(0, 255).optional().describe("Repeated data before the route is doubted (tcp_retries1). Default 3."),
  accounting: f.flag.optional().describe("Count what TCP_INFO shows; costs memory. Default false."),
  initialWindow: f.whole(1, 65535).optional().describe("Initial congestion window, segments. Default 10."),
  somaxconn: f.whole(0, 2 ** 31 - 1).optional().describe("Ceiling of every backlog. Default 4096."),
  abortOnOverflow: f.flag.optional().describe(
    "A full accept queue answers with a reset, not with silence. Default false.",
  ),
  nagle: f.flag.optional().describe("Small segments wait for acknowledgements. Default true."),
  challengeAckLimit: f.whole(0, 2 ** 31 - 1).optional().describe(
    "Challenge ACKs in a second (RFC 5961). Default 1000.",
  ),
  ...budgetSettings,
  ttl: f.whole(1, 255).optional().describe("TTL or hop limit of packets sent. Default 64."),
}, "a map of settings").meta({ id: "profile", description: "Settings that hosts share, like sysctls." });

/** Requests of a connection are counted in 27 bits. */
const MOST_REQUESTS = 2 ** 27 - 1;

const serviceSchema = f.fields({
  kind: f.choice(["respond", "source", "sink", "echo", "hold"]).describe(
    "respond: answer every request; source: send on accept; sink: read all; echo: send it back; hold: say nothing.",
  ),
  request: f.bytes(1, f.MESSAGE_BYTES).optional().describe("respond: bytes of one request. Default 100."),
  reply: f.bytes(0, f.MESSAGE_BYTES).optional().describe("respond: bytes of one reply. Default 1000."),
  bytes: f.bytes().optional().describe(
    "source: bytes to send. sink: bytes to read before closeAfter begins. Default 0.",
  ),
  answers: f.whole(1, MOST_REQUESTS).optional().describe("respond: answers after which closeAfter begins. Default 1."),
  closeAfter: f.duration.optional().describe(
    "The server closes so long after its work: the last answer, or the last byte sent or read; hold and echo: after accepting. Default never.",
  ),
}, "a service such as { kind: respond, request: 100, reply: 1000 }");

const listenSchema = z.union([
  portWithProtocol,
  f.fields({
    port: f.port.describe("The port."),
    protocol: f.choice(["tcp", "udp"]).optional().describe("Default tcp. A UDP port answers, echoes, or sinks."),
    address: f.address.optional().describe(
      "One of the host's addresses, 0.0.0.0 for all of IPv4, :: for all of both families. Default any.",
    ),
    ipv6Only: f.flag.optional().describe("With ::, IPv6 alone (IPV6_V6ONLY). Default false."),
    backlog: f.whole(0, 2 ** 31 - 1).optional().describe("Length of the accept queue (capped by somaxconn)."),
    acceptEvery: f.duration.optional().describe("The application takes one connection in this time. Default at once."),
    service: serviceSchema.optional().describe("What it does with a connection. Default: what its clients need."),
  }, "a port such as 443, or { port: 443, backlog: 128 }"),
], { error: "expected a port such as 443, or { port: 443, backlog: 128 }" });

const hostSchema = f.fields({
  kind: z.literal("host").describe("An end of connections."),
  count: f.count,
  address: f.addressInSubnet.describe("Address and prefix length. A population takes consecutive addresses from it."),
  address6: f.addressInSubnet.optional().describe(
    "An IPv6 address beside the IPv4 one, and its prefix length. A population takes consecutive addresses from it.",
  ),
  ipv6Share: f.share.optional().describe("Share of a population's members that have an IPv6 address. Default 100%."),
  extraAddresses: f.list(f.address, "addresses").optional().describe("More addresses of this one host."),
  virtualAddresses: f.list(f.address, "addresses").optional().describe(
    "Addresses that others may have too: anycast, or those of a balancer in direct-return mode.",
  ),
  profile: z.union([f.text("a profile's name"), profileSchema], { error: "expected a profile's name or its settings" })
    .optional().describe("A profile's name, or settings. Default: Linux's."),
  proxy: proxySchema.optional().describe("A proxy that runs on it."),
  listen: f.list(listenSchema, "ports").optional().describe("Listening ports."),
  maxFiles: f.whole(0, 2 ** 31 - 1).optional().describe("Open sockets at most; EMFILE beyond. Default unlimited."),
  memory: f.bytes().optional().describe("Memory for sockets; ENOBUFS beyond. Default unlimited."),
  dns: dnsSchema.optional().describe("A DNS server on it."),
  resolver: resolverSchema.optional().describe("Whom it asks for the addresses of names. Default nobody."),
  cpu: cpuSchema.optional().describe("What its work costs. Default: it takes no time."),
}, "a host");

const routerSchema = f.fields({
  kind: z.literal("router").describe("Forwards packets."),
  count: f.count,
  address: f.address.optional().describe("Source of its ICMP errors. Default 192.0.0.8."),
  address6: f.addressInSubnet.optional().describe("An IPv6 address beside the IPv4 one: source of its ICMPv6 errors."),
  ecmp: f.choice(ECMP).optional().describe(
    "Paths that share flows. modulo: all of the least cost; resilient: the same, and a path that goes away moves only its own flows; off: one path. Default: those of equal cost and delay, as modulo.",
  ),
}, "a router");

const nodeSchema = z.discriminatedUnion("kind", [hostSchema, routerSchema, natSchema, balancerSchema], {
  error: "expected a host, a router, a nat or a balancer, such as { kind: host, address: 192.0.2.1/24 }",
});

const queueSchema = z.union([
  f.queueLimit,
  f.fields({
    discipline: f.choice(["codel", "fq-codel", "red"]).describe(
      "codel: RFC 8289. fq-codel: RFC 8290. red: Floyd and Jacobson 1993, gentle.",
    ),
    limit: f.queueLimit.optional().describe("Beyond it is dropped. Default 1000 packets; fq-codel: 10240 packets."),
    ecn: f.flag.optional().describe("Mark ECN-capable packets instead of dropping early. Default: with fq-codel."),
    target: f.duration.optional().describe("codel, fq-codel: delay that a standing queue may have. Default 5ms."),
    interval: f.duration.optional().describe("codel, fq-codel: how long it may have more. Default 100ms."),
    flows: f.whole(1, 65_536).optional().describe("fq-codel: queues that flows are hashed onto. Default 1024."),
    quantum: f.bytes(1).optional().describe("fq-codel: what a flow may send in its turn. Default the MTU."),
    min: f.queueLimit.optional().describe(
      "red: average length below which nothing is dropped. Default a third of max.",
    ),
    max: f.queueLimit.optional().describe("red: average length from which much is. Default a quarter of the limit."),
    probability: f.share.optional().describe("red: share dropped at max; at twice max, all are. Default 2%."),
    weight: f.share.optional().describe("red: share of a packet in the average. Default 0.2%."),
  }, "a queue such as { discipline: fq-codel, limit: 10240 packets }").refine(
    ({ limit = { packets: 0 }, min, max }) =>
      [min, max].every((one) => one === undefined || "packets" in one === "packets" in limit),
    { error: "expected min and max in the limit's unit: all in packets, or all in bytes" },
  ),
], { error: "expected a queue such as 1000 packets, 64KiB or { discipline: fq-codel }" });

const direction = {
  rate: f.bitRate.optional().describe("Bits per second each way. Default unlimited."),
  delay: f.duration.optional().describe("Propagation delay each way. Default 0."),
  mtu: f.bytes(68).optional().describe("Largest IP packet. Default 1500."),
  queue: queueSchema.optional().describe(
    "What may wait for the link: 1000 packets, 64KiB, or { discipline: fq-codel }. Default unlimited.",
  ),
  ecnThreshold: f.queueLimit.optional().describe(
    "With so much waiting, ECN-capable packets that come are marked: 65 packets, or 100KiB. Default never.",
  ),
  loss: f.share.optional().describe("Share of packets lost."),
  duplicate: f.share.optional().describe("Share of packets sent twice."),
  reorder: f.share.optional().describe("Share of packets held back, so that later ones overtake them."),
  reorderBy: f.duration.optional().describe("How long they are held back. Default 1ms."),
  corrupt: f.share.optional().describe("Share of packets with one bit flipped."),
  jitter: f.duration.optional().describe("Delay varies evenly between 0 and this much more."),
};

const linkEnd = f.oneOrMore(f.text("a node such as clients"), "a node such as clients, or a list of nodes");

const linkSchema = f.fields({
  name: f.text("a name").optional().describe("Default: its ends, a--b. Two links between the same nodes need names."),
  between: z.tuple([linkEnd, linkEnd], {
    error: "expected two nodes such as [clients, r1]",
  }).describe(
    "Its two ends. At a NAT: [inner node, nat] or [nat, outer node]. Of populations, one link each. An end may be a " +
      "list: [[clients, server], r1] is two links.",
  ),
  ...direction,
  delaySpread: f.fields({
    steps: f.whole(1).describe("How many different delays."),
    step: f.duration.describe("From one to the next."),
  }, "a spread such as { steps: 4000, step: 1us }").optional().describe(
    "Member i of a population has (i * 7919) mod steps times step more delay.",
  ),
  reverse: f.fields(direction, "settings of the other direction").optional().describe(
    "The other direction, where it differs.",
  ),
  cost: f.whole(1, 65535).optional().describe("What it adds to the cost of a path. Default 1."),
  inside: f.flag.optional().describe("Does the link lead to the inner side of the NAT at its end?"),
  subnet: f.subnet.optional().describe("Both ends' addresses must lie in it."),
}, "a link such as { between: [clients, r1], delay: 5ms }");

const arrivalsSchema = z.union([
  z.literal("at-once"),
  f.fields({
    kind: f.choice(["at-once", "rate", "poisson"]).describe("All together, evenly, or as a Poisson process."),
    rate: f.perSecond.optional().describe("New connections in a time: 1000/s."),
    start: f.duration.optional().describe("When the first may begin. Default 0."),
  }, "arrivals such as { kind: rate, rate: 1000/s }"),
], { error: "expected at-once, or arrivals such as { kind: rate, rate: 1000/s }" });

const workload = {
  name: f.text("a name").describe("Unique; names the workload's random numbers."),
  from: f.oneOrMore(f.text("a host such as clients, clients[3] or clients[0..9]"), "hosts such as clients or [a, b]")
    .describe("Hosts that connect: a population, a member clients[3], members clients[0..9]. They take turns."),
  to: f.oneOrMore(f.text("a host and port such as server:443"), "destinations such as server:443").describe(
    "Destinations, host:port. They take turns.",
  ),
  connections: f.whole(1).describe("Connections in all."),
  family: f.choice(["any", "ipv4", "ipv6"]).optional().describe(
    "Which addresses of a destination are connected to: of one family, or any that both ends have. Default any.",
  ),
  preferredFamily: f.choice(["ipv6", "ipv4"]).optional().describe(
    "Of both families the one that is taken, or (happyEyeballs) tried first. Default ipv6.",
  ),
  happyEyeballs: f.flag.optional().describe(
    "Try the other family too if the preferred one does not answer soon (RFC 8305). Default false.",
  ),
  attemptDelay: f.duration.optional().describe("happyEyeballs: how soon, at least 10ms. Default 250ms."),
  resolutionDelay: f.duration.optional().describe(
    "happyEyeballs, to a name: how long the other family's addresses wait for an answer about the preferred one. Default 50ms.",
  ),
  firstAddressFamilyCount: f.whole(1, 8).optional().describe(
    "happyEyeballs: addresses of the preferred family that come before the families take turns. Default 1.",
  ),
  arrivals: arrivalsSchema.optional().describe("When they begin. Default at once, at time 0."),
  hold: f.durationOr("forever", Infinity).optional().describe(
    "How long a connection stays open after its work. Default forever for the kinds hold and torrent, else 0s.",
  ),
  holdDistribution: f.choice(["fixed", "uniform", "exponential", "pareto"]).optional().describe(
    "Of the holding times, whose mean `hold` is. Default fixed.",
  ),
  holdShape: f.field("a number above 1, such as 1.5", { type: "number", exclusiveMinimum: 1 }, (value) => {
    if (typeof value !== "number" || !(value > 1 && value < Infinity)) throw new f.Expected("");
    return value;
  }).optional().describe("pareto: how fast the tail falls. Default 1.5."),
  close: f.choice(["client", "server", "both", "none"]).optional().describe("Who closes first. Default client."),
  keepAlive: f.durationOr("off", 0).optional().describe("Keep-alive probes after so long an idle time. Default off."),
};

const exchange = {
  request: f.bytes(1, f.MESSAGE_BYTES).optional().describe("Bytes of a request. Default 100."),
  reply: f.bytes(0, f.MESSAGE_BYTES).optional().describe("Bytes of a reply. Default 1000."),
  requests: f.whole(1, MOST_REQUESTS).optional().describe("Requests on each connection. Default 1."),
  think: f.duration.optional().describe("Pause between a reply and the next request. Default 0."),
  thinkDistribution: f.choice(["fixed", "uniform", "exponential", "pareto"]).optional().describe(
    "Of the pauses, whose mean `think` is. Default fixed.",
  ),
};

const exchangeSchema = f.fields({
  request: f.bytes(0, MOST_EXCHANGE_BYTES).optional().describe("Bytes that the client sends. Default 0."),
  reply: f.bytes(0, MOST_EXCHANGE_BYTES).optional().describe(
    "Bytes that the server sends once it has read those. Default 0.",
  ),
  think: f.duration.optional().describe("Pause of the client before it sends. Default 0s."),
  work: f.duration.optional().describe("Pause of the server before it answers. Default 0s."),
}, "an exchange such as { request: 100, reply: 1KB }");

const workloadSchema = z.discriminatedUnion("kind", [
  f.fields({ kind: z.literal("hold").describe("Open, and stay open."), ...workload }, "a workload"),
  f.fields({
    kind: z.literal("request-response").describe("Requests out, replies back."),
    ...workload,
    ...exchange,
    ...datagramFields,
  }, "a workload"),
  f.fields({
    kind: z.literal("bulk").describe("Many bytes one way."),
    ...workload,
    bytes: f.bytes(1).describe("Bytes to move."),
    direction: f.choice(["upload", "download"]).optional().describe("Which way. Default upload."),
  }, "a workload"),
  f.fields({
    kind: z.literal("torrent").describe("Every source opens connections to many destinations."),
    ...workload,
    bytes: f.bytes(0, f.MESSAGE_BYTES).optional().describe("Bytes each way. Default 0: open and hold."),
    spread: f.choice(["permutation", "random"]).optional().describe(
      "permutation: each source meets every destination before any twice. Default permutation.",
    ),
    requests: exchange.requests,
    think: exchange.think,
    ...datagramFields,
  }, "a workload"),
  f.fields({
    kind: z.literal("dns").describe("Look names up, and do nothing with their addresses."),
    name: workload.name,
    from: workload.from,
    to: f.oneOrMore(f.text("a domain name"), "domain names such as www.example.com").describe("Names, without a port."),
    connections: workload.connections.describe("Lookups in all."),
    arrivals: workload.arrivals,
  }, "a workload"),
  f.fields({
    kind: z.literal("schedule").describe("Connections at given times, each playing the same list of exchanges."),
    name: workload.name,
    from: workload.from,
    to: workload.to,
    at: f.list(f.duration, "times such as 0s").describe("When connections begin, in order: one for each time."),
    fromPorts: f.list(f.whole(0, 65535), "ports").optional().describe(
      "The ports that they come from, in the same order; 0, or none given: the host's choice.",
    ),
    exchanges: f.list(exchangeSchema, "exchanges such as { request: 100, reply: 1KB }").optional().describe(
      "What happens on each connection, one after the other. Default nothing.",
    ),
    hold: f.durationOr("forever", Infinity).optional().describe(
      "How long a connection stays open after the last exchange. Default 0s.",
    ),
    close: workload.close,
    reset: f.flag.optional().describe("Is the close a reset? Default false."),
    halfClose: f.flag.optional().describe(
      "Who closes ends its own direction alone, hold after its last bytes, and reads on. Default false.",
    ),
    closeWait: f.durationOr("forever", Infinity).optional().describe(
      "How long the other end then waits with its own close. Default 0s.",
    ),
  }, "a workload"),
  f.fields({
    kind: z.literal("syn-flood").describe("SYNs from made-up addresses, whose answers lead nowhere."),
    name: workload.name,
    from: workload.from,
    to: workload.to,
    connections: workload.connections.describe("SYNs in all."),
    arrivals: workload.arrivals,
    spoof: f.text("a prefix such as 198.18.0.0/15, or random").optional().describe(
      "Where source addresses are made up from: 198.18.0.0/15, or random (any of IPv4). Default random.",
    ),
  }, "a workload"),
], {
  error: "expected a workload such as { name: load, kind: hold, from: clients, to: server:443, connections: 1000 }",
});

const untilSchema = f.oneOrMore(
  f.field(
    "a time such as 60s, quiescence, or a condition such as connections.open >= 1000",
    { type: "string", examples: ["60s", "quiescence", "connections.open >= 1000000"] },
    readUntil,
  ),
  "a time such as 60s, quiescence, or a condition",
);

/** When a run may end. */
export type Until = { kind: "time"; ns: number } | { kind: "quiescence" } | { kind: "condition"; text: string };

function readUntil(value: unknown): Until {
  if (value === "quiescence") return { kind: "quiescence" };
  if (typeof value !== "string") throw new f.Expected("");
  if (/[=<>!~]/.test(value)) return { kind: "condition", text: value };
  if (!/^[\s\d.+-]/.test(value)) throw new f.Expected("");
  const ns = f.readDuration(value);
  if (ns > LONGEST_RUN_NS) throw new InputError(`A run lasts 12d of simulated time at most, not ${value.trim()}.`);
  return { kind: "time", ns };
}

/** Checks a scenario and turns it into base units. */
export const scenarioSchema = f.fields({
  $schema: f.text("the schema's address").optional().describe("For editors: where this schema is."),
  name: f.text("a name").optional().describe("Default: the file's name."),
  description: f.text("text").optional().describe("What it shows."),
  seed: f.whole(0).optional().describe("Everything random follows from it. Default 1."),
  profiles: named(profileSchema).optional().describe("Settings that hosts may share, by name."),
  nodes: named(nodeSchema).describe("Hosts, routers and NAT gateways, by name."),
  links: f.list(linkSchema, "links").optional().describe("What connects them."),
  workloads: f.list(workloadSchema, "workloads").optional().describe("What the hosts do."),
  probes: f.list(probeSchema, "probes").optional().describe("Pings and traceroutes."),
  events: f.list(eventsSchema(direction, profileSchema), "events").optional().describe("What happens when."),
  dumps: f.list(dumpSchema, "dumps").optional().describe("What simulate prints on the way."),
  series: seriesSchema.optional().describe("What simulate --series FILE writes."),
  partition: f.list(f.oneOrMore(f.text("a node's name"), "names of nodes such as [clients, r1]"), "lists of nodes")
    .optional()
    .describe(
      "Where --workers divides the network: the nodes of each thread, [[clients, r1], [server]]. Default worked out.",
    ),
  run: f.fields({
    until: untilSchema.optional().describe("When the run ends; of several, whichever comes first. Default quiescence."),
  }, "a map such as { until: 60s }").optional().describe("How long it runs."),
  capture: captureSchema.optional().describe(
    "Where --pcap captures: server, server:r1, or { node: server, interface: r1, filter: port 443, snaplen: 96 }. Default every node.",
  ),
  expect: f.list(f.text("a line such as connections.established == 1000"), "lines").optional().describe(
    "What must be true in the end: PATH OPERATOR VALUE, such as limits[ports@clients].refused > 0.",
  ),
}, "a scenario: a map with nodes, links and workloads");

/** A scenario as read: every value in base units. */
export type Scenario = z.output<typeof scenarioSchema>;
/** A node of a scenario. */
export type ScenarioNode = Scenario["nodes"][string];
/** A host of a scenario. */
export type ScenarioHost = Extract<ScenarioNode, { kind: "host" }>;
/** A NAT gateway of a scenario. */
export type ScenarioNat = Extract<ScenarioNode, { kind: "nat" }>;
/** A profile of a scenario. */
export type ScenarioProfile = NonNullable<Scenario["profiles"]>[string];
/** A link of a scenario. */
export type ScenarioLink = NonNullable<Scenario["links"]>[number];
/** An event of a scenario. */
export type ScenarioEvent = NonNullable<Scenario["events"]>[number];
/** A workload of a scenario. */
export type ScenarioWorkload = NonNullable<Scenario["workloads"]>[number];

/** The JSON Schema that editors use, made from {@linkcode scenarioSchema}. */
export function scenarioJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(scenarioSchema, { io: "input" }) as Record<string, unknown>;
  const { $schema, ...rest } = schema;
  return {
    $schema,
    title: "fourtuple scenario",
    description: "A network, what its hosts do, and what is expected of it.",
    ...rest,
  };
}
