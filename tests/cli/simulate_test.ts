import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { RunReport } from "../../src/report/document.ts";
import { PCAPNG_BLOCK } from "../../src/wire/pcapng.ts";
import { readBlocks, readEnhancedPacket } from "../wire/support/capture_readers.ts";
import { AddressTable } from "../../src/base/address.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { decodePacket } from "../../src/wire/row_codec.ts";
import { resident } from "./resident.ts";
import { inDirectory, runTask, simulateCommand } from "./spawn.ts";

const simulate = resident("simulate");

/** Two hosts, ten connections, twenty milliseconds. */
const SMALL = `name: small
description: Ten connections.
nodes:
  client: { kind: host, address: 198.51.100.1/24 }
  r1: { kind: router }
  server: { kind: host, address: 192.0.2.1/24, listen: [443] }
links:
  - { between: [client, r1], rate: 1Gbit/s, delay: 5ms }
  - { between: [r1, server], rate: 1Gbit/s, delay: 5ms }
workloads:
  - { name: load, kind: request-response, from: client, to: server:443, connections: 10, hold: 1s, request: 100, reply: 1000 }
expect:
  - connections.established == 10
  - connections.repliesCompleted == 10
`;

function withSmall(name: string, action: (directory: string) => Promise<void>): void {
  Deno.test(name, () =>
    inDirectory(async (directory) => {
      Deno.writeTextFileSync(`${directory}/small.yaml`, SMALL);
      await action(directory);
    }));
}

withSmall("a run whose expectations hold prints a summary and exits with 0", async (directory) => {
  const { code, stdout, stderr } = await runTask("simulate", ["small.yaml"], directory);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  assert(stdout.startsWith("small  (seed 1)\nTen connections.\n"), stdout);
  assertStringIncludes(stdout, "10 attempted, 10 established");
  assertStringIncludes(stdout, "Expectations: all 2 held\n");
  assertMatch(stdout, /\nDigest [0-9a-f]{16}: [^\n]+\n$/);
});

withSmall("an expectation that fails is named with expected and found, and the exit code is 1", async (directory) => {
  const set = ["--set", "expect=['connections.established == 11']"];
  const whole = await simulate(["small.yaml", ...set], directory);
  assertEquals(whole.code, 1);
  assertStringIncludes(whole.stdout, "FAIL  connections.established == 11: expected 11, found 10\n");
  const quiet = await runTask("simulate", ["small.yaml", "--quiet", ...set], directory);
  assertEquals(quiet, {
    code: 1,
    stdout: "",
    stderr: "expectation failed: connections.established == 11 (expected 11, found 10)\n",
  });
});

withSmall("--quiet says nothing of a run that went well", async (directory) => {
  assertEquals(await simulate(["small.yaml", "--quiet"], directory), { code: 0, stdout: "", stderr: "" });
});

withSmall("--json prints one document, and nothing else", async (directory) => {
  const { code, stdout, stderr } = await simulate(["small.yaml", "--json", "--seed", "7"], directory);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const report: RunReport = JSON.parse(stdout);
  assertEquals([report.fourtuple, report.scenario, report.seed, report.ended], ["0.1.0", "small", 7, "quiescence"]);
  assertEquals([report.connections.attempted, report.connections.repliesCompleted], [10, 10]);
  assertEquals(report.expect.map((line) => line.ok), [true, true]);
  assert(report.wallSeconds > 0 && report.memory.peakRssBytes > 1e6);
});

withSmall("--set changes any field", async (directory) => {
  const set = ["--set", "workloads.load.connections=3", "--set=expect=[]", "--set", "links[0].delay=50ms"];
  const { code, stdout } = await simulate(["small.yaml", "--json", ...set], directory);
  const report: RunReport = JSON.parse(stdout);
  assertEquals([code, report.connections.established], [0, 3]);
  assert(report.connections.connectMs.p50! > 100, `${report.connections.connectMs.p50}`);
});

withSmall("watching changes nothing: --packets and --pcap leave the digest as it is", async (directory) => {
  const plain: RunReport = JSON.parse((await simulate(["small.yaml", "--json"], directory)).stdout);
  const watched = await simulate(["small.yaml", "--json", "--packets", "--pcap", "out"], directory);
  const report: RunReport = JSON.parse(watched.stdout);
  assertEquals([report.digest, report.eventDigest], [plain.digest, plain.eventDigest]);
  assertEquals(watched.stderr.trimEnd().split("\n").length, report.packets.hops, "one line for each link crossed");
});

withSmall("--packets prints tcpdump's lines, filtered", async (directory) => {
  const filter = "node server syn dst 192.0.2.1 before 20ms";
  const { stdout } = await simulate(["small.yaml", "--packets", "--filter", filter], directory);
  const lines = stdout.slice(0, stdout.indexOf("\n\n")).split("\n");
  assertEquals(lines.length, 10, stdout);
  for (const line of lines) {
    assertMatch(
      line,
      /^0\.0[12]\d{7} IP 198\.51\.100\.1\.\d+ > 192\.0\.2\.1\.443: Flags \[S\], .* length 0 {2}\(r1 -> server\)$/,
    );
  }
});

withSmall("--pcap writes a complete capture file for each node", async (directory) => {
  const { code } = await simulate(["small.yaml", "--quiet", "--pcap", "out/here"], directory);
  assertEquals(code, 0);
  const names = [...Deno.readDirSync(`${directory}/out/here`)].map((entry) => entry.name).toSorted();
  assertEquals(names, ["client.pcapng", "r1.pcapng", "server.pcapng"]);
  const pool = new PacketPool();
  const addresses = new AddressTable();
  const packets: Record<string, number> = {};
  for (const name of names) {
    const file = Deno.readFileSync(`${directory}/out/here/${name}`);
    let lastNs = 0n;
    for (const block of readBlocks(file)) {
      if (block.type !== PCAPNG_BLOCK.ENHANCED_PACKET) continue;
      const { timeNs, bytes } = readEnhancedPacket(block);
      assert(timeNs >= lastNs, `${name}: time goes back at ${timeNs}`);
      lastNs = timeNs;
      const packet = decodePacket(pool, addresses, bytes);
      assert(typeof packet === "number", `${name}: ${JSON.stringify(packet)}`);
      packets[name] = (packets[name] ?? 0) + 1;
    }
  }
  // Ten connections of ten packets: each end has sent or received all of them, the router both.
  assertEquals(packets, { "client.pcapng": 100, "r1.pcapng": 200, "server.pcapng": 100 });
});

withSmall("--help and --version ask for no scenario", async (directory) => {
  const help = await simulate(["--help"], directory);
  assertEquals([help.code, help.stderr], [0, ""]);
  assertStringIncludes(help.stdout, "--set PATH=VALUE");
  assertEquals(await simulate(["--version"], directory), { code: 0, stdout: "fourtuple 0.1.0\n", stderr: "" });
});

/** Ten million short connections: minutes of work. */
const LONG = ["--set", "workloads.load.connections=10000000", "--set", "workloads.load.hold=0s", "--set", "expect=[]"];
const AT_RATE = [...LONG, "--set", "workloads.load.arrivals={ kind: rate, rate: 100/s }"];

withSmall("Ctrl-C ends a run with the summary so far, marked as cut off, and exit code 130", async (directory) => {
  if (Deno.build.os === "windows") return;
  for (const json of [false, true]) {
    // Its first packets say that the run has begun, however slow the machine is.
    const child = simulateCommand(["small.yaml", ...AT_RATE, "--packets", ...(json ? ["--json"] : [])], directory)
      .spawn();
    const [stdout, stderr] = await Promise.all([
      textOf(child.stdout, json ? undefined : () => child.kill("SIGINT")),
      textOf(child.stderr, json ? () => child.kill("SIGINT") : undefined),
    ]);
    assertEquals((await child.status).code, 130);
    if (json) assertEquals(JSON.parse(stdout).ended, "interrupted");
    else {
      assertEquals(stderr, "");
      assertStringIncludes(stdout, "CUT OFF: interrupted before the end. This is the run so far.\n");
    }
  }
});

/** All that comes out of a stream; `onFirst` is called when something does. */
async function textOf(stream: ReadableStream<Uint8Array>, onFirst?: () => void): Promise<string> {
  const parts: string[] = [];
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    if (parts.push(part) === 1) onFirst?.();
  }
  return parts.join("");
}

withSmall("a reader that has seen enough (| head) ends the run quietly", async (directory) => {
  if (Deno.build.os === "windows") return;
  const child = simulateCommand(["small.yaml", ...AT_RATE, "--packets"], directory).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  const [status, stderr] = await Promise.all([child.status, new Response(child.stderr).text()]);
  assertEquals([status.code, stderr], [141, ""]);
});
