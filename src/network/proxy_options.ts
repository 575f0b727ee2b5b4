/**
 * What a proxy is made of, in base units.
 *
 * @module
 */
import type { BackendOptions, BalancerAlgorithm } from "./balancer_options.ts";

/** An application that ends its clients' connections and opens others to back ends, from the host's addresses. */
export interface ProxyOptions {
  /** Port that clients connect to. */
  port: number;
  /** Back ends, in the order in which the algorithm takes them. */
  backends: (string | BackendOptions)[];
  /**
   * `stream`: a connection to a back end for every client, bytes are passed on as they come. `request`: requests and
   * replies of known sizes, over connections that may be used again. Default `request`.
   */
  kind?: "stream" | "request";
  /** How a back end is chosen: for every connection (`stream`) or request. Default `round-robin`. */
  algorithm?: BalancerAlgorithm;
  /** Bytes of a request (`request`). Default: that of the workloads that connect to it, or 100. */
  requestBytes?: number;
  /** Bytes of a reply (`request`). Default: that of the workloads that connect to it, or 1,000. */
  replyBytes?: number;
  /** Bytes of the answer to a request that is refused (HTTP's 503); then the connection is closed. Default 200. */
  refusalBytes?: number;
  /** The host's addresses that it connects from, in turn. Default: its first. */
  sources?: string[];
  /** `request`: are connections to back ends used again? Default false: each serves one request and is closed. */
  keepAlive?: boolean;
  /** `request`, with `keepAlive`: requests at once on one connection. Default 1. */
  multiplex?: number;
  /** `request`: connections to one back end at most; beyond, requests wait. Default unlimited. */
  maxConnections?: number;
  /** `request`: requests that may wait for a connection; beyond, they are refused. Default unlimited with `maxConnections`, else 0. */
  maxWaiting?: number;
  /** Accept-queue length asked for. Default 4,096. */
  backlog?: number;
}
