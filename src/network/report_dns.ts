/**
 * What the report says about lookups, exchanges of datagrams, and where names led.
 *
 * @module
 */
import { compareAddresses } from "../base/address.ts";
import { errnoName } from "../base/errors.ts";
import type { TargetCount, TargetCounts } from "../app/target_counts.ts";
import type { RunReport, TargetReport } from "../report/document.ts";
import type { Partition } from "./partition.ts";

/** Addresses of one name that are told one by one. */
const MOST_ADDRESSES = 256;

/** Lookups of names. */
export function dnsReport(s: Partition): RunReport["dns"] {
  const stats = s.dns?.stats;
  return {
    lookups: stats?.lookups ?? 0,
    answered: stats?.answered ?? 0,
    failed: stats === undefined ? {} : byErrno(stats.failed),
    cacheHits: stats?.cacheHits ?? 0,
    queries: stats?.queries ?? 0,
    timeouts: stats?.timeouts ?? 0,
    served: stats?.served ?? 0,
    forwarded: stats?.forwarded ?? 0,
    truncated: stats?.truncated ?? 0,
    get lookupMs() {
      return quantiles(stats?.lookupUs.sorted() ?? new Uint32Array(0));
    },
  };
}

/** Exchanges of datagrams. */
export function datagramReport(s: Partition): RunReport["datagrams"] {
  const stats = s.datagrams;
  return {
    exchanges: stats.exchanges,
    answered: stats.answered,
    failed: byErrno(stats.failed),
    sent: stats.sent,
    received: stats.received,
    timedOut: stats.timedOut,
    get replyMs() {
      return quantiles(stats.replyUs.sorted());
    },
  };
}

/** Each name with what its addresses got all together, then each of its addresses. */
export function targetReports(s: Partition, targets: TargetCounts | undefined = s.dns?.targets): TargetReport[] {
  if (s.dns === undefined || targets === undefined) return [];
  const { names } = s.dns;
  const groups = new Map<string, TargetCount[]>();
  for (const count of targets.all) {
    const key = withPort(names.textOf(count.name), count.port);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [count]);
    else group.push(count);
  }
  return [...groups.entries()].sort(([a], [b]) => a < b ? -1 : 1).flatMap(([name, counts]) => {
    const established = counts.map((count) => count.established);
    const whole: TargetReport = {
      target: name,
      name,
      addresses: counts.length,
      established: established.reduce((a, b) => a + b, 0),
      failed: counts.reduce((sum, { failed }) => sum + failed, 0),
      least: established.reduce((a, b) => Math.min(a, b), Infinity),
      most: established.reduce((a, b) => Math.max(a, b), 0),
    };
    const sorted = counts.map((count) => ({ count, address: s.addresses.toAddress(count.address) }))
      .sort((a, b) => compareAddresses(a.address, b.address)).slice(0, MOST_ADDRESSES);
    const each = sorted.map(({ count }): TargetReport => ({
      target: withPort(s.addresses.toText(count.address), count.port),
      name,
      addresses: 1,
      established: count.established,
      failed: count.failed,
      least: count.established,
      most: count.established,
    }));
    return [whole, ...each];
  });
}

function withPort(host: string, port: number): string {
  if (port === 0) return host;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Counts that are not 0, by the names of errors. */
export function byErrno(counts: Int32Array): Record<string, number> {
  const named: Record<string, number> = {};
  for (let errno = 1; errno < counts.length; errno++) if (counts[errno] > 0) named[errnoName(errno)] = counts[errno];
  return named;
}

/** Exact quantiles (nearest rank) of µs values in ascending order, in ms. */
export function quantiles(sortedUs: Uint32Array): RunReport["connections"]["connectMs"] {
  const n = sortedUs.length;
  if (n === 0) return { p50: null, p90: null, p99: null, max: null };
  const at = (share: number) => sortedUs[Math.max(0, Math.ceil(n * share) - 1)] / 1000;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}
