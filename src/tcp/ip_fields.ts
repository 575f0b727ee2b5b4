/**
 * What a connection asks of the IP header: traffic class and TTL (RFC 9293 3.9.1.9, 3.9.2), and which addresses a
 * connection may have at all (3.9.1.1, 3.9.2.3).
 *
 * @module
 */
import type { AddressTable } from "../base/address.ts";
import { CONTROL, PACKET } from "../wire/packet.ts";
import { forbidsFragments, pathMtuDiscoveryOf } from "./options_ip.ts";
import { readSetting, writeSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { SETTINGS } from "./state/tcb.ts";

const { TRAFFIC_CLASS: SET_TRAFFIC_CLASS, TTL: SET_TTL } = SETTINGS;
const { CONTROL: P_CONTROL, STRIDE: P_STRIDE, WINDOW_TTL_TOS: P_WINDOW_TTL_TOS } = PACKET;
const { DONT_FRAGMENT: C_DONT_FRAGMENT } = CONTROL;

/** Bits of the traffic class that are not the application's: ECN (RFC 3168 5; Linux masks them too). */
const ECN_MASK = 3;

/** What {@linkcode setTrafficClass} and {@linkcode setTtl} take: a whole number from `least` to 255. */
function checkByte(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least && value <= 255) return;
  throw new RangeError(`A ${name} is a whole number from ${least} to 255, not ${value}.`);
}

/**
 * IP_TOS, IPV6_TCLASS: the traffic class of every segment from now on (RFC 9293 3.9.1.9 MUST-48, SHLD-21). Its upper
 * six bits, the Differentiated Services code point, go to IP as they are (SHLD-22); the lower two are ECN's.
 */
export function setTrafficClass(stack: TcpStack, conn: number, trafficClass: number): void {
  checkByte("traffic class", trafficClass, 0);
  writeSetting(stack, conn, SET_TRAFFIC_CLASS, 1 + trafficClass);
  stack.ipFieldsUsed = true;
}

/** IP_TTL, IPV6_UNICAST_HOPS: the TTL or hop limit of every segment from now on (RFC 9293 3.9.2 MUST-49). */
export function setTtl(stack: TcpStack, conn: number, ttl: number): void {
  checkByte("TTL", ttl, 1);
  writeSetting(stack, conn, SET_TTL, 1 + ttl);
  stack.ipFieldsUsed = true;
}

/** The traffic class that the application asked for, without ECN's bits; 0 if it did not. */
export function trafficClassOf(stack: TcpStack, conn: number): number {
  return Math.max(0, readSetting(stack, conn, SET_TRAFFIC_CLASS) - 1) & ~ECN_MASK;
}

/** The TTL of the connection's segments. */
export function ttlOf(stack: TcpStack, conn: number): number {
  const own = readSetting(stack, conn, SET_TTL);
  return own === 0 ? stack.profileOfConnection(conn).defaultTtl : own - 1;
}

/**
 * Puts the connection's traffic class and TTL into packet `p`, ECN's bits stay; and takes DF away where IP_MTU_DISCOVER
 * does not want it. Only if `stack.ipFieldsUsed`.
 */
export function stampIpFields(stack: TcpStack, conn: number, p: number): void {
  const packets = stack.packets.rows.words;
  const at = p * P_STRIDE + P_WINDOW_TTL_TOS;
  if (!forbidsFragments(pathMtuDiscoveryOf(stack, conn))) {
    packets[p * P_STRIDE + P_CONTROL] &= ~C_DONT_FRAGMENT;
  }
  packets[at] = (packets[at] & (0xffff0000 | ECN_MASK)) | (ttlOf(stack, conn) << 8) | trafficClassOf(stack, conn);
}

/**
 * Can an address be one end of a connection? Not a multicast one, not IPv4's broadcast, not "this network" or the
 * unspecified address (RFC 9293 3.9.1.1 MUST-46, 3.9.2.3 MUST-57, MUST-63; RFC 1122 3.2.1.3, RFC 4291 2.5, 2.7).
 */
export function canConnect(addresses: AddressTable, id: number): boolean {
  if (addresses.isIpv6(id)) {
    const first = addresses.v6Word(id, 0);
    if (first >>> 24 === 0xff) return false;
    return (first | addresses.v6Word(id, 1) | addresses.v6Word(id, 2) | addresses.v6Word(id, 3)) !== 0;
  }
  const word = addresses.word(id);
  const top = word >>> 24;
  return top !== 0 && (top & 0xf0) !== 0xe0 && word !== -1;
}
