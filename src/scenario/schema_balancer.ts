/**
 * What a scenario says about balancers and proxies.
 *
 * @module
 */
import { z } from "zod";
import type { BackendOptions, BalancerOptions, BalancerServiceOptions } from "../network/balancer_options.ts";
import type { ProxyOptions } from "../network/proxy_options.ts";
import { BALANCING_ALGORITHMS } from "../node/balancing.ts";
import * as f from "./fields.ts";
import { withoutUndefined } from "./profiles.ts";

const BACKEND = "back ends such as web[0..9]:80, or { to: web[3]:80, weight: 2 }";

const backendSchema = z.union([
  f.text(BACKEND),
  f.fields({
    to: f.text("a host and port such as web[0..9]:80").describe("Host and port; members of a population one by one."),
    weight: f.whole(0, 65535).optional().describe("Share of the new flows; 0 takes none. Default 1."),
  }, BACKEND),
], { error: `expected ${BACKEND}` });

const backends = z.union([backendSchema, z.array(backendSchema).min(1, { error: `expected ${BACKEND}` })], {
  error: `expected ${BACKEND}`,
});

const algorithm = f.choice(BALANCING_ALGORITHMS).optional().describe(
  "How a back end is chosen for a new flow. Default round-robin.",
);

const healthSchema = f.fields({
  interval: f.duration.optional().describe("A TCP connection to every back end this often. Default: none."),
  timeout: f.duration.optional().describe("After this an attempt has failed. Default half the interval."),
  fall: f.whole(1, 1000).optional().describe("Failures in a row after which a back end is down. Default 3."),
  rise: f.whole(1, 1000).optional().describe("Successes in a row after which it is up. Default 2."),
  detection: f.duration.optional().describe("What it is told by an event takes so long to be believed. Default 0s."),
}, "health checks such as { interval: 2s, fall: 3, rise: 2 }");

/** What services may have, and a balancer for all of them. */
const common = {
  backends: backends.optional().describe("Hosts and ports, in the order in which algorithms take them."),
  mode: f.choice(["nat", "direct-return", "full-nat"]).optional().describe(
    "nat: the destination is rewritten; direct-return: nothing is, back ends answer past the balancer; full-nat: the source is rewritten too. Default nat.",
  ),
  algorithm,
  connectionTable: f.flag.optional().describe(
    "Is it remembered which flow went where? false needs source-hash or maglev. Default true.",
  ),
  maglevTableSize: f.whole(2, 2 ** 24).optional().describe("Entries of Maglev's table, a prime. Default 65537."),
  hashOn: f.choice(["address", "flow"]).optional().describe(
    "What is hashed: the client's address, or addresses, ports and protocol. Default address for source-hash, flow for maglev.",
  ),
  onBackendDown: f.choice(["silence", "reset"]).optional().describe(
    "What flows get whose back end is down. Default silence.",
  ),
  health: healthSchema.optional().describe("How failures are found. Default: only by events."),
};

const serviceSchema = f.fields({
  port: f.port.describe("The virtual port."),
  address: f.address.optional().describe("The virtual address. Default the balancer's own."),
  protocol: f.choice(["tcp", "udp"]).optional().describe("Default tcp."),
  ...common,
}, "a service such as { port: 443, backends: web[0..9]:443 }");

/** A balancer. */
export const balancerSchema = f.fields({
  kind: z.literal("balancer").describe("Spreads flows over back ends."),
  count: f.count,
  address: f.addressInSubnet.describe("Its own address."),
  address6: f.addressInSubnet.optional().describe("An IPv6 address beside it."),
  ports: z.array(f.port, { error: "expected a list of ports" }).optional().describe(
    "Virtual ports at its own address, all served alike: services in short.",
  ),
  services: z.array(serviceSchema, { error: "expected a list of services" }).optional().describe(
    "Virtual addresses and ports, and who serves them.",
  ),
  ...common,
  sources: f.addressRange.optional().describe("full-nat: source addresses. Default its own address."),
  sourcePorts: f.portRange.optional().describe("full-nat: source ports of each. Default 1024-65535."),
  maxFlows: f.whole(1).optional().describe("Flows remembered at most. Default unlimited."),
  timeouts: f.fields({
    syn: f.duration.optional().describe("Before the handshake is through. Default 60s."),
    established: f.duration.optional().describe("Established and idle. Default 15min."),
    fin: f.duration.optional().describe("After the first FIN. Default 2min."),
    closed: f.duration.optional().describe("After a reset. Default 10s."),
    udp: f.duration.optional().describe("UDP. Default 5min."),
  }, "timeouts such as { established: 15min }").optional().describe("How long flows are remembered."),
  ecmp: f.choice(["off", "modulo", "resilient"]).optional().describe("Paths that share flows, as a router's."),
}, "a balancer");

/** A proxy. */
export const proxySchema = f.fields({
  port: f.port.describe("Port that clients connect to."),
  backends: backends.describe("Hosts and ports that it connects to."),
  kind: f.choice(["stream", "request"]).optional().describe(
    "stream: a connection for every client's; request: requests and replies over a pool. Default request.",
  ),
  algorithm,
  request: f.bytes(1, f.MESSAGE_BYTES).optional().describe("Bytes of a request. Default what its clients send."),
  reply: f.bytes(1, f.MESSAGE_BYTES).optional().describe("Bytes of a reply. Default what its clients expect."),
  refusal: f.bytes(0, f.MESSAGE_BYTES).optional().describe("Bytes of a refusal (HTTP's 503). Default 200."),
  sources: f.list(f.address, "addresses").optional().describe("Addresses that it connects from. Default its first."),
  keepAlive: f.flag.optional().describe("Are connections to back ends used again? Default false."),
  multiplex: f.whole(1, 2 ** 20).optional().describe("Requests at once on one connection. Default 1."),
  maxConnections: f.whole(1).optional().describe("Connections to one back end at most. Default unlimited."),
  maxWaiting: f.whole(0).optional().describe("Requests that may wait for a connection. Default unlimited."),
  backlog: f.whole(0, 2 ** 31 - 1).optional().describe("Length of its accept queue."),
}, "a proxy such as { port: 443, backends: web[0..9]:80 }");

type Backends = z.output<typeof backends>;
type Common = Partial<Pick<z.output<typeof serviceSchema>, keyof typeof common>>;

function backendOptions(given: Backends | undefined): (string | BackendOptions)[] {
  if (given === undefined) return [];
  return (Array.isArray(given) ? given : [given]).map((one) =>
    typeof one === "string" ? one : withoutUndefined<BackendOptions>(one)
  );
}

function commonOptions(own: Common, all: Common): Omit<BalancerServiceOptions, "port"> {
  const { health = all.health } = own;
  return withoutUndefined({
    backends: backendOptions(own.backends ?? all.backends),
    mode: own.mode ?? all.mode,
    algorithm: own.algorithm ?? all.algorithm,
    connectionTable: own.connectionTable ?? all.connectionTable,
    maglevTableSize: own.maglevTableSize ?? all.maglevTableSize,
    hashOn: own.hashOn ?? all.hashOn,
    onBackendDown: own.onBackendDown ?? all.onBackendDown,
    health: health && withoutUndefined({
      intervalNs: health.interval,
      timeoutNs: health.timeout,
      fall: health.fall,
      rise: health.rise,
      detectionNs: health.detection,
    }),
  });
}

/** A balancer's options, in base units. */
export function balancerOptions(balancer: z.output<typeof balancerSchema>): BalancerOptions {
  const services = [
    ...(balancer.ports ?? []).map((port) => ({ port, ...commonOptions({}, balancer) })),
    ...(balancer.services ?? []).map((service): BalancerServiceOptions => {
      const { port, address, protocol } = service;
      return withoutUndefined({ port, address, protocol, ...commonOptions(service, balancer) });
    }),
  ];
  const { count, address, address6, sources, sourcePorts, maxFlows, timeouts, ecmp } = balancer;
  return withoutUndefined<BalancerOptions>({
    count,
    address,
    address6,
    services,
    sources,
    portLow: sourcePorts?.low,
    portHigh: sourcePorts?.high,
    maxFlows,
    synNs: timeouts?.syn,
    establishedNs: timeouts?.established,
    finNs: timeouts?.fin,
    closedNs: timeouts?.closed,
    udpNs: timeouts?.udp,
    ecmp,
  });
}

/** A proxy's options, in base units. */
export function proxyOptions(proxy: z.output<typeof proxySchema>): ProxyOptions {
  const { request, reply, refusal, backends: given, ...rest } = proxy;
  return withoutUndefined<ProxyOptions>({
    ...rest,
    backends: backendOptions(given),
    requestBytes: request,
    replyBytes: reply,
    refusalBytes: refusal,
  });
}
