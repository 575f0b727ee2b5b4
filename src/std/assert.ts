/**
 * The assertions of `@std/assert` (JSR) under the same names and signatures, for where JSR is out of reach. Differences
 * are shown by `node:assert/strict`. `deno.jsr.json` maps the name to the real module instead.
 *
 * @module
 */
import nodeAssert from "node:assert/strict";
import { inspect } from "node:util";
import { equal } from "./equal.ts";

export { equal };

/** What a failed assertion throws. */
export class AssertionError extends Error {
  /** `message` says what was expected and what was found. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

/** Any constructor, abstract ones included. */
// deno-lint-ignore no-explicit-any
export type AnyConstructor = abstract new (...args: any[]) => any;

/** What a constructor makes. */
export type GetConstructorType<C extends AnyConstructor> = InstanceType<C>;

/** A class of errors. */
// deno-lint-ignore no-explicit-any
export type ErrorConstructor<E extends Error = Error> = abstract new (...args: any[]) => E;

function show(value: unknown): string {
  return inspect(value, { depth: 5, breakLength: 100, maxStringLength: 2000 });
}

function failWith(what: string, msg: string | undefined): never {
  throw new AssertionError(msg === undefined ? `${what}.` : `${what}: ${msg}`);
}

/** Fails unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** A value of a type that holds nothing true. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/** Fails unless `expr` is falsy. */
export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) throw new AssertionError(msg);
}

/** Fails unless the values are equal in depth: see {@linkcode equal}. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  let difference = `${show(actual)} !== ${show(expected)}`;
  try {
    nodeAssert.deepStrictEqual(actual, expected);
  } catch (error) {
    difference = (error as Error).message.replace(/^.*\n/, "");
  }
  throw new AssertionError(`Values are not equal${msg === undefined ? "." : `: ${msg}`}\n${difference}`);
}

/** Fails if the values are equal in depth. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) failWith(`Expected actual: ${show(actual)} not to be: ${show(expected)}`, msg);
}

/** Fails unless the values are the same (`Object.is`). */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (!Object.is(actual, expected)) {
    failWith(`Values are not strictly equal: ${show(actual)} and ${show(expected)}`, msg);
  }
}

/** Fails if the values are the same (`Object.is`). */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  if (Object.is(actual, expected)) failWith(`Expected "actual" to not be strictly equal to: ${show(actual)}`, msg);
}

/** Fails unless the numbers differ by at most `tolerance` (default: 1e-7 of `expected`). */
export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void {
  if (Object.is(actual, expected)) return;
  const allowed = tolerance ?? (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  const delta = Math.abs(expected - actual);
  if (delta <= allowed) return;
  failWith(
    `Expected actual: "${actual}" to be close to "${expected}": delta "${delta}" is greater than "${allowed}"`,
    msg,
  );
}

/** Fails unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) failWith(`Expect ${show(actual)} > ${show(expected)}`, msg);
}

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) failWith(`Expect ${show(actual)} >= ${show(expected)}`, msg);
}

/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) failWith(`Expect ${show(actual)} < ${show(expected)}`, msg);
}

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) failWith(`Expect ${show(actual)} <= ${show(expected)}`, msg);
}

/** Fails unless the string matches. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) failWith(`Expected actual: "${actual}" to match: "${expected}"`, msg);
}

/** Fails if the string matches. */
export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void {
  if (expected.test(actual)) failWith(`Expected actual: "${actual}" to not match: "${expected}"`, msg);
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) failWith(`Expected actual: "${actual}" to contain: "${expected}"`, msg);
}

/** Fails unless every value of `expected` equals some value of `actual`. */
export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, msg?: string): void {
  const values = Array.from(actual);
  const missing = Array.from(expected).filter((wanted) => !values.some((value) => equal(wanted, value)));
  if (missing.length > 0) {
    failWith(`Expected actual: ${show(actual)} to include: ${show(expected)}, missing: ${show(missing)}`, msg);
  }
}

/** Fails unless `actual` has all properties of `expected`, equal in depth, whatever else it has. */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  assertEquals(pick(actual, expected), expected, msg);
}

/** What of `actual` lies where `expected` has something. */
// deno-lint-ignore no-explicit-any
function pick(actual: Record<PropertyKey, any>, expected: Record<PropertyKey, unknown>): Record<PropertyKey, unknown> {
  const picked: Record<PropertyKey, unknown> = Object.create(Object.getPrototypeOf(expected));
  for (const key of Reflect.ownKeys(expected)) {
    if (!(key in actual)) continue;
    const [value, wanted] = [actual[key], expected[key]];
    picked[key] = isPlain(value) && isPlain(wanted) ? pick(value, wanted) : value;
  }
  return picked;
}

function isPlain(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === "object" && value !== null && !ArrayBuffer.isView(value) &&
    !(Array.isArray(value) || value instanceof Map || value instanceof Set || value instanceof Date);
}

/** Fails if the value is `null` or `undefined`. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) {
    failWith(`Expected actual: "${actual}" to not be null or undefined`, msg);
  }
}

/** Fails unless `actual` is an instance of `expectedType`. */
export function assertInstanceOf<T extends AnyConstructor>(
  actual: unknown,
  expectedType: T,
  msg?: string,
): asserts actual is GetConstructorType<T> {
  if (actual instanceof expectedType) return;
  failWith(`Expected object to be an instance of "${expectedType.name}" but was ${show(actual)}`, msg);
}

/** Fails if `actual` is an instance of `unexpectedType`. */
export function assertNotInstanceOf<A, T>(
  actual: A,
  // deno-lint-ignore no-explicit-any
  unexpectedType: abstract new (...args: any[]) => T,
  msg?: string,
): asserts actual is Exclude<A, T> {
  if (actual instanceof unexpectedType) {
    failWith(`Expected object to not be an instance of "${unexpectedType.name}"`, msg);
  }
}

/** Fails unless `error` is an error, of this class, with a message that has this text or matches. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ErrorConstructor<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) failWith(`Expected "error" to be an Error object: ${show(error)}`, msg);
  if (ErrorClass !== undefined && !(error instanceof ErrorClass)) {
    failWith(
      `Expected error to be instance of "${ErrorClass.name}", but was "${error.constructor.name}": ${error.message}`,
      msg,
    );
  }
  const matches = typeof msgMatches === "string"
    ? error.message.includes(msgMatches)
    : msgMatches?.test(error.message) ?? true;
  if (!matches) failWith(`Expected error message to include ${show(msgMatches)}, but got ${show(error.message)}`, msg);
}

/** Fails unless `fn` throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an error of this class whose message has this text; returns the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorConstructor<E>,
  msgIncludes?: string,
  msg?: string,
): E;
/** (Implementation.) */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClassOrMsg?: ErrorConstructor<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const { errorClass, message } = expectation(errorClassOrMsg, msg);
  try {
    fn();
  } catch (error) {
    if (errorClass !== undefined) assertIsError(error, errorClass, msgIncludes, message);
    return error;
  }
  failWith("Expected function to throw", message);
}

/** Fails unless the promise that `fn` returns is rejected; gives what it was rejected with. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails unless the promise is rejected with an error of this class whose message has this text; gives the error. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorConstructor<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
/** (Implementation.) */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClassOrMsg?: ErrorConstructor<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const { errorClass, message } = expectation(errorClassOrMsg, msg);
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch {
    failWith("Function throws when expected to reject", message);
  }
  if (typeof promise?.then !== "function") failWith("Expected function to return a promise", message);
  try {
    await promise;
  } catch (error) {
    if (errorClass !== undefined) assertIsError(error, errorClass, msgIncludes, message);
    return error;
  }
  failWith("Expected function to reject", message);
}

function expectation<E extends Error>(
  errorClassOrMsg: ErrorConstructor<E> | string | undefined,
  msg: string | undefined,
): { errorClass?: ErrorConstructor<E>; message?: string } {
  return typeof errorClassOrMsg === "function"
    ? { errorClass: errorClassOrMsg, message: msg }
    : { message: errorClassOrMsg ?? msg };
}

/** Fails. */
export function fail(msg?: string): never {
  failWith("Failed assertion", msg);
}

/** Fails: the place was thought to be out of reach. */
export function unreachable(reason?: string): never {
  failWith("Unreachable", reason);
}

/** Fails: there is nothing here yet. */
export function unimplemented(msg?: string): never {
  failWith("Unimplemented", msg);
}
