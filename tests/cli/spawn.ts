/** What a run of the command line left behind. */
export interface Outcome {
  /** Exit code. */
  code: number;
  /** Standard output. */
  stdout: string;
  /** Standard error. */
  stderr: string;
}

const ROOT = new URL("../../", import.meta.url);

/** Tasks that are a command each. */
export type TaskName = "simulate" | "replay" | "compare" | "capacity" | "import-pcap" | "packetdrill";

/** How a process is started. */
interface StartOptions {
  cwd?: string;
  /** A script that is given the command's own as its first argument. */
  through?: URL;
  stdin?: "null" | "piped";
  stderr?: "piped" | "inherit";
}

/** A task of deno.json as a command: the flags that users get, no more and no fewer permissions. */
export function taskCommand(task: TaskName, args: readonly string[], options: StartOptions = {}): Deno.Command {
  const { cwd, through, stdin = "null", stderr = "piped" } = options;
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  const [program, run, ...flags] = (tasks[task] as string).split(" ");
  if (program !== "deno" || run !== "run") throw new Error(`The ${task} task begins with ${program} ${run}.`);
  const script = new URL(flags.pop()!, ROOT);
  const scripts = through === undefined ? [script.pathname] : [through.pathname, script.href];
  const config = new URL("deno.json", ROOT).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", `--config=${config}`, ...flags, ...scripts, ...args],
    env: { NO_COLOR: "1" },
    cwd,
    stdin,
    stdout: "piped",
    stderr,
  });
}

/** Runs a task to its end, in a process of its own. */
export async function runTask(task: TaskName, args: readonly string[], cwd?: string): Promise<Outcome> {
  const { code, stdout, stderr } = await taskCommand(task, args, { cwd }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** The `simulate` task as a command. */
export function simulateCommand(args: readonly string[], cwd?: string): Deno.Command {
  return taskCommand("simulate", args, { cwd });
}

/** Runs `simulate` to its end, in a process of its own. */
export function simulate(args: readonly string[], cwd?: string): Promise<Outcome> {
  return runTask("simulate", args, cwd);
}

/** A temporary directory for `action`, removed afterwards. */
export async function inDirectory(action: (directory: string) => void | Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync();
  try {
    await action(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}
