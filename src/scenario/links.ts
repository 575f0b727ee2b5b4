/**
 * The links of a scenario one by one: an end of `between` may be a list of nodes, each with a link of its own.
 *
 * @module
 */
import type { Path } from "./positions.ts";
import type { Scenario, ScenarioLink } from "./schema.ts";

/** One link between two nodes (or populations). */
export interface LinkPair {
  link: ScenarioLink;
  /** Its place among the scenario's links. */
  index: number;
  ends: [string, string];
  /** Where its ends stand: `["links", 0, "between", 1]`. */
  paths: [Path, Path];
  /** Its own name, or that of its ends. */
  name: string;
}

/** All links, in the scenario's order. */
export function linkPairs(scenario: Pick<Scenario, "links">): LinkPair[] {
  return (scenario.links ?? []).flatMap((link, index) => {
    const [from, to] = link.between.map((end, e) => {
      const path = ["links", index, "between", e];
      return typeof end === "string" ? [{ node: end, path }] : end.map((node, k) => ({ node, path: [...path, k] }));
    });
    return from.flatMap((a) =>
      to.map((b): LinkPair => ({
        link,
        index,
        ends: [a.node, b.node],
        paths: [a.path, b.path],
        name: link.name ?? `${a.node}--${b.node}`,
      }))
    );
  });
}
