/**
 * All addresses of a name, as getaddrinfo gives them: those of the families that the host itself has (AI_ADDRCONFIG),
 * asked for together, IPv6 first (RFC 6724), each family in the order of its answer.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { ERRNO } from "../base/errors.ts";
import type { UdpRuntime } from "../socket/datagram.ts";
import { RowPool } from "../store/rows.ts";
import { DNS_KIND } from "./dns_cache.ts";
import type { DnsLookups, LookupClient, LookupResult } from "./dns_lookups.ts";

/** Who asks for addresses. */
export interface AddressClient {
  /**
   * A lookup is over, perhaps before `lookup` has returned. `errno` 0: `list` (of `DnsAnswers`) has at least one address;
   * it is good for the time of the call unless it is retained.
   */
  onAddresses(ticket: number, errno: number, list: number): void;
}

/** Word offsets of a lookup under way. */
const ROW = { CLIENT: 0, TICKET: 1, LEFT: 2, IPV4: 3, IPV6: 4, ERRNO: 5, STARTED_US: 6, STRIDE: 8 } as const;

const { CLIENT, TICKET, LEFT, IPV4, IPV6, ERRNO: ERRNO_AT, STARTED_US, STRIDE } = ROW;
const { A, AAAA } = DNS_KIND;
const { EAI_NONAME, EAI_NODATA } = ERRNO;

/** See the module's description. */
export class AddressLookups implements LookupClient {
  readonly lookups: DnsLookups;
  readonly #runtime: UdpRuntime;
  readonly #client: number;
  readonly #clients: AddressClient[] = [];
  readonly #rows = new RowPool({ strideWords: STRIDE, capacity: 16 });

  /** Asks by way of `lookups`. */
  constructor(runtime: UdpRuntime, lookups: DnsLookups) {
    this.#runtime = runtime;
    this.lookups = lookups;
    this.#client = lookups.addClient(this);
  }

  /** Makes one who asks known: the number for `lookup`. */
  addClient(client: AddressClient): number {
    return this.#clients.push(client) - 1;
  }

  /** Asks for the addresses of a name (its number), as `node` knows them: of every family that it has, or of one. */
  lookup(node: number, name: number, client: number, ticket: number, family: "any" | "ipv4" | "ipv6" = "any"): void {
    const runtime = this.#runtime;
    this.lookups.stats.lookups++;
    const row = this.#rows.allocate();
    const words = this.#rows.words;
    const o = row * STRIDE;
    const ipv4 = family !== "ipv6" && runtime.addressFor(node, false) !== 0;
    const ipv6 = family !== "ipv4" && runtime.addressFor(node, true) !== 0;
    words[o + CLIENT] = client;
    words[o + TICKET] = ticket;
    words[o + LEFT] = (ipv4 ? 1 : 0) + (ipv6 ? 1 : 0);
    words[o + STARTED_US] = (runtime.nowNs / 1000) | 0;
    if (!ipv4 && !ipv6) {
      words[o + ERRNO_AT] = EAI_NODATA;
      return this.#end(row);
    }
    if (ipv4) this.#ask(row, node, name, A);
    if (ipv6) this.#ask(row, node, name, AAAA);
  }

  /** See {@linkcode LookupClient}. */
  onLookup(row: number, kind: number, result: LookupResult): void {
    const words = this.#rows.words;
    const o = row * STRIDE;
    if (result.errno === 0) {
      this.lookups.answers.retain(result.list);
      words[o + (kind === A ? IPV4 : IPV6)] = result.list;
    } else if (words[o + ERRNO_AT] === 0 || worse(result.errno, words[o + ERRNO_AT])) {
      words[o + ERRNO_AT] = result.errno;
    }
    if (--words[o + LEFT] === 0) this.#end(row);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#rows.visitState(v);
  }

  #ask(row: number, node: number, name: number, kind: number): void {
    if (this.lookups.resolve(node, name, kind, this.#client, row)) this.onLookup(row, kind, this.lookups.result);
  }

  #end(row: number): void {
    const { answers, stats } = this.lookups;
    const words = this.#rows.words;
    const o = row * STRIDE;
    const [client, ticket, ipv4, ipv6] = [words[o + CLIENT], words[o + TICKET], words[o + IPV4], words[o + IPV6]];
    const errno = words[o + ERRNO_AT];
    const startedUs = words[o + STARTED_US];
    this.#rows.release(row);
    if (ipv4 === 0 && ipv6 === 0) {
      stats.failed[errno]++;
      return this.#clients[client].onAddresses(ticket, errno, 0);
    }
    stats.answered++;
    stats.lookupUs.push((((this.#runtime.nowNs / 1000) | 0) - startedUs) >>> 0);
    let list = ipv4 || ipv6;
    if (ipv4 !== 0 && ipv6 !== 0) {
      list = answers.intern([...answers.list(ipv6), ...answers.list(ipv4)]);
      answers.release(ipv4);
      answers.release(ipv6);
    }
    this.#clients[client].onAddresses(ticket, 0, list);
    answers.release(list);
  }
}

/** Does `errno` say more than `other` about why there is no address? There is no such name, before no answer, before no data. */
function worse(errno: number, other: number): boolean {
  return other !== EAI_NONAME && (errno === EAI_NONAME || other === EAI_NODATA);
}
