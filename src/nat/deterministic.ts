/**
 * Deterministic NAT (RFC 7422): a subscriber's external address and ports follow from its place in the range of
 * subscribers, and the other way round, so that nothing needs to be logged.
 *
 * The ports of each external address are divided evenly: with s subscribers and a addresses, C = ⌈s / a⌉ (the RFC's
 * compression ratio) subscribers share an address, in order ("sequential" in RFC 7422 section 2), and each has ⌊p / C⌋ of
 * its p ports.
 *
 * @module
 */
import type { AddressTable } from "../base/address.ts";

/** What decides on a deterministic NAT's mapping. */
export interface DeterministicPlan {
  /** Subscribers. */
  subscribers: number;
  /** External addresses. */
  addresses: number;
  /** Lowest external port. */
  portLow: number;
  /** External ports of each address. */
  portCount: number;
}

/** A subscriber's external address and ports. */
export interface DeterministicRange {
  /** Place of the external address in the pool. */
  address: number;
  /** Lowest port. */
  low: number;
  /** Highest port. */
  high: number;
}

/** Who a deterministic NAT's subscribers are: part of its profile. */
export interface DeterministicSubscribers {
  /** The first one's last (IPv4: only) 32 bits, unsigned. */
  readonly subscriberFirst: number;
  /** The words before, signed; none for IPv4. */
  readonly subscriberPrefix: readonly number[];
  /** How many there are. */
  readonly subscriberCount: number;
}

/** The place of an internal address (id) among a deterministic NAT's subscribers; -1 if it is none. */
export function subscriberIndex(who: DeterministicSubscribers, addresses: AddressTable, internal: number): number {
  const { subscriberFirst, subscriberPrefix, subscriberCount } = who;
  const ipv6 = addresses.isIpv6(internal);
  if (ipv6 !== (subscriberPrefix.length > 0)) return -1;
  for (let k = 0; k < subscriberPrefix.length; k++) {
    if (addresses.v6Word(internal, k) !== subscriberPrefix[k]) return -1;
  }
  const last = ipv6 ? addresses.v6Word(internal, 3) : addresses.word(internal);
  const index = (last >>> 0) - subscriberFirst;
  return index >= 0 && index < subscriberCount ? index : -1;
}

/** Subscribers that share an external address: the compression ratio. */
export function subscribersPerAddress(plan: DeterministicPlan): number {
  return Math.ceil(plan.subscribers / plan.addresses);
}

/** External ports of each subscriber. */
export function portsPerSubscriber(plan: DeterministicPlan): number {
  return Math.floor(plan.portCount / subscribersPerAddress(plan));
}

/**
 * Where the subscriber at place `index` of the range is mapped to; undefined if there is none.
 *
 * @example Whose port was that?
 * ```ts
 * import { deterministicRange, deterministicSubscriber } from "./deterministic.ts";
 * const plan = { subscribers: 1024, addresses: 16, portLow: 1024, portCount: 64512 };
 * const range = deterministicRange(plan, 100)!; // place 1 of the pool, ports 37312 to 38319
 * console.log(deterministicSubscriber(plan, range.address, range.low)); // 100
 * ```
 */
export function deterministicRange(plan: DeterministicPlan, index: number): DeterministicRange | undefined {
  if (!(Number.isInteger(index) && index >= 0 && index < plan.subscribers)) return undefined;
  const share = subscribersPerAddress(plan);
  const size = portsPerSubscriber(plan);
  const low = plan.portLow + (index % share) * size;
  return { address: Math.floor(index / share), low, high: low + size - 1 };
}

/** Who has a port of the external address at place `address` of the pool: a place in the range, -1 for nobody. */
export function deterministicSubscriber(plan: DeterministicPlan, address: number, port: number): number {
  const share = subscribersPerAddress(plan);
  const number = Math.floor((port - plan.portLow) / portsPerSubscriber(plan));
  if (!(address >= 0 && address < plan.addresses && number >= 0 && number < share)) return -1;
  const index = address * share + number;
  return index < plan.subscribers ? index : -1;
}
