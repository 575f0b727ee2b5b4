/**
 * Things that happen at given times, in base units: what `Network.event` takes.
 *
 * @module
 */
import type { NatTimeoutOptions } from "../nat/nat.ts";
import type { Profile } from "../transport/profile.ts";
import type { CpuOptions, LinkOptions } from "./options.ts";

/** What every event has. */
export interface EventBase {
  /** When it happens, ns: before what hosts do at that time by themselves; events of one time in their order. */
  atNs: number;
}

/** How soon routes follow what has happened. */
export interface Convergence {
  /** Routers use other ways so long after it, ns. Default 0: at once. Infinity: never. */
  convergenceNs?: number;
}

/** What of a link can change. */
export type LinkChange = Pick<
  LinkOptions,
  | "rateBps"
  | "delayNs"
  | "mtu"
  | "queueBytes"
  | "queuePackets"
  | "ecnThresholdBytes"
  | "ecnThresholdPackets"
  | "loss"
  | "duplicate"
  | "reorder"
  | "reorderNs"
  | "corrupt"
  | "jitterNs"
>;

/** A link goes down, comes back, or changes. Down, it loses what is on its way. */
export interface LinkEvent extends EventBase, Convergence, LinkChange {
  /** A link. */
  kind: "link";
  /** Its name, `r1--r2`; of a link between populations one or some: `clients--r1[3]`, `clients--r1[0..9]`. */
  link: string;
  /** Which direction: from its first end (`forward`), from its second (`reverse`). Default both. */
  direction?: "both" | "forward" | "reverse";
  /** In service, or out of it. */
  state?: "up" | "down";
  /** What it adds to the cost of a path from now on. */
  cost?: number;
}

/** A node, or members of a population, restart, are switched off, or on. */
export interface NodeEvent extends EventBase, Convergence {
  /** A node. */
  kind: "node";
  /** Which: `server`, `clients`, `clients[3]`, `clients[0..9]`; or several. */
  node: string | string[];
  /**
   * `reboot`: it forgets connections, queues, sessions and caches, without a word to others. `down`: the same, and it
   * neither takes nor sends a packet. `up`: it is there again, listening as before.
   */
  action: "reboot" | "down" | "up";
  /** `reboot` and `down`: it comes up after so long, ns. Default 0 for `reboot`, never for `down`. */
  downForNs?: number;
}

/** A NAT gateway restarts, or gets other timeouts (which sessions have from their next packet on). */
export interface NatEvent extends EventBase {
  /** A NAT gateway. */
  kind: "nat";
  /** Which. */
  node: string | string[];
  /** It forgets all sessions. Packets go on through it. */
  restart?: boolean;
  /** Timeouts, those that change. */
  timeouts?: NatTimeoutOptions;
}

/** A router is given a route by hand, or loses one. */
export interface RouteEvent extends EventBase {
  /** A route. */
  kind: "route";
  /** Where: routers, gateways, balancers, hosts with several links. */
  node: string | string[];
  /** Destination: a prefix, `198.51.100.0/24`, or an address. */
  to: string;
  /** The neighbour that it leads to; `unreachable`; or `automatic`: as it would be without it. */
  via: string;
}

/** A declared port stops listening, or listens again, or gets another backlog. */
export interface ListenerEvent extends EventBase {
  /** A listening port. */
  kind: "listener";
  /** Of which hosts. */
  node: string | string[];
  /** Which. */
  port: number;
  /** Default `tcp`. */
  protocol?: "tcp" | "udp";
  /**
   * `close`: connections that wait to be accepted are reset, new ones refused; those accepted live on. (UDP: datagrams are
   * answered with ICMP port unreachable.) A port whose first event is `open` is closed until then.
   */
  action?: "open" | "close";
  /** TCP: the longest accept queue from now on, as by another `listen`: capped by the profile's `somaxconn`. */
  backlog?: number;
}

/** Budgets of hosts change. What is in use beyond a lower one stays, and nothing is added. */
export interface HostEvent extends EventBase {
  /** Budgets. */
  kind: "host";
  /** Of which hosts. */
  node: string | string[];
  /** Open files (sockets) at most. */
  maxFiles?: number;
  /** Memory for sockets and their buffers, bytes. */
  memoryBytes?: number;
  /** What the work of its processors costs, as far as it changes. What has been begun costs what it did. */
  cpu?: Omit<CpuOptions, "cores">;
}

/** A balancer is told of a back end. */
export interface BackendEvent extends EventBase {
  /** A balancer's back end. */
  kind: "backend";
  /** The balancer. */
  balancer: string;
  /** A back end as declared (`web[3]:80`), a host, or a population. */
  backend: string;
  /** `drain`: it takes no new flows. */
  state: "up" | "down" | "drain";
}

/** A workload stops, or goes on. */
export interface WorkloadEvent extends EventBase {
  /** A workload. */
  kind: "workload";
  /** Its name. */
  workload: string;
  /** `stop`: it opens nothing more. `start`: it goes on where it stopped; if that is its first event, it begins then. */
  action: "start" | "stop";
  /** `stop`: close the connections that are open, too. Default false. */
  close?: boolean;
}

/**
 * Settings of hosts change, as by sysctl: for connections that there are, too, as far as TCP asks while they live. Budgets
 * too: `maxFiles` and `memoryBytes` take the place of the hosts' own.
 */
export interface ProfileEvent extends EventBase {
  /** Settings. */
  kind: "profile";
  /** Of which hosts. */
  node: string | string[];
  /** Those that change. */
  set: Partial<Profile>;
}

/** Something that happens at a given time. */
export type NetworkEvent =
  | LinkEvent
  | NodeEvent
  | NatEvent
  | RouteEvent
  | ListenerEvent
  | BackendEvent
  | WorkloadEvent
  | ProfileEvent
  | HostEvent;
