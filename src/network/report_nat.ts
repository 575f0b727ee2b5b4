/**
 * NAT gateways in the run's document.
 *
 * @module
 */
import { subscriberCounts } from "../nat/dump.ts";
import { addCounts, gatewayStats } from "../nat/report.ts";
import { NAT_VERDICT_NAMES } from "../nat/verdict.ts";
import { NODE, NODE_KIND, type Population } from "../node/nodes.ts";
import type { NatReport } from "../report/document.ts";
import { owns } from "./part.ts";
import type { Partition } from "./partition.ts";

const SECONDS_A_DAY = 86_400;

/** The gateways, in the order of their names. */
export function natReports(s: Partition): NatReport[] {
  const { words, populations } = s.nodes;
  const nats = populations.filter(({ firstRow }) => words[firstRow * NODE.STRIDE + NODE.KIND] === NODE_KIND.NAT);
  if (nats.length === 0) return [];
  const subscribers = subscriberCounts(s.nat);
  return nats.map((population) => natReport(s, population, subscribers));
}

function natReport(s: Partition, { name, firstRow, count }: Population, subscribers: Map<number, number>): NatReport {
  const report: NatReport = {
    node: name,
    gateways: count,
    subscribers: 0,
    sessions: 0,
    sessionsPeak: 0,
    sessionsOpened: 0,
    portsInUse: 0,
    portsHeld: 0,
    blocks: 0,
    blocksPeak: 0,
    blocksGiven: 0,
    logRecords: 0,
    logBytes: 0,
    logRecordsPerSubscriberDay: null,
    logBytesPerSubscriberDay: null,
    unsolicitedSyns: 0,
    unsolicitedSynsAnswered: 0,
    restarts: 0,
    refused: {},
    firstRefusedSeconds: {},
  };
  for (let i = 0; i < count; i++) {
    if (!owns(s, firstRow + i)) continue;
    const gateway = s.nodes.words[(firstRow + i) * NODE.STRIDE + NODE.GATEWAY];
    report.subscribers += subscribers.get(gateway) ?? 0;
    addCounts(s.nat, gateway, report);
    // Most of a million gateways have nothing more to tell.
    if (s.nat.extrasIfAny(gateway) === undefined) continue;
    const stats = gatewayStats(s.nat, gateway);
    for (const use of [stats.pool.tcp, stats.pool.udp, stats.pool.icmp]) report.portsHeld += use.portsHeld;
    report.blocks += stats.blocks?.inUse ?? 0;
    report.blocksPeak = Math.max(report.blocksPeak, stats.blocks?.peak ?? 0);
    report.blocksGiven += stats.blocks?.given ?? 0;
    report.logRecords += stats.log.records;
    report.logBytes += stats.log.bytes;
    report.unsolicitedSyns += stats.unsolicitedSyns.held;
    report.unsolicitedSynsAnswered += stats.unsolicitedSyns.answered;
    report.restarts += stats.restarts;
    for (const [reason, { count: refused, firstNs }] of Object.entries(stats.refusals)) {
      report.refused[reason] = (report.refused[reason] ?? 0) + refused;
      report.firstRefusedSeconds[reason] = Math.min(report.firstRefusedSeconds[reason] ?? Infinity, firstNs / 1e9);
    }
  }
  return finished(report, s.nowNs);
}

/** Works out what follows from a report's counts, and puts reasons in order. */
function finished(report: NatReport, nowNs: number): NatReport {
  const subscriberDays = (report.subscribers * nowNs) / 1e9 / SECONDS_A_DAY;
  if (subscriberDays > 0) {
    report.logRecordsPerSubscriberDay = report.logRecords / subscriberDays;
    report.logBytesPerSubscriberDay = report.logBytes / subscriberDays;
  }
  const { refused, firstRefusedSeconds } = report;
  const reasons = NAT_VERDICT_NAMES.filter((reason) => Object.hasOwn(refused, reason));
  report.refused = Object.fromEntries(reasons.map((reason) => [reason, refused[reason]]));
  report.firstRefusedSeconds = Object.fromEntries(reasons.map((reason) => [reason, firstRefusedSeconds[reason]]));
  return report;
}

/** What is the most of any gateway, and not all of them together. */
const MOST = ["sessionsPeak", "blocksPeak"] as const;
const SUMS = [
  "subscribers",
  "sessions",
  "sessionsOpened",
  "portsInUse",
  "portsHeld",
  "blocks",
  "blocksGiven",
  "logRecords",
  "logBytes",
  "unsolicitedSyns",
  "unsolicitedSynsAnswered",
  "restarts",
] as const;

/** The same of a whole network, of what its parts report at `nowNs`. */
export function joinNats(parts: readonly NatReport[][], nowNs: number): NatReport[] {
  return parts[0].map((first, i) => {
    const joint: NatReport = { ...first, refused: {}, firstRefusedSeconds: {} };
    for (const key of SUMS) joint[key] = parts.reduce((sum, part) => sum + part[i][key], 0);
    for (const key of MOST) joint[key] = parts.reduce((most, part) => Math.max(most, part[i][key]), 0);
    for (const part of parts) {
      for (const [reason, count] of Object.entries(part[i].refused)) {
        joint.refused[reason] = (joint.refused[reason] ?? 0) + count;
        const seconds = part[i].firstRefusedSeconds[reason];
        joint.firstRefusedSeconds[reason] = Math.min(joint.firstRefusedSeconds[reason] ?? Infinity, seconds);
      }
    }
    return finished(joint, nowNs);
  });
}
