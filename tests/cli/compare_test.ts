import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { otherEngine } from "../trace/other_engine.ts";
import { inDirectory, runTask } from "./spawn.ts";
import { record, task } from "./trace_commands.ts";

Deno.test("compare of equal traces is a line, and exits with 0, whatever version wrote them", () =>
  inDirectory(async (folder) => {
    const trace = await record(folder, "a.cbor", "--trace-level", "packets");
    Deno.writeFileSync(`${folder}/b.cbor`, otherEngine(trace, "0.0.9"));
    const { code, stdout, stderr } = await runTask("compare", ["a.cbor", "a.cbor"], folder);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^The same run \([\d,]+ packet events\)\.\n$/);
    const other = await task("compare", ["a.cbor", "b.cbor"], folder);
    assertEquals(other.code, 0);
    assertMatch(other.stdout, /^a\.cbor was recorded by fourtuple [\d.]+, b\.cbor by 0\.0\.9\.\nThe same run/);
  }));

Deno.test("compare of different traces shows the first packet and what changed, and exits with 1", () =>
  inDirectory(async (folder) => {
    for (const level of ["packets", "checkpoints"]) {
      await record(folder, "a.cbor", "--trace-level", level);
      await record(folder, "b.cbor", "--trace-level", level, "--set", "workloads.load.connections=6");
      const { code, stdout, stderr } = await task("compare", ["a.cbor", "b.cbor"], folder);
      assertEquals([code, stderr], [1, ""]);

      assertStringIncludes(stdout, "What changed in the outcome:");
      assertStringIncludes(stdout, "connections.attempted: 5 -> 6");
      if (level === "packets") assertStringIncludes(stdout, "the first packet that differs is event ");
      const json = await task("compare", ["a.cbor", "b.cbor", "--json"], folder);
      const { same, sameSource, divergence, facts } = JSON.parse(json.stdout);
      assertEquals([json.code, same, sameSource], [1, false, false]);
      assert(divergence.length > 0);
      const attempted = facts.find((fact: { path: string }) => fact.path === "connections.attempted");
      assertEquals([attempted.first, attempted.second], [5, 6]);
    }
  }));

Deno.test("compare says in a sentence which file is at fault, and exits with 2", () =>
  inDirectory(async (folder) => {
    const trace = await record(folder, "a.cbor");
    Deno.writeFileSync(`${folder}/short.cbor`, trace.subarray(0, trace.length - 10));
    Deno.writeTextFileSync(`${folder}/foreign.cbor`, "{}");
    for (const bad of ["short.cbor", "foreign.cbor", "nowhere.cbor"]) {
      for (const args of [["a.cbor", bad], [bad, "a.cbor"]]) {
        const { code, stdout, stderr } = await task("compare", args, folder);
        assertEquals([code, stdout, stderr.trimEnd().split("\n").length], [2, "", 1], stderr);
        assert(stderr.startsWith(`${bad}: `), stderr);
      }
    }
    const { code, stderr } = await task("compare", ["a.cbor"], folder);
    assertEquals(code, 2);
    assertMatch(stderr, /^compare takes two traces/);
  }));
