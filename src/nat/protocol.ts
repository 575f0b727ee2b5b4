/**
 * IP protocol numbers as the NAT's protocol indexes.
 *
 * @module
 */
import { PROTOCOL } from "../wire/packet.ts";
import { NAT_PROTOCOL } from "./layout.ts";

const { TCP, UDP, ICMP, ICMPV6 } = PROTOCOL;
const { TCP: NAT_TCP, UDP: NAT_UDP, ICMP: NAT_ICMP } = NAT_PROTOCOL;

/** The protocol index of an IP protocol number; -1 if a NAPT cannot translate it. */
export function protocolIndex(number: number): number {
  if (number === TCP) return NAT_TCP;
  if (number === UDP) return NAT_UDP;
  return number === ICMP || number === ICMPV6 ? NAT_ICMP : -1;
}

/** Whether an ICMP or ICMPv6 type is an echo request or reply: 8, 0, 128, 129. */
export function isEcho(type: number): boolean {
  return type === 8 || type === 0 || type === 128 || type === 129;
}
