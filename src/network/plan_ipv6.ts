/**
 * What a declaration says of IPv6 beside IPv4: dual-stacked nodes, and gateways that route what they do not translate.
 *
 * @module
 */
import { type IpAddress, type IpPrefix, networkOf } from "../base/address.ts";
import { parseEmbeddingPrefix } from "../base/ipv4_embedded.ts";
import { isInShare } from "../base/share.ts";
import { located, NetworkError } from "./errors.ts";
import type { NatOptions } from "./options_nat.ts";
import type { Declaration, PlannedPopulation } from "./plan.ts";
import { hostsAddressOf } from "./plan_addresses.ts";

/** Of a population. */
export interface Ipv6Plan {
  /** IPv6 address of member 0, beside its IPv4 one; those of the others follow. */
  address: IpAddress | undefined;
  /** The prefix that it was declared with. */
  prefix: IpPrefix | undefined;
  /** Members with an IPv6 address, of a million. */
  share: number;
  /** NAT: IPv6 is passed on as by a router. */
  routed: boolean;
  /** NAT64: whose addresses stand for IPv4 ones. */
  nat64: IpPrefix | undefined;
}

/** Of IPv4 nodes, and of IPv6 nodes without IPv4. */
export const NO_IPV6: Ipv6Plan = { address: undefined, prefix: undefined, share: 0, routed: false, nat64: undefined };

/** Checks and reads what a declaration says of IPv6. `family` is that of its `address`. Throws `NetworkError`. */
export function planIpv6(declaration: Declaration, family: 4 | 6, subject: string): Ipv6Plan {
  const { options } = declaration;
  const share = declaration.kind === "host" ? declaration.options.ipv6Share : undefined;
  if (share !== undefined && !(share >= 0 && share <= 1)) {
    throw new NetworkError(`${subject}.ipv6Share`, `A share is 0 to 1 (0% to 100%), not ${share}.`);
  }
  if (share !== undefined && options.address6 === undefined) {
    throw new NetworkError(`${subject}.ipv6Share`, "A share of the members with IPv6 needs their address6.");
  }
  const mode = declaration.kind === "nat" ? declaration.options.ipv6 : undefined;
  if (mode !== undefined && mode !== "route" && mode !== "block") {
    throw new NetworkError(`${subject}.ipv6`, `One of route, block, not ${mode}.`);
  }
  if (mode === "route" && family === 6) {
    throw new NetworkError(`${subject}.ipv6`, "A NAT of IPv6 addresses translates IPv6: it does not route it.");
  }
  const nat64 = declaration.kind === "nat" ? planNat64(declaration.options, family, subject) : undefined;
  if (options.address6 === undefined) return { ...NO_IPV6, routed: mode === "route", nat64 };
  const prefix = hostsAddressOf(options.address6, `${subject}.address6`);
  if (prefix.address.family !== 6) {
    throw new NetworkError(`${subject}.address6`, `An address6 is an IPv6 address, not ${options.address6}.`);
  }
  if (family === 6) {
    throw new NetworkError(
      `${subject}.address6`,
      "An address6 stands beside an IPv4 address: a node of IPv6 alone has it as its address.",
    );
  }
  return {
    address: prefix.address,
    prefix,
    share: Math.round((share ?? 1) * 1e6),
    routed: declaration.kind === "nat" && mode !== "block",
    nat64,
  };
}

function planNat64(options: NatOptions, family: 4 | 6, subject: string): IpPrefix | undefined {
  if (options.nat64 === undefined) return undefined;
  if (family === 6) {
    throw new NetworkError(`${subject}.nat64`, "A NAT64 translates to IPv4: its address is an IPv4 address.");
  }
  if ((options.mapping ?? "endpoint-independent") !== "endpoint-independent") {
    // RFC 6146 3.5: a binding is of the IPv6 endpoint, whoever it talks to.
    throw new NetworkError(`${subject}.mapping`, `A NAT64's mapping is endpoint-independent, not ${options.mapping}.`);
  }
  return located(`${subject}.nat64`, () => networkPrefix(parseEmbeddingPrefix(options.nat64!)));
}

/** The prefix with nothing behind its bits. */
function networkPrefix(prefix: IpPrefix): IpPrefix {
  return { address: networkOf(prefix), bits: prefix.bits };
}

/** Has member `i` an IPv6 address beside its IPv4 one? */
export function hasIpv6({ ipv6 }: PlannedPopulation, i: number): boolean {
  return ipv6.address !== undefined && isInShare(i, ipv6.share);
}
