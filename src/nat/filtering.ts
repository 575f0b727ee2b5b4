/**
 * Filtering (RFC 4787 section 5): which remote endpoints may reach a mapping that has no session with them yet.
 *
 * @module
 */
import { hashTuple } from "../store/tuple_table.ts";
import { BEHAVIOUR, type NatProfile } from "./behaviour.ts";
import { findPermission } from "./find.ts";
import { MAPPING, MAPPING_FLAG, PERMISSION } from "./layout.ts";
import type { NatTables } from "./tables.ts";

const {
  MASK: MAPPING_MASK,
  STRIDE: MAPPING_STRIDE,
  REMOTE_PORT_FLAGS: MAPPING_REMOTE_PORT_FLAGS,
  REMOTE: MAPPING_REMOTE,
} = MAPPING;
const { STATIC: MAPPING_FLAG_STATIC } = MAPPING_FLAG;
const {
  ENDPOINT_INDEPENDENT: BEHAVIOUR_ENDPOINT_INDEPENDENT,
  ADDRESS_AND_PORT_DEPENDENT: BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT,
} = BEHAVIOUR;
const { STRIDE: PERMISSION_STRIDE, MAPPING: PERMISSION_MAPPING, REMOTE: PERMISSION_REMOTE, COUNT: PERMISSION_COUNT } =
  PERMISSION;

/** Whether a remote address, from a port that the mapping has no session with, may reach a mapping. */
export function admits(t: NatTables, profile: NatProfile, mapping: number, remote: number): boolean {
  const words = t.mappings.words;
  const row = (mapping * MAPPING_STRIDE) & MAPPING_MASK;
  if (words[row + MAPPING_REMOTE_PORT_FLAGS] & MAPPING_FLAG_STATIC) return true;
  if (profile.filtering === BEHAVIOUR_ENDPOINT_INDEPENDENT) return true;
  if (profile.filtering === BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT) return false;
  if (profile.permissions) return findPermission(t, mapping, remote) !== 0;
  return words[row + MAPPING_REMOTE] === remote;
}

/** A session of the mapping with this remote address begins: the address may reach the mapping from any port. */
export function permit(t: NatTables, mapping: number, remote: number): void {
  let permission = findPermission(t, mapping, remote);
  if (permission === 0) {
    permission = t.permissions.allocate();
    const words = t.permissions.words;
    words[permission * PERMISSION_STRIDE + PERMISSION_MAPPING] = mapping;
    words[permission * PERMISSION_STRIDE + PERMISSION_REMOTE] = remote;
    t.permissionIndex.insert(hashTuple(mapping, remote, 0, 0), permission);
  }
  t.permissions.words[permission * PERMISSION_STRIDE + PERMISSION_COUNT]++;
}

/** A session of the mapping with this remote address has ended. */
export function withdraw(t: NatTables, mapping: number, remote: number): void {
  const permission = findPermission(t, mapping, remote);
  if (--t.permissions.words[permission * PERMISSION_STRIDE + PERMISSION_COUNT] > 0) return;
  t.permissionIndex.remove(hashTuple(mapping, remote, 0, 0), permission);
  t.permissions.release(permission);
}
