/**
 * What a run leaves behind about balancers and proxies.
 *
 * @module
 */

/** One back end of a balancer or proxy, over all members of its population. */
export interface BackendReport {
  /** `web[3]:80`. */
  name: string;
  /** Flows (of a proxy: connections) that it got. */
  connections: number;
  /** Open at the end. */
  active: number;
  /** Most open at once, of the fullest member. */
  peak: number;
  /** Established flows that broke, as far as the balancer saw: reset by the back end, or sent to one that is down. */
  broken: number;
  /** Believed to be alive at the end? */
  state: "up" | "down" | "draining";
}

/** A balancer, or a population of them. */
export interface BalancerReport {
  /** The node or population. */
  node: string;
  /** Flows that it got. */
  connections: number;
  /** Flows in its table at the end. */
  flows: number;
  /** Most flows at once, of the fullest member. */
  peakFlows: number;
  /** Of all back ends. */
  broken: number;
  /** New flows refused: by `no-backend`, `no-port`, `table-full`. */
  refused: Record<string, number>;
  /** In the order in which they were declared. */
  backends: BackendReport[];
}

/** A proxy, or a population of them. */
export interface ProxyReport {
  /** The host or population. */
  node: string;
  /** Connections from clients. */
  clients: number;
  /** Requests that came in full. */
  requests: number;
  /** Replies that went back in full. */
  replies: number;
  /** Requests (or, byte by byte, connections) refused for want of a connection to a back end: what HTTP answers with 503. */
  refused: number;
  /** Connections to back ends that were opened. */
  opened: number;
  /** Most connections to back ends at once. */
  peakBackend: number;
  /** Requests that went over a connection that was there already. */
  reused: number;
  /** Bytes from clients to back ends. */
  bytesForth: number;
  /** Bytes from back ends to clients. */
  bytesBack: number;
}
