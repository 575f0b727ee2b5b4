import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InputError } from "../../src/base/errors.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import type { HostOptions } from "../../src/network/options.ts";
import { compareTraces } from "../../src/replay/compare.ts";
import { divergenceText } from "../../src/replay/divergence.ts";
import { marksOf } from "../../src/replay/marks.ts";
import { piecesOf } from "../../src/replay/record.ts";
import { type ReplayResult, replayTrace } from "../../src/replay/replay.ts";
import { Recorder } from "../../src/trace/recorder.ts";
import type { TraceLevel } from "../../src/trace/items.ts";
import { factDifferences } from "../../src/trace/report_facts.ts";
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

Deno.test("both ends are shown of a connection whose addresses are rewritten on the way, on whichever side it differs", () => {
  const translated = (delays: [number, number], listen = 443): Step[] => [
    (n) => n.host("laptops", { address: "192.168.1.2/24", count: 3 }),
    (n) => n.nat("gateway", { address: "203.0.113.1/24", insideAddress: "192.168.1.1" }),
    (n) => n.host("web", { address: "192.0.2.1/24", listen: [{ port: listen }] }),
    (n) => n.link("laptops", "gateway", { rateBps: 1e8, delayNs: delays[0] }),
    (n) => n.link("gateway", "web", { rateBps: 1e8, delayNs: delays[1] }),
    (n) => n.workload({ name: "w", kind: "hold", from: ["laptops"], to: ["web:443"], connections: 1 }),
  ];
  const trace = recorded(built(translated([3e6, 5e6])), "packets");
  const ends = (steps: Step[]) => {
    const { divergence } = replayed(trace, () => built(steps));
    assert(divergence?.kind === "packet");
    return divergence.ends.map((line) => line.split(" ").slice(0, 2).join(" "));
  };
  // The SYN is on its way, and only its sender knows of the connection, by another address than the SYN's.
  assertEquals(ends(translated([3e6, 6e6])), ["laptops[0]: SYN_SENT"]);
  // The refusal comes back from outside.
  assertEquals(ends(translated([3e6, 5e6], 444)), ["laptops[0]: SYN_SENT"]);
  // Half open on the one side, and the packet has the addresses outside.
  const slower = (host: Partial<HostOptions>): Step[] => {
    const steps = translated([3e6, 5e6]);
    steps[2] = (n) => n.host("web", { address: "192.0.2.1/24", listen: [{ port: 443 }], ...host });
    return steps;
  };
  assertEquals(ends(slower({ profile: { windowScaling: false } })), ["web: SYN_RECEIVED", "laptops[0]: SYN_SENT"]);
});

Deno.test("a run that is recorded can be interrupted wherever one without a recording can", () => {
  const simulation = built(mixed());
  const recorder = new Recorder(simulation, { level: "checkpoints", engine: "test", sink: () => {} });
  let asked = 0;
  assertEquals(simulation.run({ interrupted: () => ++asked > 3 }).ended, "interrupted");
  assert(simulation.nowNs <= 10e6, String(simulation.nowNs));
  assertEquals(simulation.run().ended, "quiescence");
  recorder.stop();
  const whole = built(mixed());
  whole.run();
  assertEquals(simulation.digest, whole.digest);
});

Deno.test("words that differ are marked below both versions", () => {
  assertEquals(marksOf("1.5 IP a > b: seq 7, ack 9", "1.5 IP a > b: seq 8, win 1, ack 9"), [
    "                  ^",
    "                  ^  ^^^ ^^^",
  ]);
  assertEquals(marksOf("same", "same"), ["", ""]);
});

Deno.test("facts of lists are compared by the names of what they are about, wherever it stands", () => {
  const first = { limits: [{ limit: "ports", node: "a", used: 1 }, { limit: "nat-pool", node: "g", used: 5 }] };
  const second = { limits: [{ limit: "nat-pool", node: "g", used: 6 }, { limit: "ports", node: "a", used: 1 }] };
  assertEquals(factDifferences(first, second), [{ path: "limits[nat-pool@g].used", first: 5, second: 6 }]);
  assertEquals(factDifferences({ list: [1, 2] }, { list: [1, 3] }), [{ path: "list[1]", first: 2, second: 3 }]);
});

Deno.test("traces of checkpoints that are compared name the nodes that differ", () => {
  const [a, b] = [5e6, 5e6 + 1].map((delayNs) => recorded(built(star({ link: { delayNs } })), "checkpoints"));
  const file = (file: string, trace: Uint8Array) => ({ file, open: () => piecesOf(trace) });
  const { divergence } = compareTraces(file("a", a), file("b", b));
  assert(divergence?.kind === "checkpoint");
  assertEquals(divergence.nodes, ["clients[0]", "clients[1]", "r1", "server"]);
});

Deno.test("what is no trace at all is called that, and not described as CBOR", () => {
  for (const bytes of [new TextEncoder().encode('{"a": 1}'), Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10)]) {
    assertThrows(
      () => replayTrace({ file: "x", open: () => piecesOf(bytes) }),
      InputError,
      "x: this is no trace of fourtuple.",
    );
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
