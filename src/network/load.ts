/**
 * How many rows of each kind the declared workloads will have in use at once, at the most: from counts, rates, holding
 * times, delays and limits alone, before anything is built. What is reserved (`build.ts`) and what is estimated
 * (`estimate.ts`) goes by it.
 *
 * @module
 */
import { congestionById, congestionId } from "../tcp/congestion/types.ts";
import { DEFAULT_PROFILE, type Profile } from "../transport/profile.ts";
import type { BalancerOptions } from "./balancer_options.ts";
import type { NetworkEvent } from "./event_options.ts";
import { AT_ONCE, type Flows, flowsOf } from "./load_flows.ts";
import { partsOf, refusedFlows } from "./load_refused.ts";
import { Ways } from "./load_ways.ts";
import { holdNsOf, type NatOptions, type WorkloadOptions } from "./options.ts";
import type { ProxyOptions } from "./proxy_options.ts";
import type { Declaration, LinkDeclaration } from "./plan.ts";

/** Rows in use at once, at the most, by kind. */
export interface Load {
  /** Ends of connections. */
  ends: number;
  /** Ends that have something unacknowledged for long, or have had a loss: they have a cold row and records. */
  coldEnds: number;
  /** What of a connection has rows of its own: receiving in bursts, long sending, a grown window, recovery, options. */
  receivers: number;
  senders: number;
  windows: number;
  recoveries: number;
  settings: number;
  /** Ends whose doings are counted. */
  accounts: number;
  /** Segments kept for retransmission. */
  segments: number;
  synRows: number;
  timeWaits: number;
  /** NAT: sessions, mapping rows, subscribers, and bitmaps of crowded external addresses. */
  sessions: number;
  mappings: number;
  subscribers: number;
  bitmaps: number;
  /** Balancers' flows. */
  flows: number;
  packets: number;
  /** Of these, those that are not all due at the same moment. */
  scattered: number;
  /** How far ahead of the present their events are, at the most, s. */
  aheadSeconds: number;
  /** Application events that wait. */
  events: number;
  /** Entries of the wheels of TCP's timers, and of the others. */
  tcpTimers: number;
  /** Slots of that wheel that have entries at the same time. */
  tcpSlots: number;
  natTimers: number;
  /** Milliseconds of the next few seconds in which such timers are due. */
  natSlots: number;
  /** Places in the table of what hosts count for each of their destinations (Linux's choice of ports). */
  portCounters: number;
  /** UDP: sockets, exchanges under way. */
  datagramSockets: number;
  exchanges: number;
  /** Connections in all, and connections and exchanges: their times are kept. */
  connections: number;
  samples: number;
  /** Pairs of a host that opens and an endpoint that it opens to, of those open at once. */
  pairs: number;
  /** Connections whose requests proxies keep books of. */
  proxied: number;
}

/** No load. */
export const NO_LOAD: Readonly<Load> = {
  ends: 0,
  coldEnds: 0,
  receivers: 0,
  senders: 0,
  windows: 0,
  recoveries: 0,
  settings: 0,
  accounts: 0,
  segments: 0,
  synRows: 0,
  timeWaits: 0,
  sessions: 0,
  mappings: 0,
  subscribers: 0,
  bitmaps: 0,
  flows: 0,
  packets: 0,
  scattered: 0,
  aheadSeconds: 0,
  events: 0,
  tcpTimers: 0,
  tcpSlots: 0,
  natTimers: 0,
  natSlots: 0,
  portCounters: 0,
  datagramSockets: 0,
  exchanges: 0,
  connections: 0,
  samples: 0,
  pairs: 0,
  proxied: 0,
};

/** Seconds that a SYN without an answer is repeated for (Linux: 1 + 2 + … + 64). */
const SYN_SECONDS = 127;
/** Seconds that an entry stays on the wheel after its timer was armed: the first RTO. */
const RTO_SECONDS = 1;
/** Seconds after which a timer of a SYN is first looked at, whether or not there still is a connection. */
const LOOK_SECONDS = 0.2;
/** Slots, a millisecond each, of what is due within a second; of SYNs' timers (twice: in each are so few that a chunk is to spare). */
const LOOK_SLOTS = 2 * 1000 * LOOK_SECONDS;
const TCP_SLOTS = 1600;
/** Seconds that a session is kept after both FINs, unless its NAT says otherwise; that a balancer keeps a flow. */
const CLOSING_SECONDS = 240;
const FLOW_SECONDS = 120;
const UDP_SECONDS = 300;
/** Segments of a message from which on its sender counts its window, has filled the first, and keeps a long queue. */
const COUNTED_SEGMENTS = 6;
const FULL_SEGMENTS = 10;
const LONG_SEGMENTS = 31;
/** The finest of a wheel's slots, a millisecond each, in which timers stand alone. */
const FINE_SLOTS = 4096;
const FINE_SECONDS = FINE_SLOTS / 1000;
/** Seconds after which a DNS query is repeated or given up. */
const DNS_SECONDS = 5;

/** What a declared network will hold. `untilSeconds`: how long it runs at most; `events`: what changes on the way. */
export function loadOf(
  declarations: readonly Declaration[],
  links: readonly LinkDeclaration[],
  workloads: readonly WorkloadOptions[],
  untilSeconds: number,
  events: readonly NetworkEvent[] = [],
): Load {
  const load = { ...NO_LOAD };
  const ways = new Ways(declarations, links);
  const natLimits = new Map<Declaration, number>();
  const parts = workloads.flatMap((options) => partsOf(options, ways, events, untilSeconds));
  for (const { options, refused } of parts) {
    const found = flowsOf(options, ways, untilSeconds);
    const flows = refused ? refusedFlows(found) : found;
    const before = load.packets;
    if (options.kind === "syn-flood") addFlood(load, flows, ways);
    else if (options.kind === "dns" || options.transport === "udp") addDatagrams(load, options, flows);
    else if (refused) addRefused(load, flows);
    else addConnections(load, options, flows, ways);
    if (flows.perSecond < AT_ONCE) load.scattered += load.packets - before;
    load.aheadSeconds = Math.max(load.aheadSeconds, aheadSecondsOf(flows));
    addTranslations(load, options, flows, natLimits);
    for (const node of flows.way?.past ?? []) {
      if (node.kind === "balancer" && remembers(node.options)) addBalanced(load, flows, node.options.finNs);
    }
    if (options.kind === "syn-flood") continue;
    // (Of an exchange of datagrams every answer's time is kept, of a connection the time that it took to open.)
    load.samples += flows.answered * (options.transport === "udp" ? options.requests ?? 1 : 1);
    if (options.kind !== "dns" && options.transport !== "udp") load.connections += flows.answered;
  }
  load.packets += 1;
  return load;
}

/** How long a packet is on a link, with what it waits for it where messages of several segments may fill a queue, s. */
function aheadSecondsOf({ way, segments }: Flows): number {
  return way === undefined || Math.max(segments.up, segments.down) > 1 ? Infinity : way.linkSeconds;
}

/** The profile of a population of hosts. */
export function profileOf(declaration: Declaration | undefined): Profile {
  const own = declaration?.kind === "host" ? declaration.options.profile : undefined;
  return { ...DEFAULT_PROFILE, ...own };
}

/** Connections that are refused have an end for a round trip, and its timer's entry until that is looked at. */
function addRefused(
  load: Load,
  { count, perSecond, opened, sources, targets, packets, burst, rttSeconds }: Flows,
): void {
  load.pairs += Math.min(opened, sources * targets);
  load.ends += opened;
  load.tcpTimers += Math.min(count, perSecond * LOOK_SECONDS);
  load.tcpSlots = Math.max(load.tcpSlots, LOOK_SLOTS);
  load.packets += Math.min(count * burst, perSecond * packets * rttSeconds / 2);
}

function addConnections(load: Load, options: WorkloadOptions, flows: Flows, ways: Ways): void {
  const { begun: count, perSecond, rttSeconds, seconds, lasting } = flows;
  const { opened, accepted } = flows;
  // One more round trip goes by until the other end is closed too.
  const passing = Math.min(count, perSecond * rttSeconds);
  load.pairs += Math.min(opened + flows.timeWaits, flows.sources * flows.targets);
  // (The first destination's counter is in the host's row.)
  const { portAllocation } = flows.profiles.client;
  if (portAllocation === "linux" || portAllocation === "rfc6056-4") {
    load.portCounters += Math.max(0, Math.min(count, flows.sources * flows.targets) - flows.sources);
  }
  load.ends += Math.min(flows.ends, lasting ? opened + accepted : opened + Math.min(count, accepted + passing));
  load.synRows += Math.min(flows.backlog, count, passing);
  if (!lasting) {
    // (If both close, the one that hears of the other's close first does not close first.)
    load.timeWaits += flows.timeWaits;
    load.tcpTimers += flows.timeWaits;
  }
  const armed = 2 * Math.min(count, perSecond * RTO_SECONDS);
  load.tcpSlots = TCP_SLOTS;
  load.tcpTimers += options.keepAliveNs === undefined ? Math.min(armed, 2 * opened + passing) : Math.max(armed, opened);
  if (!lasting && seconds > rttSeconds) load.events += opened;
  addTransfers(load, options, flows);
  load.packets += Math.min(count * flows.burst, perSecond * flows.packets * rttSeconds / 2);
  const proxy = proxyOf(ways, flows);
  if (proxy !== undefined) addProxied(load, proxy, flows, ways);
}

/** What a proxy has towards its back ends. */
function addProxied(load: Load, proxy: ProxyOptions, flows: Flows, ways: Ways): void {
  const { begun: count, perSecond, rttSeconds, opened } = flows;
  const first = proxy.backends[0];
  const backend = first === undefined
    ? ""
    : (typeof first === "string" ? first : first.to).replace(/(\[.*\])?:\d+$/, "");
  const backendRtt = (flows.to === undefined ? undefined : ways.between(flows.to, backend))?.rttSeconds ?? rttSeconds;
  const { kind = "request", keepAlive = false, multiplex = 1, maxConnections = Infinity } = proxy;
  // A request has a connection while it is opened and answered, and the last of closing; in a pool of them, just as long.
  const busy = kind === "stream" ? opened : perSecond * flows.exchanges * 2 * backendRtt / multiplex;
  const open = Math.min(opened, busy, maxConnections * Math.max(1, ways.countOf(backend)) * proxy.backends.length);
  load.ends += 2 * open;
  if (kind !== "stream") load.proxied += opened;
  const armed = 2 * Math.min(count, perSecond * RTO_SECONDS);
  load.tcpTimers += Math.min(armed, keepAlive ? 2 * open : armed);
  if (!keepAlive || kind === "stream") {
    // (A connection for each request is closed after it, also where the client's stays open.)
    const seconds = profileOf(flows.to === undefined ? undefined : ways.byName.get(flows.to)).timeWaitNs / 1e9;
    const asked = kind === "stream" ? 0 : (Math.min(count, perSecond * seconds) * flows.exchanges) / multiplex;
    const waiting = Math.max(flows.timeWaits, asked);
    load.timeWaits += waiting;
    load.tcpTimers += waiting;
  }
  load.packets += Math.min(count * flows.burst, perSecond * flows.packets * backendRtt / 2);
}

/** What messages of more than a segment leave behind at their ends, and have under way. */
function addTransfers(load: Load, options: WorkloadOptions, flows: Flows): void {
  const { opened, accepted, segments, loss, transferring } = flows;
  const { keepAliveNs = Infinity } = options;
  // A probe is answered by the end that was silent.
  const aliveSeconds = flows.lasting ? flows.count / flows.perSecond : holdNsOf(options) / 1e9;
  const probed = aliveSeconds > keepAliveNs / 1e9 ? 1 : 0;
  const cold = { client: keepAliveNs === Infinity ? 0 : 1, server: probed };
  const receivers = { client: 0, server: probed };
  const recoveries = { client: 0, server: 0 };
  if (keepAliveNs !== Infinity) load.settings += opened;
  const all = segments.up + segments.down;
  const { windowSegments } = flows;
  const byWindow = transferring * windowSegments;
  const inPipe = Math.min(byWindow, pipeOf(flows, byWindow));
  const overfull = Math.max(segments.up, segments.down) > 1 && inPipe < byWindow;
  const recovering = accepted === 0 ? 0 : Math.min(1, (transferring + flows.perSecond * RTO_SECONDS) / accepted);
  for (const [sent, from, to] of [[segments.up, "client", "server"], [segments.down, "server", "client"]] as const) {
    // Share of the connections in which something of that direction is lost.
    const hurt = loss === 0 || all === 0 ? 0 : Math.min(1, (loss * flows.dataSegments * sent) / all);
    const receiving = sent > 1 ? 1 : hurt;
    const most = sent > 0 && sent >= all - sent;
    const disturbed = most ? flows.disturbed : 0;
    const own = ownRows(flows.profiles[from], sent > 0);
    cold[to] = Math.max(cold[to], receiving);
    cold[from] = Math.max(cold[from], sent >= COUNTED_SEGMENTS ? 1 : hurt, disturbed, own.cold);
    receivers[to] = Math.max(receivers[to], receiving);
    receivers[from] = Math.max(receivers[from], disturbed);
    load.windows += accepted * Math.max(own.windows, sent >= FULL_SEGMENTS ? 1 : hurt / 2);
    load.senders += accepted * Math.max(own.senders, sent > LONG_SEGMENTS ? 1 : 0);
    const queued = overfull && most && accepted > 0 ? transferring / accepted : 0;
    recoveries[from] = Math.max(own.recoveries, Math.min(1, recovering * hurt + queued), disturbed);
    load.accounts += accepted * own.accounts;
  }
  load.coldEnds += opened * cold.client + accepted * cold.server;
  load.receivers += accepted * (receivers.client + receivers.server);
  load.recoveries += accepted * (recoveries.client + recoveries.server);
  if (Math.max(segments.up, segments.down) <= 1) return;
  // Where windows let out more than queues hold, what is lost is kept until it is acknowledged.
  load.segments += overfull ? Math.max(inPipe * KEPT, transferring * Math.min(windowSegments, FULL_SEGMENTS)) : inPipe;
  if (Math.max(segments.up, segments.down) <= FULL_SEGMENTS) return;
  load.packets += inPipe;
  if (flows.perSecond < AT_ONCE) {
    load.scattered -= inPipe * (1 - Math.min(1, LONE_BITS_PER_SECOND / (flows.way?.linkBitsPerSecond ?? Infinity)));
  }
}

/** Words of a usual row of a congestion control's own. */
export const WINDOW_WORDS = 16;

/** Rows that an end has because of its host's settings, once it has sent something: 1 each, of `windows` so many usual ones. */
function ownRows({ accounting, pacing, congestionControl }: Profile, sends: boolean) {
  const id = congestionId(congestionControl);
  const { onSample, onControl, wantsRates, overlooksLoneFlights, rowWords = WINDOW_WORDS } = id < 0
    ? congestionById(congestionId(DEFAULT_PROFILE.congestionControl))
    : congestionById(id);
  const accounts = accounting ? 1 : 0;
  // One that looks at every ACK; and one that sets its own pace.
  const looks = sends && overlooksLoneFlights === undefined && (onSample ?? onControl) !== undefined;
  const paces = sends && (pacing || onControl !== undefined);
  return {
    accounts,
    cold: looks || paces ? 1 : accounts,
    senders: paces ? 1 : 0,
    recoveries: looks && wantsRates === true ? 1 : accounts,
    windows: looks ? rowWords / WINDOW_WORDS : 0,
  };
}

/** On faster links the packets of a burst come so close together that they share what the event queue keeps them in. */
const LONE_BITS_PER_SECOND = 2.5e8;

/** Segments kept for retransmission where a queue has overflowed, of each that is under way. */
const KEPT = 1.4;

/** Data segments that links and queues hold; without a limit, `most`. */
function pipeOf({ way, bitsPerSegment }: Flows, most: number): number {
  if (way === undefined || way.bitsPerSecond === Infinity) return most;
  return (way.bitsPerSecond * way.rttSeconds) / bitsPerSegment + Math.min(way.queuePackets, most);
}

function proxyOf(ways: Ways, { to }: Flows): ProxyOptions | undefined {
  const declaration = to === undefined ? undefined : ways.byName.get(to);
  return declaration?.kind === "host" ? declaration.options.proxy : undefined;
}

function addFlood(load: Load, flows: Flows, ways: Ways): void {
  const { count, perSecond, rttSeconds, backlog } = flows;
  const { synCookies, maxSynBacklog } = profileOf(flows.to === undefined ? undefined : ways.byName.get(flows.to));
  const room = Math.min(backlog, synCookies === 0 ? maxSynBacklog : backlog);
  load.synRows += Math.min(count, room, perSecond * SYN_SECONDS);
  load.packets += Math.min(count, perSecond * rttSeconds * 2);
  load.tcpTimers += Math.min(count, room);
  load.tcpSlots = TCP_SLOTS;
}

function addDatagrams(load: Load, options: WorkloadOptions, flows: Flows): void {
  const { count, perSecond, rttSeconds, seconds } = flows;
  const open = Math.min(count, perSecond * seconds);
  const shared = options.kind === "torrent";
  load.datagramSockets += shared ? flows.sources : open;
  load.exchanges += shared || options.kind === "dns" ? Math.min(count, perSecond * rttSeconds * 2) : open;
  // A deadline that was not needed stays on the wheel until its time.
  const timeoutSeconds = options.kind === "dns" ? DNS_SECONDS : (options.timeoutNs ?? 5e9) / 1e9;
  const { requests = 1 } = options;
  load.natTimers += Math.min(count * requests, perSecond * requests * timeoutSeconds);
  load.natSlots = Math.min(FINE_SLOTS, load.natSlots + Math.min(count, perSecond * FINE_SECONDS) * requests);
  // Pauses, and a socket that is held.
  if (seconds > requests * rttSeconds && !shared) load.events += open;
  load.packets += Math.min(count, perSecond * rttSeconds);
}

/** Applications' timers at once: of the wheel's entries those that are no NAT session's. */
export function appTimersOf({ natTimers, sessions }: Load): number {
  return Math.max(0, natTimers - sessions);
}

/** Does a balancer keep a table of flows? */
function remembers({ services }: BalancerOptions): boolean {
  return services.some(({ connectionTable }) => connectionTable !== false);
}

function addBalanced(load: Load, { count, perSecond, seconds, lasting }: Flows, finNs?: number): void {
  const open = lasting
    ? count
    : Math.min(count, perSecond * (seconds + (finNs === undefined ? FLOW_SECONDS : finNs / 1e9)));
  load.flows += open;
  load.natTimers += open;
}

/** Sessions, and what hangs on them, of the NATs on the way. */
function addTranslations(
  load: Load,
  options: WorkloadOptions,
  flows: Flows,
  taken: Map<Declaration, number>,
): void {
  for (const node of flows.way?.past ?? []) {
    if (node.kind !== "nat") continue;
    const nat = node.options;
    const udp = options.kind === "dns" || options.transport === "udp";
    const afterNs = udp
      ? nat.udpNs ?? UDP_SECONDS * 1e9
      : nat.tcpClosingNs ?? nat.tcpTransitoryNs ?? CLOSING_SECONDS * 1e9;
    const { count, perSecond, seconds, lasting } = flows;
    const asked = flows.ipv4Share *
      (lasting && !udp ? count : Math.min(count, perSecond * (Math.min(seconds, 1e9) + afterNs / 1e9)));
    const room = roomOf(nat, flows) - (taken.get(node) ?? 0);
    const sessions = Math.max(0, Math.min(asked, room));
    taken.set(node, (taken.get(node) ?? 0) + sessions);
    load.sessions += sessions;
    load.natTimers += sessions;
    const { mapping = "address-and-port-dependent", filtering = "address-and-port-dependent" } = nat;
    const plain = mapping === "address-and-port-dependent" && filtering === "address-and-port-dependent";
    const endpoints = udp && options.kind === "torrent" ? flows.sources : sessions;
    if (!plain || nat.nat64 !== undefined) load.mappings += Math.min(sessions, endpoints);
    if (keepsSubscribers(nat) || asked > room) load.subscribers += flows.sources;
    const addresses = addressesOf(nat) * (nat.count ?? 1);
    // A search that meets a crowd makes a bitmap.
    if (nat.portAssignment !== "sequential" && sessions > addresses * portsOf(nat) / 8) load.bitmaps += addresses;
    else if (asked > room) load.bitmaps += addresses;
  }
}

function keepsSubscribers(nat: NatOptions): boolean {
  const { quotaSessions, quotaPorts, blocks, deterministic, log } = nat as NatOptions & Record<string, unknown>;
  if ([quotaSessions, quotaPorts, blocks, deterministic, log].some((one) => one !== undefined)) return true;
  return (nat.pooling ?? "paired") === "paired" && addressesOf(nat) > 1;
}

function portsOf({ portLow = 1024, portHigh = 65535 }: NatOptions): number {
  return portHigh - portLow + 1;
}

function addressesOf({ pool }: NatOptions): number {
  if (pool === undefined) return 1;
  return Array.isArray(pool) ? pool.reduce((sum, range) => sum + range.count, 0) : pool.count;
}

/** Sessions that a NAT has ports for. */
function roomOf(nat: NatOptions, flows: Flows): number {
  const gateways = nat.count ?? 1;
  const targets = nat.overloading === true ? flows.targets : 1;
  const shared = nat.mapping !== undefined && nat.mapping !== "address-and-port-dependent";
  // A mapping that does not depend on the destination serves many sessions.
  if (shared && flows.targets > 1) return Infinity;
  const pool = gateways * addressesOf(nat) * portsOf(nat) * targets;
  const quota = Math.min(nat.quotaPorts ?? Infinity, nat.quotaSessions ?? Infinity) * flows.sources;
  return Math.min(pool, quota);
}

/** Tuples in TCP's table at once, at most. */
export function tuplesOf({ ends, synRows, timeWaits }: Load): number {
  // (A half-open connection's row makes way for its accepting end.)
  return Math.ceil(timeWaits + Math.max(ends, ends / 2 + synRows));
}
