/**
 * Which test files run together. Each is its own isolate where `deno test` is given files; loading the engine for each,
 * and compiling it anew, was half of the time that all tests took. So `deno task test` is given suites: entries that
 * import many files. A file alone, or a folder, runs as ever: `deno test tests/tcp/closing_test.ts`.
 *
 * Files of a suite share what modules keep: a test says what it needs, and does not count on others having registered nothing.
 */

const TESTS = new URL("../../", import.meta.url);

/** Folders whose tests need other programs or much time: they have tasks of their own. */
const OTHER_TASKS = ["interop/", "full/", "suites/"];

/** Beginnings of paths, by suite. A file is in the suite that has the longest one. */
export const SUITES: Record<string, string[]> = {
  cli: ["cli/"],
  cores: ["base/", "link/", "nat/", "node/", "packetdrill/", "std/", "store/", "tcp/", "transport/", "wire/"],
  examples: ["examples_test.ts", "scenario/examples_test.ts", "seven_questions_test.ts"],
  golden: ["golden/"],
  network: ["network/"],
  rest: [""],
  theory: ["theory/"],
  threads: ["network/threads_", "trace/threads_"],
};

/** The suite of a test file, whose path begins below `tests/`. */
export function suiteOf(path: string): string {
  let best = "";
  let longest = -1;
  for (const [suite, beginnings] of Object.entries(SUITES)) {
    for (const beginning of beginnings) {
      if (!path.startsWith(beginning) || beginning.length <= longest) continue;
      best = suite;
      longest = beginning.length;
    }
  }
  return best;
}

/** Test files, in the order of their paths, which begin below `tests/`. */
export function testFiles(below = ""): string[] {
  const found: string[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(new URL(below, TESTS))) {
    const path = `${below}${name}${isDirectory ? "/" : ""}`;
    if (OTHER_TASKS.includes(path)) continue;
    if (isDirectory) found.push(...testFiles(path));
    else if (name.endsWith("_test.ts")) found.push(path);
  }
  return found.toSorted();
}

/** Registers the tests of a suite's files. */
export async function importSuite(suite: string): Promise<void> {
  for (const path of testFiles()) if (suiteOf(path) === suite) await import(new URL(path, TESTS).href);
}
