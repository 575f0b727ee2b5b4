// Holds docs/rfc9293.md to RFC 9293 and to the code: every requirement once, and nothing named that does not exist.
import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

/** Where RFC 9293 states its requirements: every id by its section (MUST-22 by that of MUST-20, whose table it is in). */
const SECTIONS: Record<string, string> = {
  "3.1": "MUST-1 REC-1 MUST-2 MUST-3 MUST-4 MUST-5 MUST-6 MUST-68 MUST-7 MUST-69",
  "3.2": "MUST-64 MUST-65",
  "3.4": "MUST-66",
  "3.4.1": "MUST-8 SHLD-1 MUST-9",
  "3.5": "MUST-10 MUST-11",
  "3.5.3": "SHLD-2",
  "3.6": "MUST-12",
  "3.6.1": "MAY-1 SHLD-3 MUST-13 MAY-2 SHLD-4",
  "3.7.1": "MUST-14 SHLD-5 MAY-3 MUST-15 MUST-16 MUST-67",
  "3.7.3": "SHLD-6",
  "3.7.4": "SHLD-7 MUST-17",
  "3.8.1": "MUST-18 MAY-4",
  "3.8.2": "MUST-19 SHLD-8 MAY-18",
  "3.8.3": "MUST-20 MUST-21 SHLD-9 SHLD-10 SHLD-11 MUST-22 MUST-23",
  "3.8.4": "MAY-5 MUST-24 MUST-25 MUST-26 MUST-27 MUST-28 MUST-29 SHLD-12 MAY-6",
  "3.8.5": "SHLD-13 MUST-30 MUST-62 MUST-31 MUST-32 MUST-33",
  "3.8.6": "SHLD-14 MUST-34 SHLD-15 SHLD-16 MAY-7 SHLD-17 MUST-35",
  "3.8.6.1": "MUST-36 MAY-8 MUST-37 SHLD-29 SHLD-30",
  "3.8.6.2.1": "MUST-38",
  "3.8.6.2.2": "MUST-39",
  "3.8.6.3": "SHLD-18 MUST-40 SHLD-19",
  "3.9.1.1": "MUST-41 MUST-42 MUST-43 MUST-44 MUST-45 MUST-46",
  "3.9.1.2": "MAY-15 MUST-60 MUST-61 MAY-16 SHLD-27 SHLD-28",
  "3.9.1.3": "MAY-17",
  "3.9.1.7": "MAY-14",
  "3.9.1.8": "MUST-47 SHLD-20",
  "3.9.1.9": "MUST-48 SHLD-21 SHLD-22 MAY-9",
  "3.9.2": "MUST-49 SHLD-23 MUST-50 MAY-10 MAY-11",
  "3.9.2.1": "MUST-51 MUST-52 MUST-53 SHLD-24",
  "3.9.2.2": "MUST-54 MUST-55 MUST-56 SHLD-25 SHLD-26",
  "3.9.2.3": "MUST-63 MUST-57",
  "3.10.7.4": "MAY-12 MAY-13 SHLD-31 MUST-58 MUST-59",
};

/** Files, and what is named of each. */
type Named = { file: string; names: string[] }[];

interface Requirement {
  id: string;
  demand: string;
  section: string;
  state: string;
  /** "met", "partly met", "not met". */
  verdict: string;
  where: Named;
  tests: Named;
}

/** `` `file`: "a name", "another" `` (or, of functions, names in backquotes), any number of them. */
function named(cell: string, mark: string): Named {
  const name = `${mark}([^${mark}]+)${mark}`;
  const entry = new RegExp(`\`([^\`]+)\`: (${name}(?:, ${name})*)`, "g");
  return [...cell.matchAll(entry)].map((match) => ({
    file: match[1],
    names: [...match[2].matchAll(new RegExp(name, "g"))].map((one) => one[1]),
  }));
}

const PAGE = Deno.readTextFileSync(new URL("docs/rfc9293.md", ROOT));

const REQUIREMENTS: Requirement[] = PAGE.split("\n").filter((line) => /^\| (MUST|SHLD|MAY|REC)-/.test(line)).map(
  (line) => {
    const [id, demand, state, where, tests] = line.slice(1, -1).split("|").map((cell) => cell.trim());
    return {
      id,
      demand,
      section: /\(([\d.]+)\)$/.exec(demand)?.[1] ?? "",
      state,
      verdict: /^(met|partly met|not met)(?=$|: )/.exec(state)?.[1] ?? "",
      where: named(where, "`"),
      tests: named(tests, '"'),
    };
  },
);

function textOf(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(new URL(path, ROOT));
  } catch {
    return undefined;
  }
}

function sectionsById(): Map<string, string> {
  return new Map(
    Object.entries(SECTIONS).flatMap(([section, ids]) => ids.split(" ").map((id): [string, string] => [id, section])),
  );
}

function filesUnder(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap((entry) =>
    entry.isDirectory ? filesUnder(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]
  );
}

function numbered(kind: string, last: number): string[] {
  return Array.from({ length: last }, (_, i) => `${kind}-${i + 1}`);
}

Deno.test("docs/rfc9293.md has the 119 requirements of RFC 9293, each once", () => {
  const wanted = [...numbered("MUST", 69), ...numbered("SHLD", 31), ...numbered("MAY", 18), ...numbered("REC", 1)];
  assertEquals(wanted.length, 119);
  assertEquals(REQUIREMENTS.map(({ id }) => id).toSorted(), wanted.toSorted());
});

Deno.test("docs/rfc9293.md names the section of RFC 9293 that states each requirement", () => {
  const sections = sectionsById();
  assertEquals(sections.size, 119);
  assertEquals(
    REQUIREMENTS.filter(({ id, section }) => sections.get(id) !== section).map(({ id, section }) =>
      `${id}: ${section}`
    ),
    [],
  );
});

Deno.test("docs/rfc9293.md says of each requirement what it demands, and whether it is met or why not", () => {
  for (const { id, demand, state, verdict } of REQUIREMENTS) {
    assert(demand.length > 20, `${id} demands "${demand}"`);
    assert(verdict !== "", `${id} is "${state}"`);
    assert(verdict === "met" || state.length > verdict.length + 20, `${id} does not say why it is ${verdict}`);
  }
});

Deno.test("docs/rfc9293.md counts right what is met, partly met and not met", () => {
  const count = (verdict: string) => REQUIREMENTS.filter((one) => one.verdict === verdict).length;
  const counts = `Met: ${count("met")}. Partly met: ${count("partly met")}. Not met: ${count("not met")}.`;
  assert(PAGE.includes(`\n${counts}\n`), counts);
});

Deno.test("what docs/rfc9293.md calls met has a place in the code and a test", () => {
  const bare = REQUIREMENTS.filter(({ verdict, where, tests }) =>
    verdict !== "not met" && (where.length === 0 || tests.length === 0)
  );
  assertEquals(bare.map(({ id }) => id), []);
});

Deno.test("every file and every function that docs/rfc9293.md names exists", () => {
  const missing: string[] = [];
  for (const { id, where } of REQUIREMENTS) {
    for (const { file, names } of where) {
      const text = file.startsWith("src/") ? textOf(file) : undefined;
      if (text === undefined) missing.push(`${id}: ${file}`);
      for (const name of names) {
        const defined = new RegExp(`^(export )?(function|class|const) ${name}\\b|^  ${name}\\(`, "m");
        if (text !== undefined && !defined.test(text)) missing.push(`${id}: ${name} in ${file}`);
      }
    }
  }
  assertEquals(missing, []);
});

Deno.test("every test that docs/rfc9293.md names exists by this name in this file", () => {
  const missing: string[] = [];
  for (const { id, tests } of REQUIREMENTS) {
    for (const { file, names } of tests) {
      const text = /^tests\/.*_test\.ts$/.test(file) ? textOf(file) : undefined;
      if (text === undefined) missing.push(`${id}: ${file}`);
      for (const name of names) {
        const there = text?.replace(/Deno\.test\(\s+"/g, 'Deno.test("').includes(`Deno.test("${name}"`);
        if (text !== undefined && !there) missing.push(`${id}: "${name}" in ${file}`);
      }
    }
  }
  assertEquals(missing, []);
});

Deno.test("where the code cites a requirement with its section, it is that section of RFC 9293", () => {
  const sections = sectionsById();
  const wrong: string[] = [];
  for (const file of filesUnder("src")) {
    const text = textOf(file)!.replace(/\n\s*(\*|\/\/)/g, "");
    for (const [cited, section, id] of text.matchAll(/RFC 9293 (3[\d.]*\d) ((?:MUST|SHLD|MAY|REC)-\d+)/g)) {
      // A section that contains the requirement's will do.
      if (!`${sections.get(id)}.`.startsWith(`${section}.`)) wrong.push(`${file}: ${cited}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("nothing in the cells of docs/rfc9293.md escapes these tests", () => {
  for (const line of PAGE.split("\n").filter((one) => /^\| (MUST|SHLD|MAY|REC)-/.test(one))) {
    const [, , , , where, tests] = line.split("|");
    const left = (cell: string, mark: string) =>
      named(cell, mark).reduce((rest, { file, names }) => {
        const quoted = names.map((name) => `${mark}${name}${mark}`).join(", ");
        return rest.replace(`\`${file}\`: ${quoted}`, "");
      }, cell).replaceAll(";", "").trim();
    assertEquals([left(where, "`"), left(tests, '"').replace("—", "")], ["", ""], line);
  }
});
