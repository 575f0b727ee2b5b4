// Holds docs/nat.md to the RFCs' numbers and to the code: nothing left out, and nothing named that does not exist.
import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);
const PAGE = Deno.readTextFileSync(new URL("docs/nat.md", ROOT));

/** The rows of the table under a heading that begins so. */
function rowsOf(heading: string): string[][] {
  const section = PAGE.split("\n## ").find((text) => text.startsWith(heading)) ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("|")).slice(2);
  return lines.map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()));
}

/** Numbers of the form REQ-n in the first column: "REQ-5, a to c", "REQ-1, 3", "REQ-9, 10". */
function numbersOf(heading: string): number[] {
  const numbers = rowsOf(heading).flatMap(([id]) => [...id.matchAll(/\d+/g)].map(Number));
  return [...new Set(numbers)].toSorted((a, b) => a - b);
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

Deno.test("docs/nat.md has every numbered requirement of the RFCs", () => {
  assertEquals(numbersOf("RFC 4787"), upTo(14));
  assertEquals(numbersOf("RFC 5382"), upTo(10));
  assertEquals(numbersOf("RFC 5508"), upTo(11));
  assertEquals(numbersOf("RFC 6888"), upTo(15));
});

Deno.test("every row of docs/nat.md says whether it is met, and what is not met says why", () => {
  for (const heading of ["RFC 4787", "RFC 5382", "RFC 5508", "RFC 6888", "RFC 7422", "RFC 7857", "RFC 6146"]) {
    const rows = rowsOf(heading);
    assert(rows.length >= 5, heading);
    for (const [id, , state] of rows) {
      assert(/^(met|partly met: |not met)/.test(state), `${heading} ${id}: ${state}`);
    }
  }
});

Deno.test("every file and test that docs/nat.md names is there", () => {
  const sources = new Map<string, string>();
  const read = (file: string) => {
    if (!sources.has(file)) sources.set(file, Deno.readTextFileSync(new URL(file, ROOT)));
    return sources.get(file)!;
  };
  let named = 0;
  for (const [, file, name] of PAGE.matchAll(/`(tests\/[^`]+)`: "([^"]+)"/g)) {
    assert(read(file).includes(name), `${file}: ${name}`);
    named++;
  }
  assert(named > 60, `${named}`);
  for (const heading of ["RFC 4787", "RFC 5382", "RFC 5508", "RFC 6888", "RFC 7422", "RFC 7857", "RFC 6146"]) {
    for (const [, , , where] of rowsOf(heading)) {
      for (const [, file] of where.matchAll(/`([^`]+)`/g)) read(file.includes("/") ? `src/${file}` : `src/nat/${file}`);
    }
  }
});
