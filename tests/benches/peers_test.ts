import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { readArguments } from "../../benches/peers/arguments.ts";
import {
  bulkComparison,
  columns,
  comparison,
  growth,
  heldComparison,
  median,
  ratios,
  readFourtuple,
} from "../../benches/peers/outcome.ts";
import { readHeld, readNative, type Sample } from "../../benches/peers/outcome.ts";
import { overrides } from "../../benches/peers/programs.ts";
import { InputError } from "../../src/base/errors.ts";

const sample = (wallSeconds: number, peakRssBytes: number, connections = 1000): Sample => ({
  wallSeconds,
  peakRssBytes,
  packetHops: 35 * connections,
  established: connections,
  replies: connections,
});

Deno.test("without flags the peers run three rounds of a million connections", () => {
  assertEquals(readArguments([]), {
    help: false,
    rounds: 3,
    connections: 1_000_000,
    growth: false,
    held: false,
    ns3Connections: 10_000,
    bulkSeconds: 10,
    yardstick: undefined,
  });
});

Deno.test("rounds, connections, growth and a yardstick can be asked for", () => {
  assertEquals(readArguments(["--rounds=5", "--connections", "20_000", "--growth", "--yardstick", "y.c"]), {
    help: false,
    rounds: 5,
    connections: 20_000,
    growth: true,
    held: false,
    ns3Connections: 10_000,
    bulkSeconds: 10,
    yardstick: "y.c",
  });
});

Deno.test("arguments of the peers that mean nothing are refused in one sentence", () => {
  for (
    const [args, message] of [
      [["--round", "5"], "There is no argument --round: --help lists the flags."],
      [["million.yaml"], "There is no argument million.yaml: --help lists the flags."],
      [["--rounds", "0"], '--rounds needs a whole number from 1 to 1000, found "0".'],
      [["--rounds", "1.5"], '--rounds needs a whole number from 1 to 1000, found "1.5".'],
      [["--connections"], '--connections needs a whole number from 10 to 15000000, found "".'],
      [["--yardstick"], "--yardstick needs the path of a .c file or of a program."],
    ] as const
  ) assertThrows(() => readArguments(args), InputError, message);
});

Deno.test("a median is the middle value, or the mean of the two in the middle", () => {
  assertEquals(median([3]), 3);
  assertEquals(median([10, 2, 9]), 9);
  assertEquals(median([10, 2, 4, 9]), 6.5);
});

Deno.test("ratios are taken run by run", () => {
  assertEquals(ratios([4, 9], [2, 3]), [2, 3]);
});

Deno.test("the native program's line, the prototype's and fourtuple's document say the same", () => {
  const expected = { wallSeconds: 6.227, packetHops: 35, peakRssBytes: 424 * 2 ** 20, established: 7, replies: 6 };
  assertEquals(
    readNative(
      '{"connections":7,"wallSeconds":6.227,"packetHops":35,"nsPerHop":177.9,"replies":6,"peakRssBytes":444596224,' +
        '"established":7,"digest":"00"}\n',
    ),
    expected,
  );
  assertEquals(
    readNative(
      "C N 7 H 1000 | phase1 wall 6.227 s hops 35 177.9 ns/hop 5.62 Mhops/s est 14 done 6 timers arm 4 push 3 pop 3 " +
        "fire 0 pktMax 1 | HWM 424 MB hash ed52bf91 simt 11.02\n",
    ),
    expected,
  );
  assertEquals(
    readFourtuple(JSON.stringify({
      wallSeconds: 6.227,
      connections: { established: 7, repliesCompleted: 6 },
      packets: { hops: 35 },
      memory: { peakRssBytes: 444596224 },
    })),
    expected,
  );
  assertThrows(() => readNative("Segmentation fault"), SyntaxError);
});

Deno.test("columns line up, the first to the left", () => {
  assertEquals(columns([["", "wall"], ["native", "5 s"], ["x", ""]]), "        wall\nnative   5 s\nx\n");
});

Deno.test("the comparison has medians, spreads, and ratios to the first program", () => {
  const table = comparison(1000, [
    { name: "native", samples: [sample(1, 4e8), sample(1.2, 4e8), sample(1.1, 4e8)] },
    { name: "fourtuple", samples: [sample(2, 8e8), sample(3, 1e9), sample(2.75, 9e8)] },
  ]);
  assertEquals(table.split("\n"), [
    "1,000 connections: medians of 3 rounds (lowest to highest)",
    "",
    "                           wall  us/connection  ns/hop  peak memory  bytes/connection              time / native  memory / native",
    "native     1.1 s (1 s to 1.2 s)         1100.0   31429       400 MB            400000",
    "fourtuple   2.75 s (2 s to 3 s)         2750.0   78571       900 MB            900000  2.50 x (2.00 x to 2.50 x)           2.25 x",
    "",
  ]);
});

Deno.test("one program alone is compared with nothing", () => {
  assertEquals(comparison(1000, [{ name: "fourtuple", samples: [sample(2, 8e8)] }]).split("\n"), [
    "1,000 connections: one run each",
    "",
    "           wall  us/connection  ns/hop  peak memory  bytes/connection",
    "fourtuple   2 s         2000.0   57143       800 MB            800000",
    "",
  ]);
});

Deno.test("memory that could not be measured is not told as none", () => {
  const series = [
    { name: "fourtuple", samples: [sample(2, 8e8)] },
    { name: "linux", samples: [sample(4, 0)] },
  ];
  assertMatch(comparison(1000, series), /^linux +4 s +4000\.0 +\d+ +\? +\? +2\.00 x +\?$/m);
});

Deno.test("growth is the cost of a connection among many over that among few", () => {
  const few = [{ name: "fourtuple", samples: [sample(1, 1), sample(2, 1)] }];
  const many = [{ name: "fourtuple", samples: [sample(15, 1), sample(20, 1)] }];
  assertEquals(growth(100, few, 1000, many).split("\n"), [
    "cost of a connection  of 100  of 1,000                     growth",
    "fourtuple              15 ms   17.5 ms  1.25 x (1.00 x to 1.50 x)",
    "",
  ]);
});

Deno.test("growth of a program that had fewer connections is that among its own", () => {
  const few = [{ name: "ns-3", connections: 10, samples: [sample(1, 1, 10)] }];
  const many = [{ name: "ns-3", connections: 100, samples: [sample(30, 1, 100)] }];
  assertEquals(growth(100, few, 1000, many).split("\n"), [
    "cost of a connection  of 100  of 1,000  growth",
    "ns-3 (10 and 100)     100 ms    300 ms  3.00 x",
    "",
  ]);
});

Deno.test("more connections than the scenario's NAT has ports get a larger pool", () => {
  assertEquals(overrides(1_020_000), ["--set", "workloads.load.connections=1020000"]);
  assertEquals(overrides(1_020_001).slice(2), ["--set", "nodes.nat.pool=203.0.113.0-203.0.113.17"]);
});

Deno.test("a program that does fewer connections is compared by what one costs", () => {
  const series = [
    { name: "fourtuple", connections: 1000, samples: [sample(1, 1e6)] },
    { name: "ns-3", connections: 100, samples: [sample(2, 1e6, 100)] },
  ];
  const [, , , , row] = comparison(1000, series).split("\n");
  assertEquals(row.split(/  +/), [
    "ns-3 (100 connections)",
    "2 s",
    "20000.0",
    "571429",
    "1 MB",
    "10000",
    "20.00 x",
    "10.00 x",
  ]);
});

Deno.test("one flow is compared by segments a second of processor time", () => {
  const flow = (name: string, cpuSeconds: number) => ({ name, samples: [{ cpuSeconds, segments: 1000 }] });
  assertEquals(bulkComparison("One flow", [flow("fourtuple", 1), flow("ns-3", 40)]).split("\n").slice(2, 5), [
    "           segments  processor time  segments/s  fourtuple is faster by",
    "fourtuple     1,000             1 s       1,000",
    "ns-3          1,000            40 s          25                 40.00 x",
  ]);
});

Deno.test("requests over held connections are compared by packet-hops a second", () => {
  const line =
    "C N 7 H 1000 | phase1 wall 6 s\n   phase2 1000 wall 2.000 s hops 20000 237.6 ns/hop 4.21 Mhops/s done 1000";
  const yardstick = readHeld(line);
  assertEquals(yardstick, { wallSeconds: 2, packetHops: 20_000, requests: 1000 });
  const own = { wallSeconds: 4, packetHops: 15_000, requests: 1000 };
  const all = [{ name: "fourtuple", samples: [own] }, { name: "yardstick", samples: [yardstick] }];
  assertEquals(heldComparison("Held", all).split("\n").slice(2, 5), [
    "           requests  wall  us/request  packet-hops/s  fourtuple does",
    "fourtuple     1,000   4 s      4000.0          3,750",
    "yardstick     1,000   2 s      2000.0         10,000          0.38 x",
  ]);
  assertThrows(() => readHeld("C N 7 H 1000 | phase1 wall 6 s"), SyntaxError);
});
