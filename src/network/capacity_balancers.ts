/**
 * What balancers and proxies have a limited number of: places in the flow table, and source ports towards back ends.
 *
 * @module
 */
import { formatAddress } from "../base/address.ts";
import { finalise32, hashString, mix32 } from "../base/hash.ts";
import { formatCount } from "../base/units.ts";
import { BALANCER_MODE } from "../node/balancers.ts";
import { type BackendPool, makePool } from "../node/balancing.ts";
import { MAGLEV_TABLE_SIZE } from "../node/maglev.ts";
import { NODE } from "../node/nodes.ts";
import { hostOptions } from "./build.ts";
import { fileUse, memoryUse, portUse, profileOf } from "./capacity_hosts.ts";
import { type Fork, use, type Way, type Ways } from "./capacity_ways.ts";
import { many } from "./capacity_words.ts";
import { planProxyBackends } from "./proxies.ts";

/** Ports that a flow hash is worked out with, for want of the real ones: spread as those are. */
function madeUpPorts(index: number, port: number): number {
  return ((finalise32(index) & 0xffff) << 16) | port;
}

/** A way reaches a balancer: does it go on to one of its back ends? */
export function balancerUses(
  ways: Ways,
  way: Way,
  node: number,
  local: number,
  destination: number,
  port: number,
): boolean {
  const { s } = ways;
  const { balancers } = s;
  const balancer = balancers?.list[s.nodes.words[node * NODE.STRIDE + NODE.BALANCER]];
  if (balancers === undefined || balancer === undefined) return false;
  const { udp } = way.stream;
  const service = balancers.serviceOf(balancer, udp, destination, port);
  if (service === undefined) return false;
  const { name } = ways.populationOf(node);
  const [synMs, , finMs, , udpMs] = balancer.timeoutsMs;
  if (balancer.maxFlows !== Infinity && service.remembers) {
    const gauge = ways.gauge("flow-table", name, "", () => ({
      capacity: balancer.maxFlows,
      keepNs: (stream, rttNs) =>
        stream.flood
          ? synMs * 1e6
          : stream.udp
          ? stream.exchangeNs(rttNs) + udpMs * 1e6
          : stream.openNs(rttNs) + rttNs + finMs * 1e6,
      unit: "flows",
      words: (gauge) => `${many(gauge.places.count, "balancer")} x ${many(balancer.maxFlows, "flow")}`,
    }));
    use(way, gauge, gauge.places.of(balancer.id), "lost");
  }
  way.fork = {
    pool: service.pool,
    hash: (client, index) => balancers.hash(service, client, madeUpPorts(index, port)),
    ways: new Int32Array(service.backends.length).fill(-1),
    rttNs: way.rttNs,
    stream: way.stream,
    client: local,
    guesses: service.hashesFlow && service.pool.algorithm !== "round-robin" &&
      service.pool.algorithm !== "weighted-round-robin" && service.pool.algorithm !== "least-connections",
    goOn: (next, place) => {
      const backend = service.backends[place];
      let from = local;
      if (service.mode === BALANCER_MODE.FULL_NAT) {
        const { portLow, portHigh } = balancer;
        const { sources } = service;
        const ports = portHigh - portLow + 1;
        from = service.firstSource;
        const gauge = ways.gauge("ports", name, s.addresses.isIpv6(from) ? "full-nat IPv6" : "full-nat", () => ({
          capacity: sources * ports,
          keepNs: (stream, rttNs) => stream.openNs(rttNs) + rttNs + finMs * 1e6,
          unit: "source ports",
          words: (gauge) =>
            `${many(gauge.members.count, "balancer")} x ${many(sources, "source address", "source addresses")} x ` +
            `${many(ports, "port")} (${formatCount(portLow)} to ${formatCount(portHigh)}) x ` +
            `${many(gauge.destinations.size, "back end")}`,
        }));
        gauge.members.of(balancer.id);
        const endpoint = ways.endpoint(backend.address, backend.port);
        gauge.destinations.add(endpoint);
        use(next, gauge, gauge.places.of(balancer.id, endpoint + 1), "lost");
      }
      ways.walk(next, node, from, backend.address, backend.port);
    },
  };
  return true;
}

const pools = new WeakMap<Ways, Map<number, BackendPool>>();

/** A way reaches a host: is it a proxy, with a connection of its own to a back end? */
export function proxyUses(ways: Ways, way: Way, node: number, _address: number, port: number): void {
  const planned = ways.plannedOf(node);
  const options = hostOptions(planned)?.proxy;
  const { stream } = way;
  if (options === undefined || options.port !== port) return;
  const { kind = "request", keepAlive = false, multiplex = 1, sources } = options;
  const { exchanges = [] } = stream.options;
  const requests = kind === "stream"
    ? 1
    : stream.options.kind === "schedule"
    ? exchanges.length
    : stream.options.kind === "request-response" ||
        (stream.options.kind === "torrent" && (stream.options.bytes ?? 0) > 0)
    ? stream.options.requests ?? 1
    : 0;
  if (requests === 0) return;
  const { s } = ways;
  const backends = planProxyBackends(planned, options, ways.plan);
  let known = pools.get(ways);
  if (known === undefined) pools.set(ways, known = new Map());
  let pool = known.get(node);
  if (pool === undefined) {
    pool = makePool({
      algorithm: options.algorithm ?? "round-robin",
      names: backends.map((one) => hashString(`${formatAddress(one.address)} ${one.port}`)),
      weights: backends.map(({ weight }) => weight),
      tableSize: MAGLEV_TABLE_SIZE,
    });
    known.set(node, pool);
  }
  const local = sources === undefined
    ? s.nodes.words[node * NODE.STRIDE + NODE.ADDRESS]
    : s.addresses.intern(sources[0]);
  const profile = profileOf(ways, node);
  const before = way.rttNs;
  way.fork = {
    pool,
    hash: (client) => finalise32(mix32(0x2545f491, s.addresses.word(client))),
    ways: new Int32Array(backends.length).fill(-1),
    rttNs: way.rttNs,
    stream,
    client: local,
    guesses: false,
    goOn: (next: Way, place: number) => {
      const { address, port: real } = backends[place];
      const remote = s.addresses.intern(address);
      const inFlight = (rttNs: number) => 2 * Math.max(0, rttNs - before);
      const keepNs = kind === "stream"
        ? undefined
        : keepAlive
        ? (_: unknown, rttNs: number) => inFlight(rttNs)
        : (_: unknown, rttNs: number) => inFlight(rttNs) + (profile.timeWaitReuse ? 1e9 : profile.timeWaitNs);
      fileUse(ways, next, node, "unseen");
      memoryUse(ways, next, node, "unseen");
      const endpoint = ways.endpoint(remote, real);
      portUse(ways, next, node, endpoint, sources?.length ?? 1, "unseen", keepNs, keepAlive ? multiplex : 1);
      ways.walk(next, node, sources === undefined ? s.sourceFor(node, remote) : local, remote, real);
    },
  } satisfies Fork;
}
