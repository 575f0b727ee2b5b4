/**
 * What a balancer is made of, in base units.
 *
 * @module
 */

/** How a balancer finds out that a back end is dead, or alive again. */
export interface HealthOptions {
  /**
   * It opens a TCP connection to every back end this often, ns, and resets it: real packets, so that whatever cuts the
   * back end off is found. Without it, only what it is told (an event) counts.
   */
  intervalNs?: number;
  /** An attempt that has not succeeded after this time has failed, ns; less than the interval. Default half of it. */
  timeoutNs?: number;
  /** Failures in a row after which a back end is down. Default 3. */
  fall?: number;
  /** Successes in a row after which it is up again. Default 2. */
  rise?: number;
  /** What it is told takes so long to be believed, ns: detection without packets. Default 0. */
  detectionNs?: number;
}

/** A back end, or several alike. */
export interface BackendOptions {
  /** `web:80`, `web[3]:80`, `web[0..9]:80`, `10.0.0.5:80`. */
  to: string;
  /** Share of the new flows, a whole number from 0 to 65,535; 0 takes none. Default 1. */
  weight?: number;
}

/** How a balancer's packets get to a back end and back. */
export type BalancerMode = "nat" | "direct-return" | "full-nat";

/** How a balancer chooses a back end for a new flow. */
export type BalancerAlgorithm =
  | "round-robin"
  | "weighted-round-robin"
  | "least-connections"
  | "source-hash"
  | "maglev";

/** One virtual address and port, and who serves it. */
export interface BalancerServiceOptions {
  /** The virtual address; several balancers may have the same (anycast). Default the balancer's own address. */
  address?: string;
  /** The virtual port. */
  port: number;
  /** Default `tcp`. */
  protocol?: "tcp" | "udp";
  /** Back ends, in the order in which algorithms take them. */
  backends: (string | BackendOptions)[];
  /**
   * `nat`: the destination is rewritten, the client's address stays; the back end's answers are sent to the balancer,
   * which is its gateway for them. `direct-return`: nothing is rewritten, back ends have the virtual address themselves
   * (`virtualAddresses`) and answer past the balancer. `full-nat`: the source is rewritten too, to an address and port
   * of the balancer, which is one client to its back ends and can run out of ports. Default `nat`.
   */
  mode?: BalancerMode;
  /** Default `round-robin`. */
  algorithm?: BalancerAlgorithm;
  /**
   * Does it remember which flow went where? Without (`source-hash` and `maglev` alone, not `full-nat`), every packet is
   * hashed anew, and flows break when their share of the hash space changes hands. Default true.
   */
  connectionTable?: boolean;
  /** Entries of Maglev's look-up table, a prime. Default 65,537. */
  maglevTableSize?: number;
  /** What is hashed: the client's address alone, or with ports and protocol. Default `address` for `source-hash`, `flow` for `maglev`. */
  hashOn?: "address" | "flow";
  /** What becomes of flows whose back end is down: no answer, or a reset. Default `silence`. */
  onBackendDown?: "silence" | "reset";
  /** How failures are found. Default: only what it is told. */
  health?: HealthOptions;
}

/** A layer-4 balancer; it forwards like a router what is not for its services. */
export interface BalancerOptions {
  /** How many alike, each with tables of its own. */
  count?: number;
  /** Its own address with prefix length: source of its health checks and, by default, its virtual address. */
  address: string;
  /** An IPv6 address beside it. */
  address6?: string;
  /** What it balances. */
  services: BalancerServiceOptions[];
  /** `full-nat`: source addresses `first` … `first + count - 1` for each. Default: its own address. */
  sources?: { first: string; count: number };
  /** `full-nat`: lowest source port. Default 1,024. */
  portLow?: number;
  /** Highest. Default 65,535. */
  portHigh?: number;
  /** Flows remembered at most. Default unlimited. */
  maxFlows?: number;
  /** How long a flow is remembered before its handshake is through, ns. Default 60 s (IPVS's, as the others). */
  synNs?: number;
  /** While it is established and idle, ns. Default 15 min. */
  establishedNs?: number;
  /** After the first FIN, ns. Default 2 min. */
  finNs?: number;
  /** After a reset, ns. Default 10 s. */
  closedNs?: number;
  /** UDP, ns. Default 5 min. */
  udpNs?: number;
  /** Equal-cost paths, as a router's. */
  ecmp?: "off" | "modulo" | "resilient";
}
