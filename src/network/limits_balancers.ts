/**
 * How far balancers' limits were used: places in the flow table, and in full-nat source ports towards a back end.
 *
 * @module
 */
import type { LimitName } from "../base/limit_names.ts";
import { formatCount } from "../base/units.ts";
import { type Backend, type Balancer, BALANCER_MODE, FLOW_REFUSAL } from "../node/balancers.ts";
import { NODE } from "../node/nodes.ts";
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
}

/** The limits of all balancers. */
export function* balancerLimits(s: Partition): Generator<BalancerLimit> {
  for (const balancer of s.balancers?.list ?? []) {
    if (balancer === undefined) continue;
    const node = s.nodes.populations[s.nodes.words[balancer.node * NODE.STRIDE + NODE.POPULATION]].name;
    if (balancer.maxFlows !== Infinity) yield { limit: "flow-table", node, ...tableUse(balancer) };
    const fullest = fullestBackend(balancer);
    if (fullest !== undefined) yield { limit: "ports", node, ...portUse(s, balancer, fullest) };
  }
}

function tableUse(balancer: Balancer): Omit<BalancerLimit, "limit" | "node"> {
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

/** The back end towards which the most source ports were in use. */
function fullestBackend(balancer: Balancer): Backend | undefined {
  let fullest: Backend | undefined;
  for (const { mode, backends } of balancer.services) {
    if (mode !== BALANCER_MODE.FULL_NAT) continue;
    for (const backend of backends) {
      if (fullest === undefined || backend.endpoint.peak > fullest.endpoint.peak) fullest = backend;
    }
  }
  return fullest;
}

function portUse(s: Partition, balancer: Balancer, backend: Backend): Omit<BalancerLimit, "limit" | "node"> {
  const { portLow, portHigh, firstRefusedNs, refused } = balancer;
  const { sources } = backend.service;
  const { NO_PORT } = FLOW_REFUSAL;
  const address = s.addresses.toText(backend.address);
  const target = `${address.includes(":") ? `[${address}]` : address}:${backend.port}`;
  const ports = portHigh - portLow + 1;
  return {
    used: backend.endpoint.peak,
    capacity: sources * ports,
    firstNs: firstRefusedNs[NO_PORT],
    refused: refused[NO_PORT],
    detail: `source ports towards ${target} (${formatCount(sources)} ${sources === 1 ? "source" : "sources"} x ${
      formatCount(ports)
    } ports)`,
  };
}
