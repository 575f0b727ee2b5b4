/**
 * What a gateway has to tell in numbers: counters, the limits that bound, its log. Cold.
 *
 * @module
 */
import { formatCount } from "../base/units.ts";
import { MODE } from "./behaviour.ts";
import { blockSizeOf, blocksPerAddress } from "./blocks.ts";
import { SHARING, TOKENS_PER_SESSION } from "./carrier.ts";
import { GATEWAY, NAT_PROTOCOL, NAT_PROTOCOL_NAMES } from "./layout.ts";
import { logRecordBytes, type NatLogEvents, type NatLogFormat } from "./log_records.ts";
import type { NatTables } from "./tables.ts";
import { NAT_VERDICT, NAT_VERDICT_NAMES, type NatRefusalReason } from "./verdict.ts";

/** `1 port`, `2,048 ports`. */
function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Packets refused for one reason. */
export interface NatRefusals {
  /** How many. */
  count: number;
  /** When the first was, ns. */
  firstNs: number;
}

/** Use of the pool by one protocol. */
export interface NatPoolUse {
  /** External ports in use (overloading: external tuples). */
  portsInUse: number;
  /** Ports that rest after their use (RFC 6888 REQ-8). */
  portsHeld: number;
  /** Most at once, resting ones included: nobody else could have them. */
  portsPeak: number;
}

/** Use of blocks. */
export interface NatBlockUse {
  /** Ports in a block. */
  size: number;
  /** Blocks that there are: addresses × blocks of each. */
  capacity: number;
  /** Blocks that one subscriber may have. */
  perSubscriber: number;
  /** Blocks given now. */
  inUse: number;
  /** Most at once. */
  peak: number;
  /** Blocks ever given. */
  given: number;
}

/** What a gateway has logged, or would have. */
export interface NatLogVolume {
  /** What is logged. */
  events: NatLogEvents;
  /** How. */
  format: NatLogFormat;
  /** Records so far. */
  records: number;
  /** Bytes of one record: of a NAT64, of an IPv6 subscriber. */
  recordBytes: number;
  /** Bytes so far. */
  bytes: number;
}

/** A gateway's counters. */
export interface NatGatewayStats {
  /** External addresses × ports; each protocol has so many (overloading: towards each destination). */
  poolCapacity: number;
  /** Use of the pool by protocol (query ids, for ICMP). */
  pool: Record<"tcp" | "udp" | "icmp", NatPoolUse>;
  /** Sessions now. */
  sessions: number;
  /** Most sessions at once. */
  sessionsPeak: number;
  /** Sessions ever opened. */
  sessionsOpened: number;
  /** Blocks of ports; null where ports are not shared out in blocks. */
  blocks: NatBlockUse | null;
  /** Its log. */
  log: NatLogVolume;
  /** Unsolicited SYNs (RFC 5382 REQ-4): ever held, answered, and let go for a SYN from inside. */
  unsolicitedSyns: { held: number; answered: number; cancelled: number };
  /** Restarts. */
  restarts: number;
  /** Packets refused by reason; only reasons that occurred. */
  refusals: Partial<Record<NatRefusalReason, NatRefusals>>;
}

/** A limit of a gateway and how near it came. */
export interface NatLimit {
  /** The limit's name in reports. */
  limit: "nat-pool" | "nat-quota" | "nat-block" | "nat-rate" | "nat-table";
  /** Most ever used at once: of the fullest protocol, of the fullest subscriber. */
  used: number;
  /** What there is. */
  capacity: number;
  /** When it first refused a packet, ns; -1 for never. */
  firstHitNs: number;
  /** Packets that it refused. */
  refused: number;
  /** What `used` and `capacity` count. */
  unit: string;
}

/** External ports of a protocol index (of all, without one) in use; with overloading: external tuples. */
export function portsInUse(t: NatTables, gateway: number, protocol?: number): number {
  const words = t.gateways.words;
  const at = gateway * GATEWAY.STRIDE + GATEWAY.PORTS;
  const held = t.extrasIfAny(gateway)?.held;
  const inUse = (index: number) => words[at + index] - (held?.[index] ?? 0);
  return protocol === undefined ? inUse(0) + inUse(1) + inUse(2) : inUse(protocol);
}

/** Adds a gateway's counters that need no extras to a sum: for reports over a million gateways. */
export function addCounts(
  t: NatTables,
  gateway: number,
  sum: { sessions: number; sessionsPeak: number; sessionsOpened: number; portsInUse: number },
): void {
  const words = t.gateways.words;
  const at = gateway * GATEWAY.STRIDE;
  sum.sessions += words[at + GATEWAY.SESSIONS];
  if (words[at + GATEWAY.SESSIONS_PEAK] > sum.sessionsPeak) sum.sessionsPeak = words[at + GATEWAY.SESSIONS_PEAK];
  sum.sessionsOpened += words[at + GATEWAY.SERIAL] >>> 0;
  sum.portsInUse += portsInUse(t, gateway);
}

/** A gateway's counters. */
export function gatewayStats(t: NatTables, gateway: number): NatGatewayStats {
  const words = t.gateways.words;
  const at = gateway * GATEWAY.STRIDE;
  const extras = t.extrasIfAny(gateway);
  const use = (protocol: number): NatPoolUse => ({
    portsInUse: portsInUse(t, gateway, protocol),
    portsHeld: extras?.held[protocol] ?? 0,
    portsPeak: words[at + GATEWAY.PORTS_PEAK + protocol],
  });
  const refusals: NatGatewayStats["refusals"] = {};
  if (extras !== undefined) {
    for (let verdict = 0; verdict < NAT_VERDICT_NAMES.length; verdict++) {
      const count = extras.refused[verdict];
      if (count === 0) continue;
      refusals[NAT_VERDICT_NAMES[verdict] as NatRefusalReason] = { count, firstNs: extras.firstRefusedNs[verdict] };
    }
  }
  return {
    poolCapacity: (words[at + GATEWAY.PROFILE_COUNT] & 0xffff) * t.profileOf(gateway).portCount,
    pool: { tcp: use(NAT_PROTOCOL.TCP), udp: use(NAT_PROTOCOL.UDP), icmp: use(NAT_PROTOCOL.ICMP) },
    sessions: words[at + GATEWAY.SESSIONS],
    sessionsPeak: words[at + GATEWAY.SESSIONS_PEAK],
    sessionsOpened: words[at + GATEWAY.SERIAL] >>> 0,
    blocks: blockUse(t, gateway),
    log: logVolume(t, gateway),
    unsolicitedSyns: {
      held: extras?.heldSynsEver ?? 0,
      answered: extras?.heldSynsAnswered ?? 0,
      cancelled: extras?.heldSynsCancelled ?? 0,
    },
    restarts: extras?.restarts ?? 0,
    refusals,
  };
}

function blockUse(t: NatTables, gateway: number): NatBlockUse | null {
  const profile = t.profileOf(gateway);
  if (profile.sharing === SHARING.POOL) return null;
  const addresses = t.gateways.words[gateway * GATEWAY.STRIDE + GATEWAY.PROFILE_COUNT] & 0xffff;
  const extras = t.extrasIfAny(gateway);
  return {
    size: blockSizeOf(t, profile, gateway),
    capacity: addresses * blocksPerAddress(t, profile, gateway),
    perSubscriber: profile.blocksPerSubscriber,
    inUse: extras?.blocks ?? 0,
    peak: extras?.blocksPeak ?? 0,
    given: extras?.blocksGiven ?? 0,
  };
}

function logVolume(t: NatTables, gateway: number): NatLogVolume {
  const profile = t.profileOf(gateway);
  const extras = t.extrasIfAny(gateway);
  const records = extras?.logRecords ?? 0;
  const recordBytes = logRecordBytes(profile, extras?.nat64 !== undefined);
  const events = (["none", "sessions", "blocks"] as const)[profile.log];
  return { events, format: profile.logFormat, records, recordBytes, bytes: extras?.logBytes ?? 0 };
}

/**
 * The limits that a gateway has: `nat-pool` always, the others if they are set. With overloading, the pool's `used` is
 * the count of one address towards the destination that was most crowded (0 if no search met a crowd), as the capacity is.
 */
export function gatewayLimits(t: NatTables, gateway: number): NatLimit[] {
  const profile = t.profileOf(gateway);
  const extras = t.extrasIfAny(gateway);
  const hit = (verdict: number) => ({
    firstHitNs: extras?.firstRefusedNs[verdict] ?? -1,
    refused: extras?.refused[verdict] ?? 0,
  });
  const limits: NatLimit[] = [poolLimit(t, gateway, hit(NAT_VERDICT.DROP_POOL_EMPTY))];
  if (profile.quotaSessions !== 0 || profile.quotaPorts !== 0) {
    const sessionsUsed = extras?.subscriberSessionsPeak ?? 0;
    const portsUsed = extras?.subscriberPortsPeak ?? 0;
    const bySessions = profile.quotaPorts === 0 ||
      (profile.quotaSessions !== 0 && sessionsUsed / profile.quotaSessions >= portsUsed / profile.quotaPorts);
    limits.push({
      limit: "nat-quota",
      used: bySessions ? sessionsUsed : portsUsed,
      capacity: bySessions ? profile.quotaSessions : profile.quotaPorts,
      ...hit(NAT_VERDICT.DROP_QUOTA),
      unit: bySessions ? "sessions of one subscriber" : "external ports of one subscriber",
    });
  }
  if (profile.sharing !== SHARING.POOL) {
    const size = blockSizeOf(t, profile, gateway);
    const blocks = profile.blocksPerSubscriber;
    const several = blocks === 1 ? "1 block" : `${blocks} blocks`;
    const block = hit(NAT_VERDICT.DROP_BLOCK);
    limits.push({
      limit: "nat-block",
      // (With overloading a port may be taken several times.)
      used: block.refused > 0 ? blocks * size : Math.min(blocks * size, extras?.subscriberTakenPeak ?? 0),
      capacity: blocks * size,
      ...block,
      unit: profile.sharing === SHARING.BLOCKS
        ? `ports in the blocks of one subscriber (${several} x ${counted(size, "port")})`
        : `ports computed for one subscriber (⌊${formatCount(profile.portCount)} / ` +
          `${counted(blocksPerAddress(t, profile, gateway), "subscriber")} of an address⌋)`,
    });
  }
  if (profile.tokensPerMs !== 0) {
    const most = profile.tokensMost / TOKENS_PER_SESSION;
    const least = extras?.tokensLeast ?? Infinity;
    limits.push({
      limit: "nat-rate",
      used: least === Infinity ? 0 : most - Math.floor(least / TOKENS_PER_SESSION),
      capacity: most,
      ...hit(NAT_VERDICT.DROP_RATE),
      unit: `new sessions of one subscriber at once (${profile.tokensPerMs / 1000} a second come back)`,
    });
  }
  if (profile.maxSessions !== 0) {
    limits.push({
      limit: "nat-table",
      used: t.gateways.words[gateway * GATEWAY.STRIDE + GATEWAY.SESSIONS_PEAK],
      capacity: profile.maxSessions,
      ...hit(NAT_VERDICT.DROP_TABLE_FULL),
      unit: "sessions in the gateway's table",
    });
  }
  return limits;
}

/** The pool: of ports, or of blocks where they are shared out so. */
function poolLimit(t: NatTables, gateway: number, hit: { firstHitNs: number; refused: number }): NatLimit {
  const profile = t.profileOf(gateway);
  const extras = t.extrasIfAny(gateway);
  if (profile.sharing === SHARING.BLOCKS) {
    const use = blockUse(t, gateway)!;
    const perAddress = blocksPerAddress(t, profile, gateway);
    const addresses = counted(use.capacity / perAddress, "address", "addresses");
    const arithmetic = `${addresses} x ⌊${formatCount(profile.portCount)} / ${formatCount(use.size)}⌋`;
    const unit = `blocks of ${counted(use.size, "port")} (${arithmetic})`;
    return { limit: "nat-pool", used: use.peak, capacity: use.capacity, ...hit, unit };
  }
  const words = t.gateways.words;
  const at = gateway * GATEWAY.STRIDE;
  const shared = profile.mode === MODE.OVERLOADED;
  let fullest = 0;
  for (let protocol = 1; protocol < 3; protocol++) {
    if (words[at + GATEWAY.PORTS_PEAK + protocol] > words[at + GATEWAY.PORTS_PEAK + fullest]) fullest = protocol;
  }
  const addresses = words[at + GATEWAY.PROFILE_COUNT] & 0xffff;
  const range = `${formatCount(profile.portLow)} to ${formatCount(profile.portLow + profile.portCount - 1)}`;
  const capacity = shared ? profile.portCount : addresses * profile.portCount;
  return {
    limit: "nat-pool",
    used: !shared
      ? words[at + GATEWAY.PORTS_PEAK + fullest]
      : hit.refused > 0
      ? capacity
      : extras?.destinationPeak ?? 0,
    capacity,
    ...hit,
    unit: shared
      ? `external ports of one address towards one destination (${range})`
      : `external ${
        fullest === NAT_PROTOCOL.ICMP ? "query ids" : `${NAT_PROTOCOL_NAMES[fullest].toUpperCase()} ports`
      } ` +
        `(${counted(addresses, "address", "addresses")} x ${counted(profile.portCount, "port")}, ${range})`,
  };
}
