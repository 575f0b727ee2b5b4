/**
 * System calls: `accept(3, ..., ...) = 4`, `read(4, ..., 10) = -1 EAGAIN (Resource temporarily unavailable)`.
 *
 * @module
 */
import { TOKEN } from "./lexer.ts";
import { integerOf, type Reader } from "./reader.ts";
import type { CallAction, Value } from "./script.ts";

const { END, WORD, INTEGER, HEX, FLOAT, STRING, ELLIPSIS } = TOKEN;

/** Functions that may stand in a result, where a word and a bracket are an error's name and a comment otherwise. */
const FUNCTIONS = ["htons", "htonl", "ntohs", "ntohl", "inet_addr", "inet6_addr"];

/** Parses a call, from its name on. */
export function parseCall(reader: Reader): CallAction {
  const name = reader.word("a system call");
  reader.expect("(", `after the system call's name "${name}"`);
  const args = reader.at(")") ? [] : parseList(reader, "the arguments", ")");
  reader.expect(")", 'after the arguments, or "," between them');
  const call: CallAction = { kind: "call", name, args, result: null, errno: null, note: null };
  if (!reader.accept("=")) return call;
  if (!reader.accept("?")) call.result = parseValue(reader, true);
  if (reader.kind === WORD) call.errno = reader.word("an error's name");
  if (reader.at("(")) call.note = parseNote(reader);
  return call;
}

/** `(Connection refused)`: whatever stands in the brackets. */
function parseNote(reader: Reader): string {
  const start = reader.offset;
  let depth = 0;
  do {
    if (reader.kind === END) throw reader.source.error(start, 'A comment in brackets is never closed: ")" is missing.');
    if (reader.at("(")) depth++;
    if (reader.at(")")) depth--;
    reader.advance();
  } while (depth > 0);
  return reader.source.text.slice(start + 1, reader.endOfLast - 1).trim();
}

function parseList(reader: Reader, what: string, close: string): Value[] {
  const items: Value[] = [];
  do items.push(parseValue(reader, false)); while (reader.accept(","));
  if (!reader.at(close)) throw reader.unexpected(`"," or "${close}" in ${what}`);
  return items;
}

/** A value with its alternatives `A|B`. At the top of a result a word in front of a bracket is no function. */
function parseValue(reader: Reader, isResult: boolean): Value {
  return reader.nested(() => {
    const first = parseUnary(reader, isResult);
    if (!reader.at("|")) return first;
    const parts = [first];
    while (reader.accept("|")) parts.push(parseUnary(reader, isResult));
    return { kind: "or", parts };
  });
}

function parseUnary(reader: Reader, isResult: boolean): Value {
  for (const operator of ["-", "~"] as const) {
    if (!reader.accept(operator)) continue;
    return { kind: "negated", operator, value: reader.nested(() => parseUnary(reader, isResult)) };
  }
  return parsePrimary(reader, isResult);
}

function parsePrimary(reader: Reader, isResult: boolean): Value {
  switch (reader.kind) {
    case ELLIPSIS:
      reader.advance();
      return { kind: "any" };
    case INTEGER:
    case HEX:
      return parseNumber(reader);
    case FLOAT: {
      const { text } = reader;
      reader.advance();
      return { kind: "number", value: Number(text), text };
    }
    case STRING:
      return parseString(reader);
    case WORD:
      return parseWord(reader, isResult);
  }
  if (reader.accept("[")) {
    const items = reader.at("]") ? [] : parseList(reader, "a list", "]");
    reader.expect("]", "at the end of a list");
    return { kind: "list", items };
  }
  if (reader.accept("{")) return parseStruct(reader);
  if (reader.accept("(")) {
    const value = parseValue(reader, false);
    reader.expect(")", "after a value in brackets");
    return value;
  }
  throw reader.unexpected(isResult ? "a result" : "a value");
}

function parseNumber(reader: Reader): Value {
  const { text } = reader;
  const value = integerOf(reader);
  reader.advance();
  if (!reader.at("~") || !/^\d/.test(reader.peek().text)) return { kind: "number", value, text };
  reader.advance();
  const { offset } = reader;
  const to = reader.integer("the end of a range", -Infinity, Infinity);
  if (to < value) throw reader.source.error(offset, `The range ${text}~${to} ends before it begins.`);
  return { kind: "range", from: value, to };
}

/** One text, or several that follow one another; an ellipsis behind it only says that it was cut when printed. */
function parseString(reader: Reader): Value {
  let text = "";
  while (reader.kind === STRING) {
    text += unescaped(reader);
    reader.advance();
  }
  if (reader.kind === ELLIPSIS) reader.advance();
  return { kind: "string", text };
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\",
  '"': '"',
  "'": "'",
  "`": "`",
  0: "\0",
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** The text of the current token, each character a byte. */
function unescaped(reader: Reader): string {
  const { text } = reader;
  if (!text.includes("\\")) return text;
  let result = "";
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== "\\") {
      result += text[i];
      continue;
    }
    const letter = text[++i] ?? "";
    if (letter === "x") {
      const digits = text.slice(i + 1, i + 3);
      if (!/^[0-9a-fA-F]{2}$/.test(digits)) {
        throw reader.source.error(reader.offset, `"\\x${digits}" has to be \\x and two hexadecimal digits.`);
      }
      result += String.fromCharCode(parseInt(digits, 16));
      i += 2;
    } else if (Object.hasOwn(ESCAPES, letter)) result += ESCAPES[letter];
    else throw reader.source.error(reader.offset, `"\\${letter}" in a text means nothing.`);
  }
  return result;
}

function parseWord(reader: Reader, isResult: boolean): Value {
  const name = reader.word("a name");
  if (reader.at("(") && (!isResult || FUNCTIONS.includes(name))) {
    reader.advance();
    const args = reader.at(")") ? [] : parseList(reader, `the arguments of ${name}`, ")");
    reader.expect(")", `after the arguments of ${name}`);
    return { kind: "function", name, args };
  }
  if (!reader.accept("=")) return { kind: "symbol", name };
  return { kind: "struct", fields: [{ name, argument: null, value: parseValue(reader, false) }] };
}

/** `{fd=4, events=POLLIN}`, `{..., 1000}`, `{msg_name(...)=..., msg_iov(1)=[{..., 5}], msg_flags=0}`. */
function parseStruct(reader: Reader): Value {
  const fields: { name: string | null; argument: Value | null; value: Value }[] = [];
  if (reader.accept("}")) return { kind: "struct", fields };
  do fields.push(parseField(reader)); while (reader.accept(","));
  reader.expect("}", 'at the end of a structure, or "," between its fields');
  return { kind: "struct", fields };
}

function parseField(reader: Reader): { name: string | null; argument: Value | null; value: Value } {
  const { offset } = reader;
  const value = parseValue(reader, false);
  if (value.kind === "function" && reader.accept("=")) {
    if (value.args.length !== 1) {
      throw reader.source.error(offset, `Expected one argument: ${value.name}(...)=..., found ${value.args.length}.`);
    }
    return { name: value.name, argument: value.args[0], value: parseValue(reader, false) };
  }
  // `name=value` came back as a structure of its own, unless braces were around it.
  if (value.kind === "struct" && value.fields.length === 1 && reader.source.text[offset] !== "{") {
    return value.fields[0];
  }
  return { name: null, argument: null, value };
}
