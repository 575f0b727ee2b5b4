/**
 * The two ends of a connection as they stand: what a divergence is shown with.
 *
 * @module
 */
import type { Partition } from "../network/partition.ts";
import { connectionInfo } from "../tcp/info.ts";
import { FLAG, SYN_ROW, TCB, TIME_WAIT_FLAG, TIME_WAIT_ROW } from "../tcp/state/tcb.ts";
import type { EventTuple } from "./describe.ts";

/** Where rows of each kind have their tuple. */
interface TupleLayout {
  LOCAL: number;
  REMOTE: number;
  PORTS: number;
  STRIDE: number;
}

/** A line for each end of the packet's connection that there is; a NAT between them shows one end only. */
export function connectionEnds(s: Partition, tuple: EventTuple): string[] {
  if (!tuple.tcp) return [];
  const source = s.addresses.lookup(tuple.source);
  const destination = s.addresses.lookup(tuple.destination);
  const there = tuple.ports;
  const back = (there << 16) | (there >>> 16);
  const lines: string[] = [];
  const look = (
    { words, end }: { words: Int32Array; end: number },
    { LOCAL, REMOTE, PORTS, STRIDE }: TupleLayout,
    line: (row: number) => string | undefined,
  ) => {
    for (let row = 1; row < end; row++) {
      const o = row * STRIDE;
      const ports = words[o + PORTS];
      const sends = ports === there && (words[o + LOCAL] === source || words[o + REMOTE] === destination);
      const receives = ports === back && (words[o + LOCAL] === destination || words[o + REMOTE] === source);
      const text = sends || receives ? line(row) : undefined;
      if (text !== undefined) lines.push(text);
    }
  };
  const { tcbs, synRows, timeWaits } = s.tcp;
  const isOpen = (c: number) => (tcbs.words[c * TCB.STRIDE + TCB.STATE] & FLAG.STATE_MASK) !== 0;
  look(tcbs, TCB, (c) => isOpen(c) ? endLine(s, c) : undefined);
  look(synRows, SYN_ROW, (row) => synLine(s, row));
  look(timeWaits, TIME_WAIT_ROW, (row) => timeWaitLine(s, row));
  return lines.slice(0, 4);
}

function rowName(s: Partition, words: Int32Array, o: number, state: string): string {
  const name = s.nodes.nameOf(words[o + SYN_ROW.HOST]);
  const ports = words[o + SYN_ROW.PORTS];
  const end = (at: number, port: number) => endpoint(s.addresses.toText(words[o + at]), port);
  return `${name}: ${state} ${end(SYN_ROW.LOCAL, ports >>> 16)} - ${end(SYN_ROW.REMOTE, ports & 0xffff)}`;
}

function synLine(s: Partition, row: number): string {
  const { words } = s.tcp.synRows;
  const o = row * SYN_ROW.STRIDE;
  const [iss, irs, retries] = [words[o + SYN_ROW.ISS], words[o + SYN_ROW.IRS], words[o + SYN_ROW.RETRIES] & 0xff];
  return `${rowName(s, words, o, "SYN_RECEIVED")}, SND.UNA ${iss >>> 0} SND.NXT ${(iss + 1) >>> 0}, ` +
    `RCV.NXT ${(irs + 1) >>> 0}, SYN-ACK timeouts ${retries}`;
}

/** (These rows begin as those of the SYN queue do.) */
function timeWaitLine(s: Partition, row: number): string {
  const { words } = s.tcp.timeWaits;
  const o = row * TIME_WAIT_ROW.STRIDE;
  const waits = (words[o + TIME_WAIT_ROW.FLAGS] & TIME_WAIT_FLAG.FIN_WAIT_2) !== 0;
  return `${rowName(s, words, o, waits ? "FIN_WAIT_2" : "TIME_WAIT")}, SND.NXT ${
    words[o + TIME_WAIT_ROW.SND_NXT] >>> 0
  }, RCV.NXT ${words[o + TIME_WAIT_ROW.RCV_NXT] >>> 0}`;
}

function endLine(s: Partition, c: number): string {
  const info = connectionInfo(s.tcp, c);
  const ssthresh = info.ssthresh === Infinity ? "none" : String(info.ssthresh);
  return `${s.nodes.nameOf(info.host)}: ${info.state} ${endpoint(info.local, info.localPort)} - ` +
    `${
      endpoint(info.remote, info.remotePort)
    }, SND.UNA ${info.sndUna} SND.NXT ${info.sndNxt} SND.WND ${info.sndWnd}, ` +
    `RCV.NXT ${info.rcvNxt} RCV.WND ${info.rcvWnd}, cwnd ${info.cwnd}, ssthresh ${ssthresh}, in flight ${info.inFlight}, ` +
    `RTT ${info.srttUs / 1000} ms, RTO ${info.rtoMs} ms`;
}

function endpoint(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
