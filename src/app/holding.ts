/**
 * How long connections stay open when their work is done: all alike, or drawn for each.
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

/** The holding time of the `i`-th connection, whole ns, from the workload's substream. */
export function drawHoldNs(holding: Holding, k0: number, k1: number, i: number): number {
  const { holdNs, holdDistribution, holdShape } = holding;
  if (holdDistribution === "fixed") return holdNs;
  const fraction = drawFraction(k0, k1, i * 2 + 1);
  if (holdDistribution === "uniform") return Math.floor(2 * holdNs * fraction);
  const tail = -log(1 - fraction);
  if (holdDistribution === "exponential") return Math.min(LONGEST_NS, Math.floor(tail * holdNs));
  // At least (shape - 1) / shape of the mean.
  return Math.min(LONGEST_NS, Math.floor(holdNs * (holdShape - 1) / holdShape * exp(tail / holdShape)));
}
