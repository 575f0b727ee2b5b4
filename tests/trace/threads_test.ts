import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Network } from "../../src/network/network.ts";
import { always } from "../../src/network/threads.ts";
import { anyNetwork, Draw } from "../network/support/anything.ts";
import { canBeBuilt, divisible } from "../network/support/threads.ts";
import { assertSameTrace, recorded } from "./support/threads.ts";

for (const level of ["checkpoints"] as const) {
  Deno.test(`in two to four threads a trace of ${level} has the same bytes, for networks of everything`, () => {
    let divided = 0;
    fc.assert(
      fc.property(fc.gen(), fc.integer({ min: 2, max: 4 }), (draw, workers) => {
        const network = divisible(anyNetwork(new Draw(draw)).toJSON());
        fc.pre(canBeBuilt(network));
        if (assertSameTrace(network, level, { untilNs: 5e8, workers }) > 1) divided++;
      }),
      { numRuns: 2, seed: 7, endOnFailure: true },
    );
    assert(divided >= 1, `${divided} of 2 networks were divided`);
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
