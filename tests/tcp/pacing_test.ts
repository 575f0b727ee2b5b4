// Pacing, and ECN marks of what is sent.
import { assert, assertEquals } from "@std/assert";
import { accept, connect, listen, receive, send, setMaxPacingRate, TCP_EVENT } from "../../src/tcp/mod.ts";
import { A, B, MS, SECOND, World } from "./harness.ts";

function bulk(bytes: number, profileA: object, rate = 0): { world: World; times: number[]; conn: number } {
  const world = new World({ profileA, pipe: { delayNs: 10 * MS } });
  const { stack } = world;
  listen(stack, B, 0, 80, { backlog: 5, app: 0 });
  const conn = connect(stack, A, world.addressA, 0, world.addressB, 80, 0);
  if (rate !== 0) setMaxPacingRate(stack, conn, rate);
  world.onEvent = (at, kind, arg) => {
    if (kind === TCP_EVENT.CONNECTED) send(stack, at, bytes);
    if (kind === TCP_EVENT.ACCEPTABLE) accept(stack, arg);
    if (kind === TCP_EVENT.READABLE) receive(stack, at, arg);
  };
  world.run(3 * SECOND);
  const times = world.log.filter((s) => s.from === A && s.length > 0).map((s) => s.time);
  return { world, times, conn };
}

Deno.test("SO_MAX_PACING_RATE spaces groups out after the first ten segments", () => {
  const { times } = bulk(144_800, {}, 144_800);
  assertEquals(times.length, 100);
  // Ten at once, then two segments in 20 ms.
  assertEquals(times[9], times[0]);
  const gaps = [];
  for (let i = 20; i < 98; i += 2) gaps.push((times[i + 2] - times[i]) / MS);
  assertEquals(new Set(gaps.map(Math.round)), new Set([20]));
});

Deno.test("without pacing the same window goes at once", () => {
  const { times } = bulk(144_800, {});
  assert(times.at(-1)! - times[0] < 200 * MS);
  assertEquals(times.filter((time) => time === times[0]).length, 10);
});

Deno.test("the profile paces at twice the window in a round trip while in slow start", () => {
  const { times } = bulk(400_000, { pacing: true });
  // The second window of 20 segments takes half of the 20 ms round trip or more.
  const second = times.filter((time) => time >= times[0] + 20 * MS && time < times[0] + 40 * MS);
  assert(second.at(-1)! - second[0] >= 8 * MS, `${(second.at(-1)! - second[0]) / MS}`);
});

Deno.test("with ECN, new data is marked ECT(0), and ACKs are not", () => {
  const world = new World({ profileA: { ecn: "on" }, profileB: { ecn: "on" } });
  const { stack } = world;
  listen(stack, B, 0, 80, { backlog: 5, app: 0 });
  world.onEvent = (at, kind) => {
    if (kind === TCP_EVENT.CONNECTED) send(stack, at, 5000);
  };
  connect(stack, A, world.addressA, 0, world.addressB, 80, 0);
  world.run(SECOND);
  const marks = world.log.map((s) => [s.length > 0, s.trafficClass & 3]);
  assertEquals(marks.filter(([data, mark]) => data !== (mark === 2)), []);
  assert(marks.some(([data]) => data));
});
