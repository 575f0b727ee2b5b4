/**
 * Where workloads' destinations lead: to hosts themselves, or by way of gateways, balancers and proxies.
 *
 * @module
 */
import { addToAddress, formatAddress, type IpAddress } from "../base/address.ts";
import { NODE_KIND } from "../node/nodes.ts";
import { isServedBy, leadsThere } from "./balancer_plan.ts";
import { addressSpan } from "./build.ts";
import { forwardedBy, gatewaysAt } from "./forwarded.ts";
import type { WorkloadOptions } from "./options.ts";
import type { Members, Plan, PlannedPopulation } from "./plan.ts";
import { proxyOf } from "./proxies.ts";

/** A destination as declared: members of a population, or a bare address. */
export interface Destination {
  /** As declared. */
  text: string;
  subject: string;
  members: Members | undefined;
  first: IpAddress;
  count: number;
  port: number;
  /** A domain name to be looked up, and where it is known to lead. */
  name?: string;
  addresses?: IpAddress[];
  /** What DNS64 makes of these for sources of a population. */
  embedded?: { population: PlannedPopulation; addresses: IpAddress[] }[];
  /** IPv6 address of the first beside `first`, the others' following, and how many of a million have one. */
  first6?: IpAddress;
  share6?: number;
}

/** Do connections to a destination get to `port` of a host of `population`? */
export function leadsTo(plan: Plan, to: Destination, population: PlannedPopulation, port: number): boolean {
  return leadsStraightTo(plan, to, population, port) || plan.populations.some((one) => {
    const proxy = proxyOf(one);
    if (proxy === undefined || one === population || !leadsStraightTo(plan, to, one, proxy.port)) return false;
    return leadsThere(plan, proxy.backends, population, port, { subject: `nodes.${one.name}.proxy` });
  });
}

/** As `leadsTo`, with no proxy in between. */
function leadsStraightTo(plan: Plan, to: Destination, population: PlannedPopulation, port: number): boolean {
  const forwarded = gatewaysAt(plan, to).flatMap((gateway) => forwardedBy(plan, gateway, to.port));
  if (forwarded.length > 0) return forwarded.some((one) => one.population === population && one.port === port);
  return (to.port === port && reaches(to, population)) ||
    isServedBy(plan, to.addresses ?? [to.first], to.port, population, port);
}

/** Is a destination a host of this population, or a gateway, any host behind which may have its port mapped there? */
function reaches(to: Destination, population: PlannedPopulation): boolean {
  if (to.members !== undefined) {
    return to.members.population === population || to.members.population.kind === NODE_KIND.NAT;
  }
  if (to.addresses !== undefined) {
    return to.addresses.some((first) => reaches({ ...to, first, addresses: undefined }, population));
  }
  const text = formatAddress(to.first);
  if ([...population.extra, ...population.virtual].some((address) => formatAddress(address) === text)) return true;
  for (let i = 0; i < Math.min(addressSpan(population), 4096); i++) {
    if (formatAddress(addToAddress(population.address, i)) === text) return true;
  }
  return false;
}

/** What the first workload that connects to a population's proxy asks and gets. */
export function proxiedSizes(
  plan: Plan,
  population: PlannedPopulation,
  workloads: readonly { to: Destination[]; options: WorkloadOptions }[],
): { requestBytes: number; replyBytes: number } | undefined {
  const port = proxyOf(population)!.port;
  const first = workloads.find(({ to }) => to.some((one) => leadsStraightTo(plan, one, population, port)));
  return first && { requestBytes: first.options.requestBytes ?? 100, replyBytes: first.options.replyBytes ?? 1000 };
}
