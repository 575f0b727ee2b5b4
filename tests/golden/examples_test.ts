/** Every scenario among the examples, in small: frozen. `deno task test:golden --update` records anew. */
import { assert, assertEquals } from "@std/assert";
import { goldenTrace } from "../../testing.ts";
import { exampleNames, exampleUrl, SMALL } from "./examples.ts";

Deno.test("every example has a small variant, and a trace", () => {
  assertEquals(Object.keys(SMALL).toSorted(), exampleNames());
});

for (const name of exampleNames()) {
  Deno.test(`examples/${name}, in small, runs as it was recorded`, async (t) => {
    const trace = new URL(`traces/examples/${name}.cbor`, import.meta.url);
    const { path, digest } = await goldenTrace(t, exampleUrl(name), trace, { set: SMALL[name] ?? [] });
    assert(path.endsWith(".cbor") && digest.length === 16);
  });
}
