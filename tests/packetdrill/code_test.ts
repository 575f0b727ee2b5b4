import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { type CodeResult, type CodeValue, evaluate } from "../../src/packetdrill/code.ts";

const AT = { line: 10, column: 5 };
const NAMES = new Map<string, CodeValue>([
  ["tcpi_snd_cwnd", 10],
  ["tcpi_options", 0x27],
  ["tcpi_rtt", 30500],
  ["TCPI_OPT_SYN_DATA", 32],
  ["tcpi_max_pacing_rate", 2 ** 64],
]);

function run(code: string, state = new Map<string, CodeValue>(), names = NAMES): CodeResult {
  return evaluate(code, AT, names, state);
}

/** The value of an expression. */
function value(expression: string): CodeValue {
  const state = new Map<string, CodeValue>();
  const result = run(`result = ${expression}`, state);
  if (!result.ok) throw new Error(result.message);
  return state.get("result")!;
}

function fails(code: string, sentence: string, where = "10:5"): void {
  const result = run(code);
  if (result.ok) throw new Error(`${code} holds`);
  assertEquals(result.message, sentence);
  assertEquals(`${result.at.line}:${result.at.column}`, where);
}

function refused(code: string, where: string, sentence: string): void {
  const error = assertThrows(() => evaluate(code, AT, NAMES, new Map(), "a.pkt"), InputError);
  assertEquals(error.message, `a.pkt:${where}: ${sentence}`);
  assertEquals(`${error.line}:${error.column}`, where);
}

Deno.test("an assertion that holds says nothing", () => {
  assertEquals(run("assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd"), { ok: true, printed: [] });
  assertEquals(run("assert (tcpi_options & TCPI_OPT_SYN_DATA) != 0, tcpi_options").ok, true);
  assertEquals(run("").ok, true);
  assertEquals(run("  # nothing\n").ok, true);
});

Deno.test("an assertion that fails shows itself, the values of its names, and its message", () => {
  fails("assert tcpi_snd_cwnd == 11", "assert tcpi_snd_cwnd == 11 does not hold: tcpi_snd_cwnd is 10.", "10:12");
  fails(
    "assert tcpi_snd_cwnd == 11, tcpi_snd_cwnd",
    "assert tcpi_snd_cwnd == 11 does not hold: tcpi_snd_cwnd is 10.",
    "10:12",
  );
  fails(
    "assert 5 <= tcpi_rtt <=\\\n 36, 'rtt=%d' % tcpi_rtt",
    "assert 5 <= tcpi_rtt <=\\ 36 does not hold: tcpi_rtt is 30500 (rtt=30500).",
    "10:12",
  );
  fails("\n\n  assert False, 'never'", "assert False does not hold (never).", "12:10");
  fails(
    "assert min(tcpi_rtt, tcpi_snd_cwnd) > 10",
    "assert min(tcpi_rtt, tcpi_snd_cwnd) > 10 does not hold: tcpi_rtt is 30500, tcpi_snd_cwnd is 10.",
    "10:12",
  );
});

Deno.test("several statements stand on lines or behind semicolons; comments are left out", () => {
  const state = new Map<string, CodeValue>();
  const result = run(
    "\na = 1; b = 2;\n# c = 3\nassert a + b == 3 # 'really'\nprint(a, 'x')\nprint b, a\nprint()\n",
    state,
  );
  assertEquals(result, { ok: true, printed: ["1 x", "2 1", ""] });
  assertEquals([...state], [["a", 1], ["b", 2]]);
});

Deno.test("variables live on in later code, and what the caller names comes before them", () => {
  const state = new Map<string, CodeValue>();
  assertEquals(run("cwnd = 10; tcpi_snd_cwnd = 3; assert tcpi_snd_cwnd == 3", state).ok, true);
  assertEquals(run("cwnd += 5; assert cwnd == 15; assert tcpi_snd_cwnd == 10", state).ok, true);
  assertEquals(state.get("cwnd"), 15);
});

Deno.test("arithmetic is Python's", () => {
  const cases: [string, CodeValue][] = [
    ["1 + 2 * 3", 7],
    ["(1 + 2) * 3", 9],
    ["7 / 2", 3.5],
    ["7 // 2", 3],
    ["-7 // 2", -4],
    ["7 // -2", -4],
    ["-7 % 3", 2],
    ["7 % -3", -2],
    ["2 ** 10", 1024],
    ["-2 ** 2", -4],
    ["2 ** 3 ** 2", 512],
    ["2 ** -1", 0.5],
    ["4 ** 0.5 == 2", true],
    ["9007199254740991 // 3", 3002399751580330],
    ["1 << 40", 2 ** 40],
    ["2 ** 40 >> 38", 4],
    ["0xff & ~0xf", 0xf0],
    ["5 | 2 ^ 1", 7],
    ["-1 & 0xffffffff", 0xffffffff],
    ["1e9 + 0x10 + 0b11 + 0o17 + 1_000", 1e9 + 16 + 3 + 15 + 1000],
    [".5 + 1.", 1.5],
    ["True + True", 2],
    ["10 - 2 - 3", 5],
    ["100 / 10 / 5", 2],
    ["1 if tcpi_snd_cwnd > 5 else 2", 1],
    ["1 if False else 2 if False else 3", 3],
    ["+-+5", -5],
  ];
  for (const [code, expected] of cases) assertEquals([code, value(code)], [code, expected]);
});

Deno.test("comparisons chain, and words join them", () => {
  const cases: [string, CodeValue][] = [
    ["1 < 2 <= 2 < 3", true],
    ["1 < 3 < 2", false],
    ["3 > 2 > 1", true],
    ["1 == 1.0 != 2", true],
    ["not 1 == 2", true],
    ["not not 1", true],
    ["0 or 5", 5],
    ["0 and 5", 0],
    ["1 and 5 or 7", 5],
    ["2 in [1, 2]", true],
    ["2 not in (1, 2)", false],
    ["'a' in 'bar'", true],
    ["None is None", true],
    ["1 is not None", true],
    ["[1, [2]] == [1, [2]]", true],
    ["(1, 2) < (1, 3)", true],
    ["'a' < 'b'", true],
    ["1 == '1'", false],
    ["[1, 2][-1] + (3, 4)[0]", 5],
    ["'abc'[1]", "b"],
  ];
  for (const [code, expected] of cases) assertEquals([code, value(code)], [code, expected]);
});

Deno.test("what comes after a decision is not looked at", () => {
  assertEquals(value("True or nothing"), true);
  assertEquals(value("False and nothing"), false);
  assertEquals(value("2 < 1 < nothing"), false);
});

Deno.test("texts are formatted in three ways", () => {
  const cases: [string, string][] = [
    ["'cwnd=%d' % tcpi_snd_cwnd", "cwnd=10"],
    ["'%s and %r: %5d|%-5d|%05d|%+d' % ('a', 'b', 1, 2, -3, 4)", "a and 'b':     1|2    |-0003|+4"],
    [
      "'%.2f %e %g %x %X %#x %o %c%%' % (1.005, 12345, 0.5, 255, 255, 255, 8, 65)",
      "1.00 1.234500e+4 0.5 ff FF 0xff 10 A%",
    ],
    ["'%d' % 3.9", "3"],
    ["'%s' % [1, 'a', None, True]", "[1, 'a', None, True]"],
    ["'a' 'b' \"c\"", "abc"],
    ["'{} {1} {0:x} {{}}'.format(10, 2)", "10 2 a {}"],
    ["f'cwnd={tcpi_snd_cwnd:04d} rtt={tcpi_rtt / 1000:.1f} {{}}'", "cwnd=0010 rtt=30.5 {}"],
    ["'{:>5}|{:<5}|{:^5}|{:,}'.format('a', 'b', 'c', 1234567)", "    a|b    |  c  |1,234,567"],
    ["'a\\tb\\x41\\'' + r'\\n' + '''x\ny'''", "a\tbA'\\nx\ny"],
    ["str(2 ** 53) + repr('x') + str(None)", "9007199254740992'x'None"],
    ["'ab' * 3", "ababab"],
  ];
  for (const [code, expected] of cases) assertEquals([code, value(code)], [code, expected.replace("e+4", "e+04")]);
});

Deno.test("there are a few functions", () => {
  const cases: [string, CodeValue][] = [
    ["min(3, 1, 2) + max([4, 6, 5])", 7],
    ["abs(-3)", 3],
    ["int(3.9) + int(-3.9) + int('12') + int('ff', 16) + int('0x10', 0)", 283],
    ["float('1.5')", 1.5],
    ["len([1, 2]) + len('abc')", 5],
    ["[round(2.5), round(3.5), round(2.567, 2), round(1250, -2)]", [2, 4, 2.57, 1200]],
    ["hex(255) + bin(5) + oct(8) + hex(-1)", "0xff0b1010o10-0x1"],
    ["divmod(-7, 2)", [-4, 1]],
    ["list(range(3)) + list(range(5, 1, -2))", [0, 1, 2, 5, 3]],
    ["sum([1, 2, 3]) + sorted([3, 1])[0]", 7],
    ["all([1, 0]) or any([0, 1])", true],
  ];
  for (const [code, expected] of cases) assertEquals([code, value(code)], [code, expected]);
});

Deno.test("blocks go by indentation", () => {
  const code = `
    if tcpi_snd_cwnd > 100:
      x = 1
    elif tcpi_snd_cwnd > 5:
        x = 2
        if True: x += 1; y = 0

        # a comment at any column
  # such as this
        for i in range(4):
          y += i
    else:
      x = 4
    assert (x,
 y) == (3, 6)
  `;
  assertEquals(run(code), { ok: true, printed: [] });
  assertEquals(run("if False: assert False").ok, true);
  assertEquals(run("if True:\n  pass\nassert 1").ok, true);
});

Deno.test("code on the line of %{ goes on at the indentation of the next line", () => {
  assertEquals(run("a = 1\n     assert a == 1\n     assert a < 2").ok, true);
});

Deno.test("what goes wrong when it runs is a failure with its place", () => {
  fails("assert tcpi_foo == 1", 'There is no name "tcpi_foo".', "10:12");
  fails("x = 1 / 0", "Division by zero.", "10:9");
  fails("x = 'a' - 1", "'a' is not a number.", "10:9");
  fails("x = 1.5 & 1", "1.5 is not an integer.", "10:9");
  fails("x += 1", '"x" has no value yet.', "10:5");
  fails(
    "\nfrob(1)",
    'There is no function "frob": there are min, max, sum, abs, int, float, bool, len, round, str, repr, hex, oct, bin, divmod, range, list, tuple, sorted, all, any.',
    "11:1",
  );
  fails("abs(1, 2)", '"abs" takes 1 arguments, not 2.');
  fails("x = [1][5]", "There is no item 5: [1] has 1.", "10:9");
  fails("x = '%d %d' % 1", "'%d %d' asks for more values than the 1 given.", "10:9");
  fails("x = '%d' % (1, 2)", "'%d' leaves 1 values unused.", "10:9");
  fails("x = 'a'.upper()", "There is no method \"upper\" of 'a'.", "10:9");
  fails("for x in 5: pass", '"for" needs a list, not 5.', "10:14");
});

Deno.test("what is not of the language is refused with its place", () => {
  refused("assert", "10:11", "Expected a value, found the line's end.");
  refused("a = = 1", "10:9", 'Expected a value, found "=".');
  refused("assert (1 == 1", "10:19", 'The code ends where "(" is still open.');
  refused("assert 1]", "10:13", '"]" closes nothing that is open here.');
  refused("x = 'abc\ny = 1", "10:9", "A text is never closed: ' is missing.");
  refused("\ndef f(): pass", "11:1", '"def" is not understood here: expected assert, an assignment, print, if or for.');
  refused("x = 1 2", "10:11", 'Expected the line\'s end or an operator, found "2".');
  refused("x = 5px", "10:9", '"5" runs into a name.');
  refused("x = $", "10:9", '"$" means nothing in code.');
  refused("if True:\nx = 1", "11:1", 'Expected an indented block, found "x".');
  refused("\nx = 1\n  y = 2", "12:3", "This line is indented, and no block begins here.");
  refused("\nif 1:\n    x = 1\n  y = 2", "13:3", "This line's indentation is that of no block.");
  refused("x = f'{1'", "10:9", "A single \"{\" in an f'...' text.");
  refused("x = 1 if 2", "10:15", 'Expected "else", found the line\'s end.');
  refused("if = 3", "10:8", 'Expected a value, found "=".');
});

Deno.test("nothing outside can be reached", () => {
  for (const name of ["constructor", "__proto__", "toString", "Deno", "globalThis", "eval", "hasOwnProperty"]) {
    assertEquals(run(`x = ${name}`).ok, false);
    assertEquals(run(`x = ${name}()`).ok, false);
    assertEquals(run(`x = 'a'.${name}()`).ok, false);
  }
});

Deno.test("length, depth, steps and sizes are bounded", () => {
  assertThrows(() => run("1" + "+1".repeat(100_000)), InputError, "longer than 100000 characters");
  assertThrows(() => run("(".repeat(5000) + "1" + ")".repeat(5000)), InputError, "nested more than 100 levels");
  assertThrows(() => run("not ".repeat(5000) + "1"), InputError, "nested more than 100 levels");
  assertThrows(() => run("x = " + "-".repeat(5000) + "1"), InputError, "nested more than 100 levels");
  const failures: [string, string][] = [
    ["x = 1" + "+1".repeat(5000), "nested more than 600 levels"],
    ["for i in range(1000000): x = i\nfor i in range(1000000): x = i", "more than 1000000 steps"],
    ["x = 'a' * 10000000", "more than 1000000 items"],
    ["x = [1] * 1000\nfor i in range(100): x = x + x", "more than 1000000 items"],
    ["x = range(10000000)", "more than 1000000 items"],
    ["x = 1 << 5000", "0 to 1023 bits"],
    ["for i in range(100000): print(i)", "prints more than 10000 lines"],
  ];
  for (const [code, sentence] of failures) {
    const result = run(code);
    assertEquals(result.ok, false);
    if (!result.ok) assertStringIncludes(result.message, sentence);
  }
  assertEquals(value("2 ** 1000 > 2 ** 64"), true);
  assertEquals(value("tcpi_max_pacing_rate >> 60"), 16);
});
