/** Runs whose digests are compared, and the ways to make them that must not matter. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Network } from "../../src/network/network.ts";
import type { NetworkDocument } from "../../src/network/document.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { Recorder } from "../../src/trace/recorder.ts";
import { encodePacket } from "../../src/wire/row_codec.ts";
import { exampleNames, loadSmall, smallRun } from "./examples.ts";
import { randomNetwork } from "./random_network.ts";

/** What is run: a network as plain data, until a time. */
export interface Subject {
  name: string;
  document: NetworkDocument;
  untilNs: number | undefined;
}

/** The examples, in small. Where a condition ends a run, its time does here. */
export function exampleSubjects(): Subject[] {
  return exampleNames().map((name) => {
    const loaded = loadSmall(name);
    const { simulation, run } = smallRun(loaded);
    let { untilNs } = run;
    if (run.until !== undefined) {
      simulation.run(run);
      untilNs = simulation.nowNs;
    }
    return { name, document: simulation.declaration, untilNs };
  });
}

/** Random networks, always the same for a seed. */
export function randomSubjects(count: number, seed: number): Subject[] {
  return fc.sample(randomNetwork, { numRuns: count, seed }).map((document, i) => ({
    name: `random ${seed}/${i}`,
    document,
    untilNs: 10e9,
  }));
}

/** As `digests.mjs` says it. */
export function digestOf(simulation: Simulation): string {
  return `${simulation.digest} ${simulation.eventDigest} ${simulation.nowNs}`;
}

function built({ document }: Subject, numbering?: { skip: number; reversed: boolean }): Simulation {
  return Network.fromJSON(document, numbering).build();
}

/** Runs it in one go. */
export function plainDigest(subject: Subject): string {
  const simulation = built(subject);
  simulation.run({ untilNs: subject.untilNs });
  return digestOf(simulation);
}

/** Ways to run that must not matter, by name. (Snapshots are such a way, too: tests/network.) */
export const WAYS: Record<string, (subject: Subject) => string> = {
  "a second time": plainDigest,
  "with other row numbers": (subject) => {
    const simulation = built(subject, { skip: 11, reversed: true });
    simulation.run({ untilNs: subject.untilNs });
    return digestOf(simulation);
  },
  "in slices": (subject) => {
    const simulation = built(subject);
    const { untilNs = Infinity } = subject;
    let at = 0;
    // Slices of all lengths, from a nanosecond on.
    for (let step = 1; step < 40e9 && at < untilNs; step *= 7) {
      at = Math.min(untilNs, at + step);
      if (simulation.run({ untilNs: at }).ended !== "time") break;
    }
    let turn = 0;
    while (simulation.run({ untilNs: subject.untilNs, interrupted: () => ++turn % 2 === 1 }).ended === "interrupted");
    return digestOf(simulation);
  },
  "recorded, captured and watched": (subject) => {
    const simulation = built(subject);
    const { packets, addresses } = simulation;
    let bytes = 0;
    const recorder = new Recorder(simulation, {
      level: "packets",
      engine: "test",
      sink: (piece) => bytes += piece.length,
    });
    const frame = new Uint8Array(1 << 17);
    let asked = 0;
    simulation.onSend((p) => bytes += encodePacket(packets, addresses, p, frame));
    simulation.onDelivery((p) => bytes += encodePacket(packets, addresses, p, frame));
    simulation.run({
      untilNs: subject.untilNs,
      interrupted: () => {
        simulation.progress();
        // (A report goes through all there is: some moments of a run are enough, the first among them.)
        if (asked++ % 32 === 0) simulation.report();
        return false;
      },
    });
    recorder.finish(simulation.report());
    if (bytes === 0) throw new Error("nothing was seen");
    return digestOf(simulation);
  },
};

/** Fails unless every way to run gives the same digests. Returns them. */
export function checkWays(subjects: readonly Subject[]): string[] {
  return subjects.map((subject) => {
    const expected = plainDigest(subject);
    for (const [way, run] of Object.entries(WAYS)) assertEquals(run(subject), expected, `${subject.name}, ${way}`);
    return expected;
  });
}

/** What another process finds: `program` with `args` before `digests.mjs`. */
export async function digestsElsewhere(
  program: string,
  args: readonly string[],
  fourtuple: string,
  subjects: readonly Subject[],
): Promise<string[]> {
  const file = Deno.makeTempFileSync({ suffix: ".json" });
  try {
    Deno.writeTextFileSync(file, JSON.stringify(subjects));
    const script = decodeURIComponent(new URL("digests.mjs", import.meta.url).pathname);
    const { code, stdout, stderr } = await new Deno.Command(program, { args: [...args, script, fourtuple, file] })
      .output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""], `${program} ${args.join(" ")}`);
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    Deno.removeSync(file);
  }
}

/** `mod.ts` as one file of JavaScript; undefined, and why, where the bundler cannot be had. */
export async function bundle(entry: URL, to: string): Promise<string | undefined> {
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      `--config=${config}`,
      "--platform=deno",
      "--output",
      to,
      decodeURIComponent(entry.pathname),
    ],
  }).output();
  return code === 0 ? undefined : new TextDecoder().decode(stderr).trim().split("\n")[0];
}

/**
 * `entry` as one file of JavaScript for Node, or why not: there is no Node, it may not be run, or there is no bundler
 * (`deno bundle` fetches one). The file goes when the process does.
 */
export async function bundledForNode(entry: URL): Promise<{ file: string; missing: string | undefined }> {
  const folder = Deno.makeTempDirSync();
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const file = `${folder}/bundle.mjs`;
  const why = await nodeMissing() ?? await bundle(entry, file);
  return { file, missing: why === undefined ? undefined : why.replaceAll(/[^\x20-\x7e]|\[\d+m/g, "") };
}

/** Is there a Node to run, and may it be run? If not, why. */
export async function nodeMissing(): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command("node", { args: ["--version"] }).output();
    const major = Number(/^v(\d+)/.exec(new TextDecoder().decode(stdout))?.[1]);
    if (Number.isNaN(major)) return "there is no node here";
    return major >= 20 ? undefined : `node is older than 20: ${major}`;
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "there is no node here" : "node may not be run here";
  }
}
