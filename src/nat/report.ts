/**
 * What a gateway has to tell: counters, the limits that bound, and its sessions one by one (as `conntrack -L`). All of it
 * is cold and in an order that does not depend on rows.
 *
 * @module
 */
import { MODE } from "./behaviour.ts";
import { GATEWAY, NAT_PROTOCOL, NAT_PROTOCOL_NAMES, SESSION, SESSION_COLD } from "./layout.ts";
import type { NatTables } from "./tables.ts";
import { TRACK, trackName } from "./timeouts.ts";
import { NAT_VERDICT, NAT_VERDICT_NAMES, type NatRefusalReason } from "./verdict.ts";

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
  /** Most at once. */
  portsPeak: number;
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
  /** Packets refused by reason; only reasons that occurred. */
  refusals: Partial<Record<NatRefusalReason, NatRefusals>>;
}

/** A limit of a gateway and how near it came. */
export interface NatLimit {
  /** The limit's name in reports. */
  limit: "nat-pool" | "nat-quota";
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

/** A session as dumps show it. */
export interface NatSession {
  /** Protocol. */
  protocol: "tcp" | "udp" | "icmp";
  /** TCP's state as tracked, conntrack's names; else "". */
  state: string;
  /** Internal address id. */
  internalAddress: number;
  /** External address id. */
  externalAddress: number;
  /** Remote address id. */
  remoteAddress: number;
  /** Internal port, or ICMP query identifier. */
  internalPort: number;
  /** External port, or ICMP query identifier. */
  externalPort: number;
  /** Remote port; 0 for ICMP. */
  remotePort: number;
  /** When it expires unless refreshed, ns. */
  expiresNs: number;
  /** Count of the gateway's sessions when it was opened. */
  serial: number;
}

/** External ports of a protocol index (of all, without one) in use; with overloading: external tuples. */
export function portsInUse(t: NatTables, gateway: number, protocol?: number): number {
  const words = t.gateways.words;
  const at = gateway * GATEWAY.STRIDE + GATEWAY.PORTS;
  return protocol === undefined ? words[at] + words[at + 1] + words[at + 2] : words[at + protocol];
}

/** A gateway's counters. */
export function gatewayStats(t: NatTables, gateway: number): NatGatewayStats {
  const words = t.gateways.words;
  const at = gateway * GATEWAY.STRIDE;
  const use = (protocol: number): NatPoolUse => ({
    portsInUse: words[at + GATEWAY.PORTS + protocol],
    portsPeak: words[at + GATEWAY.PORTS_PEAK + protocol],
  });
  const refusals: NatGatewayStats["refusals"] = {};
  const extras = t.extras[words[at + GATEWAY.EXTRAS]];
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
    refusals,
  };
}

/**
 * The limits that a gateway has: `nat-pool` always, `nat-quota` if a quota is set. With overloading, `used` is the count
 * of one address towards the destination that was most crowded (0 if no search met a crowd), as the capacity is.
 */
export function gatewayLimits(t: NatTables, gateway: number): NatLimit[] {
  const stats = gatewayStats(t, gateway);
  const profile = t.profileOf(gateway);
  const extras = t.extras[t.gateways.words[gateway * GATEWAY.STRIDE + GATEWAY.EXTRAS]];
  const shared = profile.mode === MODE.OVERLOADED;
  const peaks = NAT_PROTOCOL_NAMES.map((name) => stats.pool[name].portsPeak);
  const fullest = peaks.indexOf(Math.max(...peaks));
  const capacity = shared ? profile.portCount : stats.poolCapacity;
  const refused = extras?.refused[NAT_VERDICT.DROP_POOL_EMPTY] ?? 0;
  const limits: NatLimit[] = [{
    limit: "nat-pool",
    used: !shared ? peaks[fullest] : refused > 0 ? capacity : extras?.destinationPeak ?? 0,
    capacity,
    firstHitNs: extras?.firstRefusedNs[NAT_VERDICT.DROP_POOL_EMPTY] ?? -1,
    refused,
    unit: shared
      ? "external ports of one address towards one destination"
      : `external ${fullest === NAT_PROTOCOL.ICMP ? "query ids" : `${NAT_PROTOCOL_NAMES[fullest]} ports`}`,
  }];
  if (profile.quotaSessions !== 0 || profile.quotaPorts !== 0) {
    const sessionsUsed = extras?.subscriberSessionsPeak ?? 0;
    const portsUsed = extras?.subscriberPortsPeak ?? 0;
    const bySessions = profile.quotaPorts === 0 ||
      (profile.quotaSessions !== 0 && sessionsUsed / profile.quotaSessions >= portsUsed / profile.quotaPorts);
    limits.push({
      limit: "nat-quota",
      used: bySessions ? sessionsUsed : portsUsed,
      capacity: bySessions ? profile.quotaSessions : profile.quotaPorts,
      firstHitNs: extras?.firstRefusedNs[NAT_VERDICT.DROP_QUOTA] ?? -1,
      refused: extras?.refused[NAT_VERDICT.DROP_QUOTA] ?? 0,
      unit: bySessions ? "sessions of one subscriber" : "external ports of one subscriber",
    });
  }
  return limits;
}

/** A gateway's sessions in the order in which they were opened. Looks at every row of the tables: for dumps. */
export function* sessions(t: NatTables, gateway: number): Generator<NatSession, void, undefined> {
  const found: { session: number; serial: number }[] = [];
  for (let session = 1; session < t.sessions.end; session++) {
    const row = session * SESSION.STRIDE;
    if (t.sessions.words[row + SESSION.QUEUED_AT] === 0) continue;
    if (t.sessions.words[row + SESSION.REALM] >>> 2 !== gateway) continue;
    found.push({ session, serial: t.sessionCold[session * SESSION_COLD.STRIDE + SESSION_COLD.SERIAL] >>> 0 });
  }
  found.sort((a, b) => a.serial - b.serial);
  for (const { session, serial } of found) {
    const words = t.sessions.words;
    const row = session * SESSION.STRIDE;
    const protocol = words[row + SESSION.REALM] & 3;
    const state = words[row + SESSION.REMOTE_PORT_STATE];
    yield {
      protocol: NAT_PROTOCOL_NAMES[protocol],
      state: protocol === NAT_PROTOCOL.TCP ? trackName(state & TRACK.MASK) : "",
      internalAddress: words[row + SESSION.INTERNAL],
      externalAddress: words[row + SESSION.EXTERNAL],
      remoteAddress: words[row + SESSION.REMOTE],
      internalPort: words[row + SESSION.PORTS] >>> 16,
      externalPort: words[row + SESSION.PORTS] & 0xffff,
      remotePort: state >>> 16,
      expiresNs: words[row + SESSION.DEADLINE] * 1e6,
      serial,
    };
  }
}
