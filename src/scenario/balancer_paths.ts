/**
 * Paths into what the report tells of balancers and proxies: `balancers[lb].broken`,
 * `balancers[lb].backends[web[3]:80].active`, `proxies[px].refused`.
 *
 * @module
 */
import type { RunReport } from "../report/document.ts";
import { suggest } from "./words.ts";
import type { Leaf } from "./report_paths.ts";

/** A path, taken apart. */
export interface BalancerPath {
  kind: "balancer";
  list: "balancers" | "proxies";
  node: string;
  /** A back end's name; undefined: of the balancer itself. */
  backend?: string;
  field: string;
  reason?: string;
  leaf: Leaf;
}

const PROXY = [
  "clients",
  "requests",
  "replies",
  "refused",
  "opened",
  "peakBackend",
  "reused",
  "bytesForth",
  "bytesBack",
];
const FIELDS = {
  balancers: ["connections", "flows", "peakFlows", "broken", "refused"],
  proxies: PROXY,
  backends: ["connections", "active", "peak", "broken", "state"],
};
const REASONS = ["no-backend", "no-port", "table-full"];

/** Takes a path apart; undefined if it is another kind's. `fail` throws what is wrong with it. */
export function parseBalancerPath(
  text: string,
  nodes: readonly string[] | undefined,
  fail: (reason: string) => never,
): BalancerPath | undefined {
  const match = /^(balancers|proxies)\[([^\]]+)\](?:\.backends\[(.+)\])?(?:\.([\w-]+)(?:\.([\w-]+))?)?$/.exec(text);
  if (match === null) {
    if (/^balancers\b/.test(text)) return fail("is not one balancer: write balancers[lb].broken, for example");
    if (/^proxies\b/.test(text)) return fail("is not one proxy: write proxies[px].refused, for example");
    return undefined;
  }
  const [, list, node, backend, field, reason] = match as unknown as ["", "balancers" | "proxies", ...string[]];
  if (nodes !== undefined && !nodes.includes(node)) {
    return fail(`names no node: there is no ${JSON.stringify(node)}: ${suggest(node, nodes)}`);
  }
  const known = backend === undefined || list === "proxies" ? FIELDS[list] : FIELDS.backends;
  if (list === "proxies" && backend !== undefined) {
    return fail("leads nowhere: a proxy tells of its back ends together");
  }
  if (field === undefined) return fail(`is not a single value: go on with ${known.join(", ")}`);
  if (!known.includes(field)) {
    return fail(`leads nowhere: there is no ${JSON.stringify(field)}: ${suggest(field, known)}`);
  }
  if (reason !== undefined) {
    if (list === "proxies" || field !== "refused") return fail(`goes too far: ${field} is a single value`);
    if (!REASONS.includes(reason)) {
      return fail(`names no reason: there is no ${JSON.stringify(reason)}: ${suggest(reason, REASONS)}`);
    }
  }
  const leaf: BalancerPath["leaf"] = field === "state"
    ? { type: "text", words: ["up", "down", "draining"] }
    : { type: "number" };
  return { kind: "balancer", list, node, backend, field, reason, leaf };
}

/** What it finds. */
export function readBalancerPath(path: BalancerPath, report: RunReport): number | string | null {
  const found = (report[path.list] as readonly { node: string }[]).find(({ node }) => node === path.node);
  if (found === undefined) return null;
  if (path.backend !== undefined) {
    const backends = report.balancers.find(({ node }) => node === path.node)!.backends;
    const named = backends.filter(({ name }) => name === path.backend);
    if (named.length === 0) return null;
    if (path.field === "state") return named[0].state;
    return named.reduce((sum, one) => sum + (one[path.field as "active"]), 0);
  }
  const value = (found as unknown as Record<string, number | Record<string, number>>)[path.field];
  if (typeof value === "number") return value;
  if (path.reason !== undefined) return value[path.reason] ?? 0;
  return Object.values(value).reduce((a, b) => a + b, 0);
}
