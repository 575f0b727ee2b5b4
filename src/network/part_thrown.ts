/**
 * What handlers of applications threw in one thread, for the caller of `run` in another.
 *
 * @module
 */
import type { Partition } from "./partition.ts";

/** Takes what handlers have thrown: the partition may go on. */
export function takeThrown(s: Partition): unknown[] {
  s.halted = false;
  return s.thrown.splice(0);
}

/** The same as bytes: of each its name, message and stack. */
export function thrownBytes(s: Partition): Uint8Array {
  const told = takeThrown(s).map((error) =>
    error instanceof Error ? [error.name, error.message, error.stack ?? ""] : ["Error", String(error), ""]
  );
  return new TextEncoder().encode(JSON.stringify(told));
}

/** Errors out of bytes. */
export function readThrown(bytes: Uint8Array): Error[] {
  const told = JSON.parse(new TextDecoder().decode(bytes)) as [string, string, string][];
  return told.map(([name, message, stack]) => Object.assign(new Error(message), { name, stack }));
}

/** Throws them: the only one, or all together. */
export function throwAll(errors: readonly unknown[]): never {
  throw errors.length === 1 ? errors[0] : new AggregateError(errors, "Several handlers threw at one event.");
}
