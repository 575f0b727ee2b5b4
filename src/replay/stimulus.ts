/**
 * Stimuli: the recorded packets of one end of a connection, to be played against our TCP, which takes the other end's
 * part; and what that other end answered, and its program did.
 *
 * @module
 */
import { formatAddress } from "../base/address.ts";
import { TCP_FLAG } from "../wire/packet.ts";
import type { ImportedConnection, KeptSegment } from "./import_connection.ts";

const { SYN, ACK, FIN, RST, PSH } = TCP_FLAG;

/** A recorded segment. Sequence and acknowledgement are the wire's, unsigned. */
export interface StimulusSegment {
  /** When it was at our end, ns since the stimulus begins. */
  timeNs: number;
  sequence: number;
  acknowledgement: number;
  /** As `TCP_FLAG`. */
  flags: number;
  /** As on the wire, not scaled. */
  window: number;
  urgent: number;
  /** Bytes of payload. */
  length: number;
  /** Undecoded. */
  options: Uint8Array;
  trafficClass: number;
}

/** What the program at our end does: writes bytes, ends its stream, closes for good, or resets. */
export interface StimulusCall {
  timeNs: number;
  kind: "write" | "shutdown" | "close" | "abort";
  /** Bytes written. */
  bytes: number;
}

/** One connection to be played. */
export interface Stimulus {
  /** Whose part our TCP takes. */
  end: "client" | "server";
  /** Addresses and ports of our end and the other. */
  local: string;
  localPort: number;
  remote: string;
  remotePort: number;
  /** Segments of the other end, in the order in which they come. */
  inputs: StimulusSegment[];
  /** Recorded segments of our end, in order. */
  answers: StimulusSegment[];
  /** Calls of the program at our end. */
  calls: StimulusCall[];
}

/** A connection lasts so long at most, ns. */
const LONGEST_NS = 86_400e9;
/** Copies are no accident beyond this share of packets. */
const SOME = 0.5;
/** A round trip that is longer was none, ns. */
const LONGEST_TRIP_NS = 3600e9;
/** So long after the SYN-ACK (client) or at the accept (server) the program is ready to act, ns. */
const START_NS = 1e6;

/** Writes that are less than this apart are one, ns. */
const AT_ONCE_NS = 1e6;

/** The stimulus of a connection; a string says why there is none. */
export function stimulusOf(connection: ImportedConnection, end: "client" | "server"): Stimulus | string {
  const { segments = [], sides, client, server, duplicates, copies } = connection;
  const ours = end === "client";
  if (sides[0].syns === 0 || sides[1].syns === 0) return "its handshake was not captured";
  if (sides[0].packets === 0 || sides[1].packets === 0) return "only one direction was captured";
  if (duplicates > 0) return "its packets were captured twice";
  if (sides.some(({ unseenBytes, skippedBytes }) => unseenBytes + skippedBytes > 0)) {
    return "packets are missing in the capture";
  }
  if (connection.lastNs - connection.firstNs > LONGEST_NS) return "it lasts longer than a day";
  // Of the way between the capture point and our end, half is behind what comes, half before what goes.
  const tripNs = sides[ours ? 1 : 0].leastRttNs;
  const halfNs = Number.isFinite(tripNs) ? Math.floor(Math.min(tripNs, LONGEST_TRIP_NS) / 2) : 0;
  const firstNs = connection.firstNs - START_NS - halfNs;
  const inputs: StimulusSegment[] = [];
  const answers: StimulusSegment[] = [];
  // An answer is not before what it acknowledges, however the round trip varies.
  let acknowledged = 0;
  let earliestNs = 0;
  for (const segment of segments) {
    const mine = segment.fromClient === ours;
    // Where nearly all come twice, it is the capture that doubled them, else the network: our end gets both.
    if (segment.copy && (mine || copies > SOME * sides[ours ? 1 : 0].packets)) continue;
    const seenNs = Math.max(0, segment.timeNs - firstNs + (mine ? -halfNs : halfNs));
    if (!mine) {
      inputs.push(stimulusSegment(segment, Math.max(seenNs, inputs.at(-1)?.timeNs ?? 0)));
      continue;
    }
    for (; acknowledged < inputs.length && isCovered(inputs[acknowledged], segment); acknowledged++) {
      // (A reset is not acknowledged: what was sent on its way there is before it.)
      if ((inputs[acknowledged].flags & RST) === 0) earliestNs = Math.max(earliestNs, inputs[acknowledged].timeNs);
    }
    earliestNs = Math.max(earliestNs, seenNs);
    answers.push(stimulusSegment(segment, earliestNs));
  }
  const [local, remote] = ours ? [client, server] : [server, client];
  return {
    end,
    local: formatAddress(local.address),
    localPort: local.port,
    remote: formatAddress(remote.address),
    remotePort: remote.port,
    inputs,
    answers,
    calls: callsOf(answers),
  };
}

/** Does an answer acknowledge all of an input? */
function isCovered({ sequence, length, flags }: StimulusSegment, answer: KeptSegment): boolean {
  if ((answer.flags & ACK) === 0) return false;
  const numbers = length + ((flags & (SYN | FIN)) !== 0 ? 1 : 0);
  return ((answer.acknowledgement - (sequence + numbers)) | 0) >= 0;
}

function stimulusSegment(segment: KeptSegment, timeNs: number): StimulusSegment {
  const { sequence, acknowledgement, flags, window, urgent, length, options, trafficClass } = segment;
  return { timeNs, sequence, acknowledgement, flags, window, urgent, length, options, trafficClass };
}

/** What the program did, as far as its segments tell: PSH ends what was written at once (RFC 9293 3.9.1.2). */
function callsOf(answers: readonly StimulusSegment[]): StimulusCall[] {
  const calls: StimulusCall[] = [];
  const syn = answers.find(({ flags }) => (flags & SYN) !== 0);
  if (syn === undefined) return calls;
  const first = (syn.sequence + 1) >>> 0;
  let next = 0;
  let open = false;
  let finished = false;
  for (const { timeNs, sequence, flags, length } of answers) {
    if ((flags & RST) !== 0) {
      if (!finished) calls.push({ timeNs, kind: "abort", bytes: 0 });
      else upgrade(calls);
      return calls;
    }
    const start = (flags & SYN) !== 0 ? 0 : ((sequence - ((first + next) >>> 0)) | 0) + next;
    const bytes = start + length - next;
    if (bytes > 0 && !finished) {
      // (Linux marks what fills half a window too: what goes at once was written at once.)
      const last = calls.at(-1);
      if (open || (last !== undefined && timeNs - last.timeNs < AT_ONCE_NS)) calls[calls.length - 1].bytes += bytes;
      else calls.push({ timeNs, kind: "write", bytes });
      next += bytes;
      open = (flags & (PSH | FIN)) === 0;
    }
    if ((flags & FIN) === 0 || finished) continue;
    calls.push({ timeNs, kind: "shutdown", bytes: 0 });
    finished = true;
  }
  return calls;
}

/** A reset after the FIN says that the program had closed for good. */
function upgrade(calls: StimulusCall[]): void {
  const last = calls.at(-1);
  if (last?.kind === "shutdown") last.kind = "close";
}

/** Is it a segment that only acknowledges? */
export function isPureAck({ flags, length }: { flags: number; length: number }): boolean {
  return length === 0 && (flags & (SYN | FIN | RST)) === 0 && (flags & ACK) !== 0;
}
