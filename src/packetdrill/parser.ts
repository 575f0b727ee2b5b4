/**
 * Packetdrill's language: options, commands, and events in time. Packets are in `parse_packet.ts`, calls in
 * `parse_call.ts`.
 *
 * @module
 */
import { compileCode } from "./code_parser.ts";
import { TOKEN } from "./lexer.ts";
import { parseCall } from "./parse_call.ts";
import { parsePacket } from "./parse_packet.ts";
import { Reader } from "./reader.ts";
import type { CodeAction, Command, EventTime, Script, ScriptEvent } from "./script.ts";

const { END, WORD, INTEGER, FLOAT, COMMAND, CODE, ELLIPSIS, OPTION, OPTION_VALUE } = TOKEN;

/** What a script does not say itself. */
export interface ParseOptions {
  /** The file's name, for messages. */
  path: string;
  /** Symbols that stand for something else (`-D NAME=value`); they win over those of the script's own `--define`. */
  symbols: ReadonlyMap<string, string>;
  /** Which ICMP the script speaks. Not given: what its `--ip_version` says, else IPv4. */
  ipVersion?: "ipv4" | "ipv6";
}

/**
 * Reads a script.
 *
 * @throws {InputError} with file, line and column: what was expected there and what was found.
 */
export function parseScript(text: string, options: ParseOptions): Script {
  const reader = new Reader(options.path, text, options.symbols);
  const scriptOptions = parseOptions(reader, options.symbols);
  const ipVersion = options.ipVersion ??
    (scriptOptions.findLast(({ name }) => name === "ip_version")?.value === "ipv6" ? "ipv6" : "ipv4");
  const init = acceptCommand(reader);
  const events: ScriptEvent[] = [];
  while (reader.kind !== END && reader.kind !== COMMAND) events.push(parseEvent(reader, ipVersion));
  const cleanup = acceptCommand(reader);
  if (reader.kind !== END) {
    throw reader.source.error(
      reader.offset,
      "Only commands at the top and at the end stand without a time: an event begins with one.",
    );
  }
  if (events.length === 0) throw reader.source.error(reader.offset, "The script has no events.");
  return { path: options.path, lines: text.split("\n"), options: scriptOptions, init, events, cleanup };
}

function parseOptions(reader: Reader, given: ReadonlyMap<string, string>): Script["options"] {
  const options: { name: string; value: string; at: ScriptEvent["at"] }[] = [];
  while (reader.kind === OPTION) {
    const at = reader.position();
    const name = reader.text.slice(2);
    let value = "";
    reader.advance();
    if (reader.is(OPTION_VALUE)) {
      value = reader.text;
      if (value === "") throw reader.unexpected(`a value after --${name}=`);
      if (name === "define") define(reader, given);
      else if (value[0] === '"' && value.length > 1 && value.at(-1) === '"') value = value.slice(1, -1);
      else value = reader.symbols.get(value) ?? value;
      reader.advance();
    } else if (name === "define") throw reader.unexpected("--define=NAME=value");
    options.push({ name, value, at });
  }
  return options;
}

function define(reader: Reader, given: ReadonlyMap<string, string>): void {
  const equals = reader.text.indexOf("=");
  if (equals < 1) throw reader.unexpected("NAME=value after --define=");
  const name = reader.text.slice(0, equals);
  if (!given.has(name)) reader.symbols.set(name, reader.text.slice(equals + 1));
}

function acceptCommand(reader: Reader): Command | null {
  if (reader.kind !== COMMAND) return null;
  const command = { text: reader.text, at: reader.position() };
  reader.advance();
  return command;
}

function parseEvent(reader: Reader, ipVersion: "ipv4" | "ipv6"): ScriptEvent {
  const at = reader.position();
  const { offset } = reader;
  const time = parseTime(reader);
  const { ends, action } = parseAction(reader, time, ipVersion);
  const expected = action.kind === "packet" && !action.inbound;
  if (time.kind === "any" && !expected) {
    throw reader.source.error(offset, 'Only a packet that is expected (">") may come at any time ("*").');
  }
  if ((time.kind === "absolute-range" || time.kind === "relative-range") && !expected) {
    throw reader.source.error(offset, 'Only a packet that is expected (">") may have a range of times.');
  }
  return { time, ends, at, action };
}

function parseAction(
  reader: Reader,
  time: EventTime,
  ipVersion: "ipv4" | "ipv6",
): Pick<ScriptEvent, "ends" | "action"> {
  if (reader.at("<") || reader.at(">")) return { ends: null, action: parsePacket(reader, ipVersion) };
  if (reader.kind === COMMAND) return { ends: null, action: { kind: "command", command: acceptCommand(reader)! } };
  if (reader.kind === CODE) return { ends: null, action: parseCode(reader) };
  let ends: EventTime | null = null;
  if (reader.kind === ELLIPSIS) {
    const { offset } = reader;
    reader.advance();
    const ns = parseNs(reader);
    if (time.kind !== "absolute" && time.kind !== "relative") {
      throw reader.source.error(offset, "A call that blocks begins at one time, not in a range of times.");
    }
    if (ns < time.ns) throw reader.source.error(offset, "The call returns before it begins.");
    ends = { kind: time.kind, ns };
  }
  if (reader.kind !== WORD) {
    throw reader.unexpected(
      ends ? "a system call" : 'a packet ("<" or ">"), a system call, a command in ` or %{ code }%',
    );
  }
  return { ends, action: parseCall(reader) };
}

function parseCode(reader: Reader): CodeAction {
  const at = reader.source.position(reader.offset + 2);
  const text = reader.text.slice(2, -2);
  compileCode(text, at, reader.source.path);
  reader.advance();
  return { kind: "code", text, at };
}

function parseTime(reader: Reader): EventTime {
  if (reader.accept("*")) return { kind: "any" };
  const { offset } = reader;
  const relative = reader.accept("+");
  const fromNs = parseNs(reader);
  if (!reader.accept("~")) return { kind: relative ? "relative" : "absolute", ns: fromNs };
  if (reader.at("+") && !relative) throw reader.unexpected("an absolute time, as the range's first one is");
  reader.accept("+");
  const toNs = parseNs(reader);
  if (toNs < fromNs) throw reader.source.error(offset, "The range of times ends before it begins.");
  return { kind: relative ? "relative-range" : "absolute-range", fromNs, toNs };
}

/** Seconds, exactly to the nanosecond; what is finer is cut. */
function parseNs(reader: Reader): number {
  if (reader.kind !== FLOAT && reader.kind !== INTEGER) throw reader.unexpected("a time in seconds");
  const { text } = reader;
  if (text[0] === "-") throw reader.source.error(reader.offset, `A time cannot be negative: ${text}.`);
  const [whole, fraction = ""] = text.split(".");
  const ns = Number(whole) * 1e9 + Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (!Number.isSafeInteger(ns)) throw reader.source.error(reader.offset, `The time ${text} s is too long.`);
  reader.advance();
  return ns;
}
