/**
 * ICMP errors through a NAT (RFC 5508 section 4, RFC 5382 REQ-9): the quoted packet tells which session an error is
 * about; the outer header and the quoted one are both rewritten. Errors neither refresh nor end a session.
 *
 * @module
 */
import { EXTRA, PACKET } from "../wire/packet.ts";
import { MODE } from "./behaviour.ts";
import { findExclusive, findInside, findOutside, insideHash } from "./find.ts";
import { NAT_PROTOCOL, SESSION } from "./layout.ts";
import { protocolIndex } from "./protocol.ts";
import { refuse } from "./refusal.ts";
import type { NatTables } from "./tables.ts";
import { NAT_VERDICT, type NatVerdict } from "./verdict.ts";

const { MASK: PACKET_MASK, STRIDE: PACKET_STRIDE, EXTRA: PACKET_EXTRA, SRC: PACKET_SRC, DST: PACKET_DST } = PACKET;
const {
  MASK: SESSION_MASK,
  STRIDE: SESSION_STRIDE,
  EXTERNAL: SESSION_EXTERNAL,
  PORTS: SESSION_PORTS,
  INTERNAL: SESSION_INTERNAL,
  REMOTE: SESSION_REMOTE,
  REMOTE_PORT_STATE: SESSION_REMOTE_PORT_STATE,
} = SESSION;
const { EXCLUSIVE: MODE_EXCLUSIVE } = MODE;

const { FORWARD, DROP_NO_MAPPING, DROP_UNSUPPORTED } = NAT_VERDICT;
const { QUOTED_SRC, QUOTED_DST, QUOTED_PORTS, QUOTED_SEQ, QUOTED_CONTROL } = EXTRA;
const { ICMP } = NAT_PROTOCOL;

/** The source or destination port of the quoted packet; of an ICMP query its identifier, which is both. */
function quotedPort(extras: Int32Array, quote: number, protocol: number, source: boolean): number {
  if (protocol === ICMP) return extras[quote + QUOTED_SEQ] >>> 16;
  const ports = extras[quote + QUOTED_PORTS];
  return source ? ports >>> 16 : ports & 0xffff;
}

function setQuotedPort(extras: Int32Array, quote: number, protocol: number, source: boolean, port: number): void {
  if (protocol === ICMP) {
    extras[quote + QUOTED_SEQ] = (port << 16) | (extras[quote + QUOTED_SEQ] & 0xffff);
    return;
  }
  const ports = extras[quote + QUOTED_PORTS];
  extras[quote + QUOTED_PORTS] = source ? (port << 16) | (ports & 0xffff) : (ports & 0xffff0000) | port;
}

/** An error from inside about a packet that came in: both sources become the session's external address. */
export function icmpErrorOutbound(t: NatTables, gateway: number, packet: number): NatVerdict {
  const words = t.packets.rows.words;
  const at = (packet * PACKET_STRIDE) & PACKET_MASK;
  const extras = t.packets.extras.words;
  const quote = words[at + PACKET_EXTRA] * EXTRA.STRIDE;
  const protocol = protocolIndex(extras[quote + QUOTED_CONTROL] >>> 24);
  if (protocol < 0) return refuse(t, gateway, DROP_UNSUPPORTED, words[at + PACKET_SRC]);
  const realm = (gateway << 2) | protocol;
  // What came in went to the internal endpoint: it is the quoted destination.
  const internal = extras[quote + QUOTED_DST];
  const remote = extras[quote + QUOTED_SRC];
  const remotePort = protocol === ICMP ? 0 : quotedPort(extras, quote, protocol, true);
  const ports = (quotedPort(extras, quote, protocol, false) << 16) | remotePort;
  const session = findInside(t, realm, internal, remote, ports, insideHash(realm, internal, remote, ports));
  if (session === 0) return refuse(t, gateway, DROP_NO_MAPPING, words[at + PACKET_SRC]);
  const row = (session * SESSION_STRIDE) & SESSION_MASK;
  const external = t.sessions.words[row + SESSION_EXTERNAL];
  extras[quote + QUOTED_DST] = external;
  setQuotedPort(extras, quote, protocol, false, t.sessions.words[row + SESSION_PORTS] & 0xffff);
  words[at + PACKET_SRC] = external;
  return FORWARD;
}

/** An error from outside about a packet that went out: it goes to the internal endpoint that sent it. */
export function icmpErrorInbound(t: NatTables, gateway: number, packet: number): NatVerdict {
  const words = t.packets.rows.words;
  const at = (packet * PACKET_STRIDE) & PACKET_MASK;
  const extras = t.packets.extras.words;
  const quote = words[at + PACKET_EXTRA] * EXTRA.STRIDE;
  const protocol = protocolIndex(extras[quote + QUOTED_CONTROL] >>> 24);
  if (protocol < 0) return refuse(t, gateway, DROP_UNSUPPORTED);
  const realm = (gateway << 2) | protocol;
  const external = extras[quote + QUOTED_SRC];
  const remote = extras[quote + QUOTED_DST];
  const externalPort = quotedPort(extras, quote, protocol, true);
  const remotePort = protocol === ICMP ? 0 : quotedPort(extras, quote, protocol, false);
  const session = findAnyOutside(t, gateway, realm, external, remote, externalPort, remotePort);
  if (session === 0) return refuse(t, gateway, DROP_NO_MAPPING);
  const row = (session * SESSION_STRIDE) & SESSION_MASK;
  const internal = t.sessions.words[row + SESSION_INTERNAL];
  extras[quote + QUOTED_SRC] = internal;
  setQuotedPort(extras, quote, protocol, true, t.sessions.words[row + SESSION_PORTS] >>> 16);
  words[at + PACKET_DST] = internal;
  return FORWARD;
}

/** The session with these outer endpoints, whichever way it is indexed; 0 if there is none. */
function findAnyOutside(
  t: NatTables,
  gateway: number,
  realm: number,
  external: number,
  remote: number,
  externalPort: number,
  remotePort: number,
): number {
  if (t.profileOf(gateway).mode === MODE_EXCLUSIVE) {
    const session = findExclusive(t, realm, external, externalPort);
    if (session !== 0) {
      const words = t.sessions.words;
      const row = (session * SESSION_STRIDE) & SESSION_MASK;
      const meant = words[row + SESSION_REMOTE] === remote &&
        words[row + SESSION_REMOTE_PORT_STATE] >>> 16 === remotePort;
      return meant ? session : 0;
    }
  }
  return findOutside(t, realm, external, remote, (externalPort << 16) | remotePort);
}
