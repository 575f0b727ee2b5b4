/**
 * Is what the host sent what the script expects? Field by field as packetdrill compares, over the real bytes.
 *
 * @module
 */
import { TCP_FLAG } from "../wire/packet.ts";
import { type TcpOption, tcpOptionsBytes } from "../wire/tcp_options.ts";
import type { RunConfig } from "./config.ts";
import type { Flow } from "./flow.ts";
import { optionBytes, optionText, wireOption } from "./option_bytes.ts";
import { aceOf } from "./print.ts";
import type { PacketAction, TcpBody } from "./script.ts";
import type { Segment } from "./segment.ts";

const { FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE } = TCP_FLAG;

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [FIN, "FIN"],
  [SYN, "SYN"],
  [RST, "RST"],
  [PSH, "PSH"],
  [ACK, "ACK"],
  [URG, "URG"],
];

const ECN_BITS = { noecn: 0, ect1: 1, ect0: 2, ect01: 2, ce: 3 } as const;

/** What is wrong with a field. */
function differs(name: string, expected: number | string, actual: number | string): string {
  return `${name}: expected ${expected}, actual ${actual}`;
}

/**
 * Compares a segment, its numbers already the script's, with what is expected: what is wrong first, or null. Rewrites
 * timestamps of `actual` to the script's numbers and lets `flow` learn them.
 */
export function compare(
  expected: PacketAction,
  actual: Segment,
  flow: Flow,
  config: RunConfig,
  toleranceNs: number,
): string | null {
  const body = expected.body;
  if (body.kind !== "tcp") return "packets of this kind are not sent by the emulated host";
  translateTimestamps(body, actual, flow);
  return compareIp(expected, actual) ?? compareHeader(body, actual) ?? compareLabel(expected, actual, flow) ??
    compareOptions(body, actual, config, toleranceNs);
}

function translateTimestamps(body: TcpBody, actual: Segment, flow: Flow): void {
  const expected = body.options === "any" ? undefined : body.options.find((option) => option.kind === "TS");
  const sent = actual.tcp.options.findIndex((option) => option.kind === "timestamps");
  const stamps = actual.tcp.options[sent];
  if (expected?.kind !== "TS" || expected.value === null || stamps?.kind !== "timestamps") return;
  const value = flow.learnTimestamp(expected.value, stamps.value);
  actual.tcp.options = actual.tcp.options.with(sent, { ...stamps, value });
}

function compareIp({ ip }: PacketAction, { trafficClass, ttl }: Segment): string | null {
  const ecn = trafficClass & 3;
  if (ip.ecn === "ect01") return ecn === 1 || ecn === 2 ? null : differs("ECN bits", "1 or 2", ecn);
  if (ip.ecn !== null && ECN_BITS[ip.ecn] !== ecn) return differs("ECN bits", ECN_BITS[ip.ecn], ecn);
  if (ip.tos !== null && ip.tos !== trafficClass) return differs("TOS", ip.tos, trafficClass);
  if (ip.ttl !== null && ip.ttl !== ttl) return differs("TTL", ip.ttl, ttl);
  return null;
}

function compareHeader(body: TcpBody, { tcp, length, headerBytes }: Segment): string | null {
  if (length !== body.length) return differs("payload bytes", body.length, length);
  for (const [bit, name] of FLAG_NAMES) {
    if (((body.flags ^ tcp.flags) & bit) !== 0) return differs(name, bitOf(body.flags, bit), bitOf(tcp.flags, bit));
  }
  if (body.ace !== null) {
    if (body.ace !== aceOf(tcp.flags)) return differs("ACE", body.ace, aceOf(tcp.flags));
  } else {
    for (const [bit, name] of [[ECE, "ECE"], [CWR, "CWR"], [AE, "AE"]] as const) {
      if (((body.flags ^ tcp.flags) & bit) !== 0) return differs(name, bitOf(body.flags, bit), bitOf(tcp.flags, bit));
    }
  }
  if (tcp.sequence !== body.seq >>> 0) return differs("sequence number", body.seq, tcp.sequence);
  if ((tcp.flags & ACK) !== 0 && tcp.acknowledgement !== (body.ack ?? 0) >>> 0) {
    return differs("acknowledgement number", body.ack ?? 0, tcp.acknowledgement);
  }
  if (body.window !== null && tcp.window !== body.window) return differs("window", body.window, tcp.window);
  if (tcp.urgent !== (body.urgent ?? 0)) return differs("urgent pointer", body.urgent ?? 0, tcp.urgent);
  if (body.options === "any") return null;
  const expectedBytes = 20 + tcpOptionsBytes(body.options.map(wireOption));
  return expectedBytes === headerBytes ? null : differs("TCP header bytes", expectedBytes, headerBytes);
}

const bitOf = (flags: number, bit: number) => (flags & bit) !== 0 ? 1 : 0;

/** The first label that is expected stands for whatever is sent; then the same for the same, another for another. */
function compareLabel({ ip }: PacketAction, { flowLabel }: Segment, flow: Flow): string | null {
  const script = ip.flowLabel;
  if (script === null || script === 0) return null;
  if (flowLabel === 0) return "flow label: none was sent";
  const known = flow.flowLabel;
  if (known === null || (known.script !== script && known.wire !== flowLabel)) {
    flow.flowLabel = { script, wire: flowLabel };
    return null;
  }
  if (known.script !== script) return "flow label: another was expected, it stayed the same";
  return known.wire === flowLabel ? null : differs("flow label", known.wire, flowLabel);
}

function compareOptions(body: TcpBody, actual: Segment, config: RunConfig, toleranceNs: number): string | null {
  if (body.options === "any") return null;
  const expected = upToEnd(body.options.map(wireOption));
  const sent = upToEnd(actual.tcp.options);
  for (let i = 0; i < Math.max(expected.length, sent.length); i++) {
    const [a, b] = [expected[i], sent[i]];
    if (a === undefined || b === undefined) return optionsDiffer(expected, sent);
    const [aBytes, bBytes] = [optionBytes(a), optionBytes(b)];
    if (aBytes[0] !== bBytes[0]) return optionsDiffer(expected, sent);
    if (a.kind === "timestamps" && b.kind === "timestamps") {
      const off = Math.abs((b.value - a.value) | 0) * config.timestampTickNs;
      if (off > toleranceNs && body.options.some((option) => option.kind === "TS" && option.value !== null)) {
        return differs("timestamp value", a.value, b.value);
      }
    } else if (aBytes.length !== bBytes.length || aBytes.some((byte, k) => byte !== bBytes[k])) {
      return differs("option", optionText(a), optionText(b));
    }
  }
  return null;
}

/** What follows the end of the list is padding. */
function upToEnd(options: readonly TcpOption[]): readonly TcpOption[] {
  const end = options.findIndex((option) => option.kind === "end");
  return end < 0 ? options : options.slice(0, end + 1);
}

function optionsDiffer(expected: readonly TcpOption[], actual: readonly TcpOption[]): string {
  const text = (options: readonly TcpOption[]) => `<${options.map(optionText).join(",")}>`;
  return differs("options", text(expected), text(actual));
}

/**
 * May `next` be joined to `last` to make a longer segment, of which `missing` bytes are still expected? What is wrong, or
 * null. All but the last piece must be of one size, and only PSH, FIN and CWR may differ.
 */
export function joinable(last: Segment, next: Segment, missing: number): string | null {
  const loose = PSH | FIN | CWR;
  if (((last.tcp.flags ^ next.tcp.flags) & ~loose) !== 0) return "flags change within the expected segment";
  if (next.tcp.sequence !== (last.tcp.sequence + last.length) >>> 0) {
    return differs("sequence number of the next piece", (last.tcp.sequence + last.length) >>> 0, next.tcp.sequence);
  }
  if (next.tcp.acknowledgement !== last.tcp.acknowledgement) {
    return differs("acknowledgement number of the next piece", last.tcp.acknowledgement, next.tcp.acknowledgement);
  }
  if (next.headerBytes !== last.headerBytes) {
    return differs("TCP header bytes of the next piece", last.headerBytes, next.headerBytes);
  }
  if (next.tcp.window !== last.tcp.window) return differs("window", last.tcp.window, next.tcp.window);
  if (next.length < missing && next.length !== last.length) {
    return differs("payload bytes of the next piece", last.length, next.length);
  }
  return null;
}

/** Pieces as one segment: the last one's header with the first one's sequence number and CWR. */
export function joined(pieces: readonly Segment[]): Segment {
  const first = pieces[0];
  const last = pieces[pieces.length - 1];
  const flags = (last.tcp.flags & ~CWR) | (first.tcp.flags & CWR);
  return {
    ...last,
    length: pieces.reduce((sum, piece) => sum + piece.length, 0),
    tcp: { ...last.tcp, flags, sequence: first.tcp.sequence },
  };
}
