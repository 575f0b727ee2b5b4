/**
 * How far balancers' limits were used: places in the flow table, and in full-nat source ports towards a back end.
 *
 * @module
 */
import type { LimitName } from "../base/limit_names.ts";
import { formatCount } from "../base/units.ts";
import { type Backend, type Balancer, BALANCER_MODE, FLOW_REFUSAL } from "../node/balancers.ts";
import { NODE } from "../node/nodes.ts";
import { owns } from "./part.ts";
import type { Partition } from "./partition.ts";

/** One limit of one balancer. */
export interface BalancerLimit {
  limit: LimitName;
  /** Name of its population. */
  node: string;
  used: number;
  capacity: number;
  /** First refusal, ns; -1 for never. */
  firstNs: number;
  refused: number;
  detail: string;
  /** The balancer's row among the nodes. */
  row: number;
}

/** The limits of all balancers. */
export function* balancerLimits(s: Partition): Generator<BalancerLimit> {
  for (const balancer of s.balancers?.list ?? []) {
    if (balancer === undefined || !owns(s, balancer.node)) continue;
    const row = balancer.node;
    const node = s.nodes.populations[s.nodes.words[balancer.node * NODE.STRIDE + NODE.POPULATION]].name;
    if (balancer.maxFlows !== Infinity) yield { limit: "flow-table", node, row, ...tableUse(balancer) };
    const backends = balancer.services.filter(({ mode }) => mode === BALANCER_MODE.FULL_NAT)
      .flatMap(({ backends }) => backends);
    if (backends.length > 0) yield { limit: "ports", node, row, ...portUse(s, balancer, backends) };
  }
}

/** The pools of all proxies that have a limit. */
export function* proxyLimits(s: Partition): Generator<Omit<BalancerLimit, "row">> {
  for (const { node, poolSize, poolRefusals, report } of s.proxies) {
    if (poolSize === Infinity) continue;
    yield {
      limit: "proxy-pool",
      node,
      used: report.peakBackend,
      capacity: poolSize,
      firstNs: poolRefusals.firstNs,
      refused: poolRefusals.count,
      detail: "connections to back ends at once",
    };
  }
}

function tableUse(balancer: Balancer): Omit<BalancerLimit, "limit" | "node" | "row"> {
  const { peakFlows: used, maxFlows: capacity, firstRefusedNs, refused } = balancer;
  const { TABLE_FULL } = FLOW_REFUSAL;
  return {
    used,
    capacity,
    firstNs: firstRefusedNs[TABLE_FULL],
    refused: refused[TABLE_FULL],
    detail: "flows in the connection table",
  };
}

/** Source ports towards the back end where the most were in use; and what all those that were full came to. */
function portUse(s: Partition, balancer: Balancer, backends: Backend[]): Omit<BalancerLimit, "limit" | "node" | "row"> {
  const backend = backends.reduce((most, one) => one.endpoint.peak > most.endpoint.peak ? one : most);
  const { portLow, portHigh, firstRefusedNs, refused } = balancer;
  const { sources } = backend.service;
  const { NO_PORT } = FLOW_REFUSAL;
  const address = s.addresses.toText(backend.address);
  const target = `${address.includes(":") ? `[${address}]` : address}:${backend.port}`;
  const ports = portHigh - portLow + 1;
  const each = `${sources === 1 ? "1 source" : `${formatCount(sources)} sources`} x ${formatCount(ports)} ports`;
  // (Services that share a back end share its ports.)
  const full = new Set(
    backends
      .filter(({ endpoint, service }) => service.sources === sources && endpoint.peak === sources * ports).map((one) =>
        one.endpoint
      ),
  );
  const inAll = full.size < 2
    ? ""
    : `; ${formatCount(full.size)} back ends x ${formatCount(sources * ports)} ports = ` +
      `${formatCount(full.size * sources * ports)} flows`;
  return {
    used: backend.endpoint.peak,
    capacity: sources * ports,
    firstNs: firstRefusedNs[NO_PORT],
    refused: refused[NO_PORT],
    detail: `source ports towards ${target} (${each}, ${formatCount(portLow)} to ${formatCount(portHigh)})${inAll}`,
  };
}
