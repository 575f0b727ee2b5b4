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
const all = () => [...exampleSubjects(), ...randomSubjects(RANDOM, 1)];

Deno.test("every example is the same run a second time, renumbered, in slices, recorded, captured and watched", () => {
  const digests = checkWays(exampleSubjects());
  assertEquals(new Set(digests).size, digests.length, "examples differ from each other");
});

Deno.test("random networks are the same runs a second time, renumbered, in slices, recorded, captured and watched", () => {
  const digests = checkWays(randomSubjects(RANDOM, 1));
  assert(new Set(digests).size > RANDOM * 0.9, "they differ from each other");
});

Deno.test("another process runs every example and random networks with the same digests", async () => {
  const subjects = all();
  const flags = ["run", "--no-prompt", "--no-check", "--allow-read", `--config=${CONFIG}`];
  assertEquals(await digestsElsewhere(Deno.execPath(), flags, MOD.href, subjects), subjects.map(plainDigest));
});

const { file: bundled, missing } = await bundledForNode(MOD);
Deno.test({
  name: `Node runs every example and random networks with the same digests${missing ? ` (skipped: ${missing})` : ""}`,
  ignore: missing !== undefined,
  fn: async () => {
    const subjects = all();
    assertEquals(await digestsElsewhere("node", [], `file://${bundled}`, subjects), subjects.map(plainDigest));
  },
});
