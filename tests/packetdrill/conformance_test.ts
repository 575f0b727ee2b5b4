/**
 * Every script under tests/conformance passes, over both IP versions.
 */
import { assertEquals } from "@std/assert";
import { defaultSymbols, type IpVersion } from "../../src/packetdrill/config.ts";
import { parseScript } from "../../src/packetdrill/parser.ts";
import { runScript } from "../../src/packetdrill/runner.ts";

const FOLDER = new URL("../conformance/", import.meta.url);

/** Scripts below a folder, by their paths in it. */
function scriptsBelow(folder: URL, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return scriptsBelow(new URL(`${name}/`, folder), `${prefix}${name}/`);
    return name.endsWith(".pkt") ? [`${prefix}${name}`] : [];
  }).toSorted();
}

for (const name of scriptsBelow(FOLDER)) {
  for (const ipVersion of ["ipv4", "ipv6"] as const satisfies readonly IpVersion[]) {
    if (name.endsWith(ipVersion === "ipv4" ? "v6.pkt" : "v4.pkt")) continue;
    Deno.test(`${name} passes over ${ipVersion}`, () => {
      const text = Deno.readTextFileSync(new URL(name, FOLDER));
      const script = parseScript(text, { path: name, symbols: defaultSymbols(ipVersion), ipVersion });
      assertEquals(runScript(script, { ipVersion }).failure, undefined);
    });
  }
}
