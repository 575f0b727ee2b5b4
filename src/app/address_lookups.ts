/**
 * All addresses of a name, as getaddrinfo gives them: those of the families that the host itself has (AI_ADDRCONFIG),
 * asked for together, IPv6 first (RFC 6724), each family in the order of its answer. Or as Happy Eyeballs wants them:
 * the preferred family as soon as its answer is there, the other a little later (RFC 8305 section 3).
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import type { StateVisitor } from "../base/state.ts";
import { ERRNO } from "../base/errors.ts";
import type { UdpRuntime } from "../socket/datagram.ts";
import { RowPool } from "../store/rows.ts";
import { DNS_KIND } from "./dns_cache.ts";
import type { DnsLookups, LookupClient, LookupResult } from "./dns_lookups.ts";
import type { App } from "./types.ts";

/** Who asks for addresses. */
export interface AddressClient {
  /**
   * A lookup is over, perhaps before `lookup` has returned. `errno` 0: `list` (of `DnsAnswers`) has at least one address;
   * it is good for the time of the call unless it is retained. `more` (only with `LookupManner.preferred`): there will be
   * a second call, about the other family.
   */
  onAddresses(ticket: number, errno: number, list: number, more: boolean): void;
}

/** How a lookup is made. */
export interface LookupManner {
  /** Addresses of every family that the host has (default), or of one. */
  family?: "any" | "ipv4" | "ipv6";
  /** Happy Eyeballs: the addresses of this family are told at once. Default: all are told together. */
  preferred?: "ipv4" | "ipv6";
  /** How long those of the other family wait for them, ns. */
  resolutionDelayNs?: number;
}

/** Word offsets of a lookup under way. */
const ROW = {
  CLIENT: 0,
  TICKET: 1,
  /** Answers still to come. */
  LEFT: 2,
  /** Lists of addresses that nobody has been told of. */
  IPV4: 3,
  IPV6: 4,
  ERRNO: 5,
  STARTED_US: 6,
  NODE: 7,
  /** `TOGETHER`, or the kind of record that is not waited with. */
  PREFERRED: 8,
  /** How long the other waits, µs, and the timer of that. */
  DELAY_US: 9,
  TIMER: 10,
  /** Have some addresses been told? */
  TOLD: 11,
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

const {
  CLIENT,
  TICKET,
  LEFT,
  IPV4,
  IPV6,
  ERRNO: ERRNO_AT,
  STARTED_US,
  NODE,
  PREFERRED,
  DELAY_US,
  TIMER,
  TOLD,
  MASK,
  STRIDE,
} = ROW;
const { A, AAAA } = DNS_KIND;
const TOGETHER = -1;
const { EAI_NONAME, EAI_NODATA, ECONNABORTED } = ERRNO;

/** See the module's description. */
export class AddressLookups implements App, LookupClient {
  declare readonly lookups: DnsLookups;
  readonly #runtime: UdpRuntime;
  readonly #app: number;
  readonly #client: number;
  readonly #clients: AddressClient[] = [];
  readonly #rows = new RowPool({ strideWords: STRIDE, capacity: 16 });

  /** Asks by way of `lookups`; `app` is its index among the applications. */
  constructor(runtime: UdpRuntime, app: number, lookups: DnsLookups) {
    this.#runtime = runtime;
    this.#app = app;
    this.lookups = lookups;
    this.#client = lookups.addClient(this);
  }

  /** Makes one who asks known: the number for `lookup`. */
  addClient(client: AddressClient): number {
    return this.#clients.push(client) - 1;
  }

  /** Asks for the addresses of a name (its number), as `node` knows them. */
  lookup(node: number, name: number, client: number, ticket: number, manner: LookupManner = {}): void {
    const runtime = this.#runtime;
    const { family = "any", preferred, resolutionDelayNs = 0 } = manner;
    this.lookups.stats.lookups++;
    const row = this.#rows.allocate();
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    const ipv4 = family !== "ipv6" && runtime.addressFor(node, false) !== 0;
    const ipv6 = family !== "ipv4" && runtime.addressFor(node, true) !== 0;
    words[o + CLIENT] = client;
    words[o + TICKET] = ticket;
    words[o + LEFT] = (ipv4 ? 1 : 0) + (ipv6 ? 1 : 0);
    words[o + STARTED_US] = (runtime.nowNs / 1000) | 0;
    words[o + NODE] = node;
    words[o + PREFERRED] = preferred === undefined ? TOGETHER : preferred === "ipv4" ? A : AAAA;
    words[o + DELAY_US] = Math.floor(resolutionDelayNs / 1000);
    if (!ipv4 && !ipv6) {
      words[o + ERRNO_AT] = EAI_NODATA;
      return this.#end(row);
    }
    // RFC 8305 section 3: AAAA first, at once followed by A. (getaddrinfo of glibc begins with A.)
    if (ipv6 && preferred !== undefined) this.#ask(row, node, name, AAAA);
    if (ipv4) this.#ask(row, node, name, A);
    if (ipv6 && preferred === undefined) this.#ask(row, node, name, AAAA);
  }

  /** See {@linkcode LookupClient}. */
  onLookup(row: number, kind: number, result: LookupResult): void {
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    if (result.errno === ECONNABORTED) {
      // The host has restarted: what is known already is of no use to anybody.
      for (const known of [IPV4, IPV6]) if (words[o + known] !== 0) this.lookups.answers.release(words[o + known]);
      words[o + IPV4] = words[o + IPV6] = 0;
      words[o + ERRNO_AT] = ECONNABORTED;
    } else if (result.errno === 0) {
      this.lookups.answers.retain(result.list);
      words[o + (kind === A ? IPV4 : IPV6)] = result.list;
    } else if (words[o + ERRNO_AT] === 0 || worse(result.errno, words[o + ERRNO_AT])) {
      words[o + ERRNO_AT] = result.errno;
    }
    if (--words[o + LEFT] === 0) return this.#end(row);
    if (words[o + PREFERRED] === TOGETHER || result.errno !== 0) return;
    if (kind === words[o + PREFERRED]) return this.#tell(row, true);
    // RFC 8305 section 3: the resolution delay.
    const dueNs = this.#runtime.nowNs + words[o + DELAY_US] * 1000;
    words[o + TIMER] = this.#runtime.startTimer(words[o + NODE], this.#app, dueNs, 0, row);
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}: the preferred family's answer is not waited for any longer. */
  onTimer(_code: number, _connection: number, row: number): void {
    this.#rows.words[row * STRIDE + TIMER] = 0;
    // Who is told may connect.
    this.#runtime.tcp.syncNow();
    this.#tell(row, true);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#rows.visitState(v);
  }

  #ask(row: number, node: number, name: number, kind: number): void {
    if (this.lookups.resolve(node, name, kind, this.#client, row)) this.onLookup(row, kind, this.lookups.result);
  }

  /** All answers are there. */
  #end(row: number): void {
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    if (words[o + TIMER] !== 0) this.#runtime.stopTimer(words[o + TIMER]);
    if (words[o + IPV4] === 0 && words[o + IPV6] === 0) {
      const [client, ticket, errno] = [words[o + CLIENT], words[o + TICKET], words[o + ERRNO_AT]];
      if (words[o + TOLD] === 0) this.lookups.stats.failed[errno]++;
      this.#rows.release(row);
      return this.#clients[client].onAddresses(ticket, errno, 0, false);
    }
    this.#tell(row, false);
  }

  /** Hands over the addresses that nobody has been told of. */
  #tell(row: number, more: boolean): void {
    const { answers, stats } = this.lookups;
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    const [client, ticket, ipv4, ipv6] = [words[o + CLIENT], words[o + TICKET], words[o + IPV4], words[o + IPV6]];
    if (words[o + TOLD] === 0) {
      stats.answered++;
      stats.lookupUs.push((((this.#runtime.nowNs / 1000) | 0) - words[o + STARTED_US]) >>> 0);
    }
    words[o + TOLD] = 1;
    words[o + IPV4] = words[o + IPV6] = 0;
    if (!more) this.#rows.release(row);
    let list = ipv4 || ipv6;
    if (ipv4 !== 0 && ipv6 !== 0) {
      list = answers.intern([...answers.list(ipv6), ...answers.list(ipv4)]);
      answers.release(ipv4);
      answers.release(ipv6);
    }
    this.#clients[client].onAddresses(ticket, 0, list, more);
    answers.release(list);
  }
}

/** Does `errno` say more than `other` about why there is no address? There is no such name, before no answer, before no data. */
function worse(errno: number, other: number): boolean {
  return other !== EAI_NONAME && (errno === EAI_NONAME || other === EAI_NODATA);
}
