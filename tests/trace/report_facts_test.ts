import { assertEquals } from "@std/assert";
import { reportFacts } from "../../src/trace/report_facts.ts";

Deno.test("the facts of a run are without memory, wall time and what is expected of them", () => {
  const held = (text: string) => ({ text, expected: 1, found: 1, ok: true });
  const facts = reportFacts({
    fourtuple: "0.1.0",
    wallSeconds: 3,
    memory: { peakRssBytes: 560_000_000 },
    ended: "quiescence",
    expect: [
      held("memory.peakRssBytes < 1.5GB"),
      held("  memory.bytesPerConnection <= 1000"),
      held("wallSeconds < 60"),
      held("limits[memory@server].used == 1"),
      held("ended == quiescence"),
    ],
  });
  assertEquals(facts, {
    ended: "quiescence",
    expect: [held("limits[memory@server].used == 1"), held("ended == quiescence")],
  });
});
