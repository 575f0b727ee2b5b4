/**
 * The parser's view of the tokens: one at a time, with symbols put in where a word stands, and errors that say what
 * was expected and what was found.
 *
 * @module
 */
import type { InputError } from "../base/errors.ts";
import { Source, TOKEN, tokenize, type Tokens } from "./lexer.ts";
import type { Position } from "./script.ts";

const { END, WORD, INTEGER, HEX, FLOAT, STRING, COMMAND, CODE, OPTION } = TOKEN;

/** Words of the language: no symbol replaces them. */
const KEYWORDS: ReadonlySet<string> = new Set(
  ("sa_family sin_port sin_addr msg_name msg_iov msg_flags msg_control cmsg_data cmsg_level cmsg_type ee_errno " +
    "ee_origin ee_type ee_code ee_info ee_data scm_sec scm_nsec fd u32 u64 ptr events revents onoff linger htons ipv4 " +
    "ipv6 icmp udp GREv0 gre raw sum off key seq none checksum present encap psp spi mpls label tc ttl inet_addr " +
    "inet6_addr ack eol ecr mss mtu nop sack sackOK md5 TS FO FOEXP ECN e0b e1b ceb tos flowlabel flags Flags val win " +
    "urg wscale ect01 ect0 ect1 noecn ce id").split(" "),
);

/** A number as C's `strtol` with base 0 reads it, which is how packetdrill reads a symbol's value. */
const C_INTEGER = /^[+-]?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/;

/** How deep values may be nested. */
const DEEPEST = 64;

/** A cursor over the tokens of a script. */
export class Reader {
  /** The text and its name. */
  declare readonly source: Source;
  /** Symbols by name, as given to `-D`; option lines may add some. */
  declare readonly symbols: Map<string, string>;
  /** Kind of the current token: a `TOKEN`. */
  kind = 0;
  /** Its text; for strings and commands without the quotation marks. */
  text = "";
  /** Offset of its first character. */
  offset = 0;
  #tokens: Tokens;
  #index = -1;
  #depth = 0;

  /** Reads the first token. */
  constructor(path: string, text: string, symbols: ReadonlyMap<string, string>) {
    this.source = new Source(path, text);
    this.symbols = new Map(symbols);
    this.#tokens = tokenize(this.source);
    this.advance();
  }

  /** Goes on to the next token. At the end it stays there. */
  advance(): void {
    if (this.kind !== END || this.#index < 0) this.#index++;
    this.reload();
  }

  /** Looks at the current token anew: symbols may have been added. */
  reload(): void {
    const { kinds, starts, ends } = this.#tokens;
    this.kind = kinds[this.#index];
    this.offset = starts[this.#index];
    this.text = this.source.text.slice(this.offset, ends[this.#index]);
    if (this.kind === WORD) this.#substitute();
    else if (this.kind === STRING || this.kind === COMMAND) this.text = this.text.slice(1, -1);
  }

  #substitute(): void {
    if (this.symbols.size === 0 || KEYWORDS.has(this.text)) return;
    const value = this.symbols.get(this.text);
    if (value === undefined) return;
    const quoted = value.length > 1 && value.at(-1) === value[0];
    if (quoted && value[0] === '"') {
      this.kind = STRING;
      this.text = value.slice(1, -1);
    } else if (quoted && value[0] === "`") {
      this.kind = COMMAND;
      this.text = value.slice(1, -1);
    } else {
      if (C_INTEGER.test(value)) this.kind = INTEGER;
      else if (/^-?\d*\.\d+$/.test(value)) this.kind = FLOAT;
      this.text = value;
    }
  }

  /** Offset behind the token before the current one. */
  get endOfLast(): number {
    return this.#index === 0 ? 0 : this.#tokens.ends[this.#index - 1];
  }

  /** The next token's text and kind, without symbols: to look ahead. */
  peek(): { kind: number; text: string } {
    const { kinds, starts, ends } = this.#tokens;
    const next = Math.min(this.#index + 1, kinds.length - 1);
    return { kind: kinds[next], text: this.source.text.slice(starts[next], ends[next]) };
  }

  /** Where the current token stands. */
  position(): Position {
    return this.source.position(this.offset);
  }

  /** Whether the current token is of this kind. */
  is(kind: number): boolean {
    return this.kind === kind;
  }

  /** Whether the current token is this mark. */
  at(mark: string): boolean {
    return this.kind === TOKEN.MARK && this.text === mark;
  }

  /** Whether the current token is this word. */
  atWord(word: string): boolean {
    return this.kind === WORD && this.text === word;
  }

  /** Whether the current token is an integer. */
  atInteger(): boolean {
    return this.kind === INTEGER || this.kind === HEX;
  }

  /** Takes the mark, if it is there. */
  accept(mark: string): boolean {
    if (!this.at(mark)) return false;
    this.advance();
    return true;
  }

  /** Takes the word, if it is there. */
  acceptWord(word: string): boolean {
    if (!this.atWord(word)) return false;
    this.advance();
    return true;
  }

  /** Takes the mark. `where` says what it follows: `"after the flags"`. */
  expect(mark: string, where: string): void {
    if (!this.accept(mark)) throw this.unexpected(`"${mark}" ${where}`);
  }

  /** Takes any word. */
  word(what: string): string {
    if (this.kind !== WORD) throw this.unexpected(what);
    const { text } = this;
    this.advance();
    return text;
  }

  /** Takes an integer from `low` to `high`. */
  integer(what: string, low: number, high: number): number {
    if (!this.atInteger()) throw this.unexpected(what);
    const value = integerOf(this);
    if (value < low || value > high) {
      throw this.source.error(this.offset, `${capital(what)} must be from ${low} to ${high}, not ${this.text}.`);
    }
    this.advance();
    return value;
  }

  /** Runs `parse` one level deeper; there is a limit, so that no input overflows the stack. */
  nested<T>(parse: () => T): T {
    if (++this.#depth > DEEPEST) {
      throw this.source.error(this.offset, `Values are nested more than ${DEEPEST} levels deep here.`);
    }
    const result = parse();
    this.#depth--;
    return result;
  }

  /** The error of a token that does not belong here. */
  unexpected(expected: string): InputError {
    return this.source.error(this.offset, `Expected ${expected}, found ${this.#describe()}.`);
  }

  #describe(): string {
    const short = (text: string) => {
      const line = text.split("\n", 1)[0];
      return line.length > 40 ? `${line.slice(0, 40)}…` : line.length < text.length ? `${line}…` : line;
    };
    switch (this.kind) {
      case END:
        return "the end of the script";
      case STRING:
        return `the text "${short(this.text)}"`;
      case COMMAND:
        return `the command \`${short(this.text)}\``;
      case CODE:
        return "code (%{ ... }%)";
      case OPTION:
        return `the option ${short(this.text)} (options stand at the top of a script)`;
      default:
        return `"${short(this.text)}"`;
    }
  }
}

/** The value of the current token, which is an integer: of a symbol, a leading 0 means octal. */
export function integerOf(reader: Reader): number {
  const { text } = reader;
  const first = text.charCodeAt(0);
  if (first > 0x30 && first <= 0x39) return Number(text);
  const negative = text[0] === "-";
  const digits = text.replace(/^[+-]/, "");
  // A symbol stands here as a word.
  const octal = /^0[0-7]+$/.test(digits) && !/[-\d]/.test(reader.source.text[reader.offset]);
  const magnitude = octal ? parseInt(digits, 8) : Number(digits);
  return negative ? 0 - magnitude : magnitude;
}

function capital(text: string): string {
  return text[0].toUpperCase() + text.slice(1);
}
