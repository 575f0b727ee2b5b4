import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { captureName, CaptureOut, type CaptureSettings } from "../../src/cli/capture.ts";
import { GrowingFiles } from "../../src/cli/output.ts";
import { buildSimulation } from "../../src/scenario/build.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { parseCapturePoint } from "../../src/scenario/schema_capture.ts";
import { PCAPNG_BLOCK } from "../../src/wire/pcapng.ts";
import { readBlocks } from "../wire/support/capture_readers.ts";
import { inDirectory } from "./spawn.ts";

const SCENARIO = `name: small
nodes:
  clients: { kind: host, count: 2, address: 10.0.0.2/24 }
  r1: { kind: router }
  server: { kind: host, address: 192.0.2.1/24, listen: [80] }
links:
  - { between: [clients, r1], delay: 1ms }
  - { between: [r1, server], delay: 1ms, name: uplink }
workloads:
  - { name: load, kind: bulk, from: clients, to: "server:80", connections: 2, bytes: 20000 }
`;

const names = (directory: string) => [...Deno.readDirSync(directory)].map((entry) => entry.name).toSorted();

/** Packets of a capture file. */
const packetsOf = (path: string) =>
  readBlocks(Deno.readFileSync(path)).filter((block) => block.type === PCAPNG_BLOCK.ENHANCED_PACKET).length;

/** Runs the scenario with captures into `directory`, and completes them. */
function captured(directory: string, settings: Partial<CaptureSettings> = {}, more = ""): void {
  const loaded = loadScenario("small.yaml", SCENARIO + more);
  const simulation = buildSimulation(loaded);
  const out = new CaptureOut({ directory, ...settings }, simulation, loaded, new GrowingFiles({ bufferBytes: 1 }));
  simulation.run();
  out.commit();
}

Deno.test("by default each node that sees packets has a file", () =>
  inDirectory((directory) => {
    captured(`${directory}/made/here`);
    assertEquals(names(`${directory}/made/here`), [
      "clients.0.pcapng",
      "clients.1.pcapng",
      "r1.pcapng",
      "server.pcapng",
    ]);
    const count = (name: string) => packetsOf(`${directory}/made/here/${name}.pcapng`);
    assertEquals(count("clients.0") + count("clients.1"), count("server"));
    // The router sees everything twice.
    assertEquals(count("r1"), 2 * count("server"));
  }));

Deno.test("each capture point of the scenario has a file, the command line's instead of those", () =>
  inDirectory((directory) => {
    const section = "capture:\n  - clients[1]:r1\n  - { node: r1, interface: uplink, snaplen: 64 }\n";
    captured(`${directory}/a`, {}, section);
    assertEquals(names(`${directory}/a`), ["clients.1.r1.pcapng", "r1.uplink.pcapng"]);
    captured(`${directory}/b`, { capture: ["server", "r1:server"].map(parseCapturePoint) }, section);
    assertEquals(names(`${directory}/b`), ["r1.server.pcapng", "server.pcapng"]);
    assertEquals(packetsOf(`${directory}/b/server.pcapng`), packetsOf(`${directory}/a/r1.uplink.pcapng`));
  }));

Deno.test("filters narrow what is written; both must hold", () =>
  inDirectory((directory) => {
    const point = { capture: [{ node: "server" }] };
    captured(`${directory}/all`, point);
    captured(`${directory}/src`, { ...point, captureFilter: "src 192.0.2.1" });
    captured(`${directory}/dst`, { ...point, captureFilter: "dst 192.0.2.1" });
    captured(`${directory}/none`, { ...point, captureFilter: "src 192.0.2.1", filter: "dst 192.0.2.1" });
    const [all, src, dst, none] = ["all", "src", "dst", "none"].map((one) =>
      packetsOf(`${directory}/${one}/server.pcapng`)
    );
    assert(src > 0 && dst > 0);
    assertEquals([src + dst, none], [all, 0]);
  }));

Deno.test("a ring keeps the last files, each complete and no longer than its bytes", () =>
  inDirectory((directory) => {
    captured(directory, { capture: [{ node: "server" }], ring: { bytes: 10_000, files: 3 } });
    const files = names(directory);
    assertEquals(files, ["server_00004.pcapng", "server_00005.pcapng", "server_00006.pcapng"]);
    for (const name of files) {
      const file = Deno.readFileSync(`${directory}/${name}`);
      assert(file.length <= 10_000, `${name}: ${file.length} bytes`);
      const types = readBlocks(file).map((block) => block.type);
      assertEquals(types[0], PCAPNG_BLOCK.SECTION_HEADER);
      assertEquals(types[1], PCAPNG_BLOCK.INTERFACE_DESCRIPTION);
      assertEquals(types.at(-1), PCAPNG_BLOCK.INTERFACE_STATISTICS);
    }
  }));

Deno.test("discarded captures leave nothing behind", () =>
  inDirectory((directory) => {
    const loaded = loadScenario("small.yaml", SCENARIO);
    const simulation = buildSimulation(loaded);
    const out = new CaptureOut({ directory }, simulation, loaded, new GrowingFiles({ bufferBytes: 1 }));
    simulation.run({ untilNs: 5e6 });
    out.discard();
    assertEquals(names(directory), []);
  }));

Deno.test("names of files hold no characters that file systems dislike", () => {
  assertEquals(captureName("clients[12]"), "clients.12");
  assertEquals(captureName("clients[12]:r1[3]"), "clients.12.r1.3");
  assertEquals(captureName("a/b c"), "a_b_c");
  assertEquals(captureName("../x"), ".._x");
});

Deno.test("what cannot be captured is refused with one sentence", () =>
  inDirectory((directory) => {
    const refused = (settings: Partial<CaptureSettings>) =>
      assertThrows(() => captured(directory, settings), InputError).message;
    assertEquals(
      refused({ capture: [parseCapturePoint("server:r2")] }),
      '--capture: server has no interface "r2": did you mean r1?',
    );
    assertEquals(
      refused({ capture: [parseCapturePoint("sever")] }),
      '--capture: There is no node "sever": did you mean server?',
    );
    assertEquals(
      refused({ capture: [parseCapturePoint("clients[2]")] }),
      '--capture: There is no node "clients[2]": its members are clients[0] to clients[1].',
    );
    assertEquals(
      refused({ captureFilter: "prot 80" }),
      '--capture-filter: "prot" is not a test: did you mean port?',
    );
    Deno.writeTextFileSync(`${directory}/file`, "");
    assertEquals(
      refused({ directory: `${directory}/file` }),
      `--pcap: ${directory}/file is a file, not a directory.`,
    );
  }));
