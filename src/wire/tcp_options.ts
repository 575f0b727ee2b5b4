/**
 * TCP options (RFC 9293 section 3.2, RFC 7323, RFC 2018, RFC 7413), in the order of the wire, unknown kinds kept.
 *
 * @module
 */
import { readI32, readU16, requireRoom, writeU16, writeU32 } from "./bytes.ts";
import { type WireError, wireError } from "./error.ts";

/** TCP option kinds as on the wire (IANA). */
export const TCP_OPTION = {
  END: 0,
  NOP: 1,
  MSS: 2,
  WINDOW_SCALE: 3,
  SACK_PERMITTED: 4,
  SACK: 5,
  TIMESTAMPS: 8,
  FAST_OPEN: 34,
  /** Shared by experiments (RFC 6994). */
  EXPERIMENTAL: 254,
} as const;

/** The number by which Fast Open is known among experiments (RFC 6994), before it got a kind of its own. */
export const FAST_OPEN_MAGIC = 0xf989;

/** Most bytes of options in a TCP header: its length field counts 60 bytes. */
export const TCP_OPTIONS_MAX_BYTES = 40;

/** A selectively acknowledged range (RFC 2018). */
export interface SackBlock {
  /** Its first sequence number, unsigned. */
  left: number;
  /** One past its last sequence number, unsigned. */
  right: number;
}

/** One TCP option. A known kind with a length that is not its own counts as unknown, as in Linux. */
export type TcpOption =
  /** The end of the list; zeros pad the rest. */
  | { kind: "end" }
  /** One byte of padding. */
  | { kind: "nop" }
  /** Maximum segment size: 0 to 65,535 bytes. */
  | { kind: "mss"; value: number }
  /** Window scale: a shift of 0 to 255 on the wire; above 14 counts as 14 (RFC 7323 section 2.3). */
  | { kind: "window-scale"; shift: number }
  /** SACK permitted. */
  | { kind: "sack-permitted" }
  /** 1 to 4 SACK blocks. */
  | { kind: "sack"; blocks: SackBlock[] }
  /** Timestamp value and echo reply, unsigned 32 bits. */
  | { kind: "timestamps"; value: number; echo: number }
  /** A Fast Open cookie of 4 to 16 bytes, or (none) a request for one (RFC 7413). */
  | { kind: "fast-open"; cookie: Uint8Array; experimental: boolean }
  /** Any other: its kind number (2 to 255) and the bytes after its length byte. */
  | { kind: "unknown"; number: number; data: Uint8Array };

/** Bytes of one option, without padding. */
function optionBytes(option: TcpOption): number {
  switch (option.kind) {
    case "end":
    case "nop":
      return 1;
    case "mss":
      return 4;
    case "window-scale":
      return 3;
    case "sack-permitted":
      return 2;
    case "sack":
      return 2 + 8 * option.blocks.length;
    case "timestamps":
      return 10;
    case "fast-open":
      return (option.experimental ? 4 : 2) + option.cookie.length;
    case "unknown":
      return 2 + option.data.length;
  }
}

/** Bytes that options encode to, padded to a multiple of 4. */
export function tcpOptionsBytes(options: readonly TcpOption[]): number {
  let length = 0;
  for (const option of options) length += optionBytes(option);
  return length + 3 & ~3;
}

/**
 * Writes options at `at`, padded with zeros to a multiple of 4 bytes, and returns those bytes.
 * Throws `RangeError` if they take more than 40 bytes or do not fit.
 */
export function encodeTcpOptions(options: readonly TcpOption[], into: Uint8Array, at = 0): number {
  const length = tcpOptionsBytes(options);
  if (length > TCP_OPTIONS_MAX_BYTES) throw new RangeError(`TCP options take at most 40 bytes, not ${length}.`);
  requireRoom(into, at, length);
  into.fill(0, at, at + length);
  let cursor = at;
  for (const option of options) {
    const bytes = optionBytes(option);
    if (bytes > 1) into[cursor + 1] = bytes;
    switch (option.kind) {
      case "end":
        break;
      case "nop":
        into[cursor] = TCP_OPTION.NOP;
        break;
      case "mss":
        into[cursor] = TCP_OPTION.MSS;
        writeU16(into, cursor + 2, option.value);
        break;
      case "window-scale":
        into[cursor] = TCP_OPTION.WINDOW_SCALE;
        into[cursor + 2] = option.shift;
        break;
      case "sack-permitted":
        into[cursor] = TCP_OPTION.SACK_PERMITTED;
        break;
      case "sack":
        into[cursor] = TCP_OPTION.SACK;
        option.blocks.forEach((block, i) => {
          writeU32(into, cursor + 2 + 8 * i, block.left);
          writeU32(into, cursor + 6 + 8 * i, block.right);
        });
        break;
      case "timestamps":
        into[cursor] = TCP_OPTION.TIMESTAMPS;
        writeU32(into, cursor + 2, option.value);
        writeU32(into, cursor + 6, option.echo);
        break;
      case "fast-open":
        into[cursor] = option.experimental ? TCP_OPTION.EXPERIMENTAL : TCP_OPTION.FAST_OPEN;
        if (option.experimental) writeU16(into, cursor + 2, FAST_OPEN_MAGIC);
        into.set(option.cookie, cursor + (option.experimental ? 4 : 2));
        break;
      case "unknown":
        into[cursor] = option.number;
        into.set(option.data, cursor + 2);
        break;
    }
    cursor += bytes;
  }
  return length;
}

/**
 * The options in the bytes from `at` up to `end`, in order. What follows an end-of-list is padding and is dropped
 * (RFC 9293 MUST-69 makes it zeros). An option that is cut off or shorter than 2 bytes is a {@linkcode WireError} (MUST-7).
 */
export function decodeTcpOptions(bytes: Uint8Array, at = 0, end: number = bytes.length): TcpOption[] | WireError {
  const options: TcpOption[] = [];
  let cursor = at;
  while (cursor < end) {
    const number = bytes[cursor];
    if (number === TCP_OPTION.END) {
      options.push({ kind: "end" });
      break;
    }
    if (number === TCP_OPTION.NOP) {
      options.push({ kind: "nop" });
      cursor++;
      continue;
    }
    if (cursor + 1 >= end) return wireError("tcp-options", "option", `TCP option ${number} has no length byte.`);
    const length = bytes[cursor + 1];
    if (length < 2) return wireError("tcp-options", "option", `TCP option ${number} has the illegal length ${length}.`);
    if (cursor + length > end) {
      return wireError("tcp-options", "option", `TCP option ${number} of ${length} bytes runs past the header.`);
    }
    options.push(decodeOption(bytes, cursor, number, length));
    cursor += length;
  }
  return options;
}

function decodeOption(bytes: Uint8Array, at: number, number: number, length: number): TcpOption {
  if (number === TCP_OPTION.MSS && length === 4) return { kind: "mss", value: readU16(bytes, at + 2) };
  if (number === TCP_OPTION.WINDOW_SCALE && length === 3) return { kind: "window-scale", shift: bytes[at + 2] };
  if (number === TCP_OPTION.SACK_PERMITTED && length === 2) return { kind: "sack-permitted" };
  if (number === TCP_OPTION.TIMESTAMPS && length === 10) {
    return { kind: "timestamps", value: readI32(bytes, at + 2) >>> 0, echo: readI32(bytes, at + 6) >>> 0 };
  }
  if (number === TCP_OPTION.SACK && length > 2 && (length & 7) === 2) {
    const blocks: SackBlock[] = [];
    for (let i = at + 2; i < at + length; i += 8) {
      blocks.push({ left: readI32(bytes, i) >>> 0, right: readI32(bytes, i + 4) >>> 0 });
    }
    return { kind: "sack", blocks };
  }
  if (number === TCP_OPTION.FAST_OPEN && isCookieLength(length - 2)) {
    return { kind: "fast-open", cookie: bytes.slice(at + 2, at + length), experimental: false };
  }
  if (
    number === TCP_OPTION.EXPERIMENTAL && length >= 4 && readU16(bytes, at + 2) === FAST_OPEN_MAGIC &&
    isCookieLength(length - 4)
  ) return { kind: "fast-open", cookie: bytes.slice(at + 4, at + length), experimental: true };
  return { kind: "unknown", number, data: bytes.slice(at + 2, at + length) };
}

/** RFC 7413 4.1.1: a request has no bytes, a cookie 4 to 16, an even number. */
function isCookieLength(bytes: number): boolean {
  return bytes === 0 || (bytes >= 4 && bytes <= 16 && (bytes & 1) === 0);
}
