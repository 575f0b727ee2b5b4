import { assert, assertEquals, assertMatch } from "@std/assert";
import { readPacketdrillArguments } from "../../src/cli/packetdrill_arguments.ts";
import { assertThrows } from "@std/assert";
import { UsageError } from "../../src/cli/arguments.ts";
import { resident } from "./resident.ts";
import { runTask } from "./spawn.ts";

const packetdrill = resident("packetdrill");

const GOOD = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 0\n";
const BAD = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 5\n";
const BROKEN = "0 socket(..., SOCK_STREAM\n";

function folder(files: Record<string, string>): string {
  const path = Deno.makeTempDirSync();
  for (const [name, text] of Object.entries(files)) {
    if (name.includes("/")) Deno.mkdirSync(`${path}/${name.slice(0, name.lastIndexOf("/"))}`, { recursive: true });
    Deno.writeTextFileSync(`${path}/${name}`, text);
  }
  return path;
}

Deno.test("scripts of a directory run in order, one line each, and the last line counts them", async () => {
  const path = folder({ "b.pkt": GOOD, "a.pkt": GOOD, "sub/c.pkt": BAD, "note.txt": "no script", "d-v6.pkt": GOOD });
  const { code, stdout: out } = await runTask("packetdrill", [path]);
  const lines = out.trimEnd().split("\n");
  assertMatch(lines[0], /^ok {3}.*\/a\.pkt \d+ ms$/);
  assertMatch(lines[1], /^ok {3}.*\/b\.pkt \d+ ms$/);
  assertMatch(lines[2], /^FAIL .*\/sub\/c\.pkt \d+ ms$/);
  assertMatch(lines[3], /line 2: close returned something else/);
  assertEquals(lines.at(-1), "2 passed, 1 failed");
  assertEquals(code, 1);
});

Deno.test("all passed is exit 0; a script that cannot be read is exit 2, with line and column", async () => {
  assertEquals((await packetdrill([folder({ "a.pkt": GOOD })])).code, 0);
  const { code, stdout: out } = await packetdrill([folder({ "a.pkt": GOOD, "b.pkt": BROKEN })]);
  assertEquals(code, 2);
  assertMatch(out, /b\.pkt:\d+:\d+: /);
  assertMatch(out, /1 passed, 1 failed\n$/);
});

Deno.test("--json is one document with every script's outcome", async () => {
  const { code, stdout: out } = await packetdrill(["--json", folder({ "a.pkt": GOOD, "b.pkt": BAD })]);
  const document = JSON.parse(out);
  assertEquals([document.passed, document.failed], [1, 1]);
  assertEquals(document.scripts[1].failure.line, 2);
  assertEquals(code, 1);
});

Deno.test("nothing to run, an unknown flag and a path that is not there are exit 2", async () => {
  const { code, stderr: err } = await packetdrill(["/no/such/path.pkt"]);
  assertEquals(code, 2);
  assert(err.includes("/no/such/path.pkt: there is no such file or directory."));
  assertThrows(() => readPacketdrillArguments([]), UsageError, "Which script?");
  assertThrows(() => readPacketdrillArguments(["--jsom", "a.pkt"]), UsageError, "did you mean --json?");
  assertThrows(() => readPacketdrillArguments(["--ip_version=ipv5", "a.pkt"]), UsageError, "ipv4 or ipv6");
  assertThrows(() => readPacketdrillArguments(["-D", "X", "a.pkt"]), UsageError, "NAME=VALUE");
});

Deno.test("options of the command line are read by packetdrill's names", () => {
  const asked = readPacketdrillArguments(["--ip_version=ipv6", "-D", "A=1", "-D", "B=x=y", "--mtu", "1300", "a.pkt"]);
  assertEquals(asked.ipVersion, "ipv6");
  assertEquals([...asked.symbols], [["A", "1"], ["B", "x=y"]]);
  assertEquals(asked.given, [["mtu", "1300"]]);
  assertEquals(asked.paths, ["a.pkt"]);
});
