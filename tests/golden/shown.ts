/** What a trace shows: questions that tell whether a golden trace holds the feature that it is named after. */
import { piecesOf } from "../../src/replay/record.ts";
import { DROP_REASONS } from "../../src/network/drops.ts";
import type { PlainValue } from "../../src/base/plain.ts";
import { CONTENT } from "../../src/trace/content.ts";
import type { PacketEvent } from "../../src/trace/packet_decoder.ts";
import { TraceReader } from "../../src/trace/reader.ts";
import { CONTROL, PROTOCOL, TCP_FLAG } from "../../src/wire/packet.ts";

const { FAMILY, SRC, DST, PORTS, SEQ, ACK, LENGTH, TTL_TOS_WINDOW, EXTRA, SYN_OPTIONS } = CONTENT;
const CONTROL_AT = CONTENT.CONTROL;
const { SYN, FIN, RST } = TCP_FLAG;

/** A trace's packets (each at its first hop) and report. */
export class Shown {
  /** First events of packets. */
  readonly sent: PacketEvent[] = [];
  /** Why packets were dropped, each drop. */
  readonly drops: string[] = [];
  /** The report. */
  report: PlainValue = null;

  /** Reads a whole trace. */
  constructor(trace: Uint8Array) {
    const reader = new TraceReader("trace", piecesOf(trace));
    for (let step = reader.next(); step !== null; step = reader.next()) {
      if (step.kind === "report") this.report = step.report;
      if (step.kind !== "event") continue;
      if (step.event.hop === 0) this.sent.push(step.event);
      if (step.event.dropped) this.drops.push(DROP_REASONS[step.event.reason]);
    }
  }

  /** Something in the report by its path: `connections.established`. */
  fact(path: string): number {
    const found = path.split(".").reduce<unknown>(
      (value, key) => (value as Record<string, unknown>)?.[key],
      this.report,
    );
    return Number(found ?? 0);
  }

  /** Is there a TCP packet with these flags, of which `test` is true? */
  has(flags: number, test: (content: Int32Array) => boolean = () => true): boolean {
    return this.sent.some(({ content }) => isTcp(content) && (content[CONTROL_AT] & flags) === flags && test(content));
  }

  /** Is there a SYN with so much data or more (Fast Open)? */
  synData(least: number): boolean {
    return this.has(SYN, (content) => content[LENGTH] >= least);
  }

  /** The most times that one and the same data (or SYN) was sent. */
  get mostSent(): number {
    return most(
      this.sent.filter(({ content }) => isTcp(content) && (content[LENGTH] > 0 || (content[CONTROL_AT] & SYN) !== 0))
        .map(({ content }) => [addresses(content), content[PORTS], content[SEQ]].join()),
    );
  }

  /** The most SYNs from one and the same four-tuple with different numbers. */
  get mostOpened(): number {
    const syns = new Set(
      this.sent.filter(({ content }) => isTcp(content) && (content[CONTROL_AT] & 0x1ff) === SYN)
        .map(({ content }) => `${addresses(content)},${content[PORTS]} ${content[SEQ]}`),
    );
    return most([...syns].map((text) => text.split(" ")[0]));
  }

  /** Ports that packets with this destination port came from, at the last hop that was seen of them. */
  sourcePorts(destinationPort: number): Set<number> {
    return new Set(
      this.sent.filter(({ content }) => (content[PORTS] & 0xffff) === destinationPort)
        .map(({ content }) => content[PORTS] >>> 16),
    );
  }

  /** Are there SACK blocks? */
  get sack(): boolean {
    return this.has(0, (content) => (content[CONTROL_AT] & CONTROL.HAS_SACK) !== 0);
  }

  /** Is there a D-SACK (RFC 2883): a first block that is acknowledged already? */
  get duplicateSack(): boolean {
    return this.has(
      0,
      (content) => (content[CONTROL_AT] & CONTROL.HAS_SACK) !== 0 && ((content[EXTRA + 2] - content[ACK]) | 0) < 0,
    );
  }

  /** Is there an ICMP error? */
  get icmpError(): boolean {
    return this.sent.some(({ content }) => (content[CONTROL_AT] & CONTROL.QUOTES) !== 0);
  }

  /** Is there a packet with the mark "congestion experienced" (RFC 3168)? Marks are made on the way. */
  get ipv6(): boolean {
    return this.sent.some(({ content }) => content[FAMILY] === 6);
  }

  /** A window of zero in an established connection. */
  get zeroWindow(): boolean {
    return this.has(
      TCP_FLAG.ACK,
      (content) => (content[TTL_TOS_WINDOW] & 0xffff) === 0 && (content[CONTROL_AT] & (RST | SYN | FIN)) === 0,
    );
  }

  /** Bytes of the longest TCP payload. */
  get longest(): number {
    return Math.max(...this.sent.map(({ content }) => isTcp(content) ? content[LENGTH] : 0));
  }

  /** Window scale and MSS words of SYNs. */
  get synOptions(): number[] {
    return this.sent.filter(({ content }) => isTcp(content) && (content[CONTROL_AT] & SYN) !== 0)
      .map(({ content }) => content[SYN_OPTIONS]);
  }

  /** When the last packet was sent, ns. */
  get lastNs(): number {
    return this.sent.at(-1)?.timeNs ?? 0;
  }
}

function isTcp(content: Int32Array): boolean {
  return content[CONTROL_AT] >>> CONTROL.PROTOCOL_SHIFT === PROTOCOL.TCP;
}

function addresses(content: Int32Array): string {
  return content.subarray(SRC, SRC + 4).join() + ">" + content.subarray(DST, DST + 4).join();
}

function most(keys: string[]): number {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}
