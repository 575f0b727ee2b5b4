/**
 * Which limit bound: each limit of a run in sentences, with the arithmetic that a reader can check.
 *
 * @module
 */
import { formatCount, parseDurationNs } from "../base/units.ts";
import type { LimitName, LimitReport, RunReport } from "./document.ts";
import { bytes, counted, percent, seconds } from "./text.ts";

/** A limit that bound, told. */
export interface LimitStory {
  /** One line: what ran out, where, when. */
  headline: string;
  /** The numbers: used, capacity, where the capacity comes from, what was refused. */
  numbers: string;
  /** Why it is so: what is counted, and who is not affected. */
  why: string;
  /** What would move it. */
  remedy: string;
}

/** What one unit of each limit is, where the report's `detail` does not say. */
const UNITS: Record<LimitName, string> = {
  "ports": "ephemeral ports",
  "nat-pool": "external ports of the pool",
  "nat-quota": "sessions of one inner address",
  "nat-block": "ports in the blocks of one inner address",
  "nat-rate": "new sessions of one inner address at once",
  "nat-table": "sessions in the gateway's table",
  "files": "open files",
  "memory": "socket memory",
  "orphans": "connections without an application",
  "time-wait": "connections in TIME_WAIT",
  "cpu": "CPU time",
  "syn-queue": "places in the SYN queue",
  "accept-queue": "places in the accept queue",
  "link": "bytes of the link's queue",
  "flow-table": "flows of the balancer's table",
  "proxy-pool": "connections of the proxy's pool",
};

/** A port range, as `detail` tells it, and those that readers may know. */
const RANGE = / \(([\d,]+) to ([\d,]+)\)/;
const KNOWN_RANGES = new Map<string, string>([
  ["60,999 - 32,768", "Linux's default range"],
  ["65,535 - 49,152", "the IANA range, default of Windows and macOS"],
  ["65,535 - 1,024", "every unprivileged port"],
]);

/** Limits that refused something, the first that bound first (ties: by name of limit, then node). */
export function boundLimits(report: RunReport): LimitReport[] {
  return report.limits
    .filter((limit) => limit.refused > 0 || limit.firstHitSeconds !== null)
    .sort((a, b) =>
      (a.firstHitSeconds ?? Infinity) - (b.firstHitSeconds ?? Infinity) ||
      (a.limit < b.limit ? -1 : a.limit > b.limit ? 1 : 0) || (a.node < b.node ? -1 : 1)
    );
}

/** Limits that refused nothing but were at least half used, the fullest first. */
export function nearLimits(report: RunReport): LimitReport[] {
  return report.limits
    .filter((limit) => limit.refused === 0 && limit.firstHitSeconds === null)
    .filter((limit) => Number.isFinite(limit.capacity) && limit.used * 2 >= limit.capacity && limit.used > 0)
    .sort((a, b) => b.used / b.capacity - a.used / a.capacity);
}

/** `"28,232 of 28,232 ephemeral ports towards 192.0.2.1:443"`; memory in bytes for people. */
export function usedOfCapacity(limit: LimitReport): string {
  const memory = limit.limit === "memory";
  const write = memory ? bytes : formatCount;
  const unit = memory || limit.detail === "" ? UNITS[limit.limit] : unitOf(limit);
  if (!Number.isFinite(limit.capacity)) return `${write(limit.used)} ${unit} (unlimited)`;
  return `${write(limit.used)} of ${write(limit.capacity)} ${unit}`;
}

/** What is counted, as `detail` says; of ports without what they came to in all (after a semicolon). */
function unitOf(limit: LimitReport): string {
  return limit.limit === "ports" ? limit.detail.split("; ")[0].replace(RANGE, "") : limit.detail;
}

/** One line for a limit that was not reached: how full it was. */
export function roomLeft(limit: LimitReport): string {
  const share = Number.isFinite(limit.capacity) ? ` (${percent(limit.used, limit.capacity)})` : "";
  return `${limit.limit} of ${limit.node}: ${usedOfCapacity(limit)}${share}`;
}

/**
 * Tells a limit that bound. Of `connections`, `attempted` gives the share refused, `peakConcurrent` shows TIME_WAIT at
 * work. `isProxy`: its node is a proxy.
 */
export function explainLimit(
  limit: LimitReport,
  connections: Pick<RunReport["connections"], "attempted" | "peakConcurrent">,
  isProxy: boolean = false,
): LimitStory {
  const { node, refused } = limit;
  const { attempted } = connections;
  const when = limit.firstHitSeconds === null ? "" : ` at ${seconds(limit.firstHitSeconds)}`;
  const share = refused > 0 && attempted > refused ? ` (${percent(refused, attempted)} of all attempts)` : "";
  const count = formatCount(refused);
  const capacity = formatCount(limit.capacity);
  const range = arithmetic(limit);
  const had = `${node} used ${usedOfCapacity(limit)}${range}`;
  switch (limit.limit) {
    case "ports":
      if (limit.detail.includes("UDP")) {
        return {
          headline: `${node} ran out of UDP ports${when}`,
          numbers: `${had}: ${nextOnes(refused, count, "socket", "found no port")}${share}.`,
          why:
            "An ephemeral UDP port belongs to one socket of the host, whatever its destination: what a TCP client may " +
            "do with one port towards many destinations, a UDP client does with one socket for all of them.",
          remedy: "one socket for many destinations, sockets closed sooner, a wider net.ipv4.ip_local_port_range.",
        };
      }
      if (limit.detail.startsWith("source ports")) {
        return {
          headline: `${node} ran out of source ports${when}`,
          numbers: `${had}: ${nextFlows(refused, count, "found no source port and was dropped")}.`,
          why: "To its back ends a full-nat balancer is one client, however many clients it has: each of its source " +
            `addresses has a port once towards each back end's address and port. Every further back end brings ${capacity} more.`,
          remedy:
            "more source addresses on the balancer, more back ends or more ports on them, a wider range of source " +
            "ports, flows that are forgotten sooner, or a mode that keeps the clients' addresses (nat, direct-return).",
        };
      }
      return {
        headline: `${node} ran out of ports${when}`,
        numbers: `${had}: ${nextOnes(refused, count, "connect()", "failed with EADDRNOTAVAIL")}${share}.`,
        why:
          "A port is counted per (source address, destination address, destination port): the server's port is not " +
          `used up, and another client, or this one towards another address or port, still has all of its ${capacity}.` +
          inTimeWait(limit, connections.peakConcurrent),
        remedy: isProxy
          ? "more source addresses on the proxy, more back ends or more ports on them, a pool of connections that are " +
            "used again (keep-alive), several requests at once on each (multiplexing), or a wider " +
            "net.ipv4.ip_local_port_range."
          : "more source addresses on the client, more destination addresses or ports, a wider " +
            "net.ipv4.ip_local_port_range, or fewer connections kept (reuse them; a TIME_WAIT holds its port too).",
      };
    case "nat-pool":
      return {
        headline: `${node}'s pool of external ports was empty${when}`,
        numbers: `${had}: ${nextFlows(refused, count, "got no mapping and was dropped")}.`,
        why: "Everyone behind the gateway shares the pool: its heaviest users take the ports, and all the others are " +
          "refused with them. Connections that have a mapping go on.",
        remedy:
          "more addresses in the pool, a quota for each inner address, shorter timeouts, mapping that depends on " +
          "the endpoint with overloading (one external port for many destinations), or IPv6, which needs no mapping.",
      };
    case "nat-quota":
      return {
        headline: `an inner address behind ${node} reached its quota${when}`,
        numbers: `${had}: ${nextFlows(refused, count, "of an address at its quota was dropped")}.`,
        why: "The quota holds for each inner address alone: it keeps the pool for the others.",
        remedy: "a higher quota (with a larger pool), or fewer flows at once from one inner address.",
      };
    case "nat-block":
      return {
        headline: `the blocks of an inner address behind ${node} were full${when}`,
        numbers: `${had}: ${nextFlows(refused, count, "found no port in them and was dropped")}.`,
        why: "A subscriber's ports are those of its blocks, however many the others leave unused; ports of closed " +
          "flows come back after the closing timeout and the hold-down.",
        remedy: "more blocks for each subscriber or larger ones (with a larger pool), a shorter hold-down or closing " +
          "timeout, or fewer flows at once from one inner address.",
      };
    case "nat-rate":
      return {
        headline: `an inner address behind ${node} opened sessions faster than it may${when}`,
        numbers: `${had}: ${nextFlows(refused, count, "came too early and was dropped")}.`,
        why:
          "The rate holds for each inner address alone: it keeps the gateway's processor and its log for the others.",
        remedy: "a higher rate or burst, or flows that are opened more slowly.",
      };
    case "nat-table":
      return {
        headline: `${node}'s session table was full${when}`,
        numbers: `${had}: ${nextFlows(refused, count, "found no place and was dropped")}.`,
        why: "Every flow takes a place in the table for as long as its timeout, a port or none: everyone behind the " +
          "gateway shares it.",
        remedy: "a larger table (net.netfilter.nf_conntrack_max), a quota for each inner address, or shorter timeouts.",
      };
    case "files":
      return {
        headline: `${node} ran out of file descriptors${when}`,
        numbers: `${had}: ${nextOnes(refused, count, "socket", "was refused with EMFILE")}${share}.`,
        why: "Every connection is an open file on each host that holds an end of it; a port number is not used up on " +
          "the listening side, a file is.",
        remedy: "a higher limit of open files (RLIMIT_NOFILE, fs.nr_open), or connections closed sooner.",
      };
    case "memory":
      return {
        headline: `${node} ran out of socket memory${when}`,
        numbers: `${had}${memoryOf(limit)}: ${
          nextOnes(refused, count, "socket or segment", "was refused (ENOBUFS) or dropped")
        }${share}.`,
        why: "Every open connection costs its host memory for the socket and its buffers, port or no port.",
        remedy: "more memory, smaller buffers, or fewer connections at once.",
      };
    case "orphans":
      return {
        headline: `${node} had too many orphans${when}`,
        numbers: `${had}: ${nextOnes(refused, count, "connection", "that was let go of was reset")}.`,
        why:
          "A connection that its application has closed lives on until the peer has everything and has closed too; " +
          "beyond net.ipv4.tcp_max_orphans it is reset instead, and what it had still to send is lost.",
        remedy: "peers that close, a shorter net.ipv4.tcp_orphan_retries or tcp_fin_timeout, or a higher limit.",
      };
    case "time-wait":
      return {
        headline: `${node} had no room in TIME_WAIT${when}`,
        numbers: `${had}: ${nextOnes(refused, count, "connection", "was closed at once")}.`,
        why:
          "Whoever closes first keeps the four-tuple for 60 s; beyond net.ipv4.tcp_max_tw_buckets it does not, and " +
          "an old segment may meet a new connection.",
        remedy: "let the other side close first, keep connections for longer, or a higher limit.",
      };
    case "cpu":
      return {
        headline: `${node}'s CPU was saturated${when}`,
        numbers: `${had}: ${nextOnes(refused, count, "packet", "found no time to be processed")}.`,
        why:
          "Each packet takes processing time: above that rate the queue for the CPU grows, everything gets slow, and " +
          "what finds it full is dropped.",
        remedy: "more cores or hosts, or less work for each packet and connection.",
      };
    case "syn-queue":
      return {
        headline: `${node}'s SYN queue was full${when}`,
        numbers: `${had}: ${nextOnes(refused, count, "SYN", "was dropped")}.`,
        why:
          "A half-open connection stands in the SYN queue until the handshake's last ACK: for a round trip, or much " +
          "longer where the ACK never comes (a flood). A dropped SYN is sent again after a second, then two, then four.",
        remedy: "a longer backlog (listen(), net.core.somaxconn, net.ipv4.tcp_max_syn_backlog), or SYN cookies.",
      };
    case "accept-queue":
      return {
        headline: `${node}'s accept queue was full${when}`,
        numbers: `${had}: ${nextOnes(refused, count, "connection", "found no place in it")}.`,
        why: "Connections that are through the handshake wait there until the application calls accept(): it accepts " +
          "more slowly than they come.",
        remedy: "an application that accepts faster, or a longer backlog (listen() and net.core.somaxconn) for bursts.",
      };
    case "link":
      return {
        headline: `the queue of link ${node} overflowed${when}`,
        numbers: `${had}: ${nextOnes(refused, count, "packet", "was dropped")}.`,
        why: "More came in than the link's rate lets out; TCP takes the drops as congestion and slows down.",
        remedy: "a faster link, a longer queue (it buys bursts, and costs delay), or fewer senders at once.",
      };
    case "flow-table":
      return {
        headline: `the flow table of ${node} was full${when}`,
        numbers: `${had}: ${nextFlows(refused, count, "found no place in it")}.`,
        why: "A balancer with a connection table keeps a row for every flow until its timeout, open or not: short " +
          "connections and half-open ones fill it too.",
        remedy: "a larger table, shorter timeouts (SYN and FIN above all), direct return with a stateless algorithm " +
          "(maglev or source-hash without a connection table), or several balancers behind ECMP.",
      };
    case "proxy-pool":
      return {
        headline: `the pool of proxy ${node} was in use${when}`,
        numbers: `${had}: ${nextOnes(refused, count, "request", "was refused")}.`,
        why: "A pool opens so many connections to each back end; a request that finds all of them busy waits, if the " +
          "proxy lets so many wait, or else is refused.",
        remedy: "more connections in the pool (maxConnections), more that may wait (maxWaiting), several requests " +
          "over one connection (multiplex), faster or more back ends.",
      };
  }
}

/** What the memory was used for, as the report's `detail` says. */
function memoryOf(limit: LimitReport): string {
  return limit.detail.startsWith("bytes: ") ? ` (${limit.detail.slice(7)})` : "";
}

/** ` (= 60,999 - 32,768 + 1, Linux's default range)` where the capacity is one that people know. */
function arithmetic(limit: LimitReport): string {
  if (limit.limit === "ports") {
    const [, low, high] = RANGE.exec(limit.detail) ?? [];
    const known = KNOWN_RANGES.get(`${high} - ${low}`);
    const inAll = limit.detail.split("; ").slice(1).find((part) => part.includes(" = "));
    return (low === undefined ? "" : ` (${high} - ${low} + 1${known === undefined ? "" : `, ${known}`})`) +
      (inAll === undefined ? "" : `; in all ${inAll}`);
  }
  if (limit.limit === "nat-pool" && !limit.detail.includes("(")) {
    for (const size of [64512, 64511, 65535]) {
      const addresses = limit.capacity / size;
      if (!Number.isInteger(addresses) || addresses < 1) continue;
      return ` (${counted(addresses, "address", "addresses")} x ${formatCount(size)} ports)`;
    }
  }
  return "";
}

/** Where fewer connections were ever open than ports were taken: the rate that TIME_WAIT allows. */
function inTimeWait(limit: LimitReport, peakConcurrent: number): string {
  if (peakConcurrent * 2 > limit.used) return "";
  const given = / TIME_WAIT of (\S+ \S+?)(?:;|$)/.exec(limit.detail)?.[1];
  const time = given ?? "60 s";
  const perSecond = formatCount(Math.round(limit.capacity / (parseDurationNs(time) / 1e9) * 10) / 10);
  return ` Only ${counted(peakConcurrent, "connection")} ${
    peakConcurrent === 1 ? "was" : "were"
  } open at a time: the ` +
    "other ports were held by " +
    `TIME_WAIT, which the side that closes first keeps. ${given === undefined ? "At Linux's 60 s" : `At ${given}`} ` +
    `that allows ${formatCount(limit.capacity)} / ${time} = ${perSecond} connections a second to one destination.`;
}

/** "the next connect() failed …", and how many did in all. */
function nextOnes(refused: number, count: string, noun: string, verb: string): string {
  if (refused === 0) return `not one ${noun} more`;
  if (refused === 1) return `the next ${noun} ${verb}, the only one`;
  return `the next ${noun} ${verb}, ${count} in all`;
}

/** The same of flows that are refused by the packet: who is not told sends its SYN again, and is refused again. */
function nextFlows(refused: number, count: string, verb: string): string {
  if (refused < 2) return nextOnes(refused, count, "new flow", verb);
  return `the next new flow ${verb}; ${count} packets in all (a repeated SYN counts again)`;
}
