/**
 * npm `yaml` without permission to read the environment.
 *
 * Its Node build looks at `process.env.LOG_TOKENS` and `LOG_STREAM` (debugging aids) with every token, for which Deno
 * would want `--allow-env`. While it parses, synchronously, it is shown an empty environment.
 *
 * @module
 */
import process from "node:process";
import { type Document, parseDocument } from "yaml";

/** Parses one YAML document: all errors are in its `errors`, with offsets; merge keys (`<<`) are read. */
export function parseYamlDocument(text: string): Document.Parsed {
  const environment = process.env;
  process.env = {};
  try {
    return parseDocument(text, { merge: true, prettyErrors: false, uniqueKeys: false, logLevel: "error" });
  } finally {
    process.env = environment;
  }
}
