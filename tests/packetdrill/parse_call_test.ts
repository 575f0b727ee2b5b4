import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { parseScript } from "../../src/packetdrill/parser.ts";
import type { CallAction, Value } from "../../src/packetdrill/script.ts";

function call(text: string): CallAction {
  const { action } = parseScript(`0 ${text}\n+0 close(9) = 0`, { path: "a.pkt", symbols: new Map() }).events[0];
  if (action.kind !== "call") throw new Error(action.kind);
  return action;
}

const value = (text: string): Value => call(`f(${text}) = 0`).args[0];
const number = (n: number, text = String(n)): Value => ({ kind: "number", value: n, text });
const symbol = (name: string): Value => ({ kind: "symbol", name });
const field = (name: string | null, of: Value, argument: Value | null = null) => ({ name, argument, value: of });
const ANY: Value = { kind: "any" };

function refused(text: string, column: number, sentence: string): void {
  const error = assertThrows(() => call(text), InputError);
  assertEquals(error.message, `a.pkt:1:${column + 2}: ${sentence}`);
}

Deno.test("a call has a name, arguments and a result", () => {
  assertEquals(call("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3"), {
    kind: "call",
    name: "socket",
    args: [ANY, symbol("SOCK_STREAM"), symbol("IPPROTO_TCP")],
    result: number(3),
    errno: null,
    note: null,
  });
  assertEquals(call("sync() = 0").args, []);
});

Deno.test("an error has a name and a comment, each may be missing", () => {
  const result = (text: string) => {
    const { result, errno, note } = call(`read(4, ..., 9)${text}`);
    return [result, errno, note];
  };
  assertEquals(result(" = -1 EAGAIN (Resource temporarily unavailable)"), [
    number(-1),
    "EAGAIN",
    "Resource temporarily unavailable",
  ]);
  assertEquals(result(" = -1 ECONNRESET(Connection (really) reset)"), [
    number(-1),
    "ECONNRESET",
    "Connection (really) reset",
  ]);
  assertEquals(result(" = -1 EPIPE"), [number(-1), "EPIPE", null]);
  assertEquals(result(" = -1 (Invalid Argument)"), [number(-1), null, "Invalid Argument"]);
  assertEquals(result(" = ..."), [ANY, null, null]);
  assertEquals(result(" = ?"), [null, null, null]);
  assertEquals(result(""), [null, null, null]);
  assertEquals(result(" = O_RDWR|O_NONBLOCK (flags)"), [
    { kind: "or", parts: [symbol("O_RDWR"), symbol("O_NONBLOCK")] },
    null,
    "flags",
  ]);
});

Deno.test("numbers are decimal or hexadecimal, and may be negative", () => {
  assertEquals(value("17"), number(17));
  assertEquals(value("-17"), number(-17));
  assertEquals(value("010"), number(10, "010"));
  assertEquals(value("0xfF"), number(255, "0xfF"));
  assertEquals(value("1.5"), number(1.5));
  assertEquals(value("-SOL_IP"), { kind: "negated", operator: "-", value: symbol("SOL_IP") });
  assertEquals(value("~0x1"), { kind: "negated", operator: "~", value: number(1, "0x1") });
  assertEquals(value("5~10"), { kind: "range", from: 5, to: 10 });
});

Deno.test("texts have escapes, follow one another, and may be cut", () => {
  assertEquals(value('""'), { kind: "string", text: "" });
  assertEquals(value('"a b"'), { kind: "string", text: "a b" });
  assertEquals(value('"\\"\\\\\\n\\t\\r\\v\\f\\x00\\xfF"'), { kind: "string", text: '"\\\n\t\r\v\f\0\xff' });
  assertEquals(value('"ab"...'), { kind: "string", text: "ab" });
  assertEquals(value('"ab" "cd"\n "e"'), { kind: "string", text: "abcde" });
  assertEquals(value('"a\nb"'), { kind: "string", text: "a\nb" });
});

Deno.test("lists and alternatives nest", () => {
  assertEquals(value("[]"), { kind: "list", items: [] });
  assertEquals(value("[1, [A]]"), { kind: "list", items: [number(1), { kind: "list", items: [symbol("A")] }] });
  assertEquals(value("A|B|0x4"), { kind: "or", parts: [symbol("A"), symbol("B"), number(4, "0x4")] });
  assertEquals(value("(A|B)"), { kind: "or", parts: [symbol("A"), symbol("B")] });
  assertEquals(value("[K=5]"), { kind: "list", items: [{ kind: "struct", fields: [field("K", number(5))] }] });
});

Deno.test("structures have fields with names, with arguments, or with neither", () => {
  assertEquals(value("{onoff=1, linger=5}"), {
    kind: "struct",
    fields: [field("onoff", number(1)), field("linger", number(5))],
  });
  assertEquals(value("{..., 1000}"), { kind: "struct", fields: [field(null, ANY), field(null, number(1000))] });
  assertEquals(value("{}"), { kind: "struct", fields: [] });
  assertEquals(value("{{a=1}}"), {
    kind: "struct",
    fields: [field(null, { kind: "struct", fields: [field("a", number(1))] })],
  });
  assertEquals(value("{fd=4, events=POLLIN|POLLOUT, revents=0}"), {
    kind: "struct",
    fields: [
      field("fd", number(4)),
      field("events", { kind: "or", parts: [symbol("POLLIN"), symbol("POLLOUT")] }),
      field("revents", number(0)),
    ],
  });
});

Deno.test("a message header has all its parts", () => {
  const parsed = value(
    "{msg_name(...)=..., msg_iov(2)=[{..., 10}, {...,20}], msg_flags=MSG_ERRQUEUE, " +
      "msg_control=[{cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={ee_errno=EHOSTUNREACH, ee_origin=2}}]}",
  );
  const iovec = (n: number): Value => ({ kind: "struct", fields: [field(null, ANY), field(null, number(n))] });
  assertEquals(parsed, {
    kind: "struct",
    fields: [
      field("msg_name", ANY, ANY),
      field("msg_iov", { kind: "list", items: [iovec(10), iovec(20)] }, number(2)),
      field("msg_flags", symbol("MSG_ERRQUEUE")),
      field("msg_control", {
        kind: "list",
        items: [{
          kind: "struct",
          fields: [
            field("cmsg_level", symbol("SOL_IP")),
            field("cmsg_type", symbol("IP_RECVERR")),
            field("cmsg_data", {
              kind: "struct",
              fields: [field("ee_errno", symbol("EHOSTUNREACH")), field("ee_origin", number(2))],
            }),
          ],
        }],
      }),
    ],
  });
});

Deno.test("an address is a structure of functions", () => {
  assertEquals(value('{sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")}'), {
    kind: "struct",
    fields: [
      field("sa_family", symbol("AF_INET")),
      field("sin_port", { kind: "function", name: "htons", args: [number(8080)] }),
      field("sin_addr", { kind: "function", name: "inet_addr", args: [{ kind: "string", text: "192.0.2.1" }] }),
    ],
  });
});

Deno.test("what is wrong with a call is told with its place", () => {
  refused("close 3 = 0", 7, 'Expected "(" after the system call\'s name "close", found "3".');
  refused("close(3 = 0", 9, 'Expected "," or ")" in the arguments, found "=".');
  refused("close(,) = 0", 7, 'Expected a value, found ",".');
  refused("close(3) = ]", 12, 'Expected a result, found "]".');
  refused("f([1, 2) = 0", 8, 'Expected "," or "]" in a list, found ")".');
  refused("f({a=1) = 0", 7, 'Expected "}" at the end of a structure, or "," between its fields, found ")".');
  refused("f({g(1, 2)=3}) = 0", 4, "Expected one argument: g(...)=..., found 2.");
  refused('f("\\q") = 0', 3, '"\\q" in a text means nothing.');
  refused('f("\\x1") = 0', 3, '"\\x1" has to be \\x and two hexadecimal digits.');
  refused("f(9~5) = 0", 5, "The range 9~5 ends before it begins.");
  refused("read(4) = -1 EAGAIN (Resource", 21, 'A comment in brackets is never closed: ")" is missing.');
});

Deno.test("values nested too deeply are refused, not a crash", () => {
  const deep = (n: number) => `f(${"[".repeat(n)}${"]".repeat(n)}) = 0`;
  assertEquals(call(deep(30)).args.length, 1);
  for (
    const text of [
      deep(100_000),
      `f(${"-".repeat(100_000)}x)`,
      `f(${"{a=".repeat(100_000)}`,
      `f(${"g(".repeat(100_000)}`,
    ]
  ) {
    assertThrows(() => call(text), InputError, "nested more than 64 levels");
  }
});
