import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InputError } from "../../src/base/errors.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { divergenceText } from "../../src/replay/divergence.ts";
import { piecesOf } from "../../src/replay/record.ts";
import { type ReplayResult, replayTrace } from "../../src/replay/replay.ts";
import { Recorder } from "../../src/trace/recorder.ts";
import type { TraceLevel } from "../../src/trace/items.ts";
import { watchPackets } from "../../src/trace/packet_watch.ts";
import { built, mixed, star, type Step } from "../network/support/networks.ts";

function recorded(simulation: Simulation, level: TraceLevel, untilNs?: number): Uint8Array {
  const parts: number[] = [];
  const recorder = new Recorder(simulation, {
    level,
    engine: "test",
    run: { untilNs },
    sink: (bytes) => parts.push(...bytes),
  });
  simulation.run({ untilNs });
  recorder.finish(simulation.report());
  return Uint8Array.from(parts);
}

function replayed(trace: Uint8Array, other?: () => Simulation, untilNs?: number): ReplayResult {
  const run = other === undefined ? undefined : () => ({ simulation: other(), run: { untilNs } });
  return replayTrace({ file: "x.cbor", open: () => piecesOf(trace), run });
}

/** Every packet event of a run, as text. */
function events(simulation: Simulation): string[] {
  const seen: string[] = [];
  watchPackets(simulation, (timeNs, place, content, reason) => seen.push(`${timeNs} ${place} ${reason} ${content}`));
  simulation.run();
  return seen;
}

function textOf(result: ReplayResult, level: TraceLevel): string {
  return divergenceText(result.divergence!, result.places, level);
}

Deno.test("a run that is recorded and replayed is the same run, and recording changes nothing", () => {
  const plain = built(mixed());
  plain.run();
  for (const level of ["checkpoints", "packets"] as const) {
    const simulation = built(mixed());
    const result = replayed(recorded(simulation, level));
    assertEquals(simulation.digest, plain.digest);
    assertEquals([result.divergence, result.digest], [undefined, plain.digest]);
    assert(result.checkpoints >= 1);
    assertEquals(result.events > 0, level === "packets");
  }
});

Deno.test("how rows are numbered does not change a trace by a byte", () => {
  const trace = recorded(built(mixed()), "packets");
  assertEquals(recorded(built(mixed(), { numbering: { skip: 7, reversed: true } }), "packets"), trace);
});

Deno.test("the first packet that differs is found, wherever it is", () => {
  const lossy = (loss: number, rest: Partial<{ delayNs: number }> = {}): Step[] =>
    star({ link: { loss, rateBps: 1e7, delayNs: 5e6, ...rest } });
  const base = () => built(lossy(0.02));
  const trace = recorded(base(), "packets");
  const expected = events(base());
  const others: (() => Simulation)[] = [
    () => built(lossy(0.020001)),
    () => built(lossy(0.021)),
    () => built(lossy(0.02, { delayNs: 5e6 + 1 })),
    () => built(lossy(0.02), { seed: 2 }),
  ];
  for (const other of others) {
    const now = events(other());
    const first = now.findIndex((text, i) => text !== expected[i]);
    const { divergence } = replayed(trace, other);
    if (first < 0 && now.length === expected.length) {
      assertEquals(divergence, undefined);
      continue;
    }
    assert(divergence?.kind === "packet", JSON.stringify(divergence));
    assertEquals(divergence.index, first < 0 ? now.length : first);
    assertEquals(divergence.before.length, Math.min(10, divergence.index));
  }
});

Deno.test("a divergence shows both packets, the fields that differ, both ends and what was before", () => {
  const network = (initialWindowSegments: number): Step[] =>
    star({
      server: { profile: { initialWindowSegments } },
      workload: { kind: "bulk", direction: "download", bytes: 50_000, connections: 1 },
    });
  const trace = recorded(built(network(10)), "packets");
  const result = replayed(trace, () => built(network(2)));
  const text = textOf(result, "packets");
  for (
    const part of [
      "recorded  ",
      "now       ",
      "what differs:",
      "the connection now:",
      "SND.UNA",
      "the 8 events before it",
    ]
  ) {
    assertStringIncludes(text, part);
  }
});

Deno.test("a run that ends sooner, or goes on longer, differs where the other ends", () => {
  const short = recorded(built(mixed()), "packets", 40e6);
  const longer = replayed(short, () => built(mixed())).divergence;
  assert(longer?.kind === "packet" && longer.recorded === undefined && longer.now !== undefined);
  const whole = recorded(built(mixed()), "packets");
  const shorter = replayed(whole, () => built(mixed()), 40e6).divergence;
  assert(shorter?.kind === "packet" && shorter.now === undefined && shorter.recorded !== undefined);
});

Deno.test("a trace of checkpoints names the time and the node, and how to record more", () => {
  const steps = (delayNs: number): Step[] => star({ link: { delayNs } });
  const trace = recorded(built(steps(5e6)), "checkpoints");
  const result = replayed(trace, () => built(steps(5e6 + 1)));
  assert(result.divergence?.kind === "checkpoint" && result.divergence.nodes.length > 0);
  const text = textOf(result, "checkpoints");
  assertStringIncludes(text, "--trace-level packets");
  assertStringIncludes(text, result.divergence.nodes[0]);
  assertStringIncludes(text, " IP ");
});

Deno.test("a trace that is cut short, damaged or foreign is refused in a sentence that names the file", () => {
  const trace = recorded(built(star({})), "packets");
  assert(trace.length > 1000);
  fc.assert(fc.property(fc.nat(trace.length - 1), (length) => {
    assertThrows(() => replayed(trace.slice(0, length)), InputError, "x.cbor");
  }));
  fc.assert(
    fc.property(fc.nat(trace.length - 1), fc.nat(255), (at, value) => {
      const bad = trace.slice();
      bad[at] = value;
      try {
        replayed(bad);
      } catch (error) {
        assert(error instanceof InputError, `${error instanceof Error ? error.stack : error}`);
        assertStringIncludes(error.message, "x.cbor");
      }
    }),
    { numRuns: 60 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    assertThrows(() => replayed(bytes), InputError, "x.cbor");
  }));
  assertThrows(() => replayed(Uint8Array.from([...trace, 1])), InputError, "follows its end");
});
