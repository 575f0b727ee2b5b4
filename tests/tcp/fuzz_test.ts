import { assert, assertEquals } from "@std/assert";
import { Substream, substreamKey } from "../../src/base/rng.ts";
import { A, B, MS, World } from "./harness.ts";
import { REXMIT_KIND, TIMER } from "../../src/tcp/state/tcb.ts";
import {
  abort,
  accept,
  ACK_STATE,
  closeConnection,
  closeListener,
  COLD,
  connect,
  connectionInfo,
  FLAG,
  listen,
  receive,
  receiveBytes,
  send,
  sendBytes,
  setCork,
  setErrorReports,
  setKeepAlive,
  setNoDelay,
  setTrafficClass,
  setUserTimeout,
  shutdownWrite,
  STATE,
  TCB,
  TCP_EVENT,
  type TcpStack,
  WARM,
} from "../../src/tcp/mod.ts";

/** What must hold of every connection at any time. */
function checkInvariants(stack: TcpStack): void {
  const words = stack.tcbs.words;
  let live = 0;
  for (let conn = 1; conn < stack.tcbs.end; conn++) {
    const c = conn * TCB.STRIDE;
    if (words[c + TCB.PORTS] === 0) continue;
    const state = words[c + TCB.STATE] & FLAG.STATE_MASK;
    const timers = stack.timers.subarray(conn * TIMER.STRIDE, conn * TIMER.STRIDE + TIMER.LONE_SENT_US);
    if (timers[0] !== 0) live++;
    if (timers[1] !== 0) live++;
    if ((words[c + TCB.STATE] & FLAG.DONE) !== 0) {
      assertEquals(stack.warm[conn * WARM.STRIDE + WARM.COLD], 0);
      continue;
    }
    const una = words[c + TCB.SND_UNA];
    const next = words[c + TCB.SND_NXT];
    assert(((next - una) | 0) >= 0, "SND.UNA <= SND.NXT");
    if (state === STATE.SYN_SENT) continue;
    assert(((words[c + TCB.RCV_NXT] - words[c + TCB.RCV_READ]) | 0) >= 0, "read <= RCV.NXT");
    assert(((words[c + TCB.RCV_ADV] - words[c + TCB.RCV_NXT]) | 0) >= 0, "RCV.NXT <= right edge");
    assert(((words[c + TCB.RCV_NXT] - words[c + TCB.RCV_WUP]) | 0) >= 0, "Last.ACK.sent <= RCV.NXT");
    assert(words[c + TCB.CWND] >= 1, "CWND >= 1");
    const row = stack.warm[conn * WARM.STRIDE + WARM.COLD];
    if (row === 0) {
      if (state === STATE.SYN_RECEIVED || una === next) continue;
      const mss = words[c + TCB.MSS] & 0xffff;
      assert(((next - una) | 0) <= mss && words[c + TCB.SND_END] === next, "a lone flight is all there is to send");
      assert(timers[0] !== 0, "a lone flight has a retransmission timer");
      continue;
    }
    const cold = stack.cold.words;
    const k = row * COLD.STRIDE;
    let count = 0;
    let lost = 0;
    let retransmitted = 0;
    let seq = una;
    for (let record = cold[k + COLD.RTX_HEAD]; record !== 0; record = stack.segments.words[record * 16]) {
      count++;
      const flags = stack.segments.words[record * 16 + 5];
      if (flags & 2) lost++;
      if (flags & 4) retransmitted++;
      // What is acknowledged of the first segment is cut off only when it is sent again.
      const from = stack.segments.words[record * 16 + 2];
      // Closed in SYN-RECEIVED: the SYN, which has no record, comes before the FIN.
      if (count === 1 && (words[c + TCB.STATE] & FLAG.ORPHAN) !== 0 && from === ((una + 1) | 0)) seq = from;
      assert(count === 1 ? ((from - seq) | 0) <= 0 : from === seq, "records are contiguous from SND.UNA");
      seq = stack.segments.words[record * 16 + 3];
    }
    if (count > 0) assertEquals(seq, next, "records end at SND.NXT");
    assertEquals([cold[k + COLD.PACKETS_OUT], cold[k + COLD.LOST_OUT], cold[k + COLD.RETRANS_OUT]], [
      count,
      lost,
      retransmitted,
    ]);
    assert(cold[k + COLD.SACKED_OUT] >= 0 && cold[k + COLD.SACKED_OUT] + lost <= Math.max(count, 1));
    const kind = (stack.warm[conn * WARM.STRIDE + WARM.ACK_STATE] >> ACK_STATE.KIND_AT) & 3;
    if (count > 0) {
      assert(timers[0] !== 0 && kind !== REXMIT_KIND.PROBE, "what is in flight has a retransmission timer");
    }
  }
}

const LETTERS = ["S", "F", "R", "P", ".", "U"];

Deno.test("random segments and calls never throw, break no invariant and leak no row", () => {
  for (let seed = 1; seed <= 150; seed++) {
    const draws = new Substream(substreamKey(seed, "fuzz", ""));
    const world = new World({
      seed,
      pipe: { delayNs: MS, loss: 0.1, duplicate: 0.1, reorder: 0.2, reorderNs: 20 * MS },
      profileA: { timestamps: seed % 2 === 0, receiveBufferBytes: 20000, timeWaitReuse: true },
      profileB: { timestamps: seed % 3 !== 0, abortOnOverflow: seed % 5 === 0 },
    });
    world.logging = false;
    const { stack } = world;
    let listener = listen(stack, B, 0, 80, { backlog: 2, app: 0 });
    const open = new Set<number>();
    world.onEvent = (conn, kind) => {
      if (kind === TCP_EVENT.CLOSED || kind === TCP_EVENT.FAILED) {
        open.delete(conn);
        closeConnection(stack, conn);
      }
    };
    const pick = (): number => [...open][draws.nextInt(open.size)];
    for (let turn = 0; turn < 150; turn++) {
      const choice = draws.nextInt(16);
      if (choice === 0 && open.size < 12) {
        // Few ports: tuples meet again in TIME_WAIT; A to A's own port opens at both ends.
        const conn = connect(stack, A, world.addressA, 1000 + draws.nextInt(8), world.addressB, 80, 0);
        if (conn > 0) open.add(conn);
      } else if (choice === 1) {
        const conn = accept(stack, listener);
        if (conn !== 0) open.add(conn);
      } else if (choice === 2 && open.size > 0) send(stack, pick(), draws.nextInt(20000));
      else if (choice === 3 && open.size > 0) sendBytes(stack, pick(), new Uint8Array(draws.nextInt(5000)));
      else if (choice === 4 && open.size > 0) receive(stack, pick(), draws.nextInt(30000));
      else if (choice === 5 && open.size > 0) receiveBytes(stack, pick(), draws.nextInt(3000));
      else if (choice === 6 && open.size > 0) shutdownWrite(stack, pick());
      else if (choice === 7 && open.size > 0) {
        const conn = pick();
        open.delete(conn);
        if (draws.nextInt(3) === 0) abort(stack, conn);
        else closeConnection(stack, conn);
      } else if (choice === 8 && open.size > 0) {
        const conn = pick();
        const which = draws.nextInt(6);
        if (which === 0) setNoDelay(stack, conn, draws.nextInt(2) === 0);
        else if (which === 1) setCork(stack, conn, draws.nextInt(2) === 0);
        else if (which === 2) setTrafficClass(stack, conn, draws.nextInt(256));
        else if (which === 3) setErrorReports(stack, conn, draws.nextInt(2) === 0);
        else if (which === 4) setUserTimeout(stack, conn, draws.nextInt(3000));
        else setKeepAlive(stack, conn, draws.nextInt(2) === 0, { idleMs: 50, intervalMs: 20, probes: 3 });
      } else if (choice === 9 && draws.nextInt(10) === 0) {
        world.drain();
        closeListener(stack, listener);
        listener = listen(stack, B, 0, 80, { backlog: draws.nextInt(3), app: 0 });
      } else if (choice <= 12 && open.size > 0) {
        // A hostile segment near a connection's numbers.
        const info = connectionInfo(stack, pick());
        const flags = LETTERS.filter(() => draws.nextInt(3) === 0).join("");
        const near = () => draws.nextInt(5) === 0 ? draws.nextWord() : draws.nextInt(3000) - 1500;
        world.inject(info.host, {
          flags,
          seq: (info.rcvNxt + (draws.nextInt(2) ? near() : 0)) | 0,
          ack: (info.sndNxt + (draws.nextInt(2) ? near() : 0)) | 0,
          length: draws.nextInt(2) ? 0 : draws.nextInt(3000),
          window: draws.nextInt(4) === 0 ? 0 : draws.nextInt(65536),
          srcPort: info.remotePort,
          dstPort: info.localPort,
          source: info.host === A ? world.addressB : world.addressA,
          ...(draws.nextInt(2) ? { tsVal: draws.nextWord() | 0, tsEcr: draws.nextWord() | 0 } : {}),
          ...(draws.nextInt(4) ? {} : { mss: draws.nextInt(2000), shift: draws.nextInt(20) }),
        });
      } else world.run(draws.nextInt(100) * MS);
      world.drain();
      checkInvariants(stack);
    }
    for (const conn of open) closeConnection(stack, conn);
    open.clear();
    world.drain();
    closeListener(stack, listener);
    world.runToQuiet();
    assertEquals([seed, ...world.leaks()], [seed]);
  }
});
