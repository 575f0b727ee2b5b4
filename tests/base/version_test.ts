import { assertEquals } from "@std/assert";
import { VERSION } from "../../src/base/version.ts";
import configuration from "../../deno.json" with { type: "json" };

Deno.test("the engine's version is the configuration file's", () => {
  assertEquals(VERSION, configuration.version);
});
