import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { InputError } from "../../src/base/errors.ts";
import { compileCode, runCode } from "../../src/packetdrill/code.ts";
import { interpretCommands } from "../../src/packetdrill/commands.ts";
import { parseScript } from "../../src/packetdrill/parser.ts";
import { applySysctl, packetdrillProfile } from "../../src/packetdrill/sysctl.ts";
import type { EventTime, OptionSpec, TcpBody, Value } from "../../src/packetdrill/script.ts";
import { TCP_FLAG } from "../../src/wire/packet.ts";

/** What is written, and what must come back. */
type Pair<T> = [text: string, tree: T];

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const space = fc.constantFrom(" ", "  ", "\t", "\n", " // comment\n", " /* a * b */ ");
const fraction = fc.integer({ min: 0, max: 999_999_999 });

const seconds: fc.Arbitrary<Pair<number>> = fc.tuple(fc.integer({ min: 0, max: 1e6 }), fraction).map((
  [whole, part],
) => [
  `${whole}.${String(part).padStart(9, "0")}`,
  whole * 1e9 + part,
]);

const outboundTime: fc.Arbitrary<Pair<EventTime>> = fc.oneof(
  seconds.map(([text, ns]): Pair<EventTime> => [text, { kind: "absolute", ns }]),
  seconds.map(([text, ns]): Pair<EventTime> => [`+${text}`, { kind: "relative", ns }]),
  fc.constant<Pair<EventTime>>(["*", { kind: "any" }]),
  fc.tuple(seconds, seconds, fc.boolean()).map(([a, b, relative]): Pair<EventTime> => {
    const [[from, fromNs], [to, toNs]] = a[1] <= b[1] ? [a, b] : [b, a];
    return relative
      ? [`+${from}~+${to}`, { kind: "relative-range", fromNs, toNs }]
      : [`${from}~${to}`, { kind: "absolute-range", fromNs, toNs }];
  }),
);

const flags: fc.Arbitrary<Pair<number>> = fc.subarray(["F", "S", "R", "P", ".", "U", "E", "W", "A"]).map((letters) => {
  const bits: Record<string, number> = {
    F: TCP_FLAG.FIN,
    S: TCP_FLAG.SYN,
    R: TCP_FLAG.RST,
    P: TCP_FLAG.PSH,
    ".": TCP_FLAG.ACK,
    U: TCP_FLAG.URG,
    E: TCP_FLAG.ECE,
    W: TCP_FLAG.CWR,
    A: TCP_FLAG.AE,
  };
  return [letters.join("") || "-", letters.reduce((sum, letter) => sum | bits[letter], 0)];
});

const cookie = fc.uint8Array({ minLength: 0, maxLength: 8 });
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const option: fc.Arbitrary<[string, OptionSpec, number]> = fc.oneof(
  fc.constantFrom("nop", "eol").map((kind): [string, OptionSpec, number] => [kind, { kind: kind as "nop" }, 1]),
  fc.constant<[string, OptionSpec, number]>(["sackOK", { kind: "sackOK" }, 2]),
  u16.map((value): [string, OptionSpec, number] => [`mss ${value}`, { kind: "mss", value }, 4]),
  fc.integer({ min: 0, max: 255 }).map((
    shift,
  ): [string, OptionSpec, number] => [`wscale ${shift}`, { kind: "wscale", shift }, 3]),
  fc.tuple(u32, u32).map(([value, echo]): [string, OptionSpec, number] => [
    `TS val ${value} ecr ${echo}`,
    { kind: "TS", value, echo },
    10,
  ]),
  fc.array(fc.record({ left: u32, right: u32 }), { minLength: 1, maxLength: 2 }).map((
    blocks,
  ): [string, OptionSpec, number] => [
    `sack ${blocks.map(({ left, right }) => `${left}:${right}`).join(" ")}`,
    { kind: "sack", blocks },
    2 + 8 * blocks.length,
  ]),
  cookie.map((
    bytes,
  ): [string, OptionSpec, number] => [`FO ${hex(bytes)}`, { kind: "FO", cookie: bytes }, 2 + bytes.length]),
  cookie.map((
    bytes,
  ): [string, OptionSpec, number] => [`FOEXP ${hex(bytes)}`, { kind: "FOEXP", cookie: bytes }, 4 + bytes.length]),
);

const options: fc.Arbitrary<Pair<TcpBody["options"]>> = fc.oneof(
  fc.constant<Pair<TcpBody["options"]>>([" <...>", "any"]),
  fc.array(option, { maxLength: 6 }).map((chosen): Pair<TcpBody["options"]> => {
    const kept: typeof chosen = [];
    let bytes = 0;
    for (const each of chosen) {
      if (bytes + each[2] > 36) continue;
      kept.push(each);
      bytes += each[2];
    }
    for (; bytes % 4 !== 0; bytes++) kept.push(["nop", { kind: "nop" }, 1]);
    return [kept.length === 0 ? "" : ` <${kept.map(([text]) => text).join(",")}>`, kept.map(([, tree]) => tree)];
  }),
);

const segment: fc.Arbitrary<Pair<TcpBody>> = fc.record({
  ports: fc.option(fc.record({ source: u16, destination: u16 })),
  flags,
  seq: u32,
  length: u16,
  ack: fc.option(u32),
  window: fc.option(u16),
  urgent: fc.option(u16),
  options,
  space,
}).map((chosen) => {
  const { ports, seq, length, ack, window, urgent, space } = chosen;
  const end = (seq + length) % 2 ** 32;
  const said = (name: string, n: number | null) => n === null ? "" : `${space}${name}${space}${n}`;
  const text =
    `${ports ? `${ports.source}>${ports.destination} ` : ""}${chosen.flags[0]}${space}${seq}:${end}(${length})` +
    `${said("ack", ack)}${said("win", window)}${said("urg", urgent)}${chosen.options[0]}`;
  return [text, {
    kind: "tcp",
    ports,
    flags: chosen.flags[1],
    ace: null,
    seq,
    end,
    length,
    ack,
    window,
    urgent,
    options: chosen.options[1],
  }];
});

const name = fc.stringMatching(/^[A-Z][A-Z_0-9]{2,8}$/);
const plainText = fc.stringMatching(/^[ a-zA-Z0-9.,:]{0,12}$/);

const { value } = fc.letrec<{ value: Pair<Value>; leaf: Pair<Value> }>((tie) => ({
  leaf: fc.oneof(
    fc.constant<Pair<Value>>(["...", { kind: "any" }]),
    fc.integer().map((n): Pair<Value> => [String(n), { kind: "number", value: n, text: String(n) }]),
    u32.map((n): Pair<Value> => [`0x${n.toString(16)}`, { kind: "number", value: n, text: `0x${n.toString(16)}` }]),
    name.map((symbol): Pair<Value> => [symbol, { kind: "symbol", name: symbol }]),
    plainText.map((text): Pair<Value> => [`"${text}"`, { kind: "string", text }]),
    name.map((
      symbol,
    ): Pair<Value> => [`-${symbol}`, { kind: "negated", operator: "-", value: { kind: "symbol", name: symbol } }]),
  ),
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    tie("leaf"),
    fc.array(tie("leaf"), { minLength: 2, maxLength: 3 }).map((parts): Pair<Value> => [
      parts.map(([text]) => text).join("|"),
      { kind: "or", parts: parts.map(([, tree]) => tree) },
    ]),
    fc.array(tie("value"), { maxLength: 3 }).map((items): Pair<Value> => [
      `[${items.map(([text]) => text).join(", ")}]`,
      { kind: "list", items: items.map(([, tree]) => tree) },
    ]),
    fc.tuple(name, fc.array(tie("value"), { maxLength: 2 })).map(([called, args]): Pair<Value> => [
      `${called}(${args.map(([text]) => text).join(",")})`,
      { kind: "function", name: called, args: args.map(([, tree]) => tree) },
    ]),
    fc.array(fc.record({ name: fc.option(name), argument: fc.option(tie("value")), value: tie("value") }), {
      maxLength: 3,
    }).map(
      (fields): Pair<Value> => [
        `{${
          fields.map(({ name, argument, value }) => {
            return name === null ? value[0] : `${name}${argument === null ? "" : `(${argument[0]})`}=${value[0]}`;
          }).join(", ")
        }}`,
        {
          kind: "struct",
          fields: fields.map(({ name, argument, value }) => {
            return { name, argument: name === null ? null : argument?.[1] ?? null, value: value[1] };
          }),
        },
      ],
    ),
  ),
}));

const NO_SYMBOLS: ReadonlyMap<string, string> = new Map();

Deno.test("a segment that is written comes back", () => {
  fc.assert(fc.property(outboundTime, segment, space, ([timeText, time], [text, body], gap) => {
    const script = parseScript(`${timeText}${gap}> ${text}`, { path: "", symbols: NO_SYMBOLS });
    assertEquals(script.events.length, 1);
    assertEquals(script.events[0].time, time);
    const { action } = script.events[0];
    assert(action.kind === "packet");
    assertEquals(action.body, body);
  }));
});

Deno.test("a call that is written comes back", () => {
  fc.assert(fc.property(fc.array(value, { maxLength: 4 }), value, space, (args, result, gap) => {
    // A word in front of a bracket is no function in a result.
    fc.pre(!/^-?[A-Z]/.test(result[0]));
    const text = `0 call(${args.map(([text]) => text).join(`,${gap}`)})${gap}=${gap}${result[0]}\n+0 close(3) = 0`;
    const script = parseScript(text, { path: "", symbols: NO_SYMBOLS });
    assertEquals(script.events.length, 2);
    const { action } = script.events[0];
    assert(action.kind === "call");
    assertEquals(action.args, args.map(([, tree]) => tree));
    assertEquals(action.result, result[1]);
  }));
});

const PIECES = [
  ...'+0 1.5 ... ~ * < > . , : ; = | - ( ) [ ] { } " ` %{ }% // /* */ # \n \\ S. P. F 1:1(0) 0:10(10) ack win urg mss nop'
    .split(" "),
  ..."sack TS val ecr FO FOEXP icmp unreachable mtu udp socket accept -1 EAGAIN A|B 0x1f --mss=5 --define=X=5 'x' tos ttl"
    .split(" "),
  ..."assert if else: for in not and or == <= ** << % f'{a}' $((1+2)) ${PPID} $X && || sysctl echo > /proc/sys/net/x tc ip"
    .split(" "),
  "\n",
  "\n  ",
  " ",
  "\t",
  "\0",
  "é",
  "😀",
];
const mess = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((pieces) => pieces.join(" ")),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((pieces) => pieces.join("")),
  fc.string({ unit: "binary", maxLength: 60 }),
);

/** Runs what may refuse its input, but not crash. */
function survives(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    assert(/[.?]$/.test(error.message) && error.line !== undefined && error.column !== undefined, error.message);
    assert(error.line >= 1 && error.column >= 1, error.message);
  }
}

Deno.test("no text makes the parser do anything but parse it or refuse it with a place", () => {
  fc.assert(
    fc.property(mess, fc.constantFrom("", "0 ", "0 > ", "0 < S 0:0(0) win 5 <", "0 f(", "+0 %{"), (text, start) => {
      survives(() => parseScript(start + text, { path: "x", symbols: new Map([["X", "`"], ["A", '"'], ["F", "5"]]) }));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("no text makes the code's evaluator crash", () => {
  fc.assert(
    fc.property(mess, (text) => {
      survives(() => {
        const result = runCode(compileCode(text, { line: 1, column: 1 }), new Map([["a", 5]]), new Map());
        if (!result.ok) assert(result.at.line >= 1 && result.at.column >= 1 && result.message.endsWith("."));
      });
    }),
    { numRuns: 3000 },
  );
});

Deno.test("no command and no setting crashes the interpreters", () => {
  fc.assert(
    fc.property(
      mess,
      fc.constantFrom("", "sysctl ", "tc qdisc add ", "ip route add ", "ip link set ", "echo 5 > "),
      (text, start) => {
        for (const effect of interpretCommands(start + text)) {
          if (effect.kind === "none") assert(effect.why !== "");
          if (effect.kind === "sysctl") applySysctl(packetdrillProfile, effect.name, effect.value);
        }
      },
    ),
    { numRuns: 3000 },
  );
});
