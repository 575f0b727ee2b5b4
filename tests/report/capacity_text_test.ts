import { assertEquals, assertStringIncludes } from "@std/assert";
import type { CapacityLimit, CapacityReport } from "../../src/network/capacity.ts";
import { capacityJson, capacityText } from "../../src/report/capacity_text.ts";

const LIMIT: CapacityLimit = {
  limit: "nat-pool",
  node: "cgn",
  workloads: ["pages"],
  ceiling: 2048,
  ceilingPerSecond: null,
  exact: true,
  estimate: null,
  formula: "1 address x 2,048 ports (1,024 to 3,071) = 2,048",
  capacity: 2048,
  unit: "external ports",
  places: 1,
  declared: 3000,
  peak: 3000,
  holds: false,
  refused: 952,
  firstRefused: { connection: 2049, seconds: 4.096 },
};
const LINK: CapacityLimit = {
  ...LIMIT,
  limit: "link",
  ceiling: null,
  ceilingPerSecond: 1000,
  capacity: Infinity,
  exact: false,
  estimate: "a guess",
  holds: true,
  refused: 0,
  firstRefused: null,
};
const REPORT: CapacityReport = {
  scenario: "walls",
  seed: 1,
  connections: 3000,
  holds: false,
  binds: LIMIT,
  limits: [LIMIT, LINK, { ...LINK, node: "wider", ceilingPerSecond: 5000 }],
  notes: ["Something was left out."],
};

Deno.test("the limit that binds first comes first, with its connection, its time and its formula", () => {
  const lines = capacityText(REPORT, { description: "In the author's words." }).split("\n");
  assertEquals(lines.slice(0, 9), [
    "walls  (seed 1; worked out, not run)",
    "In the author's words.",
    "",
    "Does not hold: 3,000 connections are asked for.",
    "",
    "Binds first: nat-pool at cgn, at the 2,049th connection that comes there, after 4.1 s",
    "    1 address x 2,048 ports (1,024 to 3,071) = 2,048",
    "    3,000 asked for (pages); about 952 of them find no room.",
    "    (exact)",
  ]);
  assertEquals(lines.at(-2), "Something was left out.");
});

Deno.test("of links that refuse nothing only the narrowest is told, and that it is estimated", () => {
  const text = capacityText(REPORT);
  assertStringIncludes(text, "link at cgn: about 1,000 a second; 3,000 asked for (pages)\n");
  assertStringIncludes(text, "(estimated: a guess)");
  assertEquals(text.includes("wider"), false);
});

Deno.test("what is unlimited is null in JSON", () => {
  assertEquals(JSON.parse(capacityJson(REPORT)).limits[1].capacity, null);
});
