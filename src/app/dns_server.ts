/**
 * A DNS server as an application: it speaks for its zones, forwards other questions if it has someone to ask, and makes
 * up IPv6 addresses of names that have none (DNS64, RFC 6147). One object serves every member of a population.
 *
 * @module
 */
import type { PlainValue, StateVisitor } from "../base/state.ts";
import type { IpAddress, IpPrefix } from "../base/address.ts";
import { ERRNO } from "../base/errors.ts";
import { drawFraction, type SubstreamKey } from "../base/rng.ts";
import type { UdpRuntime } from "../socket/datagram.ts";
import { payloadOf } from "../socket/payload.ts";
import { HOST } from "../transport/hosts.ts";
import { KeyTable } from "../transport/key_table.ts";
import { UDP_SOCKET } from "../transport/udp.ts";
import {
  decodeDns,
  DNS_CLASS_IN,
  DNS_HEADER_BYTES,
  DNS_RCODE,
  DNS_TYPE,
  DNS_UDP_BYTES,
  type DnsMessage,
  type DnsRecord,
  encodeDns,
} from "../wire/dns.ts";
import { canonicalName } from "../wire/dns_name.ts";
import { isWireError } from "../wire/error.ts";
import { PACKET } from "../wire/packet.ts";
import { Dns64, SYNTHESIS_TTL } from "./dns64.ts";
import { DNS_KIND } from "./dns_cache.ts";
import type { DnsLookups, LookupClient, LookupResult } from "./dns_lookups.ts";
import type { DnsOrder, DnsZones, ZoneAnswer } from "./dns_zone.ts";
import type { App } from "./types.ts";

/** What a server does. */
export interface DnsServerPlan {
  zones: DnsZones;
  /** Does it ask other servers (as its `DnsLookups` are set) about other names? */
  forwards: boolean;
  /** In which order it gives addresses that it was told by others. */
  cachedOrder: DnsOrder;
  /** Prefix of DNS64, if it does that. */
  dns64: IpPrefix | undefined;
  /** The longest datagram that it sends. */
  mostBytes: number;
}

/** A question to be answered. */
interface Query {
  node: number;
  socket: number;
  local: number;
  remote: number;
  port: number;
  message: DnsMessage;
  /** As asked, canonical. */
  text: string;
  name: number;
  type: number;
  /** Aliases of the server's own that led from the name asked for to this one. */
  before: DnsRecord[];
  /** DNS64: there is no IPv6 address, this is about the IPv4 ones; the most that a made-up one may live, seconds. */
  synthesisTtl: number | undefined;
  /** And the number of the zone whose SOA said so, 0 without one. */
  synthesisZone: number;
}

/** What an answer consists of. */
interface Reply {
  rcode: number;
  authoritative: boolean;
  answers: DnsRecord[];
  authorities: DnsRecord[];
}

const { A, AAAA } = DNS_KIND;
const { SRC, DST, PORTS } = PACKET;
const { EAI_NONAME, EAI_NODATA } = ERRNO;
const { NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS } = DNS_RCODE;

/** Of IPv6 and UDP. */
const MOST_HEADER_BYTES = 48;
/** No more aliases than this are followed. */
const MOST_ALIASES = 16;

/** See the module's description. */
export class DnsServer implements App, LookupClient {
  /** See {@linkcode App}. */
  readonly serves = true;
  readonly #runtime: UdpRuntime;
  readonly #plan: DnsServerPlan;
  readonly #dns64: Dns64 | undefined;
  readonly #lookups: DnsLookups;
  readonly #client: number;
  readonly #key: SubstreamKey;
  /** Answers given, by (node, name, family): where the next one begins. */
  readonly #given = new KeyTable();
  readonly #waiting: (Query | undefined)[] = [];
  readonly #freeTickets: number[] = [];

  /** `lookups` ask on its behalf; `key` is for random orders. */
  constructor(options: { runtime: UdpRuntime; plan: DnsServerPlan; lookups: DnsLookups; key: SubstreamKey }) {
    this.#runtime = options.runtime;
    this.#plan = options.plan;
    const { dns64 } = options.plan;
    this.#dns64 = dns64 && new Dns64(options.runtime.tcp.addresses, dns64);
    this.#lookups = options.lookups;
    this.#key = options.key;
    this.#client = options.lookups.addClient(this);
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}. It has no timers. */
  onTimer(): void {}

  /** See {@linkcode App}. */
  onDatagram(socket: number, packet: number): void {
    if (packet === 0) return;
    const { packets, udp } = this.#runtime;
    const words = packets.rows.words;
    const at = packet * PACKET.STRIDE;
    const bytes = payloadOf(packets, packet);
    const node = udp.rows.words[socket * UDP_SOCKET.STRIDE + UDP_SOCKET.HOST];
    const [local, remote, port] = [words[at + DST], words[at + SRC], words[at + PORTS] >>> 16];
    const decoded = decodeDns(bytes);
    const message = isWireError(decoded) ? headerOf(bytes) : decoded;
    // Never an answer to an answer.
    if (message === undefined || message.response) return;
    // What else came with it is not looked at.
    message.answers = message.authorities = message.additionals = [];
    const query: Query = {
      node,
      socket,
      local,
      remote,
      port,
      message,
      text: "",
      name: 0,
      type: 0,
      before: [],
      synthesisTtl: undefined,
      synthesisZone: 0,
    };
    if (isWireError(decoded) || message.questions.length !== 1) return this.#send(query, failure(FORMERR));
    // RFC 6891 6.1.3: the answer says which version there is.
    if ((message.edns?.version ?? 0) > 0) return this.#send(query, failure(BADVERS));
    if (message.opcode !== 0) return this.#send(query, failure(NOTIMP));
    const [question] = message.questions;
    if (question.class !== DNS_CLASS_IN) return this.#send(query, failure(REFUSED));
    query.text = canonicalName(question.name);
    query.name = this.#lookups.names.idOf(query.text);
    query.type = question.type;
    this.#answer(query);
  }

  /** See {@linkcode App}. */
  visitState(v: StateVisitor): void {
    this.#given.visitState(v);
    // Questions hold names and numbers only: what is a plain value.
    const waiting = v.plain(this.#waiting.map((query) => query ?? null) as unknown as PlainValue[]);
    const free = v.plain(this.#freeTickets);
    if (!v.restoring) return;
    this.#waiting.splice(0, this.#waiting.length, ...waiting.map((query) => query as unknown as Query ?? undefined));
    this.#freeTickets.splice(0, this.#freeTickets.length, ...free);
  }

  /** See {@linkcode App}: where the next answer begins is forgotten. */
  hostsRestarted(first: number, count: number): void {
    this.#given.removeWhere((node) => node >= first && node < first + count);
  }

  /** See {@linkcode LookupClient}: the server that was asked has answered, or has not. */
  onLookup(ticket: number, kind: number, result: LookupResult): void {
    const query = this.#waiting[ticket]!;
    this.#waiting[ticket] = undefined;
    this.#freeTickets.push(ticket);
    // (This server has restarted, and knows of no question.)
    if (result.errno === ERRNO.ECONNABORTED) return;
    this.#relay(query, kind, result);
  }

  #answer(query: Query): void {
    const { names } = this.#lookups;
    const { zones } = this.#plan;
    const answers: DnsRecord[] = [];
    let [name, text] = [query.name, query.text];
    let found = zones.find(name, text);
    const authoritative = found !== undefined;
    while (found?.entry !== undefined && found.entry.alias !== 0 && query.type !== DNS_TYPE.CNAME) {
      const { alias, ttl } = found.entry;
      // RFC 1034 4.3.2: an alias, and what it stands for.
      answers.push({ name: text, type: DNS_TYPE.CNAME, ttl, data: { target: names.textOf(alias) } });
      if (answers.length > MOST_ALIASES) return this.#send(query, failure(SERVFAIL));
      name = alias;
      text = names.textOf(alias);
      found = zones.find(name, text);
    }
    if (found !== undefined) return this.#send(query, this.#fromZone(query, text, found, answers));
    if (this.#plan.forwards && query.message.recursionDesired) {
      return this.#forward({ ...query, name, text, before: answers }, query.type);
    }
    // What the alias stands for is another server's to tell.
    if (authoritative) return this.#send(query, { rcode: NOERROR, authoritative, answers, authorities: [] });
    this.#send(query, failure(REFUSED));
  }

  #fromZone(query: Query, text: string, { zone, entry, exists }: ZoneAnswer, answers: DnsRecord[]): Reply {
    const { type, node } = query;
    const authorities: DnsRecord[] = [];
    if (entry !== undefined && entry.alias !== 0) {
      const data = { target: this.#lookups.names.textOf(entry.alias) };
      answers.push({ name: text, type: DNS_TYPE.CNAME, ttl: entry.ttl, data });
    } else if (entry !== undefined && (type === DNS_TYPE.A || type === DNS_TYPE.AAAA)) {
      const dns64 = type === DNS_TYPE.AAAA ? this.#dns64 : undefined;
      const own = type === DNS_TYPE.A ? entry.ipv4 : dns64?.accepted(entry.ipv6) ?? entry.ipv6;
      const synthesised = dns64 !== undefined && own.length === 0;
      const list = synthesised ? dns64.embeddable(entry.ipv4) : own;
      // RFC 6147 5.1.7: the shorter of the TTLs of the IPv4 address and of the SOA.
      const ttl = synthesised ? Math.min(entry.ttl, this.#plan.zones.negativeTtl) : entry.ttl;
      const ordered = this.#ordered(node, entry.name, type, entry.order, list);
      answers.push(...this.#addressRecords(text, ordered, ttl, synthesised));
    } else if (type === DNS_TYPE.SOA && text === zone) {
      answers.push(this.#soa(zone));
    } else if (type === DNS_TYPE.NS && text === zone) {
      answers.push({ name: text, type, ttl: this.#plan.zones.negativeTtl, data: { target: inZone("ns", zone) } });
    }
    const negative = answers.length === 0 || answers[answers.length - 1].type === DNS_TYPE.CNAME;
    // RFC 2308 section 3: a negative answer carries the zone's SOA.
    if (answers.length === 0 || (negative && type !== DNS_TYPE.CNAME)) authorities.push(this.#soa(zone));
    return { rcode: exists ? NOERROR : NXDOMAIN, authoritative: true, answers, authorities };
  }

  /** Asks another server for addresses. */
  #forward(query: Query, type: number): void {
    if (type !== DNS_TYPE.A && type !== DNS_TYPE.AAAA) return this.#send(query, failure(NOTIMP));
    const kind = type === DNS_TYPE.A ? A : AAAA;
    const ticket = this.#freeTickets.pop() ?? this.#waiting.length;
    this.#waiting[ticket] = query;
    if (this.#lookups.resolve(query.node, query.name, kind, this.#client, ticket)) {
      this.onLookup(ticket, kind, this.#lookups.result);
    } else this.#lookups.stats.forwarded++;
  }

  /** Passes on what another server said, now or earlier. */
  #relay(query: Query, kind: number, result: LookupResult): void {
    let { errno, ttl, zone } = result;
    const { names, answers: lists } = this.#lookups;
    const dns64 = query.type === DNS_TYPE.AAAA ? this.#dns64 : undefined;
    const synthesised = query.synthesisTtl !== undefined;
    let list = errno === 0 ? lists.list(result.list) : [];
    if (dns64 !== undefined && kind === AAAA && errno !== EAI_NONAME) {
      list = dns64.accepted(list);
      // RFC 6147 5.1.2, 5.1.6: no IPv6 address (or no answer), so perhaps an IPv4 one to make it of.
      if (list.length === 0) {
        const synthesisTtl = errno !== 0 && zone !== 0 ? ttl : SYNTHESIS_TTL;
        return this.#forward({ ...query, synthesisTtl, synthesisZone: zone }, DNS_TYPE.A);
      }
    }
    if (dns64 !== undefined && synthesised && errno === 0) {
      list = dns64.embeddable(list);
      ttl = Math.min(ttl, query.synthesisTtl!);
      if (list.length === 0) [errno, zone] = [EAI_NODATA, query.synthesisZone];
    }
    const answers: DnsRecord[] = query.before.slice();
    for (const { owner, target, ttl } of result.aliases) {
      answers.push({ name: names.textOf(owner), type: DNS_TYPE.CNAME, ttl, data: { target: names.textOf(target) } });
    }
    const authorities: DnsRecord[] = [];
    let rcode: number = NOERROR;
    if (errno === 0) {
      const ordered = this.#ordered(query.node, result.owner, query.type, this.#plan.cachedOrder, list);
      answers.push(...this.#addressRecords(names.textOf(result.owner), ordered, ttl, synthesised));
    } else if (errno === EAI_NONAME || errno === EAI_NODATA) {
      if (errno === EAI_NONAME) rcode = NXDOMAIN;
      // RFC 2308 section 6: the SOA that came with it.
      if (zone !== 0) authorities.push(soaRecord(names.textOf(zone), ttl));
    } else rcode = SERVFAIL;
    this.#send(query, { rcode, authoritative: false, answers, authorities });
  }

  /** The addresses in the order of this answer. */
  #ordered(node: number, name: number, type: number, order: DnsOrder, list: number[]): number[] {
    const n = list.length;
    if (n < 2 || order === "fixed") return list;
    const key = name * 2 + (type === DNS_TYPE.A ? 0 : 1);
    const count = this.#given.get(node, key, 0);
    if (order === "rotate") {
      this.#given.set(node, key, 0, (count + 1) % n);
      return [...list.slice(count), ...list.slice(0, count)];
    }
    this.#given.set(node, key, 0, (count + 1) | 0);
    const hosts = this.#runtime.tcp.hosts.words;
    const k0 = this.#key.k0 ^ hosts[node * HOST.STRIDE + HOST.NAME_LO];
    const k1 = this.#key.k1 ^ hosts[node * HOST.STRIDE + HOST.NAME_HI] ^ nameHash(this.#lookups.names.textOf(name));
    const shuffled = list.slice();
    for (let i = n - 1; i > 0; i--) {
      // A draw for each (answer, place): addresses of a name are fewer than 2^16.
      const draw = drawFraction(k0, k1, ((count >>> 0) * 2 + (type === DNS_TYPE.A ? 0 : 1)) * 65536 + i);
      const j = Math.floor(draw * (i + 1));
      [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
    }
    return shuffled;
  }

  #addressRecords(name: string, list: number[], ttl: number, synthesised: boolean): DnsRecord[] {
    const { addresses } = this.#runtime.tcp;
    return list.map((id): DnsRecord => {
      let address: IpAddress = addresses.toAddress(id);
      if (synthesised) address = this.#dns64!.embed(address);
      return { name, type: address.family === 4 ? DNS_TYPE.A : DNS_TYPE.AAAA, ttl, data: { address } };
    });
  }

  #soa(zone: string): DnsRecord {
    return soaRecord(zone, this.#plan.zones.negativeTtl);
  }

  #send(query: Query, { rcode, authoritative, answers, authorities }: Reply): void {
    const { message } = query;
    // (The port may have been closed since.)
    if (!this.#runtime.udp.isBound(query.socket)) return;
    const edns = message.edns === undefined ? undefined : { udpBytes: this.#plan.mostBytes };
    const asked = Math.max(DNS_UDP_BYTES, message.edns?.udpBytes ?? 0);
    // Datagrams are not fragmented (RFC 9715).
    const fits = this.#runtime.tcp.hosts.mtuOf(query.node) - MOST_HEADER_BYTES;
    const most = Math.min(this.#plan.mostBytes, asked, fits);
    const bytes = encodeDns({
      id: message.id,
      response: true,
      opcode: message.opcode,
      authoritative,
      truncated: false,
      recursionDesired: message.recursionDesired,
      recursionAvailable: this.#plan.forwards,
      rcode,
      questions: message.questions,
      answers,
      authorities,
      additionals: [],
      edns,
    }, most);
    const { stats } = this.#lookups;
    stats.served++;
    if ((bytes[2] & 2) !== 0) stats.truncated++;
    this.#runtime.udp.sendTo(query.socket, query.local, query.remote, query.port, bytes.length, bytes);
  }
}

function failure(rcode: number): Reply {
  return { rcode, authoritative: false, answers: [], authorities: [] };
}

/** A SOA that says how long a negative answer is good for. */
function soaRecord(zone: string, ttl: number): DnsRecord {
  const soa = {
    server: inZone("ns", zone),
    mailbox: inZone("hostmaster", zone),
    serial: 1,
    refresh: 3600,
    retry: 600,
    expire: 86_400,
    minimum: ttl,
  };
  return { name: zone, type: DNS_TYPE.SOA, ttl, data: { soa } };
}

function inZone(label: string, zone: string): string {
  return zone === "" ? label : `${label}.${zone}`;
}

/** What can be told of a question that cannot be read: its header, if it is all there. */
function headerOf(bytes: Uint8Array): DnsMessage | undefined {
  if (bytes.length < DNS_HEADER_BYTES) return undefined;
  const message = decodeDns(Uint8Array.of(...bytes.subarray(0, 4), 0, 0, 0, 0, 0, 0, 0, 0));
  return isWireError(message) ? undefined : message;
}

function nameHash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h;
}
