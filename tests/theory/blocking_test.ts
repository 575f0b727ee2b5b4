/** Ports of a gateway as servers of a loss system (DESIGN section 7): what is refused is what Erlang's formula B says. */
import { assert } from "@std/assert";
import { type BlockingRun, erlangB, holdsErlangB, runBlocking } from "./loss_system.ts";

/** Blocks of ports of one subscriber: (erlang, ports). */
const PAIRS: [erlangs: number, ports: number][] = [
  [0.5, 1],
  [2, 2],
  [1, 4],
  [5, 5],
  [8, 8],
  [10, 16],
  [16, 16],
  [28, 32],
  [50, 64],
  [63, 63],
  [120, 128],
];

Deno.test("Erlang-B itself: the values that tables have", () => {
  for (const [erlangs, ports, blocking] of [[50, 64, 0.00844], [63, 63, 0.0941], [1000, 1008, 0.02], [1, 1, 0.5]]) {
    assert(Math.abs(erlangB(erlangs, ports) - blocking) < 0.006 * blocking, `B(${erlangs}, ${ports})`);
  }
});

// (Every other pair of each: tests/full draws any load, size and distribution.)
for (const [turn, distribution] of (["exponential", "fixed"] as const).entries()) {
  Deno.test(`a block of ports refuses as Erlang-B says, with ${distribution} holding times`, () => {
    PAIRS.forEach(([erlangs, ports], i) => {
      if (i % 2 !== turn) return;
      const options: BlockingRun = { erlangs, ports, kind: "block", distribution, seed: 100 + i, arrivals: 20_000 };
      holdsErlangB(options, runBlocking(options));
    });
  });
}

Deno.test("so do a small pool and a subscriber's quota", () => {
  for (const kind of ["pool", "quota"] as const) {
    for (const [erlangs, ports] of [[3, 4], [12, 12], [20, 24]]) {
      const options: BlockingRun = { erlangs, ports, kind, distribution: "exponential", seed: 7, arrivals: 20_000 };
      holdsErlangB(options, runBlocking(options));
    }
  }
});

Deno.test("a gateway's time to forget and its hold-down are part of the holding time", () => {
  // 30 s open, 20 s in closing, 40 s at rest: 90 s. Without them, 8 ports for 4 erlangs of open connections are plenty.
  const options: BlockingRun = {
    erlangs: 8,
    ports: 8,
    kind: "block",
    distribution: "exponential",
    seed: 3,
    arrivals: 20_000,
    closingSeconds: 20,
    holdDownSeconds: 40,
    openSeconds: 30,
  };
  const run = runBlocking(options);
  holdsErlangB(options, run);
  assert(run.blocking > 10 * erlangB(8 / 3, 8), `${run.blocking}`);
});
