/** A small run for each feature worth freezing. `deno task test:golden --update` records anew. */
import { assert, assertEquals } from "@std/assert";
import { goldenTrace } from "../../testing.ts";
import { SMALL } from "./examples.ts";
import { NAT_FEATURES } from "./nat_features.ts";
import { OTHER_FEATURES } from "./other_features.ts";
import { Shown } from "./shown.ts";
import { TCP_FEATURES } from "./tcp_features.ts";

const GROUPS = { tcp: TCP_FEATURES, nat: NAT_FEATURES, other: OTHER_FEATURES };
const TRACES = new URL("traces/", import.meta.url);

for (const [group, features] of Object.entries(GROUPS)) {
  for (const [name, { make, shows, untilNs, pastQuiescence }] of Object.entries(features)) {
    Deno.test(`${group}: ${name} runs as it was recorded, and the trace shows it`, async (t) => {
      const { path } = await goldenTrace(t, make, new URL(`${group}/${name}.cbor`, TRACES), {
        untilNs,
        pastQuiescence,
      });
      assert(shows(new Shown(Deno.readFileSync(path))), `nothing of ${name} is to be seen in ${path}`);
    });
  }
}

Deno.test("traces are small, and every one has its test", () => {
  let bytes = 0;
  const found: string[] = [];
  for (const { name: group } of Deno.readDirSync(TRACES)) {
    for (const { name } of Deno.readDirSync(new URL(`${group}/`, TRACES))) {
      bytes += Deno.statSync(new URL(`${group}/${name}`, TRACES)).size;
      found.push(`${group}/${name}`);
    }
  }
  const expected = Object.entries({ ...GROUPS, examples: SMALL })
    .flatMap(([group, runs]) => Object.keys(runs).map((name) => `${group}/${name}.cbor`));
  assertEquals(found.toSorted(), expected.toSorted());
  assert(bytes < 1.1e6, `${bytes} bytes`);
});
