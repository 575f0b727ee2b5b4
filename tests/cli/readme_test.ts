import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { loadScenario } from "../../src/scenario/load.ts";
import { buildSimulation } from "../../src/scenario/build.ts";
import { inDirectory, simulate } from "./spawn.ts";

const ROOT = new URL("../../", import.meta.url);
const README = Deno.readTextFileSync(new URL("README.md", ROOT));

function snippet(language: string): string {
  const match = new RegExp("```" + language + "\\n([\\s\\S]*?)```").exec(README);
  assert(match !== null, `README has no ${language} snippet`);
  return match[1];
}

/** What differs from machine to machine, made equal. */
function withoutMachine(summary: string): string {
  return summary
    .replace(/simulated in [^;]+;/, "simulated in …;")
    .replace(/, [\d.]+ [kMG]?B for the process/, ", … for the process")
    .replace(/[\d,]+ B a connection/, "… B a connection")
    .replace(/Digest [0-9a-f]{16}/, "Digest …")
    .trimEnd();
}

Deno.test("README: the quickstart prints what it says it prints", async () => {
  const { code, stdout, stderr } = await simulate(["examples/quickstart.yaml"], decodeURIComponent(ROOT.pathname));
  assertEquals([code, stderr], [0, ""]);
  assertEquals(withoutMachine(stdout), withoutMachine(snippet("text")));
});

Deno.test("README: the scenario on one screen loads, builds, and its expectations hold", async () => {
  const text = snippet("yaml");
  assert(text.split("\n").length <= 50, "that is more than a screen");
  buildSimulation(loadScenario("README.yaml", text));
  await inDirectory(async (directory) => {
    Deno.writeTextFileSync(`${directory}/office.yaml`, text);
    const { code, stdout } = await simulate(["office.yaml"], directory);
    assertEquals(code, 0, stdout);
  });
});

Deno.test("README: the library snippet runs, and prints what its comment says", async () => {
  const code = snippet("ts");
  assert(code.split("\n").filter((line) => line.trim() !== "").length <= 11, "that is more than ten lines");
  await inDirectory(async (directory) => {
    Deno.writeTextFileSync(`${directory}/snippet.ts`, code.replace('"./mod.ts"', JSON.stringify(`${ROOT}mod.ts`)));
    const config = new URL("deno.json", ROOT).pathname;
    const { code: exit, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-check", `--config=${config}`, `${directory}/snippet.ts`],
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(exit, 0, new TextDecoder().decode(stderr));
    const promised = /\/\/ (\{.*\})/.exec(code)![1];
    assertEquals(new TextDecoder().decode(stdout).trim(), promised);
  });
  // (Checking its types takes longer than all other tests of commands.)
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  assertStringIncludes(tasks.check, "deno check --doc-only README.md");
});

Deno.test("README: every file that it links to is there", () => {
  for (const [, target] of README.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
    Deno.statSync(new URL(target, ROOT));
  }
  assertStringIncludes(README, "npx --yes deno@2.9.6 task simulate examples/quickstart.yaml");
  assertStringIncludes(README, "npx --yes deno@2.9.6 task test");
});
