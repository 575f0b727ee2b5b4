/**
 * One flow through fourtuple for so many simulated seconds, in a process of its own: `bulk.ts SECONDS LOSS`. Prints what
 * `ns3 bulk` does.
 *
 * @module
 */
import process from "node:process";
import { DIRECTION } from "../../src/link/links.ts";
import { bulkFlow } from "../bulk_flow.ts";

const RATE_BPS = 1e9;

const [seconds, loss] = Deno.args.map(Number);
const simulation = bulkFlow(loss, Math.ceil(seconds * RATE_BPS / 8));
const before = process.cpuUsage();
const start = performance.now();
simulation.run({ untilNs: seconds * 1e9 });
const wallSeconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(before);
// The sender's direction has carried data, but for a SYN and an ACK.
const [there] = simulation.links;
const { words } = simulation.partition.links;
let segments = 0;
for (let d = 0; d < simulation.partition.links.count; d++) {
  const row = d * DIRECTION.STRIDE;
  if (simulation.partition.nodes.rankOf(words[row + DIRECTION.FROM]) === there.a[0]) {
    segments += words[row + DIRECTION.SENT];
  }
}
console.log(JSON.stringify({ wallSeconds, cpuSeconds: (user + system) / 1e6, segments }));
