import { assert, assertEquals } from "@std/assert";
import { capture, smallNetwork } from "../replay/import_fixture.ts";
import { resident } from "./resident.ts";
import { inDirectory, runTask } from "./spawn.ts";

const run = resident("import-pcap");

function write(path: string): Uint8Array {
  const network = smallNetwork();
  const workload = { name: "w", kind: "request-response", from: ["a"], to: ["server:80"], connections: 2 } as const;
  network.workload({ ...workload, from: ["a"], to: ["server:80"], family: "ipv4" });
  const bytes = capture(network.build(), "a");
  Deno.writeFileSync(path, bytes);
  return bytes;
}

Deno.test("import-pcap lists connections, writes a scenario and stimuli, and plays them from both", () =>
  inDirectory(async (directory) => {
    write(`${directory}/x.pcap`);
    const [yaml, cbor] = [`${directory}/x.yaml`, `${directory}/x.cbor`];
    const made = await runTask("import-pcap", [
      ...[`${directory}/x.pcap`, "--scenario", yaml, "--stimulus", cbor, "--end", "both", "--play"],
    ]);
    assertEquals([made.code, made.stderr], [0, ""]);
    assert(made.stdout.includes("x.pcap: 2 connections in "), made.stdout);
    assert(made.stdout.includes("100 B out, 1000 B back, client closes"), made.stdout);
    assert(/^played 4: \d+ same, \d+ acceptable, 0 wrong$/m.test(made.stdout), made.stdout);
    assert(Deno.readTextFileSync(yaml).includes("kind: schedule"));
    const played = await run([cbor, "--json"]);
    assertEquals(played.code, 0);
    assertEquals(JSON.parse(played.stdout).played.wrong, 0);
  }));

Deno.test("import-pcap answers wrong input with one sentence and leaves nothing behind", () =>
  inDirectory(async (directory) => {
    const bytes = write(`${directory}/x.pcap`);
    Deno.writeFileSync(`${directory}/cut.pcap`, bytes.subarray(0, bytes.length - 3));
    Deno.writeTextFileSync(`${directory}/text.pcap`, "nodes: {}\n");
    const out = `${directory}/out.yaml`;
    for (
      const [args, sentence] of [
        [[], "Which capture?"],
        [[`${directory}/none.pcap`], "there is no such file"],
        [[directory], "this is a directory, not a capture."],
        [[`${directory}/text.pcap`, "--scenario", out], "it is no capture file"],
        [[`${directory}/cut.pcap`, "--scenario", out], "at byte "],
        [[`${directory}/x.pcap`, "--limit", "0"], "--limit needs a whole number"],
        [[`${directory}/x.pcap`, "--end", "middle"], "--end is client, server or both"],
        [[`${directory}/x.pcap`, "--senario", out], "did you mean --scenario?"],
        [[`${directory}/x.pcap`, "--scenario", out, "--stimulus", out], "name the same file"],
        [[`${directory}/x.pcap`, "--scenario", `${directory}/none/out.yaml`], "cannot be written"],
      ] as const
    ) {
      const { code, stdout, stderr } = await run(args);
      assertEquals([code, stdout], [2, ""], stderr);
      assert(stderr.includes(sentence), stderr);
      assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
    }
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).toSorted(), [
      "cut.pcap",
      "text.pcap",
      "x.pcap",
    ]);
  }));
