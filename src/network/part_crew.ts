/**
 * Workers that run parts of a network: started once it is divided, and not before: one that loads its modules meanwhile
 * and is not needed has cost the process 10 to 20 MB.
 *
 * @module
 */

const WORKER = new URL("./part_worker.ts", import.meta.url);

/** A worker that waits for a `ThreadOrder`. */
export function startWorker(): Worker {
  return new Worker(WORKER, { type: "module" });
}

/** May this process read the modules that threads load? */
export function mayRead(): boolean {
  const { Deno: deno } = globalThis as {
    Deno?: { permissions: { querySync(wanted: { name: "read"; path: URL }): { state: string } } };
  };
  const here = new URL("../", import.meta.url);
  return deno === undefined || here.protocol !== "file:" ||
    deno.permissions.querySync({ name: "read", path: here }).state === "granted";
}
