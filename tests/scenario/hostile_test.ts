import { assert } from "@std/assert";
import fc from "fast-check";
import { InputError } from "../../src/base/errors.ts";
import { parseExpect } from "../../src/scenario/expect.ts";
import { loadScenario } from "../../src/scenario/load.ts";

const FOLDER = new URL("../../examples/", import.meta.url);
const YAML = Deno.readTextFileSync(new URL("torrent-behind-nat.yaml", FOLDER));
const JSONC = Deno.readTextFileSync(new URL("time-wait.jsonc", FOLDER));

/** Whatever is read is either good or refused with one line that says where. */
function refusesWell(action: () => unknown, begins: RegExp): void {
  try {
    action();
  } catch (error) {
    assert(error instanceof InputError, String(error));
    assert(begins.test(error.message) && !error.message.includes("\n"), error.message);
  }
}

Deno.test("a scenario with a piece cut out or put in is good, or refused with one line that says where", () => {
  const piece = fc.constantFrom(
    "",
    "x",
    "0",
    "-1",
    "[",
    "}",
    ":",
    "\n",
    " ",
    "null",
    "5 parsecs",
    "*a",
    "&a",
    "? ",
    "'",
    "{}",
  );
  fc.assert(
    fc.property(fc.constantFrom(YAML, JSONC), fc.nat(), fc.nat(30), piece, (text, at, length, instead) => {
      const begin = at % text.length;
      const file = text === YAML ? "a.yaml" : "a.jsonc";
      const changed = text.slice(0, begin) + instead + text.slice(begin + length);
      refusesWell(() => loadScenario(file, changed), /^a\.(yaml|jsonc):\d+:\d+: /);
    }),
    { numRuns: 400 },
  );
});

Deno.test("any value at any place is good, or refused with one line that names the flag", () => {
  const place = fc.constantFrom(
    "seed",
    "name",
    "nodes",
    "nodes.gateway",
    "nodes.gateway.pool",
    "nodes.gateway.ports",
    "nodes.peers.count",
    "nodes.web.listen",
    "nodes.web.listen[0]",
    "links",
    "links[0].between",
    "links.dsl-a.delay",
    "links.dsl-a.queue",
    "workloads.pages.from",
    "workloads.pages.to",
    "workloads.pages.arrivals",
    "run",
    "run.until",
    "expect",
  );
  fc.assert(
    fc.property(place, fc.jsonValue(), (path, value) => {
      const flag = `${path}=${JSON.stringify(value)}`;
      refusesWell(() => loadScenario("a.yaml", YAML, [flag]), /^(--set |a\.yaml:\d+:\d+: )/);
    }),
    { numRuns: 400 },
  );
});

Deno.test("any line is an expectation, or refused with one line", () => {
  const word = fc.constantFrom(
    "connections",
    ".",
    "failed",
    "limits",
    "[",
    "ports",
    "@",
    "]",
    "==",
    "~=",
    "5",
    "ms",
    "%",
    "±",
    " ",
    "null",
  );
  fc.assert(
    fc.property(fc.oneof(fc.array(word).map((words) => words.join("")), fc.string()), (line) => {
      refusesWell(() => parseExpect(line), /./);
    }),
    { numRuns: 400 },
  );
});
