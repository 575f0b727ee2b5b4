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
  filter: undefined,
  pcap: undefined,
  trace: undefined,
  traceLevel: "checkpoints" as const,
  dump: [],
  dumpAtNs: [],
  series: undefined,
  seriesIntervalNs: undefined,
  seriesNodes: undefined,
};

Deno.test("a scenario file alone is enough", () => {
  assertEquals(readArguments(["a.yaml"]), { ...NOTHING, file: "a.yaml" });
});

Deno.test("every flag is read, before and after the file", () => {
  const trace = ["--trace", "t.cbor", "--trace-level", "packets"];
  const args = ["--seed", "7", "a.yaml", "--set", "links[0].delay=20ms", "--set=run.until=1s", "--json", "--quiet"];
  assertEquals(readArguments([...args, ...trace, "--packets", "--filter", "rst", "--pcap", "out"]), {
    ...NOTHING,
    file: "a.yaml",
    seed: 7,
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
