/**
 * What is wrong with a network's declaration.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";

/** A declaration that cannot be built. The message is a whole sentence; `subject` says what it is about. */
export class NetworkError extends Error {
  /** Path in the declaration: `nodes.clients.address`, `links[3].between[0]`, `workloads.load.to[0]`. */
  declare readonly subject: string;

  /** `subject` locates `message`. */
  constructor(subject: string, message: string) {
    super(message);
    this.name = "NetworkError";
    this.subject = subject;
  }
}

/** Runs `f`; what it finds wrong is about `subject`. */
export function located<T>(subject: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (error instanceof RangeError || error instanceof InputError) throw new NetworkError(subject, error.message);
    throw error;
  }
}
