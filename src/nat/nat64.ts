/**
 * Stateful NAT64 (RFC 6146): a gateway of IPv4 that IPv6 hosts reach by a prefix. Its sessions are the gateway's: the
 * internal address is an IPv6 one, the remote one IPv4, and what there is beyond a NAT44 is the translation of headers
 * (`nat64_header.ts`) and of the remote address, which is seen inside as part of the prefix (`nat64_address.ts`).
 *
 * @module
 */
import { CONTROL, EXTRA, PACKET } from "../wire/packet.ts";
import { GATEWAY, SESSION_COLD } from "./layout.ts";
import {
  embeddedWord,
  holdEmbedded,
  holdIpv4,
  internEmbedded,
  isEmbedded,
  isGlobal,
  type Nat64Prefix,
} from "./nat64_address.ts";
import { headerToIpv4, headerToIpv6 } from "./nat64_header.ts";
import { isExternalAddress } from "./find.ts";
import { refuse } from "./refusal.ts";
import { holdSynIfUnsolicited } from "./syn_hold.ts";
import type { NatTables } from "./tables.ts";
import { translateOutbound } from "./translate.ts";
import { NAT_VERDICT, type NatVerdict } from "./verdict.ts";

const { SRC, DST, CONTROL: CONTROL_AT, EXTRA: EXTRA_AT, MASK, STRIDE } = PACKET;
const { QUOTED_SRC, QUOTED_DST, STRIDE: EXTRA_STRIDE } = EXTRA;
const { QUOTES } = CONTROL;
const { EXTRAS, STRIDE: GATEWAY_STRIDE } = GATEWAY;
const { REMOTE_INSIDE, STRIDE: COLD_STRIDE } = SESSION_COLD;
const { FORWARD, HAIRPIN, DROP_NO_MAPPING, DROP_UNSUPPORTED } = NAT_VERDICT;

/** A gateway's prefix, if it is a NAT64. */
export function nat64PrefixOf(t: NatTables, gateway: number): Nat64Prefix | undefined {
  return t.extras[t.gateways.words[gateway * GATEWAY_STRIDE + EXTRAS]]?.nat64;
}

/** Does an address (id) stand for an IPv4 one behind this gateway? */
export function isBehindNat64(t: NatTables, gateway: number, address: number): boolean {
  const prefix = nat64PrefixOf(t, gateway);
  return prefix !== undefined && isEmbedded(t.addresses, prefix, address);
}

/** The id of the IPv4 address that an address behind a NAT64 stands for, held once for the caller. */
export function holdEmbeddedIpv4(t: NatTables, gateway: number, address: number): number {
  return holdIpv4(t.addresses, embeddedWord(t.addresses, nat64PrefixOf(t, gateway)!, address));
}

/**
 * An IPv6 packet to an address of the gateway's prefix. `FORWARD`: it is an IPv4 packet now, to be sent on there.
 * `HAIRPIN`: it is an IPv6 packet for another inner host. Otherwise it is refused and counted, and (but for an ICMP
 * error, which no refusal is told about) as it was.
 */
export function translateToIpv4(t: NatTables, gateway: number, packet: number): NatVerdict {
  const prefix = nat64PrefixOf(t, gateway)!;
  const addresses = t.addresses;
  const words = t.packets.rows.words;
  const at = (packet * STRIDE) & MASK;
  const internal = words[at + SRC];
  const inside = words[at + DST];
  const word = embeddedWord(addresses, prefix, inside);
  // RFC 6052 3.1: the well-known prefix MUST NOT stand for non-global addresses.
  if (prefix.wellKnown && !isGlobal(word)) return refuse(t, gateway, DROP_UNSUPPORTED, internal);
  const isError = (words[at + CONTROL_AT] & QUOTES) !== 0;
  const quote = isError ? words[at + EXTRA_AT] * EXTRA_STRIDE : 0;
  const extras = t.packets.extras.words;
  if (isError && !isEmbedded(addresses, prefix, extras[quote + QUOTED_SRC])) {
    return refuse(t, gateway, DROP_UNSUPPORTED, internal);
  }
  const remote = holdIpv4(addresses, word);
  words[at + DST] = remote;
  let quoted = 0;
  if (isError) {
    quoted = holdIpv4(addresses, embeddedWord(addresses, prefix, extras[quote + QUOTED_SRC]));
    extras[quote + QUOTED_SRC] = quoted;
  }
  let verdict = translateOutbound(t, gateway, packet);
  if (verdict === FORWARD) {
    if (!isError) rememberInside(t, inside);
    if (!headerToIpv4(t.packets, packet)) verdict = refuse(t, gateway, DROP_UNSUPPORTED, internal);
  } else if (verdict === HAIRPIN) {
    // What came back is from the gateway's own address, which inside is part of the prefix.
    words[at + SRC] = internEmbedded(addresses, prefix, addresses.word(words[at + SRC]));
    if (isError) {
      extras[quote + QUOTED_DST] = internEmbedded(addresses, prefix, addresses.word(extras[quote + QUOTED_DST]));
    }
  } else {
    words[at + DST] = inside;
    // RFC 5382 REQ-4, RFC 6146 3.5.2.2: an external endpoint of this gateway, and nobody has it.
    if (verdict === DROP_NO_MAPPING && isExternalAddress(t, gateway, remote)) {
      holdSynIfUnsolicited(t, gateway, packet, verdict);
    }
  }
  addresses.release(remote);
  if (quoted !== 0) addresses.release(quoted);
  return verdict;
}

/**
 * What `translateInbound` has handed to an inner host becomes an IPv6 packet if that is an IPv6 host. `FORWARD`, or a
 * refusal of what there is not in IPv6.
 */
export function translateToIpv6(t: NatTables, gateway: number, packet: number): NatVerdict {
  const addresses = t.addresses;
  const words = t.packets.rows.words;
  const at = (packet * STRIDE) & MASK;
  if (!addresses.isIpv6(words[at + DST])) return FORWARD;
  const prefix = nat64PrefixOf(t, gateway)!;
  const source = addresses.word(words[at + SRC]);
  if ((words[at + CONTROL_AT] & QUOTES) === 0) {
    words[at + SRC] = remoteInside(t, prefix, source);
    return headerToIpv6(t.packets, packet) ? FORWARD : refuse(t, gateway, DROP_UNSUPPORTED, words[at + DST]);
  }
  if (!headerToIpv6(t.packets, packet)) return refuse(t, gateway, DROP_UNSUPPORTED, words[at + DST]);
  const extras = t.packets.extras.words;
  const quote = words[at + EXTRA_AT] * EXTRA_STRIDE;
  words[at + SRC] = internEmbedded(addresses, prefix, source);
  extras[quote + QUOTED_DST] = internEmbedded(addresses, prefix, addresses.word(extras[quote + QUOTED_DST]));
  return FORWARD;
}

/** The last packet's session keeps the remote address as it is seen inside, for what comes back. */
function rememberInside(t: NatTables, inside: number): void {
  const at = t.lastSession * COLD_STRIDE + REMOTE_INSIDE;
  if (t.sessionCold[at] !== 0) return;
  t.sessionCold[at] = inside;
  t.addresses.retain(inside);
}

/** The remote address of the last packet's session as it is seen inside: the session holds it until it ends. */
function remoteInside(t: NatTables, prefix: Nat64Prefix, word: number): number {
  const at = t.lastSession * COLD_STRIDE + REMOTE_INSIDE;
  if (t.sessionCold[at] === 0) t.sessionCold[at] = holdEmbedded(t.addresses, prefix, word);
  return t.sessionCold[at];
}
