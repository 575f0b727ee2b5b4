/** The proof at length: a thousand random networks, and the programs among the examples on Node. */
import { assert, assertEquals } from "@std/assert";
import { inDirectory } from "../cli/spawn.ts";
import { bundle, bundledForNode, checkWays, digestsElsewhere, randomSubjects } from "../golden/subjects.ts";

const ROOT = new URL("../../", import.meta.url);
const { file: bundled, missing: noNode } = await bundledForNode(new URL("mod.ts", ROOT));

Deno.test(`a thousand random networks are the same runs in every way, on Node too${noNode ? `: no, ${noNode}` : ""}`, async () => {
  for (let seed = 0; seed < 10; seed++) {
    const subjects = randomSubjects(100, 1000 + seed);
    const digests = checkWays(subjects);
    if (noNode === undefined) assertEquals(await digestsElsewhere("node", [], `file://${bundled}`, subjects), digests);
  }
});

for (const { name } of Deno.readDirSync(new URL("examples/", ROOT))) {
  if (!name.endsWith(".ts")) continue;
  const forDeno = Deno.readTextFileSync(new URL(`examples/${name}`, ROOT)).includes("Deno.");
  const why = forDeno ? "it asks Deno for its arguments" : noNode;
  Deno.test({
    name: `examples/${name} prints the same on Node${why ? ` (skipped: ${why})` : ""}`,
    ignore: why !== undefined,
    fn: () =>
      inDirectory(async (folder) => {
        const program = new URL(`examples/${name}`, ROOT);
        const file = `${folder}/program.mjs`;
        assertEquals(await bundle(program, file), undefined);
        // (Node 20 does not know which module is the main one.)
        Deno.writeTextFileSync(file, Deno.readTextFileSync(file).replaceAll("import.meta.main", "true"));
        const print = async (command: string, args: string[]) => {
          const { code, stdout } = await new Deno.Command(command, { args, env: { NO_COLOR: "1" } }).output();
          return [code, new TextDecoder().decode(stdout)];
        };
        const [code, printed] = await print("node", [file]);
        assert(code === 0 && String(printed).length > 50, `exit code ${code}: ${printed}`);
        const config = `--config=${new URL("deno.json", ROOT).pathname}`;
        assertEquals(
          [code, printed],
          await print(Deno.execPath(), ["run", "--no-prompt", "--no-check", config, program.href]),
        );
      }),
  });
}
