/**
 * `ping` and `traceroute` as a network declares them, and what they find, in base units.
 *
 * @module
 */

/** How a probe asks. */
export interface ProbeSettings {
  /** `ping`: echo requests. Default 4. `traceroute`: requests for each hop. Default 3. At most 10,000. */
  count?: number;
  /** `ping`: time between two requests, ns. Default 1 s. */
  intervalNs?: number;
  /** Bytes of data in a request. Default 56 (`traceroute`: 32). */
  bytes?: number;
  /** How long an answer is waited for, ns: `ping` after the last request, default 10 s; `traceroute` default 5 s. */
  timeoutNs?: number;
  /** `ping`: TTL or hop limit. Default the host's. */
  ttl?: number;
  /** `traceroute`: hops at most, 1 to 255. Default 30. */
  mostHops?: number;
  /** Of a destination that has both: default IPv6 if the source has it too (RFC 6724). */
  family?: "ipv4" | "ipv6";
}

/** A probe that is declared. */
export interface ProbeOptions extends ProbeSettings {
  /** Unique in the network. */
  name: string;
  /** What it does. */
  kind: "ping" | "traceroute";
  /** The host that asks: `server`, `clients[3]`. */
  from: string;
  /** A node, `server`, `clients[3]`, or an address. */
  to: string;
  /** When it begins, ns. Default 0. */
  atNs?: number;
}
