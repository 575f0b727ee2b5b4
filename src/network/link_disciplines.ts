/**
 * Queue disciplines of links, from their options.
 *
 * @module
 */
import type { DisciplineSettings, QueueLimits } from "../link/queues/discipline.ts";
import { NetworkError } from "./errors.ts";
import type { LinkOptions, QueueDisciplineOptions } from "./options.ts";

type Kind = QueueDisciplineOptions["kind"];

/** Limits in packets of queues that are given none. */
export const LIMIT_PACKETS: Readonly<Record<Kind, number>> = { codel: 1000, "fq-codel": 10_240, red: 1000 };
const MOST_FLOWS = 65_536;

/** What each discipline has, besides `kind` and `ecn`. */
const PARAMETERS: Readonly<Record<Kind, readonly (keyof QueueDisciplineOptions)[]>> = {
  codel: ["targetNs", "intervalNs"],
  "fq-codel": ["targetNs", "intervalNs", "flows", "quantumBytes"],
  red: ["minThreshold", "maxThreshold", "maxProbability", "weight"],
};

/** As people write them. */
const WRITTEN: Readonly<Record<string, string>> = {
  maxProbability: "probability",
  maxThreshold: "max",
  minThreshold: "min",
  targetNs: "target",
  intervalNs: "interval",
  quantumBytes: "quantum",
};

/**
 * The discipline of a link's queue, if it has one, and its limit. Throws `NetworkError` for what is out of range;
 * `subject` is the link.
 */
export function disciplineOf(
  options: LinkOptions,
  limits: QueueLimits,
  mtuBytes: number,
  subject: string,
): { discipline?: DisciplineSettings; queuePackets: number } {
  const { queueDiscipline: asked } = options;
  if (asked === undefined) return { queuePackets: limits.queuePackets };
  const refuse = (name: string, sentence: string): never => {
    throw new NetworkError(`${subject}.queue${name === "" ? "" : `.${name}`}`, sentence);
  };
  const { kind, ecn = kind === "fq-codel" } = asked;
  if (limits.rateBps === Infinity) refuse("", "A queue needs a rate: packets never wait for a link without one.");
  if (PARAMETERS[kind] === undefined) refuse("discipline", `A queue is codel, fq-codel or red, not ${kind}.`);
  for (const [name, value] of Object.entries(asked)) {
    if (value === undefined || name === "kind" || name === "ecn") continue;
    if (PARAMETERS[kind].includes(name as keyof QueueDisciplineOptions)) continue;
    refuse(WRITTEN[name] ?? name, `That is no parameter of ${kind}.`);
  }
  if (Number.isFinite(options.ecnThresholdBytes) || Number.isFinite(options.ecnThresholdPackets)) {
    refuse("", `A queue under ${kind} marks by itself (ecn: true): it takes no ECN threshold.`);
  }
  const inBytes = limits.queueBytes !== Infinity;
  const queuePackets = limits.queuePackets === Infinity && !inBytes ? LIMIT_PACKETS[kind] : limits.queuePackets;
  if (kind === "red") {
    const limit = inBytes ? limits.queueBytes : queuePackets;
    const { maxThreshold = limit / 4, minThreshold = maxThreshold / 3, maxProbability = 0.02, weight = 0.002 } = asked;
    if (!(minThreshold >= 0 && minThreshold < maxThreshold && maxThreshold <= limit)) {
      refuse(
        "min",
        `Thresholds rise: 0 <= min < max <= limit, not ${minThreshold}, ${maxThreshold} and ${limit}.`,
      );
    }
    for (const [name, share] of Object.entries({ maxProbability, weight })) {
      if (!(share > 0 && share <= 1)) {
        refuse(WRITTEN[name] ?? name, `That is a share above 0 and up to 1, not ${share}.`);
      }
    }
    return { discipline: { kind, ecn, minThreshold, maxThreshold, maxProbability, weight }, queuePackets };
  }
  const { targetNs = 5e6, intervalNs = 100e6 } = asked;
  for (const [name, ns] of Object.entries({ target: targetNs, interval: intervalNs })) {
    if (!(Number.isSafeInteger(ns) && ns > 0)) {
      refuse(name, `That is a whole number of nanoseconds above 0, not ${ns}.`);
    }
  }
  if (kind === "codel") return { discipline: { kind, ecn, targetNs, intervalNs }, queuePackets };
  const { flows = 1024, quantumBytes = mtuBytes } = asked;
  if (!(Number.isInteger(flows) && flows >= 1 && flows <= MOST_FLOWS)) {
    refuse("flows", `There are 1 to ${MOST_FLOWS} queues, not ${flows}.`);
  }
  if (!(Number.isSafeInteger(quantumBytes) && quantumBytes > 0)) {
    refuse("quantum", `A quantum is a whole number of bytes above 0, not ${quantumBytes}.`);
  }
  return { discipline: { kind, ecn, targetNs, intervalNs, flows, quantumBytes }, queuePackets };
}
