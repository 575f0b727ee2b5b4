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
  /**
   * TCP Fast Open (RFC 7413): the first bytes to write (or a count of them). As much as fits goes with the SYN if the
   * host has a cookie of the server, which the first such connection asks for; the rest follows. The server's profile
   * must grant it: `fastOpen: 0x403` is for every listener. To a name they are written once a connection stands.
   */
  fastOpen?: Uint8Array | string | number;
}
