/**
 * Mapping rows (RFC 4787 section 4.1): an internal endpoint's external one, shared by its sessions, and made only where
 * several sessions may share one. With address-and-port-dependent mapping and filtering the session is the mapping.
 *
 * @module
 */
import { hashTuple } from "../store/tuple_table.ts";
import { BEHAVIOUR, type NatProfile } from "./behaviour.ts";
import { endpointHash, findMappingInside } from "./find.ts";
import { MAPPING, MAPPING_FLAG } from "./layout.ts";
import { retirePort } from "./hold_down.ts";
import { countPort } from "./subscriber.ts";
import type { NatTables } from "./tables.ts";

const {
  ENDPOINT_INDEPENDENT: BEHAVIOUR_ENDPOINT_INDEPENDENT,
  ADDRESS_AND_PORT_DEPENDENT: BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT,
} = BEHAVIOUR;
const { STATIC: MAPPING_FLAG_STATIC } = MAPPING_FLAG;
const {
  MASK: MAPPING_MASK,
  STRIDE: MAPPING_STRIDE,
  REALM: MAPPING_REALM,
  INTERNAL: MAPPING_INTERNAL,
  EXTERNAL: MAPPING_EXTERNAL,
  PORTS: MAPPING_PORTS,
  REMOTE: MAPPING_REMOTE,
  REMOTE_PORT_FLAGS: MAPPING_REMOTE_PORT_FLAGS,
  SUBSCRIBER: MAPPING_SUBSCRIBER,
  SESSIONS: MAPPING_SESSIONS,
} = MAPPING;

/** The remote address that a mapping is for: 0 if the behaviour does not depend on it. */
export function mappedRemote(profile: NatProfile, remote: number): number {
  return profile.mapping === BEHAVIOUR_ENDPOINT_INDEPENDENT ? 0 : remote;
}

/** The remote port that a mapping is for: 0 if the behaviour does not depend on it. */
export function mappedRemotePort(profile: NatProfile, remotePort: number): number {
  return profile.mapping === BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT ? remotePort : 0;
}

/**
 * Adds a mapping row without sessions. `remote` and `remotePort` are as mapped (0 if independent); `ports` is
 * internal << 16 | external. A `STATIC` one whose inner side is taken stays out of the inner index.
 */
export function addMapping(
  t: NatTables,
  realm: number,
  internal: number,
  external: number,
  ports: number,
  remote: number,
  remotePort: number,
  subscriber: number,
  flags: number,
  indexInside: boolean,
): number {
  const internalPort = ports >>> 16;
  if (indexInside && (flags & MAPPING_FLAG_STATIC) !== 0) {
    indexInside = findMappingInside(t, realm, internal, internalPort, remote, remotePort) === 0;
  }
  const mapping = t.mappings.allocate();
  const words = t.mappings.words;
  const row = (mapping * MAPPING_STRIDE) & MAPPING_MASK;
  words[row + MAPPING_REALM] = realm;
  words[row + MAPPING_INTERNAL] = internal;
  words[row + MAPPING_EXTERNAL] = external;
  words[row + MAPPING_PORTS] = ports;
  words[row + MAPPING_REMOTE] = remote;
  words[row + MAPPING_REMOTE_PORT_FLAGS] = (remotePort << 16) | flags;
  words[row + MAPPING_SUBSCRIBER] = subscriber;
  t.mappingOutside.insert(endpointHash(realm, external, ports & 0xffff), mapping);
  if (indexInside) {
    t.mappingInside.insert(hashTuple(realm, internal, remote, (internalPort << 16) | remotePort), mapping);
  }
  t.addresses.retain(internal);
  if (remote !== 0) t.addresses.retain(remote);
  return mapping;
}

/** Ends a session's use of a mapping; the last one's end frees the mapping and its port, unless it is a forward. */
export function releaseMapping(t: NatTables, profile: NatProfile, mapping: number): void {
  const words = t.mappings.words;
  const row = (mapping * MAPPING_STRIDE) & MAPPING_MASK;
  const flags = words[row + MAPPING_REMOTE_PORT_FLAGS];
  if (--words[row + MAPPING_SESSIONS] > 0 || (flags & MAPPING_FLAG_STATIC) !== 0) return;
  const realm = words[row + MAPPING_REALM];
  const internal = words[row + MAPPING_INTERNAL];
  const external = words[row + MAPPING_EXTERNAL];
  const ports = words[row + MAPPING_PORTS];
  const remote = words[row + MAPPING_REMOTE];
  const remotePort = flags >>> 16;
  const subscriber = words[row + MAPPING_SUBSCRIBER];
  t.mappingOutside.remove(endpointHash(realm, external, ports & 0xffff), mapping);
  t.mappingInside.remove(hashTuple(realm, internal, remote, (ports & 0xffff0000) | remotePort), mapping);
  t.mappings.release(mapping);
  retirePort(t, profile, realm, internal, external, ports, remote, remotePort);
  if (subscriber !== 0) countPort(t, subscriber, -1);
  t.addresses.release(internal);
  if (remote !== 0) t.addresses.release(remote);
}
