/**
 * The network around a capture point: a host for every address, a link for each from there, with the delay and the
 * loss that were seen on that way.
 *
 * @module
 */
import { addToAddress, formatAddress, type IpAddress, notAHostsAddress, parseAddress } from "../base/address.ts";
import type { ImportedConnection, ImportedEnd } from "./import_connection.ts";
import type { ImportSide } from "./import_side.ts";

/** Where addresses come from that a network cannot have: loopback ones, for example (RFC 2544, RFC 5180). */
const SUBSTITUTES = { 4: parseAddress("198.18.0.1"), 6: parseAddress("2001:2::1") };

/** A host. */
export interface ImportedHost {
  name: string;
  address: string;
  /** The address in the capture, where it is another one. */
  instead: string | undefined;
  /** TCP ports that answered, in order. */
  ports: number[];
  /** Round trip between the capture point and it, ns; Infinity if it was not seen. */
  roundTripNs: number;
  /** Packets of it that came by, and packets to it. */
  packetsFrom: number;
  packetsTo: number;
  /** Of them lost on the way from it, and on the way to it. */
  lostFrom: number;
  lostTo: number;
  /** Did it leave SYNs without an answer, and do nothing else? */
  silent: boolean;
  /** Largest packet that it said it takes, 0 if it did not. */
  mtu: number;
  /** TCP options that it did not offer, or not answer with. */
  without: { sack: boolean; timestamps: boolean; windowScaling: boolean };
}

/** The hosts of some connections, in the order in which they appear. */
export class ImportedTopology {
  readonly hosts: ImportedHost[] = [];
  readonly #byKey = new Map<string, ImportedHost>();
  readonly #taken = new Set<string>();
  readonly #count = { client: 0, server: 0 };
  readonly #next: { 4: number; 6: number } = { 4: 0, 6: 0 };

  /** Takes the addresses that the connections have: none of them will be a substitute. */
  constructor(connections: readonly ImportedConnection[]) {
    for (const { client, server } of connections) {
      for (const { address } of [client, server]) this.#taken.add(formatAddress(address));
    }
    for (const connection of connections) this.#add(connection);
  }

  /** The host at an end of a connection. */
  hostOf(connection: ImportedConnection, client: boolean): ImportedHost {
    return this.#byKey.get(keyOf(connection, client))!;
  }

  #add(connection: ImportedConnection): void {
    const { client, server, sides: [fromClient, fromServer], outcome } = connection;
    const clientHost = this.#hostFor(connection, true, client);
    const serverHost = this.#hostFor(connection, false, server);
    if (outcome === "established" && server.port > 0 && !serverHost.ports.includes(server.port)) {
      serverHost.ports.push(server.port);
    }
    clientHost.silent = false;
    if (outcome !== "unanswered" || fromServer.packets > 0) serverHost.silent = false;
    count(clientHost, fromClient, fromServer);
    count(serverHost, fromServer, fromClient);
    learn(clientHost, fromClient, undefined, client.address);
    learn(serverHost, fromServer, fromClient, server.address);
  }

  #hostFor(connection: ImportedConnection, isClient: boolean, { address }: ImportedEnd): ImportedHost {
    const key = keyOf(connection, isClient);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const text = formatAddress(address);
    // A host that talks to itself is two here, for the way between them is what was captured.
    const usable = key === text && notAHostsAddress(address) === undefined && !isLocal(address);
    const role = isClient ? "client" : "server";
    const host: ImportedHost = {
      name: `${role}${++this.#count[role]}`,
      address: usable ? text : this.#substitute(address.family),
      instead: usable ? undefined : text,
      ports: [],
      roundTripNs: Infinity,
      packetsFrom: 0,
      packetsTo: 0,
      lostFrom: 0,
      lostTo: 0,
      silent: true,
      mtu: 0,
      without: { sack: false, timestamps: false, windowScaling: false },
    };
    this.hosts.push(host);
    this.#byKey.set(key, host);
    return host;
  }

  #substitute(family: 4 | 6): string {
    for (;;) {
      const text = formatAddress(addToAddress(SUBSTITUTES[family], this.#next[family]++));
      if (this.#taken.has(text)) continue;
      this.#taken.add(text);
      return text;
    }
  }
}

function keyOf({ client, server }: ImportedConnection, isClient: boolean): string {
  const [a, b] = [formatAddress(client.address), formatAddress(server.address)];
  return isClient ? a === b ? `${a} as client` : a : b;
}

/** Loopback (RFC 1122, RFC 4291) and link-local addresses: they lead nowhere through a router. */
function isLocal({ family, words }: IpAddress): boolean {
  if (family === 4) return words[0] >>> 24 === 127 || words[0] >>> 16 === 0xa9fe;
  const loopback = words[0] === 0 && words[1] === 0 && words[2] === 0 && words[3] === 1;
  return loopback || words[0] >>> 22 === 0xfe80 >>> 6;
}

function count(host: ImportedHost, own: ImportSide, other: ImportSide): void {
  host.packetsFrom += own.packets;
  host.packetsTo += other.packets;
  host.lostFrom += own.lostBefore;
  host.lostTo += other.lostAfter;
  // What the other side sends, it acknowledges.
  host.roundTripNs = Math.min(host.roundTripNs, other.leastRttNs);
}

/** What its SYN, or SYN-ACK in answer to `asked`, tells of a host. */
function learn(host: ImportedHost, own: ImportSide, asked: ImportSide | undefined, address: IpAddress): void {
  const { syn } = own;
  if (syn === undefined) return;
  const headers = address.family === 4 ? 40 : 60;
  if (syn.mss !== undefined) host.mtu = Math.max(host.mtu, Math.min(65535, syn.mss + headers));
  const offered = asked === undefined ? { sack: true, timestamps: true, windowScale: 0 } : asked.syn;
  if (offered?.sack && !syn.sack) host.without.sack = true;
  if (offered?.timestamps && !syn.timestamps) host.without.timestamps = true;
  if (offered?.windowScale !== undefined && syn.windowScale === undefined) host.without.windowScaling = true;
}
