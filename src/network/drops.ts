/**
 * Why a packet went no further.
 *
 * @module
 */
import { LINK_DROP } from "../link/links.ts";
import { NAT_VERDICT } from "../nat/verdict.ts";

/** Names in reports, by `DROP` code. */
export const DROP_REASONS = [
  "none",
  "queue",
  "loss",
  "link-down",
  "checksum",
  "ttl",
  "no-route",
  "not-local",
  "mtu",
  "nat-pool",
  "nat-quota",
  "nat-filtered",
  "nat-no-mapping",
  "nat-unsupported",
  "no-protocol",
  "nat-hairpinning-off",
  "balancer-no-backend",
  "balancer-no-port",
  "balancer-table-full",
  "balancer-no-flow",
  "balancer-backend-dead",
  "cpu",
  "nat-block",
  "nat-rate",
  "nat-table",
  "nat-not-subscriber",
  "queue-early",
  "restart",
] as const;

/** Codes of drops. */
export const DROP = {
  QUEUE: 1,
  LOSS: 2,
  LINK_DOWN: 3,
  CHECKSUM: 4,
  TTL: 5,
  NO_ROUTE: 6,
  NOT_LOCAL: 7,
  MTU: 8,
  NAT_POOL: 9,
  NAT_QUOTA: 10,
  NAT_FILTERED: 11,
  NAT_NO_MAPPING: 12,
  NAT_UNSUPPORTED: 13,
  NO_PROTOCOL: 14,
  NAT_HAIRPINNING_OFF: 15,
  BALANCER_NO_BACKEND: 16,
  BALANCER_NO_PORT: 17,
  BALANCER_TABLE_FULL: 18,
  BALANCER_NO_FLOW: 19,
  BALANCER_BACKEND_DEAD: 20,
  CPU: 21,
  NAT_BLOCK: 22,
  NAT_RATE: 23,
  NAT_TABLE: 24,
  NAT_NOT_SUBSCRIBER: 25,
  QUEUE_EARLY: 26,
  RESTART: 27,
} as const;

/** The drop code of a link's refusal. */
export function dropOfLink(linkDrop: number): number {
  if (linkDrop === LINK_DROP.QUEUE_FULL) return DROP.QUEUE;
  return linkDrop === LINK_DROP.LOST ? DROP.LOSS : DROP.LINK_DOWN;
}

/** The drop code of a NAT's verdict. */
export function dropOfVerdict(verdict: number): number {
  switch (verdict) {
    case NAT_VERDICT.DROP_POOL_EMPTY:
      return DROP.NAT_POOL;
    case NAT_VERDICT.DROP_QUOTA:
      return DROP.NAT_QUOTA;
    case NAT_VERDICT.DROP_FILTERED:
      return DROP.NAT_FILTERED;
    case NAT_VERDICT.DROP_NO_MAPPING:
      return DROP.NAT_NO_MAPPING;
    case NAT_VERDICT.DROP_HAIRPIN_OFF:
      return DROP.NAT_HAIRPINNING_OFF;
    case NAT_VERDICT.DROP_BLOCK:
      return DROP.NAT_BLOCK;
    case NAT_VERDICT.DROP_RATE:
      return DROP.NAT_RATE;
    case NAT_VERDICT.DROP_TABLE_FULL:
      return DROP.NAT_TABLE;
    case NAT_VERDICT.DROP_NOT_SUBSCRIBER:
      return DROP.NAT_NOT_SUBSCRIBER;
    default:
      return DROP.NAT_UNSUPPORTED;
  }
}
