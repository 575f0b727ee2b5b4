/**
 * The version that the configuration file states.
 *
 * @module
 */
import configuration from "../../deno.json" with { type: "json" };

/** fourtuple's version, `"0.1.0"`. */
export function version(): string {
  return configuration.version;
}
