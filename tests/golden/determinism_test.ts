/** A run is a function of its scenario and seed: whatever looks on, however it is sliced, wherever it runs. */
import { assert, assertEquals } from "@std/assert";
import { inDirectory } from "../cli/spawn.ts";
import {
  bundle,
  checkWays,
  digestsElsewhere,
  exampleSubjects,
  nodeMissing,
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

const noNode = await nodeMissing();
Deno.test({
  name: `Node runs every example and random networks with the same digests${noNode ? ` (skipped: ${noNode})` : ""}`,
  ignore: noNode !== undefined,
  fn: () =>
    inDirectory(async (folder) => {
      const file = `${folder}/fourtuple.mjs`;
      assertEquals(await bundle(MOD, file), undefined);
      const subjects = all();
      assertEquals(await digestsElsewhere("node", [], `file://${file}`, subjects), subjects.map(plainDigest));
    }),
});
