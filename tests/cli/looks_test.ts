import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { resident } from "./resident.ts";
import { inDirectory } from "./spawn.ts";

const simulate = resident("simulate");

const SMALL = `name: small
nodes:
  client: { kind: host, address: 198.51.100.1/24 }
  r1: { kind: router }
  server: { kind: host, address: 192.0.2.1/24, listen: [443] }
links:
  - { between: [client, r1], rate: 1Gbit/s, delay: 5ms }
  - { between: [r1, server], rate: 1Gbit/s, delay: 5ms }
workloads:
  - { name: load, kind: hold, from: client, to: server:443, connections: 10, arrivals: { kind: rate, rate: 10/s } }
`;

function withSmall(name: string, more: string, action: (directory: string) => Promise<void>): void {
  Deno.test(name, () =>
    inDirectory(async (directory) => {
      Deno.writeTextFileSync(`${directory}/small.yaml`, SMALL + more);
      await action(directory);
    }));
}

withSmall("--dump prints at --dump-at, and at the end where that does not come", "", async (directory) => {
  const args = ["small.yaml", "--dump", "sockets@server", "--dump-at", "500ms", "--dump-at", "1h"];
  const { code, stdout } = await simulate(args, directory);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "--- sockets of server at 500 ms\n# server\nState");
  assertStringIncludes(stdout, "(the run was over before 1 h)\n# server\nState");
  assertEquals(stdout.match(/^ESTAB/gm)!.length, 5 + 10);
});

withSmall(
  "a scenario may say what is dumped",
  "dumps: [{ at: 300ms, what: [routes, links], node: r1 }]\n",
  async (dir) => {
    const { stdout } = await simulate(["small.yaml"], dir);
    assertStringIncludes(stdout, "--- routes of r1 at 300 ms\n# r1\n192.0.2.1 via server dev r1--server\n");
    assertStringIncludes(stdout, "--- links of r1 at 300 ms\n# r1\n");
    assertEquals((await simulate(["small.yaml", "--quiet"], dir)).stdout, "");
  },
);

withSmall(
  "--series writes CSV or JSON lines, and digests stay",
  "series: { interval: 250ms, nodes: client }\n",
  async (dir) => {
    const { code, stdout } = await simulate(["small.yaml", "--series", "out.csv"], dir);
    assertEquals(code, 0);
    const [header, ...rows] = Deno.readTextFileSync(`${dir}/out.csv`).trimEnd().split("\n").map((line) =>
      line.split(",")
    );
    const column = (name: string) => rows.map((row) => row[header.indexOf(name)]);
    assertEquals(column("established"), ["3", "5", "8", "10"]);
    assertEquals([column("node")[0], column("timeSeconds")[1]], ["client", "0.5"]);
    await simulate(
      ["small.yaml", "--series", "out.jsonl", "--series-interval", "500ms", "--series-nodes", "server"],
      dir,
    );
    const lines = Deno.readTextFileSync(`${dir}/out.jsonl`).trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals(lines.map(({ node, established, failures }) => [node, established, failures]), [
      ["server", 5, {}],
      ["server", 10, {}],
    ]);
    const digest = (text: string) => /Digest (\w+)/.exec(text)![1];
    assertEquals(digest((await simulate(["small.yaml"], dir)).stdout), digest(stdout));
  },
);

withSmall("what cannot be dumped or sampled is a mistake, and leaves no file", "", async (directory) => {
  const refused: [string[], string][] = [
    [["--dump", "socket"], 'There is no dump called "socket": did you mean "sockets"?'],
    [["--dump", "nat@sever"], 'There is no node called "sever". Did you mean "server"?'],
    [["--dump-at", "3s"], "--dump-at says when to dump: say what, with --dump sockets, for example."],
    [["--dump", "nat", "--dump-at", "soon"], '--dump-at needs a time such as 10s, found "soon".'],
    [["--series", "out.txt"], "--series writes .csv or .jsonl, and out.txt is neither."],
    [["--series-nodes", "server"], "--series-nodes is about time series: add --series FILE."],
    [["--series", "out.csv", "--series-nodes", "sever"], 'There is no node called "sever". Did you mean "server"?'],
    [["--series", "out.csv", "--set", "run.until=1h", "--series-interval", "1ms"], "more than 1,000,000 rows"],
  ];
  for (const [args, sentence] of refused) {
    const { code, stderr } = await simulate(["small.yaml", ...args], directory);
    assertEquals(code, 2, args.join(" "));
    assertStringIncludes(stderr, sentence);
  }
  assert([...Deno.readDirSync(directory)].every(({ name }) => !name.startsWith("out.")));
});
