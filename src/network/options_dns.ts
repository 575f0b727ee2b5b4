/**
 * Options of DNS servers and of hosts that ask them, in base units.
 *
 * @module
 */

/** The addresses of a name, or what it is an alias of. */
export interface DnsRecordOptions {
  /**
   * IPv4 and IPv6 addresses, or hosts by name (`web`, `web[0..9]`): all addresses of each of them. Of each family clients
   * get them in the order that `order` says.
   */
  addresses?: string[];
  /** Another name that this one is an alias of (CNAME), instead of addresses. */
  alias?: string;
  /** How long answers may be remembered, whole seconds in ns. Default the server's. */
  ttlNs?: number;
  /** Default the server's. */
  order?: "rotate" | "random" | "fixed";
}

/** A DNS server on UDP port 53 of every address of its host. */
export interface DnsServerOptions {
  /** What it has to say, by name. A list is `{ addresses }`. */
  records?: Record<string, DnsRecordOptions | string[]>;
  /**
   * The zones that it speaks for: of other names in them it says that they do not exist. Default: what the names lie in,
   * `example.com` of `www.example.com`, and names of two labels themselves.
   */
  zones?: string[];
  /** How long answers may be remembered, whole seconds in ns. Default 300 s. */
  ttlNs?: number;
  /** How long it may be remembered that there is no such name or address (the SOA's minimum). Default 60 s. */
  negativeTtlNs?: number;
  /**
   * In which order the addresses of a name are given: `rotate` begins one further with every answer (round robin),
   * `random` draws an order for every answer, `fixed` is that of the declaration. Default `rotate`.
   */
  order?: "rotate" | "random" | "fixed";
  /** Other questions go to this server (an address, or a host's name), and its answers are remembered. */
  forward?: string;
  /** In which order it gives addresses that it remembers from `forward`. Default `fixed`: as it got them. */
  forwardOrder?: "rotate" | "random" | "fixed";
  /** DNS64 (RFC 6147): names without IPv6 addresses get some of this prefix (`64:ff9b::/96`), made of their IPv4 ones. */
  dns64?: string;
  /** The longest answer, bytes; what does not fit is cut (TC). Default 1,232. */
  udpBytes?: number;
}

/** How a host asks for addresses. */
export interface ResolverOptions {
  /** Servers, by address or host's name: each is asked when those before it have not answered. */
  servers: string[];
  /** How long to wait for an answer, ns. Default 5 s, as `resolv.conf`. */
  timeoutNs?: number;
  /** How often each server is asked at most. Default 2. */
  attempts?: number;
  /** Are answers remembered for their TTL (as by systemd-resolved or nscd)? Default true; false asks every time. */
  cache?: boolean;
}
