/**
 * What came of a script.
 *
 * @module
 */

/** Why a script failed, at which of its lines. */
export interface Failure {
  /** From 1. */
  line: number;
  /** One sentence, without a full stop. */
  message: string;
  /** The packet or result that was expected, in packetdrill's notation, with its time; where there is one. */
  expected?: string;
  /** What came instead. */
  actual?: string;
}

/** The outcome of one script. */
export interface ScriptReport {
  path: string;
  ok: boolean;
  /** Simulated time when it ended, ns. */
  endNs: number;
  failure?: Failure;
  /** Commands and options that mean nothing here: text and line. */
  ignored: { text: string; line: number }[];
  /** Packets and calls as they happened, one line each, if asked for. */
  trace: string[];
}

/** Thrown where a script goes wrong; becomes the report's failure. */
export class ScriptFailure extends Error {
  declare readonly failure: Failure;

  /** What goes into the report. */
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}
