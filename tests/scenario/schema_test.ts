import { assert, assertEquals } from "@std/assert";
import { schemaText } from "../../src/scenario/generate_schema.ts";
import { scenarioJsonSchema } from "../../src/scenario/schema.ts";

Deno.test("schema/scenario.schema.json is what the schema makes (deno task schema)", async () => {
  const kept = await Deno.readTextFile(new URL("../../schema/scenario.schema.json", import.meta.url));
  assertEquals(kept, schemaText());
});

Deno.test("every field is described for editors", () => {
  const missing: string[] = [];
  walk(scenarioJsonSchema(), "scenario", missing);
  assertEquals(missing, []);
});

function walk(schema: unknown, path: string, missing: string[]): void {
  if (typeof schema !== "object" || schema === null) return;
  for (const [key, value] of Object.entries(schema)) {
    if (key === "properties") {
      for (const [name, property] of Object.entries(value as Record<string, { description?: string }>)) {
        assert(property !== undefined);
        if (property.description === undefined) missing.push(`${path}.${name}`);
      }
    }
    walk(value, `${path}.${key}`, missing);
  }
}
