import { assertEquals } from "@std/assert";
import { parseArgs } from "@std/cli";

Deno.test("undeclared flags take the next argument, unless it is a flag, and numbers become numbers", () => {
  assertEquals(parseArgs(["--seed", "7", "--out=a.json", "--quiet", "-n", "5", "x.yaml", "9", "-"]), {
    _: ["x.yaml", 9, "-"],
    seed: 7,
    out: "a.json",
    quiet: true,
    n: 5,
  });
  assertEquals(parseArgs(["--a", "--b"]), { _: [], a: true, b: true });
  assertEquals(parseArgs(["--a=b=c", "--hex", "0xff", "--float", "-n", "--e", "1e3"]), {
    _: [],
    a: "b=c",
    hex: 255,
    float: true,
    n: true,
    e: 1000,
  });
});

Deno.test("string flags keep their text and boolean ones take no value", () => {
  const args = parseArgs(["--host", "10", "--quiet", "a", "--deep", "false", "--wide=true", "--tall=no"], {
    string: ["host", "port"],
    boolean: ["quiet", "deep", "wide", "tall", "absent"],
  });
  const host: string | undefined = args.host;
  const quiet: boolean = args.quiet;
  assertEquals([host, args.port, quiet], ["10", undefined, true]);
  assertEquals(args, { _: ["a"], host: "10", quiet: true, deep: false, wide: true, tall: false, absent: false });
  assertEquals(parseArgs(["--host"], { string: "host" }), { _: [], host: "" });
  assertEquals(parseArgs(["--a", "b"], { boolean: true }), { _: ["b"], a: true });
  assertEquals(parseArgs(["12"], { string: "_" }), { _: ["12"] });
});

Deno.test("aliases are set together, and share types and defaults", () => {
  const options = {
    alias: { help: "h", verbose: ["v", "loud"] },
    boolean: ["help", "verbose"],
    string: ["out"],
    default: { out: "report.html" },
  } as const;
  assertEquals(parseArgs(["-hv", "x"], options), {
    _: ["x"],
    h: true,
    help: true,
    v: true,
    verbose: true,
    loud: true,
    out: "report.html",
  });
  assertEquals(parseArgs(["-p", "80"], { alias: { port: "p" }, default: { port: 1 } }), { _: [], p: 80, port: 80 });
  assertEquals(parseArgs([], { alias: { port: "p" }, default: { port: 1 } }), { _: [], p: 1, port: 1 });
});

Deno.test("collected flags make arrays, others keep their last value", () => {
  const args = parseArgs(["--set", "a=1", "--set", "b=2", "--seed", "1", "--seed", "2"], {
    string: ["set", "other"],
    collect: ["set", "other"],
  });
  const set: string[] = args.set;
  assertEquals(set, ["a=1", "b=2"]);
  assertEquals(args.other, []);
  assertEquals(args.seed, 2);
});

Deno.test("only negatable flags are negated", () => {
  const args = parseArgs(["--no-color", "--no-cache"], {
    boolean: ["color"],
    negatable: ["color"],
    default: { color: true },
  });
  assertEquals(args, { _: [], color: false, "no-cache": true });
  assertEquals(parseArgs([], { boolean: ["color"], negatable: ["color"], default: { color: true } }).color, true);
});

Deno.test("what follows -- is no flag", () => {
  assertEquals(parseArgs(["a", "--", "--b", "7"]), { _: ["a", "--b", "7"] });
  const args = parseArgs(["a", "--", "--b", "7"], { "--": true });
  const rest: string[] = args["--"];
  assertEquals(rest, ["--b", "7"]);
  assertEquals(args._, ["a"]);
});

Deno.test("with stopEarly everything from the first argument that is no flag on is left alone", () => {
  assertEquals(parseArgs(["--a", "--b=1", "run", "--c", "2"], { stopEarly: true, boolean: ["a"] }), {
    _: ["run", "--c", "2"],
    a: true,
    b: 1,
  });
});

Deno.test("unknown sees each undeclared argument and can leave it out", () => {
  const seen: unknown[] = [];
  const args = parseArgs(["--known", "--typo=3", "-x", "file"], {
    boolean: ["known"],
    unknown: (arg, key, value) => {
      seen.push([arg, key, value]);
      return false;
    },
  });
  assertEquals(args, { _: [], known: true });
  assertEquals(seen, [["--typo=3", "typo", "3"], ["-x", "x", "file"]]);
});

Deno.test("short flags may be grouped and may carry their value", () => {
  assertEquals(parseArgs(["-abc", "x"]), { _: [], a: true, b: true, c: "x" });
  assertEquals(parseArgs(["-n5", "-p=80", "-o/tmp"]), { _: [], n: 5, p: 80, o: "/tmp" });
  assertEquals(parseArgs(["-n", "-5"]), { _: [], n: true, 5: true });
});

Deno.test("dots in a name make nested objects", () => {
  assertEquals(parseArgs(["--tcp.mss", "1400", "--tcp.sack"]), { _: [], tcp: { mss: 1400, sack: true } });
  assertEquals(parseArgs(["--__proto__.x", "1"])._, []);
  assertEquals(({} as Record<string, unknown>).x, undefined);
});

Deno.test("the configuration for JSR has the usual one's settings and imports, the two adapters excepted", async () => {
  const root = new URL("../../", import.meta.url);
  const [usual, jsr] = await Promise.all(
    ["deno.json", "deno.jsr.json"].map(async (name) => JSON.parse(await Deno.readTextFile(new URL(name, root)))),
  );
  assertEquals(jsr.imports, { ...usual.imports, "@std/assert": "jsr:@std/assert@^1", "@std/cli": "jsr:@std/cli@^1" });
  assertEquals(jsr.compilerOptions, usual.compilerOptions);
});
