import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { parseScript } from "../../src/packetdrill/parser.ts";
import type { EventTime, Script } from "../../src/packetdrill/script.ts";

function parse(text: string, symbols: Record<string, string> = {}): Script {
  return parseScript(text, { path: "a.pkt", symbols: new Map(Object.entries(symbols)) });
}

function refused(text: string, where: string, sentence: string): void {
  const error = assertThrows(() => parse(text), InputError);
  assertEquals(`${error.file}:${error.line}:${error.column}`, `a.pkt:${where}`);
  assertEquals(error.message, `a.pkt:${where}: ${sentence}`);
}

function time(text: string): EventTime {
  return parse(`${text} > . 1:1(0) ack 1`).events[0].time;
}

Deno.test("options stand at the top, with values of every form", () => {
  const script = parse(`// first of all
--tolerance_usecs=10000
--remote_ip=192.0.2.1 --local_ip=fd3d:0a0b:17d6::1
--strict_segments
--so_filename="a file.so"
0 close(3) = 0`);
  assertEquals(script.options.map(({ name, value }) => [name, value]), [
    ["tolerance_usecs", "10000"],
    ["remote_ip", "192.0.2.1"],
    ["local_ip", "fd3d:0a0b:17d6::1"],
    ["strict_segments", ""],
    ["so_filename", "a file.so"],
  ]);
  assertEquals(script.options.map(({ at }) => [at.line, at.column]), [[2, 1], [3, 1], [3, 23], [4, 1], [5, 1]]);
  assertEquals(script.path, "a.pkt");
  assertEquals(script.lines[3], "--strict_segments");
});

Deno.test("commands at the top and at the end have no time, those between have one", () => {
  const script = parse("`a.sh\n  b.sh`\n0 `c.sh`\n+1 close(3) = 0\n`d.sh`\n");
  assertEquals(script.init, { text: "a.sh\n  b.sh", at: { line: 1, column: 1 } });
  assertEquals(script.events[0].action, { kind: "command", command: { text: "c.sh", at: { line: 3, column: 3 } } });
  assertEquals(script.cleanup, { text: "d.sh", at: { line: 5, column: 1 } });
  assertEquals(parse("0 close(3) = 0").init, null);
  assertEquals(parse("0 close(3) = 0").cleanup, null);
});

Deno.test("every form of time is exact to the nanosecond", () => {
  assertEquals(time("0"), { kind: "absolute", ns: 0 });
  assertEquals(time("1.5"), { kind: "absolute", ns: 1_500_000_000 });
  assertEquals(time("+0.29"), { kind: "relative", ns: 290_000_000 });
  assertEquals(time("+.1"), { kind: "relative", ns: 100_000_000 });
  assertEquals(time("+ 2"), { kind: "relative", ns: 2_000_000_000 });
  assertEquals(time("0.0000000019"), { kind: "absolute", ns: 1 });
  assertEquals(time("*"), { kind: "any" });
  assertEquals(time("1~1.2"), { kind: "absolute-range", fromNs: 1e9, toNs: 1.2e9 });
  assertEquals(time("+.1~+.25"), { kind: "relative-range", fromNs: 1e8, toNs: 2.5e8 });
  assertEquals(time("+.1 ~ .25"), { kind: "relative-range", fromNs: 1e8, toNs: 2.5e8 });
});

Deno.test("a call that blocks says when it returns, as a time of the same kind", () => {
  assertEquals(parse("+0...0.200 accept(3, ..., ...) = 4").events[0].ends, { kind: "relative", ns: 200_000_000 });
  assertEquals(parse("+.1....5 read(4, ..., 9) = 9").events[0].ends, { kind: "relative", ns: 500_000_000 });
  assertEquals(parse("1...2 read(4, ..., 9) = 9").events[0].ends, { kind: "absolute", ns: 2e9 });
  assertEquals(parse("1 read(4, ..., 9) = 9").events[0].ends, null);
});

Deno.test("code is kept as it is written, with the place of its first character", () => {
  const script = parse("0 %{ assert 1 }%\n+0 %{\nx = '`%'\n}%");
  assertEquals(script.events.map((event) => event.action), [
    { kind: "code", text: " assert 1 ", at: { line: 1, column: 5 } },
    { kind: "code", text: "\nx = '`%'\n", at: { line: 2, column: 6 } },
  ]);
});

Deno.test("comments of three kinds are left out, not those in texts, commands and code", () => {
  const script = parse(`/* one
 two ***/ 0 close(3) = 0 // "three
# four \`five
+0 write(3, "// six", 6) = 6 /* seven */ +0 \`# eight\`
+0 %{ x = 1 # nine }%
// ten`);
  assertEquals(script.events.length, 4);
  assertEquals(script.events.map(({ at }) => [at.line, at.column]), [[2, 11], [4, 1], [4, 42], [5, 1]]);
});

Deno.test("symbols are put in where a word stands, as numbers, words, texts or commands", () => {
  const symbols = { PORT: "8080", HEX: "0x10", OCTAL: "010", NAME: "SO_REUSEADDR", TEXT: '"cubic"', END: "`end.sh`" };
  const script = parse("0 f(PORT, HEX, OCTAL, NAME, TEXT, OTHER) = 0\nEND", symbols);
  const [{ action }] = script.events;
  assertEquals(action.kind === "call" && action.args, [
    { kind: "number", value: 8080, text: "8080" },
    { kind: "number", value: 16, text: "0x10" },
    { kind: "number", value: 8, text: "010" },
    { kind: "symbol", name: "SO_REUSEADDR" },
    { kind: "string", text: "cubic" },
    { kind: "symbol", name: "OTHER" },
  ]);
  assertEquals(script.cleanup?.text, "end.sh");
});

Deno.test("words of the language are no symbols", () => {
  const { body } = parse("0 > S 0:0(0) <mss 5>", { mss: "wscale" }).events[0].action as { body: unknown };
  assertEquals((body as { options: unknown[] }).options[0], { kind: "mss", value: 5 });
});

Deno.test("--define adds symbols, and -D wins over it", () => {
  const text = '--define=A=5\n--define=B="b"\n0 f(A, B) = 0';
  const args = (script: Script) => script.events[0].action.kind === "call" && script.events[0].action.args;
  assertEquals(args(parse(text)), [{ kind: "number", value: 5, text: "5" }, { kind: "string", text: "b" }]);
  assertEquals(args(parse(text, { A: "x" })), [{ kind: "symbol", name: "x" }, { kind: "string", text: "b" }]);
});

Deno.test("which ICMP a script speaks is given, or its own option says it", () => {
  const text = "--ip_version=ipv6\n0 < icmp packet_too_big mtu 1400";
  const type = (script: Script) => (script.events[0].action as { body: { type: number } }).body.type;
  assertEquals(type(parse(text)), 2);
  assertEquals(type(parseScript(text, { path: "", symbols: new Map(), ipVersion: "ipv6" })), 2);
  assertThrows(() => parseScript(text, { path: "", symbols: new Map(), ipVersion: "ipv4" }), InputError);
});

Deno.test("what is wrong is told with its place, what was expected and what was found", () => {
  refused("", "1:1", "The script has no events.");
  refused("`init`\n", "2:1", "The script has no events.");
  refused("close(3) = 0", "1:1", 'Expected a time in seconds, found "close".');
  refused(
    "0\n+0 close(3) = 0",
    "2:1",
    'Expected a packet ("<" or ">"), a system call, a command in ` or %{ code }%, found "+".',
  );
  refused("-1 close(3) = 0", "1:1", "A time cannot be negative: -1.");
  refused("* close(3) = 0", "1:1", 'Only a packet that is expected (">") may come at any time ("*").');
  refused("* < . 1:1(0) ack 1 win 5", "1:1", 'Only a packet that is expected (">") may come at any time ("*").');
  refused("1~2 close(3) = 0", "1:1", 'Only a packet that is expected (">") may have a range of times.');
  refused("0 close(3) = 0\n  2~1 > . 1:1(0)", "2:3", "The range of times ends before it begins.");
  refused("1~+2 > . 1:1(0)", "1:3", 'Expected an absolute time, as the range\'s first one is, found "+".');
  refused("2...1 close(3) = 0", "1:2", "The call returns before it begins.");
  refused("1...2 > . 1:1(0)", "1:7", 'Expected a system call, found ">".');
  refused("99999999999 close(3) = 0", "1:1", "The time 99999999999 s is too long.");
  refused(
    "0 close(3) = 0\n`a`\n0 close(3) = 0",
    "3:1",
    "Only commands at the top and at the end stand without a time: an event begins with one.",
  );
  refused(
    "0 close(3) = 0\n--mss=5",
    "2:1",
    "Expected a time in seconds, found the option --mss (options stand at the top of a script).",
  );
  refused("--define=5\n0 close(3)", "1:10", 'Expected NAME=value after --define=, found "5".');
  refused("0 /* x", "1:3", "A comment that opens with /* is never closed: */ is missing.");
  refused("0 `x", "1:3", "A command in backticks is never closed: ` is missing.");
  refused('0 f("x', "1:5", 'A text in double quotes is never closed: " is missing.');
  refused("0 %{ x", "1:3", "Code that opens with %{ is never closed: }% is missing.");
  refused("0 %{\n assert (1\n}%", "3:1", 'The code ends where "(" is still open.');
  refused(
    "+1 %{ import os }%",
    "1:7",
    '"import" is not understood here: expected assert, an assignment, print, if or for.',
  );
});

Deno.test("a byte order mark and Windows line ends do no harm", () => {
  const script = parse("\ufeff0 close(3) = 0\r\n+1 close(4) = 0\r\n");
  assertEquals(script.events.length, 2);
  assertEquals(script.events[1].at, { line: 2, column: 1 });
});

Deno.test("a script of many lines is read in time proportional to its length", () => {
  const line = "+.01 < . 1:1(0) ack 1001 win 257 <sack 2001:3001 4001:5001,nop,nop> // a comment\n";
  const script = parse(line.repeat(20_000));
  assertEquals(script.events.length, 20_000);
  assertEquals(script.events[19_999].at, { line: 20_000, column: 1 });
});

Deno.test("an error shows no more than the beginning of a long token", () => {
  const error = assertThrows(() => parse(`0 ${"x".repeat(1000)}`), InputError);
  assertStringIncludes(error.message, "the end of the script");
  const long = assertThrows(() => parse(`0 f(1 ${"x".repeat(1000)}`), InputError);
  assertEquals(long.message.length < 200, true);
});
