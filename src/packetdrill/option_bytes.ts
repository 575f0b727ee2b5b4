/**
 * TCP options of a script as those of the wire, and as text.
 *
 * @module
 */
import { encodeTcpOptions, type TcpOption } from "../wire/tcp_options.ts";
import type { OptionSpec } from "./script.ts";

/** Kind of the Fast Open option (RFC 7413 4.1.1), of the shared experimental one (RFC 6994) and its magic number. */
const FAST_OPEN = 34;
const EXPERIMENTAL = 254;
const FAST_OPEN_MAGIC = [0xf9, 0x89];
const AUTHENTICATION = 19;

const hex = (bytes: Iterable<number>) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** The option as it stands on the wire. What a script leaves open (`TS val` and `ecr`) is 0. */
export function wireOption(spec: OptionSpec): TcpOption {
  switch (spec.kind) {
    case "nop":
      return { kind: "nop" };
    case "eol":
      return { kind: "end" };
    case "mss":
      return { kind: "mss", value: spec.value };
    case "wscale":
      return { kind: "window-scale", shift: spec.shift };
    case "sackOK":
      return { kind: "sack-permitted" };
    case "sack":
      return { kind: "sack", blocks: spec.blocks.map(({ left, right }) => ({ left, right })) };
    case "TS":
      return { kind: "timestamps", value: spec.value ?? 0, echo: spec.echo ?? 0 };
    case "FO":
      return { kind: "unknown", number: FAST_OPEN, data: spec.cookie };
    case "FOEXP":
      return { kind: "unknown", number: EXPERIMENTAL, data: Uint8Array.from([...FAST_OPEN_MAGIC, ...spec.cookie]) };
    case "other":
      return { kind: "unknown", number: spec.number, data: spec.data ?? new Uint8Array(0) };
  }
}

/** The option's bytes, without padding after it. */
export function optionBytes(option: TcpOption): Uint8Array {
  const into = new Uint8Array(40);
  encodeTcpOptions([option], into);
  const length = option.kind === "end" || option.kind === "nop" ? 1 : into[1];
  return into.subarray(0, length);
}

/** The option in packetdrill's notation. */
export function optionText(option: TcpOption): string {
  switch (option.kind) {
    case "end":
      return "eol";
    case "nop":
      return "nop";
    case "mss":
      return `mss ${option.value}`;
    case "window-scale":
      return `wscale ${option.shift}`;
    case "sack-permitted":
      return "sackOK";
    case "sack":
      return `sack ${option.blocks.map(({ left, right }) => `${left}:${right}`).join(" ")}`;
    case "timestamps":
      return `TS val ${option.value} ecr ${option.echo}`;
    default:
      return otherText(optionBytes(option));
  }
}

function otherText(bytes: Uint8Array): string {
  const [number] = bytes;
  const data = bytes.subarray(2);
  if (number === FAST_OPEN) return data.length === 0 ? "FO" : `FO ${hex(data)}`;
  if (number === EXPERIMENTAL && data[0] === FAST_OPEN_MAGIC[0] && data[1] === FAST_OPEN_MAGIC[1]) {
    return data.length === 2 ? "FOEXP" : `FOEXP ${hex(data.subarray(2))}`;
  }
  if (number === AUTHENTICATION) return `md5 ${hex(data)}`;
  return `option ${number} ${hex(data)}`.trimEnd();
}
