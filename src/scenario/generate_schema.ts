/**
 * Writes `schema/scenario.schema.json`: `deno task schema`. A test fails when that file and the schema differ.
 *
 * @module
 */
import { scenarioJsonSchema } from "./schema.ts";

/** The text of the schema file. */
export function schemaText(): string {
  return JSON.stringify(scenarioJsonSchema(), null, 2) + "\n";
}

if (import.meta.main) {
  await Deno.writeTextFile(new URL("../../schema/scenario.schema.json", import.meta.url), schemaText());
}
