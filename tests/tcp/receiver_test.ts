// What a receiver checks and echoes: PAWS, resets, ECN, the peer's FIN.
import { assertEquals } from "@std/assert";
import { connectionInfo, FLAG, send, TCB } from "../../src/tcp/mod.ts";
import { MS, SECOND } from "./harness.ts";
import { active, passive, type RawPeer } from "./raw_peer.ts";

const STAMPED = { mss: 1000, tsVal: 5000, sackPermitted: true };
const unread = (peer: RawPeer) => connectionInfo(peer.world.stack, peer.conn).unread;
const CE = 3, ECT0 = 2;

Deno.test("PAWS lets a timestamp pass that is one tick old, and refuses data with an older one, with a D-SACK", () => {
  const peer = passive(STAMPED);
  peer.data(100);
  peer.take();
  peer.send("P.", { length: 100, tsVal: 4999 });
  assertEquals(unread(peer), 200);
  peer.seq += 100;
  peer.take();
  peer.send("P.", { seq: peer.seq - 100, length: 100, tsVal: 4000 });
  assertEquals(unread(peer), 200);
  const [answer] = peer.take();
  assertEquals(answer.sack, [[peer.seq - 100, peer.seq]]);
});

Deno.test("an old duplicate ACK passes PAWS within a timeout; one that is merely old is not answered", () => {
  const peer = passive(STAMPED);
  peer.data(100);
  peer.send(".");
  peer.take();
  peer.send(".", { tsVal: 4900 });
  assertEquals([peer.take().length, peer.world.stack.counters.pawsRejects], [0, 0]);
  peer.send(".", { tsVal: 1000, seq: peer.seq - 100 });
  assertEquals([peer.take().length, peer.world.stack.counters.pawsRejects], [0, 1]);
  peer.send(".", { tsVal: 1000, seq: peer.seq + 10 });
  assertEquals(peer.take().length, 1);
});

Deno.test("the timestamp of a segment with an unacceptable ACK is not remembered", () => {
  const peer = passive(STAMPED);
  peer.take();
  peer.send("F.", { ack: peer.ack + 9999, tsVal: 200_000 });
  peer.world.run(SECOND);
  peer.take();
  peer.tsVal = 5001;
  peer.data(1000);
  assertEquals(peer.take().at(-1)!.tsEcr, 5001);
});

Deno.test("segments without any flag are dropped without a word", () => {
  const peer = passive({ mss: 1000 });
  peer.take();
  peer.send("", { length: 100 });
  peer.send("F", { length: 0 });
  assertEquals([unread(peer), peer.take().length, peer.state], [0, 0, "ESTABLISHED"]);
});

Deno.test("after the peer's FIN a reset with the FIN's number is a reset", () => {
  const peer = passive({ mss: 1000 });
  peer.data(0, "F.");
  peer.send("R", { seq: peer.seq - 1 });
  assertEquals(peer.state, "CLOSED");
});

Deno.test("what lies beyond a FIN is let go with it", () => {
  const peer = passive({ mss: 1000, sackPermitted: true });
  peer.send(".", { seq: peer.seq + 2000, length: 500 });
  peer.data(1000, "F.");
  assertEquals([peer.state, peer.world.stack.ranges.inUse], ["CLOSE_WAIT", 0]);
  peer.world.run(SECOND);
  assertEquals(peer.take().at(-1)!.sack, undefined);
});

/** A connection on which ECN was agreed. */
function withEcn(): RawPeer {
  const peer = active({ mss: 1000 });
  peer.world.stack.tcbs.words[peer.conn * TCB.STRIDE + TCB.STATE] |= FLAG.ECN;
  peer.take();
  return peer;
}

Deno.test("a CE mark is echoed on every ACK until the sender says CWR (RFC 3168 6.1.3)", () => {
  const peer = withEcn();
  const echoes = () => peer.take().map((s) => s.flags.includes("E"));
  peer.send("P.", { length: 100, trafficClass: ECT0 });
  peer.seq += 100;
  assertEquals(echoes(), [false]);
  peer.send("P.", { length: 100, trafficClass: CE });
  peer.seq += 100;
  assertEquals(echoes(), [true]);
  peer.send("P.", { length: 100, trafficClass: ECT0 });
  peer.seq += 100;
  assertEquals(echoes(), [true]);
  send(peer.world.stack, peer.conn, 10);
  peer.world.drain();
  assertEquals(echoes(), [true]);
  peer.ack += 10;
  peer.send("P.W", { length: 100, trafficClass: ECT0 });
  peer.seq += 100;
  assertEquals(echoes(), [false]);
});

Deno.test("without ECN a CE mark is nobody's business", () => {
  const peer = active({ mss: 1000 });
  peer.take();
  peer.send("P.", { length: 100, trafficClass: CE });
  assertEquals(peer.take().map((s) => s.flags), ["."]);
});

Deno.test("with DCTCP every change of the mark is told at once, and what was held back with the old one (RFC 8257 3.2)", () => {
  const peer = active({ mss: 1000 }, { profileA: { congestionControl: "dctcp" } });
  peer.world.stack.tcbs.words[peer.conn * TCB.STRIDE + TCB.STATE] |= FLAG.ECN;
  peer.take();
  const data = (trafficClass: number) => {
    peer.send(".", { length: 100, trafficClass });
    peer.seq += 100;
    return peer.take().map((s) => [s.flags.includes("E"), (s.ack - peer.seq) | 0]);
  };
  assertEquals(data(ECT0), [[false, 0]]);
  assertEquals(data(CE), [[true, 0]]);
  assertEquals(data(CE), [[true, 0]]);
  assertEquals(data(ECT0), [[false, 0]]);
  peer.world.run(100 * MS);
});
