/**
 * The NAT core's surface for its drivers: everything else in this folder is its inside.
 *
 * @module
 */
export {
  type NatBehaviourName,
  type NatPooling,
  type NatPortAssignment,
  type NatProfile,
  type NatProfileOptions,
} from "./behaviour.ts";
export { isExternalAddress } from "./find.ts";
export { addForward, type NatForward } from "./forwards.ts";
export { NAT_PROTOCOL } from "./layout.ts";
export {
  gatewayLimits,
  gatewayStats,
  type NatGatewayStats,
  type NatLimit,
  type NatPoolUse,
  type NatRefusals,
  type NatSession,
  portsInUse,
  sessions,
} from "./report.ts";
export { removeGatewaySessions } from "./session.ts";
export { GatewayExtras, type NatGatewayOptions, NatTables, type NatTablesOptions } from "./tables.ts";
export { natTimerActs, natTimerFired, natTimerGateway, natTimerIdentity, natTimerSerial } from "./timers.ts";
export { inboundHash, outboundHash, translateInbound, translateOutbound } from "./translate.ts";
export { NAT_VERDICT, NAT_VERDICT_NAMES, type NatRefusalReason, type NatVerdict } from "./verdict.ts";
