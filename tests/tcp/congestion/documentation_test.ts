import { assert, assertEquals } from "@std/assert";
import { congestionNames } from "../../../src/tcp/mod.ts";
import { CUBIC_PARAMETERS } from "../../../src/tcp/congestion/cubic_state.ts";

const PAGE = Deno.readTextFileSync(new URL("../../../docs/congestion.md", import.meta.url));

Deno.test("docs/congestion.md has every algorithm and every parameter of CUBIC", () => {
  // (Tests beside this one register their own.)
  const own = congestionNames().filter((name) => !name.startsWith("test-") && name !== "half-full");
  const [first] = PAGE.split("\n## ");
  assertEquals([...new Set([...first.matchAll(/^\| `(\w+)` /gm)].map(([, name]) => name))].sort(), own.sort());
  for (const name of Object.keys(CUBIC_PARAMETERS)) assert(PAGE.includes(`\`${name}\``), name);
});

Deno.test("the example of docs/congestion.md runs", async () => {
  const [, code] = /```ts\n([\s\S]*?)```/.exec(PAGE)!;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const root = new URL("../../../mod.ts", import.meta.url).href;
    const shown: unknown[] = [];
    const holder = globalThis as unknown as { shown?: unknown[] };
    holder.shown = shown;
    await Deno.writeTextFile(file, code.replace("../mod.ts", root).replace("console.log(", "globalThis.shown.push("));
    await import(`file://${file}`);
    delete holder.shown;
    // It never fills its queue of 100 packets.
    assertEquals(shown, [{}]);
    assert(congestionNames().includes("half-full"));
  } finally {
    await Deno.remove(file);
  }
});
