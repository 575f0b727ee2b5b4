/**
 * Things that happen to NAT gateways in mid-run, and looking into them. Nodes are rows (`Nodes.population`).
 *
 * @module
 */
import {
  allSessions,
  gatewayStats,
  type NatGatewayStats,
  type NatSession,
  type NatSubscriber,
  type NatTimeoutOptions,
  restartGateways,
  sessions,
  subscribers,
} from "../nat/nat.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { digestEvent } from "./digest.ts";
import { drainNat } from "./drain.ts";
import type { Partition } from "./partition.ts";

/** Event digest code of a gateway's restart. */
const NAT_RESTARTED = 102;

/** The gateway of a node, 0 if it is not a NAT. */
export function gatewayOf(s: Partition, node: number): number {
  const at = node * NODE.STRIDE;
  return s.nodes.words[at + NODE.KIND] === NODE_KIND.NAT ? s.nodes.words[at + NODE.GATEWAY] : 0;
}

/** Restarts a gateway: all that it has learnt is gone, port forwards stay. Returns how many sessions it lost. */
export function restartNat(s: Partition, node: number): number {
  return restartNats(s, node, 1)[0];
}

/** Restarts the gateways of consecutive nodes, in one go. Returns how many sessions each lost. */
export function restartNats(s: Partition, first: number, count: number): number[] {
  s.nat.syncNow();
  const gateways = Array.from({ length: count }, (_, i) => gatewayOf(s, first + i));
  const lost = restartGateways(s.nat, gateways);
  lost.forEach((sessions, i) => digestEvent(s.nodes.words, first + i, NAT_RESTARTED, sessions, s.clock));
  drainNat(s);
  return lost;
}

/**
 * Changes a gateway's timeouts: a session gets the new one with its next packet. Throws `InputError` for times that make
 * no sense.
 */
export function setNatTimeouts(s: Partition, node: number, timeouts: NatTimeoutOptions): void {
  s.nat.setTimeouts(gatewayOf(s, node), timeouts);
}

/** The sessions of a node's gateway in the order in which they were opened; of all gateways, without a node. */
export function natSessions(s: Partition, node?: number): Generator<NatSession, void, undefined> {
  s.nat.syncNow();
  return node === undefined ? allSessions(s.nat) : sessions(s.nat, gatewayOf(s, node));
}

/** The subscribers of a node's gateway, in the order of their addresses. */
export function natSubscribers(s: Partition, node: number): NatSubscriber[] {
  return subscribers(s.nat, gatewayOf(s, node));
}

/** The counters of a node's gateway. */
export function natStats(s: Partition, node: number): NatGatewayStats {
  return gatewayStats(s.nat, gatewayOf(s, node));
}
