/**
 * Runs the code between `%{` and `}%`: assertions over `tcp_info`, with variables that live as long as the script.
 * Nothing of it can reach anything else; its size, depth and number of steps are bounded.
 *
 * Numbers are JavaScript's: integers are exact up to 2^53 (Python's have no end), and a float without a fraction
 * prints as an integer.
 *
 * @module
 */
import { callBuiltin, CodeFailure, formatPercent, formatSpec, formatTemplate } from "./code_builtins.ts";
import { binary, compare, inList, sameValue, show, text, truth } from "./code_operators.ts";
import { type CodeValue, compileCode, type Expression, type Program, type Statement } from "./code_parser.ts";
import type { Position } from "./script.ts";

export type { CodeValue, Program } from "./code_parser.ts";
export { compileCode } from "./code_parser.ts";

/** Names that the code may use: fields of `tcp_info` and constants. A `Map` is one. */
export interface CodeNames {
  /** The value of a name; undefined if there is none. */
  get(name: string): CodeValue | undefined;
}

/** What came of it. */
export type CodeResult =
  & {
    /** Lines that were printed. */
    printed: readonly string[];
  }
  & (
    | { ok: true }
    | {
      ok: false;
      /** What failed, as a sentence: the assertion, its message, and the values of the names in it. */
      message: string;
      /** Where in the script. */
      at: Position;
    }
  );

/** The most that may be done: nodes of the code visited. */
const MOST_STEPS = 1_000_000;
/** How deep the visit may go. */
const DEEPEST = 600;
const MOST_PRINTED = 10_000;

/**
 * Compiles and runs code; see {@linkcode runCode}. `at` is where its first character stands.
 *
 * @throws {InputError} where the code is not understood.
 */
export function evaluate(
  code: string,
  at: Position,
  names: CodeNames,
  state: Map<string, CodeValue>,
  path = "",
): CodeResult {
  return runCode(compileCode(code, at, path), names, state);
}

/**
 * Runs a program. A name is, in this order: what this code assigned to it, what `names` says, what earlier code
 * assigned to it (kept in `state`).
 */
export function runCode(program: Program, names: CodeNames, state: Map<string, CodeValue>): CodeResult {
  const run = new Run(program, names, state);
  try {
    run.statements(program.statements);
    return { ok: true, printed: run.printed };
  } catch (error) {
    if (!(error instanceof CodeFailure)) throw error;
    const at = program.source.position(error.offset ?? 0);
    return { ok: false, message: error.message, at, printed: run.printed };
  }
}

class Run {
  readonly printed: string[] = [];
  #program: Program;
  #names: CodeNames;
  #state: Map<string, CodeValue>;
  #assigned = new Set<string>();
  #steps = 0;
  #depth = 0;

  constructor(program: Program, names: CodeNames, state: Map<string, CodeValue>) {
    this.#program = program;
    this.#names = names;
    this.#state = state;
  }

  statements(statements: readonly Statement[]): void {
    for (const statement of statements) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    this.#step();
    switch (statement.op) {
      case "pass":
        return;
      case "assert":
        return this.#assert(statement.test, statement.message);
      case "assign":
        return this.#assign(statement);
      case "expression":
        this.#value(statement.value);
        return;
      case "print":
        if (this.printed.length >= MOST_PRINTED) {
          throw new CodeFailure(`The code prints more than ${MOST_PRINTED} lines.`);
        }
        this.printed.push(statement.args.map((arg) => text(this.#value(arg))).join(" "));
        return;
      case "if": {
        const branch = statement.branches.find(({ test }) => truth(this.#value(test)));
        return this.statements(branch?.body ?? statement.otherwise);
      }
      case "for": {
        const over = this.#value(statement.over);
        if (typeof over !== "string" && !Array.isArray(over)) {
          throw new CodeFailure(`"for" needs a list, not ${show(over)}.`, statement.over.start);
        }
        for (const item of over as Iterable<CodeValue>) {
          this.#set(statement.name, item);
          this.statements(statement.body);
        }
      }
    }
  }

  #assert(test: Expression, message: Expression | null): void {
    if (truth(this.#value(test))) return;
    const seen = new Map<string, CodeValue>();
    namesIn(test, (name) => {
      const value = this.#lookUp(name);
      if (value !== undefined) seen.set(name, value);
    });
    const values = [...seen].map(([name, value]) => `${name} is ${show(value)}`).join(", ");
    const code = this.#program.source.text.slice(test.start, test.end).replace(/\s+/g, " ");
    let sentence = `assert ${code} does not hold${values === "" ? "" : `: ${values}`}`;
    if (message !== null) {
      const said = this.#value(message);
      // A message that is one of the values says nothing new.
      const known = message.op === "name" && seen.has(message.name);
      if (!known) sentence += ` (${text(said)})`;
    }
    throw new CodeFailure(`${sentence}.`, test.start);
  }

  #assign(statement: Statement & { op: "assign" }): void {
    const { name, operator, start } = statement;
    const value = this.#value(statement.value);
    if (operator === null) return this.#set(name, value);
    const old = this.#lookUp(name);
    if (old === undefined) throw new CodeFailure(`"${name}" has no value yet.`, start);
    this.#set(name, located(() => binary(operator, old, value), start));
  }

  #set(name: string, value: CodeValue): void {
    this.#state.set(name, value);
    this.#assigned.add(name);
  }

  #lookUp(name: string): CodeValue | undefined {
    const own = this.#assigned.has(name) ? this.#state.get(name) : undefined;
    return own ?? this.#names.get(name) ?? this.#state.get(name);
  }

  #step(): void {
    if (++this.#steps > MOST_STEPS) throw new CodeFailure(`The code takes more than ${MOST_STEPS} steps.`);
  }

  #value(expression: Expression): CodeValue {
    this.#step();
    if (++this.#depth > DEEPEST) {
      throw new CodeFailure(`The expression is nested more than ${DEEPEST} levels deep.`, expression.start);
    }
    const value = located(() => this.#valueOf(expression), expression.start);
    this.#depth--;
    return value;
  }

  #valueOf(expression: Expression): CodeValue {
    switch (expression.op) {
      case "constant":
        return expression.value;
      case "name": {
        const value = this.#lookUp(expression.name);
        if (value === undefined) throw new CodeFailure(`There is no name "${expression.name}".`);
        return value;
      }
      case "unary":
        return unary(expression.operator, this.#value(expression.operand));
      case "binary": {
        const left = this.#value(expression.left);
        const right = this.#value(expression.right);
        if (expression.operator === "%" && typeof left === "string") {
          const tuple = expression.right.op === "list" && expression.right.tuple;
          return formatPercent(left, tuple ? right as readonly CodeValue[] : [right]);
        }
        return binary(expression.operator, left, right);
      }
      case "compare":
        return this.#compare(expression);
      case "and":
      case "or":
        return this.#joined(expression.op, expression.parts);
      case "choice":
        return this.#value(truth(this.#value(expression.test)) ? expression.then : expression.otherwise);
      case "list":
        return expression.items.map((item) => this.#value(item));
      case "call":
        return callBuiltin(expression.name, expression.args.map((arg) => this.#value(arg)));
      case "method":
        return method(this.#value(expression.object), expression.name, expression.args.map((arg) => this.#value(arg)));
      case "index":
        return index(this.#value(expression.object), this.#value(expression.index));
      case "text":
        return expression.parts.map((part) => {
          return typeof part === "string" ? part : formatSpec(this.#value(part.value), part.spec);
        }).join("");
    }
  }

  #compare(expression: Expression & { op: "compare" }): boolean {
    let left = this.#value(expression.first);
    for (const { operator, right: side } of expression.rest) {
      const right = this.#value(side);
      if (!holds(operator, left, right)) return false;
      left = right;
    }
    return true;
  }

  #joined(op: "and" | "or", parts: readonly Expression[]): CodeValue {
    let value: CodeValue = null;
    for (const part of parts) {
      value = this.#value(part);
      if (truth(value) === (op === "or")) return value;
    }
    return value;
  }
}

/** Gives a failure the place of the innermost expression around it. */
function located<T>(work: () => T, offset: number): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof CodeFailure) error.offset ??= offset;
    throw error;
  }
}

function unary(operator: "+" | "-" | "~" | "not", value: CodeValue): CodeValue {
  if (operator === "not") return !truth(value);
  if (operator === "~") return binary("-", binary("-", 0, value), 1);
  return operator === "-" ? binary("-", 0, value) : binary("+", 0, value);
}

function holds(operator: string, left: CodeValue, right: CodeValue): boolean {
  switch (operator) {
    case "==":
      return sameValue(left, right);
    case "!=":
      return !sameValue(left, right);
    case "is":
      return sameValue(left, right) && typeof left === typeof right;
    case "is not":
      return !(sameValue(left, right) && typeof left === typeof right);
    case "in":
      return inList(left, right);
    case "not in":
      return !inList(left, right);
    case "<":
      return compare(left, right) < 0;
    case "<=":
      return compare(left, right) <= 0;
    case ">":
      return compare(left, right) > 0;
    default:
      return compare(left, right) >= 0;
  }
}

function index(object: CodeValue, at: CodeValue): CodeValue {
  if (typeof object !== "string" && !Array.isArray(object)) throw new CodeFailure(`${show(object)} has no items.`);
  if (typeof at !== "number") throw new CodeFailure(`An index is a number, not ${show(at)}.`);
  const item = object[at < 0 ? at + object.length : at];
  if (item === undefined) throw new CodeFailure(`There is no item ${at}: ${show(object)} has ${object.length}.`);
  return item;
}

function method(object: CodeValue, name: string, args: readonly CodeValue[]): CodeValue {
  if (name === "format" && typeof object === "string") return formatTemplate(object, args);
  throw new CodeFailure(`There is no method "${name}" of ${show(object)}.`);
}

/** Tells the names in an expression, in order. */
function namesIn(expression: Expression, tell: (name: string) => void): void {
  const queue: Expression[] = [expression];
  for (let i = 0; i < queue.length; i++) {
    const next = queue[i];
    switch (next.op) {
      case "name":
        tell(next.name);
        break;
      case "unary":
        queue.push(next.operand);
        break;
      case "binary":
        queue.push(next.left, next.right);
        break;
      case "compare":
        queue.push(next.first, ...next.rest.map(({ right }) => right));
        break;
      case "and":
      case "or":
        queue.push(...next.parts);
        break;
      case "choice":
        queue.push(next.test, next.then, next.otherwise);
        break;
      case "list":
        queue.push(...next.items);
        break;
      case "call":
        queue.push(...next.args);
        break;
      case "method":
        queue.push(next.object, ...next.args);
        break;
      case "index":
        queue.push(next.object, next.index);
        break;
      case "text":
        for (const part of next.parts) if (typeof part !== "string") queue.push(part.value);
    }
  }
}
