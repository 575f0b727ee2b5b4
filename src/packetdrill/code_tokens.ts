/**
 * The code between `%{` and `}%` cut into tokens, with Python's rules of lines and indentation.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import type { Position } from "./script.ts";

/** A token of code. Lines end in `newline`; blocks are between `indent` and `dedent`. */
export interface CodeToken {
  kind: "name" | "number" | "string" | "mark" | "newline" | "indent" | "dedent" | "end";
  /** Name or mark as written; a string's content with escapes resolved. */
  text: string;
  /** A number's value. */
  value: number;
  /** Letters in front of a string, lower case: `f` says that there are expressions in it. */
  prefix: string;
  /** Where it begins and ends in the code. */
  start: number;
  end: number;
}

/** The longest code taken, characters. */
const LONGEST = 100_000;

const MARKS = [
  ..."**= //= >>= <<= != == <= >= -> ** // << >> += -= *= /= %= &= |= ^= :=".split(" "),
  ..."+-*/%()[]{}<>=,.:;&|^~@",
];
const OPENING = "([{";
const CLOSING = ")]}";

/** Code and where it stands in its script: makes errors. */
export class CodeSource {
  /** The code. */
  declare readonly text: string;
  /** Where its first character stands. */
  declare readonly at: Position;
  /** The script's name; may be empty. */
  declare readonly path: string;

  /** What the fields say. */
  constructor(text: string, at: Position, path: string) {
    this.text = text;
    this.at = at;
    this.path = path;
  }

  /** The place in the script of an offset in the code. */
  position(offset: number): Position {
    const before = this.text.slice(0, offset);
    const lineStart = before.lastIndexOf("\n") + 1;
    if (lineStart === 0) return { line: this.at.line, column: this.at.column + offset };
    let line = this.at.line;
    for (let i = 0; i < lineStart; i++) if (before[i] === "\n") line++;
    return { line, column: offset - lineStart + 1 };
  }

  /** The error to throw for what stands at an offset. */
  error(offset: number, sentence: string): InputError {
    const { line, column } = this.position(offset);
    const file = this.path === "" ? {} : { file: this.path };
    return new InputError(`${this.path === "" ? "" : `${this.path}:`}${line}:${column}: ${sentence}`, {
      ...file,
      line,
      column,
    });
  }
}

/** Cuts code into tokens. @throws {InputError} where it is none. */
export function codeTokens(source: CodeSource): CodeToken[] {
  if (source.text.length > LONGEST) throw source.error(0, `The code is longer than ${LONGEST} characters.`);
  return new Scanner(source).run();
}

class Scanner {
  #source: CodeSource;
  #text: string;
  #at = 0;
  #tokens: CodeToken[] = [];
  /** Indentation of the blocks that are open, the outermost first; -1 while the outermost is not known. */
  #indents = [-1];
  #brackets: string[] = [];

  constructor(source: CodeSource) {
    this.#source = source;
    this.#text = source.text;
  }

  run(): CodeToken[] {
    let lineStart = true;
    while (this.#at < this.#text.length) {
      if (lineStart) {
        lineStart = false;
        if (!this.#beginLine()) {
          lineStart = true;
          continue;
        }
      }
      const char = this.#text[this.#at];
      if (char === "\n") {
        this.#at++;
        if (this.#brackets.length === 0) {
          this.#newline();
          lineStart = true;
        }
      } else if (char === "\\" && /^\\\r?\n/.test(this.#text.slice(this.#at, this.#at + 3))) {
        this.#at = this.#text.indexOf("\n", this.#at) + 1;
      } else if (/\s/.test(char)) this.#at++;
      else if (char === "#") this.#skipComment();
      else this.#token();
    }
    if (this.#brackets.length > 0) {
      throw this.#source.error(this.#text.length, `The code ends where "${this.#brackets.at(-1)}" is still open.`);
    }
    this.#newline();
    for (let i = 1; i < this.#indents.length; i++) this.#push("dedent", this.#at, this.#at);
    this.#push("end", this.#at, this.#at);
    return this.#tokens;
  }

  /** Indentation at the beginning of a line; false if the line is empty. */
  #beginLine(): boolean {
    const start = this.#at;
    while (this.#text[this.#at] === " " || this.#text[this.#at] === "\t") this.#at++;
    if (this.#text[this.#at] === "#") this.#skipComment();
    if (/^\r?\n/.test(this.#text.slice(this.#at, this.#at + 2))) {
      this.#at = this.#text.indexOf("\n", this.#at) + 1;
      return false;
    }
    if (this.#at >= this.#text.length) return false;
    // What follows `%{` on its line stands at no column of its own.
    if (start === 0) return true;
    const indent = this.#at - start;
    const opensBlock = this.#tokens.at(-1)?.kind === "newline" && this.#tokens.at(-2)?.text === ":";
    if (this.#indents.length === 1 && this.#indents[0] < 0) this.#indents[0] = opensBlock ? 0 : indent;
    if (indent > this.#indents.at(-1)!) {
      if (!opensBlock) throw this.#source.error(this.#at, "This line is indented, and no block begins here.");
      this.#indents.push(indent);
      this.#push("indent", this.#at, this.#at);
    }
    while (indent < this.#indents.at(-1)! && this.#indents.length > 1) {
      this.#indents.pop();
      this.#push("dedent", this.#at, this.#at);
    }
    if (indent !== this.#indents.at(-1)) {
      throw this.#source.error(this.#at, "This line's indentation is that of no block.");
    }
    return true;
  }

  #skipComment(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #newline(): void {
    const last = this.#tokens.at(-1)?.kind;
    if (last !== undefined && last !== "newline" && last !== "dedent") this.#push("newline", this.#at, this.#at);
  }

  #push(kind: CodeToken["kind"], start: number, end: number, more: Partial<CodeToken> = {}): void {
    this.#tokens.push({ kind, text: this.#text.slice(start, end), value: 0, prefix: "", start, end, ...more });
    this.#at = end;
  }

  #token(): void {
    const start = this.#at;
    const rest = this.#text.slice(start, start + 400);
    const string = /^([rRbBfFuU]{0,2})('''|"""|'|")/.exec(rest);
    if (string) return this.#string(start, string[1].toLowerCase(), string[2]);
    const number = /^(0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)([eE][+-]?\d+)?)/.exec(
      rest,
    );
    if (number) {
      if (/^\w/.test(rest.slice(number[0].length))) throw this.#source.error(start, `"${number[0]}" runs into a name.`);
      return this.#push("number", start, start + number[0].length, { value: Number(number[0].replaceAll("_", "")) });
    }
    const name = /^[A-Za-z_]\w*/.exec(rest);
    if (name) return this.#push("name", start, start + name[0].length);
    const mark = MARKS.find((candidate) => rest.startsWith(candidate));
    if (mark === undefined) {
      throw this.#source.error(start, `"${String.fromCodePoint(rest.codePointAt(0)!)}" means nothing in code.`);
    }
    if (OPENING.includes(mark)) this.#brackets.push(mark);
    if (CLOSING.includes(mark) && this.#brackets.pop() !== OPENING[CLOSING.indexOf(mark)]) {
      throw this.#source.error(start, `"${mark}" closes nothing that is open here.`);
    }
    this.#push("mark", start, start + mark.length);
  }

  #string(start: number, prefix: string, quote: string): void {
    let text = "";
    let at = start + prefix.length + quote.length;
    while (!this.#text.startsWith(quote, at)) {
      const char = this.#text[at];
      if (char === undefined || (char === "\n" && quote.length === 1)) {
        throw this.#source.error(start, `A text is never closed: ${quote} is missing.`);
      }
      if (char === "\\" && !prefix.includes("r")) {
        const [piece, length] = escapeAt(this.#text, at);
        text += piece;
        at += length;
      } else {
        text += char;
        at++;
      }
    }
    this.#push("string", start, at + quote.length, { text, prefix });
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "\n": "",
};

/** What an escape stands for, and its length; an unknown one stands for itself, as in Python. */
function escapeAt(text: string, at: number): [string, number] {
  const letter = text[at + 1] ?? "";
  const byte = /^\\x([\da-fA-F]{2})/.exec(text.slice(at, at + 4));
  if (byte) return [String.fromCharCode(parseInt(byte[1], 16)), 4];
  return Object.hasOwn(ESCAPES, letter) ? [ESCAPES[letter], 2] : ["\\", 1];
}
