/**
 * What DNS64 (RFC 6147) makes IPv6 addresses of, and what it does not take for one.
 *
 * @module
 */
import type { AddressTable, IpAddress, IpPrefix } from "../base/address.ts";
import { embedIpv4 } from "../base/ipv4_embedded.ts";
import { isGlobal, nat64Prefix } from "../nat/nat64_address.ts";

/** RFC 6147 5.1.7: the most that a made-up address lives, seconds, where the negative answer had no SOA. */
export const SYNTHESIS_TTL = 600;

/** One server's. */
export class Dns64 {
  readonly #addresses: AddressTable;
  readonly #prefix: IpPrefix;
  readonly #wellKnown: boolean;

  /** By a prefix of `parseEmbeddingPrefix`. */
  constructor(addresses: AddressTable, prefix: IpPrefix) {
    this.#addresses = addresses;
    this.#prefix = prefix;
    this.#wellKnown = nat64Prefix(prefix).wellKnown;
  }

  /** Those of a name's IPv6 addresses (ids) that count: RFC 6147 5.1.4 excludes ::ffff:0:0/96, IPv4 in another dress. */
  accepted(ids: number[]): number[] {
    const addresses = this.#addresses;
    return ids.filter((id) =>
      addresses.v6Word(id, 0) !== 0 || addresses.v6Word(id, 1) !== 0 || addresses.v6Word(id, 2) !== 0xffff
    );
  }

  /** Those of its IPv4 addresses (ids) that may be made IPv6 ones: by the well-known prefix global ones (RFC 6052 3.1). */
  embeddable(ids: number[]): number[] {
    return this.#wellKnown ? ids.filter((id) => isGlobal(this.#addresses.word(id))) : ids;
  }

  /** The IPv6 address that an IPv4 one becomes. */
  embed(address: IpAddress): IpAddress {
    return embedIpv4(this.#prefix, address);
  }
}
