/**
 * What a host says in its SYNs and SYN-ACKs as long as no socket option says otherwise. It follows from the profile, the
 * MTU and the address family alone, which are the same for one connection after the other: so it is worked out once, and
 * a handshake looks it up.
 *
 * @module
 */
import type { Profile } from "../transport/profile.ts";
import { CONTROL, TCP_FLAG } from "../wire/packet.ts";
import { congestionById, congestionId } from "./congestion/types.ts";
import { ECT_0 } from "./ecn_open.ts";
import type { TcpStack } from "./stack.ts";
import { windowShiftFor } from "./window.ts";

const { DONT_FRAGMENT, HAS_MSS, HAS_SACK_PERMITTED, HAS_TIMESTAMPS, HAS_WINDOW_SCALE } = CONTROL;
const { CWR: F_CWR, ECE: F_ECE } = TCP_FLAG;

/** Bytes of the timestamps option, padded. */
const TIMESTAMP_BYTES = 12;
/** Least payload of a full segment: an MTU of 68 less IPv4 and TCP headers and timestamps. */
const LEAST_PAYLOAD = 16;

/** See the module's description. */
export interface Offer {
  /** What it was worked out of. Profiles are frozen: another one is another object. */
  profile: Readonly<Profile> | undefined;
  mtu: number;
  ipv6: boolean;
  /** The MSS that fits the egress interface (RFC 9293 3.7.1 MUST-14, MUST-67, SHLD-5). */
  mss: number;
  /** RCV.WND, and RCV.WND where timestamps are known to be used. */
  window: number;
  stampedWindow: number;
  /** The window shift. */
  shift: number;
  /** `CONTROL` bits: the options that a SYN carries, and DF. */
  control: number;
  /** TTL << 8. */
  ttl: number;
  /** ECN bits of the traffic class, if ECN is asked for or granted. */
  ect: number;
  /** ECE and CWR of a first SYN, or 0. */
  ecn: number;
}

function newOffer(): Offer {
  return {
    profile: undefined,
    mtu: 0,
    ipv6: false,
    mss: 0,
    window: 0,
    stampedWindow: 0,
    shift: 0,
    control: 0,
    ttl: 0,
    ect: 0,
    ecn: 0,
  };
}

/** The last offer of somebody who opens, and of somebody who listens: the two have other profiles, often. */
const OPENER = newOffer();
const LISTENER = newOffer();

/** The offer of an opener with this profile (its host's) and local address. To be read at once: it is kept for the next. */
export function openersOffer(stack: TcpStack, profile: Readonly<Profile>, host: number, local: number): Offer {
  const mtu = stack.hosts.mtuOf(host);
  const ipv6 = stack.addresses.isIpv6(local);
  if (OPENER.profile !== profile || OPENER.mtu !== mtu || OPENER.ipv6 !== ipv6) workOut(OPENER, profile, mtu, ipv6);
  return OPENER;
}

/** As {@linkcode openersOffer}, of a listener. */
export function listenersOffer(stack: TcpStack, profile: Readonly<Profile>, host: number, local: number): Offer {
  const mtu = stack.hosts.mtuOf(host);
  const ipv6 = stack.addresses.isIpv6(local);
  if (LISTENER.profile !== profile || LISTENER.mtu !== mtu || LISTENER.ipv6 !== ipv6) {
    workOut(LISTENER, profile, mtu, ipv6);
  }
  return LISTENER;
}

function workOut(offer: Offer, profile: Readonly<Profile>, mtu: number, ipv6: boolean): void {
  const mss = mssFor(mtu, ipv6);
  const algorithm = congestionId(profile.congestionControl);
  const wantsEcn = algorithm >= 0 && congestionById(algorithm).wantsEcn === true;
  offer.profile = profile;
  offer.mtu = mtu;
  offer.ipv6 = ipv6;
  offer.mss = mss;
  offer.window = wholeSegments(profile.receiveBufferBytes >> 1, mss);
  offer.stampedWindow = wholeSegments(profile.receiveBufferBytes >> 1, mss - TIMESTAMP_BYTES);
  offer.shift = windowShiftFor(Math.max(profile.receiveBufferBytes >> 1, profile.receiveBufferMaxBytes));
  offer.control = HAS_MSS | (profile.pathMtuDiscovery ? DONT_FRAGMENT : 0) |
    (profile.timestamps ? HAS_TIMESTAMPS : 0) | (profile.windowScaling ? HAS_WINDOW_SCALE : 0) |
    (profile.sack ? HAS_SACK_PERMITTED : 0);
  offer.ttl = profile.defaultTtl << 8;
  offer.ect = wantsEcn ? ECT_0 : 0;
  offer.ecn = profile.ecn === "on" || wantsEcn ? F_ECE | F_CWR : 0;
}

/** The MSS that fits an interface with this MTU. */
export function mssFor(mtu: number, ipv6: boolean): number {
  return Math.min(65535, mtu - (ipv6 ? 60 : 40));
}

/** As many whole segments as there is space for (Linux); what is less than one, as it is. */
export function wholeSegments(space: number, mss: number): number {
  return space > mss ? space - space % mss : space;
}

/**
 * The MSS to send with: the peer's (`given`, RFC 9293 3.7.1 MUST-15), not more than the interface takes (`most`), less
 * the options of every segment (MUST-16, RFC 6691).
 */
export function payloadMss(profile: Readonly<Profile>, given: number, most: number, timestamps: boolean): number {
  const least = profile.leastMssBytes;
  const wanted = given < least ? least : given;
  const mss = wanted < most ? wanted : most;
  const payload = timestamps ? mss - TIMESTAMP_BYTES : mss;
  return payload < LEAST_PAYLOAD ? LEAST_PAYLOAD : payload;
}
