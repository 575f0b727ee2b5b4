/**
 * Destinations of workloads that are domain names: who can look them up, and where they are known to lead.
 *
 * @module
 */
import type { IpAddress } from "../base/address.ts";
import { canonicalName, notADnsName } from "../wire/dns_name.ts";
import { addressesOfName, type DnsPlan, embeddedOfName } from "./dns_plan.ts";
import { NetworkError } from "./errors.ts";
import type { Members } from "./plan.ts";

/** A destination that is a name. */
export interface NamedDestination {
  text: string;
  subject: string;
  members: undefined;
  /** None is known before the name is looked up. */
  first: IpAddress;
  count: 1;
  port: number;
  /** In canonical form. */
  name: string;
  /** What the servers of the network would say, all together. */
  addresses: IpAddress[];
  /** What DNS64 makes of these for sources of a population. */
  embedded: { population: Members["population"]; addresses: IpAddress[] }[];
}

const NOWHERE: IpAddress = { family: 4, words: [0] };

/** Is `host` of a destination a domain name, and not a node's? */
export function isName(host: string, nodes: ReadonlyMap<string, unknown>, dns: DnsPlan): boolean {
  if (nodes.has(host.replace(/\[.*$/, "")) || !/^[\w.-]+$/.test(host) || notADnsName(host) !== undefined) return false;
  return host.includes(".") || addressesOfName(dns, host).length > 0;
}

/** Plans it. Throws `NetworkError` where a source has nobody to ask. */
export function planNamed(
  text: string,
  subject: string,
  host: string,
  port: number,
  from: Members[],
  dns: DnsPlan,
): NamedDestination {
  for (const { population } of from) {
    if (dns.resolvers.some((resolver) => resolver.population === population)) continue;
    throw new NetworkError(
      subject,
      `${population.name} has nobody to ask for ${host}: give it a resolver, such as resolver: 192.0.2.53.`,
    );
  }
  const wrong = notADnsName(host);
  if (wrong !== undefined) throw new NetworkError(subject, `"${host}" is no domain name: it ${wrong}.`);
  const addresses = addressesOfName(dns, host);
  const embedded = from.map(({ population }) => ({ population, addresses: embeddedOfName(dns, population, host) }));
  const name = canonicalName(host);
  return { text, subject, members: undefined, first: NOWHERE, count: 1, port, name, addresses, embedded };
}
