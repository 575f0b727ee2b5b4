/**
 * Two checkouts beside each other: the same scenario in both, in turns, and the ratios with their spread.
 *
 * @module
 */
import { InputError } from "../src/base/errors.ts";
import { columns, median, ratios, withSpread } from "./peers/outcome.ts";

/** What is compared. */
export interface CompareOptions {
  /** A folder with a checkout, or a commit of this repository. */
  base: string;
  /** How often each runs. */
  rounds: number;
  /** The scenario's file, in each checkout or absolute. */
  scenario: string;
  /** `--set`s. */
  sets: readonly string[];
  /** Told of each run. */
  progress: (line: string) => void;
}

/** One run of one checkout. */
export interface Run {
  /** Time of the simulation, s. */
  wallSeconds: number;
  /** Most memory of the process, bytes. */
  peakRssBytes: number;
  /** The run's digest. */
  digest: string;
}

const ROOT = new URL("../", import.meta.url);

/**
 * Runs both in turns, there and back, and returns the table.
 *
 * @throws {InputError} where BASE is neither a checkout nor a commit.
 */
export async function compare(options: CompareOptions): Promise<string> {
  const base = await checkout(options.base);
  const here = ROOT.pathname;
  const runs: { here: Run[]; base: Run[] } = { here: [], base: [] };
  for (let round = 0; round < options.rounds; round++) {
    const order: ["here" | "base", string][] = [["base", base], ["here", here]];
    if (round % 2 === 1) order.reverse();
    for (const [which, folder] of order) {
      const run = await simulate(folder, options);
      runs[which].push(run);
      options.progress(`round ${round + 1} of ${options.rounds}, ${which}: ${run.wallSeconds.toFixed(2)} s`);
    }
  }
  return comparison(runs.here, runs.base);
}

/** The table: medians of both, and the ratios here / base, round by round. */
export function comparison(here: readonly Run[], base: readonly Run[]): string {
  const row = (name: string, of: (run: Run) => number, print: (value: number) => string) => [
    name,
    print(median(base.map(of))),
    print(median(here.map(of))),
    withSpread(ratios(here.map(of), base.map(of)), (ratio) => ratio.toFixed(3)),
  ];
  const rows = [
    ["", "base", "here", "here / base"],
    row("wall", (run) => run.wallSeconds, (value) => `${value.toFixed(2)} s`),
    row("peak memory", (run) => run.peakRssBytes, (value) => `${Math.round(value / 1e6)} MB`),
  ];
  const same = here[0].digest === base[0].digest;
  const digests = same
    ? `Both runs have the digest ${here[0].digest}.`
    : `The runs differ: digest ${here[0].digest} here, ${base[0].digest} in base.`;
  return `${columns(rows)}\n${digests}\n`;
}

/** The folder of a checkout: as given, or made of a commit. */
async function checkout(base: string): Promise<string> {
  const task = `${base.replace(/\/$/, "")}/deno.json`;
  try {
    await Deno.stat(task);
    return base;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) throw error;
  }
  const found = await execute("git", ["rev-parse", "--verify", "--quiet", `${base}^{commit}`], ROOT.pathname);
  const commit = found.stdout.trim();
  if (found.code !== 0 || commit === "") {
    throw new InputError(`--compare ${base}: neither a folder with a checkout nor a commit of this repository.`);
  }
  const folder = new URL(`out/base-${commit.slice(0, 12)}`, ROOT).pathname;
  try {
    await Deno.stat(folder);
  } catch {
    const made = await execute("git", ["worktree", "add", "--detach", "--quiet", folder, commit], ROOT.pathname);
    if (made.code !== 0) throw new Error(`git worktree add ${folder}: ${made.stderr.trim()}`);
  }
  return folder;
}

async function simulate(folder: string, { scenario, sets }: CompareOptions): Promise<Run> {
  const file = await Deno.readTextFile(`${folder}/deno.json`);
  // The task's own words, `deno run` left out.
  const flags = JSON.parse(file).tasks.simulate.split(" ").slice(2);
  const asked = [scenario, "--json", "--quiet", ...sets.flatMap((set) => ["--set", set])];
  const ended = await execute(Deno.execPath(), ["run", ...flags, ...asked], folder);
  // 1: what the scenario expects may be about another size.
  if (ended.code > 1 || ended.stdout === "") {
    throw new Error(`${folder}: simulate ended with exit code ${ended.code}: ${ended.stderr.trim().slice(0, 2000)}`);
  }
  const { wallSeconds, memory, digest } = JSON.parse(ended.stdout);
  return { wallSeconds, peakRssBytes: memory.peakRssBytes, digest };
}

async function execute(command: string, args: string[], cwd: string) {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, cwd, stdin: "null" }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
