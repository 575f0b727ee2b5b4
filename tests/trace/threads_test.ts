import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Network } from "../../src/network/network.ts";
import { always } from "../../src/network/threads.ts";
import { anyNetwork, Draw } from "../network/support/anything.ts";
import { canBeBuilt, divisible } from "../network/support/threads.ts";
import { assertSameTrace, recorded } from "./support/threads.ts";

for (const level of ["checkpoints", "packets"] as const) {
  Deno.test(`in two to four threads a trace of ${level} has the same bytes, for networks of everything`, () => {
    let divided = 0;
    fc.assert(
      fc.property(fc.gen(), fc.integer({ min: 2, max: 4 }), (draw, workers) => {
        const network = divisible(anyNetwork(new Draw(draw)).toJSON());
        fc.pre(canBeBuilt(network));
        if (assertSameTrace(network, level, { untilNs: 5e8, workers }) > 1) divided++;
      }),
      { numRuns: 1, seed: 7, endOnFailure: true },
    );
    assertEquals(divided, 1);
  });
}

Deno.test("checkpoints on the way are the same in two threads, also where the run is interrupted between them", () => {
  const network = new Network();
  network.host("client", { address: "10.0.0.1/24" });
  network.router("r1", { address: "10.1.0.1" });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
  network.link("client", "r1", { delayNs: 2e6 });
  network.link("r1", "server", { delayNs: 3e6, loss: 0.001 });
  network.workload({ name: "up", kind: "bulk", from: ["client"], to: ["server:80"], connections: 3, bytes: 2e7 });
  const alone = recorded(network.build(), "checkpoints", (one) => one.run());
  assert(alone.length >= 6, `${alone.length} items`);
  const divided = network.build();
  const found = recorded(divided, "checkpoints", (one) => {
    let asked = 0;
    while (one.run(always({ workers: 2, interrupted: () => ++asked % 50 === 0 })).ended === "interrupted");
    assert(asked > 100);
  });
  assertEquals(divided.threads.count, 2);
  divided.close();
  assertEquals(found, alone);
});

Deno.test("what happens at the same instant in several parts is traced in the order of one thread", () => {
  const network = new Network({ seed: 5 });
  const sides = ["a", "b", "c"];
  network.router("core", { address: "10.9.9.9" });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }, { port: 53, protocol: "udp" }] });
  network.link("core", "server", { rateBps: 1e8, delayNs: 3e6, queuePackets: 50 });
  sides.forEach((side, i) => {
    network.host(side, { count: 5, address: `10.${i}.0.1/24` });
    network.router(`r${side}`, { address: `10.${i}.9.1` });
    // What all send at once, in one event, is lost and dropped on the first links, which are in three parts.
    network.link(side, `r${side}`, { rateBps: 1e7, delayNs: 1e5, loss: 0.2, queuePackets: 3, duplicate: 0.1 });
    network.link(`r${side}`, "core", { rateBps: 1e7, delayNs: 2e6, loss: 0.05, duplicate: 0.1, queuePackets: 20 });
  });
  const how = { from: sides, connections: 100 };
  network.workload({ ...how, name: "held", kind: "hold", to: ["server:80"], holdNs: 1e12 });
  network.workload({ ...how, name: "asked", kind: "request-response", transport: "udp", to: ["server:53"] });
  network.event({ kind: "workload", workload: "held", atNs: 5e9, action: "stop", close: true });
  for (const [at, state] of [[2e8, "down"], [3e8, "up"]] as const) {
    for (const side of sides) network.event({ kind: "link", link: `${side}--r${side}`, atNs: at, state });
  }
  network.probe({ name: "echo", kind: "ping", from: "a[1]", to: "rc", count: 9, intervalNs: 1e6 });
  network.partition([...sides.map((side) => [side, `r${side}`]), ["core", "server"]]);
  assertEquals(assertSameTrace(network.toJSON(), "packets", { workers: 4, untilNs: 7e9 }), 4);
});
