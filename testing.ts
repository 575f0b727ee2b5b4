/**
 * fourtuple for tests: {@linkcode goldenTrace} records a run once and holds every later one against it, packet by packet.
 *
 * @example
 * ```ts
 * import { goldenTrace } from "./testing.ts"; // "@fourtuple/fourtuple/testing"
 *
 * Deno.test("the office's traffic stays as it is", async (t) => {
 *   await goldenTrace(t, "office.yaml", "traces/office.cbor");
 * });
 * ```
 *
 * `deno test --allow-read --allow-write -- --update` records; `deno test --allow-read` compares.
 *
 * @module
 */
export {
  type GoldenContext,
  type GoldenOptions,
  type GoldenResult,
  type GoldenScenario,
  goldenTrace,
} from "./src/replay/golden.ts";
