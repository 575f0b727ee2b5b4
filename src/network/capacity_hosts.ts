/**
 * What hosts have a limited number of: ports, files, memory, places in queues, processor time.
 *
 * @module
 */
import { formatBytes, formatCount } from "../base/units.ts";
import { NODE } from "../node/nodes.ts";
import { BUDGET } from "../transport/budgets.ts";
import type { Profile } from "../transport/profile.ts";
import { hostOptions } from "./build.ts";
import { proxyUses } from "./capacity_balancers.ts";
import type { Gauge, Refusal } from "./capacity_gauge.ts";
import type { CapacityStream } from "./capacity_streams.ts";
import { use, type Way, type Ways } from "./capacity_ways.ts";
import { many, perSecondText, time } from "./capacity_words.ts";

/** RFC 6191, Linux: a TIME-WAIT tuple may be used again after a second. */
const REUSE_NS = 1e9;

/** The profile of a host. */
export function profileOf(ways: Ways, node: number): Readonly<Profile> {
  return ways.s.profiles.get(ways.s.hosts.profileOf(node));
}

/** How long the client's end of a connection keeps its port, ns. */
export function portNs(stream: CapacityStream, rttNs: number, profile: Readonly<Profile>): number {
  const openNs = stream.openNs(rttNs);
  if (stream.udp) return openNs;
  if (stream.options.reset === true) return openNs;
  if (stream.closes === "server") return openNs + rttNs;
  return openNs + (profile.timeWaitReuse && profile.timestamps ? REUSE_NS : profile.timeWaitNs);
}

/** What a connection takes of the host that opens it. */
export function clientUses(ways: Ways, way: Way, node: number, address: number, port: number): void {
  const { stream } = way;
  if (stream.flood) return;
  cpuUse(ways, way, node, "client");
  fileUse(ways, way, node, "local", stream.oneSocket);
  memoryUse(ways, way, node, "local", stream.oneSocket);
  if (!stream.oneSocket) {
    const { ephemeralPortLow: low, ephemeralPortHigh: high } = profileOf(ways, node);
    way.tuples = high - low + 1;
    portUse(ways, way, node, ways.endpoint(address, port), 1, "local");
  }
  if (stream.closes === "client") timeWaitUse(ways, way, node);
}

/** Ports of a host towards an endpoint, from so many addresses. */
export function portUse(
  ways: Ways,
  way: Way,
  node: number,
  endpoint: number,
  sources: number,
  refusal: Refusal,
  keepNs?: (stream: CapacityStream, rttNs: number) => number,
  share = 1,
): void {
  const population = ways.populationOf(node);
  const profile = profileOf(ways, node);
  const { udp } = way.stream;
  const { ephemeralPortLow: low, ephemeralPortHigh: high, portAllocation, portScanFallback } = profile;
  const hostWide = udp || portAllocation === "host-wide";
  const gauge = ways.gauge("ports", population.name, `${udp} ${sources} ${keepNs !== undefined}`, () => {
    const held = heldPorts(ways, node, udp, low, high);
    const ports = high - low + 1 - held;
    const gaveUp = !udp && (portAllocation === "rfc6056-2" || portAllocation === "rfc6056-5") && !portScanFallback;
    return {
      capacity: ports * sources * share,
      keepNs: keepNs ?? ((stream, rttNs) => portNs(stream, rttNs, profile)),
      unit: "ports",
      estimate: gaveUp
        ? `${portAllocation} may give up although a port is free`
        : way.stream.options.fromPorts !== undefined
        ? "some connections come from ports that the schedule says"
        : keepNs !== undefined
        ? "connections to back ends come and go with requests"
        : undefined,
      words: (gauge) => {
        const range = `${many(ports, "port")} (${formatCount(low)} to ${formatCount(high)}${
          held === 0 ? "" : ` less ${formatCount(held)} that are listened on`
        })${share === 1 ? "" : ` x ${many(share, "request")} on each connection`}`;
        const hosts = gauge.members.count;
        const addresses = sources === 1 ? "" : ` x ${many(sources, "source address", "source addresses")}`;
        if (hostWide) return `${many(hosts, "host")} x ${range}${addresses}, whatever the destination`;
        const destinations = gauge.destinations.size;
        if (gauge.places.count === hosts * destinations) {
          return `${many(hosts, "host")} x ${range}${addresses} x ${many(destinations, "destination")}`;
        }
        return `${many(gauge.places.count, "pair")} of host and destination (${many(hosts, "host")}, ` +
          `${many(destinations, "destination")}) x ${range}${addresses}`;
      },
    };
  });
  gauge.members.of(node);
  gauge.destinations.add(endpoint);
  use(way, gauge, hostWide ? gauge.places.of(node) : gauge.places.of(node, endpoint), refusal);
}

/** Ports of the range that are listened on: they are never given to a connection. */
function heldPorts(ways: Ways, node: number, udp: boolean, low: number, high: number): number {
  const options = hostOptions(ways.plannedOf(node));
  const ports = new Set<number>();
  for (const { port, protocol } of options?.listen ?? []) if ((protocol === "udp") === udp) ports.add(port);
  if (!udp && options?.proxy !== undefined) ports.add(options.proxy.port);
  return [...ports].filter((port) => port >= low && port <= high).length;
}

/** A file descriptor of a host. */
export function fileUse(ways: Ways, way: Way, node: number, refusal: Refusal, once = false): void {
  const { name, maxFiles } = ways.populationOf(node);
  if (maxFiles === Infinity) return;
  const gauge = ways.gauge("files", name, once ? "once" : "", () => {
    const open = ways.s.nodes.words[node * NODE.STRIDE + NODE.FILES];
    return {
      capacity: maxFiles - open,
      keepNs: (stream, rttNs) => stream.openNs(rttNs),
      unit: "files",
      words: (gauge) =>
        `${many(gauge.places.count, "host")} x ${
          open === 0 ? many(maxFiles, "file") : `(${many(maxFiles, "file")} - ${formatCount(open)} that listen)`
        }`,
    };
  });
  if (once) gauge.once = true;
  use(way, gauge, gauge.places.of(node), refusal);
}

/** Memory of a socket. */
export function memoryUse(ways: Ways, way: Way, node: number, refusal: Refusal, once = false): void {
  const { budgets } = ways.s.hosts;
  const row = budgets === undefined ? 0 : ways.s.hosts.budgetOf(node);
  if (budgets === undefined || row === 0 || budgets.words[row * BUDGET.STRIDE + BUDGET.LIMIT] === Infinity) return;
  const gauge = ways.gauge("memory", ways.populationOf(node).name, once ? "once" : "", () => {
    const { bytesPerSocket } = budgets.profileOf(row);
    const limit = budgets.words[row * BUDGET.STRIDE + BUDGET.LIMIT];
    const listening = (limit - budgets.left(row)) / bytesPerSocket;
    return {
      capacity: Math.max(0, Math.floor(budgets.left(row) / bytesPerSocket)),
      keepNs: (stream, rttNs) => stream.openNs(rttNs),
      unit: "sockets",
      estimate: "half-open connections and buffered data take memory too, as long as they are there",
      words: (gauge) =>
        `${many(gauge.places.count, "host")} x (${formatBytes(limit, 4)} / ${formatCount(bytesPerSocket)} B a socket` +
        `${listening === 0 ? "" : ` - ${formatCount(listening)} that listen`})`,
    };
  });
  if (once) gauge.once = true;
  use(way, gauge, gauge.places.of(node), refusal);
}

/** Who closes first waits in TIME_WAIT. */
function timeWaitUse(ways: Ways, way: Way, node: number): void {
  const profile = profileOf(ways, node);
  if (profile.maxTimeWaits === Infinity || way.stream.udp) return;
  const gauge = ways.gauge("time-wait", ways.populationOf(node).name, "", () => ({
    capacity: profile.maxTimeWaits,
    keepNs: () => profile.timeWaitNs,
    unit: "connections in TIME_WAIT",
    estimate: "they are counted from when they begin, not from when they close",
    words: (gauge) => `${many(gauge.places.count, "host")} x ${many(profile.maxTimeWaits, "connection")} in TIME_WAIT`,
  }));
  use(way, gauge, gauge.places.of(node), "none");
}

/** Processor time. */
function cpuUse(ways: Ways, way: Way, node: number, role: "client" | "server"): void {
  const { cpus } = ways.s;
  const cpu = ways.s.nodes.words[node * NODE.STRIDE + NODE.CPU];
  if (cpus === undefined || cpu === 0) return;
  const settings = cpus.settingsOf(cpu);
  const packets = (stream: CapacityStream) => stream.there.packets + stream.back.packets;
  const workNs = (stream: CapacityStream) =>
    packets(stream) * settings.perPacketNs +
    (stream.there.payloadBytes + stream.back.payloadBytes) * settings.perByteNs +
    (stream.udp || stream.flood ? 0 : role === "client" ? settings.perConnectNs : settings.perAcceptNs) +
    (role === "client" ? 0 : requestsOf(stream) * settings.perRequestNs);
  if (workNs(way.stream) === 0) return;
  const gauge = ways.gauge("cpu", ways.populationOf(node).name, role, () => ({
    // What waits, in time: as many connections as the queue holds packets (each has one there), half done on average.
    capacity: (settings.queuePackets + settings.cores) * workNs(way.stream) / 2,
    drainPerNs: settings.cores,
    cost: workNs,
    unit: "ns of work",
    estimate: "acknowledgements and what is sent again vary",
    words: (gauge) => {
      const kinds = [...gauge.streams].map((stream) =>
        `${time(workNs(stream))} a connection of ${stream.options.name} (${many(packets(stream), "packet")} x ${
          time(settings.perPacketNs)
        }${extras(stream, role, settings)})`
      );
      return `${many(gauge.places.count, "host")} x ${many(settings.cores, "core")} x 1 s / ${kinds.join("; ")}`;
    },
  }));
  use(way, gauge, gauge.places.of(node), "none");
}

function requestsOf({ options }: CapacityStream): number {
  return options.kind === "request-response" || options.transport === "udp" ? options.requests ?? 1 : 0;
}

function extras(
  stream: CapacityStream,
  role: "client" | "server",
  settings: { perByteNs: number; perAcceptNs: number; perConnectNs: number; perRequestNs: number },
): string {
  const parts: string[] = [];
  const bytes = stream.there.payloadBytes + stream.back.payloadBytes;
  if (settings.perByteNs > 0 && bytes > 0) parts.push(`${formatCount(bytes)} B x ${settings.perByteNs} ns`);
  if (role === "client" && settings.perConnectNs > 0) parts.push(`${time(settings.perConnectNs)} to open`);
  if (role === "server" && settings.perAcceptNs > 0) parts.push(`${time(settings.perAcceptNs)} to accept`);
  const requests = requestsOf(stream);
  if (role === "server" && settings.perRequestNs > 0 && requests > 0) {
    parts.push(`${many(requests, "request")} x ${time(settings.perRequestNs)}`);
  }
  return parts.map((part) => ` + ${part}`).join("");
}

/** What a connection takes of the host that it leads to. */
export function serverUses(ways: Ways, way: Way, node: number, address: number, port: number): void {
  way.arrives = true;
  cpuUse(ways, way, node, "server");
  if (way.stream.udp) return;
  queueUses(ways, way, node, port);
  if (way.stream.flood) return;
  memoryUse(ways, way, node, "unseen");
  fileUse(ways, way, node, "unseen");
  if (way.stream.closes === "server") timeWaitUse(ways, way, node);
  proxyUses(ways, way, node, address, port);
}

/** The SYN queue and the accept queue of a listening port. */
function queueUses(ways: Ways, way: Way, node: number, port: number): void {
  const options = hostOptions(ways.plannedOf(node));
  const listen = options?.listen?.find((one) => one.port === port && one.protocol !== "udp");
  const profile = profileOf(ways, node);
  const asked = listen?.backlog ?? (options?.proxy?.port === port ? options.proxy.backlog : undefined) ?? 4096;
  const backlog = Math.min(asked, profile.somaxconn);
  const { name } = ways.populationOf(node);
  if (profile.synCookies === 0) {
    const { maxSynBacklog } = profile;
    const most = 1 + Math.min(backlog, maxSynBacklog - (maxSynBacklog >> 2));
    let given = 0;
    for (let k = 0, ms = profile.rtoInitialMs; k <= profile.synAckRetries; k++, ms *= 2) {
      given += Math.min(ms, profile.rtoMaxMs);
    }
    const gauge = ways.gauge("syn-queue", name, `${port}`, () => ({
      capacity: most,
      keepNs: (stream, rttNs) => stream.flood ? given * 1e6 : rttNs,
      unit: "half-open connections",
      estimate: "how long handshakes last depends on queues and losses on the way",
      words: (gauge) =>
        `${many(gauge.places.count, "host")} x ${many(most, "half-open connection")} (backlog ${
          formatCount(backlog)
        }, ` +
        `no SYN cookies)`,
    }));
    use(way, gauge, gauge.places.of(node), "lost");
  }
  if (way.stream.flood) return;
  waitForFiles(ways, way, node, port, backlog);
  if (listen === undefined || !(listen.acceptIntervalNs! > 0)) return;
  const intervalNs = listen.acceptIntervalNs!;
  const gauge = ways.gauge("accept-queue", name, `${port}`, () => ({
    capacity: backlog + 1,
    drainPerNs: 1 / intervalNs,
    unit: "connections",
    estimate: "it depends on when handshakes end",
    words: (gauge: Gauge) =>
      `${many(gauge.places.count, "host")} x ${formatCount(backlog + 1)} waiting (backlog ${formatCount(backlog)} ` +
      `and one more), and 1 s / ${time(intervalNs)} = ${perSecondText(1e9 / intervalNs)} accepted a second`,
  }));
  use(way, gauge, gauge.places.of(node), "unseen");
}

/** Connections that find no file wait in the accept queue, until that is full too. */
function waitForFiles(ways: Ways, way: Way, node: number, port: number, backlog: number): void {
  const { name, maxFiles } = ways.populationOf(node);
  if (maxFiles === Infinity) return;
  const files = maxFiles - ways.s.nodes.words[node * NODE.STRIDE + NODE.FILES];
  const gauge = ways.gauge("accept-queue", name, `files ${port}`, () => ({
    capacity: files + backlog + 1,
    keepNs: (stream, rttNs) => stream.openNs(rttNs),
    unit: "connections",
    estimate: "connections in the middle of their handshake find the queue full as well",
    words: (gauge) =>
      `${many(gauge.places.count, "host")} x (${many(files, "connection")} with a file + ${formatCount(backlog + 1)} ` +
      `that wait for one: backlog ${formatCount(backlog)} and one more)`,
  }));
  use(way, gauge, gauge.places.of(node), "lost");
}
