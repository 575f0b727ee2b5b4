/**
 * The ports of one external address and protocol: taking one, giving one back.
 *
 * A port is tried against the index of sessions or mappings first. When an address has a few hundredths of its ports in
 * use (unless they are given out in sequence), or a search meets a crowd, the address and protocol (with overloading: and the destination) get a bitmap, so that
 * a nearly full pool costs what an empty one does while a gateway with few sessions costs no bitmap. Which port is
 * chosen does not depend on whether there is one.
 *
 * @module
 */
import * as RNG from "../base/rng.ts";
import * as TUPLE_TABLE from "../store/tuple_table.ts";
import { ASSIGNMENT, MODE, type NatProfile } from "./behaviour.ts";
import * as FIND from "./find.ts";
import { findExclusive, findMappingOutside, isHeld, poolPlace } from "./find.ts";
import { BLOCK, GATEWAY, NAT_PROTOCOL, SPACE } from "./layout.ts";
import { PortBitmap } from "./port_bitmap.ts";
import type { NatTables } from "./tables.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { drawWord } = RNG;
const { hashTuple } = TUPLE_TABLE;
const { findOutside, findSpace } = FIND;

const {
  MASK: GATEWAY_MASK,
  STRIDE: GATEWAY_STRIDE,
  PROFILE_COUNT: GATEWAY_PROFILE_COUNT,
  PORTS: GATEWAY_PORTS,
  KEY0: GATEWAY_KEY0,
  KEY1: GATEWAY_KEY1,
  SERIAL: GATEWAY_SERIAL,
  PORTS_PEAK: GATEWAY_PORTS_PEAK,
} = GATEWAY;
const { OVERLOADED: MODE_OVERLOADED, MAPPED: MODE_MAPPED, EXCLUSIVE: MODE_EXCLUSIVE } = MODE;
const { PRESERVATION: ASSIGNMENT_PRESERVATION, SEQUENTIAL: ASSIGNMENT_SEQUENTIAL } = ASSIGNMENT;
const { STRIDE: BLOCK_STRIDE, CURSOR: BLOCK_CURSOR } = BLOCK;
const {
  MASK: SPACE_MASK,
  STRIDE: SPACE_STRIDE,
  USED: SPACE_USED,
  CURSOR: SPACE_CURSOR,
  BITMAP: SPACE_BITMAP,
  REALM: SPACE_REALM,
  EXTERNAL: SPACE_EXTERNAL,
  REMOTE: SPACE_REMOTE,
  REMOTE_PORT: SPACE_REMOTE_PORT,
} = SPACE;

/** Taken ports that a search passes before it makes a bitmap. */
const CROWD = 32;

/** An address with more than one in this many ports in use has a bitmap made at the next search, as a power of two. */
const CROWDED_SHIFT = 5;

/**
 * Takes a port of one external address, of the `count` ones from place `low` of the range; -1 if none of them is free
 * (towards that destination). `block` is the block that they are, 0 if they are the whole range.
 */
export function takeOn(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  address: number,
  internalPort: number,
  remote: number,
  remotePort: number,
  low: number,
  count: number,
  block: number,
): number {
  const below = profile.portsBelow1024;
  if (below !== 0 && block === 0 && protocol !== NAT_PROTOCOL.ICMP) {
    // RFC 4787 REQ-3 a, RFC 6146 3.5.1.1: ports below 1024 become such, and others others; but for want of them.
    const wellKnown = internalPort < 1024;
    const from = wellKnown ? 0 : below;
    const of = wellKnown ? below : count - below;
    const port = takeWithin(t, profile, gateway, protocol, address, internalPort, remote, remotePort, from, of, block);
    if (port >= 0) return port;
  }
  return takeWithin(t, profile, gateway, protocol, address, internalPort, remote, remotePort, low, count, block);
}

/** As `takeOn`, of these ports alone. */
function takeWithin(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  address: number,
  internalPort: number,
  remote: number,
  remotePort: number,
  low: number,
  count: number,
  block: number,
): number {
  const realm = (gateway << 2) | protocol;
  const shared = profile.mode === MODE_OVERLOADED;
  const base = findSpace(t, realm, address, 0, 0) || makeSpace(t, realm, address, 0, 0);
  let space = base;
  if (shared) space = t.crowdedSpaces > 0 ? findSpace(t, realm, address, remote, remotePort) : 0;
  const { portLow, portCount } = profile;
  let offset = internalPort - portLow;
  const preserve = profile.portAssignment === ASSIGNMENT_PRESERVATION && offset >= low && offset < low + count;
  if (space !== 0 && t.spaces.words[space * SPACE_STRIDE + SPACE_USED] >= portCount) {
    offset = -1;
  } else if (!preserve || isTaken(t, profile, gateway, realm, space, address, offset, remote, remotePort)) {
    const start = low + firstTry(t, profile, gateway, base, count, block);
    offset = nextFree(t, profile, gateway, realm, space, address, start, remote, remotePort, low, count);
    // The search may have made the destination a crowded one.
    if (shared && space === 0 && t.crowdedSpaces > 0) space = findSpace(t, realm, address, remote, remotePort);
  }
  if (offset < 0) {
    if (t.spaces.words[base * SPACE_STRIDE + SPACE_USED] === 0) freeSpace(t, base);
    return -1;
  }
  if (profile.portAssignment === ASSIGNMENT_SEQUENTIAL) {
    const cursor = offset + 1 === low + count ? 0 : offset + 1 - low;
    if (block === 0) t.spaces.words[base * SPACE_STRIDE + SPACE_CURSOR] = cursor;
    else t.blocks.words[block * BLOCK_STRIDE + BLOCK_CURSOR] = cursor;
  }
  take(t, profile, gateway, protocol, address, base, offset);
  if (shared && space !== 0) {
    const row = (space * SPACE_STRIDE) & SPACE_MASK;
    const used = ++t.spaces.words[row + SPACE_USED];
    t.bitmaps[t.spaces.words[row + SPACE_BITMAP]]!.take(offset);
    if (used === portCount) noteFull(t, gateway, realm, address, remote, remotePort);
    const extras = t.extrasOf(gateway);
    if (used > extras.destinationPeak) extras.destinationPeak = used;
  }
  t.grantedAddress = address;
  return portLow + offset;
}

/** Where a search among `count` ports begins: the sequential cursor, or a draw. */
function firstTry(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  base: number,
  count: number,
  block: number,
): number {
  if (profile.portAssignment === ASSIGNMENT_SEQUENTIAL) {
    if (block !== 0) return t.blocks.words[block * BLOCK_STRIDE + BLOCK_CURSOR];
    return t.spaces.words[base * SPACE_STRIDE + SPACE_CURSOR];
  }
  const words = t.gateways.words;
  const at = (gateway * GATEWAY_STRIDE) & GATEWAY_MASK;
  // At most one draw for each session opened: its serial counts the draws.
  const draw = drawWord(words[at + GATEWAY_KEY0], words[at + GATEWAY_KEY1], words[at + GATEWAY_SERIAL] >>> 0);
  return Math.floor((draw * count) / 2 ** 32);
}

/** Counts a port of an address as used, and marks it in the address's own bitmap if it has one. */
function take(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  address: number,
  base: number,
  offset: number,
): void {
  const words = t.spaces.words;
  const row = (base * SPACE_STRIDE) & SPACE_MASK;
  const used = ++words[row + SPACE_USED];
  const bitmap = words[row + SPACE_BITMAP];
  if (bitmap !== 0) t.bitmaps[bitmap]!.take(offset);
  const gateways = t.gateways.words;
  const at = (gateway * GATEWAY_STRIDE) & GATEWAY_MASK;
  const ports = ++gateways[at + GATEWAY_PORTS + protocol];
  if (ports > gateways[at + GATEWAY_PORTS_PEAK + protocol]) gateways[at + GATEWAY_PORTS_PEAK + protocol] = ports;
  if (used === profile.portCount && profile.mode !== MODE_OVERLOADED) {
    const count = gateways[at + GATEWAY_PROFILE_COUNT] & 0xffff;
    if (count === 1) return;
    const extras = t.extrasOf(gateway);
    const full = extras.fullAddresses[protocol] ??= new PortBitmap(count);
    full.take(poolPlace(t, gateway, address));
  }
}

/** Marks a given port as taken for a port forward; it must lie in the range and be free. */
export function reservePort(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  address: number,
  port: number,
): void {
  const realm = (gateway << 2) | protocol;
  const base = findSpace(t, realm, address, 0, 0) || makeSpace(t, realm, address, 0, 0);
  take(t, profile, gateway, protocol, address, base, port - profile.portLow);
}

/** Gives a port of an external address back; the remote endpoint matters with overloading. */
export function giveBackOn(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  address: number,
  port: number,
  remote: number,
  remotePort: number,
): void {
  const realm = (gateway << 2) | protocol;
  const offset = port - profile.portLow;
  const words = t.spaces.words;
  const base = findSpace(t, realm, address, 0, 0);
  const row = (base * SPACE_STRIDE) & SPACE_MASK;
  const used = --words[row + SPACE_USED];
  const at = (gateway * GATEWAY_STRIDE) & GATEWAY_MASK;
  t.gateways.words[at + GATEWAY_PORTS + protocol]--;
  if (profile.mode === MODE_OVERLOADED) {
    const space = t.crowdedSpaces > 0 ? findSpace(t, realm, address, remote, remotePort) : 0;
    if (space !== 0) {
      t.bitmaps[words[space * SPACE_STRIDE + SPACE_BITMAP]]!.free(offset);
      if (words[space * SPACE_STRIDE + SPACE_USED] === profile.portCount) {
        noteRoom(t, gateway, realm, address, remote, remotePort);
      }
      const forwards = t.extrasIfAny(gateway)?.forwards ?? 0;
      if (--words[space * SPACE_STRIDE + SPACE_USED] <= forwards) freeSpace(t, space);
    }
  } else {
    const bitmap = words[row + SPACE_BITMAP];
    if (bitmap !== 0) t.bitmaps[bitmap]!.free(offset);
    if (used === profile.portCount - 1) {
      t.extrasIfAny(gateway)?.fullAddresses[protocol]?.free(poolPlace(t, gateway, address));
    }
  }
  if (used !== 0) return;
  // A sequential gateway keeps the row for its cursor.
  if (profile.portAssignment === ASSIGNMENT_SEQUENTIAL) freeBitmap(t, base);
  else freeSpace(t, base);
}

/** Whether a port (as offset in the range) is taken, by the bitmap if there is one. */
function isTaken(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  realm: number,
  space: number,
  address: number,
  offset: number,
  remote: number,
  remotePort: number,
): boolean {
  const bitmap = space === 0 ? 0 : t.spaces.words[space * SPACE_STRIDE + SPACE_BITMAP];
  if (bitmap !== 0) return t.bitmaps[bitmap]!.has(offset);
  const port = profile.portLow + offset;
  if (t.holds.inUse !== 0 && isHeld(t, profile, realm, address, port, remote, remotePort)) return true;
  if (profile.mode === MODE_MAPPED) return findMappingOutside(t, realm, address, port) !== 0;
  const session = profile.mode === MODE_EXCLUSIVE
    ? findExclusive(t, realm, address, port)
    : findOutside(t, realm, address, remote, (port << 16) | remotePort);
  if (session !== 0) return true;
  const extras = t.extrasIfAny(gateway);
  return extras !== undefined && extras.forwards > 0 && findMappingOutside(t, realm, address, port) !== 0;
}

/** The first free port (as offset) at or after `start` of `count` ones from `low`, going around; -1 if there is none. */
function nextFree(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  realm: number,
  space: number,
  address: number,
  start: number,
  remote: number,
  remotePort: number,
  low: number,
  count: number,
): number {
  const { portCount } = profile;
  const known = space === 0 ? 0 : t.spaces.words[space * SPACE_STRIDE + SPACE_BITMAP];
  if (known !== 0) return t.bitmaps[known]!.nextFreeWithin(low, count, start);
  // (In sequence the next port is nearly always free: a bitmap, made by asking for every port, has to wait for a crowd.)
  const crowded = space !== 0 && profile.portAssignment !== ASSIGNMENT_SEQUENTIAL &&
    t.spaces.words[space * SPACE_STRIDE + SPACE_USED] > portCount >> CROWDED_SHIFT;
  const tries = crowded ? 0 : Math.min(CROWD, count);
  let offset = start;
  for (let tried = 0; tried < tries; tried++) {
    if (!isTaken(t, profile, gateway, realm, space, address, offset, remote, remotePort)) return offset;
    if (++offset === low + count) offset = low;
  }
  // (With overloading an address that is full towards a destination is known by its bitmap.)
  if (tries === count && (count < portCount || profile.mode !== MODE_OVERLOADED)) return -1;
  const bitmap = new PortBitmap(portCount);
  for (let i = 0; i < portCount; i++) {
    if (isTaken(t, profile, gateway, realm, space, address, i, remote, remotePort)) bitmap.take(i);
  }
  if (space === 0) {
    space = makeSpace(t, realm, address, remote, remotePort);
    t.spaces.words[space * SPACE_STRIDE + SPACE_USED] = bitmap.used;
    t.crowdedSpaces++;
  }
  setBitmap(t, space, bitmap);
  if (profile.mode === MODE_OVERLOADED && bitmap.used === portCount) {
    noteFull(t, gateway, realm, address, remote, remotePort);
  }
  return bitmap.nextFreeWithin(low, count, start);
}

/**
 * With overloading: which addresses of a gateway's pool are full towards a destination, as a bitmap; undefined if none
 * is known to be. A space row whose external address is 0 keeps it.
 */
export function fullTowards(t: NatTables, realm: number, remote: number, remotePort: number): PortBitmap | undefined {
  if (t.crowdedSpaces === 0) return undefined;
  const row = findSpace(t, realm, 0, remote, remotePort) * SPACE_STRIDE;
  return row === 0 ? undefined : t.bitmaps[t.spaces.words[row + SPACE_BITMAP]];
}

/** An address of the pool has no port left towards a destination. */
function noteFull(
  t: NatTables,
  gateway: number,
  realm: number,
  address: number,
  remote: number,
  remotePort: number,
): void {
  const gateways = t.gateways.words;
  const at = (gateway * GATEWAY_STRIDE) & GATEWAY_MASK;
  const count = gateways[at + GATEWAY_PROFILE_COUNT] & 0xffff;
  if (count === 1) return;
  let space = findSpace(t, realm, 0, remote, remotePort);
  if (space === 0) {
    space = makeSpace(t, realm, 0, remote, remotePort);
    t.crowdedSpaces++;
    setBitmap(t, space, new PortBitmap(count));
  }
  t.bitmaps[t.spaces.words[space * SPACE_STRIDE + SPACE_BITMAP]]!.take(poolPlace(t, gateway, address));
}

/** It has one again. */
function noteRoom(
  t: NatTables,
  gateway: number,
  realm: number,
  address: number,
  remote: number,
  remotePort: number,
): void {
  const space = findSpace(t, realm, 0, remote, remotePort);
  if (space === 0) return;
  const full = t.bitmaps[t.spaces.words[space * SPACE_STRIDE + SPACE_BITMAP]]!;
  full.free(poolPlace(t, gateway, address));
  if (full.used === 0) freeSpace(t, space);
}

function setBitmap(t: NatTables, space: number, bitmap: PortBitmap): void {
  const index = t.freeBitmaps.pop() ?? t.bitmaps.length;
  t.bitmaps[index] = bitmap;
  t.spaces.words[space * SPACE_STRIDE + SPACE_BITMAP] = index;
}

function makeSpace(t: NatTables, realm: number, address: number, remote: number, remotePort: number): number {
  const space = t.spaces.allocate();
  const words = t.spaces.words;
  const row = (space * SPACE_STRIDE) & SPACE_MASK;
  words[row + SPACE_REALM] = realm;
  words[row + SPACE_EXTERNAL] = address;
  words[row + SPACE_REMOTE] = remote;
  words[row + SPACE_REMOTE_PORT] = remotePort;
  t.spaceIndex.insert(hashTuple(realm, address, remote, remotePort), space);
  return space;
}

function freeSpace(t: NatTables, space: number): void {
  freeBitmap(t, space);
  const words = t.spaces.words;
  const row = (space * SPACE_STRIDE) & SPACE_MASK;
  const remote = words[row + SPACE_REMOTE];
  if (remote !== 0) t.crowdedSpaces--;
  const hash = hashTuple(words[row + SPACE_REALM], words[row + SPACE_EXTERNAL], remote, words[row + SPACE_REMOTE_PORT]);
  t.spaceIndex.remove(hash, space);
  t.spaces.release(space);
}

function freeBitmap(t: NatTables, space: number): void {
  const at = space * SPACE_STRIDE + SPACE_BITMAP;
  const index = t.spaces.words[at];
  if (index === 0) return;
  t.bitmaps[index] = undefined;
  t.freeBitmaps.push(index);
  t.spaces.words[at] = 0;
}
