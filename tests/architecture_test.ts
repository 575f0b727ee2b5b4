import { assert, assertEquals } from "@std/assert";
import { suiteOf, SUITES, testFiles } from "./suites/support/plan.ts";

/** Folders of src, the lowest first: each imports only from rows above it, or from itself. */
const ORDER = [
  ["base", "std"],
  ["store"],
  ["wire"],
  ["transport"],
  ["tcp/state"],
  ["tcp/congestion"],
  ["tcp"],
  ["nat"],
  ["link"],
  ["node"],
  ["socket"],
  ["app"],
  ["network"],
  ["trace"],
  ["packetdrill"],
  ["scenario"],
  ["replay"],
  ["report"],
  ["cli"],
];

/** The vocabulary of a run's outcome, for everybody who speaks of it. */
const VOCABULARY = "src/report/document.ts";

/** Files whose types (and nothing else) anybody may name: the outcome, and what an application is. */
const VOCABULARIES = [VOCABULARY, "src/app/types.ts"];

/** Folders of the protocol cores: no exception for them. */
const CORES = ["wire", "transport", "tcp/state", "tcp/congestion", "tcp", "nat"];

/** Folders that may use packages and the runtime's modules; the engine has none. */
const WITH_PACKAGES = ["std", "trace", "packetdrill", "scenario", "replay", "report", "cli"];

/** Folders that may look at a real clock. */
const WITH_CLOCK = ["report", "cli"];

/** What would make a run depend on the machine or the engine. */
const UNREPEATABLE = [
  /\bDate\.now\b/,
  /\bnew Date\b/,
  /\bperformance\.(now|timeOrigin)\b/,
  /\bMath\.random\b/,
  /\bcrypto\.(getRandomValues|randomUUID)\b/,
  /\bMath\.(log|log2|log10|log1p|exp|expm1|pow|cbrt|sin|cos|tan|sinh|cosh|tanh|hypot)\b/,
  /(?<![.\w])(setTimeout|setInterval|queueMicrotask)\((?!\w+:)/,
];

/** Folders of tests that mirror no folder of src. */
const OTHER_TESTS = [
  "conformance",
  "theory",
  "golden",
  "interop",
  "architecture",
  "full",
  "examples",
  "benches",
  "suites",
];

const ROOT = new URL("../", import.meta.url);

interface SourceFile {
  path: string;
  text: string;
  /** Without comments. */
  code: string;
}

interface Import {
  specifier: string;
  typeOnly: boolean;
}

function filesUnder(folder: string): SourceFile[] {
  const found: SourceFile[] = [];
  for (const entry of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...filesUnder(path));
    else if (path.endsWith(".ts")) {
      const text = Deno.readTextFileSync(new URL(path, ROOT));
      found.push({ path, text, code: text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "") });
    }
  }
  return found.toSorted((a, b) => a.path < b.path ? -1 : 1);
}

function importsOf(file: SourceFile): Import[] {
  const statement =
    /(?:^|\n)\s*(?:import|export)\s+(type\s)?(?:[\w*{}\s,$]+?\sfrom\s*)?"([^"\n]+)"|\bimport\("([^"]+)"\)/g;
  return [...file.code.matchAll(statement)].map((match) => ({
    specifier: match[2] ?? match[3],
    typeOnly: match[1] !== undefined,
  }));
}

/** `tcp/state` for `src/tcp/state/tcb.ts`: the longest folder of the order that holds the file. */
function folderOf(path: string): string {
  const inside = path.replace(/^src\//, "");
  const holders = ORDER.flat().filter((folder) => inside.startsWith(`${folder}/`));
  return holders.toSorted((a, b) => b.length - a.length)[0] ?? "";
}

const rowOf = (folder: string) => ORDER.findIndex((row) => row.includes(folder));

const resolve = (file: SourceFile, specifier: string) =>
  new URL(specifier, new URL(file.path, ROOT)).href.slice(ROOT.href.length);

const SOURCES = filesUnder("src");

Deno.test("every file of src lies in a folder whose place in the order is known", () => {
  assertEquals(SOURCES.filter((file) => folderOf(file.path) === "").map((file) => file.path), []);
});

Deno.test("imports are found, of all forms", () => {
  const code = [
    'import { a } from "./a.ts";',
    "import {\n  b,\n  type C,\n} from",
    '  "./b.ts";',
    'import type { D } from "./d.ts";',
    'export * from "./e.ts";',
    'import "./f.ts";',
    'const g = await import("./g.ts");',
    'const text = "import nothing";',
  ].join("\n");
  assertEquals(importsOf({ path: "", text: code, code }), [
    { specifier: "./a.ts", typeOnly: false },
    { specifier: "./b.ts", typeOnly: false },
    { specifier: "./d.ts", typeOnly: true },
    { specifier: "./e.ts", typeOnly: false },
    { specifier: "./f.ts", typeOnly: false },
    { specifier: "./g.ts", typeOnly: false },
  ]);
});

Deno.test("a folder imports only from folders above it, or from itself", () => {
  const wrong: string[] = [];
  for (const file of SOURCES) {
    const folder = folderOf(file.path);
    for (const { specifier, typeOnly } of importsOf(file)) {
      if (!specifier.startsWith(".")) continue;
      const target = resolve(file, specifier);
      if (!target.startsWith("src/")) {
        if (target !== "deno.json" || folder !== "cli") wrong.push(`${file.path} imports ${target}`);
        continue;
      }
      if (typeOnly && VOCABULARIES.includes(target) && !CORES.includes(folder)) continue;
      const other = folderOf(target);
      // Folders within one folder may name each other's types.
      if (typeOnly && other.split("/")[0] === folder.split("/")[0]) continue;
      if (other !== folder && rowOf(other) >= rowOf(folder)) wrong.push(`${file.path} imports ${target}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("the vocabulary of outcomes imports nothing but names of the base", () => {
  const file = SOURCES.find((one) => one.path === VOCABULARY);
  assert(file !== undefined);
  assertEquals(
    importsOf(file).map((one) => resolve(file, one.specifier)).filter((target) => !target.startsWith("src/base/")),
    [],
  );
});

Deno.test("the engine uses no packages", () => {
  const wrong: string[] = [];
  for (const file of SOURCES) {
    if (WITH_PACKAGES.includes(folderOf(file.path))) continue;
    for (const { specifier } of importsOf(file)) {
      if (!specifier.startsWith(".")) wrong.push(`${file.path} imports ${specifier}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("packages are imported by the names of deno.json", () => {
  const { imports } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  const wrong: string[] = [];
  for (const file of [...SOURCES, ...filesUnder("tests")]) {
    for (const { specifier } of importsOf(file)) {
      if (specifier.startsWith(".") || Object.hasOwn(imports, specifier)) continue;
      if (specifier.startsWith("node:")) continue;
      wrong.push(`${file.path} imports ${specifier}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("no file of src has 500 lines or more", () => {
  const long = SOURCES.map((file) => ({ path: file.path, lines: file.text.split("\n").length - 1 }));
  assertEquals(long.filter((file) => file.lines >= 500), []);
});

Deno.test("no public field of a class is defined as undefined before it has its value", () => {
  const wrong = SOURCES.flatMap((file) =>
    [...file.code.matchAll(/^(?:export )?(?:abstract )?class \w.*?^\}/gms)].flatMap(([body]) =>
      [...body.matchAll(/^ {2}(?:readonly )?([a-z]\w*): [^=;{]+;$/gm)]
        .filter(([line]) => !line.includes("undefined"))
        .map((match) => `${file.path}: ${match[1]}`)
    )
  );
  assertEquals(wrong, []);
});

Deno.test("nothing that a result depends on reads a clock, draws from the machine or uses the engine's maths", () => {
  const wrong: string[] = [];
  for (const file of SOURCES) {
    if (WITH_CLOCK.includes(folderOf(file.path))) continue;
    for (const pattern of UNREPEATABLE) {
      const match = pattern.exec(file.code);
      if (match !== null) wrong.push(`${file.path} uses ${match[0]}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("every file of src begins with a comment that says what it is", () => {
  assertEquals(SOURCES.filter((file) => !file.text.startsWith("/**\n")).map((file) => file.path), []);
});

Deno.test("tests mirror src: every folder of tests is one of src, and every folder of src has tests", () => {
  const tested = new Set(
    filesUnder("tests").filter((file) => file.path.endsWith("_test.ts"))
      .map((file) => file.path.replace(/^tests\//, "").split("/").slice(0, -1).join("/")),
  );
  const folders = new Set(SOURCES.map((file) => file.path.replace(/^src\//, "").split("/").slice(0, -1).join("/")));
  const strange = [...tested].filter((one) =>
    one !== "" && !OTHER_TESTS.includes(one.split("/")[0]) && !folders.has(one)
  );
  assertEquals(strange, [], "folders of tests without a folder of src");
  const untested = [...folders].filter((one) =>
    ![...tested].some((test) => test === one || test.startsWith(`${one}/`))
  );
  assertEquals(untested.filter((one) => !tested.has(one.split("/")[0])), [], "folders of src without tests");
});

Deno.test("deno task test runs every test file, in a suite that there is", () => {
  const entries = filesUnder("tests/suites").map((file) => file.path).filter((path) => path.endsWith("_suite.ts"));
  assertEquals(entries, Object.keys(SUITES).toSorted().map((suite) => `tests/suites/${suite}_suite.ts`));
  const files = filesUnder("tests").map((file) => file.path.replace(/^tests\//, ""));
  assertEquals(testFiles(), files.filter((path) => /^(?!full\/|interop\/).*_test\.ts$/.test(path)));
  for (const suite of Object.keys(SUITES)) {
    assert(testFiles().some((path) => suiteOf(path) === suite), `${suite} has no file`);
    const text = Deno.readTextFileSync(new URL(`tests/suites/${suite}_suite.ts`, ROOT));
    assert(text.endsWith(`\nawait importSuite("${suite}");\n`), `${suite} imports another suite`);
  }
});
