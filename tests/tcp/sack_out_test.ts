// SACK and D-SACK blocks that a receiver sends, and the reassembly queue behind them.
import { assert, assertEquals } from "@std/assert";
import { Substream, substreamKey } from "../../src/base/rng.ts";
import { connectionInfo, receive, receiveBytes, send } from "../../src/tcp/mod.ts";
import { passive, type RawOptions, type RawPeer } from "./raw_peer.ts";

const OPTIONS: RawOptions = { mss: 1000, sackPermitted: true, shift: 7 };
/** A segment `from` bytes past the peer's SND.NXT. */
const at = (peer: RawPeer, from: number, length: number, flags = ".") =>
  peer.send(flags, { seq: (peer.seq + from) >>> 0, length });
/** The blocks of the segments that came, relative to the peer's SND.NXT. */
const blocks = (peer: RawPeer) =>
  peer.take().map((s) => (s.sack ?? []).map(([left, right]) => [left - peer.seq, right - peer.seq]));

Deno.test("a segment beyond a gap is reported, the most recent block first, four at most (RFC 2018 4)", () => {
  const peer = passive(OPTIONS);
  peer.take();
  for (const from of [1000, 3000, 5000, 7000, 9000]) at(peer, from, 1000);
  assertEquals(blocks(peer).at(-1), [[9000, 10000], [7000, 8000], [5000, 6000], [3000, 4000]]);
});

Deno.test("three blocks fit beside timestamps", () => {
  const peer = passive({ ...OPTIONS, tsVal: 100 });
  peer.take();
  for (const from of [1000, 3000, 5000, 7000]) at(peer, from, 1000);
  assertEquals(blocks(peer).at(-1), [[7000, 8000], [5000, 6000], [3000, 4000]]);
});

Deno.test("a block that grows moves to the front and swallows the one that it reaches", () => {
  const peer = passive(OPTIONS);
  peer.take();
  at(peer, 1000, 1000);
  at(peer, 3000, 1000);
  at(peer, 5000, 1000);
  at(peer, 2000, 1000);
  assertEquals(blocks(peer).at(-1), [[1000, 4000], [5000, 6000]]);
});

Deno.test("blocks go once RCV.NXT has reached them, and with the last gap all of them", () => {
  const peer = passive(OPTIONS);
  peer.take();
  at(peer, 1000, 1000);
  at(peer, 3000, 1000);
  blocks(peer);
  at(peer, 0, 1000);
  assertEquals(blocks(peer), [[[3000, 4000]]]);
  at(peer, 2000, 1000);
  assertEquals(blocks(peer), [[]]);
});

Deno.test("no blocks without SACK-permitted, and none with a reset", () => {
  const without = passive({ mss: 1000 });
  without.take();
  at(without, 1000, 1000);
  assertEquals(blocks(without), [[]]);
});

Deno.test("a segment received twice below RCV.NXT is reported once, first of all (RFC 2883 4.1)", () => {
  const peer = passive(OPTIONS);
  at(peer, 0, 1000);
  at(peer, 2000, 1000);
  peer.take();
  at(peer, 0, 1000);
  assertEquals(blocks(peer), [[[0, 1000], [2000, 3000]]]);
  at(peer, 3000, 1000);
  assertEquals(blocks(peer), [[[2000, 4000]]]);
});

Deno.test("a segment received twice beyond a gap is reported (RFC 2883 4.1.2), a part of it as that part", () => {
  const peer = passive(OPTIONS);
  at(peer, 2000, 1000);
  peer.take();
  at(peer, 2000, 1000);
  assertEquals(blocks(peer), [[[2000, 3000], [2000, 3000]]]);
  at(peer, 2500, 1000);
  assertEquals(blocks(peer), [[[2500, 3000], [2000, 3500]]]);
});

Deno.test("a partly old segment reports the old part and delivers the new one", () => {
  const peer = passive(OPTIONS);
  at(peer, 0, 1000);
  peer.take();
  at(peer, 500, 1000);
  assertEquals(blocks(peer), [[[500, 1000]]]);
  assertEquals(connectionInfo(peer.world.stack, peer.conn).unread, 1500);
});

Deno.test("the profile can switch D-SACK off", () => {
  const peer = passive(OPTIONS, { profileB: { dsack: false } });
  at(peer, 0, 1000);
  peer.take();
  at(peer, 0, 1000);
  assertEquals(blocks(peer), [[]]);
});

Deno.test("a FIN beyond a gap is part of its block", () => {
  const peer = passive(OPTIONS);
  peer.take();
  at(peer, 1000, 500, "F.");
  assertEquals(blocks(peer), [[[1000, 1501]]]);
  at(peer, 0, 1000);
  assertEquals(peer.state, "CLOSE_WAIT");
});

Deno.test("data that is sent meanwhile carries the blocks and is shorter by them", () => {
  const peer = passive(OPTIONS);
  at(peer, 1000, 1000);
  peer.take();
  send(peer.world.stack, peer.conn, 3000);
  peer.world.drain();
  const sent = peer.take();
  assertEquals(sent[0].sack?.length, 1);
  assertEquals(sent[0].length, 1000 - 12);
});

Deno.test("a reset at the end of what was SACKed ends the connection, as one at RCV.NXT does", () => {
  const peer = passive(OPTIONS);
  at(peer, 1000, 1000);
  at(peer, 3000, 1000);
  peer.send("R", { seq: peer.seq + 2000 });
  assertEquals(peer.state, "ESTABLISHED");
  peer.send("R", { seq: peer.seq + 4000 });
  assertEquals(peer.state, "CLOSED");
});

Deno.test("whatever arrives in whatever order: bytes are right, and blocks are what was received (against a model)", () => {
  for (let seed = 1; seed <= 150; seed++) {
    const random = new Substream(substreamKey(seed, "test", "sack"));
    const real = seed % 2 === 0;
    const total = 2000 + random.nextInt(20000);
    const peer = passive({ ...OPTIONS, isn: random.nextInt(2 ** 32) }, { profileB: { receiveBufferBytes: 200_000 } });
    const first = peer.seq;
    const have = new Uint8Array(total);
    const payload = Uint8Array.from({ length: total }, (_, i) => (i * 7 + seed) & 0xff);
    const next = () => {
      const gap = have.indexOf(0);
      return gap < 0 ? total : gap;
    };
    peer.take();
    for (let step = 0; next() < total && step < 4000; step++) {
      // Mostly beyond RCV.NXT, sometimes old, sometimes just what is missing.
      const begin = random.nextInt(8) === 0
        ? next()
        : Math.max(0, Math.min(total - 1, next() + random.nextInt(6000) - 500));
      const length = Math.min(total - begin, 1 + random.nextInt(900));
      const bytes = payload.slice(begin, begin + length);
      const before = have.slice(begin, begin + length);
      peer.send(".", { seq: (first + begin) >>> 0, ...(real ? { bytes } : { length }) });
      have.fill(1, begin, begin + length);
      const wasNew = before.includes(0);
      for (const { ack, sack } of peer.take()) {
        assertEquals((ack - first) >>> 0, next(), `seed ${seed}`);
        const relative = (sack ?? []).map(([left, right]) => [(left - first) >>> 0, (right - first) >>> 0]);
        const twice = relative.length > 0 && (relative[0][1] <= next() ||
            relative.slice(1).some(([left, right]) => left <= relative[0][0] && right >= relative[0][1]))
          ? relative.shift()
          : undefined;
        if (twice !== undefined) {
          // What is reported as received twice was there before, and is part of this segment.
          assert(twice[0] >= begin && twice[1] <= begin + length, `seed ${seed}: ${twice}`);
          assert(!before.slice(twice[0] - begin, twice[1] - begin).includes(0), `seed ${seed}: ${twice}`);
        } else assert(wasNew || relative.length > 0 || begin + length > next());
        for (const [left, right] of relative) {
          assert(
            left > next() && right > left && !have.slice(left, right).includes(0),
            `seed ${seed}: ${left}-${right}`,
          );
        }
        for (let i = 0; i < relative.length; i++) {
          for (let j = 0; j < i; j++) {
            assert(relative[i][1] < relative[j][0] || relative[j][1] < relative[i][0], `seed ${seed}: they overlap`);
          }
        }
        if (begin > next() && relative.length > 0) {
          assert(relative[0][0] <= begin && relative[0][1] >= begin + length, `seed ${seed}: the most recent is first`);
        }
      }
    }
    assertEquals(next(), total, `seed ${seed}`);
    if (real) assertEquals(receiveBytes(peer.world.stack, peer.conn, total + 1), payload, `seed ${seed}`);
    else assertEquals(receive(peer.world.stack, peer.conn, total + 1), total);
    assertEquals(peer.world.stack.ranges.inUse, 0);
  }
});

Deno.test("ten thousand ranges in order beyond a gap, and the rest of them backwards, make one stream once the gap is filled", () => {
  const peer = passive({ ...OPTIONS, shift: 10 }, {
    profileB: { receiveBufferBytes: 2 ** 22, receiveBufferMaxBytes: 2 ** 27 },
  });
  peer.world.logging = false;
  const count = Math.floor(connectionInfo(peer.world.stack, peer.conn).rcvWnd / 20) - 10;
  assert(count > 10_000, `${count}`);
  for (let i = 1; i <= count; i++) at(peer, 20 * i, 10);
  for (let i = count; i >= 1; i--) at(peer, 20 * i + 10, 10);
  at(peer, 0, 20);
  assertEquals(connectionInfo(peer.world.stack, peer.conn).unread, 20 * (count + 1));
});
