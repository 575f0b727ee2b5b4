import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { runPartition } from "../../src/network/loop.ts";
import { Simulation } from "../../src/network/simulation.ts";
import { assertRestorable, outcome } from "./support/restorable.ts";
import { built, mixed, star } from "./support/networks.ts";

Deno.test("whatever there is, a run that is restored after any event ends as the one that was not", () => {
  assertRestorable(8, 12_000);
});

Deno.test("a run that was interrupted and one that ended are restored, in slices and over and over", () => {
  const whole = built(mixed());
  whole.run();
  let now = built(mixed());
  let restores = 0;
  while (now.run({ interrupted: () => true }).ended === "interrupted") {
    now = Simulation.restore(now.snapshot());
    restores++;
  }
  assert(restores > 0);
  assertEquals(outcome(now), outcome(whole));
  assertEquals(outcome(Simulation.restore(now.snapshot())), outcome(whole));
});

Deno.test("a condition is asked at the moment that was due when the run was interrupted", () => {
  // More packets at 0.2 ms than events between two looks at interruptions, and none until 2.2 ms.
  const link = { rateBps: Infinity, delayNs: 2e5 };
  const simulation = built(star({ link, workload: { connections: 10_000 } }));
  const asked: number[] = [];
  const until = () => asked.push(simulation.nowNs) < 0;
  assertEquals(simulation.run({ until, interrupted: () => true }).ended, "interrupted");
  assertEquals([simulation.nowNs, asked], [200_000, []]);
  // The rest of the millisecond, as if the interruption had come after it.
  runPartition(simulation.partition, 999_999, false, Infinity);
  const restored = Simulation.restore(simulation.snapshot());
  restored.run({ until: () => asked.push(restored.nowNs) > 1 });
  assertEquals(asked, [1e6, 3e6]);
});

Deno.test("a run with a condition can be interrupted at any millisecond", () => {
  const simulation = built(star());
  assertEquals(simulation.run({ until: () => false, interrupted: () => true }).ended, "interrupted");
  assertEquals(simulation.nowNs, 1e6);
});

Deno.test("a snapshot leaves the run that it is taken of alone", () => {
  const network = built(mixed());
  const whole = built(mixed());
  whole.run();
  for (let ms = 50; ms < 1000; ms += 50) {
    network.run({ untilNs: ms * 1e6 });
    network.snapshot();
  }
  network.run();
  assertEquals(outcome(network), outcome(whole));
});

Deno.test("what code has open cannot be saved, and what it had is no obstacle", () => {
  const simulation = built(star());
  const { partition: _, ...rest } = simulation;
  assertEquals(typeof rest, "object");
  const server = simulation.host("server");
  const refused = () => assertThrows(() => simulation.snapshot(), InputError, "closures");
  const timer = server.setTimeout(() => {}, 1e9);
  refused();
  server.clearTimeout(timer);
  simulation.snapshot();
  const listener = server.listen({ port: 7 }, (socket) => socket.on("data", () => socket.end()));
  refused();
  const socket = simulation.host("clients").connect({ address: "192.0.2.1", port: 7 }, () => socket.end("x"));
  simulation.run();
  refused();
  listener.close();
  simulation.run();
  const restored = Simulation.restore(simulation.snapshot());
  let called = 0;
  restored.host("server").setTimeout(() => called++, 5e8);
  restored.run();
  assertEquals(called, 1);
});

Deno.test("a timer that was taken back before a snapshot does not call another one's action after it", () => {
  const simulation = built(star());
  const server = simulation.host("server");
  server.clearTimeout(server.setTimeout(() => {}, 2e9));
  const restored = Simulation.restore(simulation.snapshot());
  const called: number[] = [];
  restored.host("server").setTimeout(() => called.push(restored.nowNs), 5e9);
  restored.run();
  assertEquals(called, [5e9]);
});

Deno.test("a header says what it is a snapshot of", () => {
  const simulation = built(mixed());
  simulation.run({ untilNs: 123_456_789 });
  const header = Simulation.readSnapshot(simulation.snapshot({ file: "x.yaml" }));
  assertEquals([header.timeNs, header.run.untilNs, header.run.ended], [123_456_789, 123_456_789, "time"]);
  assertEquals(header.extra, { file: "x.yaml" });
  assertEquals(header.declaration.workloads.length, simulation.declaration.workloads.length);
  assertEquals(Simulation.restore(simulation.snapshot()).declaration, simulation.declaration);
});

Deno.test("the examples of docs/snapshots.md run, and what is restored is the same run", async () => {
  const page = Deno.readTextFileSync(new URL("../../docs/snapshots.md", import.meta.url));
  const root = new URL("../../mod.ts", import.meta.url).href;
  const holder = globalThis as unknown as { shown?: unknown[][] };
  const shown: unknown[][] = holder.shown = [];
  for (const [, code] of page.matchAll(/^```ts\n([\s\S]*?)^```/gm)) {
    const program = code.replace("../mod.ts", root).replaceAll("console.log(", "globalThis.shown.push(Array.of(")
      .replaceAll(/(Array\.of\(.*)\);/g, "$1));");
    const file = Deno.makeTempFileSync({ suffix: ".ts" });
    try {
      Deno.writeTextFileSync(file, program);
      await import(`file://${file}`);
    } finally {
      Deno.removeSync(file);
    }
  }
  delete holder.shown;
  const [whole, application, asItIs, slower, vegas] = shown;
  assertEquals([whole, application], [[true], [true]]);
  assert(Number(slower[1]) > Number(asItIs[1]) + 10);
  assert(vegas[0] === "vegas" && Number(vegas[1]) > 0);
});
