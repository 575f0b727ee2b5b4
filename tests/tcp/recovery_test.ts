/** Loss recovery of the sender, mechanism by mechanism, against a peer whose every ACK is written by hand. */
import { assert, assertEquals } from "@std/assert";
import { send } from "../../src/tcp/mod.ts";
import { enterCwr } from "../../src/tcp/cwr.ts";
import { RECOVERY_FLAG } from "../../src/tcp/state/recovery_row.ts";
import { CA, FLAG, TCB } from "../../src/tcp/state/tcb.ts";
import { B, MS } from "./harness.ts";
import type { RawPeer } from "./raw_peer.ts";
import { ackWith, cold, MSS, recovery, sacking, segmentsOf, sendSegments, windowOf } from "./recovery_peer.ts";

const RENO = { profileB: { congestionControl: "reno" } };
const NO_RACK = { profileB: { congestionControl: "reno", rack: false } };
const NO_PROBE = { profileB: { congestionControl: "reno", tailLossProbe: false } };

/** Segments 1 to 3 of ten are SACKed one by one: recovery has begun, segment 0 was sent again. */
function recovering(options = RENO, raw = {}): RawPeer {
  const peer = sacking(options, raw);
  sendSegments(peer, 10);
  peer.world.run(100 * MS);
  for (const to of [2, 3, 4]) ackWith(peer, 0, [1, to]);
  return peer;
}

Deno.test("three SACKed segments beyond a hole bring a fast retransmit of the hole alone (RFC 6675, RFC 8985)", () => {
  const peer = recovering();
  assertEquals(segmentsOf(peer), ["0"]);
  assertEquals(windowOf(peer).state, CA.RECOVERY);
  assertEquals([cold(peer, "SACKED_OUT"), cold(peer, "LOST_OUT"), cold(peer, "RETRANS_OUT")], [3, 1, 1]);
});

Deno.test("without RACK the third SACKed segment marks by count: what has three beyond it is lost (RFC 6675 IsLost)", () => {
  const peer = sacking(NO_RACK);
  sendSegments(peer, 10);
  peer.world.run(100 * MS);
  ackWith(peer, 0, [2, 4]);
  assertEquals([cold(peer, "LOST_OUT"), segmentsOf(peer)], [0, []]);
  ackWith(peer, 0, [2, 5]);
  // Two segments have three SACKed beyond them.
  assertEquals([cold(peer, "LOST_OUT"), windowOf(peer).state], [2, CA.RECOVERY]);
  assertEquals(segmentsOf(peer), ["0"]);
});

Deno.test("SACK blocks that cannot be change nothing: beyond SND.NXT, reversed, or at SND.UNA (Linux's validity check)", () => {
  const peer = sacking(RENO);
  sendSegments(peer, 5);
  ackWith(peer, 0, [4, 8]);
  ackWith(peer, 0, [4, 2]);
  ackWith(peer, 0, [0, 2]);
  assertEquals([cold(peer, "SACKED_OUT"), peer.world.stack.counters.invalidSacks], [0, 3]);
});

Deno.test("a block that covers part of a segment does not count it as delivered", () => {
  const peer = sacking(RENO);
  sendSegments(peer, 5);
  const at = (peer.base + 1 + 2 * MSS) >>> 0;
  peer.send(".", { sack: [[at, at + 500]] });
  assertEquals(cold(peer, "SACKED_OUT"), 0);
  peer.send(".", { sack: [[at, at + MSS]] });
  assertEquals(cold(peer, "SACKED_OUT"), 1);
});

Deno.test("proportional rate reduction halves the window over the ACKs of a round trip (RFC 6937)", () => {
  const peer = sacking(RENO);
  sendSegments(peer, 10);
  send(peer.world.stack, peer.conn, 20 * MSS);
  peer.world.run(100 * MS);
  let sent = segmentsOf(peer).length;
  for (let to = 2; to <= 10; to++) {
    ackWith(peer, 0, [1, to]);
    sent += segmentsOf(peer).length;
  }
  const { ssthresh, inFlight, cwnd } = windowOf(peer);
  assertEquals([ssthresh, inFlight, cwnd], [cold(peer, "SSTHRESH"), ssthresh, ssthresh]);
  // Of nine segments delivered about half were replaced.
  assert(sent >= 4 && sent <= 7, `${sent}`);
});

Deno.test("an ACK of all ends recovery with the window at the threshold; what is acknowledged counts towards its growth again", () => {
  const peer = recovering();
  peer.world.run(100 * MS);
  ackWith(peer, 10);
  const { state, cwnd, ssthresh } = windowOf(peer);
  assertEquals([state, cwnd, ssthresh], [CA.OPEN, 6, 5]);
});

Deno.test("one segment SACKed alone: RACK waits a quarter of the round trip before it takes those before it for lost", () => {
  const peer = sacking(RENO);
  sendSegments(peer, 5);
  peer.world.run(100 * MS);
  ackWith(peer, 0, [4, 5]);
  assertEquals([segmentsOf(peer), windowOf(peer).state], [[], CA.DISORDER]);
  peer.world.run(20 * MS);
  assertEquals(segmentsOf(peer), []);
  peer.world.run(10 * MS);
  // The reordering timer has gone off: all four are lost; PRR sends the first again.
  assertEquals([cold(peer, "LOST_OUT"), windowOf(peer).state], [4, CA.RECOVERY]);
  assertEquals(segmentsOf(peer)[0], "0");
});

Deno.test("a retransmission that is lost again is found when a later one is SACKed (RFC 8985)", () => {
  const peer = recovering();
  ackWith(peer, 0, [1, 8]);
  segmentsOf(peer);
  peer.world.run(150 * MS);
  // New data sent after the retransmission is SACKed; the retransmission is not.
  send(peer.world.stack, peer.conn, 3 * MSS);
  peer.world.drain();
  segmentsOf(peer);
  peer.world.run(100 * MS);
  ackWith(peer, 0, [1, 12]);
  assertEquals([peer.world.stack.counters.lostRetransmissions, segmentsOf(peer).includes("0")], [1, true]);
});

Deno.test("a SACK that fills a hole which was never retransmitted is reordering, and the degree is remembered", () => {
  const peer = sacking(RENO);
  sendSegments(peer, 10);
  peer.world.run(100 * MS);
  ackWith(peer, 0, [6, 7]);
  ackWith(peer, 0, [1, 2], [6, 7]);
  assertEquals([recovery(peer, "REORDER_SEEN"), recovery(peer, "REORDERING")], [1, 6]);
});

Deno.test("the tail loss probe goes two round trips after the last segment, repeats it, and is no timeout (RFC 8985 7)", () => {
  const peer = sacking(RENO);
  sendSegments(peer, 3);
  peer.world.run(195 * MS);
  assertEquals(segmentsOf(peer), []);
  peer.world.run(10 * MS);
  assertEquals(segmentsOf(peer), ["2"]);
  const { counters } = peer.world.stack;
  assertEquals([counters.tailLossProbes, counters.timeouts, windowOf(peer).state], [1, 0, CA.OPEN]);
  // It repaired a loss: one reduction, and no recovery.
  peer.world.run(100 * MS);
  send(peer.world.stack, peer.conn, MSS);
  peer.world.drain();
  ackWith(peer, 4);
  assertEquals([counters.tailLossRepairs, windowOf(peer).state, windowOf(peer).ssthresh], [1, CA.OPEN, 5]);
});

Deno.test("a tail loss probe sends new data if there is some that the congestion window holds back", () => {
  const peer = sacking(RENO);
  const { cwnd } = windowOf(peer);
  sendSegments(peer, cwnd + 5);
  peer.world.run(205 * MS);
  assertEquals(segmentsOf(peer), [`${cwnd}`]);
});

Deno.test("a D-SACK for the probe says that nothing was lost: the window stays (RFC 8985 7.4)", () => {
  const peer = sacking(RENO);
  sendSegments(peer, 3);
  peer.world.run(210 * MS);
  assertEquals(segmentsOf(peer), ["2"]);
  ackWith(peer, 3);
  ackWith(peer, 3, [2, 3]);
  assertEquals([windowOf(peer).cwnd >= 10, windowOf(peer).ssthresh], [true, Infinity]);
  assertEquals(peer.world.stack.counters.tailLossRepairs, 0);
});

Deno.test("D-SACKs for every retransmission undo the reduction (RFC 3708)", () => {
  const peer = recovering();
  assertEquals(windowOf(peer).ssthresh, 5);
  // The original arrives, then the retransmission.
  ackWith(peer, 4);
  ackWith(peer, 4, [0, 1]);
  const { ssthresh, cwnd } = windowOf(peer);
  assertEquals([ssthresh, cwnd >= 10, peer.world.stack.counters.undos], [Infinity, true, 1]);
});

Deno.test("an echoed timestamp from before the retransmission undoes the reduction (Eifel, RFC 4015)", () => {
  const peer = recovering(RENO, { mss: MSS + 12, tsVal: 1000 });
  const retransmitted = peer.take()[0];
  assert(retransmitted.tsVal !== undefined);
  const early = (retransmitted.tsVal - 100) >>> 0;
  peer.send(".", { ack: (peer.base + 1 + 10 * MSS) >>> 0, tsEcr: early });
  assertEquals([windowOf(peer).ssthresh, peer.world.stack.counters.undos], [Infinity, 1]);
});

Deno.test("an echo of the retransmission undoes nothing", () => {
  const peer = recovering(RENO, { mss: MSS + 12, tsVal: 1000 });
  const retransmitted = peer.take()[0];
  peer.world.run(100 * MS);
  peer.send(".", { ack: (peer.base + 1 + 10 * MSS) >>> 0, tsEcr: retransmitted.tsVal });
  assertEquals([windowOf(peer).ssthresh, peer.world.stack.counters.undos], [5, 0]);
});

Deno.test("F-RTO: after a timeout the first ACK sends new data; a second one for what was not repeated undoes all (RFC 5682)", () => {
  const peer = sacking(NO_PROBE);
  sendSegments(peer, 6);
  send(peer.world.stack, peer.conn, 20 * MSS);
  peer.world.drain();
  segmentsOf(peer);
  peer.world.run(320 * MS);
  assertEquals([segmentsOf(peer)[0], windowOf(peer).state], ["0", CA.LOSS]);
  ackWith(peer, 1);
  // New data, not segment 1 again.
  assert(segmentsOf(peer).every((text) => Number(text) >= 10));
  ackWith(peer, 2);
  assertEquals([windowOf(peer).state, windowOf(peer).ssthresh], [CA.OPEN, Infinity]);
  assertEquals(peer.world.stack.counters.spuriousTimeouts, 1);
});

Deno.test("F-RTO: a SACK after the new data shows that the loss was real, and slow start goes on (RFC 5682 step 3a)", () => {
  const peer = sacking(NO_PROBE);
  sendSegments(peer, 6);
  send(peer.world.stack, peer.conn, 20 * MSS);
  peer.world.drain();
  segmentsOf(peer);
  peer.world.run(320 * MS);
  segmentsOf(peer);
  ackWith(peer, 1);
  const fresh = segmentsOf(peer).map(Number);
  ackWith(peer, 1, [fresh[0], fresh[0] + 1]);
  assertEquals(windowOf(peer).state, CA.LOSS);
  assert(segmentsOf(peer).includes("1"));
});

Deno.test("a timeout keeps what was SACKed, and takes for lost only what is old enough (RACK)", () => {
  const peer = sacking(NO_PROBE);
  sendSegments(peer, 5);
  ackWith(peer, 0, [3, 4]);
  peer.world.run(700 * MS);
  const again = segmentsOf(peer);
  assert(!again.includes("3"), `${again}`);
  assertEquals(cold(peer, "SACKED_OUT"), 1);
});

Deno.test("a peer that drops what it SACKed is found out by the timeout, and everything is sent again (RFC 2018 8)", () => {
  const peer = sacking(RENO);
  sendSegments(peer, 5);
  ackWith(peer, 0, [1, 4]);
  segmentsOf(peer);
  // SND.UNA moves to a segment that is SACKed and was thus not to be missing.
  ackWith(peer, 2);
  peer.world.run(60 * MS);
  assertEquals(peer.world.stack.counters.sackRenegings, 1);
  assertEquals([cold(peer, "SACKED_OUT"), segmentsOf(peer).includes("2")], [0, true]);
});

Deno.test("ECE reduces the window once in a round trip, asks for CWR and is never undone (RFC 3168 6.1.2)", () => {
  const peer = sacking(RENO);
  peer.world.stack.tcbs.words[peer.conn * TCB.STRIDE + TCB.STATE] |= FLAG.ECN;
  sendSegments(peer, 10);
  ackWith(peer, 1);
  const one = (segment: number) => peer.send(".E", { ack: (peer.base + 1 + segment * MSS) >>> 0 });
  one(2);
  assertEquals([windowOf(peer).state, windowOf(peer).ssthresh], [CA.CWR, 5]);
  assert((recovery(peer, "FLAGS") & RECOVERY_FLAG.QUEUE_CWR) !== 0);
  one(3);
  one(4);
  assertEquals([windowOf(peer).ssthresh, recovery(peer, "PRIOR_SSTHRESH")], [5, 0]);
});

Deno.test("limited transmit: SACKed segments let new data out before anything is taken for lost (RFC 3042)", () => {
  const peer = sacking(RENO);
  const { cwnd } = windowOf(peer);
  sendSegments(peer, cwnd + 5);
  ackWith(peer, 0, [3, 4]);
  assertEquals(segmentsOf(peer), [`${cwnd}`]);
});

Deno.test("a host's shut interface is congestion of its own: a retransmission is not counted, and tried again after 500 ms", () => {
  const peer = sacking(NO_PROBE);
  const { stack } = peer.world;
  sendSegments(peer, 2);
  stack.setEgress(B, false);
  peer.world.run(310 * MS);
  assertEquals([stack.counters.timeouts, cold(peer, "RETRANS_OUT"), segmentsOf(peer)], [1, 0, []]);
  stack.setEgress(B, true);
  peer.world.run(480 * MS);
  assertEquals(segmentsOf(peer), []);
  peer.world.run(40 * MS);
  assertEquals(segmentsOf(peer), ["0"]);
});

Deno.test("local congestion enters CWR at most once in a round trip", () => {
  const peer = sacking(RENO);
  sendSegments(peer, 10);
  enterCwr(peer.world.stack, peer.conn);
  enterCwr(peer.world.stack, peer.conn);
  assertEquals([windowOf(peer).state, windowOf(peer).ssthresh], [CA.CWR, 5]);
});

Deno.test("thin streams time out without back-off where the profile says so", () => {
  const gaps = [false, true].map((thinLinearTimeouts) => {
    const peer = sacking({ profileB: { congestionControl: "reno", tailLossProbe: false, thinLinearTimeouts } });
    sendSegments(peer, 2);
    const times: number[] = [];
    for (let i = 0; i < 1000 && times.length < 4; i++) {
      peer.world.run(10 * MS);
      if (segmentsOf(peer).length > 0) times.push(i * 10);
    }
    return [times[2] - times[1], times[3] - times[2]];
  });
  assert(gaps[0][1] >= 1.9 * gaps[0][0], `${gaps[0]}`);
  assertEquals(gaps[1][0] <= gaps[1][1] + 10 && gaps[1][1] <= gaps[1][0] + 10, true, `${gaps[1]}`);
});

Deno.test("duplicate ACKs without SACK begin recovery at the third, and a partial ACK marks the next hole (RFC 6582)", () => {
  const peer = sacking(RENO, { sackPermitted: false });
  sendSegments(peer, 10);
  for (let i = 0; i < 8; i++) ackWith(peer, 0);
  assertEquals([windowOf(peer).state, segmentsOf(peer)], [CA.RECOVERY, ["0"]]);
  peer.world.run(100 * MS);
  ackWith(peer, 1);
  assertEquals(segmentsOf(peer), ["1"]);
});
