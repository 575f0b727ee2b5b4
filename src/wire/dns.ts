/**
 * DNS messages (RFC 1035 section 4; AAAA: RFC 3596; the OPT record of EDNS(0): RFC 6891).
 *
 * @module
 */
import { addressBytes, addressFromBytes, type IpAddress } from "../base/ip.ts";
import { readI32, readU16, writeU16, writeU32 } from "./bytes.ts";
import { decodeDnsName, dnsNameEnd, encodeDnsName } from "./dns_name.ts";
import { isWireError, type WireError, wireError } from "./error.ts";

/** Types of records that are taken apart; others are kept as bytes. */
export const DNS_TYPE = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, AAAA: 28, OPT: 41 } as const;

/** The class of all records here: the Internet. */
export const DNS_CLASS_IN = 1;

/** Response codes (RFC 1035 4.1.1; BADVERS: RFC 6891). */
export const DNS_RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;

/** The port that servers listen on. */
export const DNS_PORT = 53;

/** Bytes of a message's header. */
export const DNS_HEADER_BYTES = 12;

/** The longest UDP message without EDNS(0) (RFC 1035 4.2.1). */
export const DNS_UDP_BYTES = 512;

/** A question. */
export interface DnsQuestion {
  /** As text, without a dot at the end. */
  name: string;
  /** See `DNS_TYPE`. */
  type: number;
  /** Default `DNS_CLASS_IN`. */
  class?: number;
}

/** Start of authority: what negative answers carry (RFC 2308). */
export interface DnsSoa {
  /** The primary server. */
  server: string;
  /** Whom to write to, its first dot for the @. */
  mailbox: string;
  /** Version. */
  serial: number;
  /** Seconds between a secondary's looks. */
  refresh: number;
  /** Seconds after a failed look. */
  retry: number;
  /** Seconds after which a secondary gives up. */
  expire: number;
  /** Seconds that a negative answer is good for, at most. */
  minimum: number;
}

/** What a record says: an address (A, AAAA), a name (NS, CNAME, PTR), a SOA, or the bytes of any other type. */
export type DnsData = { address: IpAddress } | { target: string } | { soa: DnsSoa } | { bytes: Uint8Array };

/** A resource record. */
export interface DnsRecord {
  /** Its owner. */
  name: string;
  /** See `DNS_TYPE`. */
  type: number;
  /** Default `DNS_CLASS_IN`. */
  class?: number;
  /** Seconds that it may be kept, 0 to 2^31 - 1 (RFC 2181 section 8). */
  ttl: number;
  /** What it says. */
  data: DnsData;
}

/** A message. */
export interface DnsMessage {
  /** 0 to 65,535: ties a response to its query. */
  id: number;
  /** A response, not a query (QR). */
  response: boolean;
  /** Kind of query; 0 is a standard one. */
  opcode: number;
  /** The server speaks for the zone (AA). */
  authoritative: boolean;
  /** Records were left out for want of room (TC). */
  truncated: boolean;
  /** The server is to ask on (RD). */
  recursionDesired: boolean;
  /** The server does ask on (RA). */
  recursionAvailable: boolean;
  /** Response code, extended by EDNS(0) to 12 bits: see `DNS_RCODE`. */
  rcode: number;
  /** Usually one. */
  questions: DnsQuestion[];
  /** What was asked for. */
  answers: DnsRecord[];
  /** Who is responsible; the SOA of a negative answer. */
  authorities: DnsRecord[];
  /** What may also help (without the OPT record: see `edns`). */
  additionals: DnsRecord[];
  /** The OPT record of EDNS(0), if there is one. */
  edns?: {
    /** The longest UDP message that the sender takes. */
    udpBytes: number;
    /** Default 0. */
    version?: number;
  };
}

const FLAG = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080 } as const;

/** A message of at most 64 KiB; what is longer is truncated. */
const SCRATCH = new Uint8Array(65_535);

/** Bytes of an OPT record without options. */
const OPT_BYTES = 11;

/**
 * The message's bytes, names compressed (RFC 1035 4.1.4). What is longer than `mostBytes` (default 65,535) loses its
 * additional records, then authority, then answers, one by one from the end; lost answers or authority set TC (RFC 2181
 * section 9). Throws `RangeError` for what cannot be written (a name that is none).
 */
export function encodeDns(message: DnsMessage, mostBytes: number = SCRATCH.length): Uint8Array {
  const into = SCRATCH;
  const seen = new Map<string, number>();
  const room = Math.min(mostBytes, into.length) - (message.edns === undefined ? 0 : OPT_BYTES);
  let at = DNS_HEADER_BYTES;
  for (const { name, type, class: klass } of message.questions) {
    at = encodeDnsName(name, into, at, seen);
    writeU16(into, at, type);
    writeU16(into, at + 2, klass ?? DNS_CLASS_IN);
    at += 4;
  }
  let truncated = message.truncated;
  const counts = [message.questions.length, 0, 0, 0];
  const sections = [message.answers, message.authorities, message.additionals];
  fill: for (const [i, section] of sections.entries()) {
    for (const record of section) {
      const end = at + 300 > into.length ? Infinity : writeRecord(record, into, at, seen);
      if (end > room) {
        // Nothing refers to the names noted in it: what follows is left out too.
        if (i < 2) truncated = true;
        break fill;
      }
      at = end;
      counts[i + 1]++;
    }
  }
  if (message.edns !== undefined) {
    into[at] = 0;
    writeU16(into, at + 1, DNS_TYPE.OPT);
    writeU16(into, at + 3, message.edns.udpBytes);
    writeU32(into, at + 5, ((message.rcode >>> 4) << 24) | ((message.edns.version ?? 0) << 16));
    writeU16(into, at + 9, 0);
    at += OPT_BYTES;
    counts[3]++;
  }
  writeU16(into, 0, message.id);
  writeU16(
    into,
    2,
    (message.response ? FLAG.QR : 0) | ((message.opcode & 15) << 11) | (message.authoritative ? FLAG.AA : 0) |
      (truncated ? FLAG.TC : 0) | (message.recursionDesired ? FLAG.RD : 0) |
      (message.recursionAvailable ? FLAG.RA : 0) | (message.rcode & 15),
  );
  for (const [i, count] of counts.entries()) writeU16(into, 4 + 2 * i, count);
  return into.slice(0, at);
}

/** Writes a record at `at` and returns where it ends. */
function writeRecord(record: DnsRecord, into: Uint8Array, at: number, seen: Map<string, number>): number {
  at = encodeDnsName(record.name, into, at, seen);
  writeU16(into, at, record.type);
  writeU16(into, at + 2, record.class ?? DNS_CLASS_IN);
  writeU32(into, at + 4, record.ttl);
  const begin = at + 10;
  const end = writeData(record.data, into, begin, seen);
  writeU16(into, at + 8, end - begin);
  return end;
}

function writeData(data: DnsData, into: Uint8Array, at: number, seen: Map<string, number>): number {
  if ("target" in data) return encodeDnsName(data.target, into, at, seen);
  if ("soa" in data) {
    const { soa } = data;
    at = encodeDnsName(soa.mailbox, into, encodeDnsName(soa.server, into, at, seen), seen);
    for (const word of [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum]) {
      writeU32(into, at, word);
      at += 4;
    }
    return at;
  }
  const bytes = "address" in data ? addressBytes(data.address) : data.bytes;
  if (at + bytes.length > into.length) throw new RangeError("A record's data does not fit into a message.");
  into.set(bytes, at);
  return at + bytes.length;
}

/** The message in `bytes` from `at` to `end`: all of them, or it is a {@linkcode WireError}. */
export function decodeDns(bytes: Uint8Array, at = 0, end: number = bytes.length): DnsMessage | WireError {
  if (end - at < DNS_HEADER_BYTES) {
    return wireError("dns", "truncated", `A DNS header takes 12 bytes; there are ${end - at}.`);
  }
  const flags = readU16(bytes, at + 2);
  const message: DnsMessage = {
    id: readU16(bytes, at),
    response: (flags & FLAG.QR) !== 0,
    opcode: (flags >>> 11) & 15,
    authoritative: (flags & FLAG.AA) !== 0,
    truncated: (flags & FLAG.TC) !== 0,
    recursionDesired: (flags & FLAG.RD) !== 0,
    recursionAvailable: (flags & FLAG.RA) !== 0,
    rcode: flags & 15,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
  };
  let next = at + DNS_HEADER_BYTES;
  for (let left = readU16(bytes, at + 4); left > 0; left--) {
    const name = decodeDnsName(bytes, next, at, end);
    if (isWireError(name)) return name;
    next = dnsNameEnd.at;
    if (next + 4 > end) return wireError("dns", "truncated", "A question runs past the end of the message.");
    message.questions.push({ name, type: readU16(bytes, next), class: readU16(bytes, next + 2) });
    next += 4;
  }
  const sections = [message.answers, message.authorities, message.additionals];
  for (const [i, section] of sections.entries()) {
    for (let left = readU16(bytes, at + 6 + 2 * i); left > 0; left--) {
      const record = readRecord(bytes, next, at, end);
      if (isWireError(record)) return record;
      next = recordEnd;
      if (record.type !== DNS_TYPE.OPT) {
        section.push(record);
        continue;
      }
      // RFC 6891 6.1.1: one OPT record, among the additional ones, of the root.
      if (i !== 2 || message.edns !== undefined || record.name !== "") {
        return wireError("dns", "option", "An OPT record stands where there may be none.");
      }
      message.edns = { udpBytes: record.class!, version: (record.ttl >>> 16) & 0xff };
      message.rcode |= (record.ttl >>> 24) << 4;
    }
  }
  if (next !== end) return wireError("dns", "length", `${end - next} bytes follow the message.`);
  return message;
}

/** Where the record last read ends. */
let recordEnd = 0;

function readRecord(bytes: Uint8Array, at: number, start: number, end: number): DnsRecord | WireError {
  const name = decodeDnsName(bytes, at, start, end);
  if (isWireError(name)) return name;
  at = dnsNameEnd.at;
  if (at + 10 > end) return wireError("dns", "truncated", "A record runs past the end of the message.");
  const type = readU16(bytes, at);
  const ttl = readI32(bytes, at + 4);
  const begin = at + 10;
  recordEnd = begin + readU16(bytes, at + 8);
  if (recordEnd > end) return wireError("dns", "truncated", "A record's data runs past the end of the message.");
  const data = readData(bytes, type, begin, start, recordEnd);
  if (isWireError(data)) return data;
  // RFC 2181 section 8: a TTL with its leading bit set counts as 0. (OPT keeps other things there.)
  const seconds = type === DNS_TYPE.OPT ? ttl >>> 0 : Math.max(0, ttl);
  return { name, type, class: readU16(bytes, at + 2), ttl: seconds, data };
}

function readData(bytes: Uint8Array, type: number, at: number, start: number, end: number): DnsData | WireError {
  switch (type) {
    case DNS_TYPE.A:
    case DNS_TYPE.AAAA: {
      const length = type === DNS_TYPE.A ? 4 : 16;
      if (end - at === length) return { address: addressFromBytes(bytes.subarray(at, end)) };
      return wireError("dns", "length", `An address record has ${end - at} bytes of data, not ${length}.`);
    }
    case DNS_TYPE.NS:
    case DNS_TYPE.CNAME:
    case DNS_TYPE.PTR: {
      const target = decodeDnsName(bytes, at, start, end);
      if (isWireError(target)) return target;
      return dnsNameEnd.at === end ? { target } : leftOver();
    }
    case DNS_TYPE.SOA:
      return readSoa(bytes, at, start, end);
  }
  return { bytes: bytes.slice(at, end) };
}

function readSoa(bytes: Uint8Array, at: number, start: number, end: number): DnsData | WireError {
  const server = decodeDnsName(bytes, at, start, end);
  if (isWireError(server)) return server;
  const mailbox = decodeDnsName(bytes, dnsNameEnd.at, start, end);
  if (isWireError(mailbox)) return mailbox;
  const words = dnsNameEnd.at;
  if (end - words !== 20) return leftOver();
  const [serial, refresh, retry, expire, minimum] = [0, 4, 8, 12, 16].map((i) => readI32(bytes, words + i) >>> 0);
  return { soa: { server, mailbox, serial, refresh, retry, expire, minimum } };
}

function leftOver(): WireError {
  return wireError("dns", "length", "A record's data is shorter or longer than what it holds.");
}
