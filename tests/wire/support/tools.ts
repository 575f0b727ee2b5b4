/** Programs that interoperability tests run, if they may and if they are there. */

/** Why `command` cannot be run here, or `undefined` if it can. */
export function whyNotRun(command: string): string | undefined {
  if (Deno.permissions.querySync({ name: "run", command }).state !== "granted") return `needs --allow-run=${command}`;
  try {
    new Deno.Command(command, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync();
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `${command} is not installed`;
    throw error;
  }
}

/** A test that runs `command`; where it cannot, it is skipped and its name says why. */
export function interopTest(command: string, name: string, test: () => Promise<void>): void {
  const reason = whyNotRun(command);
  if (reason === undefined) Deno.test(name, test);
  else Deno.test({ name: `${name} (skipped: ${reason})`, ignore: true, fn: test });
}

/** What `command` prints with `input` as its standard input. Throws with its complaint if it fails. */
export async function runOn(command: string, args: string[], input: Uint8Array): Promise<string> {
  const process = new Deno.Command(command, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const writer = process.stdin.getWriter();
  const written = writer.write(input).then(() => writer.close());
  const [{ code, stdout, stderr }] = await Promise.all([process.output(), written]);
  const text = new TextDecoder();
  if (code !== 0) throw new Error(`${command} failed with code ${code}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}
