import { assertEquals, assertThrows } from "@std/assert";
import { HELP, readArguments, UsageError } from "../../src/cli/arguments.ts";

const NOTHING = {
  help: false,
  version: false,
  json: false,
  quiet: false,
  packets: false,
  set: [],
  seed: undefined,
  workers: undefined,
  filter: undefined,
  pcap: undefined,
  capture: [],
  captureFilter: undefined,
  snaplen: undefined,
  ring: undefined,
  trace: undefined,
  traceLevel: "checkpoints" as const,
  dump: [],
  dumpAtNs: [],
  series: undefined,
  seriesIntervalNs: undefined,
  seriesNodes: undefined,
  resume: undefined,
  checkpointEveryNs: undefined,
  checkpointDir: undefined,
};

Deno.test("a scenario file alone is enough", () => {
  assertEquals(readArguments(["a.yaml"]), { ...NOTHING, set: [], capture: [], file: "a.yaml" });
});

Deno.test("every flag is read, before and after the file", () => {
  const trace = ["--trace", "t.cbor", "--trace-level", "packets"];
  const args = ["--seed", "7", "a.yaml", "--set", "links[0].delay=20ms", "--set=run.until=1s", "--json", "--quiet"];
  assertEquals(readArguments([...args, ...trace, "--packets", "--filter", "rst", "--pcap", "out", "--workers", "2"]), {
    ...NOTHING,
    capture: [],
    file: "a.yaml",
    seed: 7,
    workers: 2,
    set: ["links[0].delay=20ms", "run.until=1s"],
    json: true,
    quiet: true,
    packets: true,
    filter: "rst",
    pcap: "out",
    trace: "t.cbor",
    traceLevel: "packets",
  });
});

Deno.test("--trace-level is one of two, and needs --trace", () => {
  const args = ["a.yaml", "--trace", "t.cbor", "--trace-level"];
  assertThrows(() => readArguments([...args, "all"]), UsageError, 'checkpoints or packets, not "all"');
  assertThrows(() => readArguments(["a.yaml", "--trace-level", "packets"]), UsageError, "add --trace FILE");
});

Deno.test("what is captured is read: points, a filter, a snap length, a ring", () => {
  const { capture, captureFilter, snaplen, ring } = readArguments(
    "a.yaml --pcap out --capture server --capture clients[3]:r1 --snaplen 96B --ring 10MiBx4".split(" ")
      .concat("--capture-filter", "port 443"),
  );
  assertEquals(capture.map(({ node, interface: name }) => [node, name]), [["server", undefined], ["clients[3]", "r1"]]);
  assertEquals([captureFilter, snaplen, ring], ["port 443", 96, { bytes: 10 * 2 ** 20, files: 4 }]);
});

Deno.test("captures need a directory, and what is said of them must make sense", () => {
  for (const [flag, value] of [["capture", "a:b"], ["capture-filter", "tcp"], ["snaplen", "96"], ["ring", "1MBx2"]]) {
    refuses(["a.yaml", `--${flag}`, value], `--${flag} needs --pcap DIR, which says where capture files go.`);
  }
  const pcap = ["a.yaml", "--pcap", "out"];
  refuses([...pcap, "--snaplen", "0"], '--snaplen needs 1 to 262144 bytes, found "0".');
  refuses([...pcap, "--ring", "4"], '--ring: A ring is bytes and files such as 10MiBx4, not "4".');
  refuses([...pcap, "--ring", "1MiBx0"], "--ring: A ring has 1 to 10000 files, not 0.");
  refuses([...pcap, "--ring", "1kBx2"], "--ring: A file of a ring has at least 4096 bytes, not 1000.");
  refuses(
    [...pcap, "--capture", "a:"],
    '--capture: A capture point is a node or node:interface such as server:r1, not "a:".',
  );
});

Deno.test("a file whose name is a number stays a name", () => {
  assertEquals(readArguments(["2024"]).file, "2024");
});

Deno.test("--help asks for no file, and lists every flag", () => {
  assertEquals(readArguments(["--help"]).help, true);
  assertEquals(readArguments(["-h"]).help, true);
  const flags = Object.keys(NOTHING).map((name) =>
    name.replace(/Ns$/, "").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  );
  for (const flag of flags) assertEquals(HELP.includes(`--${flag}`), true, flag);
});

function refuses(args: string[], sentence: string): void {
  const error = assertThrows(() => readArguments(args), UsageError);
  assertEquals(error.message, sentence);
}

Deno.test("an unknown flag is refused with the nearest one", () => {
  refuses(["a.yaml", "--sed", "7"], "There is no flag --sed: did you mean --seed?");
  refuses(["a.yaml", "--jsn=1"], "There is no flag --jsn: did you mean --json?");
  refuses(["a.yaml", "--zzzzzzzz"], "There is no flag --zzzzzzzz: --help lists the flags.");
  refuses(["a.yaml", "--no-json"], "There is no flag --no-json: leave --json out instead.");
  refuses(["a.yaml", "-x"], "There is no flag -x: --help lists the flags.");
});

Deno.test("a flag without its value is refused", () => {
  refuses(["a.yaml", "--seed"], "--seed needs a whole number.");
  refuses(["a.yaml", "--pcap"], "--pcap needs a directory.");
  refuses(["a.yaml", "--set"], "--set needs PATH=VALUE, such as --set nodes.clients.count=4.");
  refuses(["a.yaml", "--packets", "--filter"], "--filter needs an expression such as 'host 192.0.2.1 port 443'.");
});

Deno.test("a seed is a whole number from 0 to 2^53 - 1", () => {
  for (const text of ["-1", "1.5", "x", "0x10", "9007199254740992"]) {
    refuses(["a.yaml", `--seed=${text}`], `--seed needs a whole number from 0 to 2^53 - 1, found "${text}".`);
  }
});

Deno.test("no file, several files, a flag twice and a filter for nothing are refused", () => {
  refuses([], "Which scenario? Write deno task simulate FILE, for example examples/quickstart.yaml.");
  refuses(["a.yaml", "b.yaml"], "simulate takes one scenario, found 2: a.yaml b.yaml.");
  refuses(["a.yaml", "--seed=1", "--seed=2"], "--seed was given 2 times: once is enough.");
  refuses(["a.yaml", "--filter", "rst"], "--filter narrows --packets and --pcap: add one of them.");
});
