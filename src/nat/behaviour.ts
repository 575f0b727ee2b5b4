/**
 * How a NAT behaves, in the words of RFC 4787, 5382 and 5508: what a scenario sets, and the numbers that the packet
 * path reads. Gateways that behave alike share one profile.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";

/** RFC 4787's three behaviours, of mapping (section 4.1) and of filtering (section 5). */
export type NatBehaviourName = "endpoint-independent" | "address-dependent" | "address-and-port-dependent";

/** How an external port is chosen (RFC 4787 section 4.2). */
export type NatPortAssignment = "preservation" | "sequential" | "random";

/** How a pool address is chosen (RFC 4787 section 4.1, "IP address pooling"). */
export type NatPooling = "paired" | "arbitrary";

/** What gateways may have in common. Everything has a default. */
export interface NatProfileOptions {
  /** Mapping behaviour. Default `address-and-port-dependent`. */
  mapping?: NatBehaviourName;
  /** Filtering behaviour. Default `address-and-port-dependent`. */
  filtering?: NatBehaviourName;
  /**
   * `preservation` keeps the internal port if it lies in the range and is free, and else searches from a random port;
   * `sequential` takes the next free one; `random` searches upwards from a random one. Default `preservation`.
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
  /** Timeout of a UDP session, ns. Default 5 min (RFC 4787 REQ-5 recommends it; not less than 2 min). */
  udpNs?: number;
  /** Timeout of an ICMP query session, ns. Default 60 s (RFC 5508 REQ-2). */
  icmpNs?: number;
  /** Do packets from outside refresh UDP and ICMP sessions (RFC 4787 REQ-6)? Packets from inside always do. Default false. */
  inboundRefresh?: boolean;
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
export interface NatProfile {
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
  /** Sessions per subscriber at most; 0 for no limit. */
  readonly quotaSessions: number;
  /** Ports per subscriber at most; 0 for no limit. */
  readonly quotaPorts: number;
  /** Established TCP timeout, ms. */
  tcpEstablishedMs: number;
  /** Opening or closing TCP timeout, ms. */
  tcpTransitoryMs: number;
  /** UDP timeout, ms. */
  udpMs: number;
  /** ICMP query timeout, ms. */
  icmpMs: number;
  /** Packets from outside refresh UDP and ICMP. */
  readonly inboundRefresh: boolean;
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
const ASSIGNMENTS: Record<NatPortAssignment, number> = {
  preservation: ASSIGNMENT.PRESERVATION,
  sequential: ASSIGNMENT.SEQUENTIAL,
  random: ASSIGNMENT.RANDOM,
};

/** The longest timeout, ms: well within the half of the 32-bit tick circle that comparisons need. */
const LONGEST_MS = 2 ** 30;

/** The field of `options` looked up in `names`, or a sentence that says what is allowed. */
function choice<T extends string>(names: Record<T, number>, value: T | undefined, fallback: T, field: string): number {
  const number = names[value ?? fallback];
  if (number === undefined) {
    throw new InputError(`A NAT's ${field} is one of ${Object.keys(names).join(", ")}, not "${value}".`, {
      path: field,
    });
  }
  return number;
}

/** A timeout in whole ms, rounded up; `ns` between 1 and 2^30 ms. */
export function timeoutMs(ns: number | undefined, fallbackMs: number, field: string): number {
  if (ns === undefined) return fallbackMs;
  const ms = Math.ceil(ns / 1e6);
  if (!(ms >= 1 && ms <= LONGEST_MS)) {
    throw new InputError(`A NAT's ${field} lies between 1 ms and 12 days, not at ${ns} ns.`, { path: field });
  }
  return ms;
}

function port(value: number, field: string): number {
  if (!(Number.isInteger(value) && value >= 0 && value <= 65_535)) {
    throw new InputError(`A NAT's ${field} is a port number from 0 to 65535, not ${value}.`, { path: field });
  }
  return value;
}

function quota(value: number | undefined, field: string): number {
  if (value === undefined || value === Infinity) return 0;
  if (!(Number.isInteger(value) && value >= 1 && value < 2 ** 31)) {
    throw new InputError(`A NAT's ${field} is a whole number of at least 1, not ${value}.`, { path: field });
  }
  return value;
}

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
  return {
    mode: !strict ? MODE.MAPPED : options.overloading ? MODE.OVERLOADED : MODE.EXCLUSIVE,
    mapping,
    filtering,
    portAssignment: choice(ASSIGNMENTS, options.portAssignment, "preservation", "portAssignment"),
    paired: choice({ paired: 1, arbitrary: 0 }, options.pooling, "paired", "pooling") === 1,
    hairpinning: options.hairpinning ?? true,
    portLow,
    portCount: portHigh - portLow + 1,
    quotaSessions: quota(options.quotaSessions, "quotaSessions"),
    quotaPorts: quota(options.quotaPorts, "quotaPorts"),
    tcpEstablishedMs: timeoutMs(options.tcpEstablishedNs, 7_440_000, "tcpEstablishedNs"),
    tcpTransitoryMs: timeoutMs(options.tcpTransitoryNs, 240_000, "tcpTransitoryNs"),
    udpMs: timeoutMs(options.udpNs, 300_000, "udpNs"),
    icmpMs: timeoutMs(options.icmpNs, 60_000, "icmpNs"),
    inboundRefresh: options.inboundRefresh ?? false,
    tcpLoose: options.tcpLoose ?? false,
    permissions: mapping === BEHAVIOUR.ENDPOINT_INDEPENDENT && filtering === BEHAVIOUR.ADDRESS_DEPENDENT,
  };
}
