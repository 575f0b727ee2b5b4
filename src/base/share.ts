/**
 * Shares of a population.
 *
 * @module
 */

/** Is member `i` among the `perMillion` of a million that have something? They stand evenly among the others. */
export function isInShare(i: number, perMillion: number): boolean {
  return Math.floor(((i + 1) * perMillion) / 1e6) > Math.floor((i * perMillion) / 1e6);
}
