/**
 * Which packets somebody means: `host 192.0.2.1 port 443 after 1s`, a small dialect of tcpdump's.
 *
 * ```text
 * expression := group { "or" group }
 * group      := [ "and" ] test { [ "and" ] test }        side by side means and
 * test       := "not" test | host A | src A | dst A | node NAME | port N | tcp | udp | icmp | syn | fin | rst
 *             | connection A:P-B:Q | after TIME | before TIME
 * ```
 *
 * A `connection` is both directions of a four-tuple, TCP or UDP, and the ICMP errors that quote it.
 *
 * @module
 */
import { AddressError, type AddressTable, type IpPrefix, parseAddress, parsePrefix } from "../base/address.ts";
import { InputError, nearest } from "../base/errors.ts";
import { parseDurationNs } from "../base/units.ts";
import { CONTROL, EXTRA, PACKET, type PacketPool, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";

/** A packet on its way from node to node. */
export interface SeenPacket {
  /** The tables that it stands in. */
  packets: PacketPool;
  /** The addresses that its row names. */
  addresses: AddressTable;
  /** Its row. */
  p: number;
  /** When it was seen, ns. */
  timeNs: number;
  /** The node that sent it. */
  from: string;
  /** The node that it reached. */
  to: string;
}

/** Is a packet meant? */
export type PacketFilter = (seen: SeenPacket) => boolean;

const { SRC, DST, PORTS, CONTROL: CONTROL_AT, EXTRA: EXTRA_AT, MASK, STRIDE } = PACKET;
const { TCP, UDP, ICMP, ICMPV6 } = PROTOCOL;

const WITH_VALUE = ["host", "src", "dst", "node", "port", "connection", "after", "before"];
const ALONE = ["tcp", "udp", "icmp", "syn", "fin", "rst"];
const WORDS = [...WITH_VALUE, ...ALONE, "and", "or", "not"];

/**
 * Understands a filter expression. `nodes` are the names that `node` may mean; without them, any.
 *
 * @throws {InputError} one sentence, without a word on where the expression stands.
 */
export function readFilter(text: string, nodes?: readonly string[]): PacketFilter {
  const words = text.trim().split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) throw fail("there is nothing in it; try 'host 192.0.2.1 port 443'.");
  const groups: PacketFilter[][] = [[]];
  let at = 0;

  const test = (): PacketFilter => {
    const word = words[at++];
    if (word === undefined) throw fail(`expected a test after ${JSON.stringify(words[at - 2])}, found the end.`);
    if (word === "not") {
      const inner = test();
      return (seen) => !inner(seen);
    }
    if (ALONE.includes(word)) return flagTest(word);
    if (!WITH_VALUE.includes(word)) {
      const near = nearest(word, WORDS);
      throw fail(
        `${JSON.stringify(word)} is not a test: ${
          near === undefined ? `write ${WORDS.join(", ")}.` : `did you mean ${near}?`
        }`,
      );
    }
    const value = words[at++];
    if (value === undefined) throw fail(`${word} needs ${VALUES[word]}, found the end.`);
    return word === "node" ? nodeTest(value, nodes) : valueTest(word, value);
  };

  while (at < words.length) {
    const group = groups.at(-1)!;
    if (words[at] === "or") {
      if (group.length === 0) throw fail("or stands between two tests.");
      at++;
      groups.push([]);
      continue;
    }
    if (words[at] === "and") {
      if (group.length === 0) throw fail("and stands between two tests.");
      at++;
    }
    group.push(test());
  }
  if (groups.at(-1)!.length === 0) throw fail("or stands between two tests.");
  return (seen) => groups.some((group) => group.every((one) => one(seen)));
}

/**
 * As {@linkcode readFilter}, of a flag's value.
 *
 * @throws {InputError} one sentence that begins with the flag's name.
 */
export function parseFilter(text: string, nodes?: readonly string[], flag = "--filter"): PacketFilter {
  try {
    return readFilter(text, nodes);
  } catch (error) {
    if (error instanceof InputError) throw new InputError(`${flag}: ${error.message}`);
    throw error;
  }
}

/** What a test's value looks like, for errors. */
const VALUES: Record<string, string> = {
  host: "an address or a prefix such as 10.0.0.0/8",
  src: "an address or a prefix such as 10.0.0.0/8",
  dst: "an address or a prefix such as 10.0.0.0/8",
  node: "a node's name such as clients or clients[3]",
  port: "a number from 0 to 65535",
  connection: "a four-tuple such as 10.0.0.2:32768-192.0.2.1:443",
  after: "a time such as 1.5s",
  before: "a time such as 1.5s",
};

/** A population's name means all its members. */
function nodeTest(value: string, nodes: readonly string[] | undefined): PacketFilter {
  const name = value.replace(/\[\d+\]$/, "");
  if (nodes !== undefined && !nodes.includes(name)) {
    const near = nearest(name, nodes);
    throw fail(`there is no node ${JSON.stringify(name)}${near === undefined ? "." : `: did you mean ${near}?`}`);
  }
  const matches = (one: string) => one === value || one.startsWith(`${value}[`);
  return (seen) => matches(seen.from) || matches(seen.to);
}

function valueTest(word: string, value: string): PacketFilter {
  if (word === "port") {
    if (!/^\d+$/.test(value) || Number(value) > 65535) {
      throw fail(`port needs ${VALUES.port}, found ${JSON.stringify(value)}.`);
    }
    const port = Number(value);
    return (seen) => {
      if (!hasPorts(protocolOf(seen))) return false;
      const ports = seen.packets.rows.words[seen.p * STRIDE + PORTS];
      return ports >>> 16 === port || (ports & 0xffff) === port;
    };
  }
  if (word === "connection") return connectionTest(value);
  if (word === "after" || word === "before") {
    const limitNs = within(() => parseDurationNs(value), word);
    return word === "after" ? (seen) => seen.timeNs >= limitNs : (seen) => seen.timeNs < limitNs;
  }
  const inside = addressTest(within(() => prefixOf(value), word));
  const source: PacketFilter = (seen) => inside(seen.addresses, seen.packets.rows.words[seen.p * STRIDE + SRC]);
  const destination: PacketFilter = (seen) => inside(seen.addresses, seen.packets.rows.words[seen.p * STRIDE + DST]);
  if (word === "src") return source;
  if (word === "dst") return destination;
  return (seen) => source(seen) || destination(seen);
}

/** One end of a four-tuple: `10.0.0.2:443`, `[2001:db8::1]:443`. */
function endOf(text: string): { address: IpPrefix; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  if (match === null || Number(match[3]) > 65535) return undefined;
  return { address: within(() => prefixOf(match[1] ?? match[2]), "connection"), port: Number(match[3]) };
}

/** Both directions of a four-tuple, and the ICMP errors that quote a packet of it. */
function connectionTest(value: string): PacketFilter {
  const [one, other, ...rest] = value.split("-").map(endOf);
  if (one === undefined || other === undefined || rest.length > 0) {
    throw fail(`connection needs ${VALUES.connection}, found ${JSON.stringify(value)}.`);
  }
  const isOne = addressTest(one.address);
  const isOther = addressTest(other.address);
  const there = (one.port << 16) | other.port;
  const back = (other.port << 16) | one.port;
  const ends = (addresses: AddressTable, source: number, destination: number, ports: number) =>
    (ports === there && isOne(addresses, source) && isOther(addresses, destination)) ||
    (ports === back && isOther(addresses, source) && isOne(addresses, destination));
  return (seen) => {
    const words = seen.packets.rows.words;
    const o = (seen.p * STRIDE) & MASK;
    if (hasPorts(protocolOf(seen))) return ends(seen.addresses, words[o + SRC], words[o + DST], words[o + PORTS]);
    if ((words[o + CONTROL_AT] & CONTROL.QUOTES) === 0) return false;
    const extras = seen.packets.extras.words;
    const e = words[o + EXTRA_AT] * EXTRA.STRIDE;
    return hasPorts(extras[e + EXTRA.QUOTED_CONTROL] >>> CONTROL.PROTOCOL_SHIFT) &&
      ends(seen.addresses, extras[e + EXTRA.QUOTED_SRC], extras[e + EXTRA.QUOTED_DST], extras[e + EXTRA.QUOTED_PORTS]);
  };
}

function flagTest(word: string): PacketFilter {
  if (word === "tcp") return (seen) => protocolOf(seen) === TCP;
  if (word === "udp") return (seen) => protocolOf(seen) === UDP;
  if (word === "icmp") return (seen) => protocolOf(seen) === ICMP || protocolOf(seen) === ICMPV6;
  const bit = word === "syn" ? TCP_FLAG.SYN : word === "fin" ? TCP_FLAG.FIN : TCP_FLAG.RST;
  return (seen) => protocolOf(seen) === TCP && (seen.packets.rows.words[seen.p * STRIDE + CONTROL_AT] & bit) !== 0;
}

function protocolOf(seen: SeenPacket): number {
  return seen.packets.rows.words[seen.p * STRIDE + CONTROL_AT] >>> CONTROL.PROTOCOL_SHIFT;
}

function hasPorts(protocol: number): boolean {
  return protocol === TCP || protocol === UDP;
}

function prefixOf(text: string): IpPrefix {
  if (text.includes("/")) return parsePrefix(text);
  const address = parseAddress(text);
  return { address, bits: address.family === 4 ? 32 : 128 };
}

/** Compares words of the table with those of the prefix, so that a packet costs no allocation. */
function addressTest(prefix: IpPrefix): (addresses: AddressTable, id: number) => boolean {
  const six = prefix.address.family === 6;
  const masks = prefix.address.words.map((_, k) => {
    const bits = Math.min(32, Math.max(0, prefix.bits - 32 * k));
    return bits === 0 ? 0 : (-1 << (32 - bits)) | 0;
  });
  const wanted = prefix.address.words.map((word, k) => (word & masks[k]) | 0);
  return (addresses, id) => {
    if (addresses.isIpv6(id) !== six) return false;
    if (!six) return (addresses.word(id) & masks[0]) === wanted[0];
    for (let k = 0; k < 4; k++) if ((addresses.v6Word(id, k) & masks[k]) !== wanted[k]) return false;
    return true;
  };
}

function within<T>(read: () => T, word: string): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof AddressError || error instanceof InputError) throw fail(`${word}: ${error.message}`);
    throw error;
  }
}

function fail(why: string): InputError {
  return new InputError(why);
}
