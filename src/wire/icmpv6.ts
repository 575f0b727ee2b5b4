/**
 * The ICMPv6 header (RFC 4443) and its types and codes. The layout is ICMP's; numbers and checksum differ.
 *
 * @module
 */
import type { WireError } from "./error.ts";
import { decodeIcmp, encodeIcmp, type IcmpHeader } from "./icmp.ts";

/** ICMPv6 types (RFC 4443). */
export const ICMPV6_TYPE = {
  UNREACHABLE: 1,
  PACKET_TOO_BIG: 2,
  TIME_EXCEEDED: 3,
  PARAMETER_PROBLEM: 4,
  ECHO: 128,
  ECHO_REPLY: 129,
} as const;

/** Codes of ICMPv6 "destination unreachable" (RFC 4443 section 3.1). */
export const ICMPV6_UNREACHABLE = {
  NO_ROUTE: 0,
  ADMINISTRATIVELY_PROHIBITED: 1,
  BEYOND_SCOPE: 2,
  ADDRESS: 3,
  PORT: 4,
  POLICY: 5,
  REJECT_ROUTE: 6,
} as const;

/** Whether messages of an ICMPv6 type are errors: types 1 to 4 of those below 128 (RFC 4443 section 2.1). */
export function isIcmpv6Error(type: number): boolean {
  return type >= 1 && type <= 4;
}

/** Writes the header at `at`, its checksum as given, and returns its 8 bytes. Throws `RangeError` if it does not fit. */
export function encodeIcmpv6(header: IcmpHeader, into: Uint8Array, at = 0): number {
  return encodeIcmp(header, into, at);
}

/** The header in the bytes from `at` up to `end`; its checksum is for the caller to verify. */
export function decodeIcmpv6(bytes: Uint8Array, at = 0, end: number = bytes.length): IcmpHeader | WireError {
  return decodeIcmp(bytes, at, end, "icmpv6");
}
