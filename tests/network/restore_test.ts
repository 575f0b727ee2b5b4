import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { registerModule } from "../../src/network/modules.ts";
import { Network } from "../../src/network/network.ts";
import { Simulation } from "../../src/network/simulation.ts";
import { readSnapshotHeader, type SnapshotHeader, takeSnapshot } from "../../src/store/snapshot.ts";
import { built, mixed, star } from "./support/networks.ts";

const MODULE = new URL("./support/aimd_module.ts", import.meta.url);

/** What another process makes of a snapshot. */
async function elsewhere(snapshot: Uint8Array): Promise<string> {
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(file, snapshot);
    const script = new URL("./support/resumed.ts", import.meta.url).pathname;
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-check", `--config=${config}`, "--allow-read", script, file],
    }).output();
    return new TextDecoder().decode(stdout).trim() || new TextDecoder().decode(stderr);
  } finally {
    Deno.removeSync(file);
  }
}

function ended(simulation: Simulation): string {
  simulation.run();
  return `${simulation.digest} ${simulation.eventDigest} ${simulation.nowNs}`;
}

/** The snapshot's header with changes, over no state at all. */
function withHeader(snapshot: Uint8Array, changes: SnapshotHeader): Uint8Array {
  return takeSnapshot({ ...readSnapshotHeader(snapshot), ...changes }, { visitState() {} });
}

Deno.test("another process goes on to the same end", async () => {
  const simulation = built(mixed());
  simulation.run({ untilNs: 333e6 });
  const snapshot = simulation.snapshot();
  assertEquals(await elsewhere(snapshot), ended(simulation));
});

Deno.test("algorithms of a registered module are restored with it, where it was not imported too", async () => {
  await assertRejects(() => registerModule("./relative.ts"), InputError, "whole URL");
  await registerModule(MODULE);
  await registerModule(MODULE);
  const simulation = built(star({
    clients: { profile: { congestionControl: "test-steady" } },
    link: { rateBps: 1e7, loss: 0.02 },
    workload: { kind: "bulk", bytes: 100_000, connections: 2 },
  }));
  simulation.run({ untilNs: 100e6 });
  const snapshot = simulation.snapshot();
  // Twice registered, once named (among those that other tests have registered).
  assertEquals(Simulation.readSnapshot(snapshot).modules?.filter((one) => one === MODULE.href), [MODULE.href]);
  const end = ended(simulation);
  assertEquals(await elsewhere(snapshot), end);
  assertEquals(ended(Simulation.restore(snapshot)), end);
});

Deno.test("applications of a registered module go on in a process that has never seen it", async () => {
  const module = new URL("./support/chatter_module.ts", import.meta.url);
  await registerModule(module);
  const network = new Network();
  network.host("a", { address: "10.0.0.1/24" });
  network.host("b", { address: "10.0.0.2/24", count: 2 });
  network.link("a", "b", { rateBps: 2e7, delayNs: 3e6, loss: 0.02 });
  const options = { to: ["10.0.0.1"], port: 7, connections: 5 };
  network.application({ name: "echo", application: "test-echo", on: ["a"], options });
  network.application({ name: "talk", application: "test-talk", on: ["b"], options });
  const simulation = network.build();
  simulation.run({ untilNs: 70e6 });
  assert(simulation.progress().open > 0);
  const snapshot = simulation.snapshot();
  assert(Simulation.readSnapshot(snapshot).modules.includes(module.href));
  assertEquals(await elsewhere(snapshot), ended(simulation));
  // Where it was only imported, nobody knows from where.
  const unnamed = withHeader(snapshot, { modules: [] });
  assertStringIncludes(await elsewhere(unnamed), 'No application "test-echo" is registered');
});

Deno.test("a module that is missing is named", async () => {
  const snapshot = withHeader(built(star()).snapshot(), { modules: ["file:///nowhere/none.ts"] });
  assertThrows(() => Simulation.restore(snapshot), InputError, "file:///nowhere/none.ts");
  await assertRejects(() => Simulation.restoreWithModules(snapshot), InputError, "file:///nowhere/none.ts");
});

Deno.test("a snapshot of another version says so in one sentence", () => {
  const snapshot = withHeader(built(star()).snapshot(), { fourtuple: "0.0.9" });
  const { message } = assertThrows(() => Simulation.restore(snapshot), InputError);
  assertStringIncludes(message, "0.0.9");
  assert(/^[^\n]+\.$/.test(message));
});

Deno.test("a header that is no simulation's, and a state that does not fit it, are refused in a sentence", () => {
  const snapshot = built(star()).snapshot();
  const refused = (bytes: Uint8Array) => {
    const { message } = assertThrows(() => Simulation.restore(bytes), InputError);
    assert(/^[^\n]+\.$/.test(message), message);
  };
  refused(withHeader(snapshot, {}));
  refused(withHeader(snapshot, { declaration: 7 }));
  refused(withHeader(snapshot, { declaration: {} }));
  refused(withHeader(snapshot, { declaration: { nodes: [{}], links: [], workloads: [] } }));
  refused(withHeader(snapshot, { modules: [1] }));
  refused(takeSnapshot({}, { visitState() {} }));
});
