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

/** The `simulate` task of deno.json as a command: the flags that users get, no more and no fewer permissions. */
export function simulateCommand(args: readonly string[], cwd?: string): Deno.Command {
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  const [program, ...flags] = (tasks.simulate as string).split(" ");
  if (program !== "deno") throw new Error(`The simulate task begins with ${program}.`);
  const script = new URL(flags.pop()!, ROOT).pathname;
  const config = new URL("deno.json", ROOT).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", `--config=${config}`, ...flags.slice(1), script, ...args],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs `simulate` to its end. */
export async function simulate(args: readonly string[], cwd?: string): Promise<Outcome> {
  const { code, stdout, stderr } = await simulateCommand(args, cwd).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
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
