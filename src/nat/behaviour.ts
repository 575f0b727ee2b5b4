/**
 * How a NAT behaves, in the words of RFC 4787, 5382 and 5508: what a scenario sets, and the numbers that the packet
 * path reads. Gateways that behave alike share one profile.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { type NatCarrierOptions, type NatCarrierProfile, resolveCarrier } from "./carrier.ts";
import { choice, port, quota, timeoutMs } from "./checks.ts";

/** RFC 4787's three behaviours, of mapping (section 4.1) and of filtering (section 5). */
export type NatBehaviourName = "endpoint-independent" | "address-dependent" | "address-and-port-dependent";

/** How an external port is chosen (RFC 4787 section 4.2). */
export type NatPortAssignment = "preservation" | "sequential" | "random";

/** How a pool address is chosen (RFC 4787 section 4.1, "IP address pooling"). */
export type NatPooling = "paired" | "arbitrary";

/** Packets of which direction keep a mapping alive (RFC 4787 section 4.3, "mapping refresh"). */
export type NatRefreshDirection = "outbound" | "both" | "inbound";

/** What gateways may have in common. Everything has a default. */
export interface NatProfileOptions extends NatCarrierOptions {
  /** Mapping behaviour. Default `address-and-port-dependent`. */
  mapping?: NatBehaviourName;
  /** Filtering behaviour. Default `address-and-port-dependent`. */
  filtering?: NatBehaviourName;
  /**
   * `preservation` keeps the internal port if it lies in the range and is free, and else searches from a random port;
   * `sequential` takes the next free one; `random` searches upwards from a random one. But for `sequential`, a
   * port below 1,024 gets one below 1,024, and another another, while there are some. Default `preservation`.
   */
  portAssignment?: NatPortAssignment;
  /**
   * `paired`: all sessions of an internal address use one external address while it has any, and are refused when that
   * is full (RFC 4787 REQ-2); `arbitrary`: mappings go to the pool's addresses in turn. Default `paired`.
   */
  pooling?: NatPooling;
  /**
   * One external port serves different remote endpoints at once (RFC 4787 REQ-3 and 5382 REQ-7 forbid it; Linux does
   * it). Needs `address-and-port-dependent` mapping and filtering. Default false.
   */
  overloading?: boolean;
  /** Do inner hosts reach each other by external address (RFC 4787 REQ-9)? Default true. */
  hairpinning?: boolean;
  /** Lowest external port, also the lowest external ICMP query id, 0 to 65,535. Default 1,024. */
  portLow?: number;
  /** Highest external port and query id. Default 65,535. */
  portHigh?: number;
  /** Sessions of one internal address at most (RFC 6888 REQ-4). Default unlimited. */
  quotaSessions?: number;
  /** External ports of one internal address at most, all protocols together (RFC 6888 REQ-4). Default unlimited. */
  quotaPorts?: number;
  /** Timeout of an idle established TCP session, ns. Default 2 h 4 min (RFC 5382 REQ-5). */
  tcpEstablishedNs?: number;
  /** Timeout of an opening or closing TCP session, ns. Default 4 min (RFC 5382 REQ-5). */
  tcpTransitoryNs?: number;
  /** Timeout of an opening TCP session alone, ns (RFC 7857 section 2.1). Default `tcpTransitoryNs`. */
  tcpOpeningNs?: number;
  /** Timeout of a closing TCP session alone, ns (RFC 7857 section 2.1). Default `tcpTransitoryNs`. */
  tcpClosingNs?: number;
  /** Timeout of a UDP session, ns. Default 5 min (RFC 4787 REQ-5 recommends it; not less than 2 min). */
  udpNs?: number;
  /** Timeout of an ICMP query session, ns. Default 60 s (RFC 5508 REQ-2). */
  icmpNs?: number;
  /** Packets of which direction refresh UDP and ICMP sessions (RFC 4787 REQ-6: from inside they MUST). Default `outbound`. */
  refresh?: NatRefreshDirection;
  /**
   * What becomes of an unsolicited SYN from outside (RFC 5382 REQ-4): `icmp` answers it with Port Unreachable after
   * `unsolicitedSynNs`, unless a SYN from inside for the same connection has come; `drop` says nothing. Default `icmp`.
   */
  unsolicitedSyn?: "icmp" | "drop";
  /** How long an unsolicited SYN is held, ns. Default 6 s, the least that RFC 5382 REQ-4 allows. */
  unsolicitedSynNs?: number;
  /** May a TCP segment other than a SYN open a session (Linux's `nf_conntrack_tcp_loose`)? Default false. */
  tcpLoose?: boolean;
}

/** The numbers of {@linkcode NatProfile}'s `mapping` and `filtering`. */
export const BEHAVIOUR = { ENDPOINT_INDEPENDENT: 0, ADDRESS_DEPENDENT: 1, ADDRESS_AND_PORT_DEPENDENT: 2 } as const;

/** The numbers of {@linkcode NatProfile}'s `portAssignment`. */
export const ASSIGNMENT = { PRESERVATION: 0, SEQUENTIAL: 1, RANDOM: 2 } as const;

/** How sessions and external ports relate. */
export const MODE = {
  /** Sessions refer to mapping rows. */
  MAPPED: 0,
  /** Every session is a mapping with a port of its own. */
  EXCLUSIVE: 1,
  /** Every session is a mapping; ports are shared between remote endpoints. */
  OVERLOADED: 2,
} as const;

/** A profile as the packet path reads it. */
export interface NatProfile extends NatCarrierProfile {
  /** Of `MODE`. */
  readonly mode: number;
  /** Of `BEHAVIOUR`. */
  readonly mapping: number;
  /** Of `BEHAVIOUR`. */
  readonly filtering: number;
  /** Of `ASSIGNMENT`. */
  readonly portAssignment: number;
  /** One external address per internal address. */
  readonly paired: boolean;
  /** Hairpinning allowed. */
  readonly hairpinning: boolean;
  /** Lowest external port. */
  readonly portLow: number;
  /** External ports per address and protocol, 1 to 65,536. */
  readonly portCount: number;
  /** How many of them are below 1,024, where they are told apart from others; else 0. */
  readonly portsBelow1024: number;
  /** Sessions per subscriber at most; 0 for no limit. */
  readonly quotaSessions: number;
  /** Ports per subscriber at most; 0 for no limit. */
  readonly quotaPorts: number;
  /** Established TCP timeout, ms. */
  tcpEstablishedMs: number;
  /** Opening TCP timeout, ms. */
  tcpOpeningMs: number;
  /** Closing TCP timeout, ms. */
  tcpClosingMs: number;
  /** UDP timeout, ms. */
  udpMs: number;
  /** ICMP query timeout, ms. */
  icmpMs: number;
  /** Directions that refresh UDP and ICMP: bit 0 from inside, bit 1 from outside. */
  readonly refreshes: number;
  /** How long an unsolicited SYN is held before it is answered, ms; 0 for no answer. */
  unsolicitedSynMs: number;
  /** A segment other than SYN may open a session. */
  readonly tcpLoose: boolean;
  /** Sessions give remote addresses leave to reach their mapping (the permission rows). */
  readonly permissions: boolean;
}

const BEHAVIOURS: Record<NatBehaviourName, number> = {
  "endpoint-independent": BEHAVIOUR.ENDPOINT_INDEPENDENT,
  "address-dependent": BEHAVIOUR.ADDRESS_DEPENDENT,
  "address-and-port-dependent": BEHAVIOUR.ADDRESS_AND_PORT_DEPENDENT,
};
/** Bit 0 from inside, bit 1 from outside. */
const REFRESHES: Record<NatRefreshDirection, number> = { outbound: 1, inbound: 2, both: 3 };
const ASSIGNMENTS: Record<NatPortAssignment, number> = {
  preservation: ASSIGNMENT.PRESERVATION,
  sequential: ASSIGNMENT.SEQUENTIAL,
  random: ASSIGNMENT.RANDOM,
};

/** Checks the options and fills in the defaults. Throws `InputError`, a sentence with the field as `path`. */
export function resolveNatProfile(options: NatProfileOptions): NatProfile {
  const mapping = choice(BEHAVIOURS, options.mapping, "address-and-port-dependent", "mapping");
  const filtering = choice(BEHAVIOURS, options.filtering, "address-and-port-dependent", "filtering");
  const dependent = mapping === BEHAVIOUR.ADDRESS_AND_PORT_DEPENDENT;
  const strict = dependent && filtering === BEHAVIOUR.ADDRESS_AND_PORT_DEPENDENT;
  if (options.overloading && !strict) {
    throw new InputError(
      "A NAT's overloading needs address-and-port-dependent mapping and filtering: " +
        "a port that several sessions share says nothing about who a packet is for.",
      { path: "overloading" },
    );
  }
  const portLow = port(options.portLow ?? 1024, "portLow");
  const portHigh = port(options.portHigh ?? 65_535, "portHigh");
  if (portLow > portHigh) {
    throw new InputError(`A NAT's port range is upside down: ${portLow} to ${portHigh}.`, { path: "portLow" });
  }
  const portCount = portHigh - portLow + 1;
  const portAssignment = choice(ASSIGNMENTS, options.portAssignment, "preservation", "portAssignment");
  const transitoryMs = timeoutMs(options.tcpTransitoryNs, 240_000, "tcpTransitoryNs");
  return {
    ...resolveCarrier(options, portCount),
    mode: !strict ? MODE.MAPPED : options.overloading ? MODE.OVERLOADED : MODE.EXCLUSIVE,
    mapping,
    filtering,
    portAssignment,
    paired: choice({ paired: 1, arbitrary: 0 }, options.pooling, "paired", "pooling") === 1,
    hairpinning: options.hairpinning ?? true,
    portLow,
    portCount,
    portsBelow1024: portLow < 1024 && portHigh >= 1024 && portAssignment !== ASSIGNMENT.SEQUENTIAL ? 1024 - portLow : 0,
    quotaSessions: quota(options.quotaSessions, "quotaSessions"),
    quotaPorts: quota(options.quotaPorts, "quotaPorts"),
    tcpEstablishedMs: timeoutMs(options.tcpEstablishedNs, 7_440_000, "tcpEstablishedNs"),
    tcpOpeningMs: timeoutMs(options.tcpOpeningNs, transitoryMs, "tcpOpeningNs"),
    tcpClosingMs: timeoutMs(options.tcpClosingNs, transitoryMs, "tcpClosingNs"),
    udpMs: timeoutMs(options.udpNs, 300_000, "udpNs"),
    icmpMs: timeoutMs(options.icmpNs, 60_000, "icmpNs"),
    refreshes: choice(REFRESHES, options.refresh, "outbound", "refresh"),
    unsolicitedSynMs: choice({ icmp: 1, drop: 0 }, options.unsolicitedSyn, "icmp", "unsolicitedSyn") === 0
      ? 0
      : timeoutMs(options.unsolicitedSynNs, 6000, "unsolicitedSynNs"),
    tcpLoose: options.tcpLoose ?? false,
    permissions: mapping === BEHAVIOUR.ENDPOINT_INDEPENDENT && filtering === BEHAVIOUR.ADDRESS_DEPENDENT,
  };
}
