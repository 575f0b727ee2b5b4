/**
 * The two ends of a connection as they stand: what a divergence is shown with.
 *
 * @module
 */
import type { Partition } from "../network/partition.ts";
import { connectionInfo } from "../tcp/info.ts";
import { FLAG, TCB } from "../tcp/state/tcb.ts";
import type { EventTuple } from "./describe.ts";

const { LOCAL, REMOTE, PORTS, STATE, STRIDE } = TCB;

/** A line for each end of the packet's connection that there is; a NAT between them shows one end only. */
export function connectionEnds(s: Partition, tuple: EventTuple): string[] {
  if (!tuple.tcp) return [];
  const source = s.addresses.lookup(tuple.source);
  const destination = s.addresses.lookup(tuple.destination);
  const there = tuple.ports;
  const back = (there << 16) | (there >>> 16);
  const words = s.tcp.tcbs.words;
  const lines: string[] = [];
  for (let c = 1; c < s.tcp.tcbs.end; c++) {
    const o = c * STRIDE;
    if ((words[o + STATE] & FLAG.STATE_MASK) === 0) continue;
    const ports = words[o + PORTS];
    const sends = ports === there && (words[o + LOCAL] === source || words[o + REMOTE] === destination);
    const receives = ports === back && (words[o + LOCAL] === destination || words[o + REMOTE] === source);
    if (sends || receives) lines.push(endLine(s, c));
  }
  return lines.slice(0, 4);
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
