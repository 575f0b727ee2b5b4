/**
 * Blocks of ports: given to a subscriber when it needs one more (port-block allocation), or computed (RFC 7422), and
 * given back when the last of their ports is.
 *
 * A block is a range of port numbers of one external address, for all protocols. Searching one costs no more than
 * searching an address: the address's bitmap is looked at from the block's first port to its last.
 *
 * @module
 */
import { drawWord } from "../base/rng.ts";
import { hashTuple } from "../store/tuple_table.ts";
import { ASSIGNMENT, MODE, type NatProfile } from "./behaviour.ts";
import { SHARING } from "./carrier.ts";
import { subscriberIndex } from "./deterministic.ts";
import { findBlock, findMappingOutside, poolAddress, poolPlace } from "./find.ts";
import { BLOCK, GATEWAY, SUBSCRIBER } from "./layout.ts";
import { logBlock } from "./log.ts";
import { PortBitmap } from "./port_bitmap.ts";
import { takeOn } from "./port_space.ts";
import { releaseIfIdle } from "./subscriber.ts";
import type { NatTables } from "./tables.ts";

/** No port is free in the pool, or in the address that the subscriber is paired with. */
export const NO_PORT = -1;
/** The subscriber has all the blocks that it may have, and they are full. */
export const NO_BLOCK = -2;
/** The internal address is not of a deterministic NAT's subscribers. */
export const NO_SUBSCRIBER = -3;

const { MASK, STRIDE, ADDRESS, NUMBER, NEXT, TAKEN, SERIAL, SINCE } = BLOCK;
const { GATEWAY: BLOCK_GATEWAY, SUBSCRIBER: BLOCK_SUBSCRIBER } = BLOCK;
const { PAIRED, BLOCK: FIRST_BLOCK, BLOCKS, BLOCKS_PEAK, INTERNAL, MASK: SUBSCRIBER_MASK, STRIDE: SUBSCRIBER_STRIDE } =
  SUBSCRIBER;
const {
  MASK: GATEWAY_MASK,
  STRIDE: GATEWAY_STRIDE,
  PROFILE_COUNT,
  CURSOR: GATEWAY_CURSOR,
  KEY0,
  KEY1,
  SERIAL: GATEWAY_SERIAL,
} = GATEWAY;

/** Counters of draws of blocks: the sessions' serials, beyond those that draw ports. */
const BLOCK_DRAWS = 2 ** 32;

/** Ports in a block of a gateway. */
export function blockSizeOf(t: NatTables, profile: NatProfile, gateway: number): number {
  if (profile.sharing === SHARING.BLOCKS) return profile.blockSize;
  return Math.floor(profile.portCount / sharers(t, profile, gateway));
}

/** Blocks of each external address of a gateway. */
export function blocksPerAddress(t: NatTables, profile: NatProfile, gateway: number): number {
  if (profile.sharing === SHARING.BLOCKS) return Math.floor(profile.portCount / profile.blockSize);
  return sharers(t, profile, gateway);
}

/** Subscribers of a deterministic NAT that share an external address. */
function sharers(t: NatTables, profile: NatProfile, gateway: number): number {
  const addresses = t.gateways.words[gateway * GATEWAY_STRIDE + PROFILE_COUNT] & 0xffff;
  return Math.ceil(profile.subscriberCount / addresses);
}

/** As `allocatePort`, for gateways with blocks. */
export function takeInBlocks(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  internalPort: number,
  remote: number,
  remotePort: number,
  subscriber: number,
): number {
  const size = blockSizeOf(t, profile, gateway);
  const shared = profile.mode === MODE.OVERLOADED;
  let block = t.subscribers.words[subscriber * SUBSCRIBER_STRIDE + FIRST_BLOCK];
  let last = 0;
  for (; block !== 0; block = t.blocks.words[block * STRIDE + NEXT]) {
    last = block;
    if (!shared && t.blocks.words[block * STRIDE + TAKEN + protocol] >= size) continue;
    const port = takeInBlock(t, profile, gateway, protocol, internalPort, remote, remotePort, block, size);
    if (port >= 0) return port;
  }
  if (t.subscribers.words[subscriber * SUBSCRIBER_STRIDE + BLOCKS] >= profile.blocksPerSubscriber) return NO_BLOCK;
  block = openBlock(t, profile, gateway, protocol, subscriber, last);
  if (block < 0) return block;
  const port = takeInBlock(t, profile, gateway, protocol, internalPort, remote, remotePort, block, size);
  // (A computed one with nothing but port forwards in it.)
  if (port < 0) closeBlock(t, profile, block);
  return port;
}

function takeInBlock(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  internalPort: number,
  remote: number,
  remotePort: number,
  block: number,
  size: number,
): number {
  const words = t.blocks.words;
  const row = (block * STRIDE) & MASK;
  const address = poolAddress(t, gateway, words[row + ADDRESS]);
  const low = words[row + NUMBER] * size;
  const port = takeOn(t, profile, gateway, protocol, address, internalPort, remote, remotePort, low, size, block);
  if (port < 0) return port;
  words[row + TAKEN + protocol]++;
  let taken = 0;
  let other = t.subscribers.words[words[row + BLOCK_SUBSCRIBER] * SUBSCRIBER_STRIDE + FIRST_BLOCK];
  for (; other !== 0; other = words[other * STRIDE + NEXT]) taken += words[other * STRIDE + TAKEN + protocol];
  const extras = t.extrasOf(gateway);
  if (taken > extras.subscriberTakenPeak) extras.subscriberTakenPeak = taken;
  return port;
}

/** Gives a subscriber a block, behind its `last` one; `NO_PORT` if there is none, `NO_SUBSCRIBER` if it is none. */
function openBlock(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  subscriber: number,
  last: number,
): number {
  const extras = t.extrasOf(gateway);
  const perAddress = blocksPerAddress(t, profile, gateway);
  let place: number;
  if (profile.sharing === SHARING.DETERMINISTIC) {
    place = computedPlace(t, profile, subscriber);
    if (place < 0) return NO_SUBSCRIBER;
  } else {
    place = freePlace(t, profile, gateway, protocol, subscriber, perAddress);
    if (place < 0) return NO_PORT;
  }
  const address = Math.floor(place / perAddress);
  const block = t.blocks.allocate();
  const words = t.blocks.words;
  const row = (block * STRIDE) & MASK;
  words[row + BLOCK_GATEWAY] = gateway;
  words[row + ADDRESS] = address;
  words[row + NUMBER] = place % perAddress;
  words[row + BLOCK_SUBSCRIBER] = subscriber;
  words[row + SERIAL] = ++extras.blocksGiven;
  words[row + SINCE] = t.tick;
  t.blockIndex.insert(hashTuple(gateway, address, place % perAddress, 0), block);
  if (++extras.blocks > extras.blocksPeak) extras.blocksPeak = extras.blocks;
  const subscribers = t.subscribers.words;
  const at = (subscriber * SUBSCRIBER_STRIDE) & SUBSCRIBER_MASK;
  if (last === 0) subscribers[at + FIRST_BLOCK] = block;
  else words[last * STRIDE + NEXT] = block;
  const blocks = ++subscribers[at + BLOCKS];
  if (blocks > subscribers[at + BLOCKS_PEAK]) subscribers[at + BLOCKS_PEAK] = blocks;
  if (blocks > extras.subscriberBlocksPeak) extras.subscriberBlocksPeak = blocks;
  subscribers[at + PAIRED] = address + 1;
  if (profile.sharing === SHARING.BLOCKS) logBlock(t, profile, gateway, subscriber);
  return block;
}

/** RFC 7422: the place among all blocks that follows from a subscriber's address; -1 if it is none. */
function computedPlace(t: NatTables, profile: NatProfile, subscriber: number): number {
  const internal = t.subscribers.words[subscriber * SUBSCRIBER_STRIDE + INTERNAL];
  return subscriberIndex(profile, t.addresses, internal);
}

/** Takes a free block: of the address that the subscriber is paired with, or of the next that has one. */
function freePlace(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  subscriber: number,
  perAddress: number,
): number {
  const extras = t.extrasOf(gateway);
  const words = t.gateways.words;
  const at = (gateway * GATEWAY_STRIDE) & GATEWAY_MASK;
  const count = words[at + PROFILE_COUNT] & 0xffff;
  const full = extras.fullOfBlocks ??= new PortBitmap(count);
  const paired = profile.paired ? t.subscribers.words[subscriber * SUBSCRIBER_STRIDE + PAIRED] : 0;
  let draw = 0;
  if (profile.portAssignment !== ASSIGNMENT.SEQUENTIAL) {
    const counter = BLOCK_DRAWS + (words[at + GATEWAY_SERIAL] >>> 0);
    draw = Math.floor((drawWord(words[at + KEY0], words[at + KEY1], counter) * perAddress) / 2 ** 32);
  }
  let cursor = words[at + GATEWAY_CURSOR];
  for (let tried = paired === 0 ? count : 1; tried > 0; tried--) {
    const address = paired === 0 ? full.nextFree(cursor) : paired - 1;
    if (address < 0) return -1;
    cursor = address + 1 === count ? 0 : address + 1;
    const map = extras.blockMaps[address] ??= new PortBitmap(perAddress);
    const number = freeNumber(t, profile, gateway, protocol, address, map, draw);
    if (number < 0) continue;
    if (paired === 0) words[at + GATEWAY_CURSOR] = cursor;
    map.take(number);
    if (map.used === perAddress) full.take(address);
    return address * perAddress + number;
  }
  return -1;
}

/** A free block of an address at or after `start` in which there is something besides port forwards; -1 if there is none. */
function freeNumber(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  address: number,
  map: PortBitmap,
  start: number,
): number {
  let number = map.nextFree(start);
  const most = Math.floor(t.extrasOf(gateway).forwards / profile.blockSize);
  for (let tried = 0; number >= 0 && most > 0 && isForwarded(t, profile, gateway, protocol, address, number); tried++) {
    if (tried === most) return -1;
    number = map.nextFree(number + 1 === map.size ? 0 : number + 1);
  }
  return number;
}

/** Are all ports of a block port forwards? */
function isForwarded(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  address: number,
  number: number,
): boolean {
  const external = poolAddress(t, gateway, address);
  const first = profile.portLow + number * profile.blockSize;
  for (let i = 0; i < profile.blockSize; i++) {
    // (Nobody but a port forward has a mapping in a block that is free.)
    if (findMappingOutside(t, (gateway << 2) | protocol, external, first + i) === 0) return false;
  }
  return true;
}

/** Counts a port of a block as given back; the last one's ends the block. */
export function giveBackInBlock(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  address: number,
  port: number,
): void {
  const offset = poolPlace(t, gateway, address);
  const number = Math.floor((port - profile.portLow) / blockSizeOf(t, profile, gateway));
  const block = findBlock(t, gateway, offset, number);
  const words = t.blocks.words;
  const row = (block * STRIDE) & MASK;
  words[row + TAKEN + protocol]--;
  if (words[row + TAKEN] + words[row + TAKEN + 1] + words[row + TAKEN + 2] === 0) closeBlock(t, profile, block);
}

/** Takes a block back. */
function closeBlock(t: NatTables, profile: NatProfile, block: number): void {
  const words = t.blocks.words;
  const row = (block * STRIDE) & MASK;
  const gateway = words[row + BLOCK_GATEWAY];
  const address = words[row + ADDRESS];
  const number = words[row + NUMBER];
  const subscriber = words[row + BLOCK_SUBSCRIBER];
  const extras = t.extrasOf(gateway);
  extras.blocks--;
  if (profile.sharing === SHARING.BLOCKS) {
    extras.blockMaps[address]!.free(number);
    extras.fullOfBlocks!.free(address);
    logBlock(t, profile, gateway, subscriber);
  }
  t.blockIndex.remove(hashTuple(gateway, address, number, 0), block);
  const subscribers = t.subscribers.words;
  const at = (subscriber * SUBSCRIBER_STRIDE) & SUBSCRIBER_MASK;
  if (subscribers[at + FIRST_BLOCK] === block) subscribers[at + FIRST_BLOCK] = words[row + NEXT];
  else {
    let before = subscribers[at + FIRST_BLOCK];
    while (words[before * STRIDE + NEXT] !== block) before = words[before * STRIDE + NEXT];
    words[before * STRIDE + NEXT] = words[row + NEXT];
  }
  subscribers[at + BLOCKS]--;
  t.blocks.release(block);
  releaseIfIdle(t, subscriber);
}
