/**
 * The NAT's lookups: hash, probe, verify in the row. Every key holds the realm word, so gateways with the same inner
 * addresses do not meet.
 *
 * @module
 */
import * as TUPLE_TABLE from "../store/tuple_table.ts";
import { PACKET } from "../wire/packet.ts";
import { MODE } from "./behaviour.ts";
import { BLOCK, BOUND, GATEWAY, HELD_SYN, HOLD, MAPPING, PERMISSION, SESSION, SPACE, SUBSCRIBER } from "./layout.ts";
import type { NatTables } from "./tables.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { hashTuple, probeStart } = TUPLE_TABLE;

const {
  MASK: MAPPING_MASK,
  STRIDE: MAPPING_STRIDE,
  INTERNAL: MAPPING_INTERNAL,
  REMOTE: MAPPING_REMOTE,
  REALM: MAPPING_REALM,
  PORTS: MAPPING_PORTS,
  REMOTE_PORT_FLAGS: MAPPING_REMOTE_PORT_FLAGS,
  EXTERNAL: MAPPING_EXTERNAL,
} = MAPPING;
const { MASK: SUBSCRIBER_MASK, STRIDE: SUBSCRIBER_STRIDE, INTERNAL: SUBSCRIBER_INTERNAL, GATEWAY: SUBSCRIBER_GATEWAY } =
  SUBSCRIBER;
const {
  MASK: SPACE_MASK,
  STRIDE: SPACE_STRIDE,
  EXTERNAL: SPACE_EXTERNAL,
  REALM: SPACE_REALM,
  REMOTE: SPACE_REMOTE,
  REMOTE_PORT: SPACE_REMOTE_PORT,
} = SPACE;
const { MASK: PERMISSION_MASK, STRIDE: PERMISSION_STRIDE, MAPPING: PERMISSION_MAPPING, REMOTE: PERMISSION_REMOTE } =
  PERMISSION;
const {
  MASK: GATEWAY_MASK,
  STRIDE: GATEWAY_STRIDE,
  EXTERNAL_FIRST: GATEWAY_EXTERNAL_FIRST,
  PROFILE_COUNT: GATEWAY_PROFILE_COUNT,
} = GATEWAY;

const { REALM, INTERNAL, EXTERNAL, REMOTE, PORTS, REMOTE_PORT_STATE, MASK, STRIDE } = SESSION;

/** Hash of a session's inner side. `ports` is internal port << 16 | remote port. */
export function insideHash(realm: number, internal: number, remote: number, ports: number): number {
  return hashTuple(realm, internal, remote, ports);
}

/** Hash of a session's outer side. `ports` is external port << 16 | remote port. */
export function outsideHash(realm: number, external: number, remote: number, ports: number): number {
  return hashTuple(realm, external, remote, ports);
}

/** Hash of an external endpoint, whoever the remote one is. */
export function endpointHash(realm: number, external: number, externalPort: number): number {
  return hashTuple(realm, external, 0, externalPort << 16);
}

/** The session with these inner endpoints, 0 if there is none. `ports` is internal port << 16 | remote port. */
export function findInside(
  t: NatTables,
  realm: number,
  internal: number,
  remote: number,
  ports: number,
  hash: number,
): number {
  const { entries, mask } = t.inside;
  const words = t.sessions.words;
  for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
    const session = entries[at + 1];
    if (session === 0) return 0;
    if (entries[at] !== hash) continue;
    const row = (session * STRIDE) & MASK;
    if (
      words[row + INTERNAL] === internal && words[row + REMOTE] === remote && words[row + REALM] === realm &&
      ((words[row + PORTS] ^ ports) >>> 16) === 0 && words[row + REMOTE_PORT_STATE] >>> 16 === (ports & 0xffff)
    ) return session;
  }
}

/** The session with these outer endpoints, 0 if there is none. `ports` is external port << 16 | remote port. */
export function findOutside(
  t: NatTables,
  realm: number,
  external: number,
  remote: number,
  ports: number,
): number {
  const hash = hashTuple(realm, external, remote, ports);
  const { entries, mask } = t.outside;
  const words = t.sessions.words;
  for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
    const session = entries[at + 1];
    if (session === 0) return 0;
    if (entries[at] !== hash) continue;
    const row = (session * STRIDE) & MASK;
    if (
      words[row + EXTERNAL] === external && words[row + REMOTE] === remote && words[row + REALM] === realm &&
      (words[row + PORTS] & 0xffff) === ports >>> 16 && words[row + REMOTE_PORT_STATE] >>> 16 === (ports & 0xffff)
    ) return session;
  }
}

/** The session that has an external endpoint to itself, 0 if there is none. */
export function findExclusive(t: NatTables, realm: number, external: number, externalPort: number): number {
  const hash = endpointHash(realm, external, externalPort);
  const { entries, mask } = t.outside;
  const words = t.sessions.words;
  for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
    const session = entries[at + 1];
    if (session === 0) return 0;
    if (entries[at] !== hash) continue;
    const row = (session * STRIDE) & MASK;
    if (
      words[row + EXTERNAL] === external && words[row + REALM] === realm &&
      (words[row + PORTS] & 0xffff) === externalPort && (words[row + REMOTE_PORT_STATE] & BOUND) === 0
    ) return session;
  }
}

/** The mapping of an internal endpoint (for that remote endpoint, as far as the behaviour depends on it), or 0. */
export function findMappingInside(
  t: NatTables,
  realm: number,
  internal: number,
  internalPort: number,
  remote: number,
  remotePort: number,
): number {
  const hash = hashTuple(realm, internal, remote, (internalPort << 16) | remotePort);
  const { entries, mask } = t.mappingInside;
  const words = t.mappings.words;
  for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
    const mapping = entries[at + 1];
    if (mapping === 0) return 0;
    if (entries[at] !== hash) continue;
    const row = (mapping * MAPPING_STRIDE) & MAPPING_MASK;
    if (
      words[row + MAPPING_INTERNAL] === internal && words[row + MAPPING_REMOTE] === remote &&
      words[row + MAPPING_REALM] === realm && words[row + MAPPING_PORTS] >>> 16 === internalPort &&
      words[row + MAPPING_REMOTE_PORT_FLAGS] >>> 16 === remotePort
    ) return mapping;
  }
}

/** The mapping row of an external endpoint, 0 if there is none. */
export function findMappingOutside(t: NatTables, realm: number, external: number, externalPort: number): number {
  const hash = endpointHash(realm, external, externalPort);
  const { entries, mask } = t.mappingOutside;
  const words = t.mappings.words;
  for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
    const mapping = entries[at + 1];
    if (mapping === 0) return 0;
    if (entries[at] !== hash) continue;
    const row = (mapping * MAPPING_STRIDE) & MAPPING_MASK;
    if (
      words[row + MAPPING_EXTERNAL] === external && words[row + MAPPING_REALM] === realm &&
      (words[row + MAPPING_PORTS] & 0xffff) === externalPort
    ) return mapping;
  }
}

/** A gateway's row for an internal address, 0 if there is none. */
export function findSubscriber(t: NatTables, gateway: number, internal: number): number {
  const hash = hashTuple(gateway, internal, 0, 0);
  const { entries, mask } = t.subscriberIndex;
  const words = t.subscribers.words;
  for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
    const subscriber = entries[at + 1];
    if (subscriber === 0) return 0;
    if (entries[at] !== hash) continue;
    const row = (subscriber * SUBSCRIBER_STRIDE) & SUBSCRIBER_MASK;
    if (words[row + SUBSCRIBER_INTERNAL] === internal && words[row + SUBSCRIBER_GATEWAY] === gateway) return subscriber;
  }
}

/** The space of an external address (towards a crowded destination, else remote and port 0), 0 if there is none. */
export function findSpace(t: NatTables, realm: number, external: number, remote: number, remotePort: number): number {
  const hash = hashTuple(realm, external, remote, remotePort);
  const { entries, mask } = t.spaceIndex;
  const words = t.spaces.words;
  for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
    const space = entries[at + 1];
    if (space === 0) return 0;
    if (entries[at] !== hash) continue;
    const row = (space * SPACE_STRIDE) & SPACE_MASK;
    if (
      words[row + SPACE_EXTERNAL] === external && words[row + SPACE_REALM] === realm &&
      words[row + SPACE_REMOTE] === remote && words[row + SPACE_REMOTE_PORT] === remotePort
    ) return space;
  }
}

/** A remote address's leave to reach a mapping, 0 if it has none. */
export function findPermission(t: NatTables, mapping: number, remote: number): number {
  const hash = hashTuple(mapping, remote, 0, 0);
  const { entries, mask } = t.permissionIndex;
  const words = t.permissions.words;
  for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
    const permission = entries[at + 1];
    if (permission === 0) return 0;
    if (entries[at] !== hash) continue;
    const row = (permission * PERMISSION_STRIDE) & PERMISSION_MASK;
    if (words[row + PERMISSION_MAPPING] === mapping && words[row + PERMISSION_REMOTE] === remote) return permission;
  }
}

/** The block at a place of a pool address, 0 if it is nobody's. */
export function findBlock(t: NatTables, gateway: number, address: number, number: number): number {
  const hash = hashTuple(gateway, address, number, 0);
  const { entries, mask } = t.blockIndex;
  const words = t.blocks.words;
  for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
    const block = entries[at + 1];
    if (block === 0) return 0;
    if (entries[at] !== hash) continue;
    const row = block * BLOCK.STRIDE;
    if (
      words[row + BLOCK.ADDRESS] === address && words[row + BLOCK.NUMBER] === number &&
      words[row + BLOCK.GATEWAY] === gateway
    ) return block;
  }
}

/** Whether a port rests (RFC 6888 REQ-8); with overloading, towards that remote endpoint. */
export function isHeld(
  t: NatTables,
  profile: { readonly mode: number },
  realm: number,
  external: number,
  externalPort: number,
  remote: number,
  remotePort: number,
): boolean {
  const shared = profile.mode === MODE.OVERLOADED;
  const hash = shared
    ? outsideHash(realm, external, remote, (externalPort << 16) | remotePort)
    : endpointHash(realm, external, externalPort);
  const { entries, mask } = t.holdOutside;
  const words = t.holds.words;
  for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
    const hold = entries[at + 1];
    if (hold === 0) return false;
    if (entries[at] !== hash) continue;
    const row = hold * HOLD.STRIDE;
    if (
      words[row + HOLD.EXTERNAL] === external && words[row + HOLD.REALM] === realm &&
      (words[row + HOLD.PORTS] & 0xffff) === externalPort &&
      (!shared || (words[row + HOLD.REMOTE] === remote && words[row + HOLD.REMOTE_PORT] === remotePort))
    ) return true;
  }
}

/** The resting port of a mapping, by what `findMappingInside` knows it by; 0 if there is none. */
export function findHold(
  t: NatTables,
  realm: number,
  internal: number,
  internalPort: number,
  remote: number,
  remotePort: number,
): number {
  const hash = hashTuple(realm, internal, remote, (internalPort << 16) | remotePort);
  const { entries, mask } = t.holdInside;
  const words = t.holds.words;
  for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
    const hold = entries[at + 1];
    if (hold === 0) return 0;
    if (entries[at] !== hash) continue;
    const row = hold * HOLD.STRIDE;
    if (
      words[row + HOLD.INTERNAL] === internal && words[row + HOLD.REMOTE] === remote &&
      words[row + HOLD.REALM] === realm && words[row + HOLD.PORTS] >>> 16 === internalPort &&
      words[row + HOLD.REMOTE_PORT] === remotePort
    ) return hold;
  }
}

/** The held SYN with these outer endpoints, 0 if there is none. `wire` is remote port << 16 | external port. */
export function findHeldSyn(t: NatTables, realm: number, external: number, remote: number, wire: number): number {
  const hash = hashTuple(realm, external, remote, wire);
  const { entries, mask } = t.heldSynIndex;
  const words = t.heldSyns.words;
  for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
    const held = entries[at + 1];
    if (held === 0) return 0;
    if (entries[at] !== hash) continue;
    const row = held * HELD_SYN.STRIDE;
    const packet = row + HELD_SYN.PACKET;
    if (
      words[packet + PACKET.DST] === external && words[packet + PACKET.SRC] === remote &&
      words[row + HELD_SYN.REALM] === realm && words[packet + PACKET.PORTS] === (wire | 0)
    ) return held;
  }
}

/** Whether an address is one of a gateway's external ones. */
export function isExternalAddress(t: NatTables, gateway: number, address: number): boolean {
  return poolPlace(t, gateway, address) >= 0;
}

/** The place of an address in a gateway's pool; -1 if it is not there. */
export function poolPlace(t: NatTables, gateway: number, address: number): number {
  const words = t.gateways.words;
  const at = (gateway * GATEWAY_STRIDE) & GATEWAY_MASK;
  const first = words[at + GATEWAY_EXTERNAL_FIRST];
  if (first === 0) return t.extrasOf(gateway).pool!.placeOf(address);
  const offset = address - first;
  return offset >= 0 && offset < (words[at + GATEWAY_PROFILE_COUNT] & 0xffff) ? offset : -1;
}

/** The external address (id) at a place of a gateway's pool. */
export function poolAddress(t: NatTables, gateway: number, place: number): number {
  const first = t.gateways.words[gateway * GATEWAY_STRIDE + GATEWAY_EXTERNAL_FIRST];
  return first === 0 ? t.extrasOf(gateway).pool!.at(place) : first + place;
}
