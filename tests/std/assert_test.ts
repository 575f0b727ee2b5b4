import * as std from "@std/assert";
import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertInstanceOf,
  AssertionError,
  assertIsError,
  assertMatch,
  assertNotEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unimplemented,
  unreachable,
} from "@std/assert";
import nodeAssert from "node:assert/strict";

/** Fails unless `fn` throws an AssertionError with this in its message; does not trust the module under test. */
function failsWith(message: string, fn: () => void): void {
  try {
    fn();
  } catch (error) {
    nodeAssert.ok(error instanceof AssertionError, `${error}`);
    nodeAssert.ok(error.message.includes(message), error.message);
    return;
  }
  nodeAssert.fail(`passed, and should have failed with: ${message}`);
}

Deno.test("values are equal in depth as @std/assert has it", () => {
  const cycle: Record<string, unknown> = { a: 1 };
  cycle.self = cycle;
  const sameCycle: Record<string, unknown> = { a: 1 };
  sameCycle.self = sameCycle;
  const pairs: [unknown, unknown][] = [
    [NaN, NaN],
    [0, -0],
    [{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }],
    [new Map([["a", { x: 1 }], ["b", { x: 2 }]]), new Map([["b", { x: 2 }], ["a", { x: 1 }]])],
    [new Set([{ a: 1 }, { a: 2 }]), new Set([{ a: 2 }, { a: 1 }])],
    [new Date(5), new Date(5)],
    [/a/g, /a/g],
    [new URL("http://a/"), new URL("http://a")],
    [new Uint8Array([1, 2]), new Uint8Array([0, 1, 2]).subarray(1)],
    [new Float64Array([NaN, 0]), new Float64Array([NaN, -0])],
    [new Error("a"), new Error("a")],
    [Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    [10n, 10n],
    [cycle, sameCycle],
  ];
  for (const [a, b] of pairs) {
    nodeAssert.ok(equal(a, b));
    assertEquals(a, b);
    failsWith("not to be", () => assertNotEquals(a, b));
  }
});

Deno.test("values that differ in type, constructor, keys, order or bytes are not equal", () => {
  class Point {
    x = 1;
  }
  const pairs: [unknown, unknown][] = [
    [1, "1"],
    [null, undefined],
    [{ a: undefined }, {}],
    [{ a: undefined }, { b: undefined }],
    [[1, 2], [2, 1]],
    [[1, 2], [1, 2, 3]],
    [[], {}],
    [new Point(), { x: 1 }],
    [new Map([[1, 2]]), new Map([[1, 3]])],
    [new Set([1, 2]), new Set([1, 3])],
    [new Set([1]), new Set([1, 2])],
    [new Uint8Array([1]), new Int8Array([1])],
    [new Uint8Array([1]), new Uint8Array([2])],
    [new Date(5), new Date(6)],
    [/a/g, /a/i],
    [new Error("a"), new Error("b")],
    [new Error("a"), new TypeError("a")],
    [new Error("a", { cause: 1 }), new Error("a", { cause: 2 })],
    [{ [Symbol.for("a")]: 1 }, { [Symbol.for("a")]: 2 }],
    [() => 1, () => 1],
  ];
  for (const [a, b] of pairs) {
    nodeAssert.ok(!equal(a, b));
    nodeAssert.ok(!equal(b, a));
    assertNotEquals(a, b);
    failsWith("Values are not equal", () => assertEquals(a, b));
  }
});

Deno.test("a failed comparison shows what differs and the caller's message", () => {
  failsWith("+   b: 3", () => assertEquals({ a: 1, b: 3 }, { a: 1, b: 2 }));
  failsWith("Values are not equal: the ports", () => assertEquals(1, 2, "the ports"));
  failsWith("1 !== 2", () => assertEquals(1, 2));
});

Deno.test("simple assertions pass and fail where they should", () => {
  const object = {};
  const cases: [() => void, () => void][] = [
    [() => assert(1), () => assert(0)],
    [() => assertFalse(""), () => assertFalse("x")],
    [() => assertStrictEquals<unknown>(object, object), () => assertStrictEquals<unknown>(object, {})],
    [() => std.assertNotStrictEquals(object, {}), () => std.assertNotStrictEquals(object, object)],
    [() => std.assertGreater(2, 1), () => std.assertGreater(1, 1)],
    [() => std.assertGreaterOrEqual(1, 1), () => std.assertGreaterOrEqual(0, 1)],
    [() => std.assertLess(0, 1), () => std.assertLess(1, 1)],
    [() => std.assertLessOrEqual(1, 1), () => std.assertLessOrEqual(2, 1)],
    [() => assertMatch("abc", /b/), () => assertMatch("abc", /x/)],
    [() => std.assertNotMatch("abc", /x/), () => std.assertNotMatch("abc", /b/)],
    [() => assertStringIncludes("abc", "bc"), () => assertStringIncludes("abc", "cb")],
    [() => assertExists(0), () => assertExists(null)],
    [() => assertExists(""), () => assertExists(undefined)],
    [() => assertInstanceOf(new Date(), Date), () => assertInstanceOf({}, Date)],
    [() => std.assertNotInstanceOf({}, Date), () => std.assertNotInstanceOf(new Date(), Date)],
    [() => assertAlmostEquals(1, 1 + 1e-8), () => assertAlmostEquals(1, 1 + 1e-6)],
    [() => assertAlmostEquals(1, 1.4, 0.5), () => assertAlmostEquals(1, 1.6, 0.5)],
    [() => assertAlmostEquals(Infinity, Infinity), () => assertAlmostEquals(1, NaN)],
    [() => assertArrayIncludes([1, { a: 1 }], [{ a: 1 }]), () => assertArrayIncludes([1], [2])],
    [
      () => assertObjectMatch({ a: 1, b: { c: 2, d: 3 } }, { b: { c: 2 } }),
      () => assertObjectMatch({ a: 1 }, { a: 2 }),
    ],
    [() => assertObjectMatch({ a: 1 }, {}), () => assertObjectMatch({}, { a: undefined })],
    [() => assertIsError(new TypeError("abc"), TypeError, "bc"), () => assertIsError("abc")],
    [() => assertIsError(new Error("abc"), Error, /b./), () => assertIsError(new Error("abc"), TypeError)],
  ];
  for (const [passes, fails] of cases) {
    passes();
    failsWith("", fails);
  }
  failsWith("Failed assertion: here", () => fail("here"));
  failsWith("Unreachable: here", () => unreachable("here"));
  failsWith("Unimplemented: here", () => unimplemented("here"));
});

Deno.test("assertThrows returns the error, and checks class and message", () => {
  const error = new RangeError("too far");
  const thrower = () => {
    throw error;
  };
  assertStrictEquals(assertThrows(thrower), error);
  const range: RangeError = assertThrows(thrower, RangeError, "far");
  assertStrictEquals(range, error);
  failsWith("Expected function to throw: here", () => assertThrows(() => {}, "here"));
  failsWith("Expected function to throw", () => assertThrows(() => {}, Error));
  failsWith('to be instance of "TypeError"', () => assertThrows(thrower, TypeError));
  failsWith("Expected error message to include", () => assertThrows(thrower, RangeError, "near"));
  failsWith("to be an Error object", () =>
    assertThrows(() => {
      throw "text";
    }, Error));
});

Deno.test("assertRejects gives the error, and does not take a synchronous throw", async () => {
  const error = new RangeError("too far");
  assertStrictEquals(await assertRejects(() => Promise.reject(error)), error);
  const range: RangeError = await assertRejects(() => Promise.reject(error), RangeError, "far");
  assertStrictEquals(range, error);
  const failed = async (fn: () => PromiseLike<unknown>, message: string) => {
    const error = await assertRejects(fn, AssertionError);
    assertStringIncludes(error.message, message);
  };
  await failed(() => assertRejects(() => Promise.resolve(1)), "Expected function to reject");
  await failed(() => assertRejects(() => Promise.reject(error), TypeError), 'instance of "TypeError"');
  await failed(
    () =>
      assertRejects(() => {
        throw error;
      }),
    "throws when expected to reject",
  );
});

Deno.test("types are narrowed", () => {
  const value: unknown = new Date(7);
  assertInstanceOf(value, Date);
  assertEquals(value.getTime(), 7);
  const maybe = [1].at(0);
  assertExists(maybe);
  assertEquals(maybe + 1, 2);
});
