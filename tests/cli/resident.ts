/**
 * Commands without a start of the engine each: a process that is there as long as the tests of this module's user runs
 * one command line after the other. What belongs to a process (signals, pipes, memory, threads) has one of its own
 * (`spawn.ts`), and so has one test of each command, for what a user starts.
 */
import { type Outcome, taskCommand, type TaskName } from "./spawn.ts";

const MAIN = new URL("./support/resident_main.ts", import.meta.url);
const ROOT = new URL("../../", import.meta.url);

type Run = (args: readonly string[], cwd?: string) => Promise<Outcome>;

const residents = new Map<TaskName, Run>();

/** A function that runs the task with arguments, in a folder. Call it where a module begins: its process stays. */
export function resident(task: TaskName): Run {
  let run = residents.get(task);
  if (run === undefined) residents.set(task, run = begun(task));
  return run;
}

function begun(task: TaskName): Run {
  const child = taskCommand(task, [], { through: MAIN, stdin: "piped", stderr: "inherit" }).spawn();
  globalThis.addEventListener("unload", () => child.kill());
  const requests = child.stdin.getWriter();
  const answers = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const ask = async (args: readonly string[], cwd: string): Promise<Outcome> => {
    await requests.write(new TextEncoder().encode(`${JSON.stringify({ args, cwd })}\n`));
    let line = "";
    while (!line.endsWith("\n")) {
      const { value, done } = await answers.read();
      if (done) throw new Error(`${task} ended in ${args.join(" ")}: ${line}`);
      line += value;
    }
    return JSON.parse(line);
  };
  let last: Promise<unknown> = Promise.resolve();
  return (args, cwd = decodeURIComponent(ROOT.pathname)) => {
    const outcome = last.then(() => ask(args, cwd));
    last = outcome.catch(() => {});
    return outcome;
  };
}
