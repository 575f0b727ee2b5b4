/**
 * Workers that run parts of a network: started when one is needed, or before, so that it loads its modules while it is
 * still being worked out where the network is divided.
 *
 * @module
 */

const WORKER = new URL("./part_worker.ts", import.meta.url);

/** Those that were started and have nothing to do yet. */
const spare: Worker[] = [];

/** Starts a worker that will probably be needed. */
export function expectWorker(): void {
  if (typeof Worker !== "undefined" && typeof SharedArrayBuffer !== "undefined" && mayRead()) spare.push(newWorker());
}

/** A worker that waits for a `ThreadOrder`. */
export function takeWorker(): Worker {
  return spare.pop() ?? newWorker();
}

/** Ends the workers that were not needed. */
export function dismissWorkers(): void {
  for (const worker of spare.splice(0)) worker.terminate();
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

function newWorker(): Worker {
  return new Worker(WORKER, { type: "module" });
}
