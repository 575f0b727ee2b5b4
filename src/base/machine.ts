/**
 * Memory of the machine, as the runtime tells it: nothing that a run's result depends on reads it, and nobody is asked
 * for a permission.
 *
 * @module
 */

/** What tells how much memory there is. */
export interface MemorySource {
  /** What the process may still take, bytes; Infinity where nobody knows. */
  availableBytes(): number;
  /** What the process has, bytes; 0 where nobody knows. */
  residentBytes(): number;
}

/** What of Deno's and Node's globals is used here. (Deno loads Node's `process` when it is first looked at: 20 ms.) */
interface Runtime {
  Deno?: {
    systemMemoryInfo(): { available: number; total: number };
    permissions: { querySync(wanted: { name: "sys"; kind: "systemMemoryInfo" }): { state: string } };
  };
  process?: {
    memoryUsage(): { rss: number };
    /** The limit of the process's control group (a container's); 0, or more than there is, without one. */
    constrainedMemory?(): number;
    /** Node: of the system. */
    availableMemory?(): number;
  };
}

const runtime = globalThis as Runtime;
const { Deno: deno } = runtime;

/** The system's answers. */
const SYSTEM: MemorySource = {
  availableBytes() {
    if (deno?.permissions.querySync({ name: "sys", kind: "systemMemoryInfo" }).state === "prompt") return Infinity;
    try {
      const limitBytes = runtime.process?.constrainedMemory?.() ?? 0;
      const roomBytes = limitBytes > 0 ? Math.max(0, limitBytes - SYSTEM.residentBytes()) : Infinity;
      return Math.min(roomBytes, systemBytes());
    } catch {
      return Infinity;
    }
  },
  residentBytes() {
    try {
      return runtime.process?.memoryUsage().rss ?? 0;
    } catch {
      return 0;
    }
  },
};

function systemBytes(): number {
  if (deno === undefined) return runtime.process?.availableMemory?.() ?? Infinity;
  const { available, total } = deno.systemMemoryInfo();
  return available > 0 ? available : total > 0 ? total : Infinity;
}

let source = SYSTEM;

/** What the process may still take, bytes, in the machine and in its container; Infinity where nobody knows. */
export function availableBytes(): number {
  return source.availableBytes();
}

/** What the process has, bytes; 0 where nobody knows. */
export function residentBytes(): number {
  return source.residentBytes();
}

/** @internal Lets tests tell how much there is; without one, the system does again. */
export function useMemorySource(another?: Partial<MemorySource>): void {
  source = { ...SYSTEM, ...another };
}
