/**
 * How long connections stay open when their work is done, and pause before their next request: all alike, or drawn.
 *
 * @module
 */
import { exp, log } from "../base/maths.ts";
import { drawFraction } from "../base/rng.ts";

/** Distributions of the holding time; all have the mean that is asked for. */
export type HoldDistribution = "fixed" | "uniform" | "exponential" | "pareto";

/** What Pareto's tail falls with where nothing is said: the variance is infinite, as that of file sizes on the web. */
export const PARETO_SHAPE = 1.5;
/** No time is longer, ns: beyond every run, and the time of an event stays a whole number. */
const LONGEST_NS = 2 ** 52;

/** The holding times of a workload. */
export interface Holding {
  /** Their mean, ns; Infinity for ever. */
  readonly holdNs: number;
  readonly holdDistribution: HoldDistribution;
  /** Pareto: above x with a probability that falls as x to the minus this; above 1, so that there is a mean. */
  readonly holdShape: number;
}

/** The pauses between requests of a workload. */
export interface Thinking {
  /** Their mean, ns. */
  readonly thinkNs: number;
  readonly thinkDistribution: HoldDistribution;
}

/** The holding time of the `i`-th connection, whole ns, from the workload's substream. */
export function drawHoldNs(holding: Holding, k0: number, k1: number, i: number): number {
  const { holdNs, holdDistribution, holdShape } = holding;
  if (holdDistribution === "fixed") return holdNs;
  return spread(holdNs, holdDistribution, holdShape, drawFraction(k0, k1, i * 2 + 1));
}

/** Draws for pauses begin here, one connection's so far apart: those for holding times and targets lie below. */
const THINK_STRIDE = 2 ** 28;

/** The pause of the `i`-th connection (below 2^24) before its request with `left` to come, whole ns. */
export function drawThinkNs(thinking: Thinking, k0: number, k1: number, i: number, left: number): number {
  const { thinkNs, thinkDistribution } = thinking;
  if (thinkDistribution === "fixed") return thinkNs;
  return spread(thinkNs, thinkDistribution, PARETO_SHAPE, drawFraction(k0, k1, (i + 1) * THINK_STRIDE + left));
}

function spread(meanNs: number, distribution: HoldDistribution, shape: number, fraction: number): number {
  if (distribution === "uniform") return Math.floor(2 * meanNs * fraction);
  const tail = -log(1 - fraction);
  if (distribution === "exponential") return Math.min(LONGEST_NS, Math.floor(tail * meanNs));
  // At least (shape - 1) / shape of the mean.
  return Math.min(LONGEST_NS, Math.floor(meanNs * (shape - 1) / shape * exp(tail / shape)));
}
