/**
 * Gateways from their declarations.
 *
 * @module
 */
import { type AddressTable, addToAddress, type IpPrefix, parseAddress } from "../base/address.ts";
import { addForward, ipv4Prefix, nat64Prefix, type NatProfileOptions, type NatTables } from "../nat/nat.ts";
import { NODE, NODE_FLAG, type Nodes } from "../node/nodes.ts";
import { located, NetworkError } from "./errors.ts";
import type { NatOptions } from "./options.ts";
import type { PlannedPopulation } from "./plan.ts";

const { MASK, STRIDE } = NODE;

/** The id of the first address of gateway `i`'s pool. */
export function poolId({ pool }: PlannedPopulation, i: number, addresses: AddressTable): number {
  return addresses.intern(addToAddress(pool.first, i * pool.count));
}

/** Makes the gateways of a population. */
export function fillGateways(
  population: PlannedPopulation,
  nodes: Nodes,
  nat: NatTables,
  addresses: AddressTable,
): void {
  const options = population.declaration.options as NatOptions;
  const subject = `nodes.${population.name}`;
  const profile = located(subject, () => nat.addProfile(profileOptions(options, population)));
  for (let i = 0; i < population.count; i++) {
    const node = population.firstRow + i;
    const at = (node * STRIDE) & MASK;
    const gateway = nat.addGateway({
      name: population.plural ? `${population.name}[${i}]` : population.name,
      rank: population.firstRank + i,
      externalAddress: poolId(population, i, addresses),
      externalCount: population.pool.count,
      externalRanges: population.poolRanges?.map(({ first, count }) => ({ first: addresses.intern(first), count })),
      profile,
    });
    nodes.words[at + NODE.GATEWAY] = gateway;
    if (population.ipv6.nat64 !== undefined) nat.extrasOf(gateway).nat64 = nat64Prefix(population.ipv6.nat64);
    if (population.untranslated !== undefined) {
      const { inside, to, ports } = population.untranslated;
      const prefix = ({ address, bits }: IpPrefix) => ipv4Prefix(address.words[0], bits);
      nat.extrasOf(gateway).untranslated = { inside: prefix(inside), to: to.map(prefix), ports };
      nodes.words[at + NODE.FLAGS] |= NODE_FLAG.UNTRANSLATED;
    }
    if (options.onRefusal === "icmp") nodes.words[at + NODE.FLAGS] |= NODE_FLAG.REFUSES_WITH_ICMP;
    for (const forward of options.forwards ?? []) {
      located(`${subject}.forwards`, () => {
        addForward(nat, gateway, {
          protocol: forward.protocol,
          externalAddress: forward.externalAddress === undefined
            ? undefined
            : addresses.intern(forward.externalAddress),
          externalPort: forward.externalPort,
          internalAddress: addresses.intern(forward.address),
          internalPort: forward.port,
        });
      });
    }
  }
}

/** A deterministic NAT's subscribers are told by words of their addresses, and each must get a port. */
function profileOptions(options: NatOptions, population: PlannedPopulation): NatProfileOptions {
  // What RFC 6146 3.5 asks of a NAT64: endpoint-independent, and kept alive by packets of both directions.
  const nat64: NatProfileOptions = population.ipv6.nat64 === undefined
    ? {}
    : { mapping: "endpoint-independent", filtering: "endpoint-independent", refresh: "both" };
  const { deterministic, ...given } = options;
  const rest = { ...nat64, ...given };
  if (deterministic === undefined) return rest;
  const subject = `nodes.${population.name}.deterministic`;
  const first = located(subject, () => parseAddress(deterministic.first));
  if (first.family === 6 && population.ipv6.nat64 === undefined) {
    throw new NetworkError(subject, "A deterministic NAT's subscribers have IPv4 addresses, but for a NAT64's.");
  }
  const last = first.words[first.words.length - 1] >>> 0;
  if (last + deterministic.count > 2 ** 32) {
    throw new NetworkError(subject, "A deterministic NAT's subscribers differ in the last 32 bits of their addresses.");
  }
  const ports = (options.portHigh ?? 65_535) - (options.portLow ?? 1024) + 1;
  const share = Math.ceil(deterministic.count / population.pool.count);
  if (share > ports) {
    throw new NetworkError(
      subject,
      `${deterministic.count} subscribers of ${population.pool.count} external addresses would be ${share} for the ` +
        `${ports} ports of each: there must be a port for everyone.`,
    );
  }
  return { ...rest, deterministic: { first: last, count: deterministic.count, prefix: first.words.slice(0, -1) } };
}
