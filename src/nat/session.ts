/**
 * Sessions: opening one from inside or from outside, and ending it.
 *
 * @module
 */
import { lengthenedRows } from "../store/rows.ts";
import * as TUPLE_TABLE from "../store/tuple_table.ts";
import { PACKET, TCP_FLAG } from "../wire/packet.ts";
import { MODE, type NatProfile } from "./behaviour.ts";
import { admits, permit, withdraw } from "./filtering.ts";
import * as FIND from "./find.ts";
import { findInside, findMappingInside, findMappingOutside } from "./find.ts";
import { NO_BLOCK, NO_PORT } from "./blocks.ts";
import { retirePort, reviveHeld } from "./hold_down.ts";
import { BOUND, FROM_OUTSIDE, GATEWAY, MAPPING, NAT_PROTOCOL, SESSION, SESSION_COLD, SUBSCRIBER } from "./layout.ts";
import { logSession } from "./log.ts";
import { addMapping, mappedRemote, mappedRemotePort, releaseMapping } from "./mapping.ts";
import * as POOL from "./pool.ts";
import * as REF from "./ref.ts";
import { refuse } from "./refusal.ts";
import {
  countPort,
  countSession,
  overRate,
  releaseIfIdle,
  releaseSession,
  subscriberOf,
  takeTokens,
} from "./subscriber.ts";
import { cancelHeldSyn } from "./syn_hold.ts";
import type { NatTables } from "./tables.ts";
import * as TIMEOUTS from "./timeouts.ts";
import { TRACK } from "./timeouts.ts";
import { NAT_VERDICT, type NatVerdict } from "./verdict.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { hashTuple } = TUPLE_TABLE;
const { endpointHash } = FIND;
const { allocatePort } = POOL;
const { sessionRef } = REF;
const { initialTimeoutMs } = TIMEOUTS;

const { SYN: TRACK_SYN } = TRACK;
const {
  MASK: PACKET_MASK,
  STRIDE: PACKET_STRIDE,
  SRC: PACKET_SRC,
  DST: PACKET_DST,
  PORTS: PACKET_PORTS,
  CONTROL: PACKET_CONTROL,
} = PACKET;
const { MAPPED: MODE_MAPPED, EXCLUSIVE: MODE_EXCLUSIVE } = MODE;
const {
  MASK: MAPPING_MASK,
  STRIDE: MAPPING_STRIDE,
  EXTERNAL: MAPPING_EXTERNAL,
  PORTS: MAPPING_PORTS,
  INTERNAL: MAPPING_INTERNAL,
  SESSIONS: MAPPING_SESSIONS,
} = MAPPING;
const { ICMP: NAT_PROTOCOL_ICMP, TCP: NAT_PROTOCOL_TCP, UDP: NAT_PROTOCOL_UDP } = NAT_PROTOCOL;
const { STRIDE: SUBSCRIBER_STRIDE, SESSIONS: SUBSCRIBER_SESSIONS, PORTS: SUBSCRIBER_PORTS } = SUBSCRIBER;
const {
  MASK: SESSION_COLD_MASK,
  STRIDE: SESSION_COLD_STRIDE,
  SERIAL: SESSION_COLD_SERIAL,
  MAPPING: SESSION_COLD_MAPPING,
  SUBSCRIBER: SESSION_COLD_SUBSCRIBER,
  REMOTE_INSIDE: SESSION_COLD_REMOTE_INSIDE,
} = SESSION_COLD;
const {
  MASK: SESSION_MASK,
  STRIDE: SESSION_STRIDE,
  REALM: SESSION_REALM,
  INTERNAL: SESSION_INTERNAL,
  EXTERNAL: SESSION_EXTERNAL,
  REMOTE: SESSION_REMOTE,
  PORTS: SESSION_PORTS,
  REMOTE_PORT_STATE: SESSION_REMOTE_PORT_STATE,
  DEADLINE: SESSION_DEADLINE,
  QUEUED_AT: SESSION_QUEUED_AT,
} = SESSION;
const {
  STRIDE: GATEWAY_STRIDE,
  SERIAL: GATEWAY_SERIAL,
  SESSIONS: GATEWAY_SESSIONS,
  SESSIONS_PEAK: GATEWAY_SESSIONS_PEAK,
} = GATEWAY;

const { SYN, RST, ACK } = TCP_FLAG;
const {
  FORWARD,
  DROP_POOL_EMPTY,
  DROP_QUOTA,
  DROP_FILTERED,
  DROP_NO_MAPPING,
  DROP_BLOCK,
  DROP_RATE,
  DROP_TABLE_FULL,
  DROP_NOT_SUBSCRIBER,
} = NAT_VERDICT;

/** ICMP query types that begin a session (echo request of either version). */
const ECHO_REQUEST = 8;
const ECHO_REQUEST_V6 = 128;

/** The tracking bits that a segment may open a session with: none for a SYN; -1 if it may not. */
function openingTrack(profile: NatProfile, flags: number): number {
  if ((flags & (SYN | ACK | RST)) === SYN) return 0;
  if (profile.tcpLoose && (flags & RST) === 0) return TRACK_SYN * 3;
  return -1;
}

/**
 * Opens a session for a packet from inside that belongs to none. `ports` is internal << 16 | remote port. Returns its
 * row, or minus the verdict that refuses it (counted).
 */
export function openOutbound(
  t: NatTables,
  gateway: number,
  packet: number,
  protocol: number,
  ports: number,
  hash: number,
): number {
  const profile = t.profileOf(gateway);
  const packets = t.packets.rows.words;
  const at = (packet * PACKET_STRIDE) & PACKET_MASK;
  const track = mayOpen(profile, protocol, packets, at);
  const internal = packets[at + PACKET_SRC];
  if (track < 0) return -refuse(t, gateway, DROP_NO_MAPPING, internal);
  const remote = packets[at + PACKET_DST];
  const internalPort = ports >>> 16;
  const remotePort = ports & 0xffff;
  const realm = (gateway << 2) | protocol;
  const subscriber = subscriberOf(t, profile, gateway, internal);
  if (profile.guarded || subscriber !== 0) {
    const verdict = mayBegin(t, profile, gateway, subscriber);
    if (verdict !== FORWARD) return -refuseFor(t, gateway, verdict, internal, subscriber);
  }

  let mapping = 0;
  if (profile.mode === MODE_MAPPED) {
    const mapped = mappedRemote(profile, remote);
    mapping = findMappingInside(t, realm, internal, internalPort, mapped, mappedRemotePort(profile, remotePort));
  }
  let external: number;
  let externalPort: number;
  if (mapping !== 0) {
    const row = (mapping * MAPPING_STRIDE) & MAPPING_MASK;
    external = t.mappings.words[row + MAPPING_EXTERNAL];
    externalPort = t.mappings.words[row + MAPPING_PORTS] & 0xffff;
  } else {
    if (subscriber !== 0 && overPorts(t, profile, subscriber)) {
      return -refuseFor(t, gateway, DROP_QUOTA, internal, subscriber);
    }
    externalPort = -1;
    if (t.holds.inUse !== 0) {
      const shared = profile.mode === MODE_MAPPED;
      const forRemote = shared ? mappedRemote(profile, remote) : remote;
      const forPort = shared ? mappedRemotePort(profile, remotePort) : remotePort;
      externalPort = reviveHeld(t, profile, realm, internal, internalPort, forRemote, forPort, subscriber);
    }
    if (externalPort < 0) {
      externalPort = allocatePort(t, profile, gateway, protocol, internalPort, remote, remotePort, subscriber);
      if (externalPort < 0) return -refuseFor(t, gateway, verdictOf(externalPort), internal, subscriber);
    }
    external = t.grantedAddress;
    if (subscriber !== 0) countPort(t, subscriber, 1);
    if (profile.mode === MODE_MAPPED) {
      const mapped = mappedRemote(profile, remote);
      const mappedPort = mappedRemotePort(profile, remotePort);
      const both = (internalPort << 16) | externalPort;
      mapping = addMapping(t, realm, internal, external, both, mapped, mappedPort, subscriber, 0, true);
    }
  }
  // RFC 5382 REQ-4: a simultaneous open; the SYN that came from outside is not answered.
  if (t.heldSyns.inUse !== 0) cancelHeldSyn(t, realm, external, remote, (remotePort << 16) | externalPort);
  return addSession(
    t,
    profile,
    realm,
    internal,
    external,
    remote,
    (internalPort << 16) | externalPort,
    remotePort,
    track,
    mapping,
    subscriber,
    hash,
  );
}

/**
 * Opens a session for a packet from outside that belongs to none, if there is a mapping row for it and the filtering
 * allows it. `ports` is external << 16 | remote port. Returns its row, or minus the verdict (counted).
 */
export function openInbound(t: NatTables, gateway: number, packet: number, protocol: number, ports: number): number {
  const profile = t.profileOf(gateway);
  const packets = t.packets.rows.words;
  const at = (packet * PACKET_STRIDE) & PACKET_MASK;
  const remote = packets[at + PACKET_SRC];
  const external = packets[at + PACKET_DST];
  const realm = (gateway << 2) | protocol;
  const mapping = t.mappings.inUse === 0 ? 0 : findMappingOutside(t, realm, external, ports >>> 16);
  if (mapping === 0) {
    // A ping to the gateway itself is not refused: the driver answers it.
    if (protocol === NAT_PROTOCOL_ICMP && isQuery(packets[at + PACKET_PORTS] >>> 24)) return -DROP_NO_MAPPING;
    return -refuse(t, gateway, DROP_NO_MAPPING);
  }
  const internal = t.mappings.words[mapping * MAPPING_STRIDE + MAPPING_INTERNAL];
  if (!admits(t, profile, mapping, remote)) return -refuse(t, gateway, DROP_FILTERED, internal);
  const track = mayOpen(profile, protocol, packets, at);
  if (track < 0) return -refuse(t, gateway, DROP_NO_MAPPING, internal);
  const both = t.mappings.words[mapping * MAPPING_STRIDE + MAPPING_PORTS];
  const remotePort = ports & 0xffff;
  const inner = (both & 0xffff0000) | remotePort;
  const hash = hashTuple(realm, internal, remote, inner);
  // The inner endpoint may talk to this remote one already, by another external endpoint: then answers go that way.
  const known = findInside(t, realm, internal, remote, inner, hash);
  if (known !== 0) return known;
  const subscriber = subscriberOf(t, profile, gateway, internal);
  if (profile.guarded || subscriber !== 0) {
    const verdict = mayBegin(t, profile, gateway, subscriber);
    if (verdict !== FORWARD) return -refuseFor(t, gateway, verdict, internal, subscriber);
  }
  const seen = track | FROM_OUTSIDE;
  return addSession(t, profile, realm, internal, external, remote, both, remotePort, seen, mapping, subscriber, hash);
}

/** The tracking bits that a packet may open a session with; -1 if it may not. */
function mayOpen(profile: NatProfile, protocol: number, packets: Int32Array, at: number): number {
  if (protocol === NAT_PROTOCOL_TCP) return openingTrack(profile, packets[at + PACKET_CONTROL]);
  if (protocol === NAT_PROTOCOL_UDP) return 0;
  return isQuery(packets[at + PACKET_PORTS] >>> 24) ? 0 : -1;
}

/** Whether an ICMP type begins a session. */
function isQuery(type: number): boolean {
  return type === ECHO_REQUEST || type === ECHO_REQUEST_V6;
}

/** May a subscriber (row, or 0) begin another session, as far as sessions are counted? `FORWARD`, or the refusal. */
function mayBegin(t: NatTables, profile: NatProfile, gateway: number, subscriber: number): NatVerdict {
  if (profile.guarded) {
    const sessions = t.gateways.words[gateway * GATEWAY_STRIDE + GATEWAY_SESSIONS];
    if (profile.maxSessions !== 0 && sessions >= profile.maxSessions) return DROP_TABLE_FULL;
    if (profile.tokensPerMs !== 0 && overRate(t, profile, subscriber)) return DROP_RATE;
  }
  if (profile.quotaSessions === 0) return FORWARD;
  const sessions = t.subscribers.words[subscriber * SUBSCRIBER_STRIDE + SUBSCRIBER_SESSIONS];
  return sessions >= profile.quotaSessions ? DROP_QUOTA : FORWARD;
}

/** Refuses a packet of an internal address, whose row goes unless it has something to tell of. */
function refuseFor(
  t: NatTables,
  gateway: number,
  verdict: NatVerdict,
  internal: number,
  subscriber: number,
): NatVerdict {
  refuse(t, gateway, verdict, internal);
  if (subscriber !== 0) releaseIfIdle(t, subscriber);
  return verdict;
}

/** Why `allocatePort` had none. */
function verdictOf(refusal: number): NatVerdict {
  return refusal === NO_PORT ? DROP_POOL_EMPTY : refusal === NO_BLOCK ? DROP_BLOCK : DROP_NOT_SUBSCRIBER;
}

function overPorts(t: NatTables, profile: NatProfile, subscriber: number): boolean {
  const ports = t.subscribers.words[subscriber * SUBSCRIBER_STRIDE + SUBSCRIBER_PORTS];
  return profile.quotaPorts !== 0 && ports >= profile.quotaPorts;
}

function addSession(
  t: NatTables,
  profile: NatProfile,
  realm: number,
  internal: number,
  external: number,
  remote: number,
  ports: number,
  remotePort: number,
  track: number,
  mapping: number,
  subscriber: number,
  hash: number,
): number {
  const session = t.sessions.allocate();
  if (t.sessions.capacity * SESSION_COLD_STRIDE > t.sessionCold.length) growCold(t);
  const deadline = t.tickCeiling + initialTimeoutMs(profile, realm & 3);
  const words = t.sessions.words;
  const row = (session * SESSION_STRIDE) & SESSION_MASK;
  words[row + SESSION_REALM] = realm;
  words[row + SESSION_INTERNAL] = internal;
  words[row + SESSION_EXTERNAL] = external;
  words[row + SESSION_REMOTE] = remote;
  words[row + SESSION_PORTS] = ports;
  words[row + SESSION_REMOTE_PORT_STATE] = (remotePort << 16) | (mapping === 0 ? 0 : BOUND) | track;
  words[row + SESSION_DEADLINE] = deadline;
  words[row + SESSION_QUEUED_AT] = deadline;

  const gateways = t.gateways.words;
  const at = (realm >>> 2) * GATEWAY_STRIDE;
  const cold = (session * SESSION_COLD_STRIDE) & SESSION_COLD_MASK;
  t.sessionCold[cold + SESSION_COLD_SERIAL] = ++gateways[at + GATEWAY_SERIAL];
  t.sessionCold[cold + SESSION_COLD_MAPPING] = mapping;
  t.sessionCold[cold + SESSION_COLD_SUBSCRIBER] = subscriber;
  const sessions = ++gateways[at + GATEWAY_SESSIONS];
  if (sessions > gateways[at + GATEWAY_SESSIONS_PEAK]) gateways[at + GATEWAY_SESSIONS_PEAK] = sessions;

  t.inside.insert(hash, session);
  t.outside.insert(outsideKey(profile, realm, external, remote, ports & 0xffff, remotePort, mapping), session);
  if (mapping !== 0) {
    t.mappings.words[mapping * MAPPING_STRIDE + MAPPING_SESSIONS]++;
    if (profile.permissions) permit(t, mapping, remote);
  }
  if (subscriber !== 0) {
    countSession(t, subscriber);
    if (profile.tokensPerMs !== 0) takeTokens(t, realm >>> 2, subscriber);
    logSession(t, profile, realm >>> 2, subscriber);
  }
  t.addresses.retain(internal);
  t.addresses.retain(remote);
  t.requestTimer(sessionRef(session), deadline);
  return session;
}

/** Ends a session: its index entries, its use of a mapping or a port, its subscriber's count, its row. */
export function removeSession(t: NatTables, session: number): void {
  const words = t.sessions.words;
  const row = (session * SESSION_STRIDE) & SESSION_MASK;
  const realm = words[row + SESSION_REALM];
  const internal = words[row + SESSION_INTERNAL];
  const external = words[row + SESSION_EXTERNAL];
  const remote = words[row + SESSION_REMOTE];
  const ports = words[row + SESSION_PORTS];
  const remotePort = words[row + SESSION_REMOTE_PORT_STATE] >>> 16;
  const cold = (session * SESSION_COLD_STRIDE) & SESSION_COLD_MASK;
  const mapping = t.sessionCold[cold + SESSION_COLD_MAPPING];
  const subscriber = t.sessionCold[cold + SESSION_COLD_SUBSCRIBER];
  const gateway = realm >>> 2;
  const profile = t.profileOf(gateway);
  const externalPort = ports & 0xffff;

  t.inside.remove(hashTuple(realm, internal, remote, (ports & 0xffff0000) | remotePort), session);
  t.outside.remove(outsideKey(profile, realm, external, remote, externalPort, remotePort, mapping), session);
  if (mapping !== 0) {
    if (profile.permissions) withdraw(t, mapping, remote);
    releaseMapping(t, profile, mapping);
  } else {
    retirePort(t, profile, realm, internal, external, ports, remote, remotePort);
    if (subscriber !== 0) countPort(t, subscriber, -1);
  }
  if (subscriber !== 0) {
    logSession(t, profile, gateway, subscriber);
    releaseSession(t, subscriber);
  }
  t.gateways.words[gateway * GATEWAY_STRIDE + GATEWAY_SESSIONS]--;
  t.addresses.release(internal);
  t.addresses.release(remote);
  const inside = t.sessionCold[cold + SESSION_COLD_REMOTE_INSIDE];
  if (inside !== 0) t.addresses.release(inside);
  t.sessionCold.fill(0, cold, cold + SESSION_COLD_STRIDE);
  t.sessions.release(session);
}

/** The hash that a session has in the outer index: with its remote endpoint, unless it has the external one to itself. */
function outsideKey(
  profile: NatProfile,
  realm: number,
  external: number,
  remote: number,
  externalPort: number,
  remotePort: number,
  mapping: number,
): number {
  if (profile.mode === MODE_EXCLUSIVE && mapping === 0) return endpointHash(realm, external, externalPort);
  return hashTuple(realm, external, remote, (externalPort << 16) | remotePort);
}

function growCold(t: NatTables): void {
  t.sessionCold = lengthenedRows(t.sessionCold, t.sessions.capacity * SESSION_COLD_STRIDE);
}
