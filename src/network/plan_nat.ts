/**
 * What a NAT is declared with: pool, ports, what is not translated.
 *
 * @module
 */
import { addressDistance, compareAddresses, formatAddress, type IpPrefix, networkOf } from "../base/address.ts";
import { NetworkError } from "./errors.ts";
import type { NatOptions } from "./options.ts";
import type { PlannedPopulation } from "./plan.ts";
import { addressOf, hostsAddressOf } from "./plan_addresses.ts";

/** What a NAT is declared with, beside what all nodes are. */
export function planNat(planned: PlannedPopulation, options: NatOptions, subject: string): void {
  if (options.pool !== undefined) planPool(planned, options.pool, subject);
  if (options.untranslated !== undefined) {
    planned.untranslated = planUntranslated(planned, options.untranslated, subject);
  }
  if (options.insideAddress !== undefined) {
    planned.innerAddress = hostsAddressOf(options.insideAddress, `${subject}.insideAddress`).address;
  }
  const low = options.portLow ?? 1024;
  const high = options.portHigh ?? 65535;
  if (!(Number.isInteger(low) && Number.isInteger(high) && low >= 1 && high <= 65535 && low <= high)) {
    throw new NetworkError(`${subject}.ports`, `A port range goes upwards within 1 to 65535, not ${low}-${high}.`);
  }
}

function planPool(planned: PlannedPopulation, options: NonNullable<NatOptions["pool"]>, subject: string): void {
  const ranges = (Array.isArray(options) ? options : [options]).map(({ first, count }) => {
    if (!Number.isInteger(count) || count < 1) {
      throw new NetworkError(`${subject}.pool`, `A pool has at least one address, not ${count}.`);
    }
    return { first: hostsAddressOf(first, `${subject}.pool`).address, count };
  });
  if (ranges.length === 0) throw new NetworkError(`${subject}.pool`, "A pool has at least one address, not none.");
  const { first } = ranges[0];
  const count = ranges.reduce((sum, range) => sum + range.count, 0);
  planned.pool = { first, count, atAddress: compareAddresses(first, planned.address) === 0 };
  if (ranges.length === 1) return;
  if (planned.count > 1) {
    throw new NetworkError(`${subject}.pool`, "A pool of several ranges is that of one gateway, not of a population.");
  }
  const sorted = ranges.toSorted((x, y) => compareAddresses(x.first, y.first));
  for (let i = 1; i < sorted.length; i++) {
    const before = sorted[i - 1];
    if (sorted[i].first.family !== first.family || before.first.family !== first.family) {
      throw new NetworkError(`${subject}.pool`, "A pool's addresses are of one family.");
    }
    if (addressDistance(before.first, sorted[i].first) < before.count) {
      throw new NetworkError(`${subject}.pool`, `The pool has ${formatAddress(sorted[i].first)} twice.`);
    }
  }
  planned.poolRanges = ranges;
}

function planUntranslated(
  planned: PlannedPopulation,
  options: NonNullable<NatOptions["untranslated"]>,
  subject: string,
): PlannedPopulation["untranslated"] {
  if (planned.count > 1) {
    throw new NetworkError(
      `${subject}.untranslated`,
      "Inner addresses that are known outside are those of one gateway, not of a population of them.",
    );
  }
  const prefix = (text: string, at: string): IpPrefix => {
    const { address, bits } = addressOf(text, at);
    if (address.family !== 4) throw new NetworkError(at, `What a gateway leaves untranslated is IPv4, not ${text}.`);
    return { address: networkOf({ address, bits }), bits };
  };
  for (const port of options.ports ?? []) {
    if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
      throw new NetworkError(`${subject}.untranslated.ports`, `A port is a whole number from 0 to 65535, not ${port}.`);
    }
  }
  return {
    inside: prefix(options.inside, `${subject}.untranslated.inside`),
    to: options.to.map((text, i) => prefix(text, `${subject}.untranslated.to[${i}]`)),
    ports: options.ports ?? [],
  };
}
