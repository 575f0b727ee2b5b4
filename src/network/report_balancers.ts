/**
 * What the report tells of balancers and proxies.
 *
 * @module
 */
import type { Proxy } from "../app/proxy.ts";
import { type Balancer, FLOW_REFUSAL } from "../node/balancers.ts";
import { NODE } from "../node/nodes.ts";
import type { BackendReport, BalancerReport, ProxyReport } from "../base/balancer_reports.ts";
import { owns } from "./part.ts";
import type { Partition } from "./partition.ts";

const REFUSALS = [
  ["no-backend", FLOW_REFUSAL.NO_BACKEND],
  ["no-port", FLOW_REFUSAL.NO_PORT],
  ["table-full", FLOW_REFUSAL.TABLE_FULL],
] as const;

/** All balancers, by population. */
export function balancerReports(s: Partition): BalancerReport[] {
  const byName = new Map<string, BalancerReport>();
  for (const balancer of s.balancers?.list ?? []) {
    if (balancer === undefined || !owns(s, balancer.node)) continue;
    const node = s.nodes.populations[s.nodes.words[balancer.node * NODE.STRIDE + NODE.POPULATION]].name;
    let report = byName.get(node);
    if (report === undefined) {
      report = { node, connections: 0, flows: 0, peakFlows: 0, broken: 0, refused: {}, backends: [] };
      byName.set(node, report);
    }
    addBalancer(report, balancer);
  }
  for (const report of byName.values()) {
    const { refused } = report;
    const names = REFUSALS.map(([name]) => name).filter((name) => Object.hasOwn(refused, name));
    report.refused = Object.fromEntries(names.map((name) => [name, refused[name]]));
  }
  return [...byName.values()];
}

function addBalancer(report: BalancerReport, balancer: Balancer): void {
  report.flows += balancer.flows;
  report.peakFlows = Math.max(report.peakFlows, balancer.peakFlows);
  for (const [name, refusal] of REFUSALS) {
    if (balancer.refused[refusal] > 0) report.refused[name] = (report.refused[name] ?? 0) + balancer.refused[refusal];
  }
  let place = 0;
  for (const { backends, pool } of balancer.services) {
    for (const { name, connections, broken, peak, up, draining, place: within } of backends) {
      const state = up ? draining ? "draining" : "up" : "down";
      const known: BackendReport = report.backends[place] ??
        { name, connections: 0, active: 0, peak: 0, broken: 0, state };
      report.backends[place++] = known;
      known.connections += connections;
      known.active += pool.active[within];
      known.peak = Math.max(known.peak, peak);
      known.broken += broken;
      // (Of several balancers, one that believes it alive is enough.)
      if (state === "up") known.state = "up";
      report.connections += connections;
      report.broken += broken;
    }
  }
}

/** The same of a whole network, of what its parts report. */
export function joinBalancers(s: Partition, parts: readonly BalancerReport[][]): BalancerReport[] {
  const joint: BalancerReport[] = [];
  const names = (s.balancers?.list ?? []).flatMap((balancer) =>
    balancer === undefined ? [] : s.nodes.populations[s.nodes.words[balancer.node * NODE.STRIDE + NODE.POPULATION]].name
  );
  for (const name of new Set(names)) {
    const [first, ...others] = parts.flatMap((part) => part.filter(({ node }) => node === name));
    for (const other of others) addReport(first, other);
    joint.push(first);
  }
  return joint;
}

function addReport(known: BalancerReport, other: BalancerReport): void {
  for (const key of ["connections", "flows", "broken"] as const) known[key] += other[key];
  known.peakFlows = Math.max(known.peakFlows, other.peakFlows);
  const count = (name: string) => (known.refused[name] ?? 0) + (other.refused[name] ?? 0);
  const counts = REFUSALS.map(([name]): [string, number] => [name, count(name)]);
  known.refused = Object.fromEntries(counts.filter(([_, refused]) => refused > 0));
  known.backends.forEach((backend, place) => {
    const more = other.backends[place];
    for (const key of ["connections", "active", "broken"] as const) backend[key] += more[key];
    backend.peak = Math.max(backend.peak, more.peak);
    if (more.state === "up") backend.state = "up";
  });
}

/** The proxies of a whole network, of what its parts report. */
export function joinProxies(parts: readonly ProxyReport[][]): ProxyReport[] {
  const [first, ...others] = parts;
  const joint = first.map((report) => ({ ...report }));
  for (const other of others) other.forEach((report, i) => add(joint[i], { report }));
  return joint;
}

/** All proxies. */
export function proxyReports(s: Partition): ProxyReport[] {
  const byName = new Map<string, ProxyReport>();
  for (const proxy of s.proxies) {
    const known = byName.get(proxy.node);
    if (known === undefined) byName.set(proxy.node, { ...proxy.report });
    else add(known, proxy);
  }
  return [...byName.values()];
}

function add(known: ProxyReport, { report }: Pick<Proxy, "report">): void {
  known.clients += report.clients;
  known.requests += report.requests;
  known.replies += report.replies;
  known.refused += report.refused;
  known.opened += report.opened;
  known.peakBackend += report.peakBackend;
  known.reused += report.reused;
  known.bytesForth += report.bytesForth;
  known.bytesBack += report.bytesBack;
}
