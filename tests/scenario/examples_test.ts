import { assert, assertEquals } from "@std/assert";
import { buildSimulation, runOptions } from "../../src/scenario/build.ts";
import { evaluateExpect } from "../../src/scenario/expect.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { assertForetold } from "./capacity.ts";

const FOLDER = new URL("../../examples/", import.meta.url);

/** Too large for a test of a second: their parts are checked, not their outcome. */
const LARGE = ["million.yaml", "million-hosts.yaml"];

function examples(): string[] {
  return [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => /\.(yaml|jsonc?)$/.test(name)).sort();
}

function load(name: string) {
  return loadScenario(`examples/${name}`, Deno.readTextFileSync(new URL(name, FOLDER)));
}

Deno.test("every example is a good scenario, says what it expects, and names the schema for editors", () => {
  const names = examples();
  assert(names.length >= 10);
  for (const name of names) {
    assert(load(name).expectations.length > 0, name);
    assert(Deno.readTextFileSync(new URL(name, FOLDER)).includes("../schema/scenario.schema.json"), name);
  }
});

Deno.test("the quickstart fits on one screen", () => {
  assert(Deno.readTextFileSync(new URL("quickstart.yaml", FOLDER)).split("\n").length <= 48);
});

for (const name of examples()) {
  // (Those of the seven questions are held to the same by tests/seven_questions_test.ts.)
  if (LARGE.includes(name) || /^\d-/.test(name)) continue;
  Deno.test(`examples/${name} turns out as it expects, and refuses what its capacity foretells`, () => {
    const loaded = load(name);
    const simulation = buildSimulation(loaded);
    const { ended } = simulation.run(runOptions(loaded));
    const report = { ...simulation.report(), ended };
    const lines = loaded.expectations.map((line) => evaluateExpect(line, report));
    assertEquals(lines.filter((line) => !line.ok), []);
    assertForetold(loaded, report);
  });
}
