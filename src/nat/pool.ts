/**
 * The pool of external addresses and ports: which one a new mapping gets (RFC 4787 section 4.2), and giving it back.
 *
 * @module
 */
import { MODE, type NatProfile } from "./behaviour.ts";
import { giveBackInBlock, NO_PORT, takeInBlocks } from "./blocks.ts";
import * as FIND from "./find.ts";
import { GATEWAY, SUBSCRIBER } from "./layout.ts";
import * as PORT_SPACE from "./port_space.ts";
import { fullTowards, giveBackOn } from "./port_space.ts";
import type { NatTables } from "./tables.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { poolAddress } = FIND;
const { takeOn } = PORT_SPACE;

const {
  MASK: GATEWAY_MASK,
  STRIDE: GATEWAY_STRIDE,
  PROFILE_COUNT: GATEWAY_PROFILE_COUNT,
  PORTS: GATEWAY_PORTS,
  CURSOR: GATEWAY_CURSOR,
} = GATEWAY;
const { OVERLOADED: MODE_OVERLOADED } = MODE;
const { STRIDE: SUBSCRIBER_STRIDE, PAIRED: SUBSCRIBER_PAIRED } = SUBSCRIBER;

/**
 * Takes an external port for a new mapping of a subscriber (row, or 0) towards a remote endpoint. Returns the port and
 * leaves its address in `t.grantedAddress`; below 0 there is none: `NO_PORT`, `NO_BLOCK` or `NO_SUBSCRIBER`.
 */
export function allocatePort(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  internalPort: number,
  remote: number,
  remotePort: number,
  subscriber: number,
): number {
  if (profile.sharing !== 0) {
    return takeInBlocks(t, profile, gateway, protocol, internalPort, remote, remotePort, subscriber);
  }
  const words = t.gateways.words;
  const at = (gateway * GATEWAY_STRIDE) & GATEWAY_MASK;
  const count = words[at + GATEWAY_PROFILE_COUNT] & 0xffff;
  const ports = profile.portCount;
  const shared = profile.mode === MODE_OVERLOADED;
  if (!shared && words[at + GATEWAY_PORTS + protocol] >= count * ports) return NO_PORT;
  if (count === 1) {
    const only = poolAddress(t, gateway, 0);
    return takeOn(t, profile, gateway, protocol, only, internalPort, remote, remotePort, 0, ports, 0);
  }
  const pairing = profile.paired && subscriber !== 0 ? subscriber * SUBSCRIBER_STRIDE + SUBSCRIBER_PAIRED : 0;
  if (pairing !== 0) {
    const paired = t.subscribers.words[pairing];
    if (paired !== 0) {
      const address = poolAddress(t, gateway, paired - 1);
      return takeOn(t, profile, gateway, protocol, address, internalPort, remote, remotePort, 0, ports, 0);
    }
  }
  let offset = words[at + GATEWAY_CURSOR];
  for (let tried = 0; tried < count; tried++) {
    // (A search may have found out that an address is full.)
    const full = shared
      ? fullTowards(t, (gateway << 2) | protocol, remote, remotePort)
      : t.extrasIfAny(gateway)?.fullAddresses[protocol];
    if (full !== undefined) {
      offset = full.nextFree(offset);
      if (offset < 0) return NO_PORT;
    }
    const address = poolAddress(t, gateway, offset);
    const port = takeOn(t, profile, gateway, protocol, address, internalPort, remote, remotePort, 0, ports, 0);
    if (port >= 0 && pairing !== 0) t.subscribers.words[pairing] = offset + 1;
    offset = offset + 1 === count ? 0 : offset + 1;
    if (port >= 0) {
      words[at + GATEWAY_CURSOR] = offset;
      return port;
    }
  }
  return NO_PORT;
}

/** Gives an external port back; the remote endpoint matters with overloading. */
export function releasePort(
  t: NatTables,
  profile: NatProfile,
  gateway: number,
  protocol: number,
  address: number,
  port: number,
  remote: number,
  remotePort: number,
): void {
  giveBackOn(t, profile, gateway, protocol, address, port, remote, remotePort);
  if (profile.sharing !== 0) giveBackInBlock(t, profile, gateway, protocol, address, port);
}
