/**
 * What a system call returns.
 *
 * @module
 */
import { errnoName } from "../../base/errors.ts";
import type { OpenFile } from "./files.ts";

/** A call's outcome. */
export interface CallResult {
  value: number;
  /** Name of the error where `value` is -1. */
  errno: string | null;
  /** What the call wrote into its arguments and the script did not expect; null if it is right. */
  mismatch?: string | null;
  /** Files that the call has opened; the script names them by its result (or, of `pipe`, in its argument). */
  opened?: readonly OpenFile[];
}

/** A call under way: `attempt` is made again after everything that happens, and once more at the deadline. */
export interface Operation {
  /** The result, or null while the call has to wait. `timedOut`: the deadline has come. */
  attempt(timedOut: boolean): CallResult | null;
  /** When it waits no longer, ns since the run began; Infinity for never. */
  deadlineNs: number;
}

/** A call that is done at once. */
export function done(value: number, extra: Partial<CallResult> = {}): CallResult {
  return { value, errno: null, ...extra };
}

/** A call that failed. */
export function failed(errno: string): CallResult {
  return { value: -1, errno };
}

/** The result of a function of the stack: a value of 0 or more, or `-ERRNO.X`. */
export function fromStack(result: number): CallResult {
  return result >= 0 ? done(result) : failed(errnoName(result));
}

/** A mistake in how a script makes a call; packetdrill would end with an error of its own. */
export class CallError extends Error {}
