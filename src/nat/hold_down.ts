/**
 * Hold-down (RFC 6888 REQ-8): an external port that was given back rests before another may have it, so that what is
 * still on its way to the old owner does not reach a new one.
 *
 * A resting port counts as taken, in its address and in its block. The same mapping, of the same internal endpoint, may
 * have it back at once.
 *
 * @module
 */
import { hashTuple } from "../store/tuple_table.ts";
import { MODE, type NatProfile } from "./behaviour.ts";
import type { GatewayExtras } from "./extras.ts";
import { endpointHash, findHold, outsideHash, poolPlace } from "./find.ts";
import { HOLD, NAT_PROTOCOL, SUBSCRIBER } from "./layout.ts";
import { releasePort } from "./pool.ts";
import { holdRef } from "./ref.ts";
import type { NatTables } from "./tables.ts";

const { REALM, INTERNAL, EXTERNAL, PORTS, REMOTE, REMOTE_PORT, DEADLINE, OLDER, YOUNGER, MASK, STRIDE } = HOLD;
const { STRIDE: SUBSCRIBER_STRIDE, PAIRED } = SUBSCRIBER;

/**
 * A mapping's end: its port is given back, or rests first. `ports` is internal << 16 | external; `remote` and
 * `remotePort` are what the mapping was for (0 for any).
 */
export function retirePort(
  t: NatTables,
  profile: NatProfile,
  realm: number,
  internal: number,
  external: number,
  ports: number,
  remote: number,
  remotePort: number,
): void {
  // RFC 6888 REQ-8 A: a NAT that tracks TCP's state may give its ports out again at once.
  if (profile.holdDownMs === 0 || ((realm & 3) === NAT_PROTOCOL.TCP && !profile.holdDownTcp)) {
    return releasePort(t, profile, realm >>> 2, realm & 3, external, ports & 0xffff, remote, remotePort);
  }
  const extras = t.extrasOf(realm >>> 2);
  // RFC 6888 REQ-8: how many may rest is configurable. The one that has rested longest makes room.
  if (profile.holdDownPorts !== 0 && extras.holds >= profile.holdDownPorts) endHold(t, profile, extras.holdOldest);
  const hold = t.holds.allocate();
  const words = t.holds.words;
  const row = (hold * STRIDE) & MASK;
  words[row + REALM] = realm;
  words[row + INTERNAL] = internal;
  words[row + EXTERNAL] = external;
  words[row + PORTS] = ports;
  words[row + REMOTE] = remote;
  words[row + REMOTE_PORT] = remotePort;
  words[row + DEADLINE] = t.tickCeiling + profile.holdDownMs;
  words[row + OLDER] = extras.holdYoungest;
  if (extras.holdYoungest === 0) extras.holdOldest = hold;
  else words[extras.holdYoungest * STRIDE + YOUNGER] = hold;
  extras.holdYoungest = hold;
  extras.held[realm & 3]++;
  if (++extras.holds > extras.holdsPeak) extras.holdsPeak = extras.holds;
  t.holdOutside.insert(outsideKey(t, profile, hold), hold);
  t.holdInside.insert(insideKey(t, hold), hold);
  t.addresses.retain(internal);
  if (remote !== 0) t.addresses.retain(remote);
  if (extras.holdQueuedAt === 0) queue(t, realm >>> 2, extras);
}

/**
 * The port that this very mapping had and that still rests: it is in use again, its address is left in
 * `t.grantedAddress`. -1 if there is none.
 */
export function reviveHeld(
  t: NatTables,
  profile: NatProfile,
  realm: number,
  internal: number,
  internalPort: number,
  remote: number,
  remotePort: number,
  subscriber: number,
): number {
  const hold = findHold(t, realm, internal, internalPort, remote, remotePort);
  if (hold === 0) return -1;
  const words = t.holds.words;
  const row = (hold * STRIDE) & MASK;
  const external = words[row + EXTERNAL];
  if (profile.paired && subscriber !== 0) {
    const at = subscriber * SUBSCRIBER_STRIDE + PAIRED;
    const address = poolPlace(t, realm >>> 2, external) + 1;
    // RFC 4787 REQ-2: it has been paired with another address since.
    if (t.subscribers.words[at] !== 0 && t.subscribers.words[at] !== address) return -1;
    t.subscribers.words[at] = address;
  }
  const port = words[row + PORTS] & 0xffff;
  forget(t, profile, hold);
  t.grantedAddress = external;
  return port;
}

/** The rest of a gateway's ports that have rested long enough ends. */
export function endHolds(t: NatTables, gateway: number): void {
  const extras = t.extrasOf(gateway);
  const profile = t.profileOf(gateway);
  while (extras.holdOldest !== 0 && t.holds.words[extras.holdOldest * STRIDE + DEADLINE] <= t.tick) {
    endHold(t, profile, extras.holdOldest);
  }
  queue(t, gateway, extras);
}

/** The rest of all of a gateway's ports ends: it has forgotten them. */
export function endAllHolds(t: NatTables, gateway: number): void {
  const extras = t.extrasIfAny(gateway);
  if (extras === undefined) return;
  const profile = t.profileOf(gateway);
  while (extras.holdOldest !== 0) endHold(t, profile, extras.holdOldest);
}

/** Would a gateway's hold-down timer give back a port now? If not, and there are some, it is queued again. */
export function holdTimerActs(t: NatTables, gateway: number): boolean {
  const extras = t.extrasOf(gateway);
  if (extras.holdQueuedAt === 0 || extras.holdQueuedAt > t.tick) return false;
  if (extras.holdOldest !== 0 && t.holds.words[extras.holdOldest * STRIDE + DEADLINE] <= t.tick) return true;
  queue(t, gateway, extras);
  return false;
}

function queue(t: NatTables, gateway: number, extras: GatewayExtras): void {
  extras.holdQueuedAt = extras.holdOldest === 0 ? 0 : t.holds.words[extras.holdOldest * STRIDE + DEADLINE];
  if (extras.holdQueuedAt !== 0) t.requestTimer(holdRef(gateway), extras.holdQueuedAt);
}

function endHold(t: NatTables, profile: NatProfile, hold: number): void {
  const words = t.holds.words;
  const row = (hold * STRIDE) & MASK;
  const realm = words[row + REALM];
  const external = words[row + EXTERNAL];
  const port = words[row + PORTS] & 0xffff;
  const remote = words[row + REMOTE];
  const remotePort = words[row + REMOTE_PORT];
  if (remote !== 0) t.addresses.retain(remote);
  forget(t, profile, hold);
  releasePort(t, profile, realm >>> 2, realm & 3, external, port, remote, remotePort);
  if (remote !== 0) t.addresses.release(remote);
}

/** Takes a row out of the list and the indexes. */
function forget(t: NatTables, profile: NatProfile, hold: number): void {
  const words = t.holds.words;
  const row = (hold * STRIDE) & MASK;
  const realm = words[row + REALM];
  const extras = t.extrasOf(realm >>> 2);
  const older = words[row + OLDER];
  const younger = words[row + YOUNGER];
  if (older === 0) extras.holdOldest = younger;
  else words[older * STRIDE + YOUNGER] = younger;
  if (younger === 0) extras.holdYoungest = older;
  else words[younger * STRIDE + OLDER] = older;
  extras.held[realm & 3]--;
  extras.holds--;
  t.holdOutside.remove(outsideKey(t, profile, hold), hold);
  t.holdInside.remove(insideKey(t, hold), hold);
  const internal = words[row + INTERNAL];
  const remote = words[row + REMOTE];
  t.holds.release(hold);
  t.addresses.release(internal);
  if (remote !== 0) t.addresses.release(remote);
}

function outsideKey(t: NatTables, profile: NatProfile, hold: number): number {
  const words = t.holds.words;
  const row = (hold * STRIDE) & MASK;
  const port = words[row + PORTS] & 0xffff;
  if (profile.mode !== MODE.OVERLOADED) return endpointHash(words[row + REALM], words[row + EXTERNAL], port);
  const ports = (port << 16) | words[row + REMOTE_PORT];
  return outsideHash(words[row + REALM], words[row + EXTERNAL], words[row + REMOTE], ports);
}

function insideKey(t: NatTables, hold: number): number {
  const words = t.holds.words;
  const row = (hold * STRIDE) & MASK;
  const ports = (words[row + PORTS] & 0xffff0000) | words[row + REMOTE_PORT];
  return hashTuple(words[row + REALM], words[row + INTERNAL], words[row + REMOTE], ports);
}
