import { assert, assertEquals } from "@std/assert";
import { simulate } from "../cli/spawn.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** Runs an example and returns its document; its expectations must hold. */
async function run(example: string): Promise<{ [key: string]: Record<string, number> }> {
  const { code, stdout, stderr } = await simulate([`examples/${example}`, "--json"], ROOT);
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, stdout);
  return JSON.parse(stdout);
}

Deno.test("examples/million.yaml: a million established at once and every request answered", async () => {
  const { connections, memory } = await run("million.yaml");
  assertEquals(connections.peakConcurrent, 1_000_000);
  assertEquals(connections.repliesCompleted, 1_000_000);
  assert(memory.bytesPerConnection <= 1000, `${memory.bytesPerConnection} bytes a connection`);
  assert(memory.peakRssBytes <= 1.3e9, `${memory.peakRssBytes} bytes in all`);
});

Deno.test("examples/1-one-port.yaml: a million on one listening port, and the same from its twin in code", async () => {
  const { connections, digest } = await run("1-one-port.yaml");
  assertEquals(connections.open, 1_016_352 + 28_232);
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", `${ROOT}examples/1-one-port.ts`],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, text);
  assert(text.includes("Expectations: all 5 held") && text.includes(`Digest ${digest}`), text);
});

Deno.test("examples/million-hosts.yaml: a million hosts with a connection each, in at most 1.5 GB", async () => {
  const { connections, memory } = await run("million-hosts.yaml");
  assertEquals(connections.peakConcurrent, 1_000_000);
  assert(memory.peakRssBytes <= 1.5e9, `${memory.peakRssBytes} bytes in all`);
});
