/**
 * From planned DNS servers and resolvers to applications.
 *
 * @module
 */
import type { Stateful, StateVisitor } from "../base/state.ts";
import { AddressLookups } from "../app/address_lookups.ts";
import { DnsAnswers } from "../app/dns_answers.ts";
import { DnsLookups, type LookupSettings } from "../app/dns_lookups.ts";
import { DnsNames } from "../app/dns_names.ts";
import { DnsServer } from "../app/dns_server.ts";
import { DnsStats } from "../app/dns_stats.ts";
import { type DnsEntry, DnsZones } from "../app/dns_zone.ts";
import { TargetCounts } from "../app/target_counts.ts";
import { substreamKey } from "../base/rng.ts";
import { DNS_PORT } from "../wire/dns.ts";
import type { CodeLookups } from "./code_lookups.ts";
import type { DnsPlan, PlannedServer } from "./dns_plan.ts";
import { NetworkError } from "./errors.ts";
import type { Partition } from "./partition.ts";
import { follow } from "./reachability.ts";

/** DNS of a partition. */
export interface Dns extends Stateful {
  names: DnsNames;
  answers: DnsAnswers;
  stats: DnsStats;
  /** Where connections to names went. */
  targets: TargetCounts;
  /** What hosts ask with. */
  addresses: AddressLookups;
  /** The resolvers of hosts, and the asking half of servers that forward. */
  stubs: DnsLookups;
  forwarders: DnsLookups;
  /** Lookups of user code, once there was one. */
  code?: CodeLookups;
}

/** Binds the servers' ports and sets the resolvers up. Throws `NetworkError`. */
export function installDns(s: Partition, plan: DnsPlan, seed: number): Dns {
  const names = new DnsNames();
  const answers = new DnsAnswers();
  const stats = new DnsStats();
  const lookups = (purpose: string) => {
    const made = new DnsLookups({ runtime: s, app: s.apps.length, names, answers, stats, seed, purpose });
    s.apps.push(made);
    return made;
  };
  const stubs = lookups("dns query ids");
  const forwarders = lookups("dns forwarded query ids");
  for (const { population, subject, servers, ...rest } of plan.resolvers) {
    const settings: LookupSettings = { servers: servers.map((server) => s.addresses.intern(server)), ...rest };
    for (const server of settings.servers) checkWay(s, population.firstRow, population.count, server, subject);
    stubs.configure(population.firstRow, population.count, settings);
  }
  for (const server of plan.servers) installServer(s, server, forwarders, seed);
  const addresses = new AddressLookups(s, s.apps.length, stubs);
  s.apps.push(addresses);
  const targets = new TargetCounts();
  // (The lookups are applications, which show their state themselves.)
  const visitState = (v: StateVisitor) => {
    for (const part of [names, answers, stats, targets]) part.visitState(v);
  };
  return { names, answers, stats, targets, addresses, stubs, forwarders, visitState };
}

function installServer(s: Partition, server: PlannedServer, lookups: DnsLookups, seed: number): void {
  const { population, subject, zones, negativeTtl, forward } = server;
  const { names } = lookups;
  const entries = server.names.map(({ name, addresses, alias, ttl, order }): DnsEntry => {
    const ids = (family: number) =>
      addresses.filter((address) => address.family === family).map((address) => s.addresses.intern(address));
    return {
      name: names.idOf(name),
      ipv4: ids(4),
      ipv6: ids(6),
      alias: alias === undefined ? 0 : names.idOf(alias),
      ttl,
      order,
    };
  });
  const app = s.apps.length;
  s.apps.push(
    new DnsServer({
      runtime: s,
      plan: {
        zones: new DnsZones({ zones, entries, names, negativeTtl }),
        forwards: forward !== undefined,
        cachedOrder: server.forwardOrder,
        dns64: server.dns64,
        mostBytes: server.mostBytes,
      },
      lookups,
      key: substreamKey(seed, "dns order", ""),
    }),
  );
  if (forward !== undefined) {
    const upstream = s.addresses.intern(forward);
    checkWay(s, population.firstRow, population.count, upstream, `${subject}.forward`);
    // One try within the five seconds that clients wait, and one after.
    const settings = { servers: [upstream], timeoutNs: 2e9, attempts: 3, cache: true };
    lookups.configure(population.firstRow, population.count, settings);
  }
  for (let i = 0; i < population.count; i++) {
    const socket = s.openDatagram(population.firstRow + i, app);
    if (socket < 0) throw new NetworkError(subject, `${population.name} has no files or memory for its port.`);
    if (s.udp.bind(socket, 0, DNS_PORT) < 0) {
      throw new NetworkError(subject, `UDP port ${DNS_PORT} of ${population.name} is taken already.`);
    }
  }
}

/** Packets of the first and the last of these nodes must get there. */
function checkWay(s: Partition, first: number, count: number, server: number, subject: string): void {
  for (const node of count > 1 ? [first, first + count - 1] : [first]) {
    const stopped = follow(s, node, server);
    if (stopped === undefined) continue;
    throw new NetworkError(
      subject,
      `${s.addresses.toText(server)} cannot be reached from ${s.nodes.nameOf(node)}: ${stopped}.`,
    );
  }
}
