/**
 * One workload as a stream of connections: how many, how fast, how long each lasts, how many there can be at once.
 *
 * @module
 */
import { DEFAULT_PROFILE, type Profile } from "../transport/profile.ts";
import { type Gate, type Openings, openingsOf } from "./load_openings.ts";
import { destinationOf, hostOf, plainName, serverOf, type Way, type Ways, wayTo } from "./load_ways.ts";
import { holdNsOf, type HostOptions, type WorkloadOptions } from "./options.ts";

/** What is known of a workload's connections before the run. */
export interface Flows {
  /** Connections (exchanges, lookups, SYNs) that will be begun. */
  count: number;
  /** Of these, those that find a port. */
  begun: number;
  /** Of these, those that are answered. */
  answered: number;
  /** Arrivals per second; `AT_ONCE`: all at once. */
  perSecond: number;
  /** There and back, s; of several destinations the longest. */
  rttSeconds: number;
  /** From the SYN to the end of the work and the hold, s; Infinity if they last. */
  seconds: number;
  /** They stay open. */
  lasting: boolean;
  /** Open at once, at most, at the opening ends and at the accepting ones; and both together. */
  opened: number;
  accepted: number;
  ends: number;
  /** TIME_WAIT rows at once, at the end that closes first. */
  timeWaits: number;
  /** Packets of one connection, and how many of them can be under way at once. */
  packets: number;
  burst: number;
  /** Connections that may wait half open, or for accept(), all listening ports together. */
  backlog: number;
  /** Segments of the longest message to the server, and of the longest from it. */
  segments: { up: number; down: number };
  /** Data segments of one connection, and share of packets lost. */
  dataSegments: number;
  loss: number;
  /** Share of the connections that have packets overtaken; requests, or messages one way, of one. */
  disturbed: number;
  exchanges: number;
  /** Settings of both ends. */
  profiles: { client: Profile; server: Profile };
  /** Connections that have data under way at once, segments of each, and bits of a full one. */
  transferring: number;
  windowSegments: number;
  bitsPerSegment: number;
  /** Hosts that open, endpoints that they open to. */
  sources: number;
  targets: number;
  /** Share of the connections over IPv4. */
  ipv4Share: number;
  /** The population that they go to first, and the way there. */
  to: string | undefined;
  way: Way | undefined;
}

/** Data bytes of a full segment, bytes of a packet around it, and segments of the first window. */
const SEGMENT_BYTES = 1448;
const FULL_BYTES = 1514;
const FIRST_WINDOW = 10;
/** Bits of a packet of a handshake; bytes of an ACK, and of the headers of data. */
const HANDSHAKE_BITS = 60 * 8;
const ACK_BYTES = 52;
/** Nothing is in the way. */
const OPEN: Gate = { perSecond: Infinity, atOnce: Infinity };
/** Packets of opening and closing. */
const HANDSHAKE_PACKETS = 3;
const CLOSE_PACKETS = 4;
/** Where no way is found, s. */
const UNKNOWN_RTT_SECONDS = 0.1;
/** Of links without a delay, s. */
const LEAST_RTT_SECONDS = 1e-6;
/** Arrivals per second where all come at once: times any time that is not 0, more than there can be. */
export const AT_ONCE = 1e18;

/** What is known of a workload. */
export function flowsOf(options: WorkloadOptions, ways: Ways, untilSeconds: number): Flows {
  const sources = options.from.reduce((sum, text) => sum + ways.countOf(text), 0);
  const nearest = plainName(options.from[0] ?? "");
  const destinations = options.to.map((text) => destinationOf(text, ways, nearest));
  const targets = Math.max(1, destinations.reduce((sum, { endpoints }) => sum + endpoints, 0));
  const found = options.from.flatMap((from) =>
    destinations.map(({ name }) => ({ to: name, way: wayTo(ways, plainName(from), name) }))
  );
  const { to, way } = found.toSorted((x, y) => (y.way?.rttSeconds ?? 0) - (x.way?.rttSeconds ?? 0))[0] ?? {};
  const udp = options.kind === "dns" || options.transport === "udp";
  const rttSeconds = Math.max(LEAST_RTT_SECONDS, way?.rttSeconds ?? UNKNOWN_RTT_SECONDS);
  const { count, perSecond } = arrivalsOf(options, untilSeconds);
  const sizes = sizesOf(options);
  const holdSeconds = holdNsOf(options) / 1e9;
  const lasting = options.kind !== "schedule" && (options.close === "none" || holdSeconds === Infinity);
  const { workSeconds: work, transferSeconds, rounds } = timesOf(options, sizes, rttSeconds, way);
  const seconds = lasting ? Infinity : work + holdSeconds;
  const waiting = overload(sizes.bytes, count, perSecond, way);
  const from = hostOf(ways, plainName(options.from[0] ?? ""));
  const server = serverOf(ways, to);
  const profile = { ...DEFAULT_PROFILE, ...from?.profile };
  const places = profile.portAllocation === "host-wide" ? 1 : targets;
  const ports = sources * places * (profile.ephemeralPortHigh - profile.ephemeralPortLow + 1) *
    (1 + (from?.extraAddresses?.length ?? 0));
  const closer = options.close === "server" ? server : from;
  const closerProfile: Profile = { ...DEFAULT_PROFILE, ...closer?.profile };
  const closers = options.close === "server" ? Math.max(1, to === undefined ? 1 : ways.countOf(to)) : sources;
  const atOnce = lasting ? count : Math.min(count, fluctuating(options, perSecond * seconds) + waiting);
  const listening = Math.max(1, to === undefined ? 1 : ways.countOf(to));
  const gated = udp ? undefined : gatedOpenings(options, sizes, {
    count,
    perSecond,
    rttSeconds,
    seconds,
    untilSeconds,
    synRetries: profile.synRetries,
    way,
    back: to === undefined ? undefined : ways.between(to, plainName(options.from[0] ?? "")),
    server,
    listening,
  });
  const opened = Math.min(gated?.opened ?? Infinity, atOnce, ports, socketsOf(from, sources));
  const ipv4Share = ipv4ShareOf(options, from, server);
  const nats = roomOfNats(way, targets, sources);
  nats.room += (1 - ipv4Share) * count;
  const accepted = Math.min(gated?.accepted ?? Infinity, opened, socketsOf(server, listening), nats.room);
  // Those that find no room try for so long.
  const refusedSeconds = nats.says && nats.room <= accepted ? rttSeconds : 2 ** (profile.synRetries + 1) - 1;
  const trying = Math.max(accepted, Math.min(opened, accepted + perSecond * refusedSeconds));
  const lost = 1 - (1 - (way?.loss ?? 0)) * (1 - (gated?.dropped ?? 0));
  const arrivingSeconds = untilSeconds - (options.arrivals?.startNs ?? 0) / 1e9;
  // (Where both close as soon as they are through, their FINs cross: CLOSING, and TIME_WAIT, at either end.)
  const waitingEnds = options.close === "both" && options.kind !== "schedule" && holdSeconds === 0 ? 2 : 1;
  const timeWaits = lasting ? 0 : waitingEnds * Math.min(
    count,
    perSecond * closerProfile.timeWaitNs / 1e9,
    (options.holdDistribution ?? "fixed") === "fixed"
      ? perSecond * Math.max(0, arrivingSeconds - holdSeconds)
      : Infinity,
    Math.max(1, ports - Math.min(opened, perSecond * work)),
    closers * closerProfile.maxTimeWaits,
  );
  const working = Math.min(count, perSecond * work);
  // Exchanges of a connection that others of other connections meet: while those come, and it thinks in between.
  const overlapping = Math.min(1, (count / perSecond + rttSeconds) / work);
  // (A port may be used again after its TIME_WAIT.)
  const lastSeconds = Math.min(untilSeconds, count / perSecond + closerProfile.timeWaitNs / 1e9);
  const turns = lasting ? 1 : 1 + Math.floor(lastSeconds / (closerProfile.timeWaitNs / 1e9));
  return {
    count,
    begun: udp ? count : Math.min(count, ports * turns),
    answered: udp ? count : Math.min(count, ports * turns, gated?.answered ?? Infinity, lasting ? nats.room : Infinity),
    perSecond,
    rttSeconds,
    seconds,
    lasting,
    opened: trying,
    accepted,
    ends: Math.min(gated?.ends ?? Infinity, trying + accepted),
    timeWaits,
    packets: HANDSHAKE_PACKETS + (rounds > 0 ? 0 : sizes.packets * overlapping) + (lasting ? 0 : CLOSE_PACKETS),
    burst: rounds > 0 || sizes.packets === 0 ? 1 : 1 + Math.min(FIRST_WINDOW, segmentsOf(sizes.largest)),
    backlog: targets *
      Math.min(server?.listen?.[0]?.backlog ?? 4096, server?.profile?.somaxconn ?? DEFAULT_PROFILE.somaxconn),
    segments: { up: segmentsOf(sizes.up), down: segmentsOf(sizes.down) },
    dataSegments: sizes.packets / 2,
    loss: lost,
    // (With one exchange alone it was not seen to leave anything behind.)
    disturbed: (options.requests ?? 1) === 1
      ? 0
      : 1 - (1 - (way?.reorder ?? 0)) ** (sizes.packets + HANDSHAKE_PACKETS + CLOSE_PACKETS),
    exchanges: Math.max(1, options.requests ?? 1),
    profiles: { client: profile, server: { ...DEFAULT_PROFILE, ...server?.profile } },
    transferring: Math.min(accepted, Math.max(working * transferSeconds / work + waiting, gated?.unfinished ?? 0)),
    windowSegments: windowOf(sizes.largest, rounds, {
      together: count <= perSecond * transferSeconds,
      mostBytes: profile.receiveBufferMaxBytes / 2,
      loss: way?.loss ?? 0,
    }),
    bitsPerSegment: FULL_BYTES * 8,
    sources,
    targets,
    ipv4Share,
    to,
    way,
  };
}

/** Share of packets lost from which on connections fail to open. */
const HOPELESS_LOSS = 0.3;

/** What is in a stream's way. */
interface Hindered {
  count: number;
  perSecond: number;
  rttSeconds: number;
  seconds: number;
  untilSeconds: number;
  synRetries: number;
  way: Way | undefined;
  back: Way | undefined;
  server: HostOptions | undefined;
  listening: number;
}

/** What becomes of connections where links or who accepts cannot take all that begin; undefined where they can. */
function gatedOpenings(options: WorkloadOptions, sizes: Sizes, found: Hindered): Openings | undefined {
  const { count, perSecond, rttSeconds, seconds, untilSeconds, synRetries, way, back, server, listening } = found;
  if (way === undefined || count === 0 || options.kind === "syn-flood") return undefined;
  const overSeconds = Math.max(count / perSecond, count * HANDSHAKE_BITS / way.firstBitsPerSecond, LEAST_RTT_SECONDS);
  const exchanges = sizes.bytes === 0 ? 0 : sizes.bytes / (sizes.up + sizes.down);
  if (overSeconds === Infinity) return undefined;
  // (Of long transfers the first window: how fast they go on is TCP's to find out.)
  const bitsOf = (message: number) =>
    8 *
    (Math.min(exchanges * message, FIRST_WINDOW * SEGMENT_BYTES) +
      ACK_BYTES * Math.min(sizes.packets / 2, FIRST_WINDOW));
  const upBits = sizes.bytes === 0 ? 0 : bitsOf(sizes.up);
  const downBits = sizes.bytes === 0 ? 0 : bitsOf(sizes.down);
  const gateOf = (one: Way | undefined): Gate =>
    one === undefined || one.queuePackets === Infinity
      ? OPEN
      : { perSecond: one.bitsPerSecond, atOnce: one.queuePackets * HANDSHAKE_BITS };
  const up = gateOf(way);
  const down = gateOf(back);
  const { acceptIntervalNs = 0, backlog = DEFAULT_PROFILE.somaxconn } = server?.listen?.[0] ?? {};
  const accepts = acceptIntervalNs === 0
    ? OPEN
    : { perSecond: listening * 1e9 / acceptIntervalNs, atOnce: listening * (backlog + 1) };
  const exceeds = ({ perSecond, atOnce }: Gate, each: number) => count * each > atOnce + perSecond * overSeconds;
  const loss = 1 - (1 - way.loss) * (1 - (back?.loss ?? 0));
  const small = sizes.largest <= FIRST_WINDOW * SEGMENT_BYTES;
  const handshakes = HANDSHAKE_BITS * 2;
  if (
    !exceeds(up, handshakes + (small ? upBits : 0)) && !exceeds(down, HANDSHAKE_BITS + (small ? downBits : 0)) &&
    !exceeds(accepts, 1) && loss < HOPELESS_LOSS
  ) return undefined;
  return openingsOf({
    count,
    overSeconds,
    rttSeconds,
    lifeSeconds: seconds,
    untilSeconds,
    synRetries,
    loss,
    up,
    down,
    accepts,
    handshakeBits: HANDSHAKE_BITS,
    upBits,
    downBits,
    segmentBits: FULL_BYTES * 8,
  });
}

/**
 * Segments that a connection has under way while it moves a message of `bytes`: where connections come one after the
 * other, the mean of slow start's rounds; where all are at it together, the most.
 */
function windowOf(
  bytes: number,
  rounds: number,
  { together, mostBytes, loss }: { together: boolean; mostBytes: number; loss: number },
): number {
  const all = segmentsOf(bytes);
  const each = rounds === 0 ? all : together ? largestRound(all) : all / (rounds + 1);
  // (A window that losses halve again and again: RFC 5681, Mathis.)
  return Math.min(each, segmentsOf(mostBytes), loss === 0 ? Infinity : Math.max(FIRST_WINDOW, 1.5 / Math.sqrt(loss)));
}

/** The most segments of a round of slow start, of `all` in a message. */
function largestRound(all: number): number {
  let left = all;
  let round = FIRST_WINDOW;
  for (; left > round; round *= 2) left -= round;
  return Math.max(round / 2, left);
}

function segmentsOf(bytes: number): number {
  return Math.ceil(bytes / SEGMENT_BYTES);
}

/** How many begin until then, and how many a second. */
export function arrivalsOf(options: WorkloadOptions, untilSeconds: number): { count: number; perSecond: number } {
  const { connections, arrivals, atNs } = options;
  if (options.kind === "schedule" && atNs !== undefined && atNs.length > 0) {
    const seconds = (atNs[atNs.length - 1] - atNs[0]) / 1e9;
    return { count: connections, perSecond: seconds > 0 ? connections / seconds : AT_ONCE };
  }
  const perSecond = arrivals === undefined || arrivals.kind === "at-once" ? AT_ONCE : arrivals.perSecond!;
  const seconds = Math.max(0, untilSeconds - (arrivals?.startNs ?? 0) / 1e9);
  if (perSecond === AT_ONCE) return { count: connections, perSecond };
  return { count: Math.min(connections, Math.ceil(fluctuating(options, perSecond * seconds)) + 1), perSecond };
}

/** A mean number; where arrivals are random, three standard deviations more. */
function fluctuating({ arrivals, holdDistribution }: WorkloadOptions, mean: number): number {
  const random = arrivals?.kind === "poisson" || (holdDistribution ?? "fixed") !== "fixed";
  return random && mean > 0 && mean < Infinity ? mean + 3 * Math.sqrt(mean) : mean;
}

interface Sizes {
  /** In all. */
  bytes: number;
  /** The most one way without a pause; to the server, and from it. */
  largest: number;
  up: number;
  down: number;
  /** Packets of data and their ACKs. */
  packets: number;
}

/** What a connection moves. */
function sizesOf(options: WorkloadOptions): Sizes {
  const { kind, requests = 1 } = options;
  if (kind === "bulk") {
    const { bytes = 1e6, direction } = options;
    const [up, down] = direction === "download" ? [0, bytes] : [bytes, 0];
    return { bytes, largest: bytes, up, down, packets: segmentsOf(bytes) * 1.5 };
  }
  if (kind === "schedule") {
    const each = (options.exchanges ?? []).map(({ requestBytes = 0, replyBytes = 0 }) => [requestBytes, replyBytes]);
    const flat = each.flat();
    return {
      bytes: flat.reduce((sum, bytes) => sum + bytes, 0),
      largest: Math.max(0, ...flat),
      up: Math.max(0, ...each.map(([request]) => request)),
      down: Math.max(0, ...each.map(([_, reply]) => reply)),
      packets: flat.reduce((sum, bytes) => sum + 2 * segmentsOf(bytes), 0),
    };
  }
  const torrent = kind === "torrent";
  if (kind === "hold" || (torrent && (options.bytes ?? 0) === 0 && options.requestBytes === undefined)) {
    return { bytes: 0, largest: 0, up: 0, down: 0, packets: 0 };
  }
  const request = torrent ? options.requestBytes ?? options.bytes ?? 0 : options.requestBytes ?? 100;
  const reply = torrent ? options.replyBytes ?? options.bytes ?? 0 : options.replyBytes ?? 1000;
  return {
    bytes: requests * (request + reply),
    largest: Math.max(request, reply),
    up: request,
    down: reply,
    packets: requests * 2 * (segmentsOf(request) + segmentsOf(reply)),
  };
}

/** From the SYN to the last byte, s; how long of that data is under way; rounds of slow start after the first. */
function timesOf(
  options: WorkloadOptions,
  sizes: Sizes,
  rttSeconds: number,
  way: Way | undefined,
): { workSeconds: number; transferSeconds: number; rounds: number } {
  const { requests = 1, thinkNs = 0 } = options;
  // Slow start: the window doubles.
  let rounds = 0;
  let window = FIRST_WINDOW * SEGMENT_BYTES;
  for (let left = sizes.largest - window; left > 0; left -= window) {
    window *= 2;
    rounds++;
  }
  const exchanges = options.kind === "schedule"
    ? (options.exchanges ?? []).reduce(
      (sum, { thinkNs = 0, workNs = 0 }) => sum + rttSeconds + (thinkNs + workNs) / 1e9,
      0,
    )
    : sizes.bytes === 0
    ? 0
    : requests * rttSeconds * (1 + rounds) + (requests - 1) * thinkNs / 1e9;
  const sending = (sizes.bytes * 8) / (way?.linkBitsPerSecond ?? Infinity);
  // (Of an exchange's time, its longest message is under way for as many round trips as it takes.)
  const transferSeconds = sizes.bytes === 0 ? 0 : requests * rttSeconds * (1 + rounds) + sending;
  return { workSeconds: rttSeconds + exchanges + sending, transferSeconds, rounds };
}

/** Connections that wait because together they want more than the links carry. */
function overload(bytes: number, count: number, perSecond: number, way: Way | undefined): number {
  const carriedPerSecond = (way?.bitsPerSecond ?? Infinity) / Math.max(1, bytes * 8);
  return carriedPerSecond >= perSecond ? 0 : count * (1 - carriedPerSecond / perSecond);
}

/** Sockets that hosts have files and memory for. */
function socketsOf(host: HostOptions | undefined, hosts: number): number {
  if (host === undefined) return Infinity;
  const { maxFiles = host.profile?.maxFiles ?? Infinity, memoryBytes = host.profile?.memoryBytes ?? Infinity } = host;
  const { bytesPerSocket } = { ...DEFAULT_PROFILE, ...host.profile };
  return hosts * Math.min(maxFiles, memoryBytes / bytesPerSocket);
}

/** Connections that the NATs on the way have ports for, and whether those beyond are told so at once. */
function roomOfNats(way: Way | undefined, targets: number, sources: number): { room: number; says: boolean } {
  let least = { room: Infinity, says: false };
  let subscribers = sources;
  for (const node of way?.past ?? []) {
    if (node.kind !== "nat") continue;
    const { onRefusal, nat64, count = 1 } = node.options;
    // (A NAT64's is endpoint-independent.)
    const { mapping = nat64 === undefined ? "address-and-port-dependent" : undefined } = node.options;
    const { pool, portLow = 1024, portHigh = 65535, overloading = false } = node.options;
    const addresses = pool === undefined ? 1 : [pool].flat().reduce((sum, range) => sum + range.count, 0);
    const ports = mapping === "address-and-port-dependent"
      ? count * addresses * (portHigh - portLow + 1) * (overloading ? targets : 1)
      : Infinity;
    const { quotaSessions = Infinity, quotaPorts = Infinity } = node.options;
    const each = mapping === "address-and-port-dependent" ? Math.min(quotaSessions, quotaPorts) : quotaSessions;
    const room = Math.min(ports, subscribers * each);
    if (room < least.room) least = { room, says: onRefusal === "icmp" };
    // To the next one, a gateway is one subscriber for each of its addresses.
    subscribers = Math.min(subscribers, count * addresses);
  }
  return least;
}

/** Share of the connections that go over IPv4: all but those of hosts that both have an IPv6 address. */
function ipv4ShareOf({ family, preferredFamily }: WorkloadOptions, from?: HostOptions, server?: HostOptions): number {
  if (family === "ipv4" || preferredFamily === "ipv4") return 1;
  if (from?.address6 === undefined || server?.address6 === undefined) return 1;
  return 1 - (from.ipv6Share ?? 1) * (server.ipv6Share ?? 1);
}
