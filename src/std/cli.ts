/**
 * `parseArgs` of `@std/cli` (JSR) with the same options and results, for where JSR is out of reach (`node:util`'s
 * namesake has no `collect`, `negatable`, `stopEarly`, `unknown` or undeclared flags with values, so the walk over the
 * arguments is our own). `deno.jsr.json` maps the name to the real module instead.
 *
 * @module
 */

/** What `parseArgs` returns: a value for each flag, the other arguments in `_`, and those after `--` in `"--"`. */
export type Args<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  D = unknown,
  DD extends boolean | undefined = undefined,
> =
  & { [flag: string]: unknown; _: (string | number)[] }
  & { [flag in Named<B>]: flag extends C ? boolean[] : boolean }
  & { [flag in Extract<Named<S>, C>]: string[] }
  & { [flag in Exclude<Named<S>, C | keyof D>]?: string }
  & { [flag in Extract<Exclude<Named<S>, C>, keyof D>]: string | D[flag] }
  & (DD extends true ? { "--": string[] } : unknown);

/** Flags known by name to the type checker, the list of other arguments not being one. */
export type Named<F extends string> = string extends F ? never : Exclude<F, "_">;

/** Options of {@linkcode parseArgs}. */
export interface ParseOptions<
  B extends string = string,
  S extends string = string,
  C extends string = string,
  D = Record<string, unknown> | undefined,
  DD extends boolean | undefined = boolean | undefined,
> {
  /** Put what follows `--` into the result's `"--"` instead of `_`. Default false. */
  "--"?: DD;
  /** Other names of a flag; all are set in the result. */
  alias?: Record<string, string | readonly string[]>;
  /** Flags without value (`true`: all of them). Absent ones are `false`. */
  boolean?: boolean | B | readonly B[];
  /** Values of flags that are absent. */
  default?: D & Record<string, unknown>;
  /** Stop at the first argument that is no flag: it and all that follow go to `_`. Default false. */
  stopEarly?: boolean;
  /** Flags whose values stay strings (numbers are made numbers otherwise). */
  string?: S | readonly S[];
  /** Flags that may be given several times: their values make an array. */
  collect?: C | readonly C[];
  /** Flags that `--no-x` sets to false. */
  negatable?: string | readonly string[];
  /** Called for each argument that is not declared; what it returns `false` for is left out of the result. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/**
 * Reads command line arguments: `--name value`, `--name=value`, `--flag`, `--no-flag`, `-n value`, `-n5`, `-abc`, `--`.
 *
 * @example
 * ```ts
 * import { parseArgs } from "@std/cli";
 * const args = parseArgs(["--seed", "7", "-q", "a.yaml"], { boolean: ["quiet"], alias: { quiet: "q" } });
 * args.seed; // 7
 * args.quiet; // true
 * args._; // ["a.yaml"]
 * ```
 */
export function parseArgs<
  const B extends string = never,
  const S extends string = never,
  const C extends string = never,
  const D extends Record<string, unknown> = Record<never, unknown>,
  const DD extends boolean | undefined = undefined,
>(args: readonly string[], options: ParseOptions<B, S, C, D, DD> = {}): Args<B, S, C, D, DD> {
  return new Parser(options as ParseOptions).parse(args) as Args<B, S, C, D, DD>;
}

/** A value that looks like one is made a number unless its flag is declared a string: `7`, `-1.5`, `1e3`, `0xff`. */
function isNumber(value: unknown): boolean {
  if (typeof value === "number") return true;
  const text = String(value);
  return /^0x[0-9a-f]+$/i.test(text) || /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(e[-+]?\d+)?$/.test(text);
}

function list<T>(value: T | readonly T[] | undefined): T[] {
  return value === undefined ? [] : Array.isArray(value) ? [...value] : [value as T];
}

/** The options, made sets. */
class Parser {
  #aliases = new Map<string, Set<string>>();
  #booleans: Set<string>;
  #strings: Set<string>;
  #collected: Set<string>;
  #negatable: Set<string>;
  #allBooleans: boolean;
  #options: ParseOptions;
  #result: Record<string, unknown> & { _: (string | number)[] } = { _: [] };

  constructor(options: ParseOptions) {
    this.#options = options;
    for (const [name, others] of Object.entries(options.alias ?? {})) {
      const group = [name, ...list<string>(others)];
      for (const one of group) this.#aliases.set(one, new Set(group.filter((other) => other !== one)));
    }
    const withAliases = (names: string[]) => new Set(names.flatMap((name) => this.#names(name)));
    this.#allBooleans = options.boolean === true;
    this.#booleans = withAliases(typeof options.boolean === "boolean" ? [] : list<string>(options.boolean));
    this.#strings = withAliases(list<string>(options.string));
    this.#collected = withAliases(list<string>(options.collect));
    this.#negatable = withAliases(list<string>(options.negatable));
  }

  parse(args: readonly string[]): Record<string, unknown> {
    const end = args.indexOf("--");
    const flags = end < 0 ? args : args.slice(0, end);
    const after = end < 0 ? [] : args.slice(end + 1);
    for (let i = 0; i < flags.length; i++) {
      const arg = flags[i];
      if (arg.startsWith("--")) {
        i += this.#long(arg, flags[i + 1]);
      } else if (arg.startsWith("-") && arg !== "-") {
        i += this.#short(arg, flags[i + 1]);
      } else {
        if (this.#options.unknown?.(arg) !== false) {
          this.#result._.push(this.#strings.has("_") || !isNumber(arg) ? arg : Number(arg));
        }
        if (this.#options.stopEarly) {
          this.#result._.push(...flags.slice(i + 1));
          break;
        }
      }
    }
    this.#defaults();
    if (this.#options["--"]) this.#result["--"] = [...after];
    else this.#result._.push(...after);
    return this.#result;
  }

  /** Takes `--name…`; returns how many arguments after it were taken too. */
  #long(arg: string, next: string | undefined): number {
    const equals = arg.indexOf("=", 3);
    const name = arg.slice(2, equals < 0 ? undefined : equals);
    if (equals >= 0 && equals < arg.length - 1) {
      const value = arg.slice(equals + 1);
      this.#set(name, this.#isBoolean(name) ? value === "true" : value, arg);
      return 0;
    }
    if (equals < 0 && name.startsWith("no-") && this.#negatable.has(name.slice(3))) {
      this.#set(name.slice(3), false, arg, false);
      return 0;
    }
    return this.#withNext(equals < 0 ? name : `${name}=`, next, arg, /^-/);
  }

  /** Takes `-abc`; returns how many arguments after it were taken too. */
  #short(arg: string, next: string | undefined): number {
    for (let i = 1; i < arg.length - 1; i++) {
      const letter = arg[i];
      const rest = arg.slice(i + 1);
      if (rest === "-") {
        this.#set(letter, rest, arg);
        continue;
      }
      const assigned = /^=(.+)/s.exec(rest);
      if (/[A-Za-z]/.test(letter) && (assigned !== null || /^-?\d+(\.\d*)?(e-?\d+)?$/.test(rest))) {
        this.#set(letter, assigned === null ? rest : assigned[1], arg);
        return 0;
      }
      if (/^\W/.test(rest)) {
        this.#set(letter, rest, arg);
        return 0;
      }
      this.#set(letter, this.#strings.has(letter) ? "" : true, arg);
    }
    const last = arg.at(-1)!;
    return last === "-" ? 0 : this.#withNext(last, next, arg, /^--?[^-]/);
  }

  /** Sets a flag from the argument after it, if that can be its value. */
  #withNext(name: string, next: string | undefined, arg: string, flagLike: RegExp): number {
    if (next) {
      const boolean = this.#isBoolean(name) || (this.#allBooleans && arg.startsWith("--"));
      if (!boolean && !flagLike.test(next)) {
        this.#set(name, next, arg);
        return 1;
      }
      if (next === "true" || next === "false") {
        this.#set(name, next === "true", arg);
        return 1;
      }
    }
    this.#set(name, this.#strings.has(name) ? "" : true, arg);
    return 0;
  }

  #isBoolean(name: string): boolean {
    return this.#booleans.has(name);
  }

  #names(name: string): string[] {
    return [name, ...(this.#aliases.get(name) ?? [])];
  }

  #isKnown(name: string): boolean {
    return this.#booleans.has(name) || this.#strings.has(name) || this.#aliases.has(name) ||
      this.#collected.has(name);
  }

  #set(name: string, value: unknown, arg: string, collect = true): void {
    if (!this.#isKnown(name) && !(this.#allBooleans && /^--[^=]+$/.test(arg))) {
      if (this.#options.unknown?.(arg, name, value) === false) return;
    }
    const typed = typeof value === "string" && !this.#strings.has(name) && isNumber(value) ? Number(value) : value;
    for (const one of this.#names(name)) this.#put(one, typed, collect && this.#collected.has(one));
  }

  /** Puts a value; dots in the name go into nested objects. A flag given again has its last value. */
  #put(name: string, value: unknown, collect: boolean): void {
    const path = name.split(".");
    let holder: Record<string, unknown> = this.#result;
    for (const key of path.slice(0, -1)) {
      if (key === "__proto__" || key === "constructor") return;
      if (typeof holder[key] !== "object" || holder[key] === null) holder[key] = {};
      holder = holder[key] as Record<string, unknown>;
    }
    const key = path.at(-1)!;
    if (key === "__proto__") return;
    if (!collect) holder[key] = value;
    else if (Array.isArray(holder[key])) holder[key].push(value);
    else holder[key] = [value];
  }

  #has(name: string): boolean {
    let holder: unknown = this.#result;
    for (const key of name.split(".")) {
      if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, key)) return false;
      holder = Reflect.get(holder, key);
    }
    return true;
  }

  #defaults(): void {
    const defaults = this.#options.default ?? {};
    for (const [name, value] of Object.entries(defaults)) {
      for (const one of this.#names(name)) if (!this.#has(one)) this.#put(one, value, false);
    }
    for (const name of this.#booleans) {
      if (!this.#has(name)) this.#put(name, this.#collected.has(name) ? [] : false, false);
    }
    for (const name of this.#strings) {
      if (this.#collected.has(name) && !this.#has(name)) this.#put(name, [], false);
    }
  }
}
