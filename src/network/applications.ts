/**
 * From declared applications to running ones.
 *
 * @module
 */
import { applicationNamed, applicationNames } from "../app/application.ts";
import { ApplicationApp } from "../app/application_host.ts";
import { nearest } from "../base/errors.ts";
import { notPlain, type PlainValue } from "../base/plain.ts";
import { NODE_KIND } from "../node/nodes.ts";
import { NetworkError } from "./errors.ts";
import type { Partition } from "./partition.ts";
import { findMembers, type Plan } from "./plan.ts";

/** An application of a module, on hosts. */
export interface ApplicationOptions {
  /** Unique in the network; its random draws go by it. */
  name: string;
  /** What `registerApplication` was told. */
  application: string;
  /** Hosts or populations: `server`, `clients`, `clients[0..9]`. */
  on: string[];
  /** For the application: what JSON can say. Default null. */
  options?: PlainValue;
  /** When it begins, ns. Default 0. */
  startNs?: number;
}

/** Checks and installs them, in the order of their names. Throws `NetworkError`. */
export function installApplications(
  s: Partition,
  plan: Plan,
  applications: readonly ApplicationOptions[],
  seed: number,
): void {
  const names = new Set<string>();
  const checked = applications.map((options) => {
    const { name, on, startNs = 0, options: given = null } = options;
    if (typeof name !== "string" || name === "") throw new NetworkError("applications", "An application needs a name.");
    const subject = `applications.${name}`;
    if (names.has(name)) throw new NetworkError(subject, `Two applications are called "${name}".`);
    names.add(name);
    const definition = applicationNamed(options.application);
    if (definition === undefined) {
      const near = nearest(String(options.application), applicationNames());
      throw new NetworkError(
        `${subject}.application`,
        `No application "${options.application}" is registered` +
          (near === undefined ? ": import its module first (registerModule)." : `: did you mean "${near}"?`),
      );
    }
    if (!Array.isArray(on) || on.length === 0) {
      throw new NetworkError(`${subject}.on`, "An application is on at least one host: a list of names.");
    }
    if (!(Number.isSafeInteger(startNs) && startNs >= 0)) {
      throw new NetworkError(`${subject}.startNs`, `A time is a whole number of nanoseconds, not ${startNs}.`);
    }
    const wrong = notPlain(given);
    if (wrong !== undefined) {
      throw new NetworkError(`${subject}.options`, `Options are what JSON can say, and ${wrong}.`);
    }
    const nodes = new Set<number>();
    for (const [i, text] of on.entries()) {
      const { population, first, count } = findMembers(text, `${subject}.on[${i}]`, plan.byName);
      if (population.kind !== NODE_KIND.HOST) {
        throw new NetworkError(`${subject}.on[${i}]`, `Applications are on hosts, and ${text} is none.`);
      }
      for (let member = first; member < first + count; member++) nodes.add(population.firstRow + member);
    }
    return { name, definition, nodes: [...nodes], startNs, options: given, seed };
  });
  for (const parts of checked.sort((x, y) => x.name < y.name ? -1 : 1)) {
    s.apps.push(new ApplicationApp(s, s.apps.length, parts));
  }
}
