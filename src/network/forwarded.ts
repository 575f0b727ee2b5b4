/**
 * Where gateways' port forwards lead.
 *
 * @module
 */
import { addToAddress, formatAddress, parseAddress } from "../base/address.ts";
import { NODE_KIND } from "../node/nodes.ts";
import type { Destination } from "./destinations.ts";
import type { NatOptions } from "./options.ts";
import { addressOffset, type Plan, type PlannedPopulation, poolRangesOf } from "./plan.ts";

/** Addresses of a population that are looked through. */
const MOST_ADDRESSES = 4096;

/** The gateways at whose external addresses a destination is. */
export function gatewaysAt(plan: Plan, to: Destination): PlannedPopulation[] {
  const wanted = new Set((to.addresses ?? [to.first]).map(formatAddress));
  return plan.populations.filter((population) => {
    if (population.kind !== NODE_KIND.NAT) return false;
    if (to.members !== undefined) return to.members.population === population;
    const own = [{ first: population.address, count: population.count }, ...poolRangesOf(population)];
    return own.some(({ first, count }) => {
      for (let i = 0; i < Math.min(count, MOST_ADDRESSES); i++) {
        if (wanted.has(formatAddress(addToAddress(first, i)))) return true;
      }
      return false;
    });
  });
}

/** What a gateway's forwards of this external port lead to, from gateway to gateway, within its inner realm. */
export function forwardedBy(
  plan: Plan,
  gateway: PlannedPopulation,
  externalPort: number,
): { population: PlannedPopulation; port: number }[] {
  const { forwards = [] } = gateway.declaration.options as NatOptions;
  return forwards.filter((forward) => forward.externalPort === externalPort).flatMap(({ address, port }) => {
    const text = formatAddress(parseAddress(address));
    return innerPopulations(plan, gateway).filter((population) => hasAddress(population, text)).flatMap(
      // (A gateway within is further in, so that this ends.)
      (population) => population.kind === NODE_KIND.NAT ? forwardedBy(plan, population, port) : [{ population, port }],
    );
  });
}

function hasAddress(population: PlannedPopulation, text: string): boolean {
  if (population.extra.some((address) => formatAddress(address) === text)) return true;
  for (let i = 0; i < Math.min(population.count, MOST_ADDRESSES); i++) {
    if (formatAddress(addToAddress(population.address, addressOffset(population, i))) === text) return true;
  }
  return false;
}

/** The populations of a gateway's inner realm; of further gateways only those that are in it with their outer side. */
function innerPopulations(plan: Plan, gateway: PlannedPopulation): PlannedPopulation[] {
  const found = new Set<PlannedPopulation>();
  const reach = (from: PlannedPopulation) => {
    for (const { a, b, insideOfA, insideOfB } of plan.links) {
      for (
        const [near, far, inside, insideOfFar] of [[a, b, insideOfA, insideOfB], [b, a, insideOfB, insideOfA]] as const
      ) {
        if (near.population !== from || (from === gateway && !inside)) continue;
        if (far.population === gateway || insideOfFar || found.has(far.population)) continue;
        found.add(far.population);
        if (far.population.kind !== NODE_KIND.NAT) reach(far.population);
      }
    }
  };
  reach(gateway);
  return [...found];
}
