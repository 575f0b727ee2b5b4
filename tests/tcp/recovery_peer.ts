/** A raw peer that SACKs: what the tests of loss recovery have in common. */
import { connectionInfo, send } from "../../src/tcp/mod.ts";
import { RECOVERY } from "../../src/tcp/state/recovery_row.ts";
import { COLD, WARM } from "../../src/tcp/state/tcb.ts";
import { MS, type Segment, type WorldOptions } from "./harness.ts";
import { passive, type RawOptions, type RawPeer } from "./raw_peer.ts";

/** Bytes of a segment in these tests. */
export const MSS = 1000;

/** A connection that the peer opened, with SACK, a window of plenty and a round trip of `rttMs`. */
export function sacking(worldOptions: WorldOptions = {}, options: RawOptions = {}, rttMs = 100): RawPeer {
  const raw = { mss: MSS, sackPermitted: true, shift: 7, window: 8000, ...options };
  const peer = passive(raw, worldOptions, true, rttMs * MS);
  peer.take();
  return peer;
}

/** Sends `count` full segments. */
export function sendSegments(peer: RawPeer, count: number): Segment[] {
  send(peer.world.stack, peer.conn, count * MSS);
  peer.world.drain();
  return peer.take();
}

/** An ACK up to segment `acked` (counted from 0), with SACK blocks of segments [from, to). */
export function ackWith(peer: RawPeer, acked: number, ...blocks: [from: number, to: number][]): void {
  const at = (segment: number) => (peer.base + 1 + segment * MSS) >>> 0;
  peer.send(".", { ack: at(acked), sack: blocks.map(([from, to]) => [at(from), at(to)]) });
}

/** What arrived since, as segment numbers and lengths: `2`, or `2+500` for less than a whole one. */
export function segmentsOf(peer: RawPeer): string[] {
  return peer.take().filter((s) => s.length > 0).map((s) => {
    const offset = (s.seq - peer.base - 1) | 0;
    return `${offset / MSS}${s.length === MSS ? "" : `+${s.length}`}`;
  });
}

/** The connection's cold row, field by name. */
export function cold(peer: RawPeer, field: keyof typeof COLD): number {
  const { stack } = peer.world;
  return stack.cold.words[stack.warm[peer.conn * WARM.STRIDE + WARM.COLD] * COLD.STRIDE + COLD[field]];
}

/** The connection's `RECOVERY` row, field by name. */
export function recovery(peer: RawPeer, field: keyof typeof RECOVERY): number {
  return peer.world.stack.recoveries.words[cold(peer, "RECOVERY") * RECOVERY.STRIDE + RECOVERY[field]];
}

/** Recovery state, CWND, SSTHRESH and segments in flight. */
export function windowOf(peer: RawPeer): { state: number; cwnd: number; ssthresh: number; inFlight: number } {
  const { cwnd, ssthresh, inFlight } = connectionInfo(peer.world.stack, peer.conn);
  return { state: cold(peer, "CA_STATE") & 0xff, cwnd, ssthresh, inFlight };
}
