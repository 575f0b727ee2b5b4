/**
 * A scenario's profile as the transport layer takes it.
 *
 * @module
 */
import type { Profile } from "../transport/profile.ts";
import type { ScenarioProfile } from "./schema.ts";

/** The settings that the scenario changes, under the names and in the units of {@linkcode Profile}. */
export function profileOf(settings: ScenarioProfile): Partial<Profile> {
  const changes: Partial<Profile> = {
    ephemeralPortLow: settings.ephemeralPorts?.low,
    ephemeralPortHigh: settings.ephemeralPorts?.high,
    portAllocation: settings.portAllocation,
    portScanFallback: settings.portScanFallback,
    portTableBits: settings.portTableBits,
    portMaxIncrement: settings.portMaxIncrement,
    timeWaitNs: settings.timeWait,
    timeWaitReuse: settings.timeWaitReuse,
    synRetries: settings.synRetries,
    synAckRetries: settings.synAckRetries,
    retries2: settings.retries2,
    orphanRetries: settings.orphanRetries,
    rtoInitialMs: settings.rtoInitial,
    rtoMinMs: settings.rtoMin,
    rtoMaxMs: settings.rtoMax,
    delayedAckMs: settings.delayedAck,
    keepAliveIdleMs: settings.keepAliveIdle,
    keepAliveIntervalMs: settings.keepAliveInterval,
    keepAliveProbes: settings.keepAliveProbes,
    finTimeoutMs: settings.finTimeout,
    receiveBufferBytes: settings.receiveBuffer,
    sendBufferBytes: settings.sendBuffer,
    timestamps: settings.timestamps,
    windowScaling: settings.windowScaling,
    sack: settings.sack,
    congestionControl: settings.congestionControl,
    ecn: settings.ecn,
    ecnFallback: settings.ecnFallback,
    dsack: settings.dsack,
    rack: settings.rack,
    tailLossProbe: settings.tailLossProbe,
    forwardRtoRecovery: settings.forwardRtoRecovery,
    reordering: settings.reordering,
    slowStartAfterIdle: settings.slowStartAfterIdle,
    pacing: settings.pacing,
    fastOpen: settings.fastOpen,
    fastOpenKey: settings.fastOpenKey,
    synCookies: settings.synCookies,
    maxSynBacklog: settings.maxSynBacklog,
    receiveBufferMaxBytes: settings.receiveBufferMax,
    moderateReceiveBuffer: settings.moderateReceiveBuffer,
    sendBufferInitialBytes: settings.sendBufferInitial,
    notSentLowBytes: settings.notSentLow,
    mtuProbing: settings.mtuProbing,
    minPathMtuBytes: settings.minPathMtu,
    pathMtuDiscovery: settings.pathMtuDiscovery,
    rfc1337: settings.rfc1337,
    synLinearTimeouts: settings.synLinearTimeouts,
    retries1: settings.retries1,
    accounting: settings.accounting,
    initialWindowSegments: settings.initialWindow,
    somaxconn: settings.somaxconn,
    abortOnOverflow: settings.abortOnOverflow,
    nagle: settings.nagle,
    challengeAckLimitPerSecond: settings.challengeAckLimit,
    maxFiles: settings.maxFiles,
    memoryBytes: settings.memory,
    bytesPerSocket: settings.bytesPerSocket,
    bytesPerOrphan: settings.bytesPerOrphan,
    bytesPerRequest: settings.bytesPerRequest,
    bytesPerTimeWait: settings.bytesPerTimeWait,
    memoryPerSentByte: settings.memoryPerSentByte,
    memoryPerReceivedByte: settings.memoryPerReceivedByte,
    memoryPerEarlyByte: settings.memoryPerEarlyByte,
    maxOrphans: settings.maxOrphans,
    maxTimeWaits: settings.maxTimeWaits,
    defaultTtl: settings.ttl,
  };
  return withoutUndefined(changes);
}

/** The same without the fields that are not set. */
export function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
