import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InputError } from "../../src/base/errors.ts";
import { resume } from "../../src/cli/checkpoints.ts";
import { Network } from "../../src/network/network.ts";
import { resident } from "./resident.ts";
import { inDirectory, runTask, simulateCommand } from "./spawn.ts";

const simulate = resident("simulate");

const SCENARIO = `name: long
nodes:
  clients: { kind: host, count: 20, address: 10.0.0.1/24 }
  gw: { kind: nat, address: 203.0.113.1/24, mapping: endpoint-independent }
  server: { kind: host, address: 192.0.2.1/24, listen: [80] }
links:
  - { between: [clients, gw], rate: 100Mbit/s, delay: 2ms, loss: 1% }
  - { between: [gw, server], rate: 50Mbit/s, delay: 10ms, queue: 60 packets }
workloads:
  - name: pages
    kind: request-response
    from: clients
    to: server:80
    connections: 2000
    reply: 20kB
    arrivals: { kind: poisson, rate: 100/s }
run: { until: connections.established >= 1950 }
expect:
  - connections.established >= 1950
  - connections.failed == 17 # which is wrong
`;

/** A report without what differs from run to run. */
function comparable(stdout: string) {
  const { wallSeconds: _, memory: { peakRssBytes: _peak, estimatedRssBytes: _estimated, ...memory }, ...rest } = JSON
    .parse(stdout);
  return { ...rest, memory };
}

function checkpoints(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) => name.endsWith(".4tuple")).sort();
}

Deno.test("a run killed with SIGKILL goes on from its last checkpoint to the same end, from the checkpoint alone", async () => {
  await inDirectory(async (directory) => {
    const file = `${directory}/long.yaml`;
    const saved = `${directory}/saved`;
    Deno.writeTextFileSync(file, SCENARIO);
    const whole = await simulate([file, "--json", "--quiet"]);
    assertEquals(whole.code, 1, whole.stderr);
    const checkpointing = ["--checkpoint-every", "1s", "--checkpoint-dir", saved];
    const killed = simulateCommand([file, "--quiet", ...checkpointing]).spawn();
    const output = killed.output();
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      try {
        if (checkpoints(saved).length >= 2) break;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    killed.kill("SIGKILL");
    assertEquals((await output).signal, "SIGKILL");
    Deno.removeSync(file);
    const resumed = await runTask("simulate", ["--resume", saved, "--json", "--quiet", ...checkpointing]);
    assertEquals(resumed.code, 1, resumed.stderr);
    assertEquals(comparable(resumed.stdout), comparable(whole.stdout));
    assertStringIncludes(resumed.stderr, "connections.failed == 17");
    // The last two, of the run that went on too; and whole, whenever somebody looks.
    const left = checkpoints(saved);
    assertEquals(left.length, 2);
    for (const name of left) {
      const again = await simulate(["--resume", `${saved}/${name}`, "--json", "--quiet"]);
      assertEquals(comparable(again.stdout).digest, comparable(whole.stdout).digest);
    }
  });
});

/** Packets of a pcapng file, as text. */
function packetBlocks(path: string): string[] {
  const bytes = Deno.readFileSync(path);
  const view = new DataView(bytes.buffer);
  const found: string[] = [];
  for (let at = 0; at < bytes.length; at += view.getUint32(at + 4, true)) {
    if (view.getUint32(at, true) === 6) found.push(bytes.subarray(at, at + view.getUint32(at + 4, true)).toHex());
  }
  return found;
}

Deno.test("series and captures of a run that goes on have what the uninterrupted run's have from there on", async () => {
  await inDirectory(async (directory) => {
    const file = `${directory}/long.yaml`;
    Deno.writeTextFileSync(file, SCENARIO.replace("2000", "300").replaceAll("1950", "290"));
    const looks = (name: string) => [
      ...["--series", `${directory}/${name}.csv`, "--series-interval", "100ms"],
      ...["--pcap", `${directory}/${name}`, "--capture", "server"],
    ];
    const checkpointing = ["--checkpoint-every", "700ms", "--checkpoint-dir", directory];
    const { code } = await simulate([file, "--quiet", ...looks("whole"), ...checkpointing]);
    assertEquals(code, 1);
    const [first] = checkpoints(directory);
    await simulate(["--resume", `${directory}/${first}`, "--quiet", ...looks("rest")]);
    const rows = (name: string) => Deno.readTextFileSync(`${directory}/${name}.csv`).trim().split("\n");
    const rest = rows("rest");
    assert(rest.length > 4);
    assertEquals(rest[0], rows("whole")[0]);
    assertEquals(rest.slice(1), rows("whole").slice(1 - rest.length));
    const packets = (name: string) => {
      const [capture] = [...Deno.readDirSync(`${directory}/${name}`)];
      return packetBlocks(`${directory}/${name}/${capture.name}`);
    };
    const later = packets("rest");
    assert(later.length > 100);
    assertEquals(later, packets("whole").slice(-later.length));
  });
});

Deno.test("checkpoints change nothing, and the last two are kept", async () => {
  await inDirectory(async (directory) => {
    const file = `${directory}/long.yaml`;
    Deno.writeTextFileSync(file, SCENARIO.replace("2000", "300").replaceAll("1950", "300"));
    const plain = await simulate([file, "--json", "--quiet"]);
    const saved = await simulate([file, "--json", "--quiet", "--checkpoint-every", "100ms"], directory);
    assertEquals(comparable(saved.stdout), comparable(plain.stdout));
    const { simulatedSeconds } = JSON.parse(plain.stdout);
    const last = Math.floor(simulatedSeconds * 10);
    // (A condition may end the run at the very moment.)
    const at = (tenths: number) => `long-${(tenths / 10).toFixed(3).padStart(11, "0")}s.4tuple`;
    const ends = last === simulatedSeconds * 10 ? checkpoints(directory).includes(at(last)) ? last : last - 1 : last;
    assertEquals(checkpoints(directory), [at(ends - 1), at(ends)]);
  });
});

Deno.test("what is no checkpoint is said in a sentence, whatever became of it", async () => {
  await inDirectory(async (directory) => {
    const file = `${directory}/long.yaml`;
    Deno.writeTextFileSync(file, SCENARIO.replace("2000", "50").replaceAll("1950", "50"));
    await simulate([file, "--quiet", "--checkpoint-every", "200ms", "--checkpoint-dir", directory]);
    const good = Deno.readFileSync(`${directory}/${checkpoints(directory)[0]}`);
    const bad = `${directory}/bad.4tuple`;
    const sentence = (bytes: Uint8Array) => {
      Deno.writeFileSync(bad, bytes);
      const { message } = assertThrows(() => resume(bad), InputError);
      assert(/^[^\n]+\.$/.test(message), message);
      assert(message.startsWith(bad), message);
      return message;
    };
    assertStringIncludes(sentence(new Uint8Array(0)), "no snapshot");
    assertStringIncludes(sentence(new TextEncoder().encode(SCENARIO)), "no snapshot");
    const network = new Network();
    network.host("one", { address: "10.0.0.1/24" });
    assertStringIncludes(sentence(network.build().snapshot()), "taken by code");
    fc.assert(fc.property(fc.nat(good.length - 1), (length) => void sentence(good.slice(0, length))), { numRuns: 25 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (changes) => {
          const bytes = good.slice();
          for (const [at, byte] of changes) bytes[at] = byte;
          fc.pre(bytes.some((byte, i) => byte !== good[i]));
          sentence(bytes);
        },
      ),
      { numRuns: 60 },
    );
    const { code, stderr } = await simulate(["--resume", bad]);
    assertEquals(code, 2);
    assertEquals(stderr.trimEnd().split("\n").length, 1);
    assertStringIncludes((await simulate(["--resume", `${directory}/none`])).stderr, "there is no such file");
  });
});

Deno.test("flags of checkpoints that make no sense are refused", async () => {
  for (
    const [args, words] of [
      [["a.yaml", "--checkpoint-every", "1us"], "whole milliseconds"],
      [["a.yaml", "--checkpoint-dir", "d"], "--checkpoint-every"],
      [["a.yaml", "--resume", "b"], "leave a.yaml out"],
      [["--resume", "b", "--seed", "3"], "--seed"],
      [["--resume", "b", "--trace", "t.cbor"], "replayed from its run's beginning"],
    ] as const
  ) {
    const { code, stderr } = await simulate(args);
    assertEquals(code, 2);
    assertStringIncludes(stderr, words);
  }
});
