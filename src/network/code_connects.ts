/**
 * Connections of user code to names: `HostHandle.connect` to a domain name, which its host's resolver looks up, or to a
 * host of the network by its own name. Of several addresses the first to answer is taken (Happy Eyeballs, RFC 8305).
 *
 * @module
 */
import type { AddressClient, LookupManner } from "../app/address_lookups.ts";
import {
  ATTEMPT_DELAY_NS,
  MOST_CANDIDATES,
  type RaceHolder,
  type RaceRules,
  Races,
  RESOLUTION_DELAY_NS,
} from "../app/happy_eyeballs.ts";
import { ERRNO, nearest } from "../base/errors.ts";
import type { ConnectOptions } from "../socket/connect_options.ts";
import type { SocketLayer } from "../socket/layer.ts";
import { remoteOf } from "../socket/rows.ts";
import { SOCKET_TIMER, type SocketOpener } from "../socket/runtime.ts";
import type { Socket } from "../socket/socket.ts";
import { TCP_EVENT } from "../tcp/state/states.ts";
import { WARM } from "../tcp/state/tcb.ts";
import { notADnsName } from "../wire/dns_name.ts";
import type { Partition } from "./partition.ts";

/** A socket that waits for its connection. */
interface Opening {
  socket: Socket;
  node: number;
  port: number;
  local: number;
  localPort: number;
  rules: RaceRules;
  /** Number of the domain name, 0 for none. */
  name: number;
  /** The race that more addresses are to come for, 0 for none. */
  race: number;
  /** Is its name being looked up? */
  asking: boolean;
  /** Has it a connection, or none ever? */
  over: boolean;
}

const { CONNECTED, FAILED, ERROR_REPORT } = TCP_EVENT;
const { APP_STATE, STRIDE } = WARM;

/** Those of one layer of sockets. */
export class CodeConnects implements AddressClient, RaceHolder, SocketOpener {
  readonly #partition: Partition;
  readonly #sockets: SocketLayer;
  readonly #races: Races;
  /** Number among those who ask for addresses, once one has to be asked for. */
  #client = -1;
  readonly #openings = new Map<number, Opening>();
  /** Connections that are attempts. */
  readonly #attempts = new Set<number>();
  #next = 1;

  /** For the sockets of one layer. */
  constructor(partition: Partition, sockets: SocketLayer) {
    this.#partition = partition;
    this.#sockets = sockets;
    const timerCode = SOCKET_TIMER.NEXT_ATTEMPT;
    this.#races = new Races({ runtime: partition, app: sockets.app, timerCode, holder: this });
  }

  /** See {@linkcode SocketOpener}. */
  connect(node: number, options: ConnectOptions): Socket {
    const s = this.#partition;
    const { address: text, port, localAddress, localPort = 0 } = options;
    const rules = rulesOf(options);
    const own = this.#ownAddresses(text);
    const local = localAddress === undefined ? 0 : s.addressId(localAddress);
    const ticket = this.#next++;
    const socket = this.#sockets.unopened(node, options, () => this.#giveUp(ticket));
    const opening: Opening = {
      socket,
      node,
      port,
      local,
      localPort,
      rules,
      name: 0,
      race: 0,
      asking: false,
      over: false,
    };
    this.#openings.set(ticket, opening);
    s.stats.attempted++;
    const family = local === 0 ? options.family ?? "any" : s.addresses.isIpv6(local) ? "ipv6" : "ipv4";
    if (local !== 0 && !s.hasAddress(node, local)) this.lost(ERRNO.EADDRNOTAVAIL, ticket);
    else if (own !== undefined) {
      const fits = (id: number) => family === "any" || s.addresses.isIpv6(id) === (family === "ipv6");
      const usable = own.filter((id) => fits(id) && s.sourceFor(node, id) !== 0);
      if (usable.length === 0) this.lost(ERRNO.ENETUNREACH, ticket);
      else this.#races.begin({ ...opening, number: ticket }, usable);
    } else if (s.dns === undefined) this.lost(ERRNO.EAI_AGAIN, ticket);
    else {
      if (this.#client < 0) this.#client = s.dns.addresses.addClient(this);
      opening.name = s.dns.names.idOf(text);
      opening.asking = true;
      s.dns.addresses.lookup(node, opening.name, this.#client, ticket, mannerOf(options, family));
    }
    return socket;
  }

  /** See {@linkcode AddressClient}. */
  onAddresses(ticket: number, errno: number, list: number, more: boolean): void {
    const { dns } = this.#partition;
    const opening = this.#openings.get(ticket)!;
    const { name, port, race, over } = opening;
    opening.asking = more;
    const addresses = errno === 0 ? dns!.answers.list(list) : [];
    for (const address of addresses) dns!.targets.of(name, address, port);
    if (race !== 0) this.#races.complete(race, addresses);
    else if (!over) {
      if (errno !== 0) this.lost(errno, ticket);
      else {opening.race = this.#races.begin(
          { ...opening, number: ticket, startedUs: startedUs(opening) },
          addresses,
          more,
        );}
    }
    if (opening.over && !more) this.#openings.delete(ticket);
  }

  /** See {@linkcode SocketOpener}. */
  onTcp(kind: number, connection: number, argument: number): void {
    if (!this.#attempts.has(connection)) return;
    const ticket = this.#partition.tcp.warm[connection * STRIDE + APP_STATE];
    const opening = this.#openings.get(ticket)!;
    switch (kind) {
      case CONNECTED:
        this.#attempts.delete(connection);
        this.#count(opening, connection, true);
        this.#races.won(connection);
        this.#over(ticket);
        return this.#sockets.opened(opening.socket, connection);
      case FAILED:
        this.#attempts.delete(connection);
        this.#count(opening, connection, false);
        return this.#races.failed(connection, argument);
      case ERROR_REPORT:
        return this.#sockets.troubled(opening.socket, argument);
    }
  }

  /** See {@linkcode SocketOpener}. */
  onTimer(race: number): void {
    this.#races.continue(race);
  }

  /** See {@linkcode RaceHolder}. */
  attempted(connection: number, ticket: number): void {
    this.#partition.tcp.warm[connection * STRIDE + APP_STATE] = ticket;
    this.#attempts.add(connection);
  }

  /** See {@linkcode RaceHolder}. */
  givenUp(connection: number): void {
    this.#attempts.delete(connection);
    this.#partition.close(connection);
  }

  /** See {@linkcode RaceHolder}. */
  lost(errno: number, ticket: number): void {
    const { socket } = this.#openings.get(ticket)!;
    this.#over(ticket);
    this.#partition.stats.failed[errno]++;
    this.#sockets.unopenable(socket, errno);
  }

  /** Where connections to a name went, for the report. */
  #count({ name, port }: Opening, connection: number, established: boolean): void {
    if (name === 0) return;
    const s = this.#partition;
    const count = s.dns!.targets.of(name, remoteOf(s.tcp, connection), port);
    if (established) count.established++;
    else count.failed++;
  }

  /** Its socket was closed before it was open. */
  #giveUp(ticket: number): void {
    this.#races.abandon(ticket);
    this.#over(ticket);
  }

  #over(ticket: number): void {
    const opening = this.#openings.get(ticket)!;
    opening.over = true;
    if (!opening.asking) this.#openings.delete(ticket);
  }

  /** The addresses of a host of the network; undefined for what has to be looked up. */
  #ownAddresses(text: string): number[] | undefined {
    const { nodes, dns } = this.#partition;
    const match = /^([^[\]]+)(?:\[(\d+)\])?$/.exec(text);
    const population = match === null ? undefined : nodes.population(match[1]);
    const member = Number(match?.[2] ?? 0);
    if (population !== undefined && member < population.count) {
      const addresses = nodes.addressesOf(population.firstRow + member).filter((id) => id !== 0);
      if (addresses.length > 0) return addresses;
      throw new RangeError(`${text} has no address.`);
    }
    const wrong = notADnsName(text);
    if (wrong !== undefined) throw new RangeError(`"${text}" is no address, no host and no domain name: it ${wrong}.`);
    const isMember = population !== undefined || text.includes("[");
    if (!isMember && (dns !== undefined || text.includes("."))) return undefined;
    const near = isMember ? undefined : nearest(text, nodes.populations.map(({ name }) => name));
    throw new RangeError(`There is no host called "${text}".${near === undefined ? "" : ` Did you mean "${near}"?`}`);
  }
}

/** When a socket was told to connect, in 31 bits of µs. */
function startedUs({ socket }: Opening): number {
  return (socket.startedNs / 1000) | 0;
}

function rulesOf(options: ConnectOptions): RaceRules {
  const { happyEyeballs = true, attemptDelayNs = ATTEMPT_DELAY_NS.RECOMMENDED, preferredFamily } = options;
  const { LEAST, MOST } = ATTEMPT_DELAY_NS;
  if (!(Number.isSafeInteger(attemptDelayNs) && attemptDelayNs >= LEAST && attemptDelayNs <= MOST)) {
    throw new RangeError(`attemptDelayNs: whole nanoseconds, 10 ms to 1 min, not ${attemptDelayNs}.`);
  }
  const prefersIpv6 = preferredFamily !== "ipv4";
  return happyEyeballs
    ? { prefersIpv6, firstCount: 1, delayNs: attemptDelayNs }
    : { prefersIpv6, firstCount: MOST_CANDIDATES, delayNs: Infinity };
}

function mannerOf({ happyEyeballs = true, preferredFamily = "ipv6" }: ConnectOptions, family: LookupManner["family"]) {
  return happyEyeballs ? { family, preferred: preferredFamily, resolutionDelayNs: RESOLUTION_DELAY_NS } : { family };
}
