/**
 * What a socket of code connects to, and how.
 *
 * @module
 */

/** Options of `HostHandle.connect`. */
export interface ConnectOptions {
  /**
   * Where to: a numeric address, a host of the network by its name (`server`, `web[3]`), or a domain name, which the
   * host's resolver looks up. Of several addresses the first to answer is taken.
   */
  address: string;
  /** Destination port, 1 to 65,535. */
  port: number;
  /** Source address: one of the host's. Default its first of the destination's family. */
  localAddress?: string;
  /** Source port, 1 to 65,535. Default an ephemeral one, chosen as the host's profile says (RFC 6056). */
  localPort?: number;
  /** See `Socket.allowHalfOpen`. Default false. */
  allowHalfOpen?: boolean;
  /** To a name: which of its addresses are tried. Default any that the host has an address of the family of. */
  family?: "any" | "ipv4" | "ipv6";
  /** To a name: which family comes first. Default `ipv6`. */
  preferredFamily?: "ipv6" | "ipv4";
  /**
   * To a name: try the next address while the one before is still unanswered (RFC 8305)? Default true, as Node's
   * `autoSelectFamily`; false: when it has failed.
   */
  happyEyeballs?: boolean;
  /** Happy Eyeballs: after so long, ns. Default 250 ms; at least 10 ms. */
  attemptDelayNs?: number;
}
