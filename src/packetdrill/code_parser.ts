/**
 * The statements and expressions between `%{` and `}%`: the part of Python that says what a connection must look like.
 *
 * @module
 */
import type { InputError } from "../base/errors.ts";
import { CodeSource, type CodeToken, codeTokens } from "./code_tokens.ts";
import type { Position } from "./script.ts";

/** A value of code. Integers and floats are the same: exact up to 2^53, and 2.0 prints as 2. */
export type CodeValue = number | string | boolean | null | readonly CodeValue[];

/** An expression; `start` and `end` are its place in the code. */
export type Expression =
  & (
    | { op: "constant"; value: CodeValue }
    | { op: "name"; name: string }
    | { op: "unary"; operator: "+" | "-" | "~" | "not"; operand: Expression }
    | { op: "binary"; operator: string; left: Expression; right: Expression }
    /** `a < b <= c`. */
    | { op: "compare"; first: Expression; rest: readonly { operator: string; right: Expression }[] }
    | { op: "and" | "or"; parts: readonly Expression[] }
    | { op: "choice"; test: Expression; then: Expression; otherwise: Expression }
    | { op: "list"; items: readonly Expression[]; tuple: boolean }
    | { op: "call"; name: string; args: readonly Expression[] }
    /** `'...'.format(...)`. */
    | { op: "method"; object: Expression; name: string; args: readonly Expression[] }
    | { op: "index"; object: Expression; index: Expression }
    /** `f'cwnd={tcpi_snd_cwnd:d}'`. */
    | { op: "text"; parts: readonly (string | { value: Expression; spec: string })[] }
  )
  & { start: number; end: number };

/** A statement. */
export type Statement =
  | { op: "assert"; test: Expression; message: Expression | null }
  | { op: "assign"; name: string; operator: string | null; value: Expression; start: number }
  | { op: "expression"; value: Expression }
  | { op: "print"; args: readonly Expression[] }
  | { op: "if"; branches: readonly { test: Expression; body: readonly Statement[] }[]; otherwise: readonly Statement[] }
  | { op: "for"; name: string; over: Expression; body: readonly Statement[] }
  | { op: "pass" };

/** Code that has been understood. */
export interface Program {
  source: CodeSource;
  statements: readonly Statement[];
}

/** How deep expressions and blocks may be nested. */
const DEEPEST = 100;

const COMPARISONS = ["<", "<=", ">", ">=", "==", "!="];
/** Binary operators, those that bind loosest first; all from left to right. */
const BINARY: readonly (readonly string[])[] = [["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "//", "%"]];
const ASSIGNMENTS = ["=", "+=", "-=", "*=", "/=", "//=", "%=", "&=", "|=", "^=", "<<=", ">>=", "**="];
const CONSTANTS: ReadonlyMap<string, CodeValue> = new Map<string, CodeValue>([
  ["True", true],
  ["False", false],
  ["None", null],
]);
const RESERVED = new Set(
  ("and or not if else elif for in is assert pass print True False None def class return import from while with try " +
    "except finally raise lambda del global nonlocal yield async await break continue").split(" "),
);

/**
 * Understands code. `at` is where its first character stands in the script.
 *
 * @throws {InputError} with line and column, where it is not of this language.
 */
export function compileCode(text: string, at: Position, path = ""): Program {
  const source = new CodeSource(text, at, path);
  return { source, statements: new Parser(source, codeTokens(source)).program() };
}

class Parser {
  #source: CodeSource;
  #tokens: CodeToken[];
  #index = 0;
  #depth = 0;

  constructor(source: CodeSource, tokens: CodeToken[]) {
    this.#source = source;
    this.#tokens = tokens;
  }

  program(): Statement[] {
    const statements: Statement[] = [];
    while (this.#token.kind !== "end") statements.push(...this.#statement());
    return statements;
  }

  /** The one expression that the tokens are (inside of an f-string). */
  lone(): Expression {
    const expression = this.#expression();
    if (this.#token.kind === "newline") this.#index++;
    if (this.#token.kind !== "end") throw this.#unexpected("the expression's end");
    return expression;
  }

  get #token(): CodeToken {
    return this.#tokens[this.#index];
  }

  #at(kind: CodeToken["kind"]): boolean {
    return this.#token.kind === kind;
  }

  #atMark(mark: string): boolean {
    return this.#token.kind === "mark" && this.#token.text === mark;
  }

  #accept(text: string, kind: "mark" | "name" = "mark"): boolean {
    if (this.#token.kind !== kind || this.#token.text !== text) return false;
    this.#index++;
    return true;
  }

  #expect(mark: string, where: string): void {
    if (!this.#accept(mark)) throw this.#unexpected(`"${mark}" ${where}`);
  }

  #unexpected(expected: string): InputError {
    const { kind, text, start } = this.#token;
    const found = kind === "end" ? "the code's end" : kind === "newline" ? "the line's end" : `"${text}"`;
    return this.#source.error(start, `Expected ${expected}, found ${found}.`);
  }

  #nested<T>(parse: () => T): T {
    if (++this.#depth > DEEPEST) {
      throw this.#source.error(this.#token.start, `The code is nested more than ${DEEPEST} levels deep here.`);
    }
    const result = parse();
    this.#depth--;
    return result;
  }

  /** One line: a block, or simple statements with semicolons between them. */
  #statement(): Statement[] {
    if (this.#accept("if", "name")) return [this.#nested(() => this.#if())];
    if (this.#accept("for", "name")) return [this.#nested(() => this.#for())];
    return this.#simpleLine();
  }

  #simpleLine(): Statement[] {
    const statements: Statement[] = [];
    do {
      if (this.#token.kind === "newline") break;
      statements.push(this.#simple());
    } while (this.#accept(";"));
    if (this.#token.kind !== "newline") throw this.#unexpected("the line's end or an operator");
    this.#index++;
    return statements;
  }

  #block(): Statement[] {
    this.#expect(":", "before a block");
    if (!this.#at("newline")) return this.#simpleLine();
    this.#index++;
    if (!this.#at("indent")) throw this.#unexpected("an indented block");
    this.#index++;
    const statements: Statement[] = [];
    while (!this.#at("dedent")) statements.push(...this.#statement());
    this.#index++;
    return statements;
  }

  #if(): Statement {
    const branches = [{ test: this.#expression(), body: this.#block() }];
    while (this.#accept("elif", "name")) branches.push({ test: this.#expression(), body: this.#block() });
    return { op: "if", branches, otherwise: this.#accept("else", "name") ? this.#block() : [] };
  }

  #for(): Statement {
    const name = this.#name();
    if (!this.#accept("in", "name")) throw this.#unexpected('"in"');
    return { op: "for", name, over: this.#expressions(), body: this.#block() };
  }

  #name(): string {
    const { kind, text } = this.#token;
    if (kind !== "name" || RESERVED.has(text)) throw this.#unexpected("a name");
    this.#index++;
    return text;
  }

  #simple(): Statement {
    const { start, text, kind } = this.#token;
    if (this.#accept("pass", "name")) return { op: "pass" };
    if (this.#accept("assert", "name")) {
      const test = this.#expression();
      return { op: "assert", test, message: this.#accept(",") ? this.#expression() : null };
    }
    if (this.#accept("print", "name")) return { op: "print", args: this.#printed() };
    const next = this.#tokens[this.#index + 1];
    if (kind === "name" && next?.kind === "mark" && ASSIGNMENTS.includes(next.text)) {
      const name = this.#name();
      const operator = this.#token.text.slice(0, -1);
      this.#index++;
      return { op: "assign", name, operator: operator === "" ? null : operator, value: this.#expressions(), start };
    }
    if (kind === "name" && RESERVED.has(text) && !CONSTANTS.has(text) && text !== "not") {
      throw this.#source.error(
        start,
        `"${text}" is not understood here: expected assert, an assignment, print, if or for.`,
      );
    }
    return { op: "expression", value: this.#expressions() };
  }

  /** What is to be printed, with brackets around it or, as Python 2 had it, without. */
  #printed(): readonly Expression[] {
    if (this.#token.kind === "newline" || this.#atMark(";")) return [];
    const value = this.#expressions();
    return value.op === "list" && value.tuple ? value.items : [value];
  }

  /** One expression, or several with commas between them: a tuple. */
  #expressions(): Expression {
    const first = this.#expression();
    if (!this.#atMark(",")) return first;
    const items = [first];
    while (this.#accept(",")) {
      if (this.#token.kind === "newline" || this.#atMark(")") || this.#atMark("=") || this.#atMark(":")) break;
      items.push(this.#expression());
    }
    return { op: "list", items, tuple: true, start: first.start, end: items.at(-1)!.end };
  }

  #expression(): Expression {
    return this.#nested(() => {
      const then = this.#or();
      if (!this.#accept("if", "name")) return then;
      const test = this.#or();
      if (!this.#accept("else", "name")) throw this.#unexpected('"else"');
      const otherwise = this.#expression();
      return { op: "choice", test, then, otherwise, start: then.start, end: otherwise.end };
    });
  }

  #or(): Expression {
    return this.#joined("or", () => this.#joined("and", () => this.#not()));
  }

  #joined(op: "and" | "or", parse: () => Expression): Expression {
    const first = parse();
    const parts = [first];
    while (this.#accept(op, "name")) parts.push(parse());
    return parts.length === 1 ? first : { op, parts, start: first.start, end: parts.at(-1)!.end };
  }

  #not(): Expression {
    const { start } = this.#token;
    if (!this.#accept("not", "name")) return this.#comparison();
    const operand = this.#nested(() => this.#not());
    return { op: "unary", operator: "not", operand, start, end: operand.end };
  }

  #comparison(): Expression {
    const first = this.#binary(0);
    const rest: { operator: string; right: Expression }[] = [];
    for (let operator = this.#comparisonOperator(); operator !== null; operator = this.#comparisonOperator()) {
      rest.push({ operator, right: this.#binary(0) });
    }
    return rest.length === 0 ? first : { op: "compare", first, rest, start: first.start, end: rest.at(-1)!.right.end };
  }

  #comparisonOperator(): string | null {
    const { kind, text } = this.#token;
    if (kind === "mark" && COMPARISONS.includes(text)) {
      this.#index++;
      return text;
    }
    if (this.#accept("in", "name")) return "in";
    if (this.#accept("is", "name")) return this.#accept("not", "name") ? "is not" : "is";
    if (kind === "name" && text === "not" && this.#tokens[this.#index + 1].text === "in") {
      this.#index += 2;
      return "not in";
    }
    return null;
  }

  #binary(level: number): Expression {
    if (level === BINARY.length) return this.#unary();
    let left = this.#binary(level + 1);
    while (this.#token.kind === "mark" && BINARY[level].includes(this.#token.text)) {
      const operator = this.#token.text;
      this.#index++;
      const right = this.#binary(level + 1);
      left = { op: "binary", operator, left, right, start: left.start, end: right.end };
    }
    return left;
  }

  #unary(): Expression {
    const { start } = this.#token;
    for (const operator of ["-", "+", "~"] as const) {
      if (!this.#accept(operator)) continue;
      const operand = this.#nested(() => this.#unary());
      return { op: "unary", operator, operand, start, end: operand.end };
    }
    const base = this.#postfix();
    if (!this.#accept("**")) return base;
    const right = this.#nested(() => this.#unary());
    return { op: "binary", operator: "**", left: base, right, start: base.start, end: right.end };
  }

  #postfix(): Expression {
    let value = this.#primary();
    while (true) {
      const { start } = value;
      if (this.#accept("[")) {
        const index = this.#expression();
        this.#expect("]", "after an index");
        value = { op: "index", object: value, index, start, end: this.#endOfLast };
      } else if (this.#accept(".")) {
        const name = this.#name();
        this.#expect("(", `after ".${name}"`);
        value = { op: "method", object: value, name, args: this.#args(), start, end: this.#endOfLast };
      } else return value;
    }
  }

  get #endOfLast(): number {
    return this.#tokens[this.#index - 1].end;
  }

  #args(): Expression[] {
    const args: Expression[] = [];
    while (!this.#accept(")")) {
      args.push(this.#expression());
      if (!this.#atMark(")")) this.#expect(",", "between arguments");
    }
    return args;
  }

  #primary(): Expression {
    const { kind, text, value, start, end } = this.#token;
    if (kind === "number") {
      this.#index++;
      return { op: "constant", value, start, end };
    }
    if (kind === "string") return this.#strings();
    if (kind === "name") {
      const constant = CONSTANTS.get(text);
      if (constant !== undefined) {
        this.#index++;
        return { op: "constant", value: constant, start, end };
      }
      const name = this.#name();
      if (!this.#accept("(")) return { op: "name", name, start, end };
      return { op: "call", name, args: this.#args(), start, end: this.#endOfLast };
    }
    if (this.#accept("(")) {
      if (this.#accept(")")) return { op: "list", items: [], tuple: true, start, end: this.#endOfLast };
      const inner = this.#expressions();
      this.#expect(")", "after what stands in brackets");
      return { ...inner, start, end: this.#endOfLast };
    }
    if (this.#accept("[")) {
      const items: Expression[] = [];
      while (!this.#accept("]")) {
        items.push(this.#expression());
        if (!this.#atMark("]")) this.#expect(",", "between the items of a list");
      }
      return { op: "list", items, tuple: false, start, end: this.#endOfLast };
    }
    throw this.#unexpected("a value");
  }

  /** Texts that follow one another are one. */
  #strings(): Expression {
    const { start } = this.#token;
    const parts: (string | { value: Expression; spec: string })[] = [];
    while (this.#token.kind === "string") {
      const token = this.#token;
      if (token.prefix.includes("f")) parts.push(...this.#formatted(token));
      else parts.push(token.text);
      this.#index++;
    }
    const end = this.#endOfLast;
    if (parts.every((part) => typeof part === "string")) return { op: "constant", value: parts.join(""), start, end };
    return { op: "text", parts, start, end };
  }

  #formatted(token: CodeToken): (string | { value: Expression; spec: string })[] {
    const parts: (string | { value: Expression; spec: string })[] = [];
    for (const piece of token.text.matchAll(/\{\{|\}\}|\{([^{}]*)\}|[^{}]+|[{}]/g)) {
      const [text, inner] = piece;
      if (inner !== undefined) parts.push(this.#replacement(token, inner));
      else if (text === "{" || text === "}") {
        throw this.#source.error(token.start, `A single "${text}" in an f'...' text.`);
      } else parts.push(text === "{{" ? "{" : text === "}}" ? "}" : text);
    }
    return parts;
  }

  #replacement(token: CodeToken, inner: string): { value: Expression; spec: string } {
    const colon = inner.indexOf(":");
    const code = colon < 0 ? inner : inner.slice(0, colon);
    // Its tokens are placed where the whole text begins.
    const source = new CodeSource(code.trim(), this.#source.position(token.start), this.#source.path);
    const parser = new Parser(source, codeTokens(source));
    parser.#depth = this.#depth + 1;
    return { value: parser.lone(), spec: colon < 0 ? "" : inner.slice(colon + 1) };
  }
}
