/**
 * Overrides: `--set nodes.clients.count=10` changes one field of a scenario before it is checked.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { suggest } from "./fields.ts";
import { show } from "./issues.ts";
import { formatPath, type Path } from "./positions.ts";
import { parseYamlDocument } from "./yaml.ts";

/** One `--set`. */
export interface Override {
  /** As it was written after the flag: `nodes.clients.count=10`. */
  text: string;
  /** What to call it in errors: `--set nodes.clients.count=10`. */
  label: string;
  /** The part before `=`, in steps. */
  steps: Path;
  /** The value: a YAML scalar, or a list or map in brackets. */
  value: unknown;
}

/** Lists whose items have names, by which a path may call them: `workloads.load.connections`. */
const NAMED_LISTS = ["workloads", "links", "probes"];

/**
 * Reads `path=value`. `label` is what errors call it; default `--set path=value`.
 *
 * @throws {InputError} where there is no `=`, the path is not one, or the value is not YAML.
 */
export function parseOverride(text: string, label = `--set ${text}`): Override {
  const equals = text.indexOf("=");
  if (equals < 1) {
    throw new InputError(`${label}: expected path=value, such as nodes.clients.count=10.`, { path: text });
  }
  const path = text.slice(0, equals).trim();
  const steps = parseSteps(path);
  if (steps === undefined) {
    throw new InputError(`${label}: ${JSON.stringify(path)} is not a path such as links[0].delay.`, { path });
  }
  const document = parseYamlDocument(text.slice(equals + 1).trim());
  if (document.errors.length > 0) {
    throw new InputError(`${label}: the value does not parse as YAML: ${document.errors[0].message}.`, { path });
  }
  return { text, label, steps, value: document.toJS() };
}

/** The steps of `links[0].delay`; undefined where it is not a path. */
export function parseSteps(path: string): Path | undefined {
  if (!/^[^.[\]]+(\.[^.[\]]+|\[\d+\])*$/.test(path)) return undefined;
  return [...path.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map((match) => match[1] === undefined ? match[0] : Number(match[1]));
}

/** `workloads.load.to` as the document has it, `workloads[0].to`; steps that lead nowhere stay as they are. */
export function resolveSteps(root: unknown, steps: Path): Path {
  const [list, name, ...rest] = steps;
  const items = (root as Record<string, unknown> | null)?.[list];
  if (typeof name !== "string" || !NAMED_LISTS.includes(String(list)) || !Array.isArray(items)) return steps;
  const index = items.findIndex((item) => nameOf(item) === name);
  return index < 0 ? steps : [list, index, ...rest];
}

/**
 * Changes `root` in place and returns the path of what is new: the field, or the outermost map made for it.
 *
 * Maps (lists, before `[0]`) on the way are made where they are missing, except nodes, profiles and list items: their names are checked.
 *
 * @throws {InputError} naming the flag, where the path leads nowhere.
 */
export function applyOverride(root: unknown, override: Override): Path {
  const steps = resolveSteps(root, override.steps);
  const fail = (why: string) => new InputError(`${override.label}: ${why}`, { path: formatPath(override.steps) });
  let at = root;
  let changed = steps;
  for (let depth = 0; depth < steps.length; depth++) {
    const step = steps[depth];
    const here = formatPath(steps.slice(0, depth));
    const last = depth === steps.length - 1;
    if (Array.isArray(at)) {
      if (typeof step !== "number") throw fail(unknownItem(here, step, at));
      // The place after the last takes a new item.
      if (step > at.length || (step === at.length && !last)) {
        throw fail(`${here} has ${at.length} ${at.length === 1 ? "item" : "items"}, from [0] on.`);
      }
    } else if (typeof at !== "object" || at === null) {
      throw fail(`${here} is ${show(at)}, which has no fields.`);
    } else if (typeof step === "number") {
      throw fail(`${here} is a map, which has names and not [${step}].`);
    } else if (!last && depth === 1 && (steps[0] === "nodes" || steps[0] === "profiles") && !Object.hasOwn(at, step)) {
      throw fail(`${steps[0]} has no ${JSON.stringify(step)}: ${suggest(step, Object.keys(at))}`);
    }
    const holder = at as Record<string | number, unknown>;
    if (last) {
      Object.defineProperty(holder, step, {
        value: override.value,
        enumerable: true,
        writable: true,
        configurable: true,
      });
    } else {
      if (!Object.hasOwn(holder, step) || holder[step] === null) {
        holder[step] = steps[depth + 1] === 0 ? [] : {};
        if (changed === steps) changed = steps.slice(0, depth + 1);
      }
      at = holder[step];
    }
  }
  return changed;
}

function unknownItem(list: string, step: string, items: readonly unknown[]): string {
  const names = items.map(nameOf).filter((name) => name !== undefined);
  if (!NAMED_LISTS.includes(list) || names.length === 0) {
    return `${list} is a list, which has ${list}[0] and not ${JSON.stringify(step)}.`;
  }
  return `${list} has no ${JSON.stringify(step)}: ${suggest(step, names)}`;
}

function nameOf(item: unknown): string | undefined {
  const name = (item as { name?: unknown } | null)?.name;
  return typeof name === "string" ? name : undefined;
}
