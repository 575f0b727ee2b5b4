/**
 * Negotiation of ECN (RFC 3168 6.1.1), as Linux does it. Afterwards `FLAG.ECN` says that data segments are sent with
 * ECT(0), and that ECE and CWR mean something. An algorithm that `wantsEcn` (RFC 8257) asks for it whatever the profile
 * says, and sends ECT(0) on every packet, SYNs and pure ACKs included.
 *
 * @module
 */
import type { Profile } from "../transport/profile.ts";
import { PACKET, TCP_FLAG } from "../wire/packet.ts";
import { congestionById } from "./congestion/types.ts";

const { ECE: F_ECE, CWR: F_CWR, AE: F_AE } = TCP_FLAG;
/** ECT(0) in the traffic class (RFC 3168 5). */
export const ECT_0 = 2;
const ECN_BITS = 3;

/** ECE and CWR of a first SYN, if ECN is to be asked for; 0 if not. `algorithm` is the connection's. */
export function ecnOfSyn(profile: Readonly<Profile>, algorithm: number): number {
  return profile.ecn === "on" || congestionById(algorithm).wantsEcn === true ? F_ECE | F_CWR : 0;
}

/** ECN bits of the traffic class of SYNs and SYN-ACKs. */
export function ectOfHandshake(algorithm: number): number {
  return congestionById(algorithm).wantsEcn === true ? ECT_0 : 0;
}

/**
 * Does a listener grant ECN to this SYN? One that comes with an ECN mark itself (which RFC 3168 6.1.1 forbids) has met a
 * network that plays with marks: not to it, unless it means an extension (RFC 8311 4.3) or the algorithm needs ECN.
 */
export function grantsEcn(profile: Readonly<Profile>, algorithm: number, packets: Int32Array, o: number): boolean {
  const flags = packets[o + PACKET.CONTROL];
  if ((flags & (F_ECE | F_CWR)) !== (F_ECE | F_CWR)) return false;
  if (congestionById(algorithm).wantsEcn === true) return true;
  if (profile.ecn === "off") return false;
  return (packets[o + PACKET.WINDOW_TTL_TOS] & ECN_BITS) === 0 || (flags & F_AE) !== 0;
}

/** Has the SYN-ACK (ECE alone), or the peer's crossing SYN (ECE and CWR), taken up what our SYN asked for? */
export function confirmsEcn(flags: number, synAck: boolean): boolean {
  return (flags & (F_ECE | F_CWR)) === (synAck ? F_ECE : F_ECE | F_CWR);
}
