/** The commands that read traces, as tasks; and traces to give them. */
import { resident } from "./resident.ts";
import type { Outcome } from "./spawn.ts";

const simulate = resident("simulate");
const tasks = { replay: resident("replay"), compare: resident("compare") };

/** Runs a task of deno.json, with its own flags. */
export function task(name: "replay" | "compare", args: readonly string[], cwd: string): Promise<Outcome> {
  return tasks[name](args, cwd);
}

const SMALL = `name: small
nodes:
  client: { kind: host, address: 198.51.100.1/24 }
  r1: { kind: router }
  server: { kind: host, address: 192.0.2.1/24, listen: [443] }
links:
  - { between: [client, r1], rate: 1Gbit/s, delay: 5ms }
  - { between: [r1, server], rate: 1Gbit/s, delay: 5ms }
workloads:
  - { name: load, kind: request-response, from: client, to: server:443, connections: 5, request: 100, reply: 5000 }
`;

/** Records the small scenario with `args` into `trace` in a folder. */
export async function record(folder: string, trace: string, ...args: string[]): Promise<Uint8Array> {
  Deno.writeTextFileSync(`${folder}/small.yaml`, SMALL);
  const { code, stderr } = await simulate(["small.yaml", "--quiet", "--trace", trace, ...args], folder);
  if (code !== 0) throw new Error(stderr);
  return Deno.readFileSync(`${folder}/${trace}`);
}
