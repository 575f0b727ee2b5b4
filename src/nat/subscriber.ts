/**
 * Subscribers: what a gateway keeps for each internal address, if it has quotas or pairs addresses.
 *
 * @module
 */
import { hashTuple } from "../store/tuple_table.ts";
import type { NatProfile } from "./behaviour.ts";
import { findSubscriber } from "./find.ts";
import { GATEWAY, SUBSCRIBER } from "./layout.ts";
import type { NatTables } from "./tables.ts";

const { STRIDE: GATEWAY_STRIDE, PROFILE_COUNT: GATEWAY_PROFILE_COUNT } = GATEWAY;
const { GATEWAY: SUBSCRIBER_GATEWAY, INTERNAL: SUBSCRIBER_INTERNAL } = SUBSCRIBER;

const { PAIRED, SESSIONS, PORTS, REFUSED, SESSIONS_PEAK, PORTS_PEAK, STRIDE } = SUBSCRIBER;

/** The internal address's row, made if the gateway keeps such rows and it has none; 0 if the gateway keeps none. */
export function subscriberOf(t: NatTables, profile: NatProfile, gateway: number, internal: number): number {
  const count = t.gateways.words[gateway * GATEWAY_STRIDE + GATEWAY_PROFILE_COUNT] & 0xffff;
  if (profile.quotaSessions === 0 && profile.quotaPorts === 0 && !(profile.paired && count > 1)) return 0;
  const known = findSubscriber(t, gateway, internal);
  if (known !== 0) return known;
  const subscriber = t.subscribers.allocate();
  const words = t.subscribers.words;
  const row = subscriber * STRIDE;
  words[row + SUBSCRIBER_GATEWAY] = gateway;
  words[row + SUBSCRIBER_INTERNAL] = internal;
  t.subscriberIndex.insert(hashTuple(gateway, internal, 0, 0), subscriber);
  t.addresses.retain(internal);
  return subscriber;
}

/** Counts a port taken (1) or given back (-1). */
export function countPort(t: NatTables, subscriber: number, by: 1 | -1): void {
  const words = t.subscribers.words;
  const row = subscriber * STRIDE;
  const ports = words[row + PORTS] += by;
  if (ports > words[row + PORTS_PEAK]) {
    words[row + PORTS_PEAK] = ports;
    const extras = t.extrasOf(words[row + SUBSCRIBER_GATEWAY]);
    if (ports > extras.subscriberPortsPeak) extras.subscriberPortsPeak = ports;
  }
}

/** Counts a session opened. */
export function countSession(t: NatTables, subscriber: number): void {
  const words = t.subscribers.words;
  const row = subscriber * STRIDE;
  const sessions = ++words[row + SESSIONS];
  if (sessions > words[row + SESSIONS_PEAK]) {
    words[row + SESSIONS_PEAK] = sessions;
    const extras = t.extrasOf(words[row + SUBSCRIBER_GATEWAY]);
    if (sessions > extras.subscriberSessionsPeak) extras.subscriberSessionsPeak = sessions;
  }
}

/**
 * Counts a session closed, after its port was given back. The last one's end ends the pairing, and frees the row unless
 * it has refusals to tell of.
 */
export function releaseSession(t: NatTables, subscriber: number): void {
  t.subscribers.words[subscriber * STRIDE + SESSIONS]--;
  releaseIfIdle(t, subscriber);
}

/** Frees the row of a subscriber without sessions, unless it has refusals to tell of. */
export function releaseIfIdle(t: NatTables, subscriber: number): void {
  const words = t.subscribers.words;
  const row = subscriber * STRIDE;
  if (words[row + SESSIONS] !== 0) return;
  words[row + PAIRED] = 0;
  if (words[row + REFUSED] !== 0) return;
  const internal = words[row + SUBSCRIBER_INTERNAL];
  t.subscriberIndex.remove(hashTuple(words[row + SUBSCRIBER_GATEWAY], internal, 0, 0), subscriber);
  t.subscribers.release(subscriber);
  t.addresses.release(internal);
}
