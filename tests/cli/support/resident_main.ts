/**
 * A process that runs the command lines it is given on its standard input one after the other, each as if it were a
 * process of its own: its folder, what it writes, its exit code. It has the flags of the task, and its permissions.
 *
 * `deno run FLAGS resident_main.ts SCRIPT`; lines are JSON, requests `{ args, cwd }` and answers `Outcome`s.
 */
interface Request {
  args: string[];
  cwd: string;
}

const [script] = Deno.args;
const encoder = new TextEncoder();
const answer = Deno.stdout.writeSync.bind(Deno.stdout);
let written: { stdout: Uint8Array[]; stderr: Uint8Array[] } = { stdout: [], stderr: [] };

for (const name of ["stdout", "stderr"] as const) {
  Deno[name].writeSync = (bytes) => {
    written[name].push(bytes.slice());
    return bytes.length;
  };
}

async function run({ args, cwd }: Request) {
  Deno.chdir(cwd);
  written = { stdout: [], stderr: [] };
  const { main } = await import(script);
  const code: number = await main(args);
  const text = (pieces: Uint8Array[]) => pieces.map((bytes) => new TextDecoder().decode(bytes)).join("");
  return { code, stdout: text(written.stdout), stderr: text(written.stderr) };
}

let rest = "";
for await (const piece of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + piece).split("\n");
  rest = lines.pop()!;
  for (const line of lines) {
    const bytes = encoder.encode(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
    for (let at = 0; at < bytes.length;) at += answer(bytes.subarray(at));
  }
}
