/**
 * What NAT gateways have a limited number of: ports, sessions, blocks, and what a subscriber may have of each.
 *
 * @module
 */
import { formatCount } from "../base/units.ts";
import { poolAddress, portsPerSubscriber, subscriberIndex, subscribersPerAddress } from "../nat/nat.ts";
import { BEHAVIOUR, MODE } from "../nat/behaviour.ts";
import { SHARING, TOKENS_PER_SESSION } from "../nat/carrier.ts";
import type { NatProfile } from "../nat/nat.ts";
import { NODE } from "../node/nodes.ts";
import type { NatOptions } from "./options.ts";
import type { PlannedPopulation } from "./plan.ts";
import { type Gauge, type GaugeOptions, Numbering, type Refusal } from "./capacity_gauge.ts";
import type { CapacityStream } from "./capacity_streams.ts";
import { use, type Way, type Ways } from "./capacity_ways.ts";
import { many, perSecondText } from "./capacity_words.ts";

/** What a population of gateways has given whom, so far. */
interface GatewayBook {
  /** Subscribers: (address id, gateway). */
  subscribers: Numbering;
  /** Place of each subscriber's external address in the pool, where they are paired. */
  addressOf: number[];
  cursors: number[];
  /** Internal endpoints that have a mapping for good. */
  sockets: Set<string>;
}

const books = new WeakMap<Ways, Map<string, GatewayBook>>();

function bookOf(ways: Ways, name: string): GatewayBook {
  let known = books.get(ways);
  if (known === undefined) books.set(ways, known = new Map());
  let book = known.get(name);
  if (book === undefined) {
    book = { subscribers: new Numbering(), addressOf: [], cursors: [], sockets: new Set() };
    known.set(name, book);
  }
  return book;
}

/** What a session takes of gateway `node`; returns the external address that the packet goes on with. */
export function natUses(
  ways: Ways,
  way: Way,
  node: number,
  internal: number,
  remote: number,
  port: number,
): number {
  const { s } = ways;
  const planned = ways.plannedOf(node);
  const options = planned.declaration.options as NatOptions;
  const gateway = s.nodes.words[node * NODE.STRIDE + NODE.GATEWAY];
  const profile = s.nat.profileOf(gateway);
  const member = node - planned.firstRow;
  const book = bookOf(ways, planned.name);
  const subscriber = book.subscribers.of(internal, member);
  const refusal: Refusal = options.onRefusal === "icmp" ? "told" : "lost";
  const { stream } = way;
  const paired = profile.paired && planned.pool.count > 1;
  const address = profile.sharing === SHARING.DETERMINISTIC
    ? computedAddress(ways, profile, planned, internal)
    : paired
    ? pairedAddress(book, subscriber, member, planned.pool.count)
    : 0;
  const external = poolAddress(s.nat, gateway, Math.max(0, address));
  // (Who is no subscriber of a deterministic NAT is refused, and takes nothing.)
  if (address < 0) return external;
  const shared = profile.mode === MODE.MAPPED && profile.mapping !== BEHAVIOUR.ADDRESS_AND_PORT_DEPENDENT;
  const kept = sessionNs(profile, true);
  // A freed port rests (hold-down), but no session does, and no quota counts it.
  const counted = sessionNs(profile, false);
  const once = stream.oneSocket;
  const add = (gauge: Gauge, placeOf: (gauge: Gauge) => number) => {
    gauge.members.of(member);
    use(way, gauge, placeOf(gauge), refusal, once);
  };

  const ofSubscriber = (gauge: Gauge) => gauge.places.of(subscriber);

  if (profile.maxSessions !== 0) {
    add(
      ways.gauge("nat-table", planned.name, "", () => ({
        capacity: profile.maxSessions,
        ...counted,
        unit: "sessions",
        words: (gauge) => `${many(gauge.places.count, "gateway")} x ${many(profile.maxSessions, "session")}`,
      })),
      (gauge) => gauge.places.of(member),
    );
  }
  if (profile.tokensPerMs !== 0) add(rateGauge(ways, planned, profile), ofSubscriber);
  if (profile.quotaSessions !== 0) {
    add(quotaGauge(ways, planned, profile.quotaSessions, "session", counted), ofSubscriber);
  }
  // Several sessions of one internal endpoint have one port: that of a socket with many peers is counted once.
  if (shared && once) {
    const key = `${stream.number} ${internal} ${member} ${
      profile.mapping === BEHAVIOUR.ENDPOINT_INDEPENDENT ? 0 : remote
    }`;
    if (book.sockets.has(key)) return external;
    book.sockets.add(key);
  }
  const estimate = shared && !once && severalPeers(stream)
    ? "connections from one port of a host to several destinations have one external port: there may be room for more"
    : undefined;
  if (profile.quotaPorts !== 0) {
    add(quotaGauge(ways, planned, profile.quotaPorts, "port", counted, estimate), ofSubscriber);
  }
  if (profile.sharing !== SHARING.POOL) {
    const block = blockGauge(ways, planned, profile, stream.udp, kept, estimate);
    const place = shareOf(profile, block.gauge, subscriber, ways.endpoint(remote, port));
    if (profile.sharing === SHARING.BLOCKS) {
      addBlocks(ways, planned, profile, block, place, paired ? member * planned.pool.count + address : member);
    }
    add(block.gauge, () => place);
    return external;
  }
  const gauge = poolGauge(ways, planned, profile, stream.udp, kept, estimate);
  const row = paired ? member * planned.pool.count + address : member;
  gauge.destinations.add(ways.endpoint(remote, port));
  const place = profile.mode === MODE.OVERLOADED
    ? gauge.places.of(row, ways.endpoint(remote, port))
    : gauge.places.of(row);
  add(gauge, () => place);
  return external;
}

/** Has a source more than one destination? */
function severalPeers(stream: CapacityStream): boolean {
  const { sources, targets, options, period } = stream;
  if (stream.named || options.kind === "torrent") return targets > 1 || stream.named;
  return period > sources;
}

/** Ports of a block serve each destination where they are overloaded. */
function shareOf(profile: NatProfile, gauge: Gauge, subscriber: number, endpoint: number): number {
  return profile.mode === MODE.OVERLOADED ? gauge.places.of(subscriber, endpoint) : gauge.places.of(subscriber);
}

/** How long something is kept. */
type Kept = Pick<GaugeOptions, "keepNs" | "refusedNs" | "revives">;

/** How long a session lasts, ns; or what it has, which rests after that. */
function sessionNs(profile: NatProfile, rests: boolean): Kept {
  const restsTcpNs = rests && profile.holdDownTcp ? profile.holdDownMs * 1e6 : 0;
  const restsUdpNs = rests ? profile.holdDownMs * 1e6 : 0;
  return {
    keepNs: (stream, rttNs) =>
      stream.udp
        ? stream.exchangeNs(rttNs) + profile.udpMs * 1e6 + restsUdpNs
        : stream.openNs(rttNs) + rttNs + profile.tcpClosingMs * 1e6 + restsTcpNs,
    // (Of a SYN that is refused further on.)
    refusedNs: (shortNs) => shortNs + profile.tcpOpeningMs * 1e6 + restsTcpNs,
    revives: true,
  };
}

/** The pool's addresses are given to new subscribers in turn. */
function pairedAddress(book: GatewayBook, subscriber: number, member: number, count: number): number {
  const known = book.addressOf[subscriber];
  if (known !== undefined) return known;
  const cursor = book.cursors[member] ?? 0;
  book.cursors[member] = cursor + 1 === count ? 0 : cursor + 1;
  return book.addressOf[subscriber] = cursor;
}

function planOf(planned: PlannedPopulation, profile: NatProfile) {
  const { subscriberCount: subscribers, portLow, portCount } = profile;
  return { subscribers, addresses: planned.pool.count, portLow, portCount };
}

/** Place in the pool of a deterministic NAT's subscriber; -1 if it is none. */
function computedAddress(ways: Ways, profile: NatProfile, planned: PlannedPopulation, internal: number): number {
  const index = subscriberIndex(profile, ways.s.addresses, internal);
  return index >= 0 ? Math.floor(index / subscribersPerAddress(planOf(planned, profile))) : -1;
}

function forwardsOf(planned: PlannedPopulation, udp: boolean): number {
  const { forwards = [] } = planned.declaration.options as NatOptions;
  return forwards.filter(({ protocol }) => (protocol === "udp") === udp).length;
}

function poolGauge(
  ways: Ways,
  planned: PlannedPopulation,
  profile: NatProfile,
  udp: boolean,
  kept: Kept,
  estimate: string | undefined,
): Gauge {
  const { count } = planned.pool;
  const { portCount, portLow } = profile;
  const paired = profile.paired && count > 1;
  const forwards = paired ? 0 : forwardsOf(planned, udp);
  const overloaded = profile.mode === MODE.OVERLOADED;
  const gauge = ways.gauge("nat-pool", planned.name, `${udp}`, () => ({
    capacity: (paired ? 1 : count) * portCount - forwards,
    ...kept,
    unit: "external ports",
    words: (gauge) => {
      const gateways = gauge.members.count;
      const ports = `${many(portCount, "port")} (${formatCount(portLow)} to ${formatCount(portLow + portCount - 1)})`;
      const addresses = many(count, "address", "addresses");
      const parts = [addresses, ports];
      if (gateways > 1) parts.unshift(many(gateways, "gateway"));
      if (overloaded) parts.push(many(gauge.destinations.size, "destination"));
      return parts.join(" x ") + (forwards === 0 ? "" : ` - ${many(forwards, "port forward")}`) +
        (paired ? ", a subscriber being paired with one address" : "");
    },
  }));
  gauge.estimate ??= estimate;
  return gauge;
}

function quotaGauge(
  ways: Ways,
  planned: PlannedPopulation,
  quota: number,
  what: "session" | "port",
  kept: Kept,
  estimate?: string,
): Gauge {
  const gauge = ways.gauge("nat-quota", planned.name, what, () => ({
    capacity: quota,
    ...kept,
    unit: `${what}s of one subscriber`,
    words: (gauge) => `${many(gauge.places.count, "subscriber")} x ${many(quota, what)}`,
  }));
  gauge.estimate ??= estimate;
  return gauge;
}

function rateGauge(ways: Ways, planned: PlannedPopulation, profile: NatProfile): Gauge {
  const perSecond = profile.tokensPerMs / 1000;
  const burst = profile.tokensMost / TOKENS_PER_SESSION;
  return ways.gauge("nat-rate", planned.name, "", () => ({
    capacity: burst,
    drainPerNs: perSecond / 1e9,
    unit: "new sessions of one subscriber",
    estimate: "packets take their time to the gateway, and the rate comes back by the millisecond",
    words: (gauge) =>
      `${many(gauge.places.count, "subscriber")} x (${formatCount(burst)} at once, then ${
        perSecondText(perSecond)
      } a second)`,
  }));
}

function blockGauge(
  ways: Ways,
  planned: PlannedPopulation,
  profile: NatProfile,
  udp: boolean,
  kept: Kept,
  estimate: string | undefined,
): { gauge: Gauge } {
  const computed = profile.sharing === SHARING.DETERMINISTIC;
  const plan = planOf(planned, profile);
  const size = computed ? portsPerSubscriber(plan) : profile.blockSize;
  const blocks = computed ? 1 : profile.blocksPerSubscriber;
  const gauge = ways.gauge("nat-block", planned.name, `${udp}`, () => ({
    capacity: size * blocks,
    ...kept,
    unit: "ports of one subscriber",
    words: (gauge) => {
      const subscribers = many(gauge.places.count, "subscriber");
      if (!computed) return `${subscribers} x ${many(blocks, "block")} x ${many(size, "port")}`;
      const share = subscribersPerAddress(plan);
      return `${subscribers} x ${many(size, "port")} (${formatCount(profile.portCount)} ports / ` +
        `${many(share, "subscriber")} to an address)`;
    },
  }));
  gauge.estimate ??= estimate;
  return { gauge };
}

/** The first connection of a subscriber's block takes it from the pool. */
function addBlocks(
  ways: Ways,
  planned: PlannedPopulation,
  profile: NatProfile,
  { gauge }: { gauge: Gauge },
  place: number,
  row: number,
): void {
  const { count } = planned.pool;
  const paired = profile.paired && count > 1;
  const size = profile.blockSize;
  const perAddress = Math.floor(profile.portCount / size);
  const pool = ways.gauge("nat-pool", planned.name, "blocks", () => ({
    capacity: (paired ? 1 : count) * perAddress,
    unit: "blocks",
    words: () =>
      `${many(count, "address", "addresses")} x floor(${formatCount(profile.portCount)} / ${formatCount(size)}) = ` +
      `${many(count * perAddress, "block")} of ${many(size, "port")}`,
  }));
  if (gauge.blocks === undefined) {
    const places: number[] = [];
    gauge.blocks = { size, pool, places, giveBack: (alone, place) => pool.freeBlock(places[place], alone) };
  }
  gauge.blocks.places[place] = pool.places.of(row);
  pool.sharedOutBy = gauge;
  pool.estimate ??= gauge.estimate;
}

/** Where a forwarded port of a gateway leads; undefined if it is none. */
export function forwardOf(
  ways: Ways,
  node: number,
  address: number,
  port: number,
  udp: boolean,
): [address: number, port: number] | undefined {
  const { addresses } = ways.s;
  const planned = ways.plannedOf(node);
  const { forwards = [] } = planned.declaration.options as NatOptions;
  const first = addresses.intern(planned.pool.first) + (node - planned.firstRow) * planned.pool.count;
  for (const forward of forwards) {
    const external = forward.externalAddress === undefined ? first : addresses.intern(forward.externalAddress);
    if (forward.externalPort !== port || external !== address || (forward.protocol === "udp") !== udp) continue;
    return [addresses.intern(forward.address), forward.port];
  }
  return undefined;
}
