import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { evaluateExpect, parseCondition, parseExpect } from "../../src/scenario/expect.ts";
import { sampleReport } from "./sample_report.ts";

const NODES = ["client", "crowd", "server"];

function ok(line: string): boolean {
  return evaluateExpect(parseExpect(line, { nodes: NODES }), sampleReport()).ok;
}

function complaint(line: string): string {
  const { message } = assertThrows(() => parseExpect(line, { nodes: NODES }), InputError);
  assertEquals(/[.?]$/.test(message), true, `a sentence: ${message}`);
  return message;
}

Deno.test("each operator compares as it says", () => {
  const cases: [string, boolean][] = [
    ["connections.established == 28232", true],
    ["connections.established == 28231", false],
    ["connections.established != 28232", false],
    ["connections.established != 0", true],
    ["connections.established < 28232", false],
    ["connections.established <= 28232", true],
    ["connections.established > 28232", false],
    ["connections.established >= 28232", true],
    ["connections.established ~= 28000 ± 1%", true],
    ["connections.established ~= 28000 ± 0.5%", false],
    ["connections.established ~= 28000 +- 232", true],
    ["connections.established ~= 28000 +/- 231", false],
    ["connections.established==28_232", true],
    ["connections.established == 28,232", true],
    ["connections.established >= 1e4", true],
  ];
  for (const [line, expected] of cases) assertEquals(ok(line), expected, line);
});

Deno.test("a line says what it expected and what it found", () => {
  assertEquals(evaluateExpect(parseExpect("connections.open == 5"), sampleReport()), {
    text: "connections.open == 5",
    expected: 5,
    found: 28232,
    ok: false,
  });
  assertEquals(evaluateExpect(parseExpect("connections.open ~= 28000 ± 1%"), sampleReport()).expected, "28000 ± 280");
});

Deno.test("a reason that never occurred counts as 0, and a whole map as its sum", () => {
  for (
    const line of [
      "connections.failed.EADDRNOTAVAIL == 11768",
      "connections.failed.ETIMEDOUT == 0",
      "connections.failed == 11768",
      "connections.broken == 0",
      "packets.dropped == 6",
      "packets.dropped.no-such-reason == 0",
    ]
  ) assertEquals(ok(line), true, line);
});

Deno.test("limits are found by name, by name and node, and by place", () => {
  for (
    const line of [
      "limits[ports].refused == 11768",
      "limits[ports@crowd].refused > 0",
      "limits[ports@client].refused == 0",
      "limits[ports@client].firstHitSeconds == null",
      "limits[ports@crowd].firstHitSeconds != null",
      "limits[0].limit == ports",
      'limits[0].node == "crowd"',
      "limits[nat-pool].refused == 0",
      "limits[nat-pool].firstHitSeconds == null",
    ]
  ) assertEquals(ok(line), true, line);
  assertEquals(ok("limits[nat-pool].firstHitSeconds < 13"), false);
  assertEquals(ok("limits[7].limit == ports"), false);
});

Deno.test("values carry units that fit what is counted", () => {
  for (
    const line of [
      "simulatedSeconds == 12500ms",
      "simulatedSeconds < 1min",
      "limits[ports].firstHitSeconds ~= 282ms ± 1ms",
      "connections.connectMs.p99 == 0.024s",
      "connections.connectMs.p50 ~= 20ms ± 5%",
      "memory.peakRssBytes < 1.3GB",
      "ended == quiescence",
      "digest == 00112233aabbccdd",
    ]
  ) assertEquals(ok(line), true, line);
  assertStringIncludes(complaint("connections.open > 5ms"), 'after > expected a number, found "5ms"');
  assertStringIncludes(complaint("simulatedSeconds > 5 parsecs"), "unit");
});

Deno.test("a path that leads nowhere is answered with the nearest", () => {
  assertEquals(
    complaint("connections.etablished == 1"),
    '"connections.etablished == 1": connections.etablished leads nowhere: connections has no "etablished": did you mean "established"?',
  );
  assertStringIncludes(
    complaint("conections.open == 1"),
    'the report has no "conections": did you mean "connections"?',
  );
  assertStringIncludes(complaint("connections.failed.EADDRNOTAVIAL == 1"), 'did you mean "EADDRNOTAVAIL"?');
  assertStringIncludes(complaint("connections.failed.a.b == 1"), "goes too far");
  assertStringIncludes(complaint("seed.x == 1"), "goes too far");
  assertStringIncludes(complaint("connections == 1"), "is not a single value: go on with attempted, established");
  assertStringIncludes(complaint("limits[prots].used == 1"), 'there is no "prots": did you mean "ports"?');
  assertStringIncludes(complaint("limits[ports@clint].used == 1"), 'there is no "clint": did you mean "client"?');
  assertStringIncludes(complaint("limits[ports].usd == 1"), 'a limit has no "usd": did you mean "used"?');
  assertStringIncludes(complaint("limits[ports] == 1"), "is not a single value: go on with limit, node");
  assertStringIncludes(complaint("limits.ports == 1"), "write limits[nat-pool].refused, for example");
});

Deno.test("what is no expectation says how one looks", () => {
  assertStringIncludes(complaint("everything is fine"), "is not PATH OPERATOR VALUE");
  assertStringIncludes(complaint("connections.open = 1"), 'there is no operator "=": did you mean "=="?');
  assertStringIncludes(complaint("connections.open <> 1"), "write one of ==");
  assertStringIncludes(complaint("connections.open =="), "expected a value");
  assertStringIncludes(complaint("connections.open == many"), "expected a number");
  assertStringIncludes(complaint("connections.open ~= 5"), "expected a value and a tolerance such as 100 ± 5%");
  assertStringIncludes(complaint("ended == quiescense"), "quiescence, perhaps");
  assertStringIncludes(complaint("ended > quiescence"), "text is compared with == and != only");
  assertStringIncludes(complaint("connections.open > null"), "null has no order");
});

Deno.test("a run is ended by what the run counts, not by the machine nor by text", () => {
  assertEquals(parseCondition("connections.open >= 10").operator, ">=");
  assertStringIncludes(assertThrows(() => parseCondition("wallSeconds > 1"), InputError).message, "machine");
  assertStringIncludes(assertThrows(() => parseCondition("ended == time"), InputError).message, "only end by a number");
});
