import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { main } from "../../src/cli/simulate.ts";
import { resident } from "./resident.ts";
import { inDirectory } from "./spawn.ts";

const simulate = resident("simulate");

const SCENARIO = (partition: string) =>
  JSON.stringify({
    nodes: {
      clients: { kind: "host", count: 4, address: "10.0.0.1/24" },
      server: { kind: "host", address: "192.0.2.1/24", listen: [80] },
      r1: { kind: "router" },
    },
    links: [{ between: ["clients", "r1"], delay: "2ms" }, { between: ["r1", "server"], delay: "3ms" }],
    workloads: [{ name: "load", kind: "request-response", from: "clients", to: "server:80", connections: 40 }],
  }).replace(/^\{/, `{${partition}`);

Deno.test("--workers gives the same document as one thread, and says how it ran", async () => {
  await inDirectory(async (directory) => {
    const file = `${directory}/s.json`;
    Deno.writeTextFileSync(file, SCENARIO(`"partition": [["clients", "r1"], "server"],`));
    const alone = await simulate([file, "--json"]);
    const divided = await simulate([file, "--json", "--workers", "2"]);
    assertEquals([alone.code, divided.code], [0, 0]);
    assertStringIncludes(divided.stderr, "In 2 threads, divided where packets take 3 ms at least.\n");
    const [one, two] = [alone, divided].map(({ stdout }) => {
      const { wallSeconds: _, memory: _m, ...rest } = JSON.parse(stdout);
      return JSON.stringify(rest);
    });
    assertEquals(two, one);
    Deno.writeTextFileSync(file, SCENARIO(""));
    const short = await simulate([file, "--workers", "2"]);
    assertMatch(short.stderr, /^In one thread: The run is so short/m);
    assertEquals((await simulate([file, "--workers", "2", "--quiet"])).stderr, "");
  });
});

Deno.test("a run that turns out to be one thread's has started no worker, whose memory the process would keep", async () => {
  const { Worker: before } = globalThis;
  let started = 0;
  globalThis.Worker = class extends before {
    constructor(...args: ConstructorParameters<typeof before>) {
      super(...args);
      started++;
    }
  };
  try {
    await inDirectory(async (directory) => {
      const file = `${directory}/s.json`;
      const startedBy = async (partition: string) => {
        started = 0;
        Deno.writeTextFileSync(file, SCENARIO(partition));
        assertEquals(await main([file, "--quiet", "--workers", "2"]), 0);
        return started;
      };
      assertEquals(await startedBy(""), 0);
      assertEquals(await startedBy(`"partition": [["clients", "r1"], "server"],`), 1);
    });
  } finally {
    globalThis.Worker = before;
  }
});

Deno.test("what --packets prints, and the files of --trace and --pcap, are the same with --workers", async () => {
  await inDirectory(async (directory) => {
    const file = `${directory}/s.json`;
    Deno.writeTextFileSync(file, SCENARIO(`"partition": [["clients", "r1"], "server"],`));
    const [alone, divided] = await Promise.all([1, 2].map(async (workers) => {
      const to = `${directory}/${workers}`;
      Deno.mkdirSync(to);
      const looks = ["--packets", "--trace", `${to}/trace`, "--trace-level", "packets", "--pcap", `${to}/pcap`];
      const { stdout, stderr } = await simulate([file, ...looks, "--workers", `${workers}`]);
      const files = ["trace", "pcap/server.pcapng", "pcap/r1.pcapng", "pcap/clients.2.pcapng"].map((name) =>
        Deno.readFileSync(`${to}/${name}`)
      );
      return { lines: stdout.split("\n").filter((line) => /->/.test(line)), files, stderr };
    }));
    assertStringIncludes(divided.stderr, "In 2 threads");
    assert(alone.lines.length > 500);
    assertEquals(divided.lines, alone.lines);
    assertEquals(divided.files, alone.files);
  });
});

Deno.test("a wrong --workers, and a partition of nodes that there are not, are told", async () => {
  await inDirectory(async (directory) => {
    const file = `${directory}/s.json`;
    Deno.writeTextFileSync(file, SCENARIO(`"partition": [["clients"], ["serve"]],`));
    const unknown = await simulate([file]);
    assertEquals(unknown.code, 2);
    assert(/s\.json:1:\d+: .*serve/.test(unknown.stderr), unknown.stderr);
    const many = await simulate([file, "--workers", "many"]);
    assertEquals(many.stderr, `--workers needs a whole number from 1 to 64, found "many".\n`);
  });
});
