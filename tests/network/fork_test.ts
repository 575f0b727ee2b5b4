import { assert, assertEquals, assertThrows } from "@std/assert";
import type { ForkChange } from "../../src/network/fork.ts";
import { NetworkError } from "../../src/network/errors.ts";
import { Simulation } from "../../src/network/simulation.ts";
import { behindNat, workload } from "./support/homes.ts";
import { built, mixed, star, type Step } from "./support/networks.ts";

function outcome(simulation: Simulation) {
  const { digest, eventDigest, nowNs } = simulation;
  return { digest, eventDigest, nowNs, report: simulation.report() };
}

/** An upload of half a megabyte, 100 ms old. */
function upload(): Simulation {
  const simulation = built(star({
    link: { rateBps: 1e7, delayNs: 5e6 },
    workload: { kind: "bulk", bytes: 500_000, connections: 2 },
  }));
  simulation.run({ untilNs: 100e6 });
  return simulation;
}

function forkEnds(simulation: Simulation, changes: ForkChange[]): number {
  const forked = simulation.fork(changes);
  forked.run();
  assertEquals(forked.report().connections.broken, {});
  return forked.nowNs;
}

Deno.test("a fork without changes has the future of the run that it came from, which goes on as if there were none", () => {
  const whole = built(mixed());
  whole.run();
  const simulation = built(mixed());
  simulation.run({ untilNs: 400e6 });
  const forked = simulation.fork();
  forked.run();
  assertEquals(outcome(forked), outcome(whole));
  simulation.run();
  assertEquals(outcome(simulation), outcome(whole));
});

Deno.test("a link gets slower, longer or lossy in one of two futures", () => {
  const simulation = upload();
  const ends = forkEnds(simulation, []);
  assert(forkEnds(simulation, [{ kind: "link", link: "clients--r1", rateBps: 1e6 }]) > ends + 1e9);
  assert(forkEnds(simulation, [{ kind: "link", link: "r1--server", delayNs: 50e6 }]) > ends + 90e6);
  assert(forkEnds(simulation, [{ kind: "link", link: "r1--server", loss: 0.1 }]) > ends);
});

Deno.test("other settings, another congestion control for new connections, in one of two futures", () => {
  const steps = star({
    link: { rateBps: 2e7, delayNs: 20e6, queuePackets: 20 },
    workload: { kind: "bulk", bytes: 300_000, connections: 6, arrivals: { kind: "rate", perSecond: 10 } },
  });
  const simulation = built(steps);
  simulation.run({ untilNs: 250e6 });
  const forked = simulation.fork([{ kind: "profile", node: "clients", set: { congestionControl: "vegas" } }]);
  forked.run();
  simulation.run();
  assert(forked.digest !== simulation.digest);
  assertEquals(forked.report().connections.established, 6);
});

Deno.test("a NAT forgets idle connections sooner in one of two futures", () => {
  const steps: Step[] = [
    ...behindNat(),
    workload({ from: ["lan[0]"], to: ["web:80"], kind: "request-response", requests: 2, thinkNs: 3e11 }),
  ];
  const simulation = built(steps);
  simulation.run({ untilNs: 100e6 });
  // (A session has the new timeout from its next packet on: keep-alives are none, the request is late.)
  const forked = simulation.fork([
    { kind: "nat", node: "gw", timeouts: { tcpEstablishedNs: 1e9 } },
    { kind: "nat", node: "gw", restart: true, atNs: 200e6 },
  ]);
  simulation.run();
  forked.run();
  assertEquals(simulation.report().connections.broken, {});
  assert(Object.keys(forked.report().connections.broken).length > 0);
});

Deno.test("a fork with a change later on is the run in which that was declared", () => {
  const change = { kind: "link", link: "isp--core", atNs: 700e6, delayNs: 9e6 } as const;
  const declared = built([...mixed(), (n) => n.event(change)]);
  declared.run();
  const simulation = built(mixed());
  simulation.run({ untilNs: 300e6 });
  const forked = simulation.fork([change]);
  assertEquals(forked.declaration, declared.declaration);
  forked.run();
  const { digest, eventDigest } = forked;
  assertEquals([digest, eventDigest], [declared.digest, declared.eventDigest]);
});

Deno.test("a fork is saved with its changes, whenever they happen, and forked again", () => {
  const simulation = built([
    ...mixed(),
    (n) => n.event({ kind: "link", link: "core--files", atNs: 600e6, queuePackets: 10 }),
  ]);
  simulation.run({ untilNs: 200e6 });
  const first = simulation.fork([
    { kind: "link", link: "homes--isp", loss: 0.1 },
    { kind: "link", link: "core--web", atNs: 500e6, rateBps: 1e6, queuePackets: 5 },
  ]);
  first.run({ untilNs: 300e6 });
  const second = first.fork([{ kind: "link", link: "isp--core", jitterNs: 4e6 }]);
  second.run({ untilNs: 550e6 });
  const restored = Simulation.restore(second.snapshot());
  second.run();
  restored.run();
  assertEquals(outcome(restored), outcome(second));
  assertEquals(restored.declaration.events.length, 4);
});

Deno.test("a change that cannot be is said by its number", () => {
  const simulation = upload();
  const refused = (change: ForkChange, subject: string) => {
    const error = assertThrows(() => simulation.fork([{ kind: "workload", workload: "load", action: "stop" }, change]));
    assert(error instanceof NetworkError);
    assertEquals(error.subject, subject);
  };
  refused({ kind: "link", link: "nowhere", delayNs: 1 }, "changes[1].link");
  refused({ kind: "link", link: "r1--server", delayNs: 1, atNs: 5 }, "changes[1].atNs");
  refused({ kind: "profile", node: "server", set: { congestionControl: "none such" } }, "changes[1].set");
});
