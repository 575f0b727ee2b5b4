/**
 * The document that a run leaves behind: what `simulate --json` prints and what `expect:` lines look into.
 *
 * @module
 */

import type { BalancerReport, ProxyReport } from "../base/balancer_reports.ts";
import type { LimitName } from "../base/limit_names.ts";
export type { BackendReport, BalancerReport, ProxyReport } from "../base/balancer_reports.ts";
import type { ProbeReport } from "../base/probe_reports.ts";
export { LIMIT_NAMES, type LimitName } from "../base/limit_names.ts";

/** How far one limit was used, at one node (or at the fullest member of a population). */
export interface LimitReport {
  /** Which limit. */
  limit: LimitName;
  /** The node or population. */
  node: string;
  /**
   * Most ever used at once, of the fullest member. For `ports`, those towards the fullest destination: all of them if
   * one was refused, else those in use at the end (TIME_WAIT included).
   */
  used: number;
  /** What there is. An accept queue and a SYN queue hold one more than the backlog, as Linux's. */
  capacity: number;
  /** When it first refused something, s of simulated time; null if never. */
  firstHitSeconds: number | null;
  /** How often it refused, over the whole population. */
  refused: number;
  /** What `used` and `capacity` count, for people: "ports towards 192.0.2.1:443". */
  detail: string;
}

/** How many connections (or answered exchanges, or lookups) a name led to, all together or at one of its addresses. */
export interface TargetReport {
  /** `www.example.com:443`, or an address that it led to: `192.0.2.1:443`. */
  target: string;
  /** The name. */
  name: string;
  /** Addresses that the name led to, or 1. */
  addresses: number;
  /** Connections established. */
  established: number;
  /** Attempts that failed (the next address may have served). */
  failed: number;
  /** Connections established at the address that had the fewest. */
  least: number;
  /** At the one that had the most. */
  most: number;
}

/** A NAT gateway, or a population of them together. */
export interface NatReport {
  /** The node or population. */
  node: string;
  /** Gateways. */
  gateways: number;
  /**
   * Inner addresses that rows are kept for: with a log or a rate all that ever had a session, with quotas, blocks or
   * several pool addresses those that have one; else 0.
   */
  subscribers: number;
  /** Sessions now. */
  sessions: number;
  /** Most sessions at once, of the fullest gateway. */
  sessionsPeak: number;
  /** Sessions ever opened. */
  sessionsOpened: number;
  /** External ports in use, of all protocols (overloading: external tuples). */
  portsInUse: number;
  /** Ports that rest after their use (hold-down). */
  portsHeld: number;
  /** Blocks of ports given now. */
  blocks: number;
  /** Most blocks at once, of the fullest gateway. */
  blocksPeak: number;
  /** Blocks ever given. */
  blocksGiven: number;
  /** Log records. */
  logRecords: number;
  /** Their bytes. */
  logBytes: number;
  /** Log records a subscriber and day at the run's pace: records / subscribers / simulated seconds × 86,400; null without. */
  logRecordsPerSubscriberDay: number | null;
  /** The same in bytes. */
  logBytesPerSubscriberDay: number | null;
  /** SYNs from outside that nobody waited for, held before they are answered (RFC 5382 REQ-4). */
  unsolicitedSyns: number;
  /** Of these, answered with ICMP Port Unreachable. */
  unsolicitedSynsAnswered: number;
  /** Restarts. */
  restarts: number;
  /** Packets refused, by reason. */
  refused: Record<string, number>;
  /** When each reason was first met, s; only reasons that occurred. */
  firstRefusedSeconds: Record<string, number>;
}

/** What became of one workload's connections; over UDP: of its exchanges. */
export interface WorkloadReport {
  /** The workload. */
  name: string;
  /** `server:443`, where all of it goes to one port of one address; else null. */
  destination: string | null;
  /** Calls of connect; exchanges begun. */
  attempted: number;
  /** That reached ESTABLISHED at the opener; exchanges answered in full. */
  established: number;
  /** That did not, by error name. */
  failed: Record<string, number>;
  /** That were established and then broke, by error name. */
  broken: Record<string, number>;
  /** Requests answered in full. */
  repliesCompleted: number;
  /** Most established at the same time. */
  peakConcurrent: number;
  /** Established at the end. */
  open: number;
}

/** One `expect:` line and what came of it. */
export interface ExpectReport {
  /** The line as written. */
  text: string;
  /** The value that it asks for. */
  expected: unknown;
  /** The value that the run has; null where the path leads nowhere. */
  found: unknown;
  /** Did it hold? */
  ok: boolean;
}

/** The whole outcome of a run. */
export interface RunReport {
  /** Version of fourtuple. */
  fourtuple: string;
  /** The scenario's name. */
  scenario: string;
  /** The seed. */
  seed: number;
  /** 64 bits over every packet delivery, 16 hexadecimal digits: equal digests mean equal runs. */
  digest: string;
  /** 64 bits over timer expirations that acted, drops and NAT decisions; for debugging. */
  eventDigest: string;
  /** Why the run ended. */
  ended: "quiescence" | "time" | "until" | "interrupted";
  /** Simulated time at the end, s. */
  simulatedSeconds: number;
  /** Real time taken, s (not part of the run's result). */
  wallSeconds: number;
  /** Connections as their openers saw them. */
  connections: {
    /** Calls of connect. */
    attempted: number;
    /** That reached ESTABLISHED at the opener. */
    established: number;
    /** That did not, by error name. */
    failed: Record<string, number>;
    /** That were established and then broke, by error name. */
    broken: Record<string, number>;
    /** Requests answered in full (request-response workloads). */
    repliesCompleted: number;
    /** Most established at the same time. */
    peakConcurrent: number;
    /** Established at the end. */
    open: number;
    /** Those over IPv4: attempts (with Happy Eyeballs one connection may take several), and what was established. */
    ipv4: { attempts: number; established: number };
    /** Those over IPv6. */
    ipv6: { attempts: number; established: number };
    /** Time from connect to ESTABLISHED, ms; null if none. */
    connectMs: { p50: number | null; p90: number | null; p99: number | null; max: number | null };
  };
  /** The same by workload, in the order of declaration: who was served, and who was cut off. */
  workloads: WorkloadReport[];
  /** Lookups of names, and what DNS servers did. */
  dns: {
    /** Lookups of a name's addresses, by connections to names and by workloads of kind `dns`. */
    lookups: number;
    /** That found an address. */
    answered: number;
    /** That did not, by error name: `EAI_AGAIN`, `EAI_NONAME`, `EAI_NODATA`, or what kept the host from asking. */
    failed: Record<string, number>;
    /** Answers (of one address family each) that resolvers remembered. */
    cacheHits: number;
    /** Questions that resolvers sent, repeated ones included. */
    queries: number;
    /** Questions that no answer came to in time. */
    timeouts: number;
    /** Questions that servers answered. */
    served: number;
    /** Of these, those that a server asked another one about. */
    forwarded: number;
    /** Answers that had no room for all records (TC). */
    truncated: number;
    /** Time of a lookup that found an address, ms; null if none. */
    lookupMs: { p50: number | null; p90: number | null; p99: number | null; max: number | null };
  };
  /** Exchanges of datagrams: workloads over UDP. */
  datagrams: {
    /** Begun. */
    exchanges: number;
    /** Whose every request was answered. */
    answered: number;
    /** That failed, by error name; `ETIMEDOUT` where no answer came in time. */
    failed: Record<string, number>;
    /** Datagrams that workloads and the ports that answer them sent. */
    sent: number;
    /** That reached them. */
    received: number;
    /** Requests that no answer came to in time, repeated ones included. */
    timedOut: number;
    /** From a request that was not repeated to its answer, ms; null if none. */
    replyMs: { p50: number | null; p90: number | null; p99: number | null; max: number | null };
  };
  /** Where names led connections, the names in their order; each name is followed by its addresses. */
  targets: TargetReport[];
  /** NAT gateways, by name. */
  nats: NatReport[];
  /** Balancers, by population. */
  balancers: BalancerReport[];
  /** Proxies, by population. */
  proxies: ProxyReport[];
  /** What `ping`s and `traceroute`s found, in the order of their beginning. */
  probes: ProbeReport[];
  /** Packets. */
  packets: {
    /** Put on a first link by the node that made them. */
    sent: number;
    /** That arrived at the host they were for. */
    delivered: number;
    /** Links crossed, all packets together. */
    hops: number;
    /** Dropped, by reason. */
    dropped: Record<string, number>;
  };
  /** Events processed: deliveries, timers that acted, application events. */
  events: number;
  /** Memory. */
  memory: {
    /** Most resident memory of the process, bytes. */
    peakRssBytes: number;
    /** Bytes of columns in use. */
    columnBytes: number;
    /** What both were estimated to be, before the run. */
    estimatedRssBytes: number;
    estimatedColumnBytes: number;
    /** Column bytes that grow with connections (both ends, tables, NAT, timers) / peak connections. */
    bytesPerConnection: number;
  };
  /** Limits, the first that bound first. */
  limits: LimitReport[];
  /** The `expect:` lines. */
  expect: ExpectReport[];
}
