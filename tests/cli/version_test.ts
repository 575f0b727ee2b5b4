import { assertMatch } from "@std/assert";
import { version } from "../../src/cli/version.ts";

Deno.test("the version is that of deno.json", () => {
  assertMatch(version(), /^\d+\.\d+\.\d+$/);
});
