/**
 * What a network is made of, in base units: the options that `Network` takes and that a scenario file is turned into.
 *
 * @module
 */
export type { NatBehaviour, NatOptions } from "./options_nat.ts";
import type { HoldDistribution } from "../app/holding.ts";
import type { ProxyOptions } from "./proxy_options.ts";
import type { RunReport } from "../report/document.ts";
import type { Profile } from "../transport/profile.ts";
import type { DnsServerOptions, ResolverOptions } from "./options_dns.ts";

/** What a listening port does with the connections that it accepts. */
export interface ServiceOptions {
  /**
   * `respond`: read `requestBytes`, answer `replyBytes`, again and again; `source`: send `bytes` on accept;
   * `sink`: read everything; `echo`: send back what comes; `hold`: say nothing; `schedule`: play the server's part of
   * the schedules that connect. All close when the peer has closed.
   */
  kind: "respond" | "source" | "sink" | "echo" | "hold" | "schedule";
  /** Bytes of one request (`respond`). */
  requestBytes?: number;
  /** Bytes of one reply (`respond`). */
  replyBytes?: number;
  /** Bytes to send (`source`), or to read before `closeAfterNs` begins (`sink`). */
  bytes?: number;
  /** Answers (`respond`) after which `closeAfterNs` begins. Default 1. */
  answersBeforeClose?: number;
  /** The server closes so long after its last answer (or after accepting, where it has none to give). Default: never. */
  closeAfterNs?: number;
}

/** A listening port of a host. */
export interface ListenOptions {
  /** 1 to 65,535. */
  port: number;
  /**
   * Default `tcp`. With `udp` there is no queue, and a `service` is one of `respond` (one datagram of `replyBytes` for
   * each that comes), `echo`, `sink`; by default what the workloads need, `sink` if none does.
   */
  protocol?: "tcp" | "udp";
  /** One of the host's addresses, `0.0.0.0` for all of IPv4, `::` for all of both families; default any. */
  address?: string;
  /** With `::`: IPv6 alone (IPV6_V6ONLY). Default false. */
  ipv6Only?: boolean;
  /** Accept-queue length asked for, capped by the profile's `somaxconn`. Default 4,096. */
  backlog?: number;
  /** The application takes at most one connection from the accept queue in this time, ns. Default 0: at once. */
  acceptIntervalNs?: number;
  /** What it does. Default: what the workloads that connect to it need; `hold` if none does. */
  service?: ServiceOptions;
}

/** A host, or a population of them. */
export interface HostOptions {
  /** How many alike: a population `name[0]`, `name[1]`, …. Without it, one host called `name`. */
  count?: number;
  /**
   * Address with prefix length, `192.0.2.1/24` (without one: /32 or /128). A population takes consecutive addresses
   * from it, one each (or, behind a population of NATs, starting anew behind each NAT).
   */
  address: string;
  /**
   * An IPv6 address beside the IPv4 one, with prefix length: the host is dual-stacked. A population takes consecutive
   * ones; behind a population of NATs they go on, for IPv6 addresses are global.
   */
  address6?: string;
  /** Share of a population's members that have an IPv6 address, 0 to 1, evenly among them. Default 1. */
  ipv6Share?: number;
  /** Further addresses of the host (`count` 1 only), listened on and usable as source addresses. */
  extraAddresses?: string[];
  /**
   * Addresses that other hosts may have too. Anycast: packets go to the nearest host that has it (by cost, then delay; of
   * equals, by flow). Where a balancer serves the address (direct return), it alone is routed to, and its hosts answer.
   */
  virtualAddresses?: string[];
  /** How its transport is set. Default: Linux's settings. */
  profile?: Partial<Profile>;
  /** Listening ports. */
  listen?: ListenOptions[];
  /** A proxy that runs on it. */
  proxy?: ProxyOptions;
  /** A DNS server on it. */
  dns?: DnsServerOptions;
  /** Whom it asks for the addresses of names: a server's address or host's name, or more about it. Default nobody. */
  resolver?: string | ResolverOptions;
  /** Open files (sockets) at most; `EMFILE` after that. Default unlimited. */
  maxFiles?: number;
  /** Memory for sockets, bytes; `ENOBUFS` after that. Default unlimited. */
  memoryBytes?: number;
  /** How fast its processors are. Default: its work takes no time. */
  cpu?: CpuOptions;
}

/** What the work of a host costs, ns, and how much of it may wait. */
export interface CpuOptions {
  /** Cores, which serve one common queue, 1 to 1,024. Default 1. */
  cores?: number;
  /** Of each packet, received or sent. Default 0, as of the others. */
  perPacketNs?: number;
  /** Of each byte of payload, received or sent; may be a fraction. */
  perByteNs?: number;
  /** Of taking a connection from an accept queue. */
  perAcceptNs?: number;
  /** Of opening a connection: each SYN that is sent costs so much more. */
  perConnectNs?: number;
  /** Of an application's work on one request, before it answers. */
  perRequestNs?: number;
  /** Packets that may wait for a core; more are dropped. Default 1,000 (Linux's `net.core.netdev_max_backlog`). */
  queuePackets?: number;
}

/** A router. */
export interface RouterOptions {
  /** How many alike. */
  count?: number;
  /** Source address of its ICMP errors. Default 192.0.0.8, the IPv4 dummy address of RFC 7600. */
  address?: string;
  /** The same of ICMPv6 errors, beside an IPv4 `address`. Default 100:0:0:1::8, RFC 9780's. */
  address6?: string;
  /**
   * Equal-cost paths. Default: paths of one cost and one delay share the flows, as `modulo`. `modulo`: paths of one cost,
   * whatever their delay; flow hash modulo those that are up. `resilient`: the same, but when a path goes away only its
   * own flows move. `off`: one path, the fastest, then the first by name.
   */
  ecmp?: "off" | "modulo" | "resilient";
}

/** A queue that tells senders early, or gives each flow its own. */
export interface QueueDisciplineOptions {
  /**
   * `codel` (RFC 8289; limit 1,000 packets unless told), `fq-codel` (RFC 8290; 10,240 packets), or `red` (Floyd and
   * Jacobson 1993, gentle; 1,000 packets).
   */
  kind: "codel" | "fq-codel" | "red";
  /** Mark packets of ECN-capable transports instead of dropping them early. Default, as `tc`: with fq-codel alone. */
  ecn?: boolean;
  /** Of codel and fq-codel: the delay that a standing queue may have, ns. Default 5 ms. */
  targetNs?: number;
  /** Of codel and fq-codel: how long it may be exceeded before the first drop, ns. Default 100 ms. */
  intervalNs?: number;
  /** Of fq-codel: queues that flows are hashed onto, 1 to 65,536. Default 1,024. */
  flows?: number;
  /** Of fq-codel: bytes that a flow may send in its turn. Default the link's MTU. */
  quantumBytes?: number;
  /** Of red: the average length, in packets or bytes as the limit is, below which nothing is dropped. Default limit / 12. */
  minThreshold?: number;
  /** Of red: the average length at which `maxProbability` of the packets are dropped, of twice which all. Default limit / 4. */
  maxThreshold?: number;
  /** Of red: above 0, at most 1. Default 0.02. */
  maxProbability?: number;
  /** Of red: share that a packet's arrival has in the average, above 0, at most 1. Default 0.002. */
  weight?: number;
}

/** A link between two nodes, or between the members of two populations. */
export interface LinkOptions {
  /** Its name; default `a--b`. Two links between the same nodes need names. */
  name?: string;
  /** Bits per second each way; default unlimited. */
  rateBps?: number;
  /** Propagation delay each way, ns. Default 0. */
  delayNs?: number;
  /** What it adds to the cost of a path, a whole number from 1 to 65,535. Default 1: the cost is the number of hops. */
  cost?: number;
  /** Member i of a population gets `(i * 7919) % delaySpreadSteps * delaySpreadStepNs` more delay. Default none. */
  delaySpreadSteps?: number;
  /** See `delaySpreadSteps`. ns. */
  delaySpreadStepNs?: number;
  /** Largest IP packet, bytes. Default 1,500. */
  mtu?: number;
  /** Bytes waiting for transmission at most; more is dropped. Default unlimited. */
  queueBytes?: number;
  /** Packets waiting for transmission at most. Default unlimited; of a queue with a discipline see there. */
  queuePackets?: number;
  /** How the queue is managed. Default: drop-tail, what finds it full is dropped. An event cannot change it. */
  queueDiscipline?: QueueDisciplineOptions;
  /** With so many bytes waiting, ECN-capable packets that come are marked (RFC 3168, RFC 8257). Default never. */
  ecnThresholdBytes?: number;
  /** With so many packets waiting (the one being sent not included), the same. Default never. */
  ecnThresholdPackets?: number;
  /** Share of packets lost, 0 to 1. */
  loss?: number;
  /** Share of packets sent twice. */
  duplicate?: number;
  /** Share of packets held back by `reorderNs`, so that later ones overtake them. */
  reorder?: number;
  /** How long a reordered packet is held back, ns. Default 1 ms. */
  reorderNs?: number;
  /** Share of packets with one bit flipped. */
  corrupt?: number;
  /** Delay varies evenly between 0 and this much more, ns; packets may overtake each other. */
  jitterNs?: number;
  /** The other direction (b to a), where it differs. */
  reverse?: Omit<LinkOptions, "name" | "reverse">;
  /** Which realm of a NAT gateway the link leads to, where an end is one. Default: `a` is inside when `b` is the NAT. */
  inside?: boolean;
  /** Both ends' addresses must lie in this prefix. */
  subnet?: string;
}

/** When a workload's connections begin. */
export interface ArrivalOptions {
  /** All together, evenly at `perSecond`, or as a Poisson process of that rate. */
  kind: "at-once" | "rate" | "poisson";
  /** Connections per second (`rate`, `poisson`). */
  perSecond?: number;
  /** When the first may begin, ns. Default 0. */
  startNs?: number;
}

/** An exchange of a schedule: bytes out, then bytes back; either may be 0. */
export interface ExchangeOptions {
  /** Bytes that the client sends, up to 2^30. Default 0. */
  requestBytes?: number;
  /** Bytes that the server sends once it has read them, up to 2^30. Default 0. */
  replyBytes?: number;
  /** Pause of the client before it sends, ns. Default 0. */
  thinkNs?: number;
  /** Pause of the server between the request's last byte and the reply, ns. Default 0. */
  workNs?: number;
}

/** A stream of connections from some hosts to others. */
export interface WorkloadOptions {
  /** Unique in the network; names its random substreams. */
  name: string;
  /**
   * `hold`: open and stay; `request-response`: `requests` times `requestBytes` out and `replyBytes` back;
   * `bulk`: `bytes` one way; `torrent`: every source opens connections to many destinations; `dns`: look names up;
   * `syn-flood`: SYNs from made-up addresses, whose answers lead nowhere; `schedule`: connections at given times, each
   * playing the same list of exchanges.
   */
  kind: "hold" | "request-response" | "bulk" | "torrent" | "dns" | "syn-flood" | "schedule";
  /** `schedule`: when connections begin, ns, in order; `connections` of them. */
  atNs?: number[];
  /** `schedule`: the ports that they come from, in the same order; 0, and for those beyond its end: the host's choice. */
  fromPorts?: number[];
  /** `schedule`: what happens on each connection, one after the other. */
  exchanges?: ExchangeOptions[];
  /** `schedule`: is the close a reset? Default false. */
  reset?: boolean;
  /**
   * `schedule`: who closes ends its own direction alone, `holdNs` after its last bytes, and reads on (half-close, RFC
   * 9293 3.6). Default false.
   */
  halfClose?: boolean;
  /**
   * `schedule`: how long the end that closes second is in CLOSE_WAIT, ns: from the FIN, or its own last bytes if they
   * come later. Default 0.
   */
  closeWaitNs?: number;
  /** `syn-flood`: a prefix from which source addresses are made up, `198.18.0.0/15`, or `random` (IPv4). Default `random`. */
  spoof?: string;
  /**
   * `request-response` and `torrent`: over what. With `udp` each connection is an exchange of datagrams: from a socket of
   * its own, or (`torrent`) all exchanges of a source from one socket. Default `tcp`.
   */
  transport?: "tcp" | "udp";
  /** `udp`: how long an answer is waited for, ns. Default 5 s. */
  timeoutNs?: number;
  /** `udp`: how often a request without an answer is repeated. Default 0. */
  retries?: number;
  /** Sources: hosts or populations (`clients`, `clients[3]`, `clients[0..9]`). Connection i comes from the i-th, in turn. */
  from: string[];
  /**
   * Destinations `node:port` (`server:443`, `peers:6881`, `192.0.2.1:443`), or `name:port` (`www.example.com:443`): such a
   * name is looked up by the source's `resolver` first. (`dns`: names without a port.) Connection i
   * goes to the i-th, in turn (`torrent`: see `spread`).
   */
  to: string[];
  /** Connections in all (`dns`: lookups; `syn-flood`: SYNs). */
  connections: number;
  /**
   * Which addresses of a destination are connected to: those of one family, or of `any` (the default) that client and
   * destination both have.
   */
  family?: "any" | "ipv4" | "ipv6";
  /** Of both the family that is taken, or (Happy Eyeballs) tried first. Default `ipv6` (RFC 6724). */
  preferredFamily?: "ipv6" | "ipv4";
  /** The other family is tried too if the preferred one does not answer soon: RFC 8305. Default false. */
  happyEyeballs?: boolean;
  /** Happy Eyeballs: after so long, ns. Default 250 ms; at least 10 ms. */
  attemptDelayNs?: number;
  /**
   * Happy Eyeballs to a name: how long the other family's addresses wait for an answer about the preferred one, ns.
   * Default 50 ms.
   */
  resolutionDelayNs?: number;
  /** Happy Eyeballs: addresses of the preferred family that come before the families take turns, 1 to 8. Default 1. */
  firstAddressFamilyCount?: number;
  /** Default: at once, at time 0. */
  arrivals?: ArrivalOptions;
  /** Bytes of a request. Default 100. */
  requestBytes?: number;
  /** Bytes of a reply. Default 1,000. */
  replyBytes?: number;
  /** Requests on each connection. Default 1. */
  requests?: number;
  /** Pause between a reply and the next request, ns. Default 0. */
  thinkNs?: number;
  /** Distribution of the pauses around `thinkNs` (`pareto` has the shape 1.5). Default `fixed`. */
  thinkDistribution?: HoldDistribution;
  /** Bytes to move (`bulk`; `torrent`: each way). */
  bytes?: number;
  /** `bulk`: which way. Default `upload` (client to server). */
  direction?: "upload" | "download";
  /** How long a connection stays open after its work is done, ns. Default: for ever for `hold`, else 0. */
  holdNs?: number;
  /** Distribution of the holding time around `holdNs`. Default `fixed`. */
  holdDistribution?: HoldDistribution;
  /** `pareto`: how fast the tail falls, above 1 (below 2 the variance is infinite). Default 1.5. */
  holdShape?: number;
  /** Who closes first. `none`: it stays open. Default `client`. */
  close?: "client" | "server" | "both" | "none";
  /** `torrent`: how a source picks destinations. Default `permutation`: each source meets every destination before any twice. */
  spread?: "permutation" | "random";
  /** Keep-alive probes on the clients' connections, every so many ns idle. Default off. */
  keepAliveNs?: number;
}

/** How long a workload's connections stay open after their work, ns: as asked for, or what its kind does. */
export function holdNsOf(options: WorkloadOptions): number {
  return options.holdNs ?? (options.kind === "hold" || options.kind === "torrent" ? Infinity : 0);
}

/**
 * The longest simulated time, ns: 12 days, which is what 31-bit timers of a millisecond's grain hold with room for any
 * timeout. A run that gets there (zero-window probes go on for ever) ends as `time`.
 */
export const LONGEST_RUN_NS: number = 12 * 86_400e9;

/** When a run ends, whichever comes first. */
export interface RunOptions {
  /**
   * Simulated time, ns, at most `LONGEST_RUN_NS` (`RangeError`). Default: until quiescence. Events at this very time
   * still happen.
   */
  untilNs?: number;
  /** Go on past quiescence until `untilNs`: keep-alives and NAT expiry still happen. Default false. */
  pastQuiescence?: boolean;
  /** Asked at the end of every simulated millisecond in which something happened; ends the run when it says true. */
  until?: () => boolean;
  /**
   * The same, asked of the report so far (each part of which is worked out when it is read) and of nothing else: such a run
   * may be in several threads.
   */
  untilReport?: (report: RunReport) => boolean;
  /** Ends the run early, leaving everything readable (Ctrl-C). Asked now and then. */
  interrupted?: () => boolean;
  /**
   * Runs in so many threads at most, if the network can be divided and that saves time: `Simulation.threads` says what has
   * come of it. The first call of `run` decides. The result is the same, but for memory. Default 1.
   */
  workers?: number;
}

/** Simulated time between two looks at `until`: fixed, so that how a run is sliced does not change where it ends. */
export const UNTIL_GRID_NS = 1e6;

/** Until when a run goes, ns. Throws `RangeError`. */
export function untilOf({ untilNs = Infinity }: RunOptions): number {
  if (untilNs !== Infinity && !(Number.isSafeInteger(untilNs) && untilNs >= 0)) {
    throw new RangeError(`A run goes until a whole number of nanoseconds from 0 on, or Infinity, not ${untilNs}.`);
  }
  if (untilNs > LONGEST_RUN_NS && untilNs !== Infinity) {
    throw new RangeError(`A run lasts 12 days of simulated time at most, and untilNs is ${untilNs}.`);
  }
  return untilNs;
}
