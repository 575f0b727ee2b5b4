/**
 * The two ends of a connection as they stand: what a divergence is shown with.
 *
 * @module
 */
import type { Partition } from "../network/partition.ts";
import { connectionInfo } from "../tcp/info.ts";
import { SYN_ROW, TIME_WAIT_FLAG, TIME_WAIT_ROW } from "../tcp/state/small_rows.ts";
import { STATE } from "../tcp/state/states.ts";
import { FLAG, TCB } from "../tcp/state/tcb.ts";
import { CONTENT } from "../trace/content.ts";
import { CONTROL, TCP_FLAG } from "../wire/packet.ts";
import type { EventTuple } from "./describe.ts";

const { LOCAL, REMOTE, PORTS } = TCB;
const { SYN, FIN, ACK } = TCP_FLAG;

/** What a connection, a half-open one or one in TIME_WAIT says of itself. */
interface End {
  host: number;
  local: number;
  remote: number;
  ports: number;
  sndUna: number;
  sndNxt: number;
  rcvNxt: number;
  /** Has it seen the other side's SYN? */
  synchronised: boolean;
  /** Its line. */
  text: () => string;
}

/** An end is the sender of a segment that is translated on its way if the segment is no further behind than this. */
const NEAR_BYTES = 1 << 22;

/**
 * A line for each end of the packet's connection that there is. Where the packet's own addresses do not lead to an end,
 * for a NAT or a balancer rewrites them, the end is the one with the sequence numbers in question: nobody rewrites
 * these. `content` is the packet's, where there is one.
 */
export function connectionEnds(s: Partition, tuple: EventTuple, content?: Int32Array): string[] {
  if (!tuple.tcp) return [];
  const source = s.addresses.lookup(tuple.source);
  const destination = s.addresses.lookup(tuple.destination);
  const there = tuple.ports;
  const back = (there << 16) | (there >>> 16);
  const found: End[] = [];
  for (const end of endsOf(s)) {
    const { ports, local, remote } = end;
    const sends = ports === there && local === source && remote === destination;
    if (sends || (ports === back && local === destination && remote === source)) found.push(end);
  }
  if (found.length === 0 && content !== undefined) {
    const one = nearest(s, content);
    if (one !== undefined) found.push(one);
  }
  if (found.length === 1) {
    for (const end of endsOf(s)) if (!isSame(end, found[0]) && arePeers(end, found[0])) found.push(end);
  }
  return found.slice(0, 4).map(({ text }) => text());
}

function isSame(a: End, b: End): boolean {
  return a.host === b.host && a.local === b.local && a.remote === b.remote && a.ports === b.ports;
}

/** Do these two talk to each other? Each has received part of what the other has sent. */
function arePeers(a: End, b: End): boolean {
  if (!a.synchronised && !b.synchronised) return false;
  return isBetween(b.rcvNxt, a.sndUna, a.sndNxt, b.synchronised) &&
    isBetween(a.rcvNxt, b.sndUna, b.sndNxt, a.synchronised);
}

function isBetween(received: number, una: number, nxt: number, synchronised: boolean): boolean {
  return !synchronised || (((received - una) | 0) >= 0 && ((nxt - received) | 0) >= 0);
}

/** The end that sent this segment, or to which it goes: the one whose sequence numbers are closest to it. */
function nearest(s: Partition, content: Int32Array): End | undefined {
  const control = content[CONTENT.CONTROL];
  if ((control & CONTROL.QUOTES) !== 0) return undefined;
  const seq = content[CONTENT.SEQ];
  const ack = content[CONTENT.ACK];
  const next = seq + content[CONTENT.LENGTH] + (control & SYN ? 1 : 0) + (control & FIN ? 1 : 0);
  let best: End | undefined;
  let least = NEAR_BYTES;
  for (const end of endsOf(s)) {
    const sent = distance(end.sndNxt, next) + ((control & ACK) === 0 ? 0 : distance(end.rcvNxt, ack));
    const received = (control & ACK) === 0 ? Infinity : distance(end.sndNxt, ack) +
      (end.synchronised ? distance(end.rcvNxt, next) : 0);
    const away = Math.min(sent, received);
    if (away < least) [best, least] = [end, away];
  }
  return best;
}

function distance(a: number, b: number): number {
  return Math.abs((a - b) | 0);
}

/** All ends of connections that there are, one after the other: there may be millions. */
function* endsOf(s: Partition): Generator<End> {
  const tuples = (words: Int32Array, o: number) => ({
    host: words[o + TCB.HOST],
    local: words[o + LOCAL],
    remote: words[o + REMOTE],
    ports: words[o + PORTS],
  });
  const { tcbs, synRows, timeWaits } = s.tcp;
  for (let c = 1; c < tcbs.end; c++) {
    const o = c * TCB.STRIDE;
    const words = tcbs.words;
    if ((words[o + TCB.STATE] & FLAG.STATE_MASK) === 0) continue;
    yield {
      ...tuples(words, o),
      sndUna: words[o + TCB.SND_UNA],
      sndNxt: words[o + TCB.SND_NXT],
      rcvNxt: words[o + TCB.RCV_NXT],
      synchronised: (words[o + TCB.STATE] & FLAG.STATE_MASK) !== STATE.SYN_SENT,
      text: () => connectionLine(s, c),
    };
  }
  for (let row = 1; row < synRows.end; row++) {
    const o = row * SYN_ROW.STRIDE;
    const words = synRows.words;
    if (words[o + PORTS] === 0) continue;
    const [sndUna, rcvNxt] = [words[o + SYN_ROW.ISS], words[o + SYN_ROW.IRS] + 1 | 0];
    const more = `, SYN-ACK timeouts ${words[o + SYN_ROW.RETRIES] & 0xff}`;
    yield rowEnd(s, tuples(words, o), "SYN_RECEIVED", more, { sndUna, sndNxt: sndUna + 1 | 0, rcvNxt });
  }
  for (let row = 1; row < timeWaits.end; row++) {
    const o = row * TIME_WAIT_ROW.STRIDE;
    const words = timeWaits.words;
    if (words[o + PORTS] === 0) continue;
    const [sndNxt, rcvNxt] = [words[o + TIME_WAIT_ROW.SND_NXT], words[o + TIME_WAIT_ROW.RCV_NXT]];
    const waits = (words[o + TIME_WAIT_ROW.FLAGS] & TIME_WAIT_FLAG.FIN_WAIT_2) !== 0;
    const state = waits ? "FIN_WAIT_2" : "TIME_WAIT";
    yield rowEnd(s, tuples(words, o), state, "", { sndUna: sndNxt, sndNxt, rcvNxt });
  }
}

/** A half-open connection, or what is left of one. */
function rowEnd(
  s: Partition,
  tuple: { host: number; local: number; remote: number; ports: number },
  state: string,
  more: string,
  numbers: { sndUna: number; sndNxt: number; rcvNxt: number },
): End {
  return {
    ...tuple,
    ...numbers,
    synchronised: true,
    text: () => {
      const local = endpoint(s.addresses.toText(tuple.local), tuple.ports >>> 16);
      const remote = endpoint(s.addresses.toText(tuple.remote), tuple.ports & 0xffff);
      return `${s.nodes.nameOf(tuple.host)}: ${state} ${local} - ${remote}, SND.UNA ${numbers.sndUna >>> 0} ` +
        `SND.NXT ${numbers.sndNxt >>> 0}, RCV.NXT ${numbers.rcvNxt >>> 0}${more}`;
    },
  };
}

function connectionLine(s: Partition, c: number): string {
  const info = connectionInfo(s.tcp, c);
  const ssthresh = info.ssthresh === Infinity ? "none" : String(info.ssthresh);
  const local = endpoint(info.local, info.localPort);
  const remote = endpoint(info.remote, info.remotePort);
  const rtt = info.srttUs === 0 ? "not measured" : `${info.srttUs / 1000} ms`;
  return `${s.nodes.nameOf(info.host)}: ${info.state} ${local} - ${remote}, ` +
    `SND.UNA ${info.sndUna} SND.NXT ${info.sndNxt} SND.WND ${info.sndWnd}, ` +
    `RCV.NXT ${info.rcvNxt} RCV.WND ${info.rcvWnd}, cwnd ${info.cwnd}, ssthresh ${ssthresh}, ` +
    `in flight ${info.inFlight}, RTT ${rtt}, RTO ${info.rtoMs} ms`;
}

function endpoint(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
