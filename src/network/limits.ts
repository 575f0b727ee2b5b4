/**
 * Which limits refused something, where, how often and since when: one record for each (limit, population).
 *
 * @module
 */
import { formatCount, formatDurationNs } from "../base/units.ts";
import { type PlainValue, type StateVisitor, visitMap } from "../base/state.ts";
import type { LimitName } from "../base/limit_names.ts";
import { NODE } from "../node/nodes.ts";
import type { Profile } from "../transport/profile.ts";
import type { Partition } from "./partition.ts";

/** One limit of one population. */
export interface LimitRecord {
  limit: LimitName;
  /** Name of the population. */
  node: string;
  /** Most used at once, as far as refusals showed it. */
  used: number;
  /** What there is, for each member. */
  capacity: number;
  /** First refusal, ns. */
  firstNs: number;
  /** Refusals. */
  refused: number;
  /** What is counted. */
  detail: string;
}

/** Refusals of one partition; a cold structure: it is touched only when something is refused. */
export class LimitRecords {
  /** Records by `limit node`. */
  readonly byKey: Map<string, LimitRecord> = new Map();
  /** The destination of the last connect that found no port. */
  #remote = 0;
  #port = 0;

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    visitMap(v, this.byKey as unknown as Map<string, PlainValue>);
    this.#remote = v.number(this.#remote);
    this.#port = v.number(this.#port);
  }

  /** Counts a refusal by `limit` at a member of population `node`. */
  refuse(limit: LimitName, node: string, nowNs: number, used: number, capacity: number, detail = ""): void {
    const key = `${limit} ${node}`;
    let record = this.byKey.get(key);
    if (record === undefined) {
      record = { limit, node, used, capacity, firstNs: nowNs, refused: 0, detail };
      this.byKey.set(key, record);
    }
    record.refused++;
    if (used <= record.used) return;
    record.used = used;
    record.capacity = capacity;
  }

  /** Counts a connect that found no ephemeral port. */
  portsRefused(partition: Partition, node: number, remote: number, remotePort: number): void {
    const population = partition.nodes.populations[partition.nodes.words[node * NODE.STRIDE + NODE.POPULATION]];
    const key = `ports ${population.name}`;
    const known = this.byKey.get(key);
    if (known !== undefined) {
      known.refused++;
      // Of several at the first instant, the same one is told of, whoever came first.
      if (known.firstNs !== partition.nowNs || (remote === this.#remote && remotePort === this.#port)) return;
    }
    this.#remote = remote;
    this.#port = remotePort;
    const profile = partition.profiles.get(partition.hosts.profileOf(node));
    const range = profile.ephemeralPortHigh - profile.ephemeralPortLow + 1;
    const target = partition.addresses.isIpv6(remote)
      ? `[${partition.addresses.toText(remote)}]:${remotePort}`
      : `${partition.addresses.toText(remote)}:${remotePort}`;
    const detail = profile.portAllocation === "host-wide"
      ? `ephemeral ports ${rangeText(profile)}, each used once on the whole host`
      : ephemeralPortsText(profile, target);
    if (known !== undefined) {
      if (detail < known.detail) known.detail = detail;
      return;
    }
    this.refuse("ports", population.name, partition.nowNs, range, range, detail);
  }

  /** Counts a UDP socket that found no port: these are the host's, whatever the destination. */
  datagramPortsRefused(partition: Partition, node: number): void {
    const population = partition.nodes.populations[partition.nodes.words[node * NODE.STRIDE + NODE.POPULATION]];
    const profile = partition.profiles.get(partition.hosts.profileOf(node));
    const range = profile.ephemeralPortHigh - profile.ephemeralPortLow + 1;
    const detail = `ephemeral UDP ports ${rangeText(profile)}, one for each socket`;
    this.refuse("ports", population.name, partition.nowNs, range, range, detail);
  }
}

/** `(32,768 to 60,999)`. */
function rangeText({ ephemeralPortLow: low, ephemeralPortHigh: high }: Readonly<Profile>): string {
  return low === high ? `(${formatCount(low)} alone)` : `(${formatCount(low)} to ${formatCount(high)})`;
}

/** What is counted where a host runs out of ports: which ports, towards whom; and TIME_WAIT where it is not Linux's. */
export function ephemeralPortsText(profile: Readonly<Profile>, target: string): string {
  const rest = profile.timeWaitNs === 60e9 ? "" : `; TIME_WAIT of ${formatDurationNs(profile.timeWaitNs, 3)}`;
  return `ephemeral ports ${rangeText(profile)} towards ${target}${rest}`;
}
