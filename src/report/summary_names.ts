/**
 * Lines of the summary about lookups, exchanges of datagrams, and where names led.
 *
 * @module
 */
import { formatCount } from "../base/units.ts";
import type { RunReport } from "./document.ts";
import { counted, seconds } from "./text.ts";

/** Names of which the spread is told. */
const NAMES_TOLD = 3;

/** Failures of lookups and exchanges, in words. */
export const NAME_GLOSS: Record<string, string> = {
  EAI_AGAIN: "no usable answer from a DNS server",
  EAI_NONAME: "no such name",
  EAI_NODATA: "a name without an address",
};

/** How `, 5 failed (…)` is said. */
type Reasons = (counts: Record<string, number>) => string;

/** Labels and texts, none where nothing of that happened. */
export function nameRows(report: RunReport, reasons: Reasons): [string, string][] {
  const { dns, datagrams } = report;
  const rows: [string, string][] = [];
  if (datagrams.exchanges > 0) {
    const { p50, p99 } = datagrams.replyMs;
    rows.push([
      "Datagrams",
      `${formatCount(datagrams.exchanges)} exchanges, ${formatCount(datagrams.answered)} answered` +
      reasons(datagrams.failed),
    ], [
      "",
      `${formatCount(datagrams.sent)} sent, ${formatCount(datagrams.received)} received, ` +
      `${formatCount(datagrams.timedOut)} timed out` +
      (p50 === null ? "" : `; answers after ${seconds(p50 / 1e3)} (median), 99% within ${seconds((p99 ?? 0) / 1e3)}`),
    ]);
  }
  if (dns.lookups > 0 || dns.served > 0) {
    rows.push([
      "Lookups",
      `${formatCount(dns.lookups)}, ${formatCount(dns.answered)} with an address` + reasons(dns.failed) +
      `; ${formatCount(dns.cacheHits)} answers from caches`,
    ], [
      "",
      `${counted(dns.queries, "query", "queries")} sent, ${formatCount(dns.timeouts)} timed out, ` +
      `${formatCount(dns.served)} answered by servers` +
      (dns.forwarded > 0 ? `, of which ${formatCount(dns.forwarded)} forwarded` : "") +
      (dns.truncated > 0 ? `; ${formatCount(dns.truncated)} too long, and cut` : ""),
    ]);
  }
  const names = report.targets.filter(({ target, name }) => target === name);
  for (const { target, addresses, established, least, most } of names.slice(0, NAMES_TOLD)) {
    rows.push([
      "Spread",
      `${target}: ${formatCount(established)} over ${counted(addresses, "address", "addresses")}, from ` +
      `${formatCount(least)} to ${formatCount(most)} each` +
      (established > 0 && addresses > 1 ? ` (even: ${evenShare(established / addresses)})` : ""),
    ]);
  }
  return rows;
}

/** Connections for each address if all had as many: of few, to one place. */
function evenShare(share: number): string {
  return share < 10 ? String(Math.round(share * 10) / 10) : formatCount(Math.round(share));
}
