import { assert, assertEquals } from "@std/assert";
import { reportJson } from "../../src/report/json.ts";
import { sampleReport } from "./sample.ts";

Deno.test("the document reads back as it was", () => {
  const report = sampleReport();
  assertEquals(JSON.parse(reportJson(report)), report);
});

Deno.test("fields stand in a fixed order, reasons by name, and a line feed ends the text", () => {
  const report = sampleReport();
  report.connections.failed = { ETIMEDOUT: 1, ECONNREFUSED: 2 };
  const { fourtuple, ...rest } = report;
  const text = reportJson({ ...rest, fourtuple });
  assert(text.startsWith('{\n  "fourtuple": "0.1.0",\n  "scenario"'));
  assert(text.indexOf("ECONNREFUSED") < text.indexOf("ETIMEDOUT"));
  assert(text.endsWith("}\n"));
});

Deno.test("an unlimited capacity is null", () => {
  const report = sampleReport();
  report.limits[0].capacity = Infinity;
  assertEquals(JSON.parse(reportJson(report)).limits[0].capacity, null);
});
