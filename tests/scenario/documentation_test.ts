import { assertEquals } from "@std/assert";
import { LIMIT_NAMES } from "../../src/base/limit_names.ts";
import { DROP_REASONS } from "../../src/network/drops.ts";
import { OPERATORS, parseCondition, parseExpect } from "../../src/scenario/expect.ts";
import { scenarioJsonSchema } from "../../src/scenario/schema.ts";
import { sampleReport } from "./sample_report.ts";

const PAGE = Deno.readTextFileSync(new URL("../../docs/scenario.md", import.meta.url));

/** Those of `words` that the page does not have as code, whole or as the last part of a path. */
function missing(words: Iterable<string>): string[] {
  const code = new Set([...PAGE.matchAll(/`([^`\n]+)`/g)].flatMap(([, text]) => [text, text.split(".").at(-1)!]));
  return [...new Set(words)].filter((word) => !code.has(word));
}

/** Keys of maps, and the words that a value may be. */
function* words(schema: unknown): Generator<string> {
  if (typeof schema !== "object" || schema === null) return;
  for (const [key, value] of Object.entries(schema)) {
    if (key === "properties") yield* Object.keys(value);
    if (key === "enum") yield* value as string[];
    if (key === "const" && typeof value === "string" && value.length > 0) {
      if (!["host", "router", "nat", "balancer"].includes(value)) yield value;
      else if (!PAGE.includes(`\`kind: ${value}\``)) yield `kind: ${value}`;
    }
    yield* words(value);
  }
}

Deno.test("docs/scenario.md mentions every key of the schema and every word that a value may be", () => {
  assertEquals(missing(words(scenarioJsonSchema())), []);
});

Deno.test("docs/scenario.md mentions every operator, every limit, and every part of the report", () => {
  assertEquals(missing(OPERATORS), []);
  assertEquals(missing(LIMIT_NAMES), []);
  const { limits: _, expect: __, ...report } = sampleReport();
  const paths: string[] = [];
  const walk = (value: unknown, name: string): void => {
    const counts = ["failed", "broken", "dropped"].includes(name);
    if (typeof value !== "object" || value === null || counts) paths.push(name);
    else for (const [key, inner] of Object.entries(value)) walk(inner, key);
  };
  walk(report, "");
  assertEquals(missing(paths), []);
  assertEquals(DROP_REASONS.slice(1).filter((reason) => reason !== "link-down" && !PAGE.includes(reason)), []);
});

Deno.test("the expectations in docs/scenario.md can be read", () => {
  const [, lines] = /```yaml\nexpect:\n([\s\S]*?)```/.exec(PAGE)!;
  const texts = lines.trim().split("\n").map((line) => line.replace(/^\s*- /, "").replace(/\s+#.*/, ""));
  assertEquals(texts.length, 8);
  for (const text of texts) parseExpect(text, { nodes: ["clients"] });
  parseCondition("connections.open >= 1_000_000");
});
