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
  type NatRefreshDirection,
} from "./behaviour.ts";
export { type NatCarrierOptions, type NatCarrierProfile } from "./carrier.ts";
export { isExternalAddress, poolAddress } from "./find.ts";
export { addForward, type NatForward } from "./forwards.ts";
export { NAT_PROTOCOL } from "./layout.ts";
export {
  type DeterministicPlan,
  type DeterministicRange,
  deterministicRange,
  deterministicSubscriber,
  portsPerSubscriber,
  subscriberIndex,
  subscribersPerAddress,
} from "./deterministic.ts";
export {
  allSessions,
  blocks,
  mappings,
  type NatBlock,
  type NatMapping,
  type NatSession,
  type NatSubscriber,
  type NatTuple,
  sessions,
  subscribers,
} from "./dump.ts";
export { GatewayExtras } from "./extras.ts";
export { LOG_FORMATS, type NatLogEvents, type NatLogFormat, type NatLogSizes } from "./log_records.ts";
export {
  gatewayLimits,
  gatewayStats,
  type NatBlockUse,
  type NatGatewayStats,
  type NatLimit,
  type NatLogVolume,
  type NatPoolUse,
  type NatRefusals,
  portsInUse,
} from "./report.ts";
export { holdEmbeddedIpv4, isBehindNat64, nat64PrefixOf, translateToIpv4, translateToIpv6 } from "./nat64.ts";
export { type IdRange } from "./pool_ranges.ts";
export { isGlobal, type Nat64Prefix, nat64Prefix } from "./nat64_address.ts";
export { headerToIpv4, headerToIpv6 } from "./nat64_header.ts";
export { removeGatewaySessions, restartGateway, restartGateways } from "./restart.ts";
export { holdSynIfUnsolicited } from "./syn_hold.ts";
export { resolveNatProfile } from "./behaviour.ts";
export { type NatGatewayOptions, NatTables, type NatTablesOptions, type NatTimeoutOptions } from "./tables.ts";
export { natTimerActs, natTimerFired, natTimerGateway, natTimerIdentity, natTimerSerial } from "./timers.ts";
export { ipv4Prefix, isUntranslated, passesInward, passesOutward, type Untranslated } from "./untranslated.ts";
export {
  hasExclusivePorts,
  inboundTcpHash,
  outboundTcpHash,
  translateInbound,
  translateOutbound,
} from "./translate.ts";
export { NAT_VERDICT, NAT_VERDICT_NAMES, type NatRefusalReason, type NatVerdict } from "./verdict.ts";
