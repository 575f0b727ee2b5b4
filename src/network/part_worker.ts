/**
 * A thread that runs one part of a network: the module of a `Worker`. It needs no permission but to read fourtuple's own
 * modules, and those that were registered.
 *
 * @module
 */
import { congestionId } from "../tcp/congestion/types.ts";
import { dumpSections } from "./dump.ts";
import { registerModule } from "./modules.ts";
import { Network } from "./network.ts";
import { receiveBytes, sendBytes } from "./part_crossing.ts";
import { digestsOf, findingsBytes, findingsOf, SECTIONS } from "./part_findings.ts";
import { thrownBytes } from "./part_thrown.ts";
import { COMMAND, CONTROL_AT, joinThreads, type LookRequest, ThreadControl, type ThreadOrder } from "./part_threads.ts";
import type { Partition } from "./partition.ts";
import { sampleBytes, SeriesCounts } from "./series_counts.ts";

/** How often a thread looks for a command, and how long it sleeps, ms, before it waits for events. */
const SPINS = 4000;
const NAP_MS = 20;

/** What of a worker's global scope is used here. */
const scope = globalThis as unknown as {
  onmessage: ((event: { data: ThreadOrder }) => void) | null;
  close(): void;
};

scope.onmessage = ({ data }) => {
  const control = new ThreadControl(data.shared.control);
  Atomics.add(control.words, CONTROL_AT.STARTED, 1);
  serve(data).catch((error) => control.fail(error)).finally(() => scope.close());
};

/** Looks for a command other than `seen` for a while. (A function of its own, or V8 compiles all of its caller for it.) */
function spin(words: Int32Array, seen: number): void {
  for (let spins = 0; spins < SPINS && Atomics.load(words, CONTROL_AT.COMMAND) === seen; spins++);
}

/** Builds the network, and does what the first thread says until it says that this is all. */
async function serve(order: ThreadOrder): Promise<void> {
  const { index, modules, series, division, shared } = order;
  for (const url of modules) await registerModule(url);
  const s = build(order);
  const { part, runner, control } = joinThreads(s, index, division, shared, s.addresses.blocksForGood());
  const counts = series.map((nodes) => new SeriesCounts(s, nodes));
  for (const one of counts) one.watch();
  const { words, numbers } = control;
  Atomics.add(words, CONTROL_AT.READY, 1);
  Atomics.notify(words, CONTROL_AT.READY);
  for (let seen = 0;;) {
    // (Where somebody looks at the run every millisecond, the next command is on its way already.)
    spin(words, seen);
    Atomics.wait(words, CONTROL_AT.COMMAND, seen, NAP_MS);
    while (Atomics.load(words, CONTROL_AT.COMMAND) === seen) {
      // (Not `wait` for longer: a process whose first thread is through ends, whoever waits for events.)
      const waiting = Atomics.waitAsync(words, CONTROL_AT.COMMAND, seen);
      if (waiting.async) await waiting.value;
    }
    seen = Atomics.load(words, CONTROL_AT.COMMAND);
    switch (seen & ((1 << COMMAND.BITS) - 1)) {
      case COMMAND.RUN:
        runner.run({ untilNs: numbers[0], past: words[CONTROL_AT.PAST] === 1 });
        break;
      case COMMAND.REPORT: {
        const section = words[CONTROL_AT.SECTION];
        sendBytes(s, part, 0, findingsBytes(findingsOf(s, section < 0 ? SECTIONS : [SECTIONS[section]])));
        break;
      }
      case COMMAND.DIGEST:
        sendBytes(s, part, 0, digestsOf(s));
        break;
      case COMMAND.THROWN:
        sendBytes(s, part, 0, thrownBytes(s));
        break;
      case COMMAND.LOOK: {
        const request = JSON.parse(new TextDecoder().decode(receiveBytes(s, part, 0))) as LookRequest;
        if ("series" in request) sendBytes(s, part, 0, sampleBytes(counts[request.series].take()));
        else {
          const sections = JSON.stringify(dumpSections(s, request.dump, request.nodes));
          sendBytes(s, part, 0, new TextEncoder().encode(sections));
        }
        break;
      }
      case COMMAND.END:
        return;
    }
  }
}

/** Builds the network. Where a congestion control is missing that the first thread knows, it says why. */
function build({ declaration, numbering, congestionControls }: ThreadOrder): Partition {
  try {
    return Network.fromJSON(declaration, numbering).build().partition;
  } catch (error) {
    const missing = congestionControls.filter((name) => congestionId(name) < 0)
      .map((name) => JSON.stringify(name)).find((name) => String(error).includes(name));
    if (missing === undefined) throw error;
    throw new Error(`its congestion control ${missing} was registered by no module's URL (registerModule).`);
  }
}
