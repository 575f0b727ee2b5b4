/**
 * What a scenario says about a NAT gateway.
 *
 * @module
 */
import { z } from "zod";
import type { NatTimeoutOptions } from "../nat/nat.ts";
import type { NatOptions } from "../network/options.ts";
import * as f from "./fields.ts";

const BEHAVIOURS = ["endpoint-independent", "address-dependent", "address-and-port-dependent"] as const;

/** RFC 6888 REQ-8. */
const HOLD_DOWN_NS = 120e9;

const holdDownSchema = z.union([
  f.flag,
  f.duration,
  f.fields({
    time: f.duration.optional().describe("How long. Default 120s."),
    ports: f.whole(1, 2 ** 31 - 1).optional().describe(
      "Ports resting at most; beyond that the longest-resting go first. Default unlimited.",
    ),
    tcp: f.flag.optional().describe("Do TCP's ports rest too (RFC 6888 REQ-8 A lets them off)? Default true."),
  }, "a hold-down such as 120s, or { time: 120s, ports: 1000 }"),
], { error: "expected true, a time such as 120s, or { time: 120s, ports: 1000 }" });

const forwardSchema = f.fields({
  tcp: f.port.optional().describe("External TCP port."),
  udp: f.port.optional().describe("External UDP port."),
  address: f.address.optional().describe("External address. Default the first of the pool."),
  to: f.endpoint.describe("Inner address and port."),
}, "a forward such as { tcp: 8080, to: 10.0.0.2:80 }");

/** Timeouts of idle sessions. */
export const timeoutsSchema = f.fields({
  established: f.duration.optional().describe("Established TCP session. Default 2h4m (RFC 5382)."),
  transitory: f.duration.optional().describe("Opening or closing TCP session. Default 4m (RFC 5382)."),
  opening: f.duration.optional().describe("Opening TCP session alone. Default as transitory (RFC 7857)."),
  closing: f.duration.optional().describe("Closing TCP session alone. Default as transitory (RFC 7857)."),
  udp: f.duration.optional().describe("UDP session. Default 5m (RFC 4787)."),
  icmp: f.duration.optional().describe("ICMP query. Default 60s (RFC 5508)."),
  unsolicitedSyn: f.duration.optional().describe(
    "How long an unsolicited SYN from outside is held before it is answered. Default 6s (RFC 5382).",
  ),
}, "timeouts such as { established: 2h4m }");

/** A NAT gateway. */
export const natSchema = f.fields({
  kind: z.literal("nat").describe("A NAT gateway. Links from it lead outside, links to it come from inside."),
  count: f.count,
  address: f.addressInSubnet.describe("Its outer address."),
  pool: z.union([f.addressRange, f.list(f.addressRange, "addresses")], {
    error: "expected addresses such as 203.0.113.0/28, or a list of them",
  }).optional().describe("External addresses, or a list of them. Default: its address alone."),
  address6: f.addressInSubnet.optional().describe("An IPv6 address beside the IPv4 one."),
  ipv6: f.choice(["route", "block"]).optional().describe(
    "What becomes of IPv6: it is routed, untranslated, or does not get across. Default route if it has an address6.",
  ),
  nat64: f.subnet.optional().describe(
    "It is a NAT64 too (RFC 6146): the IPv6 prefix whose addresses stand for IPv4 ones, such as 64:ff9b::/96.",
  ),
  inside: f.address.optional().describe("Its address on the inner side."),
  ports: f.portRange.optional().describe("External ports. Default 1024-65535."),
  mapping: f.choice(BEHAVIOURS).optional().describe(
    "Which destinations share a mapping (RFC 4787 section 4.1). Default address-and-port-dependent.",
  ),
  filtering: f.choice(BEHAVIOURS).optional().describe(
    "Who may send through a mapping (RFC 4787 section 5). Default address-and-port-dependent.",
  ),
  portAssignment: f.choice(["preservation", "sequential", "random"]).optional().describe(
    "How an external port is chosen. Default preservation.",
  ),
  pooling: f.choice(["paired", "arbitrary"]).optional().describe(
    "paired: a subscriber keeps one external address (RFC 4787 REQ-2). Default paired.",
  ),
  overloading: f.flag.optional().describe(
    "May one external port serve different destinations at once? Needs address-and-port-dependent mapping. Default false.",
  ),
  hairpinning: f.flag.optional().describe("Do inner hosts reach each other by external address? Default true."),
  timeouts: timeoutsSchema.optional().describe("How long idle sessions are kept."),
  quota: f.fields({
    sessions: f.whole(1).optional().describe("Sessions of one inner address at most."),
    ports: f.whole(1).optional().describe("External ports of one inner address at most."),
  }, "a quota such as { sessions: 256 }").optional().describe("What one subscriber may take. Default unlimited."),
  refresh: f.choice(["outbound", "both", "inbound"]).optional().describe(
    "Packets of which direction keep UDP and ICMP sessions alive (RFC 4787 REQ-6). Default outbound.",
  ),
  unsolicitedSyn: f.choice(["icmp", "drop"]).optional().describe(
    "A SYN from outside that nobody waits for: icmp answers with port unreachable after a hold (RFC 5382 REQ-4). Default icmp.",
  ),
  tcpLoose: f.flag.optional().describe(
    "May a TCP segment other than a SYN open a session (nf_conntrack_tcp_loose)? Default false.",
  ),
  blocks: f.fields({
    size: f.whole(1, 65535).describe("Ports of a block, for all protocols."),
    perSubscriber: f.whole(1, 65535).optional().describe("Blocks of one inner address at most. Default 1."),
  }, "blocks such as { size: 512, perSubscriber: 2 }").optional().describe(
    "Ports are given to inner addresses in blocks. Default: all ports are for everybody.",
  ),
  deterministic: f.addressRange.optional().describe(
    "Subscribers whose external address and ports are computed (RFC 7422): 100.64.0.0/22. Not with blocks.",
  ),
  holdDown: holdDownSchema.optional().describe(
    "How long a freed port rests before another may have it: true is 120s (RFC 6888 REQ-8). Default not at all.",
  ),
  sessionRate: z.union([
    f.perSecond,
    f.fields({
      rate: f.perSecond.describe("New sessions of one inner address in a time: 100/s."),
      burst: f.whole(1, 1_000_000).optional().describe("So many at once. Default one second's worth."),
    }, "a rate such as 100/s, or { rate: 100/s, burst: 200 }"),
  ], { error: "expected a rate such as 100/s, or { rate: 100/s, burst: 200 }" }).optional().describe(
    "New sessions of one inner address. Default unlimited.",
  ),
  maxSessions: f.whole(1, 2 ** 31 - 1).optional().describe(
    "Sessions of the whole gateway at most (nf_conntrack_max). Default unlimited.",
  ),
  log: z.union([
    f.choice(["none", "sessions", "blocks"]),
    f.fields({
      events: f.choice(["none", "sessions", "blocks"]).describe("What is logged: its beginning and its end."),
      format: f.choice(["ipfix", "syslog"]).optional().describe(
        "Decides on a record's size. Default ipfix (RFC 8158).",
      ),
      destinations: f.flag.optional().describe("Are destinations logged (RFC 6888 REQ-12: rather not)? Default false."),
    }, "a log such as sessions, or { events: sessions, format: syslog }"),
  ], { error: "expected none, sessions or blocks, or { events: sessions, format: syslog }" }).optional().describe(
    "What the gateway logs; the report counts records and bytes. Default none.",
  ),
  forwards: f.list(forwardSchema, "forwards").optional().describe("Static port forwards."),
  untranslated: f.fields({
    inside: f.subnet.describe("Inner addresses that the outside knows the way to: 100.64.0.0/10."),
    to: f.list(f.subnet, "prefixes").describe("Destinations: [192.0.2.0/24]."),
    ports: f.list(f.port, "ports").optional().describe("Only these TCP and UDP ports of theirs. Default all."),
  }, "destinations such as { inside: 100.64.0.0/10, to: [192.0.2.0/24] }").optional().describe(
    "Destinations for which nothing is translated (RFC 6888 REQ-6). Default none.",
  ),
  onRefusal: f.choice(["drop", "icmp"]).optional().describe(
    "What an inner host is told when its packet is refused: nothing, or ICMP administratively prohibited. Default drop.",
  ),
}, "a NAT gateway");

/** A NAT gateway of a scenario. */
export type ScenarioNat = z.output<typeof natSchema>;

/** A scenario's gateway as `Network.nat` takes it; `undefined` where it says nothing. */
export function natOptions(nat: ScenarioNat): NatOptions {
  const holdDown = nat.holdDown === true
    ? {}
    : typeof nat.holdDown === "number"
    ? { time: nat.holdDown }
    : nat.holdDown;
  const log = typeof nat.log === "string" ? { events: nat.log } : nat.log;
  const rate = typeof nat.sessionRate === "number" ? { rate: nat.sessionRate } : nat.sessionRate;
  const options: NatOptions = {
    count: nat.count,
    address: nat.address,
    pool: nat.pool,
    address6: nat.address6,
    ipv6: nat.ipv6,
    nat64: nat.nat64,
    insideAddress: nat.inside,
    portLow: nat.ports?.low,
    portHigh: nat.ports?.high,
    mapping: nat.mapping,
    filtering: nat.filtering,
    portAssignment: nat.portAssignment,
    pooling: nat.pooling,
    overloading: nat.overloading,
    hairpinning: nat.hairpinning,
    quotaSessions: nat.quota?.sessions,
    quotaPorts: nat.quota?.ports,
    ...natTimeouts(nat.timeouts ?? {}),
    unsolicitedSyn: nat.unsolicitedSyn,
    refresh: nat.refresh,
    tcpLoose: nat.tcpLoose,
    blocks: nat.blocks,
    deterministic: nat.deterministic,
    holdDownNs: holdDown ? holdDown.time ?? HOLD_DOWN_NS : undefined,
    holdDownPorts: holdDown ? holdDown.ports : undefined,
    holdDownTcp: holdDown ? holdDown.tcp : undefined,
    sessionsPerSecond: rate?.rate,
    sessionsBurst: rate && "burst" in rate ? rate.burst : undefined,
    maxSessions: nat.maxSessions,
    log: log?.events,
    logFormat: log && "format" in log ? log.format : undefined,
    logDestinations: log && "destinations" in log ? log.destinations : undefined,
    forwards: nat.forwards?.map((forward) => ({
      protocol: forward.tcp === undefined ? "udp" : "tcp",
      externalPort: forward.tcp ?? forward.udp ?? 0,
      ...(forward.address === undefined ? {} : { externalAddress: forward.address }),
      ...forward.to,
    })),
    untranslated: nat.untranslated,
    onRefusal: nat.onRefusal,
  };
  return options;
}

/** Timeouts as the network takes them. */
export function natTimeouts(timeouts: z.output<typeof timeoutsSchema>): NatTimeoutOptions {
  return {
    tcpEstablishedNs: timeouts.established,
    tcpTransitoryNs: timeouts.transitory,
    tcpOpeningNs: timeouts.opening,
    tcpClosingNs: timeouts.closing,
    udpNs: timeouts.udp,
    icmpNs: timeouts.icmp,
    unsolicitedSynNs: timeouts.unsolicitedSyn,
  };
}
