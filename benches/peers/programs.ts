/**
 * The programs that are compared: how each is built and run.
 *
 * @module
 */
import { InputError } from "../../src/base/errors.ts";
import { pathFromInvocation } from "../../src/cli/files.ts";
import { type BulkSample, type HeldSample, readFourtuple, readHeld, readNative, type Sample } from "./outcome.ts";

/** Something that does the work. */
export interface Program {
  /** What tables call it. */
  name: string;
  /** It does no more connections than this in bearable time: its figures are of so many. Default: no limit. */
  most?: number;
  /** Does it once with so many connections. */
  run(connections: number): Promise<Sample>;
}

/** Something that sends one flow. */
export interface BulkProgram {
  /** What tables call it. */
  name: string;
  /** Simulates so many seconds with this share of packets lost. */
  run(seconds: number, loss: number): Promise<BulkSample>;
}

/** Something that answers requests over connections that are held. */
export interface HeldProgram {
  /** What tables call it. */
  name: string;
  /** Opens so many, then does ten simulated seconds of 100,000 requests each. */
  run(connections: number): Promise<HeldSample>;
}

/** What a program's run or a compiler left behind. */
interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

const HOSTS = 1000;
const ROOT = new URL("../../", import.meta.url);
const BUILT = new URL("out/peers/", ROOT);
const COMPILER = ["gcc", "-O3", "-march=native"];

/** Mappings of an address of the NAT's pool, and the pool that the scenario has. */
const PORTS_PER_ADDRESS = 60_000;
const SCENARIO_POOL = 17;

/** fourtuple, as `deno task simulate examples/million.yaml` runs it. */
export function fourtuple(): Program {
  // The task's own words, `deno run` left out.
  const flags = simulateTask().split(" ").slice(2);
  return {
    name: "fourtuple",
    run: async (connections) => {
      const asked = ["examples/million.yaml", "--json", "--quiet", ...overrides(connections)];
      const ended = await execute(Deno.execPath(), ["run", ...flags, ...asked]);
      // 1: the scenario's expectations are about a million connections; what must hold is checked below.
      if (ended.code > 1 || ended.stdout === "") throw failed("fourtuple", ended);
      return complete("fourtuple", readFourtuple(ended.stdout), connections);
    },
  };
}

function simulateTask(): string {
  return JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))).tasks.simulate;
}

/** `--set`s that make the scenario one of so many connections. */
export function overrides(connections: number): string[] {
  const sets = ["--set", `workloads.load.connections=${connections}`];
  const addresses = Math.ceil(connections / PORTS_PER_ADDRESS);
  if (addresses > SCENARIO_POOL) sets.push("--set", `nodes.nat.pool=203.0.113.0-203.0.113.${addresses - 1}`);
  return sets;
}

/**
 * The native program of this folder; undefined where there is no gcc.
 *
 * @throws {Error} where gcc refuses it.
 */
export async function native(): Promise<Program | undefined> {
  return await compiled("native", "benches/peers/native.c");
}

/**
 * A program from elsewhere, or its source in C, which is compiled. Undefined where it is a source and there is no gcc.
 *
 * @throws {InputError} where there is no such file, or it is a program that may not be run.
 */
export async function yardstick(path: string): Promise<Program | undefined> {
  const from = pathFromInvocation(path);
  try {
    await Deno.stat(from);
  } catch {
    throw new InputError(`${path}: there is no such file.`);
  }
  if (path.endsWith(".c")) return await compiled("yardstick", from);
  const { state } = await Deno.permissions.query({ name: "run", command: from });
  if (state === "granted") return binary("yardstick", from);
  throw new InputError(
    `${path}: this task may run what gcc makes of a .c file, but no other program: ` +
      `write deno run --allow-read --allow-write=out --allow-run benches/peers/main.ts --yardstick ${path}.`,
  );
}

/**
 * This machine's own kernel, over a loopback interface of its own. Undefined where there is no gcc.
 *
 * @throws {Error} where gcc refuses it.
 */
export async function linux(): Promise<Program | undefined> {
  return await compiled("linux", "benches/peers/linux.c");
}

/** ns-3, which needs g++ and Debian's libns3-dev; undefined where they are not. `most` connections: it is quadratic. */
export async function ns3(most: number): Promise<{ connections: Program; bulk: BulkProgram } | undefined> {
  const libraries = ["internet", "point-to-point", "traffic-control", "network", "core"].map((name) => `-lns3-${name}`);
  const source = "benches/peers/ns3.cc";
  const ended = await build(["g++", "-O3", "-w", source, "-o", "out/peers/ns3", ...libraries]);
  if (ended === undefined || ended.code !== 0) return undefined;
  const once = async (args: string[]) => {
    const { code, stdout, stderr } = await execute("out/peers/ns3", args);
    if (code !== 0) throw failed("ns-3", { code, stdout, stderr });
    return stdout;
  };
  return {
    connections: {
      name: "ns-3",
      most,
      run: async (connections) =>
        complete("ns-3", readNative(await once(["connections", `${connections}`, `${HOSTS}`])), connections),
    },
    bulk: { name: "ns-3", run: async (seconds, loss) => JSON.parse(await once(["bulk", `${seconds}`, `${loss}`])) },
  };
}

/** fourtuple, one flow. */
export function fourtupleBulk(): BulkProgram {
  return { name: "fourtuple", run: (seconds, loss) => ownProgram("bulk.ts", `${seconds}`, `${loss}`) };
}

/** fourtuple, requests over held connections. */
export function fourtupleHeld(): HeldProgram {
  return { name: "fourtuple", run: (connections) => ownProgram("held.ts", `${connections}`) };
}

/** The second phase of the prototype, that `yardstick` has made or found. */
export function yardstickHeld(path: string): HeldProgram {
  const command = path.endsWith(".c") ? "out/peers/yardstick" : pathFromInvocation(path);
  return {
    name: "yardstick",
    run: async (connections) => {
      const ended = await execute(command, [`${connections}`, `${HOSTS}`, "1000000"]);
      if (ended.code !== 0) throw failed("yardstick", ended);
      return readHeld(ended.stdout);
    },
  };
}

/** What a program of this folder prints, run with the engine's flags of `deno task simulate`. */
async function ownProgram<T>(name: string, ...args: string[]): Promise<T> {
  const flags = simulateTask().split(" ").slice(2).filter((flag) => flag.startsWith("--v8-flags"));
  const program = ["run", ...flags, "--no-prompt", "--allow-read", `benches/peers/${name}`];
  const ended = await execute(Deno.execPath(), [...program, ...args]);
  if (ended.code !== 0) throw failed("fourtuple", ended);
  return JSON.parse(ended.stdout);
}

async function compiled(name: string, source: string): Promise<Program | undefined> {
  // The prototype prefetches where PF is defined, and needs the library of mathematics.
  const more = name === "yardstick" ? ["-DPF=1", "-w"] : [];
  const ended = await build([...COMPILER, ...more, source, "-o", `out/peers/${name}`, "-lm"]);
  if (ended === undefined) return undefined;
  if (ended.code !== 0) throw failed(`gcc ${source}`, ended);
  return binary(name, `out/peers/${name}`);
}

/** Runs a compiler; undefined where it is not there. */
async function build([command, ...args]: string[]): Promise<Ended | undefined> {
  await Deno.mkdir(BUILT, { recursive: true });
  try {
    return await execute(command, args);
  } catch (error) {
    // A program that is not there cannot be allowed to run either.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

function binary(name: string, path: string): Program {
  return {
    name,
    run: async (connections) => {
      const ended = await execute(path, [`${connections}`, `${HOSTS}`, "0"]);
      if (ended.code !== 0) throw failed(name, ended);
      return complete(name, readNative(ended.stdout), connections);
    },
  };
}

async function execute(command: string, args: string[]): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, cwd: ROOT, stdin: "null" }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A run that did less than the work is no measurement. */
function complete(name: string, sample: Sample, connections: number): Sample {
  if (sample.established !== connections || sample.replies !== connections) {
    throw new Error(
      `${name} established ${sample.established} of ${connections} connections and completed ${sample.replies} replies`,
    );
  }
  return sample;
}

function failed(what: string, ended: Ended): Error {
  return new Error(
    `${what} ended with exit code ${ended.code}: ${(ended.stderr || ended.stdout).trim().slice(0, 2000)}`,
  );
}
