/**
 * As much of the shell's language as commands in scripts need: words with quotes, variables and arithmetic,
 * redirections, and what joins commands. Nothing is ever run.
 *
 * @module
 */

/** One simple command. */
export interface ShellCommand {
  /** The name and the arguments, quotes and variables resolved. */
  words: readonly string[];
  /** Where output goes: `{to: "/proc/sys/net/ipv4/tcp_ecn"}`. Input (`<`) is left out. */
  redirections: readonly { to: string }[];
  /** What stands between it and the command before it. */
  after: ";" | "&&" | "||" | "|";
  /** As written, for reports. */
  text: string;
}

/** Shell text that is not understood. The message is a sentence. */
export class ShellError extends Error {
  /** Whether it is a command of several lines: they make no sense one by one. */
  declare readonly compound: boolean;

  /** `message` is a sentence. */
  constructor(message: string, compound = false) {
    super(message);
    this.name = "ShellError";
    this.compound = compound;
  }
}

/** What begins a compound command, which is not understood. */
const COMPOUND = new Set(["if", "for", "while", "until", "case", "select", "function", "{", "!", "[[", "(("]);

/**
 * Splits shell text into commands. Variables that are assigned (`X=5`) are known afterwards; `PPID` stands for itself.
 *
 * @throws {ShellError} where more of the shell is used: loops, substitutions, brackets.
 */
export function parseShell(text: string): ShellCommand[] {
  return new Shell(text).commands();
}

class Shell {
  #text: string;
  #at = 0;
  #variables = new Map<string, string>([["PPID", "PPID"], ["$", "PPID"]]);

  constructor(text: string) {
    this.#text = text.replace(/\\\r?\n/g, " ");
  }

  commands(): ShellCommand[] {
    const commands: ShellCommand[] = [];
    let after: ShellCommand["after"] = ";";
    while (true) {
      const start = this.#at;
      const { words, redirections } = this.#simple();
      const text = this.#text.slice(start, this.#at).trim();
      if (words.length > 0 || redirections.length > 0) {
        if (COMPOUND.has(words[0])) throw new ShellError(`"${words[0]}" of the shell is not understood here.`, true);
        if (words.length > 0 && words.every((word) => /^[A-Za-z_]\w*=/.test(word))) this.#assign(words);
        else commands.push({ words, redirections, after, text });
      }
      const separator = this.#separator();
      if (separator === null) return commands;
      // A line may end behind &&, || and |.
      if (words.length > 0 || redirections.length > 0 || after === ";") after = separator;
    }
  }

  #assign(words: readonly string[]): void {
    for (const word of words) {
      const equals = word.indexOf("=");
      this.#variables.set(word.slice(0, equals), word.slice(equals + 1));
    }
  }

  #separator(): ShellCommand["after"] | null {
    if (this.#at >= this.#text.length) return null;
    for (const mark of ["&&", "||"] as const) {
      if (this.#text.startsWith(mark, this.#at)) {
        this.#at += 2;
        return mark;
      }
    }
    const mark = this.#text[this.#at++];
    return mark === "|" ? "|" : ";";
  }

  /** Words and redirections up to a separator. */
  #simple(): { words: string[]; redirections: { to: string }[] } {
    const words: string[] = [];
    const redirections: { to: string }[] = [];
    while (true) {
      while (/[ \t\r]/.test(this.#text[this.#at] ?? "")) this.#at++;
      const char = this.#text[this.#at];
      if (char === "#") {
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = end < 0 ? this.#text.length : end;
        continue;
      }
      const redirection = /^(\d*[<>]{1,2}&?|&>{1,2})/.exec(this.#text.slice(this.#at, this.#at + 8));
      if (redirection) {
        this.#at += redirection[0].length;
        while (/[ \t]/.test(this.#text[this.#at] ?? "")) this.#at++;
        const to = this.#word();
        if (redirection[0].includes("<<")) throw new ShellError("A here document is not understood here.", true);
        // 2>&1 names no file.
        if (redirection[0].includes(">") && !/>&$/.test(redirection[0]) && !redirection[0].startsWith("2")) {
          redirections.push({ to });
        }
        continue;
      }
      if (char === undefined || "\n;|&".includes(char)) return { words, redirections };
      if (char === "(" || char === ")") throw new ShellError("Brackets of the shell are not understood here.", true);
      words.push(this.#word());
    }
  }

  #word(): string {
    let word = "";
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at];
      if (/[ \t\r\n;|&<>()]/.test(char)) break;
      if (char === "'") word += this.#until("'");
      else if (char === '"') word += this.#doubleQuoted();
      else if (char === "\\") {
        word += this.#text[this.#at + 1] ?? "";
        this.#at += 2;
      } else if (char === "$") word += this.#dollar();
      else if (char === "`") throw new ShellError("A command within a command is not understood here.");
      else {
        word += char;
        this.#at++;
      }
    }
    return word;
  }

  /** Up to the next such quote, from the one that stands here. */
  #until(quote: string): string {
    const end = this.#text.indexOf(quote, this.#at + 1);
    if (end < 0) throw new ShellError(`A text in quotes is never closed: ${quote} is missing.`);
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inner;
  }

  #doubleQuoted(): string {
    let text = "";
    this.#at++;
    while (this.#text[this.#at] !== '"') {
      const char = this.#text[this.#at];
      if (char === undefined) throw new ShellError('A text in quotes is never closed: " is missing.');
      if (char === "$") text += this.#dollar();
      else if (char === "\\" && '$`"\\'.includes(this.#text[this.#at + 1] ?? " ")) {
        text += this.#text[this.#at + 1];
        this.#at += 2;
      } else if (char === "`") throw new ShellError("A command within a command is not understood here.");
      else {
        text += char;
        this.#at++;
      }
    }
    this.#at++;
    return text;
  }

  /** `$((...))`, `${NAME}`, `$NAME`; a `$` that begins none of them is itself. */
  #dollar(): string {
    const rest = this.#text.slice(this.#at);
    if (rest.startsWith("$((")) {
      const end = rest.indexOf("))");
      if (end < 0) throw new ShellError('Arithmetic is never closed: "))" is missing.');
      this.#at += end + 2;
      return String(arithmetic(rest.slice(3, end), this.#variables));
    }
    if (rest.startsWith("$(")) throw new ShellError("A command within a command is not understood here.");
    const variable = /^\$(?:\{(\w+|\$)\}|([A-Za-z_]\w*|\$))/.exec(rest);
    if (variable === null) {
      if (rest.startsWith("${")) throw new ShellError(`"${rest.slice(0, 20)}" is not understood here.`);
      this.#at++;
      return "$";
    }
    this.#at += variable[0].length;
    const name = variable[1] ?? variable[2];
    const value = this.#variables.get(name);
    if (value === undefined) throw new ShellError(`The variable "${name}" is not known here.`);
    return value;
  }
}

/** Operators of arithmetic, those that bind loosest first. */
const LEVELS: readonly (readonly string[])[] = [["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "%"], ["**"]];

/**
 * The value of `$((...))`: integers as in C, up to 2^53.
 *
 * @throws {ShellError}
 */
export function arithmetic(text: string, variables: ReadonlyMap<string, string> = new Map()): number {
  const tokens = text.match(/0[xX][\da-fA-F]+|\d+|\$?\{?[A-Za-z_]\w*\}?|\*\*|<<|>>|[-+*/%()|^&~]|\S/g) ?? [];
  let at = 0;
  let depth = 0;
  const wrong = () => new ShellError(`"${text.trim()}" is not arithmetic that is understood here.`);
  const level = (n: number): bigint => {
    if (n === LEVELS.length) return primary();
    let left = level(n + 1);
    while (LEVELS[n].includes(tokens[at])) left = apply(tokens[at++], left, level(n + 1), wrong);
    return left;
  };
  const primary = (): bigint => {
    if (++depth > 200) throw wrong();
    const token = tokens[at++];
    let value: bigint;
    if (token === "(") {
      value = level(0);
      if (tokens[at++] !== ")") throw wrong();
    } else if (token === "-") value = -primary();
    else if (token === "+") value = primary();
    else if (token === "~") value = ~primary();
    else value = literal(token, variables, wrong);
    depth--;
    return value;
  };
  const value = level(0);
  if (at < tokens.length || !Number.isSafeInteger(Number(value))) throw wrong();
  return Number(value);
}

function literal(token: string | undefined, variables: ReadonlyMap<string, string>, wrong: () => ShellError): bigint {
  const word = token === undefined ? "" : variables.get(token.replace(/[${}]/g, "")) ?? token;
  if (/^0[0-7]+$/.test(word)) return BigInt(`0o${word.slice(1)}`);
  if (!/^(0[xX][\da-fA-F]{1,16}|\d{1,20})$/.test(word)) throw wrong();
  return BigInt(word);
}

function apply(operator: string, a: bigint, b: bigint, wrong: () => ShellError): bigint {
  if ((operator === "/" || operator === "%") && b === 0n) throw wrong();
  if (operator === "**" || operator === "<<" || operator === ">>") {
    if (b < 0n || b > 64n) throw wrong();
    return operator === "**" ? a ** b : operator === "<<" ? a << b : a >> b;
  }
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "%":
      return a % b;
    case "&":
      return a & b;
    case "|":
      return a | b;
    default:
      return a ^ b;
  }
}
