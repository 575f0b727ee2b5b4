import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { built, mixed, star } from "./support/networks.ts";

function digests(simulation: ReturnType<typeof built>): [string, string] {
  return [simulation.digest, simulation.eventDigest];
}

function ran(simulation: ReturnType<typeof built>): ReturnType<typeof built> {
  simulation.run();
  return simulation;
}

Deno.test("the same network with the same seed gives the same digests", () => {
  const first = ran(built(mixed()));
  assert(first.report().packets.hops > 1000);
  assertEquals(digests(ran(built(mixed()))), digests(first));
});

Deno.test("another seed gives another digest", () => {
  assertNotEquals(ran(built(mixed(), { seed: 2 })).digest, ran(built(mixed())).digest);
});

Deno.test("neither the order of declaration nor the numbering of rows changes the digests", () => {
  const expected = digests(ran(built(mixed())));
  fc.assert(
    fc.property(
      fc.shuffledSubarray(mixed().map((_, i) => i), { minLength: mixed().length }),
      fc.nat(300),
      fc.boolean(),
      (order, skip, reversed) => {
        const steps = mixed();
        const simulation = built(order.map((i) => steps[i]), { numbering: { skip, reversed } });
        assertEquals(digests(ran(simulation)), expected);
      },
    ),
    { numRuns: 12 },
  );
});

Deno.test("rows of connections, packets and addresses that are in use already change nothing", () => {
  const simulation = built(mixed());
  const { partition } = simulation;
  for (let i = 0; i < 77; i++) {
    partition.packets.allocate();
    partition.tcp.tcbs.allocate();
    partition.tcp.synRows.allocate();
    partition.tcp.timeWaits.allocate();
    partition.nat.sessions.allocate();
    partition.events.allocate();
    partition.addresses.intern(`100.64.${i}.7`);
  }
  assertEquals(digests(ran(simulation)), digests(ran(built(mixed()))));
});

Deno.test("a run in slices is the same run", () => {
  const whole = ran(built(mixed()));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400_000_000 }), { maxLength: 12 }), (steps) => {
      const sliced = built(mixed());
      let untilNs = 0;
      for (const step of steps) sliced.run({ untilNs: untilNs += step });
      sliced.run();
      assertEquals(digests(sliced), digests(whole));
      assertEquals(sliced.report().events, whole.report().events);
    }),
    { numRuns: 8 },
  );
});

Deno.test("a run that is interrupted now and then is the same run", () => {
  const whole = ran(built(mixed()));
  const sliced = built(mixed());
  let interruptions = 0;
  while (sliced.run({ interrupted: () => true }).ended === "interrupted") interruptions++;
  assert(interruptions > 1);
  assertEquals(digests(sliced), digests(whole));
});

Deno.test("a condition ends sliced and unsliced runs at the same place", () => {
  const ends = [Infinity, 7e6, 1.3e6].map((slice) => {
    const simulation = built(mixed());
    const until = () => simulation.progress().established >= 50;
    let untilNs = 0;
    while (simulation.run({ until, untilNs: untilNs += slice }).ended === "time");
    return [simulation.nowNs, simulation.digest];
  });
  assertEquals(ends[1], ends[0]);
  assertEquals(ends[2], ends[0]);
});

Deno.test("looking at deliveries, reports and digests changes nothing", () => {
  const watched = built(mixed());
  let seen = 0;
  watched.onDelivery(() => seen++);
  for (let ns = 1e7; ns < 1e9; ns += 1e7) {
    watched.run({ untilNs: ns });
    watched.report();
  }
  watched.run();
  const plain = ran(built(mixed()));
  assertEquals(seen, watched.report().packets.hops);
  assertEquals(digests(watched), digests(plain));
});

Deno.test("ties at one instant are settled by stable identity, not by who came first", () => {
  // All links alike and no jitter: hundreds of packets meet at the same nanosecond.
  const steps = () =>
    star({
      clients: { count: 64 },
      link: { delayNs: 1e6 },
      workload: { kind: "request-response", connections: 640, requests: 2 },
    });
  const expected = digests(ran(built(steps())));
  assertEquals(digests(ran(built(steps().toReversed(), { numbering: { reversed: true, skip: 13 } }))), expected);
});
