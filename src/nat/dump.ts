/**
 * What a gateway holds, one by one, as plain data: sessions (all that `conntrack -L` shows), subscribers, blocks, shared
 * mappings. All of it is cold, and in an order that does not depend on rows.
 *
 * @module
 */
import { compareAddresses } from "../base/address.ts";
import { blockSizeOf } from "./blocks.ts";
import { poolAddress } from "./find.ts";
import {
  BLOCK,
  FROM_OUTSIDE,
  GATEWAY,
  MAPPING,
  MAPPING_FLAG,
  NAT_PROTOCOL,
  NAT_PROTOCOL_NAMES,
  SEEN,
  SESSION,
  SESSION_COLD,
  SUBSCRIBER,
} from "./layout.ts";
import { logRecordBytes } from "./log_records.ts";
import { REFUSALS, REFUSALS_STRIDE } from "./refusal_rows.ts";
import type { NatRefusals } from "./report.ts";
import type { NatTables } from "./tables.ts";
import { TRACK, trackName } from "./timeouts.ts";
import { NAT_VERDICT_NAMES, type NatRefusalReason } from "./verdict.ts";

/** One direction of a session. Ports of ICMP are the query identifier. */
export interface NatTuple {
  /** Source address id. */
  source: number;
  /** Destination address id. */
  destination: number;
  /** Source port. */
  sourcePort: number;
  /** Destination port. */
  destinationPort: number;
}

/** A session as dumps show it. */
export interface NatSession {
  /** Gateway. */
  gateway: number;
  /** Protocol. */
  protocol: "tcp" | "udp" | "icmp";
  /** Its IP protocol number. */
  protocolNumber: number;
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
  /** How long that is from now, ns. */
  timeoutLeftNs: number;
  /** Count of the gateway's sessions when it was opened. */
  serial: number;
  /** Was it opened from outside? */
  fromOutside: boolean;
  /** Has the side that did not open it sent anything? (conntrack: without it `[UNREPLIED]`) */
  replied: boolean;
  /** Has TCP been established, or UDP gone back and forth? (conntrack: `[ASSURED]`) */
  assured: boolean;
  /** The first packet, as it came. */
  original: NatTuple;
  /** An answer, as it comes. */
  reply: NatTuple;
}

/** A subscriber (an internal address) as dumps show it. */
export interface NatSubscriber {
  /** Gateway. */
  gateway: number;
  /** Internal address id. */
  address: number;
  /** Sessions now. */
  sessions: number;
  /** Sessions now, by protocol. */
  sessionsBy: Record<"tcp" | "udp" | "icmp", number>;
  /** External ports now, those that several sessions share counted once. */
  ports: number;
  /** Most sessions at once; 0 if the gateway keeps no rows for subscribers. */
  sessionsPeak: number;
  /** Most external ports at once; likewise. */
  portsPeak: number;
  /** Sessions ever opened; likewise. */
  sessionsOpened: number;
  /** Blocks now. */
  blocks: number;
  /** Most blocks at once. */
  blocksPeak: number;
  /** Packets refused. */
  refused: number;
  /** Packets refused by reason, with the time of the first. */
  refusals: Partial<Record<NatRefusalReason, NatRefusals>>;
  /** Log records about it. */
  logRecords: number;
  /** Their bytes. */
  logBytes: number;
}

/** A block of ports as dumps show it. */
export interface NatBlock {
  /** Gateway. */
  gateway: number;
  /** Internal address id of who has it. */
  subscriber: number;
  /** External address id. */
  externalAddress: number;
  /** Lowest port. */
  low: number;
  /** Highest port. */
  high: number;
  /** Ports taken, resting ones included (overloading: sessions), by protocol. */
  taken: Record<"tcp" | "udp" | "icmp", number>;
  /** When it was given, ns (whole ms). */
  sinceNs: number;
  /** Count of the gateway's blocks when it was given. */
  serial: number;
}

/** A mapping that sessions may share, or a port forward. */
export interface NatMapping {
  /** Gateway. */
  gateway: number;
  /** Protocol. */
  protocol: "tcp" | "udp" | "icmp";
  /** Internal address id. */
  internalAddress: number;
  /** Internal port. */
  internalPort: number;
  /** External address id. */
  externalAddress: number;
  /** External port. */
  externalPort: number;
  /** Sessions that use it. */
  sessions: number;
  /** A port forward? */
  forward: boolean;
}

const PROTOCOL_NUMBERS = [6, 17, 1] as const;
const { TCP, UDP } = NAT_PROTOCOL;

/** A gateway's sessions in the order in which they were opened. Looks at every row of the tables: for dumps. */
export function sessions(t: NatTables, gateway: number): Generator<NatSession, void, undefined> {
  return listed(t, gateway);
}

/** The sessions of all gateways, in the order of (gateway, serial). */
export function allSessions(t: NatTables): Generator<NatSession, void, undefined> {
  return listed(t, 0);
}

/** Sessions of one gateway, or of all (0). */
function* listed(t: NatTables, gateway: number): Generator<NatSession, void, undefined> {
  const found: { session: number; rank: number; serial: number }[] = [];
  for (let session = 1; session < t.sessions.end; session++) {
    const row = session * SESSION.STRIDE;
    if (t.sessions.words[row + SESSION.QUEUED_AT] === 0) continue;
    const of = t.sessions.words[row + SESSION.REALM] >>> 2;
    if (gateway !== 0 && of !== gateway) continue;
    const rank = t.gateways.words[of * GATEWAY.STRIDE + GATEWAY.RANK];
    found.push({ session, rank, serial: t.sessionCold[session * SESSION_COLD.STRIDE + SESSION_COLD.SERIAL] >>> 0 });
  }
  found.sort((a, b) => a.rank - b.rank || a.serial - b.serial);
  for (const { session } of found) yield sessionOf(t, session);
}

/** One session, by row. */
export function sessionOf(t: NatTables, session: number): NatSession {
  const words = t.sessions.words;
  const row = session * SESSION.STRIDE;
  const index = words[row + SESSION.REALM] & 3;
  const state = words[row + SESSION.REMOTE_PORT_STATE];
  const internalAddress = words[row + SESSION.INTERNAL];
  const externalAddress = words[row + SESSION.EXTERNAL];
  const remoteAddress = words[row + SESSION.REMOTE];
  const internalPort = words[row + SESSION.PORTS] >>> 16;
  const externalPort = words[row + SESSION.PORTS] & 0xffff;
  const remotePort = state >>> 16;
  const fromOutside = (state & FROM_OUTSIDE) !== 0;
  const expiresNs = words[row + SESSION.DEADLINE] * 1e6;
  const icmp = index === NAT_PROTOCOL.ICMP;
  const inner: NatTuple = {
    source: internalAddress,
    // NAT64: the remote address as it is seen inside.
    destination: t.sessionCold[session * SESSION_COLD.STRIDE + SESSION_COLD.REMOTE_INSIDE] || remoteAddress,
    sourcePort: internalPort,
    destinationPort: icmp ? internalPort : remotePort,
  };
  const outer: NatTuple = {
    source: remoteAddress,
    destination: externalAddress,
    sourcePort: icmp ? externalPort : remotePort,
    destinationPort: externalPort,
  };
  return {
    gateway: words[row + SESSION.REALM] >>> 2,
    protocol: NAT_PROTOCOL_NAMES[index],
    protocolNumber: PROTOCOL_NUMBERS[index],
    state: index === TCP ? trackName(state & TRACK.MASK) : "",
    internalAddress,
    externalAddress,
    remoteAddress,
    internalPort,
    externalPort,
    remotePort,
    expiresNs,
    timeoutLeftNs: Math.max(0, expiresNs - t.nowNs),
    serial: t.sessionCold[session * SESSION_COLD.STRIDE + SESSION_COLD.SERIAL] >>> 0,
    fromOutside,
    replied: hasReplied(index, state, fromOutside),
    assured: isAssured(index, state),
    original: fromOutside ? outer : inner,
    reply: fromOutside ? inner : outer,
  };
}

/** Has the side that did not open the session sent anything? Of each pair of tracking bits the outer side's is the next one. */
function hasReplied(protocol: number, state: number, fromOutside: boolean): boolean {
  if (protocol !== TCP) return (state & (fromOutside ? SEEN.INSIDE : SEEN.OUTSIDE)) !== 0;
  const inside = TRACK.SYN | TRACK.ACK | TRACK.FIN;
  return (state & ((fromOutside ? inside : inside << 1) | TRACK.RST)) !== 0;
}

function isAssured(protocol: number, state: number): boolean {
  if (protocol === TCP) return (state & (TRACK.SYN * 3 | TRACK.ACK * 3)) === (TRACK.SYN * 3 | TRACK.ACK * 3);
  return protocol === UDP && (state & SEEN.STREAM) !== 0;
}

/** A gateway's subscribers, counted anew from its sessions, in the order of their addresses. */
export function subscribers(t: NatTables, gateway: number): NatSubscriber[] {
  const found = new Map<number, { of: NatSubscriber; ports: Set<string> }>();
  const entry = (address: number) => {
    let known = found.get(address);
    if (known === undefined) found.set(address, known = { of: emptySubscriber(gateway, address), ports: new Set() });
    return known;
  };
  for (const session of listed(t, gateway)) {
    const { of, ports } = entry(session.internalAddress);
    of.sessions++;
    of.sessionsBy[session.protocol]++;
    ports.add(`${session.protocol} ${session.externalAddress} ${session.externalPort}`);
  }
  for (const { of, ports } of found.values()) of.ports = ports.size;
  const words = t.subscribers.words;
  const profile = t.profileOf(gateway);
  for (let subscriber = 1; subscriber < t.subscribers.end; subscriber++) {
    const row = subscriber * SUBSCRIBER.STRIDE;
    if (words[row + SUBSCRIBER.INTERNAL] === 0 || words[row + SUBSCRIBER.GATEWAY] !== gateway) continue;
    const { of } = entry(words[row + SUBSCRIBER.INTERNAL]);
    of.sessionsPeak = words[row + SUBSCRIBER.SESSIONS_PEAK];
    of.portsPeak = words[row + SUBSCRIBER.PORTS_PEAK];
    of.sessionsOpened = words[row + SUBSCRIBER.OPENED] >>> 0;
    of.blocks = words[row + SUBSCRIBER.BLOCKS];
    of.blocksPeak = words[row + SUBSCRIBER.BLOCKS_PEAK];
    of.refused = words[row + SUBSCRIBER.REFUSED] >>> 0;
    of.refusals = refusalsOf(t, words[row + SUBSCRIBER.REFUSALS]);
    of.logRecords = words[row + SUBSCRIBER.LOG_RECORDS] >>> 0;
    of.logBytes = of.logRecords * logRecordBytes(profile, t.addresses.isIpv6(of.address));
  }
  const all = [...found.values()].map(({ of }) => ({ of, address: t.addresses.toAddress(of.address) }));
  return all.sort((a, b) => compareAddresses(a.address, b.address)).map(({ of }) => of);
}

/** How many subscribers each gateway keeps rows of, where it keeps any (not for refusals alone). */
export function subscriberCounts(t: NatTables): Map<number, number> {
  const counts = new Map<number, number>();
  const words = t.subscribers.words;
  for (let subscriber = 1; subscriber < t.subscribers.end; subscriber++) {
    const row = subscriber * SUBSCRIBER.STRIDE;
    if (words[row + SUBSCRIBER.INTERNAL] === 0) continue;
    const gateway = words[row + SUBSCRIBER.GATEWAY];
    const profile = t.profileOf(gateway);
    const addresses = t.gateways.words[gateway * GATEWAY.STRIDE + GATEWAY.PROFILE_COUNT] & 0xffff;
    if (!profile.keepsSubscribers && !(profile.paired && addresses > 1)) continue;
    counts.set(gateway, (counts.get(gateway) ?? 0) + 1);
  }
  return counts;
}

function emptySubscriber(gateway: number, address: number): NatSubscriber {
  return {
    gateway,
    address,
    sessions: 0,
    sessionsBy: { tcp: 0, udp: 0, icmp: 0 },
    ports: 0,
    sessionsPeak: 0,
    portsPeak: 0,
    sessionsOpened: 0,
    blocks: 0,
    blocksPeak: 0,
    refused: 0,
    refusals: {},
    logRecords: 0,
    logBytes: 0,
  };
}

function refusalsOf(t: NatTables, row: number): NatSubscriber["refusals"] {
  const refusals: NatSubscriber["refusals"] = {};
  if (row === 0) return refusals;
  const words = t.refusals.words;
  for (let verdict = 1; verdict < NAT_VERDICT_NAMES.length; verdict++) {
    const at = row * REFUSALS_STRIDE + verdict;
    const count = words[at + REFUSALS.COUNT];
    if (count === 0) continue;
    const firstNs = words[at + REFUSALS.FIRST_HI] * 2 ** 32 + (words[at + REFUSALS.FIRST_LO] >>> 0);
    refusals[NAT_VERDICT_NAMES[verdict] as NatRefusalReason] = { count, firstNs };
  }
  return refusals;
}

/** A gateway's blocks in the order in which they were given. */
export function blocks(t: NatTables, gateway: number): NatBlock[] {
  const found: NatBlock[] = [];
  const words = t.blocks.words;
  const profile = t.profileOf(gateway);
  const size = profile.sharing === 0 ? 0 : blockSizeOf(t, profile, gateway);
  for (let block = 1; block < t.blocks.end; block++) {
    const row = block * BLOCK.STRIDE;
    if (words[row + BLOCK.SERIAL] === 0 || words[row + BLOCK.GATEWAY] !== gateway) continue;
    const low = profile.portLow + words[row + BLOCK.NUMBER] * size;
    found.push({
      gateway,
      subscriber: t.subscribers.words[words[row + BLOCK.SUBSCRIBER] * SUBSCRIBER.STRIDE + SUBSCRIBER.INTERNAL],
      externalAddress: poolAddress(t, gateway, words[row + BLOCK.ADDRESS]),
      low,
      high: low + size - 1,
      taken: {
        tcp: words[row + BLOCK.TAKEN],
        udp: words[row + BLOCK.TAKEN + 1],
        icmp: words[row + BLOCK.TAKEN + 2],
      },
      sinceNs: words[row + BLOCK.SINCE] * 1e6,
      serial: words[row + BLOCK.SERIAL] >>> 0,
    });
  }
  return found.sort((a, b) => a.serial - b.serial);
}

/** A gateway's shared mappings and port forwards, by protocol, external address and port. */
export function mappings(t: NatTables, gateway: number): NatMapping[] {
  const found: NatMapping[] = [];
  const words = t.mappings.words;
  for (let mapping = 1; mapping < t.mappings.end; mapping++) {
    const row = mapping * MAPPING.STRIDE;
    if (words[row + MAPPING.INTERNAL] === 0 || words[row + MAPPING.REALM] >>> 2 !== gateway) continue;
    found.push({
      gateway,
      protocol: NAT_PROTOCOL_NAMES[words[row + MAPPING.REALM] & 3],
      internalAddress: words[row + MAPPING.INTERNAL],
      internalPort: words[row + MAPPING.PORTS] >>> 16,
      externalAddress: words[row + MAPPING.EXTERNAL],
      externalPort: words[row + MAPPING.PORTS] & 0xffff,
      sessions: words[row + MAPPING.SESSIONS],
      forward: (words[row + MAPPING.REMOTE_PORT_FLAGS] & MAPPING_FLAG.STATIC) !== 0,
    });
  }
  const place = (m: NatMapping) => m.externalAddress * 65536 + m.externalPort;
  return found.sort((a, b) => (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : 0) || place(a) - place(b));
}
