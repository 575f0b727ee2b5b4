/** Loss recovery under random loss, reordering and duplication: counts agree with the queue, and everything arrives. */
import { assert, assertEquals } from "@std/assert";
import { Substream, substreamKey } from "../../src/base/rng.ts";
import { accept, connect, listen, receive, send, TCP_EVENT, type TcpStack } from "../../src/tcp/mod.ts";
import { RECOVERY } from "../../src/tcp/state/recovery_row.ts";
import { CA, COLD, RTX, RTX_FLAG, TCB, WARM } from "../../src/tcp/state/tcb.ts";
import { A, B, MS, World, type WorldOptions } from "./harness.ts";
import { cold, MSS, sacking, sendSegments } from "./recovery_peer.ts";

/** The counts of a connection against its queue; and RACK's list against the queue's tags and times. */
function checkCounts(stack: TcpStack, conn: number, sack: boolean): void {
  const row = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  if (row === 0) return;
  const k = row * COLD.STRIDE;
  const words = stack.cold.words;
  const records = stack.segments.words;
  let out = 0;
  let sacked = 0;
  let lost = 0;
  let retransmitted = 0;
  let listed = 0;
  for (let record = words[k + COLD.RTX_HEAD]; record !== 0; record = records[record * RTX.STRIDE + RTX.NEXT]) {
    const flags = records[record * RTX.STRIDE + RTX.FLAGS];
    out++;
    if (flags & RTX_FLAG.SACKED) sacked++;
    if (flags & RTX_FLAG.LOST) lost++;
    if (flags & RTX_FLAG.RETRANSMITTED) retransmitted++;
    if (flags & RTX_FLAG.LISTED) listed++;
    assert((flags & (RTX_FLAG.SACKED | RTX_FLAG.LOST)) !== (RTX_FLAG.SACKED | RTX_FLAG.LOST), "lost and delivered");
    assert((flags & (RTX_FLAG.SACKED | RTX_FLAG.LISTED)) !== (RTX_FLAG.SACKED | RTX_FLAG.LISTED), "delivered, listed");
  }
  const counts = [COLD.PACKETS_OUT, COLD.LOST_OUT, COLD.RETRANS_OUT].map((at) => words[k + at]);
  assertEquals(counts, [out, lost, retransmitted]);
  if (sack) assertEquals(words[k + COLD.SACKED_OUT], sacked);
  assert(words[k + COLD.SACKED_OUT] + lost <= out, "more than are out have left");
  assert(stack.tcbs.words[conn * TCB.STRIDE + TCB.CWND] >= 1);
  const recovery = words[k + COLD.RECOVERY];
  if (recovery === 0) return;
  let before = -Infinity;
  const rows = stack.recoveries.words;
  for (let at = rows[recovery * RECOVERY.STRIDE + RECOVERY.SENT_HEAD]; at !== 0;) {
    listed--;
    const sent = records[at * RTX.STRIDE + RTX.SENT_US];
    assert(sent >= before, "the list is in the order of sending");
    before = sent;
    at = records[at * RTX.STRIDE + RTX.SENT_NEXT];
  }
  assertEquals(listed, 0);
}

function transfer(seed: number, options: WorldOptions, sack: boolean): World {
  const world = new World(options);
  world.logging = false;
  const { stack } = world;
  const total = 150_000;
  let left = total;
  let got = 0;
  listen(stack, B, 0, 80, { backlog: 5, app: 0 });
  world.onEvent = (conn, kind, arg) => {
    if (kind === TCP_EVENT.ACCEPTABLE) accept(stack, arg);
    else if (kind === TCP_EVENT.READABLE) got += receive(stack, conn, 1e9);
    else if (kind === TCP_EVENT.CONNECTED || kind === TCP_EVENT.WRITABLE) left -= send(stack, conn, left);
  };
  const conn = connect(stack, A, world.addressA, 0, world.addressB, 80, 0);
  world.drain();
  for (let step = 0; step < 200_000 && got < total; step++) {
    if (!world.step(1e15)) break;
    checkCounts(stack, conn, sack);
  }
  assertEquals(got, total, `seed ${seed}`);
  return world;
}

Deno.test("through loss, reordering and duplication the counts agree with the queue at every step, and all arrives", () => {
  let repaired = 0;
  for (let seed = 1; seed <= 120; seed++) {
    const draws = new Substream(substreamKey(seed, "recovery", ""));
    const chance = (most: number) => draws.nextInt(3) === 0 ? 0 : draws.nextFraction() * most;
    const sack = seed % 4 !== 0;
    const world = transfer(seed, {
      seed,
      pipe: { delayNs: 20 * MS, loss: chance(0.15), duplicate: chance(0.1), reorder: chance(0.3), reorderNs: 30 * MS },
      profileA: {
        sack,
        rack: seed % 3 !== 0,
        tailLossProbe: seed % 5 !== 0,
        forwardRtoRecovery: seed % 7 !== 0,
        timestamps: seed % 2 === 0,
        congestionControl: ["reno", "cubic", "bbr"][seed % 3],
      },
    }, sack);
    repaired += world.stack.counters.retransmissions;
  }
  assert(repaired > 500, `${repaired}`);
});

Deno.test("the scoreboard is what a set of numbers says, whatever SACK blocks come in whatever order", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const draws = new Substream(substreamKey(seed, "scoreboard", ""));
    const peer = sacking({ profileB: { initialWindowSegments: 60, rack: seed % 2 === 0, tailLossProbe: false } });
    const { stack } = peer.world;
    const count = 20 + draws.nextInt(30);
    sendSegments(peer, count);
    const delivered = new Set<number>();
    let acked = 0;
    for (let turn = 0; turn < 25; turn++) {
      // The peer gets a few segments, now and then the first that is missing.
      for (let i = draws.nextInt(4); i >= 0; i--) delivered.add(acked + draws.nextInt(count - acked));
      if (draws.nextInt(6) === 0) delivered.add(acked);
      while (delivered.has(acked)) acked++;
      const blocks: [number, number][] = [];
      for (let i = acked + 1; i < count; i++) {
        if (!delivered.has(i)) continue;
        const last = blocks.at(-1);
        if (last !== undefined && last[1] === i) last[1]++;
        else blocks.push([i, i + 1]);
      }
      // At most four, in any order; some ACKs are lost.
      const chosen = blocks.map((block) => ({ block, key: draws.nextFraction() })).sort((a, b) => a.key - b.key)
        .slice(0, 4).map(({ block }) => block);
      if (acked >= count) break;
      if (draws.nextInt(4) === 0) continue;
      const at = (segment: number) => (peer.base + 1 + segment * MSS) >>> 0;
      peer.send(".", { ack: at(acked), sack: chosen.map(([from, to]) => [at(from), at(to)]) });
      peer.take();
      for (const [from, to] of chosen) for (let i = from; i < to; i++) known(peer).add(i);
      const records = stack.segments.words;
      const found: number[] = [];
      for (let record = cold(peer, "RTX_HEAD"); record !== 0; record = records[record * RTX.STRIDE + RTX.NEXT]) {
        if ((records[record * RTX.STRIDE + RTX.FLAGS] & RTX_FLAG.SACKED) === 0) continue;
        found.push(((records[record * RTX.STRIDE + RTX.SEQ] - peer.base - 1) | 0) / MSS);
      }
      const expected = [...known(peer)].filter((i) => i >= acked).sort((a, b) => a - b);
      assertEquals(found, expected, `seed ${seed}, turn ${turn}`);
      assertEquals(cold(peer, "SACKED_OUT"), expected.length);
      checkCounts(stack, peer.conn, true);
      assert((cold(peer, "CA_STATE") & 0xff) !== CA.LOSS);
    }
  }
});

const KNOWN = new WeakMap<object, Set<number>>();

/** What the sender has been told of. */
function known(peer: object): Set<number> {
  let set = KNOWN.get(peer);
  if (set === undefined) KNOWN.set(peer, set = new Set());
  return set;
}
