/**
 * Our answers to a stimulus against the recorded ones: each is the same, differs acceptably, or is wrong, and says by
 * which rule.
 *
 * @module
 */
import { findOption } from "../wire/capture_packet.ts";
import { TCP_FLAG } from "../wire/packet.ts";
import { TCP_OPTION } from "../wire/tcp_options.ts";
import { isPureAck, type Stimulus, type StimulusSegment } from "./stimulus.ts";
import { GRACE_NS, type Played } from "./stimulus_play.ts";

const { SYN, ACK, FIN, RST, PSH, URG, ECE, CWR } = TCP_FLAG;

/** What differences there are, and why they are what they are. */
export const STIMULUS_RULES = {
  /** Acceptable. */
  timing: "sent at another time: delayed ACKs (up to 500 ms, RFC 1122 4.2.3.2), timers and pacing are a stack's own",
  window: "another window: buffers and their growth are a stack's own",
  "option-values": "another MSS, window scale or other option in the handshake: settings of the host",
  segmentation: "the same bytes in other cuts: offloading, packet sizes and Nagle are a stack's own",
  "ack-frequency": "an ACK that the other stack joined with a later one or did not (RFC 9293 3.8.6.3)",
  retransmission: "sent again by one stack only: timers and loss detection are a stack's own",
  "late-reset": "a reset after both ends' data: how a program lets go of a closed connection",
  "early-ack": "acknowledged when our end had not sent it yet: windows (RFC 5681) are a stack's own",
  "syn-data":
    "data with a SYN, taken at once or when it comes again: RFC 9293 3.10.7.2 lets it be kept, Linux leaves it",
  /** Wrong. */
  opening: "our end did not open the connection, or agreed to other options than the recorded one",
  "missing-bytes": "bytes that the recorded end sent, and ours did not",
  "extra-bytes": "bytes that our end sent, and the recorded one did not",
  unacknowledged: "what came was acknowledged by the recorded end, and never by ours",
  "acknowledged-ahead": "our end acknowledged what had not come (RFC 9293 3.8.4)",
  "sent-again-acknowledged": "our end sent again what had been acknowledged",
  fin: "the end of the stream is not where, or not there as, the recorded one is",
  reset: "one end reset the connection and the other did not",
} as const;

/** A rule's name. */
export type StimulusRule = keyof typeof STIMULUS_RULES;

const WRONG: readonly StimulusRule[] = [
  "opening",
  "missing-bytes",
  "extra-bytes",
  "unacknowledged",
  "acknowledged-ahead",
  "sent-again-acknowledged",
  "fin",
  "reset",
];

/** Is what a rule is about wrong? */
export function isWrong(rule: StimulusRule): boolean {
  return WRONG.includes(rule);
}

/** An answer that differs. */
export interface StimulusDifference {
  rule: StimulusRule;
  /** The recorded segment and ours, relative numbers; undefined where there is none. */
  recorded: string | undefined;
  ours: string | undefined;
}

/** The outcome of a comparison. */
export interface StimulusVerdict {
  /** Recorded answers that ours equal in numbers, payload, flags, and (within 4 ms) time. */
  same: number;
  differences: StimulusDifference[];
}

/** How far apart times may be for the same answer, ns. */
const SAME_TIME_NS = 4e6;

/** A segment with positions in the streams instead of sequence numbers. */
interface Placed {
  segment: StimulusSegment;
  /** Of the first byte; of a SYN's it is 0. */
  start: number;
  end: number;
  /** Of the other stream. */
  ack: number;
}

/** Compares what our TCP answered with what was recorded. */
export function compareAnswers(stimulus: Stimulus, played: Played): StimulusVerdict {
  return new Comparison(stimulus, played).verdict();
}

class Comparison {
  readonly #recorded: Placed[];
  readonly #ours: Placed[];
  /** What came: the furthest position of the other stream, its FIN included. */
  readonly #came: number;
  readonly #inputs: Placed[];
  readonly #played: Played;
  readonly #verdict: StimulusVerdict = { same: 0, differences: [] };

  constructor({ inputs, answers }: Stimulus, played: Played) {
    const peer = synOf(inputs)?.sequence ?? 0;
    const recorded = synOf(answers)?.sequence ?? 0;
    this.#recorded = placed(answers, recorded, peer);
    this.#ours = placed(played.answers, synOf(played.answers)?.sequence ?? 0, peer);
    this.#played = played;
    this.#inputs = placed(inputs, peer, recorded);
    this.#came = Math.max(0, ...this.#inputs.map(({ end, segment }) => end + (segment.flags & FIN ? 1 : 0)));
  }

  verdict(): StimulusVerdict {
    if (!this.#opening()) return this.#verdict;
    this.#data();
    this.#acks();
    this.#ends();
    for (let i = 0; i < this.#played.early; i++) this.#tell("early-ack", undefined, undefined);
    this.#synData();
    return this.#verdict;
  }

  /** Did the recorded end take at once what ours left? */
  #synData(): void {
    const { synData } = this.#played;
    const answer = this.#recorded.find(({ segment: { flags } }) => (flags & (ACK | RST)) === ACK);
    if (synData > 0 && answer !== undefined && answer.ack >= synData) this.#tell("syn-data", answer, undefined);
  }

  #tell(rule: StimulusRule, recorded: Placed | undefined, ours: Placed | undefined): void {
    this.#verdict.differences.push({ rule, recorded: textOf(recorded), ours: textOf(ours) });
  }

  /** The same but for time and window: which of them is told. */
  #matched(recorded: Placed, ours: Placed): void {
    if (Math.abs(recorded.segment.timeNs - ours.segment.timeNs) > SAME_TIME_NS) this.#tell("timing", recorded, ours);
    else if (recorded.segment.window !== ours.segment.window) this.#tell("window", recorded, ours);
    else this.#verdict.same++;
  }

  #opening(): boolean {
    const isOpening = ({ segment }: Placed) => (segment.flags & SYN) !== 0;
    const recorded = this.#recorded.find(isOpening);
    const ours = this.#ours.find(isOpening);
    if (recorded === undefined || ours === undefined) {
      this.#tell("opening", recorded, ours);
      return false;
    }
    const negotiated = [TCP_OPTION.SACK_PERMITTED, TCP_OPTION.TIMESTAMPS, TCP_OPTION.WINDOW_SCALE];
    const agrees = (kind: number) =>
      (findOption(recorded.segment.options, kind) === undefined) ===
        (findOption(ours.segment.options, kind) === undefined);
    const sameFlags = ((recorded.segment.flags ^ ours.segment.flags) & (SYN | ACK)) === 0;
    if (!sameFlags || !negotiated.every(agrees)) this.#tell("opening", recorded, ours);
    else if (optionText(recorded.segment) !== optionText(ours.segment)) this.#tell("option-values", recorded, ours);
    else this.#matched(recorded, ours);
    return true;
  }

  #data(): void {
    const recorded = newData(this.#recorded);
    const ours = newData(this.#ours);
    const byCut = new Map(ours.fresh.map((one) => [`${one.start} ${one.end}`, one]));
    for (const one of recorded.fresh) {
      const match = byCut.get(`${one.start} ${one.end}`);
      if (match !== undefined) this.#matched(one, match);
      else if (one.end <= ours.next) this.#tell("segmentation", one, ours.fresh.find(({ end }) => end > one.start));
      else this.#tell("missing-bytes", one, ours.fresh.findLast(({ end }) => end > one.start));
    }
    for (const one of ours.fresh) if (one.end > recorded.next) this.#tell("extra-bytes", undefined, one);
    const again = new Set(ours.again.map(({ start, end }) => `${start} ${end}`));
    for (const one of recorded.again) {
      if (again.has(`${one.start} ${one.end}`)) this.#verdict.same++;
      else this.#tell("retransmission", one, undefined);
    }
    const known = new Set(recorded.again.map(({ start, end }) => `${start} ${end}`));
    for (const one of ours.again) {
      if (this.#ackedBefore(one.segment.timeNs) >= one.end) this.#tell("sent-again-acknowledged", undefined, one);
      else if (!known.has(`${one.start} ${one.end}`)) this.#tell("retransmission", undefined, one);
    }
  }

  /** What of our stream the inputs before a time acknowledge. */
  #ackedBefore(timeNs: number): number {
    let acked = 0;
    for (const { segment, ack } of this.#inputs) {
      if (segment.timeNs >= timeNs) break;
      if (segment.flags & ACK) acked = Math.max(acked, ack);
    }
    return acked;
  }

  #acks(): void {
    const furthest = Math.max(0, ...this.#ours.map(({ ack }) => ack));
    const byAck = new Map<number, Placed[]>();
    for (const one of this.#ours) {
      if ((one.segment.flags & ACK) === 0 || (one.segment.flags & RST) !== 0) continue;
      if (one.ack > this.#came) this.#tell("acknowledged-ahead", undefined, one);
      const list = byAck.get(one.ack);
      if (list === undefined) byAck.set(one.ack, [one]);
      else list.push(one);
    }
    const used = new Set<Placed>();
    for (const one of this.#recorded) {
      if (!isPureAck(one.segment)) {
        if ((one.segment.flags & (ACK | RST)) === ACK && one.ack > furthest) {
          this.#tell("unacknowledged", one, undefined);
        }
        continue;
      }
      const equal = byAck.get(one.ack)?.filter((ours) => !used.has(ours));
      const near = equal?.toSorted((a, b) => distance(a, one) - distance(b, one))[0];
      if (near !== undefined) {
        used.add(near);
        if (distance(near, one) <= GRACE_NS) this.#matched(one, near);
        else this.#tell("ack-frequency", one, near);
      } else if (one.ack <= furthest || this.#isResetBeforeDelayedAck(one)) this.#tell("ack-frequency", one, undefined);
      else this.#tell("unacknowledged", one, undefined);
    }
    for (const one of this.#ours) {
      if (isPureAck(one.segment) && !used.has(one)) this.#tell("ack-frequency", undefined, one);
    }
  }

  /** Did a reset end our side when its acknowledgement might still have waited (RFC 1122 4.2.3.2)? */
  #isResetBeforeDelayedAck(recorded: Placed): boolean {
    const reset = this.#inputs.find(({ segment: { flags } }) => (flags & RST) !== 0);
    if (reset === undefined || reset.segment.timeNs - recorded.segment.timeNs > GRACE_NS) return false;
    return this.#ours.every(({ segment: { timeNs, flags } }) => timeNs <= reset.segment.timeNs || (flags & RST) !== 0);
  }

  #ends(): void {
    const isFin = ({ segment }: Placed) => (segment.flags & FIN) !== 0;
    const isReset = ({ segment }: Placed) => (segment.flags & RST) !== 0;
    const [recordedFin, oursFin] = [this.#recorded.find(isFin), this.#ours.find(isFin)];
    const [recordedReset, oursReset] = [this.#recorded.find(isReset), this.#ours.find(isReset)];
    if (recordedFin !== undefined && oursFin !== undefined && recordedFin.end === oursFin.end) {
      if (recordedFin.start === recordedFin.end) this.#matched(recordedFin, oursFin);
    } else if (recordedFin !== undefined || (oursFin !== undefined && recordedReset === undefined)) {
      this.#tell("fin", recordedFin, oursFin);
    }
    if (recordedReset !== undefined && oursReset !== undefined) this.#verdict.same++;
    else if (recordedReset !== undefined || oursReset !== undefined) {
      // Both streams had ended, or ours had and nobody was there for more.
      const late = (recordedReset === undefined ? oursFin : recordedFin) !== undefined;
      this.#tell(late ? "late-reset" : "reset", recordedReset, oursReset);
    }
  }
}

function distance(a: Placed, b: Placed): number {
  return Math.abs(a.segment.timeNs - b.segment.timeNs);
}

function synOf(segments: readonly StimulusSegment[]): StimulusSegment | undefined {
  return segments.find(({ flags }) => (flags & SYN) !== 0);
}

/** Positions, unwrapped along the way. */
function placed(segments: readonly StimulusSegment[], isn: number, peerIsn: number): Placed[] {
  const first = (isn + 1) >>> 0;
  const firstAck = (peerIsn + 1) >>> 0;
  let near = 0;
  let nearAck = 0;
  return segments.map((segment) => {
    const { sequence, acknowledgement, flags, length } = segment;
    const start = (flags & SYN) !== 0 ? 0 : ((sequence - ((first + near) >>> 0)) | 0) + near;
    const end = start + length;
    if ((flags & RST) === 0) near = Math.max(near, end);
    const ack = (flags & ACK) === 0 ? 0 : ((acknowledgement - ((firstAck + nearAck) >>> 0)) | 0) + nearAck;
    if ((flags & RST) === 0) nearAck = Math.max(nearAck, ack);
    return { segment, start, end, ack };
  });
}

/** Segments with data, those that bring new bytes and those that only repeat. */
function newData(segments: readonly Placed[]): { fresh: Placed[]; again: Placed[]; next: number } {
  const fresh: Placed[] = [];
  const again: Placed[] = [];
  let next = 0;
  for (const one of segments) {
    if (one.segment.length === 0) continue;
    // A keep-alive or a probe of a closed window is no data.
    if (one.end > next) {
      fresh.push(one);
      next = one.end;
    } else if (one.segment.length > 1 || one.end !== next) again.push(one);
  }
  return { fresh, again, next };
}

function optionText({ options }: StimulusSegment): string {
  const kinds = [TCP_OPTION.MSS, TCP_OPTION.WINDOW_SCALE];
  return kinds.map((kind) => findOption(options, kind)?.join(".") ?? "-").join(" ");
}

/** As tcpdump with relative numbers: `0.101000 Flags [P.], seq 1:101, ack 1, win 502, length 100`. */
function textOf(one: Placed | undefined): string | undefined {
  if (one === undefined) return undefined;
  const { segment: { timeNs, flags, window, length }, start, end, ack } = one;
  const letters = ([[SYN, "S"], [FIN, "F"], [RST, "R"], [PSH, "P"], [URG, "U"], [ECE, "E"], [CWR, "W"], [
    ACK,
    ".",
  ]] as const).filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter).join("");
  const parts = [`Flags [${letters}]`];
  if (length > 0) parts.push(`seq ${start + 1}:${end + 1}`);
  else if ((flags & (SYN | FIN | RST)) !== 0) parts.push(`seq ${(flags & SYN) !== 0 ? 0 : start + 1}`);
  if ((flags & ACK) !== 0) parts.push(`ack ${ack + 1}`);
  return `${(timeNs / 1e9).toFixed(6)} ${parts.join(", ")}, win ${window}, length ${length}`;
}
