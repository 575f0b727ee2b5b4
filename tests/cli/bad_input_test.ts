import { assertEquals, assertMatch } from "@std/assert";
import { resident } from "./resident.ts";
import { inDirectory, runTask } from "./spawn.ts";

const simulate = resident("simulate");

/** A scenario that is right; each test breaks one thing in it. */
const GOOD = `name: small
nodes:
  server: { kind: host, address: 192.0.2.1/24, listen: [443] }
  clients: { kind: host, count: 4, address: 198.51.100.1/24 }
  r1: { kind: router }
links:
  - { between: [clients, r1], delay: 1ms }
  - { between: [r1, server], delay: 1ms }
workloads:
  - name: load
    kind: hold
    from: clients
    to: server:443
    connections: 10
expect:
  - connections.established == 10
`;

/** Runs GOOD with `from` replaced by `to`, and expects exit 2, nothing on stdout and this one line on stderr. */
function refuses(name: string, change: [from: string, to: string], sentence: string): void {
  Deno.test(name, () =>
    inDirectory(async (directory) => {
      if (!GOOD.includes(change[0])) throw new Error(`GOOD has no ${change[0]}.`);
      Deno.writeTextFileSync(`${directory}/a.yaml`, GOOD.replace(change[0], change[1]));
      const { code, stdout, stderr } = await simulate(["a.yaml", "--pcap", "out"], directory);
      assertEquals({ code, stdout, stderr }, { code: 2, stdout: "", stderr: `${sentence}\n` });
      assertEquals([...Deno.readDirSync(directory)].map((entry) => entry.name), ["a.yaml"], "something was written");
    }));
}

/** Runs `args` in an empty directory, and expects exit 2, nothing on stdout and this one line on stderr. */
function refusesArguments(name: string, args: string[], sentence: string): void {
  Deno.test(name, () =>
    inDirectory(async (directory) => {
      Deno.writeTextFileSync(`${directory}/a.yaml`, GOOD);
      const { code, stdout, stderr } = await simulate(args, directory);
      assertEquals({ code, stdout, stderr }, { code: 2, stdout: "", stderr: `${sentence}\n` });
    }));
}

Deno.test("the scenario that the other tests break is right", () =>
  inDirectory(async (directory) => {
    Deno.writeTextFileSync(`${directory}/a.yaml`, GOOD);
    const { code, stderr } = await runTask("simulate", ["a.yaml"], directory);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
  }));

refusesArguments("no file", [], "Which scenario? Write deno task simulate FILE, for example examples/quickstart.yaml.");
refusesArguments("a missing file", ["none.yaml"], "none.yaml: there is no such file.");
refusesArguments("a directory for a file", ["."], ".: this is a directory, not a scenario file.");
refusesArguments("an unknown flag", ["a.yaml", "--jsno"], "There is no flag --jsno: did you mean --json?");
refusesArguments(
  "a seed that is no number",
  ["a.yaml", "--seed", "x"],
  '--seed needs a whole number from 0 to 2^53 - 1, found "x".',
);
refusesArguments(
  "a filter that is none",
  ["a.yaml", "--packets", "--filter", "prot 443"],
  '--filter: "prot" is not a test: did you mean port?',
);
refusesArguments(
  "a place for captures that is a file",
  ["a.yaml", "--pcap", "a.yaml"],
  "--pcap: a.yaml is a file, not a directory.",
);

for (
  const [set, sentence] of [
    ["nonsense", "expected path=value, such as nodes.clients.count=10."],
    ["nodes.nosuch.count=3", 'nodes has no "nosuch": there are server, clients and r1.'],
    ["nodes.clients.cuont=3", 'nodes.clients has no field "cuont": did you mean "count"?'],
    ["links[9].delay=1ms", "links has 2 items, from [0] on."],
    ["links[0].delay=soon", 'links[0].delay: expected a duration such as "10ms", found "soon".'],
  ]
) {
  refusesArguments(`--set ${set}`, ["a.yaml", "--set", set], `--set ${set}: ${sentence}`);
}
refusesArguments(
  "a filter for a node that is not there",
  ["a.yaml", "--packets", "--filter", "node client"],
  '--filter: there is no node "client": did you mean clients?',
);

refuses(
  "YAML that does not parse",
  ["nodes:", "nodes: ["],
  "a.yaml:4:3: The YAML does not parse: Missing , between flow sequence items.",
);
refuses(
  "an unknown key",
  ["delay: 1ms", "dellay: 1ms"],
  'a.yaml:7:31: links[0] has no field "dellay": did you mean "delay"?',
);
refuses(
  "a wrong unit",
  ["delay: 1ms", "delay: 1 mile"],
  'a.yaml:7:38: links[0].delay: expected a duration, in ns, us, ms, s, min, h or d, found "1 mile", ' +
    'whose unit "mile" is unknown: did you mean "min"?',
);
refuses(
  "an address that is none",
  ["198.51.100.1/24", "198.51.100.1/33"],
  'a.yaml:4:45: nodes.clients.address: "198.51.100.1/33" has the prefix length "33": IPv4 takes 0 to 32.',
);
refuses(
  "a population that does not fit into its subnet",
  ["count: 4,", "count: 400,"],
  "a.yaml:4:47: nodes.clients.address: clients[399] would be 198.51.101.144, outside the subnet of 198.51.100.1/24: " +
    "400 members do not fit.",
);
refuses(
  "an address outside its link's subnet",
  ["[r1, server], delay: 1ms", "[r1, server], delay: 1ms, subnet: 203.0.113.0/24"],
  "a.yaml:8:50: links[1].subnet: server has address 192.0.2.1, outside the link's subnet 203.0.113.0/24.",
);
refuses(
  "two nodes with one name",
  ["r1: {", "server: {"],
  'a.yaml:5:3: Two nodes have the name "server" (the first is on line 3): rename one.',
);
refuses(
  "a link to a node that is not there",
  ["[clients, r1]", "[clients, r2]"],
  'a.yaml:7:26: links[0].between[1] is "r2": there is no node "r2": did you mean "r1"?',
);
refuses(
  "an unreachable destination",
  ["  - { between: [r1, server], delay: 1ms }\n", ""],
  'a.yaml:12:9: workloads[0].to is "server:443": no links lead from clients to server.',
);
refuses(
  "a port range upside down",
  ["count: 4,", "count: 4, profile: { ephemeralPorts: 60999-32768 },"],
  'a.yaml:4:63: nodes.clients.profile.ephemeralPorts is "60999-32768": expected the lower port first, as in 32768-60999.',
);
refuses(
  "an expectation that is none",
  ["connections.established ==", "connections.established ="],
  'a.yaml:16:5: expect[0]: "connections.established = 10": there is no operator "=": did you mean "=="?',
);
refuses(
  "a scenario that is empty",
  [GOOD, ""],
  "a.yaml:1:1: The file is empty: expected a scenario with nodes, links and workloads.",
);

Deno.test("a workload larger than the machine's memory is refused up front, with the estimate", () =>
  inDirectory(async (directory) => {
    // (Each client has 28,232 ports: it takes many to hold so many.)
    const many = GOOD.replace("count: 4, address: 198.51.100.1/24", "count: 16_000_000, address: 10.0.0.1/8");
    Deno.writeTextFileSync(`${directory}/a.yaml`, many);
    const { code, stdout, stderr } = await simulate(["a.yaml", "--set", "workloads.load.connections=1e13"], directory);
    assertEquals({ code, stdout }, { code: 2, stdout: "" });
    assertMatch(
      stderr,
      /^a\.yaml: this needs about [\d.]+ [TP]B of memory, and this machine has [\d.]+ GB available: [^\n]+\n$/,
    );
  }));
