/**
 * What a NAT gateway is declared with.
 *
 * @module
 */
import type { NatCarrierOptions } from "../nat/nat.ts";

/** RFC 4787's three behaviours, of mapping and of filtering. */
export type NatBehaviour = "endpoint-independent" | "address-dependent" | "address-and-port-dependent";

/** A NAT gateway (NAPT), or a population of them. Links in `inside` lead to its inner realm. */
export interface NatOptions extends Omit<NatCarrierOptions, "deterministic"> {
  /** How many alike: a home gateway for each of a million homes. */
  count?: number;
  /** Its outer address with prefix length, also the first of its pool if `pool` is absent. */
  address: string;
  /**
   * External addresses: `count` from `first` on; of a single gateway also several such ranges (RFC 6888 REQ-3). Default:
   * `address` alone.
   */
  pool?: { first: string; count: number } | { first: string; count: number }[];
  /** An IPv6 address beside the IPv4 one. A population takes consecutive ones. */
  address6?: string;
  /**
   * What becomes of IPv6 at a gateway with an IPv4 address: `route` passes it on untranslated as a router does, `block`
   * lets none across. Default `route` if it has an `address6`.
   */
  ipv6?: "route" | "block";
  /**
   * It is a NAT64 too (RFC 6146): an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, such as `64:ff9b::/96`, whose addresses
   * stand for IPv4 ones (RFC 6052). Mapping is endpoint-independent then, as RFC 6146 wants it; so, by default, is filtering.
   */
  nat64?: string;
  /** Its address on the inner side (default gateway of the inner hosts, source of ICMP errors). */
  insideAddress?: string;
  /** Lowest external port. Default 1,024. */
  portLow?: number;
  /** Highest external port. Default 65,535. */
  portHigh?: number;
  /** Default `address-and-port-dependent`. */
  mapping?: NatBehaviour;
  /** Default `address-and-port-dependent`. */
  filtering?: NatBehaviour;
  /** How an external port is chosen. Default `preservation`. */
  portAssignment?: "preservation" | "sequential" | "random";
  /** How a pool address is chosen for a subscriber. Default `paired` (RFC 4787 REQ-2). */
  pooling?: "paired" | "arbitrary";
  /** May one external port serve different destinations at once (only with `address-and-port-dependent` mapping)? Default false. */
  overloading?: boolean;
  /** Do inner hosts reach each other by external address? Default true (RFC 4787 REQ-9). */
  hairpinning?: boolean;
  /** Sessions of one inner address at most. Default unlimited. */
  quotaSessions?: number;
  /** External ports of one inner address at most. Default unlimited. */
  quotaPorts?: number;
  /** Timeout of an established TCP session, ns. Default 2 h 4 min (RFC 5382 REQ-5). */
  tcpEstablishedNs?: number;
  /** Timeout of an opening or closing TCP session, ns. Default 4 min (RFC 5382 REQ-5). */
  tcpTransitoryNs?: number;
  /** Timeout of an opening TCP session alone, ns (RFC 7857 section 2.1). Default `tcpTransitoryNs`. */
  tcpOpeningNs?: number;
  /** Timeout of a closing TCP session alone, ns (RFC 7857 section 2.1). Default `tcpTransitoryNs`. */
  tcpClosingNs?: number;
  /** Timeout of a UDP session, ns. Default 5 min (RFC 4787 REQ-5). */
  udpNs?: number;
  /** Timeout of an ICMP query session, ns. Default 60 s (RFC 5508 REQ-2). */
  icmpNs?: number;
  /** Packets of which direction keep UDP and ICMP sessions alive (RFC 4787 REQ-6). Default `outbound`. */
  refresh?: "outbound" | "both" | "inbound";
  /**
   * What becomes of a SYN from outside that nobody waits for (RFC 5382 REQ-4): `icmp` answers it with Port Unreachable
   * after `unsolicitedSynNs`, unless a SYN from inside for the same connection has gone out; `drop` does not. Default `icmp`.
   */
  unsolicitedSyn?: "icmp" | "drop";
  /** See `unsolicitedSyn`, ns. Default 6 s. */
  unsolicitedSynNs?: number;
  /**
   * May a TCP segment from inside other than a SYN open a session, as flows need that outlive a restart of the gateway
   * (Linux: `nf_conntrack_tcp_loose`)? Default false.
   */
  tcpLoose?: boolean;
  /**
   * RFC 7422: the subscribers are `count` consecutive IPv4 addresses from `first` (of a NAT64, IPv6 ones if it is one), and
   * the external address and ports of each are computed. Not with `blocks`.
   */
  deterministic?: { first: string; count: number };
  /** Static port forwards: external port (of `externalAddress`, default the pool's first) to inner address and port. */
  forwards?: {
    protocol: "tcp" | "udp";
    externalPort: number;
    externalAddress?: string;
    address: string;
    port: number;
  }[];
  /**
   * RFC 6888 REQ-6: nothing is translated between the inner addresses of `inside` and the destinations in the prefixes `to`
   * (only their TCP and UDP `ports`, if there are some). The outer realm knows the way to `inside`, whose addresses must be
   * unique there too. One gateway only, IPv4 only.
   */
  untranslated?: { inside: string; to: string[]; ports?: number[] };
  /** What an inner host is told when its packet is refused: nothing, or ICMP "administratively prohibited". Default `drop`. */
  onRefusal?: "drop" | "icmp";
}
