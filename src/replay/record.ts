/**
 * Recording to a file, and reading one again: what the command line and the golden tests do with traces.
 *
 * @module
 */
import { canonicalText, type PlainValue } from "../base/plain.ts";
import type { LoadedScenario } from "../scenario/load.ts";
import type { TraceHeader } from "../trace/items.ts";
import type { Pieces } from "../trace/reader.ts";

/** Bytes of a file that are read at a time. */
const PIECE_BYTES = 1 << 16;

/** The pieces of bytes that are there already. */
export function piecesOf(bytes: Uint8Array): Pieces {
  let at = 0;
  return () => {
    if (at >= bytes.length) return null;
    const piece = bytes.subarray(at, at + PIECE_BYTES);
    at += piece.length;
    return piece;
  };
}

/** What a scenario's trace says that it is of: the document with its overrides applied, in canonical form. */
export function scenarioSource(loaded: LoadedScenario, overrides: readonly string[]): TraceHeader["source"] {
  return { kind: "scenario", text: canonicalText(loaded.document as PlainValue), overrides: [...overrides] };
}
