/** A run is a function of its scenario and seed: whatever looks on, however it is sliced, wherever it runs. */
import { assert, assertEquals } from "@std/assert";
import {
  bundledForNode,
  checkWays,
  digestsElsewhere,
  exampleSubjects,
  plainDigest,
  randomSubjects,
} from "./subjects.ts";

/** Random networks in the normal tests; tests/full has a thousand. */
const RANDOM = 16;

const MOD = new URL("../../mod.ts", import.meta.url);
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const examples = once(exampleSubjects);
const random = once(() => randomSubjects(RANDOM, 1));
const all = () => [...examples(), ...random()];
const digests = once(() => all().map(plainDigest));

/** The same value from the first call on. */
function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

Deno.test("every example is the same run a second time, renumbered, in slices, recorded, captured and watched", () => {
  const found = checkWays(examples());
  assertEquals(new Set(found).size, found.length, "examples differ from each other");
});

Deno.test("random networks are the same runs a second time, renumbered, in slices, recorded, captured and watched", () => {
  const found = checkWays(random());
  assert(new Set(found).size > RANDOM * 0.9, "they differ from each other");
});

Deno.test("another process runs every example and random networks with the same digests", async () => {
  const subjects = all();
  const flags = ["run", "--no-prompt", "--no-check", "--allow-read", `--config=${CONFIG}`];
  assertEquals(await digestsElsewhere(Deno.execPath(), flags, MOD.href, subjects), digests());
});

const { file: bundled, missing } = await bundledForNode(MOD);
Deno.test({
  name: `Node runs every example and random networks with the same digests${missing ? ` (skipped: ${missing})` : ""}`,
  ignore: missing !== undefined,
  fn: async () => {
    const subjects = all();
    assertEquals(await digestsElsewhere("node", [], `file://${bundled}`, subjects), digests());
  },
});
