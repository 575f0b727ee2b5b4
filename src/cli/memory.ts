/**
 * A workload larger than the machine is refused before it begins.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { bytes } from "../report/text.ts";

/** What the runtime takes beside the columns. */
const RUNTIME_BYTES = 80e6;

/**
 * Refuses a run whose columns (`estimateBytes`) do not fit into `availableBytes`.
 *
 * @throws {InputError} one sentence with the estimate.
 */
export function checkMemory(estimateBytes: number, availableBytes: number, file: string): void {
  const needed = estimateBytes + RUNTIME_BYTES;
  if (needed <= availableBytes) return;
  throw new InputError(
    `${file}: this workload needs about ${bytes(needed)} of memory, and this machine has ` +
      `${bytes(availableBytes)} available: fewer connections or hosts at once would fit.`,
    { file },
  );
}

/** Memory that a new process may take, bytes; Infinity where the system does not tell. */
export function availableMemory(): number {
  try {
    const { available, total } = Deno.systemMemoryInfo();
    return available > 0 ? available : total > 0 ? total : Infinity;
  } catch {
    return Infinity;
  }
}
