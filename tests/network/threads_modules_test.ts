import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { registerApplication } from "../../src/app/application.ts";
import { registerModule } from "../../src/network/modules.ts";
import { Network } from "../../src/network/network.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { registerAlgorithm as registerCongestionControl } from "../../src/tcp/congestion/flow.ts";
import { always } from "../../src/network/threads.ts";
import { assertSameInThreads, inThreads, outcome } from "./support/threads.ts";

const registered = (name: string) => registerModule(new URL(`./support/${name}_module.ts`, import.meta.url));

/** Two hosts on each side of two routers. */
function sides(congestionControl?: string): Network {
  const network = new Network({ seed: 8 });
  network.host("talkers", { count: 2, address: "10.0.0.1/24" });
  network.host("web", {
    count: 2,
    address: "192.0.2.1/24",
    profile: { congestionControl },
    listen: [{ port: 80, service: { kind: "source", bytes: 300_000 } }],
  });
  network.router("r1");
  network.router("r2");
  network.link("talkers", "r1", { delayNs: 1e6 });
  network.link("r1", "r2", { rateBps: 2e7, delayNs: 5e6, queuePackets: 30, loss: 0.002 });
  network.link("r2", "web", { delayNs: 1e6 });
  return network;
}

Deno.test("applications of a registered module act in every thread, as in one", async () => {
  await registered("chatter");
  const network = sides();
  network.application({ name: "echo", application: "test-echo", on: ["web"], options: { port: 7 } });
  network.application({
    name: "talk",
    application: "test-talk",
    on: ["talkers", "web[1]"],
    options: { to: ["192.0.2.1", "192.0.2.2"], port: 7, connections: 12 },
  });
  assertEquals(assertSameInThreads(network.toJSON(), 2), 2);
  // (Nobody can estimate how much they do: who asks for threads gets them.)
  const simulation = network.build();
  simulation.run({ workers: 2 });
  assertEquals(simulation.threads.count, 2);
  assert(simulation.report().connections.established > 0);
  simulation.close();
});

Deno.test("a congestion control of a registered module decides in every thread, as in one", async () => {
  await registered("aimd");
  const digests = ["test-steady", "cubic"].map((congestionControl) => {
    const network = sides(congestionControl);
    network.workload({
      name: "down",
      kind: "bulk",
      direction: "download",
      from: ["talkers"],
      to: ["web:80"],
      connections: 4,
      bytes: 300_000,
    });
    network.partition([["talkers", "r1"], ["r2", "web"]]);
    let digest = "";
    const look = (simulation: Simulation) => void (digest = simulation.digest);
    assertEquals(assertSameInThreads(network.toJSON(), 2, {}, look), 2);
    return digest;
  });
  assert(digests[0] !== digests[1]);
});

Deno.test("what code has registered by itself runs in one thread, which says what to do", () => {
  registerApplication({ name: "test-of-code", start: (app) => void app.setTimeout(1e6) });
  const network = sides();
  network.application({ name: "own", application: "test-of-code", on: ["web"] });
  network.partition([["talkers", "r1"], ["r2", "web"]]);
  const simulation = network.build();
  assertEquals(simulation.run({ workers: 2 }).ended, "quiescence");
  assertEquals(simulation.threads.count, 1);
  assertStringIncludes(simulation.threads.why, `No application "test-of-code" is registered`);
  assertStringIncludes(simulation.threads.why, "registerModule");
});

Deno.test("a congestion control that only code has registered makes it one thread, which says what to do", () => {
  registerCongestionControl({ name: "test-of-code", onAck() {}, ssthreshAfterLoss: () => 4 });
  const network = sides("test-of-code");
  network.partition([["talkers", "r1"], ["r2", "web"]]);
  const simulation = network.build();
  simulation.run({ workers: 2 });
  assertEquals(simulation.threads.count, 1);
  assertStringIncludes(
    simulation.threads.why,
    `its congestion control "test-of-code" was registered by no module's URL (registerModule).`,
  );
});

Deno.test("what handlers throw in any thread comes out of run, which then goes on to the same end", async () => {
  await registered("fragile");
  const network = sides();
  const options = { everyNs: 20e6 };
  network.application({ name: "fragile", application: "test-fragile", on: ["talkers", "web"], options });
  network.partition([["talkers", "r1"], ["r2", "web"]]);
  const catching = (run: () => void): string[] => {
    const messages: string[] = [];
    for (;;) {
      try {
        run();
        return messages;
      } catch (error) {
        assert(error instanceof Error);
        messages.push(`${error.name}: ${error.message}`);
      }
    }
  };
  const alone = network.build();
  const thrown = catching(() => alone.run());
  assertEquals(thrown.length, 4);
  inThreads(network.toJSON(), { workers: 2 }, (simulation) => {
    assertEquals(simulation.threads.count, 2);
    assertEquals(outcome(simulation), outcome(alone));
  }, (simulation, all) => assertEquals(catching(() => simulation.run(always(all))), thrown));
});
