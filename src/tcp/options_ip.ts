/**
 * Socket options of IP: path MTU discovery, and the queue of ICMP errors (IP_RECVERR); setters return 0 or `-errno`.
 * Traffic class and TTL are in `ip_fields.ts`.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { readSetting, writeSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { SETTING_FLAG, SETTINGS } from "./state/tcb.ts";

/** Values of IP_MTU_DISCOVER, as Linux numbers them. */
export const PATH_MTU = { DONT: 0, WANT: 1, DO: 2, PROBE: 3, INTERFACE: 4, OMIT: 5 } as const;

/** IP_MTU_DISCOVER, IPV6_MTU_DISCOVER: one of `PATH_MTU`; EINVAL otherwise. */
export function setPathMtuDiscovery(stack: TcpStack, conn: number, mode: number): number {
  if (!Number.isInteger(mode) || mode < PATH_MTU.DONT || mode > PATH_MTU.OMIT) return -ERRNO.EINVAL;
  writeSetting(stack, conn, SETTINGS.PATH_MTU, 1 + mode);
  stack.ipFieldsUsed = true;
  return 0;
}

/** IP_MTU_DISCOVER of a connection, one of `PATH_MTU`. */
export function pathMtuDiscoveryOf(stack: TcpStack, conn: number): number {
  const own = readSetting(stack, conn, SETTINGS.PATH_MTU);
  if (own !== 0) return own - 1;
  return stack.profileOfConnection(conn).pathMtuDiscovery ? PATH_MTU.WANT : PATH_MTU.DONT;
}

/** Do segments carry IPv4's DF in this mode (one of `PATH_MTU`; Linux `ip_dont_fragment`)? */
export function forbidsFragments(mode: number): boolean {
  return mode === PATH_MTU.WANT || mode === PATH_MTU.DO;
}

/** IP_RECVERR, IPV6_RECVERR: ICMP errors are queued for `takeQueuedError`, and end the connection's waiting calls. */
export function setReceiveErrors(stack: TcpStack, conn: number, on: boolean): number {
  const flags = readSetting(stack, conn, SETTINGS.FLAGS);
  const wanted = on ? flags | SETTING_FLAG.RECEIVE_ERRORS : flags & ~SETTING_FLAG.RECEIVE_ERRORS;
  if (wanted !== flags) writeSetting(stack, conn, SETTINGS.FLAGS, wanted);
  return 0;
}

/** IP_RECVERR: is it on? */
export function receivesErrors(stack: TcpStack, conn: number): boolean {
  return (readSetting(stack, conn, SETTINGS.FLAGS) & SETTING_FLAG.RECEIVE_ERRORS) !== 0;
}
