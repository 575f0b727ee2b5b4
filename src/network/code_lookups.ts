/**
 * Lookups of names by user code: `HostHandle.lookup`.
 *
 * @module
 */
import type { AddressClient } from "../app/address_lookups.ts";
import { type ErrnoName, errnoName, InputError, SocketError } from "../base/errors.ts";
import type { SocketLayer } from "../socket/layer.ts";
import { notADnsName } from "../wire/dns_name.ts";
import type { Dns } from "./dns_install.ts";
import type { Partition } from "./partition.ts";

/** What is called when a lookup is over: an error, or addresses. */
export type LookupDone = (error: SocketError | undefined, addresses: string[]) => void;

/** Those of one simulation. */
export class CodeLookups implements AddressClient {
  readonly #partition: Partition;
  readonly #dns: Dns;
  readonly #sockets: SocketLayer;
  readonly #client: number;
  readonly #waiting = new Map<number, { node: number; name: string; done: LookupDone }>();
  #next = 1;

  /** Asks with the resolvers of the hosts. */
  constructor(partition: Partition, dns: Dns, sockets: SocketLayer) {
    this.#partition = partition;
    this.#dns = dns;
    this.#sockets = sockets;
    this.#client = dns.addresses.addClient(this);
  }

  /** Asks for a name's addresses. Throws `RangeError` for what is no name. */
  lookup(node: number, name: string, done: LookupDone): void {
    const wrong = notADnsName(name);
    if (wrong !== undefined) throw new RangeError(`"${name}" is no domain name: it ${wrong}.`);
    const ticket = this.#next++;
    this.#waiting.set(ticket, { node, name, done });
    this.#dns.addresses.lookup(node, this.#dns.names.idOf(name), this.#client, ticket);
  }

  /** For snapshots, which cannot hold what code waits for. */
  visitState(): void {
    if (this.#waiting.size === 0) return;
    throw new InputError(
      "A snapshot cannot hold lookups of code: what is to be called when they are over is a closure.",
    );
  }

  /** See {@linkcode AddressClient}. */
  onAddresses(ticket: number, errno: number, list: number): void {
    const s = this.#partition;
    const { node, name, done } = this.#waiting.get(ticket)!;
    this.#waiting.delete(ticket);
    const addresses = errno === 0 ? this.#dns.answers.list(list).map((id) => s.addressText(id)) : [];
    const error = errno === 0 ? undefined : new SocketError(errnoName(errno) as ErrnoName, `lookup ${name}`);
    // Handlers never run within one another.
    this.#sockets.call(node, s.nowNs, () => done(error, addresses));
  }
}
