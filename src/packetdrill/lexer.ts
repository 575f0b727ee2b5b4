/**
 * A packetdrill script cut into tokens: where each begins and ends, and of what kind it is. What a word stands for is
 * the parser's business (`reader.ts`).
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import type { Position } from "./script.ts";

/** Kinds of tokens. */
export const TOKEN = {
  END: 0,
  /** Letters, digits and underscores; may begin with a digit (`3021b9d889017eeb`). */
  WORD: 1,
  /** Decimal digits, perhaps with a minus sign in front. */
  INTEGER: 2,
  /** `0x1f`. */
  HEX: 3,
  /** `.5`, `0.25`, `-1.5`. */
  FLOAT: 4,
  /** In double quotes, which are part of the token. */
  STRING: 5,
  /** In backticks, which are part of the token. */
  COMMAND: 6,
  /** `%{ ... }%`, both marks included. */
  CODE: 7,
  /** `...`. */
  ELLIPSIS: 8,
  /** `--name`. */
  OPTION: 9,
  /** What follows the `=` of an option: everything up to white space, quoted parts whole. */
  OPTION_VALUE: 10,
  /** Any other character, alone. */
  MARK: 11,
} as const;

const { END, WORD, INTEGER, HEX, FLOAT, STRING, COMMAND, CODE, ELLIPSIS, OPTION, OPTION_VALUE, MARK } = TOKEN;

/** A script's text with its name: knows lines, columns, and how to complain about a place. */
export class Source {
  /** The file's name. */
  declare readonly path: string;
  /** The whole text. */
  declare readonly text: string;
  #lineStarts: number[] | null = null;

  /** `path` is for messages only. */
  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
  }

  /** Line and column of an offset. */
  position(offset: number): Position {
    const starts = this.#lineStarts ??= lineStartsOf(this.text);
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - starts[low] + 1 };
  }

  /** The error to throw for what stands at an offset. */
  error(offset: number, sentence: string): InputError {
    const { line, column } = this.position(offset);
    return new InputError(`${this.path}:${line}:${column}: ${sentence}`, { file: this.path, line, column });
  }
}

function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** Tokens as columns. The last one is `END`. */
export interface Tokens {
  /** A `TOKEN` each. */
  kinds: number[];
  /** Offset of each one's first character. */
  starts: number[];
  /** Offset behind each one's last character. */
  ends: number[];
}

/** Cuts a script into tokens; white space and comments (two slashes or `#` to the end of the line, C's) go. */
export function tokenize(source: Source): Tokens {
  const { text } = source;
  const tokens: Tokens = { kinds: [], starts: [], ends: [] };
  const push = (kind: number, start: number, end: number) => {
    tokens.kinds.push(kind);
    tokens.starts.push(start);
    tokens.ends.push(end);
    return end;
  };
  let at = 0;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (isSpace(char)) at++;
    else if (char === 0x23 || (char === 0x2f && text[at + 1] === "/")) at = endOfLine(text, at);
    else if (char === 0x2f && text[at + 1] === "*") at = behind(source, at, "*/", 2, "A comment that opens with /*");
    else if (isWordChar(char)) at = scanWord(text, at, push);
    else if (char === 0x2d || char === 0x2e) at = scanSign(source, at, push);
    else if (char === 0x22) at = push(STRING, at, quotedEnd(source, at, "A text in double quotes"));
    else if (char === 0x60) at = push(COMMAND, at, quotedEnd(source, at, "A command in backticks"));
    else if (char === 0x25 && text[at + 1] === "{") {
      at = push(CODE, at, behind(source, at, "}%", 2, "Code that opens with %{"));
    } else at = push(MARK, at, at + 1);
  }
  push(END, text.length, text.length);
  return tokens;
}

type Push = (kind: number, start: number, end: number) => number;

/** A word or a number without a sign. */
function scanWord(text: string, start: number, push: Push): number {
  let end = start;
  let digitsOnly = true;
  while (end < text.length) {
    const char = text.charCodeAt(end);
    if (!isWordChar(char)) break;
    if (!isDigit(char)) digitsOnly = false;
    end++;
  }
  if (!digitsOnly) {
    return push(/^0x[0-9a-f]+$/i.test(text.slice(start, Math.min(end, start + 40))) ? HEX : WORD, start, end);
  }
  const fraction = fractionEnd(text, end);
  return fraction > end ? push(FLOAT, start, fraction) : push(INTEGER, start, end);
}

/** What begins with a minus sign or a dot: a number, an option, an ellipsis, or the mark itself. */
function scanSign(source: Source, start: number, push: Push): number {
  const { text } = source;
  if (text[start] === ".") {
    if (text.startsWith("...", start)) return push(ELLIPSIS, start, start + 3);
    const fraction = fractionEnd(text, start);
    return fraction > start ? push(FLOAT, start, fraction) : push(MARK, start, start + 1);
  }
  if (text[start + 1] === "-" && isWordChar(text.charCodeAt(start + 2))) return scanOption(source, start, push);
  const integer = digitsEnd(text, start + 1);
  const fraction = fractionEnd(text, integer);
  if (fraction > integer) return push(FLOAT, start, fraction);
  // Letters behind the digits belong to no number: `-5abc` is a mark and a word.
  return integer > start + 1 && !isWordChar(text.charCodeAt(integer))
    ? push(INTEGER, start, integer)
    : push(MARK, start, start + 1);
}

function scanOption(source: Source, start: number, push: Push): number {
  const { text } = source;
  let end = start + 2;
  while (isWordChar(text.charCodeAt(end))) end++;
  push(OPTION, start, end);
  let at = blanksEnd(text, end);
  if (text[at] !== "=") return end;
  at = blanksEnd(text, at + 1);
  end = at;
  while (end < text.length) {
    const char = text.charCodeAt(end);
    if (isSpace(char) || (char === 0x2f && (text[end + 1] === "/" || text[end + 1] === "*"))) break;
    end = char === 0x22 || char === 0x60 ? quotedEnd(source, end, "An option's quoted value") : end + 1;
  }
  return push(OPTION_VALUE, at, end);
}

/** Behind the `.5` that begins at `at`; `at` itself if none does. */
function fractionEnd(text: string, at: number): number {
  return text.charCodeAt(at) === 0x2e && isDigit(text.charCodeAt(at + 1)) ? digitsEnd(text, at + 1) : at;
}

function digitsEnd(text: string, at: number): number {
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

function blanksEnd(text: string, at: number): number {
  while (text[at] === " " || text[at] === "\t") at++;
  return at;
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end;
}

function behind(source: Source, start: number, mark: string, skip: number, what: string): number {
  const end = source.text.indexOf(mark, start + skip);
  if (end < 0) throw source.error(start, `${what} is never closed: ${mark} is missing.`);
  return end + mark.length;
}

/** Behind the quotation that begins at `start`; a backslash takes the next character along. */
function quotedEnd(source: Source, start: number, what: string): number {
  const { text } = source;
  const quote = text[start];
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === quote) return at + 1;
  }
  throw source.error(start, `${what} is never closed: ${quote} is missing.`);
}

function isSpace(char: number): boolean {
  return char === 0x20 || (char >= 0x09 && char <= 0x0d) || char === 0xfeff || char === 0xa0;
}

function isDigit(char: number): boolean {
  return char >= 0x30 && char <= 0x39;
}

/** Letter, digit or underscore. False for NaN, which stands behind the end of the text. */
function isWordChar(char: number): boolean {
  return isDigit(char) || (char >= 0x61 && char <= 0x7a) || (char >= 0x41 && char <= 0x5a) || char === 0x5f;
}
