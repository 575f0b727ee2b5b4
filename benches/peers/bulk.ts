/**
 * One flow through fourtuple for so many simulated seconds, in a process of its own: `bulk.ts SECONDS LOSS`. Prints what
 * `ns3 bulk` does, of the run alone; and besides the processor time of the whole process, start-up included, and the
 * segments a second of processor time in the second half, when (nearly) all is compiled.
 *
 * @module
 */
import process from "node:process";
import { DIRECTION } from "../../src/link/links.ts";
import { bulkFlow } from "../bulk_flow.ts";

const RATE_BPS = 1e9;

const [seconds, loss] = Deno.args.map(Number);
const simulation = bulkFlow(loss, Math.ceil(seconds * RATE_BPS / 8));
const before = cpuSeconds();
const start = performance.now();
simulation.run({ untilNs: Math.floor(seconds * 1e9 / 2) });
const [halfSegments, halfCpuSeconds] = [segmentsSent(), cpuSeconds()];
simulation.run({ untilNs: seconds * 1e9 });
const wallSeconds = (performance.now() - start) / 1000;
const processCpuSeconds = cpuSeconds();
const segments = segmentsSent();
const steadyPerSecond = Math.round((segments - halfSegments) / (processCpuSeconds - halfCpuSeconds));
const result = { wallSeconds, cpuSeconds: processCpuSeconds - before, segments, processCpuSeconds, steadyPerSecond };
console.log(JSON.stringify(result));

/** Processor time of the process so far, its compilers and collectors included. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Packets that the sender's direction has carried: data, but for a SYN and an ACK. */
function segmentsSent(): number {
  const [there] = simulation.links;
  const { words } = simulation.partition.links;
  let sent = 0;
  for (let d = 0; d < simulation.partition.links.count; d++) {
    const row = d * DIRECTION.STRIDE;
    if (simulation.partition.nodes.rankOf(words[row + DIRECTION.FROM]) === there.a[0]) {
      sent += words[row + DIRECTION.SENT];
    }
  }
  return sent;
}
