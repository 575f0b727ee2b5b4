/**
 * Domain names between text and bytes (RFC 1035 sections 3.1 and 4.1.4).
 *
 * As text a name has no dot at its end (the root is empty); a dot or backslash within a label is written `\.` and `\\`,
 * any other byte that does not print as `\DDD` (RFC 1035 section 5.1). Case is kept; comparisons go by
 * {@linkcode canonicalName} (RFC 4343).
 *
 * @module
 */
import { readU16, writeU16 } from "./bytes.ts";
import { type WireError, wireError } from "./error.ts";

/** Most bytes of a label, and of a name with its lengths and the root (RFC 1035 2.3.4). */
export const DNS_NAME_LIMITS = { LABEL: 63, NAME: 255 } as const;

/** The two leading bits of a pointer. */
const POINTER = 0xc0;
/** Where pointers no longer reach. */
const POINTER_END = 0x4000;

/** The labels of a name as bytes, or why it is none: a sentence's end ("has an empty label"). */
function labelsOf(name: string): Uint8Array[] | string {
  if (name === "" || name === ".") return [];
  const text = name.endsWith(".") && !name.endsWith("\\.") ? name.slice(0, -1) : name;
  const labels: Uint8Array[] = [];
  let label: number[] = [];
  let total = 1;
  const end = (): string | undefined => {
    if (label.length === 0) return "has an empty label";
    if (label.length > DNS_NAME_LIMITS.LABEL) return "has a label of more than 63 bytes";
    total += label.length + 1;
    labels.push(Uint8Array.from(label));
    label = [];
  };
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code === 0x2e) {
      const wrong = end();
      if (wrong !== undefined) return wrong;
      continue;
    }
    if (code === 0x5c) {
      const digits = /^\d{3}/.exec(text.slice(i + 1))?.[0];
      if (digits !== undefined && Number(digits) < 256) {
        code = Number(digits);
        i += 3;
      } else if (i + 1 < text.length && digits === undefined) code = text.charCodeAt(++i);
      else return "ends in the middle of an escape";
      if (code > 255) return "has a character outside ASCII: write it in its xn-- form";
    } else if (code > 126) return "has a character outside ASCII: write it in its xn-- form";
    label.push(code);
  }
  const wrong = end();
  if (wrong !== undefined) return wrong;
  return total > DNS_NAME_LIMITS.NAME ? "is longer than 255 bytes" : labels;
}

/** Why a text is no domain name, as the end of a sentence ("has an empty label"); undefined if it is one. */
export function notADnsName(name: string): string | undefined {
  const labels = labelsOf(name);
  return typeof labels === "string" ? labels : undefined;
}

/** The form in which equal names are equal: ASCII letters in lower case (RFC 4343), no dot at the end. */
export function canonicalName(name: string): string {
  const lower = /[A-Z]/.test(name) ? name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : name;
  return lower.endsWith(".") && !lower.endsWith("\\.") ? lower.slice(0, -1) : lower;
}

/** The name that `name` lies directly in, `example.com` of `www.example.com`; undefined of the root. */
export function parentName(name: string): string | undefined {
  if (name === "") return undefined;
  const dot = /^(?:[^.\\]|\\\d{3}|\\.)*\./.exec(name);
  return dot === null ? "" : name.slice(dot[0].length);
}

/**
 * Writes a name at `at` and returns where it ends. `seen`, if given, holds where names of the message begin: a known
 * ending becomes a pointer (RFC 1035 4.1.4), and new endings are noted. Throws `RangeError` for what is no name, or if
 * it does not fit.
 */
export function encodeDnsName(name: string, into: Uint8Array, at: number, seen?: Map<string, number>): number {
  return isPlain(name) ? encodePlain(name, into, at, seen) : encodeEscaped(name, into, at, seen);
}

/** Has the name nothing to be escaped, and labels of a good length? (Then it needs no taking apart.) */
function isPlain(name: string): boolean {
  if (name.length === 0 || name.length > DNS_NAME_LIMITS.NAME - 2) return false;
  let begin = 0;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code === 0x5c || code > 126) return false;
    if (code !== 0x2e) continue;
    if (i === begin || i - begin > DNS_NAME_LIMITS.LABEL) return false;
    begin = i + 1;
  }
  return begin < name.length && name.length - begin <= DNS_NAME_LIMITS.LABEL;
}

function encodePlain(name: string, into: Uint8Array, at: number, seen: Map<string, number> | undefined): number {
  const text = canonicalName(name);
  for (let begin = 0; begin < name.length;) {
    const rest = begin === 0 ? text : text.slice(begin);
    const known = seen?.get(rest);
    if (known !== undefined) {
      if (at + 2 > into.length) throw new RangeError("The name does not fit.");
      writeU16(into, at, (POINTER << 8) | known);
      return at + 2;
    }
    let end = name.indexOf(".", begin);
    if (end < 0) end = name.length;
    if (at + end - begin + 2 > into.length) throw new RangeError("The name does not fit.");
    if (at < POINTER_END) seen?.set(rest, at);
    into[at++] = end - begin;
    for (let i = begin; i < end; i++) into[at++] = name.charCodeAt(i);
    begin = end + 1;
  }
  into[at] = 0;
  return at + 1;
}

function encodeEscaped(name: string, into: Uint8Array, at: number, seen: Map<string, number> | undefined): number {
  const labels = labelsOf(name);
  if (typeof labels === "string") throw new RangeError(`"${name}" is no domain name: it ${labels}.`);
  let rest = canonicalName(name);
  for (const label of labels) {
    const known = seen?.get(rest);
    if (known !== undefined) {
      if (at + 2 > into.length) throw new RangeError("The name does not fit.");
      writeU16(into, at, (POINTER << 8) | known);
      return at + 2;
    }
    if (at + label.length + 2 > into.length) throw new RangeError("The name does not fit.");
    if (at < POINTER_END) seen?.set(rest, at);
    into[at++] = label.length;
    into.set(label, at);
    at += label.length;
    rest = parentName(rest)!;
  }
  if (at + 1 > into.length) throw new RangeError("The name does not fit.");
  into[at] = 0;
  return at + 1;
}

/** Where the name last read by {@linkcode decodeDnsName} ends. */
export const dnsNameEnd = { at: 0 };

/**
 * The name at `at` of the message in `bytes` from `start` to `end`; pointers count from `start`. Leaves in
 * {@linkcode dnsNameEnd} where it ends. A pointer leads backwards only, so that none goes round in circles.
 */
export function decodeDnsName(bytes: Uint8Array, at: number, start: number, end: number): string | WireError {
  let text = "";
  let total = 1;
  let after = -1;
  // A pointer leads to before where the labels that it ends began.
  let began = at;
  for (;;) {
    if (at >= end) return wireError("dns", "truncated", "A name runs past the end of the message.");
    const length = bytes[at];
    if (length === 0) break;
    if ((length & POINTER) === POINTER) {
      if (at + 2 > end) return wireError("dns", "truncated", "A name's pointer runs past the end of the message.");
      const to = start + (readU16(bytes, at) & (POINTER_END - 1));
      if (to >= began) return wireError("dns", "name", "A name's pointer does not lead backwards.");
      if (after < 0) after = at + 2;
      at = began = to;
      continue;
    }
    if ((length & POINTER) !== 0) return wireError("dns", "name", "A label begins with reserved bits.");
    if (at + 1 + length > end) return wireError("dns", "truncated", "A label runs past the end of the message.");
    total += length + 1;
    if (total > DNS_NAME_LIMITS.NAME) return wireError("dns", "name", "A name is longer than 255 bytes.");
    if (text !== "") text += ".";
    for (let i = at + 1; i <= at + length; i++) text += CHARACTERS[bytes[i]];
    at += length + 1;
  }
  dnsNameEnd.at = after < 0 ? at + 1 : after;
  return text;
}

/** Each byte as it stands in a text. */
const CHARACTERS = Array.from({ length: 256 }, (_, byte) => characterOf(byte));

function characterOf(byte: number): string {
  if (byte === 0x2e || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
  if (byte > 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  return `\\${String(byte).padStart(3, "0")}`;
}
