/**
 * What the summary says of balancers and proxies.
 *
 * @module
 */
import { formatCount } from "../base/units.ts";
import type { BalancerReport, ProxyReport, RunReport } from "./document.ts";
import { counted } from "./text.ts";

/** Balancers, proxies and back ends of each that are told of one by one. */
const MOST_TOLD = 6;

/** Why flows were refused, in words. */
export const BALANCER_GLOSS: Record<string, string> = {
  "no-backend": "no back end was up",
  "no-port": "no source port left",
  "table-full": "no room in the flow table",
};

/** Lines about balancers and proxies: a label and a text. `refusals` writes counts by reason. */
export function balancerRows(
  { balancers, proxies }: Pick<RunReport, "balancers" | "proxies">,
  refusals: (counts: Record<string, number>) => string,
): [string, string][] {
  return [
    ...rows("Balancers", balancers, (one) => balancerText(one, refusals)),
    ...rows("Proxies", proxies, proxyText),
  ];
}

function rows<T>(label: string, all: T[], text: (one: T) => string): [string, string][] {
  const told = all.slice(0, MOST_TOLD).map((one, i): [string, string] => [i === 0 ? label : "", text(one)]);
  const more = all.length - told.length;
  return more > 0 ? [...told, ["", `and ${formatCount(more)} more: --json lists them`]] : told;
}

function balancerText(
  { node, connections, broken, refused, backends }: BalancerReport,
  refusals: (counts: Record<string, number>) => string,
): string {
  const least = backends.reduce((few, one) => Math.min(few, one.connections), Infinity);
  const most = backends.reduce((many, one) => Math.max(many, one.connections), 0);
  const each = least === most ? `${formatCount(most)} each` : `${formatCount(least)} to ${formatCount(most)} each`;
  const shares = backends.length === 1 ? backends[0].name : `${formatCount(backends.length)} back ends, ${each}`;
  const away = backends.filter(({ state }) => state !== "up");
  const names = away.slice(0, MOST_TOLD).map(({ name, state }) => `${name} is ${state}`);
  if (away.length > names.length) names.push(`${formatCount(away.length - names.length)} more are not up`);
  return `${node}: ${counted(connections, "flow")} to ${shares}` + refusals(refused) +
    (broken > 0 ? `; ${formatCount(broken)} broke` : "") + (names.length > 0 ? `; at the end ${names.join(", ")}` : "");
}

function proxyText({ node, requests, replies, clients, refused, opened, reused, peakBackend }: ProxyReport): string {
  const asked = requests === 0
    ? `${counted(clients, "connection")} passed on`
    : `${counted(requests, "request")}, ${formatCount(replies)} answered`;
  return `${node}: ${asked}` + (refused > 0 ? `, ${formatCount(refused)} refused` : "") +
    `, over ${counted(opened, "connection")} to back ends (at most ${formatCount(peakBackend)} at once)` +
    (reused > 0 ? `, ${formatCount(reused)} over one that was there already` : "");
}
