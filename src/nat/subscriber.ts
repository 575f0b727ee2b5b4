/**
 * Subscribers: what a gateway keeps for each internal address, if it has quotas, pairs addresses, shares ports out,
 * limits rates or logs; and for those that it has refused something.
 *
 * @module
 */
import { lengthened } from "../base/growth.ts";
import { hashTuple } from "../store/tuple_table.ts";
import type { NatProfile } from "./behaviour.ts";
import { TOKENS_PER_SESSION } from "./carrier.ts";
import { findSubscriber } from "./find.ts";
import { GATEWAY, SUBSCRIBER } from "./layout.ts";
import type { NatTables } from "./tables.ts";

const { STRIDE: GATEWAY_STRIDE, PROFILE_COUNT: GATEWAY_PROFILE_COUNT } = GATEWAY;
const { GATEWAY: SUBSCRIBER_GATEWAY, INTERNAL: SUBSCRIBER_INTERNAL } = SUBSCRIBER;
const {
  PAIRED,
  SESSIONS,
  PORTS,
  REFUSED,
  SESSIONS_PEAK,
  PORTS_PEAK,
  BLOCKS,
  LOG_RECORDS,
  TOKENS_AT,
  OPENED,
  MASK,
  STRIDE,
} = SUBSCRIBER;

/** The internal address's row, made if the gateway keeps such rows and it has none; 0 if the gateway keeps none. */
export function subscriberOf(t: NatTables, profile: NatProfile, gateway: number, internal: number): number {
  if (!profile.keepsSubscribers) {
    const count = t.gateways.words[gateway * GATEWAY_STRIDE + GATEWAY_PROFILE_COUNT] & 0xffff;
    if (!profile.paired || count === 1) return 0;
  }
  return subscriberRow(t, gateway, internal);
}

/** The internal address's row, made if it has none. */
export function subscriberRow(t: NatTables, gateway: number, internal: number): number {
  const known = findSubscriber(t, gateway, internal);
  if (known !== 0) return known;
  const subscriber = t.subscribers.allocate();
  const words = t.subscribers.words;
  const row = (subscriber * STRIDE) & MASK;
  words[row + SUBSCRIBER_GATEWAY] = gateway;
  words[row + SUBSCRIBER_INTERNAL] = internal;
  t.subscriberIndex.insert(hashTuple(gateway, internal, 0, 0), subscriber);
  t.addresses.retain(internal);
  const profile = t.profileOf(gateway);
  if (profile.tokensPerMs !== 0) {
    if (t.tokens.length < t.subscribers.capacity) t.tokens = lengthened(t.tokens, t.subscribers.capacity);
    t.tokens[subscriber] = profile.tokensMost;
    words[row + TOKENS_AT] = t.tick;
  }
  return subscriber;
}

/** Counts a port taken (1) or given back (-1). */
export function countPort(t: NatTables, subscriber: number, by: 1 | -1): void {
  const words = t.subscribers.words;
  const row = (subscriber * STRIDE) & MASK;
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
  const row = (subscriber * STRIDE) & MASK;
  words[row + OPENED]++;
  const sessions = ++words[row + SESSIONS];
  if (sessions > words[row + SESSIONS_PEAK]) {
    words[row + SESSIONS_PEAK] = sessions;
    const extras = t.extrasOf(words[row + SUBSCRIBER_GATEWAY]);
    if (sessions > extras.subscriberSessionsPeak) extras.subscriberSessionsPeak = sessions;
  }
}

/**
 * Whether a subscriber's bucket has no token for another session. Integers: it gains `tokensPerMs` a ms, up to
 * `tokensMost`, and a session costs 10^6.
 */
export function overRate(t: NatTables, profile: NatProfile, subscriber: number): boolean {
  const at = subscriber * STRIDE + TOKENS_AT;
  const words = t.subscribers.words;
  const elapsed = t.tick - words[at];
  if (elapsed > 0) {
    words[at] = t.tick;
    t.tokens[subscriber] = Math.min(profile.tokensMost, t.tokens[subscriber] + elapsed * profile.tokensPerMs);
  }
  return t.tokens[subscriber] < TOKENS_PER_SESSION;
}

/** Takes the tokens of a session that is opened, after `overRate` has said that there are. */
export function takeTokens(t: NatTables, gateway: number, subscriber: number): void {
  const left = t.tokens[subscriber] - TOKENS_PER_SESSION;
  t.tokens[subscriber] = left;
  const extras = t.extrasOf(gateway);
  if (left < extras.tokensLeast) extras.tokensLeast = left;
}

/**
 * Counts a session closed, after its port was given back. The last one's end ends the pairing, and frees the row unless
 * it has something to tell of.
 */
export function releaseSession(t: NatTables, subscriber: number): void {
  t.subscribers.words[subscriber * STRIDE + SESSIONS]--;
  releaseIfIdle(t, subscriber);
}

/** Frees the row of a subscriber without sessions and blocks, unless it has refusals, tokens or a log to tell of. */
export function releaseIfIdle(t: NatTables, subscriber: number): void {
  const words = t.subscribers.words;
  const row = (subscriber * STRIDE) & MASK;
  if (words[row + SESSIONS] !== 0 || words[row + BLOCKS] !== 0) return;
  words[row + PAIRED] = 0;
  if (words[row + REFUSED] !== 0 || words[row + LOG_RECORDS] !== 0) return;
  const gateway = words[row + SUBSCRIBER_GATEWAY];
  // Its bucket would be full again if it came back.
  if (t.profileOf(gateway).tokensPerMs !== 0) return;
  const internal = words[row + SUBSCRIBER_INTERNAL];
  t.subscriberIndex.remove(hashTuple(gateway, internal, 0, 0), subscriber);
  t.subscribers.release(subscriber);
  t.addresses.release(internal);
}
