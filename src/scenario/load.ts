/**
 * A scenario's text, checked: everything that is wrong with it is one sentence with file, line, column and path.
 *
 * @module
 */
import { InputError, type InputPosition } from "../base/errors.ts";
import { checkScenario } from "./checks.ts";
import { type Expectation, type ExpectNames, parseCondition, parseExpect } from "./expect.ts";
import { mistakesOf, valueAt } from "./issues.ts";
import { errorAt, formatPath, parseText, type Path, type PositionMap } from "./positions.ts";
import { type Scenario, scenarioSchema, type Until } from "./schema.ts";
import { applyOverride, type Override, parseOverride, parseSteps, resolveSteps } from "./set.ts";

/** When a run ends, whichever comes first; with neither, at quiescence. */
export interface RunPlan {
  /** Simulated time, ns. */
  untilNs?: number;
  /** Conditions over the counters of the run. */
  conditions: Expectation[];
}

/** A scenario that was read and checked. */
export class LoadedScenario {
  /** The file's name, as given. */
  declare readonly file: string;
  /** The scenario's name: its own, or the file's. */
  declare readonly name: string;
  /** The seed. */
  declare readonly seed: number;
  /** The scenario, in base units. */
  declare readonly scenario: Scenario;
  /** Its `expect:` lines. */
  declare readonly expectations: Expectation[];
  /** Its `run:`. */
  declare readonly run: RunPlan;
  #source: Source;

  /** Made by {@linkcode loadScenario}. */
  constructor(source: Source, scenario: Scenario, expectations: Expectation[], run: RunPlan) {
    this.#source = source;
    this.file = source.file;
    this.name = scenario.name ?? source.file.replace(/^.*[\\/]/, "").replace(/\.[^.]*$/, "");
    this.seed = scenario.seed ?? 1;
    this.scenario = scenario;
    this.expectations = expectations;
    this.run = run;
  }

  /** The scenario as a document in people's units, overrides applied and its name filled in: what `loadScenario` takes as JSON. */
  get document(): unknown {
    return { ...this.#source.value as object, name: this.name };
  }

  /**
   * An error about something in the scenario, called by its path: `nodes.clients.address`, `workloads.load.to[0]`.
   * The message begins with where that was written: file, line and column, or the flag that set it.
   */
  error(subject: string, sentence: string): InputError {
    let steps = resolveSteps(this.#source.value, parseSteps(subject) ?? []);
    // One item may stand without its list: `to: server:443`.
    if (steps.at(-1) === 0 && !Array.isArray(valueAt(this.#source.value, steps.slice(0, -1)))) {
      steps = steps.slice(0, -1);
    }
    const start = /^[A-Z][a-z ]/.test(sentence) ? sentence[0].toLowerCase() + sentence.slice(1) : sentence;
    return this.#source.error({ path: steps, atKey: false, sentence: `${formatPath(steps)}: ${start}` });
  }
}

/** Where values came from. */
class Source {
  declare readonly file: string;
  declare readonly value: unknown;
  readonly #positions: PositionMap;
  readonly #set: { path: Path; label: string }[] = [];

  constructor(file: string, text: string, overrides: readonly (string | Override)[]) {
    this.file = file;
    const { value, positions } = parseText(file, text);
    this.value = value;
    this.#positions = positions;
    for (const one of overrides) {
      const override = typeof one === "string" ? parseOverride(one) : one;
      this.#set.push({ path: applyOverride(value, override), label: override.label });
    }
  }

  error({ path, atKey, sentence }: { path: Path; atKey: boolean; sentence: string }): InputError {
    const label = this.#set.findLast((one) => one.path.every((step, i) => step === path[i]))?.label;
    if (label !== undefined) {
      const position: InputPosition = { file: this.file, path: formatPath(path) };
      return new InputError(`${label}: ${sentence}`, position);
    }
    const offset = this.#positions.offset(path, atKey ? "key" : "value");
    return errorAt(this.file, this.#positions, offset, path, sentence);
  }
}

/**
 * Reads a scenario: YAML, or JSON with comments where the file's name ends in `.json` or `.jsonc`.
 *
 * @param file The file's name, for its ending and for errors.
 * @param text What is in it.
 * @param overrides `path=value`, as after `--set`; or {@linkcode Override}s, which know what else to be called.
 * @throws {InputError} whose message is one sentence that begins with `file:line:column: `, or with the flag.
 *
 * @example
 * ```ts
 * import { loadScenario } from "./load.ts";
 * const loaded = loadScenario("one.yaml", "nodes: { a: { kind: host, address: 192.0.2.1/24 } }", ["seed=7"]);
 * console.log(loaded.seed); // 7
 * ```
 */
export function loadScenario(
  file: string,
  text: string,
  overrides: readonly (string | Override)[] = [],
): LoadedScenario {
  const source = new Source(file, text, overrides);
  const parsed = scenarioSchema.safeParse(source.value);
  if (!parsed.success) throw source.error(mistakesOf(parsed.error.issues, source.value)[0]);
  const scenario = parsed.data;
  for (const mistake of checkScenario(scenario)) throw source.error(mistake);
  const names = {
    nodes: Object.keys(scenario.nodes),
    // (Lookups alone and floods open no connections: nothing is counted of them.)
    workloads: (scenario.workloads ?? []).filter(({ kind }) => kind !== "dns" && kind !== "syn-flood")
      .map(({ name }) => name),
  };
  const expectations = (scenario.expect ?? []).map((line, i) =>
    located(source, ["expect", i], () => parseExpect(line, names))
  );
  return new LoadedScenario(source, scenario, expectations, runPlan(source, scenario, names));
}

function runPlan(source: Source, scenario: Scenario, names: ExpectNames): RunPlan {
  const until = scenario.run?.until ?? [];
  const list: [Path, Until][] = Array.isArray(until)
    ? until.map((one, i) => [["run", "until", i], one])
    : [[["run", "until"], until]];
  const plan: RunPlan = { conditions: [] };
  for (const [path, one] of list) {
    if (one.kind === "time") plan.untilNs = Math.min(plan.untilNs ?? Infinity, one.ns);
    if (one.kind === "condition") {
      plan.conditions.push(located(source, path, () => parseCondition(one.text, names)));
    }
  }
  return plan;
}

/** Adds the place to an error that does not know it. */
function located<T>(source: Source, path: Path, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw source.error({ path, atKey: false, sentence: `${formatPath(path)}: ${error.message}` });
  }
}
