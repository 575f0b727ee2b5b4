/** Golden tests in a repository that tests with Node's own runner. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { inDirectory } from "../cli/spawn.ts";
import { bundledForNode } from "../golden/subjects.ts";

const { file: bundled, missing } = await bundledForNode(new URL("../../testing.ts", import.meta.url));

const TEST = `import { test } from "node:test";
import { goldenTrace } from ${JSON.stringify(`file://${bundled}`)};

test("the office's traffic stays as it is", async (t) => {
  await goldenTrace(t, "office.yaml", "traces/office.cbor");
});
`;

const OFFICE = `nodes:
  client: { kind: host, address: 198.51.100.1/24 }
  server: { kind: host, address: 192.0.2.1/24, listen: [443] }
links:
  - { between: [client, server], rate: 1Gbit/s, delay: 5ms }
workloads:
  - { name: load, kind: request-response, from: client, to: server:443, connections: 3, request: 100, reply: 3000 }
`;

Deno.test({
  name: `goldenTrace records, compares and fails under node:test${missing ? ` (skipped: ${missing})` : ""}`,
  ignore: missing !== undefined,
  fn: () =>
    inDirectory(async (folder) => {
      Deno.writeTextFileSync(`${folder}/office.test.mjs`, TEST);
      Deno.writeTextFileSync(`${folder}/office.yaml`, OFFICE);
      const run = async (...args: string[]) => {
        // (From elsewhere: paths begin at the test's own file.)
        const command = new Deno.Command("node", { args: [`${folder}/office.test.mjs`, ...args], cwd: "/" });
        const { code, stdout } = await command.output();
        return { code, text: new TextDecoder().decode(stdout) };
      };
      const before = await run();
      assertEquals(before.code, 1);
      assertStringIncludes(before.text, "Record it: run this test once with --update (node FILE --update)");
      assertEquals((await run("--update")).code, 0);
      assert(Deno.statSync(`${folder}/traces/office.cbor`).size > 300);
      assertEquals((await run()).code, 0);
      const { code } = await new Deno.Command("node", { args: ["--test", folder], stdout: "null" }).output();
      assertEquals(code, 0);
      Deno.writeTextFileSync(`${folder}/office.yaml`, OFFICE.replace("5ms", "6ms"));
      const after = await run();
      assertEquals(after.code, 1);
      assertStringIncludes(after.text, "This is not the run of");
      assertStringIncludes(after.text, "links[0].delay");
    }),
});
