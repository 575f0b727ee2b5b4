/**
 * TCP options in packetdrill's notation: `mss 1460`, `TS val 100 ecr 0`, `FO 3021b9d889017eeb`, ...
 *
 * @module
 */
import { TOKEN } from "./lexer.ts";
import type { Reader } from "./reader.ts";
import type { OptionSpec } from "./script.ts";

const { WORD, INTEGER } = TOKEN;
const U32 = 0xffffffff;

/** Kinds of the Accurate ECN option: by which counter comes first. */
const ACCECN = { e0b: { kind: 172, order: ["e0b", "ceb", "e1b"] }, e1b: { kind: 174, order: ["e1b", "ceb", "e0b"] } };

/** Parses one option. */
export function parseOption(reader: Reader): OptionSpec {
  const { offset } = reader;
  const name = reader.word("a TCP option");
  switch (name) {
    case "nop":
    case "eol":
    case "sackOK":
      return { kind: name };
    case "mss":
      return { kind: "mss", value: reader.integer("the MSS", 0, 0xffff) };
    case "wscale":
      return { kind: "wscale", shift: reader.integer("the window scale", 0, 255) };
    case "sack":
      return parseSack(reader);
    case "TS":
      return parseTimestamps(reader);
    case "FO":
    case "FOEXP":
      return { kind: name, cookie: parseHex(reader, "a cookie", name === "FO" ? 38 : 36) };
    case "md5": {
      const data = parseHex(reader, "an MD5 digest", 16);
      if (data.length === 0) throw reader.unexpected("a digest in hexadecimal digits after md5");
      return { kind: "other", number: 19, data, text: `md5 ${hex(data)}` };
    }
    case "ECN":
      return parseAccurateEcn(reader);
    default:
      throw reader.source.error(
        offset,
        `"${name}" is not a TCP option: expected mss, wscale, sackOK, sack, TS, nop, eol, FO, FOEXP, md5 or ECN.`,
      );
  }
}

function parseSack(reader: Reader): OptionSpec {
  const blocks: { left: number; right: number }[] = [];
  do {
    const left = reader.integer("the left edge of a SACK block", 0, U32);
    reader.expect(":", "between the edges of a SACK block");
    blocks.push({ left, right: reader.integer("the right edge of a SACK block", 0, U32) });
  } while (reader.atInteger());
  return { kind: "sack", blocks };
}

function parseTimestamps(reader: Reader): OptionSpec {
  if (!reader.acceptWord("val")) throw reader.unexpected('"val" after TS');
  const value = reader.integer("the timestamp's value", 0, U32);
  if (!reader.acceptWord("ecr")) throw reader.unexpected('"ecr" after the timestamp\'s value');
  return { kind: "TS", value, echo: reader.integer("the timestamp's echo", 0, U32) };
}

/** `ECN e0b 1 ceb 0 e1b 1`: counters of 24 bits in one of two orders, the last ones optional. */
function parseAccurateEcn(reader: Reader): OptionSpec {
  const first = reader.atWord("e0b") || reader.atWord("e1b") ? ACCECN[reader.text as "e0b" | "e1b"] : undefined;
  if (first === undefined) throw reader.unexpected("e0b or e1b after ECN");
  const bytes: number[] = [];
  const words = ["ECN"];
  for (const name of first.order) {
    if (!reader.acceptWord(name)) break;
    const value = reader.integer(`the counter ${name}`, 0, 0xffffff);
    bytes.push(value >>> 16, (value >>> 8) & 255, value & 255);
    words.push(name, String(value));
  }
  return { kind: "other", number: first.kind, data: Uint8Array.from(bytes), text: words.join(" ") };
}

/** Hexadecimal digits, two a byte; empty if none stand there. */
function parseHex(reader: Reader, what: string, most: number): Uint8Array {
  if (reader.kind !== WORD && reader.kind !== INTEGER) return new Uint8Array(0);
  const { text, offset } = reader;
  if (!/^[0-9a-fA-F]*$/.test(text)) throw reader.unexpected(`${what} in hexadecimal digits`);
  if (text.length % 2 !== 0) {
    throw reader.source.error(offset, `${text} has an odd number of digits: ${what} has two a byte.`);
  }
  if (text.length > 2 * most) {
    throw reader.source.error(offset, `${text} has ${text.length / 2} bytes: ${what} has at most ${most} here.`);
  }
  reader.advance();
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** How many bytes of the header an option takes. */
export function optionBytes(option: OptionSpec): number {
  switch (option.kind) {
    case "nop":
    case "eol":
      return 1;
    case "mss":
      return 4;
    case "wscale":
      return 3;
    case "sackOK":
      return 2;
    case "sack":
      return 2 + 8 * option.blocks.length;
    case "TS":
      return 10;
    case "FO":
      return 2 + option.cookie.length;
    case "FOEXP":
      return 4 + option.cookie.length;
    case "other":
      return 2 + (option.data?.length ?? 0);
  }
}
