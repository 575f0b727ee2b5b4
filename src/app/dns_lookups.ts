/**
 * Asking servers for the addresses of names, and remembering what they said: the stub resolvers of hosts, and the asking
 * half of servers that forward. One object serves all nodes: what is under way is a row, what is known is in one cache.
 *
 * As a `resolv.conf` without further options: every server is asked in turn, each after the timeout of the one before,
 * until each has been asked `attempts` times. Questions go out from a port of their own with a random id, and answers are
 * only taken from whom was asked, with the same id and question (RFC 5452).
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import { type StateVisitor, visitMap } from "../base/state.ts";
import { ERRNO } from "../base/errors.ts";
import { drawWord, type SubstreamKey, substreamKey } from "../base/rng.ts";
import type { UdpRuntime } from "../socket/datagram.ts";
import { RowPool } from "../store/rows.ts";
import { HOST } from "../transport/hosts.ts";
import { UDP_SOCKET } from "../transport/udp.ts";
import { decodeDns, DNS_PORT, DNS_RCODE, DNS_TYPE, type DnsMessage, encodeDns } from "../wire/dns.ts";
import { canonicalName } from "../wire/dns_name.ts";
import { isWireError } from "../wire/error.ts";
import { payloadOf } from "../socket/payload.ts";
import type { DnsAnswers } from "./dns_answers.ts";
import { DNS_KIND, DnsCache } from "./dns_cache.ts";
import type { DnsNames } from "./dns_names.ts";
import type { DnsStats } from "./dns_stats.ts";
import type { App } from "./types.ts";

/** How a node asks. Times in ns. */
export interface LookupSettings {
  /** Address ids of the servers. */
  servers: number[];
  /** How long to wait for an answer. */
  timeoutNs: number;
  /** How often each server is asked at most. */
  attempts: number;
  /** Are answers remembered, and questions that are already asked shared? */
  cache: boolean;
}

/** An alias on the way to an answer. */
// (A type and not an interface: it is a plain value for snapshots.)
export type DnsAlias = {
  /** Number of the name asked for. */
  owner: number;
  /** Number of the name that it stands for. */
  target: number;
  /** Seconds. */
  ttl: number;
};

/** What a lookup came to. It is overwritten by the next one: copy, or retain its list. */
export interface LookupResult {
  /** 0, or why there is no address: `EAI_AGAIN`, `EAI_NONAME`, `EAI_NODATA`, or an error of the socket. */
  errno: number;
  /** The list of addresses in `DnsAnswers`; 0 if there is none. */
  list: number;
  /** Seconds that the addresses (or that there are none) may be remembered. */
  ttl: number;
  /** Number of the name whose addresses they are: the last alias's target. */
  owner: number;
  /** Number of the zone whose SOA says that there are none; 0 without one. */
  zone: number;
  /** The aliases that led there. */
  aliases: DnsAlias[];
}

/** Who asks. */
export interface LookupClient {
  /** A lookup that `resolve` could not answer at once is over. */
  onLookup(ticket: number, kind: number, result: LookupResult): void;
}

/** Word offsets of a question under way. */
const PENDING = {
  NODE: 0,
  /** Number of the name asked for. */
  NAME: 1,
  /** Number of the name now asked about: that or an alias's target. */
  CURRENT: 2,
  KIND: 3,
  SOCKET: 4,
  ID: 5,
  TRIES: 6,
  TIMER: 7,
  /** Who waits: a row, the first of a list. */
  WAITERS: 8,
  LAST_WAITER: 9,
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

const WAITER = { NEXT: 0, CLIENT: 1, TICKET: 2, STRIDE: 4 } as const;

const { NODE, NAME, CURRENT, KIND, SOCKET, ID, TRIES, TIMER, WAITERS, LAST_WAITER, MASK, STRIDE } = PENDING;
const { A, AAAA, CNAME, NO_NAME } = DNS_KIND;
const { EAI_AGAIN, EAI_NONAME, EAI_NODATA } = ERRNO;

/** No more aliases than this are followed. */
const MOST_ALIASES = 16;
/** What we take in one datagram (DNS flag day 2020). */
const UDP_BYTES = 1232;
/** Longer than any run, seconds. */
const LONGEST_TTL = 1_000_000;

/** See the module's description. */
export class DnsLookups implements App {
  /** What the last lookup came to: see `resolve`. */
  readonly result: LookupResult = { errno: 0, list: 0, ttl: 0, owner: 0, zone: 0, aliases: [] };
  declare readonly cache: DnsCache;
  declare readonly answers: DnsAnswers;
  declare readonly names: DnsNames;
  declare readonly stats: DnsStats;
  readonly #runtime: UdpRuntime;
  readonly #app: number;
  readonly #ids: SubstreamKey;
  readonly #settings: { first: number; end: number; settings: LookupSettings }[] = [];
  readonly #pending = new RowPool({ strideWords: STRIDE, capacity: 16 });
  readonly #waiters = new RowPool({ strideWords: WAITER.STRIDE, capacity: 16 });
  readonly #clients: LookupClient[] = [];
  /** Questions under way that others may share, by `node name kind`. */
  readonly #shared = new Map<string, number>();
  /** Aliases already followed of questions under way: few have any. */
  readonly #followed = new Map<number, DnsAlias[]>();

  /** `app` is its index among the applications; `purpose` names its random numbers. */
  constructor(
    options: {
      runtime: UdpRuntime;
      app: number;
      names: DnsNames;
      answers: DnsAnswers;
      stats: DnsStats;
      seed: number;
      purpose: string;
    },
  ) {
    this.#runtime = options.runtime;
    this.#app = options.app;
    this.names = options.names;
    this.answers = options.answers;
    this.stats = options.stats;
    this.cache = new DnsCache(options.answers);
    this.#ids = substreamKey(options.seed, options.purpose, "");
  }

  /** Bytes of caches and of what is under way, at the most. */
  get bytes(): number {
    return this.cache.bytes + this.#pending.peak * STRIDE * 4 + this.#waiters.peak * WAITER.STRIDE * 4;
  }

  /** Says how the nodes from `first` on, `count` of them, ask. */
  configure(first: number, count: number, settings: LookupSettings): void {
    this.#settings.push({ first, end: first + count, settings });
  }

  /** How a node asks; undefined where it has no server to ask. */
  settingsOf(node: number): LookupSettings | undefined {
    for (const { first, end, settings } of this.#settings) if (node >= first && node < end) return settings;
    return undefined;
  }

  /** Makes one who asks known: the number for `resolve`. */
  addClient(client: LookupClient): number {
    return this.#clients.push(client) - 1;
  }

  /**
   * The addresses of a name of one family (`DNS_KIND.A` or `AAAA`) as a node knows them: true if that is in `result` now,
   * false if `client` will be told by `onLookup` with the `ticket`.
   */
  resolve(node: number, name: number, kind: number, client: number, ticket: number): boolean {
    const settings = this.settingsOf(node);
    if (settings === undefined) return this.#is(EAI_AGAIN, 0, name);
    if (settings.cache && this.#fromCache(node, name, kind)) {
      this.stats.cacheHits++;
      return true;
    }
    const key = `${node} ${name} ${kind}`;
    let row = settings.cache ? this.#shared.get(key) ?? 0 : 0;
    if (row === 0) {
      row = this.#ask(node, name, kind, settings);
      if (row < 0) return this.#is(-row, 0, name);
      if (settings.cache) this.#shared.set(key, row);
    }
    this.#wait(row, client, ticket);
    return false;
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}: an answer has not come in time. */
  onTimer(_code: number, _connection: number, row: number): void {
    this.stats.timeouts++;
    this.#pending.words[row * STRIDE + TIMER] = 0;
    this.#tryNext(row);
  }

  /** See {@linkcode App}. */
  onDatagram(socket: number, packet: number): void {
    const row = this.#runtime.udp.rows.words[socket * UDP_SOCKET.STRIDE + UDP_SOCKET.APP_STATE];
    if (packet === 0) {
      const error = this.#runtime.udp.takeError(socket);
      if (error === -ERRNO.ECONNABORTED) {
        this.#is(ERRNO.ECONNABORTED, 0, this.#pending.words[row * STRIDE + CURRENT], this.#followed.get(row));
        return this.#end(row);
      }
      // As with a resolver of glibc: whom ICMP says to be unreachable is not waited for.
      return this.#tryNext(row);
    }
    const message = decodeDns(payloadOf(this.#runtime.packets, packet));
    if (isWireError(message) || !this.#answers(message, row)) return;
    const { rcode } = message;
    if (rcode === DNS_RCODE.NOERROR || rcode === DNS_RCODE.NXDOMAIN) this.#take(row, message);
    else this.#tryNext(row);
  }

  /** See {@linkcode App}. */
  visitState(v: StateVisitor): void {
    this.cache.visitState(v);
    this.#pending.visitState(v);
    this.#waiters.visitState(v);
    visitMap(v, this.#shared);
    visitMap(v, this.#followed);
  }

  /** Fills `result` with a failure. */
  #is(errno: number, ttl: number, owner: number, aliases: DnsAlias[] = [], zone = 0): true {
    this.result.errno = errno;
    this.result.list = 0;
    this.result.ttl = ttl;
    this.result.owner = owner;
    this.result.zone = zone;
    this.result.aliases = aliases;
    return true;
  }

  /** The same, of a negative answer: for how long, the SOA says (RFC 2308 section 5). Without one it is not remembered. */
  #isMissing(errno: number, { authorities }: DnsMessage, owner: number, aliases: DnsAlias[]): void {
    const record = authorities.find(({ type }) => type === DNS_TYPE.SOA);
    if (record === undefined) return void this.#is(errno, 0, owner, aliases);
    const { minimum } = (record.data as { soa: { minimum: number } }).soa;
    this.#is(errno, Math.min(record.ttl, minimum), owner, aliases, this.names.idOf(record.name));
  }

  /** Fills `result` from what the node remembers, if it does. */
  #fromCache(node: number, name: number, kind: number): boolean {
    const nowMs = Math.floor(this.#runtime.nowNs / 1e6);
    const cache = this.cache;
    const aliases: DnsAlias[] = [];
    const left = () => Math.floor((cache.expiresMs - nowMs) / 1000);
    while (aliases.length < MOST_ALIASES) {
      const missing = cache.get(node, name, NO_NAME, nowMs);
      if (missing !== 0) return this.#is(EAI_NONAME, left(), name, aliases, -missing);
      const value = cache.get(node, name, kind, nowMs);
      if (value !== 0) {
        this.#is(value < 0 ? EAI_NODATA : 0, left(), name, aliases, Math.max(0, -value));
        this.result.list = Math.max(0, value);
        return true;
      }
      const target = cache.get(node, name, CNAME, nowMs);
      if (target === 0) return false;
      aliases.push({ owner: name, target, ttl: left() });
      name = target;
    }
    return false;
  }

  /** Sends a first question: the row, or a negative `ERRNO`. */
  #ask(node: number, name: number, kind: number, settings: LookupSettings): number {
    const runtime = this.#runtime;
    const socket = runtime.openDatagram(node, this.#app);
    if (socket < 0) return socket;
    const row = this.#pending.allocate();
    const words = this.#pending.words;
    const o = (row * STRIDE) & MASK;
    words[o + NODE] = node;
    words[o + NAME] = words[o + CURRENT] = name;
    words[o + KIND] = kind;
    words[o + SOCKET] = socket;
    runtime.udp.rows.words[socket * UDP_SOCKET.STRIDE + UDP_SOCKET.APP_STATE] = row;
    const refused = this.#send(row, settings);
    if (refused === 0) return row;
    runtime.closeDatagram(socket);
    this.#pending.release(row);
    return refused;
  }

  /** Asks the server whose turn it is; 0, or the `ERRNO` (negative) of a host without a port to ask from. */
  #send(row: number, settings: LookupSettings): number {
    const runtime = this.#runtime;
    const words = this.#pending.words;
    const o = (row * STRIDE) & MASK;
    const node = words[o + NODE];
    const { servers, timeoutNs } = settings;
    const timer = runtime.startTimer(node, this.#app, runtime.nowNs + timeoutNs, 0, row);
    words[o + TIMER] = timer;
    if (words[o + TRIES] === 0) {
      const hosts = runtime.tcp.hosts.words;
      const { k0, k1 } = this.#ids;
      const [lo, hi] = [hosts[node * HOST.STRIDE + HOST.NAME_LO], hosts[node * HOST.STRIDE + HOST.NAME_HI]];
      words[o + ID] = drawWord(k0 ^ lo, k1 ^ hi, runtime.timerSerial(timer)) & 0xffff;
    }
    const server = servers[words[o + TRIES]++ % servers.length];
    const local = runtime.sourceFor(node, server);
    // Without a way to this one, the next has its turn when the time is over.
    if (local === 0) return 0;
    const port = runtime.connectDatagram(words[o + SOCKET], local, server, DNS_PORT);
    if (port < 0) {
      runtime.stopTimer(timer);
      return port;
    }
    const question = encodeDns({
      id: words[o + ID],
      response: false,
      opcode: 0,
      authoritative: false,
      truncated: false,
      recursionDesired: true,
      recursionAvailable: false,
      rcode: 0,
      questions: [{ name: this.names.textOf(words[o + CURRENT]), type: typeOf(words[o + KIND]) }],
      answers: [],
      authorities: [],
      additionals: [],
      edns: { udpBytes: UDP_BYTES },
    });
    this.stats.queries++;
    runtime.udp.send(words[o + SOCKET], question.length, question);
    return 0;
  }

  #wait(row: number, client: number, ticket: number): void {
    const waiter = this.#waiters.allocate();
    const waiters = this.#waiters.words;
    waiters[waiter * WAITER.STRIDE + WAITER.CLIENT] = client;
    waiters[waiter * WAITER.STRIDE + WAITER.TICKET] = ticket;
    const words = this.#pending.words;
    const last = words[row * STRIDE + LAST_WAITER];
    if (last === 0) words[row * STRIDE + WAITERS] = waiter;
    else waiters[last * WAITER.STRIDE + WAITER.NEXT] = waiter;
    words[row * STRIDE + LAST_WAITER] = waiter;
  }

  /** Is the message the answer to what was asked? */
  #answers(message: DnsMessage, row: number): boolean {
    const words = this.#pending.words;
    const o = (row * STRIDE) & MASK;
    if (!message.response || message.id !== words[o + ID] || message.questions.length !== 1) return false;
    const [{ name, type }] = message.questions;
    return type === typeOf(words[o + KIND]) && canonicalName(name) === this.names.textOf(words[o + CURRENT]);
  }

  /** The next server, or the same one again; after the last attempt it is over. */
  #tryNext(row: number): void {
    const words = this.#pending.words;
    const o = (row * STRIDE) & MASK;
    const settings = this.settingsOf(words[o + NODE])!;
    this.#stopTimer(row);
    if (words[o + TRIES] < settings.attempts * settings.servers.length && this.#send(row, settings) === 0) return;
    this.#is(EAI_AGAIN, 0, words[o + CURRENT], this.#followed.get(row));
    this.#end(row);
  }

  /** An answer, good or bad: follows its aliases to addresses. */
  #take(row: number, message: DnsMessage): void {
    const words = this.#pending.words;
    const o = (row * STRIDE) & MASK;
    const node = words[o + NODE];
    const kind = words[o + KIND];
    const { answers, names } = this;
    const aliases = this.#followed.get(row) ?? [];
    const before = aliases.length;
    let current = words[o + CURRENT];
    for (;;) {
      const text = names.textOf(current);
      const own = message.answers.filter((record) => canonicalName(record.name) === text);
      const addresses = own.filter(({ type }) => type === typeOf(kind));
      if (addresses.length > 0) {
        const ids = addresses.map(({ data }) =>
          this.#runtime.tcp.addresses.intern((data as { address: never }).address)
        );
        this.#is(0, Math.min(...addresses.map(({ ttl }) => ttl)), current, aliases);
        this.result.list = answers.intern(ids);
        break;
      }
      const alias = own.find(({ type }) => type === DNS_TYPE.CNAME);
      if (alias === undefined) {
        if (message.rcode === DNS_RCODE.NXDOMAIN) this.#isMissing(EAI_NONAME, message, current, aliases);
        else if (current !== words[o + CURRENT] && message.authorities.length === 0) {
          // The server knows the alias only: ask for what it stands for.
          return this.#follow(row, current, aliases);
        } else this.#isMissing(EAI_NODATA, message, current, aliases);
        break;
      }
      const target = names.idOf((alias.data as { target: string }).target);
      aliases.push({ owner: current, target, ttl: alias.ttl });
      current = target;
      if (aliases.length > MOST_ALIASES) {
        this.#is(EAI_AGAIN, 0, current, aliases);
        break;
      }
    }
    const { result } = this;
    if (this.settingsOf(node)!.cache && result.errno !== EAI_AGAIN) {
      for (const { owner, target, ttl } of aliases.slice(before)) this.#remember(node, owner, CNAME, ttl, target);
      if (result.errno === EAI_NONAME) this.#remember(node, current, NO_NAME, result.ttl, -result.zone);
      else this.#remember(node, current, kind, result.ttl, result.list || -result.zone);
    }
    this.#end(row);
  }

  #remember(node: number, name: number, kind: number, ttl: number, value: number): void {
    // RFC 1035 3.2.1: what has a TTL of 0 is not remembered.
    if (ttl === 0) return;
    const nowMs = Math.floor(this.#runtime.nowNs / 1e6);
    this.cache.set(node, name, kind, nowMs, nowMs + Math.min(ttl, LONGEST_TTL) * 1000, value);
  }

  #follow(row: number, current: number, aliases: DnsAlias[]): void {
    const words = this.#pending.words;
    const o = (row * STRIDE) & MASK;
    this.#followed.set(row, aliases);
    this.#stopTimer(row);
    words[o + CURRENT] = current;
    words[o + TRIES] = 0;
    if (this.#send(row, this.settingsOf(words[o + NODE])!) === 0) return;
    this.#is(EAI_AGAIN, 0, current, aliases);
    this.#end(row);
  }

  #stopTimer(row: number): void {
    const at = row * STRIDE + TIMER;
    const timer = this.#pending.words[at];
    if (timer === 0) return;
    this.#runtime.stopTimer(timer);
    this.#pending.words[at] = 0;
  }

  /** Tells `result` to all who wait, and lets go of the question. */
  #end(row: number): void {
    const o = (row * STRIDE) & MASK;
    let words = this.#pending.words;
    const [node, name, kind] = [words[o + NODE], words[o + NAME], words[o + KIND]];
    this.#stopTimer(row);
    this.#runtime.closeDatagram(words[o + SOCKET]);
    const key = `${node} ${name} ${kind}`;
    if (this.#shared.get(key) === row) this.#shared.delete(key);
    this.#followed.delete(row);
    // Who is told may ask again, which overwrites `result`.
    const result = { ...this.result };
    words = this.#pending.words;
    let waiter = words[o + WAITERS];
    this.#pending.release(row);
    // Who is told may connect.
    this.#runtime.tcp.syncNow();
    while (waiter !== 0) {
      const waiters = this.#waiters.words;
      const at = waiter * WAITER.STRIDE;
      const [next, client, ticket] = [
        waiters[at + WAITER.NEXT],
        waiters[at + WAITER.CLIENT],
        waiters[at + WAITER.TICKET],
      ];
      this.#waiters.release(waiter);
      this.#clients[client].onLookup(ticket, kind, result);
      waiter = next;
    }
    if (result.list !== 0) this.answers.release(result.list);
  }
}

/** The type of record that a kind of addresses is asked for by. */
function typeOf(kind: number): number {
  return kind === AAAA ? DNS_TYPE.AAAA : kind === A ? DNS_TYPE.A : DNS_TYPE.CNAME;
}
