/**
 * The packet path: look the session up, rewrite the row, move the deadline. Packets are rows and their bytes are made on
 * demand, so no checksum is touched here (RFC 1624 is the wire's business).
 *
 * @module
 */
import { hashTuple } from "../store/tuple_table.ts";
import { CONTROL, PACKET, PROTOCOL } from "../wire/packet.ts";
import { MODE } from "./behaviour.ts";
import { findExclusive, findInside, findMappingOutside, findOutside, insideHash, poolPlace } from "./find.ts";
import { icmpErrorInbound, icmpErrorOutbound } from "./icmp.ts";
import { NAT_PROTOCOL, SESSION } from "./layout.ts";
import { isEcho, protocolIndex } from "./protocol.ts";
import { refuse } from "./refusal.ts";
import { openInbound, openOutbound } from "./session.ts";
import { holdSynIfUnsolicited } from "./syn_hold.ts";
import type { NatTables } from "./tables.ts";
import { refresh } from "./timeouts.ts";
import { NAT_VERDICT, type NatVerdict } from "./verdict.ts";

const { SRC, DST, PORTS: PACKET_PORTS, SEQ, CONTROL: PACKET_CONTROL, MASK: PACKET_MASK, STRIDE: PACKET_STRIDE } =
  PACKET;
const { INTERNAL, EXTERNAL, REMOTE, PORTS, REMOTE_PORT_STATE, MASK: SESSION_MASK, STRIDE: SESSION_STRIDE } = SESSION;
const { QUOTES } = CONTROL;
const { EXCLUSIVE, OVERLOADED } = MODE;
const { TCP, ICMP } = NAT_PROTOCOL;
const { FORWARD, HAIRPIN, DROP_FILTERED, DROP_NO_MAPPING, DROP_HAIRPIN_OFF, DROP_UNSUPPORTED } = NAT_VERDICT;

/** (A constant of this module is inlined without a check, an imported binding is not.) */
const hashOf = hashTuple;

/**
 * A packet from a gateway's inner side, on its way out. `FORWARD`: the row is rewritten, send it on outside. `HAIRPIN`: it
 * is rewritten on both sides, send it on inside. Otherwise it is refused and counted, and the row
 * is as it was (but for a quoted packet, which no refusal is told about).
 */
export function translateOutbound(t: NatTables, gateway: number, packet: number): NatVerdict {
  const destination = t.packets.rows.words[packet * PACKET_STRIDE + DST];
  if (poolPlace(t, gateway, destination) >= 0) return hairpin(t, gateway, packet);
  return outward(t, gateway, packet);
}

/**
 * A packet that arrived at a gateway's outer side for one of its external addresses. `FORWARD`: the row is rewritten,
 * send it on inside. `DROP_NO_MAPPING` is also what the gateway's own traffic gets (a ping to it is not
 * counted as refused): the row is untouched then.
 */
export function translateInbound(t: NatTables, gateway: number, packet: number): NatVerdict {
  const words = t.packets.rows.words;
  const at = (packet * PACKET_STRIDE) & PACKET_MASK;
  const control = words[at + PACKET_CONTROL];
  if (control & QUOTES) return icmpErrorInbound(t, gateway, packet);
  const protocol = protocolIndex(control >>> 24);
  if (protocol < 0) return refuse(t, gateway, DROP_UNSUPPORTED);
  let ports = words[at + PACKET_PORTS];
  if (protocol === ICMP) {
    if (!isEcho(ports >>> 24)) return refuse(t, gateway, DROP_UNSUPPORTED);
    ports = words[at + SEQ] & 0xffff0000;
  } else {
    ports = (ports << 16) | (ports >>> 16);
  }
  const realm = (gateway << 2) | protocol;
  const profile = t.profileOf(gateway);
  const remote = words[at + SRC];
  const external = words[at + DST];
  let session = 0;
  if (profile.mode === EXCLUSIVE) {
    session = findExclusive(t, realm, external, ports >>> 16);
    if (session !== 0) {
      const row = (session * SESSION_STRIDE) & SESSION_MASK;
      const sessions = t.sessions.words;
      const meant = sessions[row + REMOTE] === remote && sessions[row + REMOTE_PORT_STATE] >>> 16 === (ports & 0xffff);
      if (!meant) return refuse(t, gateway, DROP_FILTERED, sessions[row + INTERNAL]);
    } else if (t.mappings.inUse > 0) {
      session = findOutside(t, realm, external, remote, ports);
    }
  } else {
    session = findOutside(t, realm, external, remote, ports);
  }
  if (session === 0) {
    session = openInbound(t, gateway, packet, protocol, ports);
    if (session < 0) return -session as NatVerdict;
  }
  const sessions = t.sessions.words;
  const row = (session * SESSION_STRIDE) & SESSION_MASK;
  words[at + DST] = sessions[row + INTERNAL];
  const internalPort = sessions[row + PORTS] >>> 16;
  if (protocol === ICMP) words[at + SEQ] = (internalPort << 16) | (words[at + SEQ] & 0xffff);
  else words[at + PACKET_PORTS] = (words[at + PACKET_PORTS] & 0xffff0000) | internalPort;
  refresh(t, profile, session, control, 1);
  t.lastSession = session;
  return FORWARD;
}

/** The outgoing half: the source becomes the session's external endpoint. */
function outward(t: NatTables, gateway: number, packet: number): NatVerdict {
  const words = t.packets.rows.words;
  const at = (packet * PACKET_STRIDE) & PACKET_MASK;
  const control = words[at + PACKET_CONTROL];
  if (control & QUOTES) return icmpErrorOutbound(t, gateway, packet);
  const protocol = protocolIndex(control >>> 24);
  if (protocol < 0) return refuse(t, gateway, DROP_UNSUPPORTED, words[at + SRC]);
  let ports = words[at + PACKET_PORTS];
  if (protocol === ICMP) {
    if (!isEcho(ports >>> 24)) return refuse(t, gateway, DROP_UNSUPPORTED, words[at + SRC]);
    ports = words[at + SEQ] & 0xffff0000;
  }
  const realm = (gateway << 2) | protocol;
  const internal = words[at + SRC];
  const remote = words[at + DST];
  const hash = insideHash(realm, internal, remote, ports);
  let session = findInside(t, realm, internal, remote, ports, hash);
  if (session === 0) {
    session = openOutbound(t, gateway, packet, protocol, ports, hash);
    if (session < 0) return -session as NatVerdict;
  }
  const sessions = t.sessions.words;
  const row = (session * SESSION_STRIDE) & SESSION_MASK;
  words[at + SRC] = sessions[row + EXTERNAL];
  const externalPort = sessions[row + PORTS] & 0xffff;
  if (protocol === ICMP) words[at + SEQ] = (externalPort << 16) | (words[at + SEQ] & 0xffff);
  else words[at + PACKET_PORTS] = (externalPort << 16) | (words[at + PACKET_PORTS] & 0xffff);
  refresh(t, t.profileOf(gateway), session, control, 0);
  t.lastSession = session;
  return FORWARD;
}

/**
 * Inside to inside by way of an external address (RFC 4787 REQ-9, "external source IP address and port"): out through
 * the sender's mapping, in through the receiver's, each side with a session of its own.
 */
function hairpin(t: NatTables, gateway: number, packet: number): NatVerdict {
  const words = t.packets.rows.words;
  const at = (packet * PACKET_STRIDE) & PACKET_MASK;
  if (!t.profileOf(gateway).hairpinning) return refuse(t, gateway, DROP_HAIRPIN_OFF, words[at + SRC]);
  if (!mayHairpin(t, gateway, packet)) {
    // A ping to the gateway itself is not refused: the driver answers it.
    if (words[at + PACKET_CONTROL] >>> 24 === PROTOCOL.ICMP && words[at + PACKET_PORTS] >>> 24 === 8) {
      return DROP_NO_MAPPING;
    }
    // (A NAT64 holds it as it came.)
    if (!t.addresses.isIpv6(words[at + SRC])) holdSynIfUnsolicited(t, gateway, packet, DROP_NO_MAPPING);
    return refuse(t, gateway, DROP_NO_MAPPING, words[at + SRC]);
  }
  const source = words[at + SRC];
  const ports = words[at + PACKET_PORTS];
  const sequence = words[at + SEQ];
  const out = outward(t, gateway, packet);
  if (out !== FORWARD) return out;
  const back = translateInbound(t, gateway, packet);
  if (back === FORWARD) return HAIRPIN;
  // RFC 5382 REQ-4, for a SYN that has come from outside as far as its receiver can tell.
  holdSynIfUnsolicited(t, gateway, packet, back);
  words[at + SRC] = source;
  words[at + PACKET_PORTS] = ports;
  words[at + SEQ] = sequence;
  return back;
}

/**
 * Could the external endpoint that a packet from inside is for belong to someone? Keeps traffic to the gateway itself from
 * taking ports. Where ports are shared the answer lies in the translated packet: two hosts may be opening towards each other.
 */
function mayHairpin(t: NatTables, gateway: number, packet: number): boolean {
  const words = t.packets.rows.words;
  const at = (packet * PACKET_STRIDE) & PACKET_MASK;
  const control = words[at + PACKET_CONTROL];
  if (control & QUOTES) return true;
  const protocol = protocolIndex(control >>> 24);
  if (protocol < 0) return true;
  const realm = (gateway << 2) | protocol;
  const external = words[at + DST];
  const port = protocol === ICMP ? words[at + SEQ] >>> 16 : words[at + PACKET_PORTS] & 0xffff;
  if (t.mappings.inUse > 0 && findMappingOutside(t, realm, external, port) !== 0) return true;
  const mode = t.profileOf(gateway).mode;
  if (mode === EXCLUSIVE) return findExclusive(t, realm, external, port) !== 0;
  return mode === OVERLOADED && protocol !== ICMP;
}

/**
 * The hash of the lookup (in `t.inside`) that a gateway will make for a TCP packet from inside, whose row begins at
 * `words[at]`: it lets the driver touch the entry ahead of time.
 */
export function outboundTcpHash(words: Int32Array, at: number, gateway: number): number {
  return hashOf((gateway << 2) | TCP, words[at + SRC], words[at + DST], words[at + PACKET_PORTS]);
}

/** As `outboundTcpHash`, from outside and in `t.outside`. `exclusive`: `hasExclusivePorts(t, gateway)`. */
export function inboundTcpHash(words: Int32Array, at: number, gateway: number, exclusive: boolean): number {
  const ports = words[at + PACKET_PORTS];
  const realm = (gateway << 2) | TCP;
  if (exclusive) return hashOf(realm, words[at + DST], 0, ports << 16);
  return hashOf(realm, words[at + DST], words[at + SRC], (ports << 16) | (ports >>> 16));
}

/** Does an external port of a gateway belong to one session, whoever the remote endpoint is? */
export function hasExclusivePorts(t: NatTables, gateway: number): boolean {
  return t.profileOf(gateway).mode === EXCLUSIVE;
}
