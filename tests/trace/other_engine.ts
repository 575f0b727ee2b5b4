/** Traces as another version of fourtuple would have written them. */
import { decodeItem, encodeItem } from "../../src/trace/cbor.ts";
import { ItemReader } from "../../src/trace/items.ts";
import { piecesOf } from "../../src/replay/record.ts";

/** The same trace, written by version `engine`. */
export function otherEngine(trace: Uint8Array, engine: string): Uint8Array {
  const items = new ItemReader(piecesOf(trace));
  const header = decodeItem(items.next()!) as object;
  const first = encodeItem({ ...header, engine });
  const rest = trace.subarray(items.offset);
  const bytes = new Uint8Array(first.length + rest.length);
  bytes.set(first);
  bytes.set(rest, first.length);
  return bytes;
}
