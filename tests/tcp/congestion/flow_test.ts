import { assertEquals, assertThrows } from "@std/assert";
import { type Flow, registerAlgorithm } from "../../../src/tcp/congestion/flow.ts";
import { CONGESTION_EVENT, congestionId, congestionOf, switchCongestion } from "../../../src/tcp/congestion/types.ts";
import { ACK_FLAG } from "../../../src/tcp/state/ack_sample.ts";
import { CA, COLD } from "../../../src/tcp/state/tcb.ts";
import { Lone, MSS } from "./lone.ts";

const seen: unknown[] = [];
const noted = (...what: unknown[]) => void seen.push(what);

registerAlgorithm({
  name: "test-notes",
  words: 3,
  start: (flow) => noted("start", flow.cwnd),
  onAck(flow, acked) {
    flow.set(2, flow.get(2) + acked);
    noted("ack", acked, flow.get(2), flow.rttUs, flow.delivered, flow.marked, flow.inFlight);
  },
  ssthreshAfterLoss: (flow) => flow.cwnd / 3,
  onState: (flow, state) => noted("state", flow.state, state),
  onEvent: (_flow, event) => noted("event", event),
});

Deno.test("an algorithm of one's own is called with what happened, and keeps words of its own", () => {
  seen.length = 0;
  const flow = new Lone("test-notes", { cwnd: 20 });
  const other = new Lone("test-notes", { cwnd: 5 });
  flow.send(4);
  flow.ack(3, 1234, ACK_FLAG.ECE);
  other.ack(1);
  flow.ack(1);
  flow.lose();
  flow.algorithm.onState!(flow.stack, flow.conn, CA.RECOVERY);
  flow.algorithm.onEvent!(flow.stack, flow.conn, CONGESTION_EVENT.LOSS);
  assertEquals(seen, [
    ["start", 20],
    ["start", 5],
    ["ack", 3, 3, 1234, 3, true, 1],
    ["ack", 1, 1, -1, 1, false, 0],
    ["ack", 1, 4, -1, 1, false, 0],
    ["state", "open", "recovery"],
    ["event", "loss"],
  ]);
  // A threshold is a whole number.
  assertEquals(flow.ssthresh, 6);
});

Deno.test("a flow's windows can be read and set, within reason", () => {
  let flow: Flow;
  registerAlgorithm({ name: "test-windows", start: (f) => void (flow = f), onAck() {}, ssthreshAfterLoss: () => 2 });
  const lone = new Lone("test-windows", { srttUs: 5000 });
  assertEquals([flow!.cwnd, flow!.ssthresh, flow!.inSlowStart, flow!.mss, flow!.srttUs, flow!.nowUs], [
    10,
    Infinity,
    true,
    MSS,
    5000,
    1e6,
  ]);
  flow!.cwnd = 0;
  flow!.ssthresh = 1;
  assertEquals([lone.cwnd, lone.ssthresh], [1, 2]);
  flow!.ssthresh = Infinity;
  assertEquals(flow!.ssthresh, Infinity);
});

Deno.test("a name is given once", () => {
  const taken = { name: "cubic", onAck() {}, ssthreshAfterLoss: () => 2 };
  assertThrows(() => registerAlgorithm(taken), RangeError, '"cubic"');
  assertThrows(() => registerAlgorithm({ ...taken, name: "" }), RangeError, "name");
});

Deno.test("a connection that is switched to another algorithm keeps its windows and gives the old one's row back", () => {
  const flow = new Lone("cubic", { cwnd: 50 });
  flow.lose();
  assertEquals(flow.cold(COLD.CC) !== 0, true);
  switchCongestion(flow.stack, flow.conn, congestionId("reno"));
  assertEquals([congestionOf(flow.stack, flow.conn).name, flow.cwnd, flow.cold(COLD.CC)], ["reno", 35, 0]);
  assertEquals(flow.stack.congestionPools.reduce((n, pool) => n + (pool?.inUse ?? 0), 0), 0);
});
