// Retransmission, probes, keep-alives, delayed ACKs, Nagle and the windows.
import { assert, assertEquals } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import { MS, SECOND } from "./harness.ts";
import { active, opening, passive } from "./raw_peer.ts";
import {
  ACK_STATE,
  closeConnection,
  connectionInfo,
  receive,
  send,
  setKeepAlive,
  setUserTimeout,
  stateCounts,
  TCP_EVENT,
  TIMER,
  WARM,
} from "../../src/tcp/mod.ts";

/** Times of the raw peer's segments since the last look, ms after `from`. */
const times = (segments: { time: number }[], from: number) => segments.map((s) => Math.round((s.time - from) / MS));

Deno.test("a SYN is repeated after 1, 3, 7, 15, 31, 63 s and given up at 127 s with ETIMEDOUT", () => {
  const peer = opening();
  const start = peer.world.nowNs;
  peer.world.run(200 * SECOND);
  assertEquals(times(peer.take(), start), [1000, 3000, 7000, 15000, 31000, 63000]);
  const last = peer.world.events.at(-1)!;
  assertEquals([last.kind, last.arg, (last.time - start) / SECOND], [TCP_EVENT.FAILED, ERRNO.ETIMEDOUT, 127]);
});

Deno.test("a SYN-ACK is repeated five times, then the half-open connection is forgotten", () => {
  const peer = passive({}, {}, false);
  assertEquals(peer.world.stack.synRows.inUse, 0);
  peer.hostPort = 80;
  peer.take();
  const start = peer.world.nowNs;
  peer.world.inject(2, { flags: "S", seq: 1, srcPort: 77, dstPort: 80 });
  peer.world.run(100 * SECOND);
  assertEquals(times(peer.take(), start), [0, 1000, 3000, 7000, 15000, 31000]);
  assertEquals(peer.world.stack.synRows.inUse, 0);
});

Deno.test("data is repeated with a doubling timeout that starts at SRTT + 200 ms (RFC 6298, Linux)", () => {
  const peer = opening();
  peer.world.run(50 * MS);
  peer.send("S.", peer.synOptions);
  peer.seq++;
  assertEquals(connectionInfo(peer.world.stack, peer.conn).srttUs, 50_000);
  send(peer.world.stack, peer.conn, 100);
  peer.world.drain();
  peer.take();
  const start = peer.world.nowNs;
  peer.world.run(5 * SECOND);
  assertEquals(times(peer.take(), start), [250, 750, 1750, 3750]);
  assertEquals(peer.world.stack.counters.timeouts, 4);
});

Deno.test("the timeout never backs off beyond 120 s, and 924.6 s of silence are ETIMEDOUT", () => {
  const peer = active();
  send(peer.world.stack, peer.conn, 100);
  peer.world.drain();
  peer.take();
  const start = peer.world.nowNs;
  peer.world.run(2000 * SECOND);
  const gaps = times(peer.take(), start).map((time, i, all) => time - (all[i - 1] ?? 0));
  assertEquals(gaps.at(-1), 120_000);
  const last = peer.world.events.at(-1)!;
  assertEquals(last.arg, ERRNO.ETIMEDOUT);
  assert((last.time - start) / SECOND > 924 && (last.time - start) / SECOND < 1050);
});

Deno.test("the user timeout shortens the patience (RFC 5482)", () => {
  const peer = active();
  setUserTimeout(peer.world.stack, peer.conn, 2000);
  send(peer.world.stack, peer.conn, 100);
  peer.world.run(10 * SECOND);
  assertEquals(peer.world.events.at(-1)!.arg, ERRNO.ETIMEDOUT);
});

Deno.test("a retransmitted segment gives no RTT sample (Karn), and the back-off lasts until there is one", () => {
  const peer = active();
  const srtt = connectionInfo(peer.world.stack, peer.conn).srttUs;
  send(peer.world.stack, peer.conn, 100);
  peer.world.run(3 * SECOND);
  peer.ack += 100;
  peer.send(".");
  const info = connectionInfo(peer.world.stack, peer.conn);
  assertEquals(info.srttUs, srtt);
  assert(info.rtoMs > 201, `${info.rtoMs}`);
  send(peer.world.stack, peer.conn, 100);
  peer.world.drain();
  peer.ack += 100;
  peer.send(".");
  assertEquals(connectionInfo(peer.world.stack, peer.conn).rtoMs, 201);
});

Deno.test("three duplicate ACKs bring a fast retransmit and halve the window (RFC 5681)", () => {
  const peer = active({}, { profileA: { congestionControl: "reno" } });
  send(peer.world.stack, peer.conn, 14600);
  peer.world.drain();
  peer.take();
  // The first ACK after the SYN-ACK is newer than it: a window update (SND.WL1), no duplicate.
  peer.send(".");
  for (let i = 0; i < 2; i++) peer.send(".");
  assertEquals(peer.take().length, 0);
  peer.send(".");
  assertEquals(peer.texts(), [". 1:1461 ack 1"]);
  const info = connectionInfo(peer.world.stack, peer.conn);
  // The window falls to the threshold as what is in flight is delivered (RFC 6937).
  assertEquals([info.ssthresh, info.cwnd], [5, 7]);
  assertEquals(peer.world.stack.counters.fastRetransmits, 1);
});

Deno.test("limited transmit: the first two duplicate ACKs let new data out (RFC 3042)", () => {
  const peer = active();
  send(peer.world.stack, peer.conn, 20 * 1460);
  peer.world.drain();
  // The first ACK after the SYN-ACK is newer than it: a window update (SND.WL1), no duplicate.
  peer.send(".");
  peer.take();
  peer.send(".");
  assertEquals(peer.texts(), [". 14601:16061 ack 1"]);
  peer.send(".");
  assertEquals(peer.texts(), [". 16061:17521 ack 1"]);
});

Deno.test("a partial ACK in recovery sends the next hole at once (RFC 6582)", () => {
  const peer = active({}, { profileA: { congestionControl: "reno" } });
  send(peer.world.stack, peer.conn, 14600);
  peer.world.drain();
  // One window update, newer than the SYN-ACK, and eight duplicates: two of ten segments are missing.
  for (let i = 0; i < 9; i++) peer.send(".");
  peer.take();
  peer.ack += 1460;
  peer.send(".");
  assertEquals(peer.texts(), [". 1461:2921 ack 1"]);
  peer.ack += 9 * 1460;
  peer.send(".");
  const info = connectionInfo(peer.world.stack, peer.conn);
  assertEquals([info.inFlight, info.cwnd], [0, 5]);
  assertEquals(peer.world.stack.counters.partialAcks, 1);
  assertEquals(peer.world.stack.counters.timeouts, 0);
});

Deno.test("after a timeout the window is one segment and slow start sends the rest again (RFC 5681)", () => {
  const peer = active();
  send(peer.world.stack, peer.conn, 14600);
  peer.world.drain();
  peer.take();
  peer.world.run(300 * MS);
  assertEquals(peer.texts(), [". 1:1461 ack 1"]);
  assertEquals(connectionInfo(peer.world.stack, peer.conn).cwnd, 1);
  peer.ack += 1460;
  peer.send(".");
  // Both in one group, which ends with PSH, as they were sent at first.
  assertEquals(peer.texts(), [". 1461:2921 ack 1", "P. 2921:4381 ack 1"]);
});

Deno.test("slow start doubles the window each round trip; an application that does not fill it does not grow it", () => {
  const peer = active({ shift: 7, window: 60000 });
  const { stack } = peer.world;
  send(stack, peer.conn, 1_000_000);
  peer.world.drain();
  assertEquals(peer.take().length, 10);
  for (let i = 0; i < 10; i++) {
    peer.ack += 1460;
    peer.send(".");
  }
  assertEquals(connectionInfo(stack, peer.conn).cwnd, 20);
  const idle = active();
  for (let i = 0; i < 50; i++) {
    send(idle.world.stack, idle.conn, 100);
    idle.world.drain();
    idle.ack += 100;
    idle.send(".");
  }
  assertEquals(connectionInfo(idle.world.stack, idle.conn).cwnd, 10);
});

Deno.test("the first segments are acknowledged at once, a conversation's ACKs wait 40 ms for data to ride on", () => {
  const peer = passive();
  peer.data(100);
  assertEquals(peer.take().map((s) => s.flags), ["."]);
  send(peer.world.stack, peer.conn, 50);
  peer.world.drain();
  peer.ack += 50;
  peer.take();
  peer.data(100);
  assertEquals(peer.take(), []);
  const start = peer.world.nowNs;
  peer.world.run(100 * MS);
  assertEquals(times(peer.take(), start), [40]);
});

Deno.test("a reply carries the delayed ACK", () => {
  const peer = passive();
  peer.data(100);
  send(peer.world.stack, peer.conn, 50);
  peer.world.drain();
  peer.ack += 50;
  peer.take();
  peer.data(100);
  send(peer.world.stack, peer.conn, 50);
  peer.world.run(100 * MS);
  assertEquals(peer.take().map((s) => [s.flags, s.length]), [["P.", 50]]);
});

Deno.test("every second full-sized segment is acknowledged at once (RFC 9293 SHLD-19)", () => {
  const peer = passive();
  const { stack } = peer.world;
  peer.data(100);
  send(stack, peer.conn, 50);
  peer.world.drain();
  peer.ack += 50;
  peer.send(".");
  peer.take();
  let acks = 0;
  for (let i = 0; i < 20; i++) {
    peer.data(1460, ".");
    receive(stack, peer.conn, 1e6);
    peer.world.drain();
    acks += peer.take().length;
  }
  assertEquals(acks, 10);
});

Deno.test("a segment beyond a gap, and one that fills it, are acknowledged at once (RFC 5681 4.2)", () => {
  const peer = passive();
  peer.data(100);
  send(peer.world.stack, peer.conn, 50);
  peer.world.drain();
  peer.ack += 50;
  peer.send(".");
  peer.take();
  peer.send(".", { seq: peer.seq + 1000, length: 1000 });
  assertEquals(peer.take().map((s) => (s.ack - peer.seq) | 0), [0]);
  peer.data(1000);
  assertEquals(peer.take().map((s) => (s.ack - peer.seq) | 0), [1000]);
});

Deno.test("a segment that fills the gap before a FIN is acknowledged at once, FIN and all (RFC 5681 4.2)", () => {
  const peer = passive();
  peer.send("F.", { seq: peer.seq + 100 });
  assertEquals(peer.texts(), [". 1:1 ack 1"]);
  peer.send("P.", { length: 100 });
  assertEquals([peer.texts(), peer.state], [[". 1:1 ack 102"], "CLOSE_WAIT"]);
});

Deno.test("an inbound segment may be far larger than the MSS", () => {
  const peer = passive();
  peer.data(30_000);
  assertEquals(connectionInfo(peer.world.stack, peer.conn).unread, 30_000);
});

Deno.test("an idle connection without keep-alive has no timer and no cold row", () => {
  const peer = passive();
  peer.data(100);
  send(peer.world.stack, peer.conn, 1000);
  peer.world.drain();
  peer.ack += 1000;
  peer.send(".");
  peer.world.run(SECOND);
  const { stack } = peer.world;
  assertEquals([stack.cold.inUse, stack.segments.inUse, stack.liveTimers], [0, 0, 0]);
  const { REXMIT, KEEPALIVE, STRIDE } = TIMER;
  assertEquals([REXMIT, KEEPALIVE].map((slot) => stack.timers[peer.conn * STRIDE + slot]), [0, 0]);
  assertEquals(stack.warm[peer.conn * WARM.STRIDE + WARM.ACK_STATE] & ACK_STATE.DELAYED, 0);
  const before = peer.world.log.length;
  peer.world.run(86400 * SECOND);
  assertEquals(peer.world.log.length, before);
});

Deno.test("keep-alive probes an idle peer after 2 h, then every 75 s, and gives up after 9 (RFC 9293 3.8.4)", () => {
  const peer = active({}, {}, { keepAlive: true });
  const start = peer.world.nowNs;
  assertEquals(peer.world.stack.liveTimers, 0);
  peer.world.run(4 * 3600 * SECOND);
  const sent = peer.take();
  assertEquals(
    times(sent, start).slice(0, 9),
    Array.from({ length: 9 }, (_, i) => 7_200_000 + 75_000 * i),
  );
  assertEquals(sent.map((s) => (s.seq - peer.base) | 0).slice(0, 9), Array(9).fill(0));
  assertEquals(sent.at(-1)!.flags, "R.");
  assertEquals(peer.world.events.at(-1)!.arg, ERRNO.ETIMEDOUT);
});

Deno.test("keep-alives begin after a simultaneous open too", () => {
  const peer = opening({}, {}, { keepAlive: true });
  const start = peer.world.nowNs;
  peer.send("S", peer.synOptions);
  peer.seq++;
  peer.send("S.", { ...peer.synOptions, seq: peer.seq - 1 });
  peer.take();
  peer.world.run(7300 * SECOND);
  assertEquals(times(peer.take(), start), [7_200_000, 7_275_000]);
});

Deno.test("a repeated FIN is the FIN that was sent: without PSH where it carries no data", () => {
  const peer = active();
  closeConnection(peer.world.stack, peer.conn);
  peer.world.run(SECOND);
  assertEquals(peer.take().map((s) => s.flags), ["F.", "F.", "F."]);
});

Deno.test("a keep-alive probe that is answered starts the idle time anew, and so does data", () => {
  const peer = active();
  setKeepAlive(peer.world.stack, peer.conn, true, { idleMs: 1000, intervalMs: 100, probes: 3 });
  for (let i = 0; i < 10; i++) {
    peer.world.run(1000 * MS);
    assertEquals(peer.take().length, 1);
    peer.send(".");
  }
  for (let i = 0; i < 10; i++) {
    peer.world.run(900 * MS);
    peer.take();
    peer.data(1);
  }
  assertEquals(peer.world.stack.counters.keepAliveProbes, 10);
});

Deno.test("a keep-alive probe is answered with an ACK", () => {
  const peer = passive();
  peer.take();
  peer.send(".", { seq: peer.seq - 1 });
  assertEquals(peer.take().map((s) => [s.flags, (s.ack - peer.seq) | 0]), [[".", 0]]);
});

Deno.test("an orphan does not wait in FIN_WAIT_2 for more than a minute", () => {
  const peer = active();
  closeConnection(peer.world.stack, peer.conn);
  peer.world.drain();
  peer.ack++;
  peer.send(".");
  peer.world.run(59 * SECOND);
  assertEquals(stateCounts(peer.world.stack), { FIN_WAIT_2: 1 });
  peer.world.run(2 * SECOND);
  assertEquals(stateCounts(peer.world.stack), {});
  assertEquals(peer.world.leaks(), []);
});

Deno.test("data for an orphan, and unread data at a close, are answered with a reset (RFC 9293 SHLD-3)", () => {
  const late = active();
  closeConnection(late.world.stack, late.conn);
  late.world.drain();
  late.ack++;
  late.send(".");
  late.take();
  late.data(10);
  // As Linux: at the sequence number that the data acknowledged.
  assertEquals(late.take().map((s) => s.flags), ["R"]);
  assertEquals(late.world.leaks(), []);
  const unread = active();
  unread.data(10);
  unread.take();
  closeConnection(unread.world.stack, unread.conn);
  unread.world.drain();
  assertEquals(unread.take().map((s) => s.flags), ["R."]);
  assertEquals(unread.world.leaks(), []);
});

Deno.test("a send that does not fit is cut short, and WRITABLE tells when a third of the buffer is free", () => {
  const peer = active({ shift: 7, window: 65535 }, { profileA: { sendBufferBytes: 30_000 } });
  // As Linux: a buffer of 22 segments (half the peer's window) is filled; ten of it go, and it is filled up again.
  assertEquals(send(peer.world.stack, peer.conn, 100_000), 32 * 1460);
  assertEquals(send(peer.world.stack, peer.conn, 1), 0);
  peer.world.drain();
  for (let acked = 1460; acked <= 30 * 1460; acked += 1460) {
    peer.ack += 1460;
    peer.send(".");
    const writable = peer.world.kinds(peer.conn).includes(TCP_EVENT.WRITABLE);
    // One buffer is left then, which is charged 896 bytes more.
    assertEquals(writable, 32 * 1460 - acked + 896 <= 20_000);
  }
});
