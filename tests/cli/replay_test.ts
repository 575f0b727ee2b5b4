import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { decodeItem, encodeItem } from "../../src/trace/cbor.ts";
import { ItemReader } from "../../src/trace/items.ts";
import { piecesOf } from "../../src/replay/record.ts";
import { otherEngine } from "../trace/other_engine.ts";
import { inDirectory, runTask } from "./spawn.ts";
import { record, task } from "./trace_commands.ts";

/** The trace, with something else in the scenario that its header says it is of. */
function otherScenario(trace: Uint8Array, from: string, to: string): Uint8Array {
  const items = new ItemReader(piecesOf(trace));
  const header = decodeItem(items.next()!) as { source: { text: string } };
  const text = header.source.text.replace(from, to);
  if (text === header.source.text) throw new Error(`there is no ${from}`);
  const first = encodeItem({ ...header, source: { ...header.source, text } });
  return Uint8Array.from([...first, ...trace.subarray(items.offset)]);
}

Deno.test("replay says in a line that a run is the same, and exits with 0", () =>
  inDirectory(async (folder) => {
    await record(folder, "x.cbor", "--trace-level", "packets");
    const { code, stdout, stderr } = await runTask("replay", ["x.cbor"], folder);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^x\.cbor: the same run \([\d,]+ packet events, \d+ checkpoints?, digest [0-9a-f]{16}\)\n$/);
    assertEquals(await task("replay", ["x.cbor", "--quiet"], folder), { code: 0, stdout: "", stderr: "" });
    const json = await task("replay", ["x.cbor", "--json"], folder);
    const { same, events, digest, divergence } = JSON.parse(json.stdout);
    assertEquals([json.code, same, events > 50, divergence], [0, true, true, ""]);
    assertStringIncludes(stdout, digest);
  }));

Deno.test("replay shows the first packet that differs, and exits with 1", () =>
  inDirectory(async (folder) => {
    const trace = await record(folder, "x.cbor", "--trace-level", "packets");
    Deno.writeFileSync(`${folder}/x.cbor`, otherScenario(trace, '"reply":5000', '"reply":5001'));
    const { code, stdout, stderr } = await task("replay", ["x.cbor"], folder);
    assertEquals([code, stderr], [1, ""]);
    for (
      const part of ["x.cbor: the first packet that differs is event ", "  recorded  ", "  now  ", "what differs:"]
    ) {
      assertStringIncludes(stdout, part);
    }
    const json = await task("replay", ["x.cbor", "--json"], folder);
    const { same, divergence } = JSON.parse(json.stdout);
    assertEquals([json.code, same], [1, false]);
    assertStringIncludes(divergence, "the first packet that differs");
  }));

Deno.test("replay of a trace of checkpoints names the time and the node, and exits with 1", () =>
  inDirectory(async (folder) => {
    const trace = await record(folder, "x.cbor", "--trace-level", "checkpoints");
    Deno.writeFileSync(`${folder}/x.cbor`, otherScenario(trace, '"reply":5000', '"reply":5001'));
    const { code, stdout } = await task("replay", ["x.cbor"], folder);
    assertEquals(code, 1);
    assertStringIncludes(stdout, "--trace-level packets");
  }));

Deno.test("replay says first that a trace is of another version of fourtuple", () =>
  inDirectory(async (folder) => {
    const trace = await record(folder, "x.cbor", "--trace-level", "packets");
    Deno.writeFileSync(`${folder}/x.cbor`, otherEngine(trace, "0.0.9"));
    const { code, stdout, stderr } = await task("replay", ["x.cbor"], folder);
    assertMatch(stderr, /^x\.cbor was recorded by fourtuple 0\.0\.9, and this is \d+\.\d+\.\d+\.\n$/);
    assertEquals(code, 0);
    assertStringIncludes(stdout, "the same run");
  }));

Deno.test("replay says in a sentence what is wrong with a file, and exits with 2", () =>
  inDirectory(async (folder) => {
    const trace = await record(folder, "x.cbor");
    Deno.writeFileSync(`${folder}/short.cbor`, trace.subarray(0, trace.length - 10));
    Deno.writeFileSync(`${folder}/begin.cbor`, trace.subarray(0, 10));
    Deno.writeTextFileSync(`${folder}/foreign.cbor`, "name: small\n");
    Deno.writeTextFileSync(`${folder}/empty.cbor`, "");
    const cases = [["short.cbor"], ["begin.cbor"], ["foreign.cbor"], ["empty.cbor"], ["nowhere.cbor"], ["."]];
    for (const files of cases) {
      const { code, stdout, stderr } = await task("replay", files, folder);
      assertEquals([code, stdout, stderr.trimEnd().split("\n").length], [2, "", 1], stderr);
      assertEquals(stderr.startsWith(`${files[0]}: `), true, stderr);
    }
    for (const args of [[], ["x.cbor", "short.cbor"], ["x.cbor", "--quit"]]) {
      const { code, stdout, stderr } = await task("replay", args, folder);
      assertEquals([code, stdout, stderr.trimEnd().split("\n").length], [2, "", 1], stderr);
    }
  }));
