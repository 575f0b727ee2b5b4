import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InputError } from "../../src/base/errors.ts";
import { Network } from "../../src/network/network.ts";
import { NetworkError } from "../../src/network/errors.ts";
import { COMMAND, CONTROL_AT, ThreadControl, type ThreadOrder } from "../../src/network/part_threads.ts";
import { always } from "../../src/network/threads.ts";
import { anyNetwork, Draw } from "./support/anything.ts";
import { assertSameInThreads, canBeBuilt, divisible, inThreads, outcome } from "./support/threads.ts";

/** Clients, a router in the middle, a server; everything takes a millisecond or more. */
function small(change: (network: Network) => void = () => {}): Network {
  const network = new Network({ seed: 3 });
  network.host("clients", { count: 6, address: "10.0.0.1/24" });
  network.router("r1", { address: "10.1.0.1" });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }, { port: 81 }] });
  network.link("clients", "r1", { rateBps: 1e8, delayNs: 1e6, delaySpreadSteps: 3, delaySpreadStepNs: 1e5 });
  network.link("r1", "server", { rateBps: 1e9, delayNs: 4e6, loss: 0.02, queuePackets: 20 });
  network.workload({
    name: "load",
    kind: "request-response",
    from: ["clients"],
    to: ["server:80"],
    connections: 300,
    arrivals: { kind: "poisson", perSecond: 500 },
    requests: 2,
    holdNs: 5e7,
  });
  change(network);
  return network;
}

const reasonAgainst = (network: Network, run: (simulation: ReturnType<Network["build"]>) => void): string => {
  const simulation = network.build();
  run(simulation);
  const { count, why } = simulation.threads;
  simulation.close();
  assertEquals(count, 1);
  return why;
};

Deno.test("networks of everything that there is have the same outcome in two to four threads", () => {
  let divided = 0;
  fc.assert(
    fc.property(fc.gen(), fc.integer({ min: 2, max: 4 }), (draw, workers) => {
      const network = divisible(anyNetwork(new Draw(draw)).toJSON());
      fc.pre(canBeBuilt(network));
      const threads = assertSameInThreads(network, workers, { untilNs: 1e9 });
      if (threads > 1) divided++;
    }),
    { numRuns: 3, seed: 11, endOnFailure: true },
  );
  assert(divided >= 1, `${divided} of 3 networks were divided`);
});

Deno.test("wherever a network is divided, the outcome is the same", () => {
  const names = ["clients[0]", "clients[1..4]", "clients[5]", "r1", "server"];
  fc.assert(
    fc.property(fc.array(fc.nat(2), { minLength: names.length, maxLength: names.length }), (places) => {
      fc.pre(new Set(places).size > 1);
      const network = small();
      network.partition([0, 1, 2].map((part) => names.filter((_, i) => places[i] === part)));
      assert(assertSameInThreads(network.toJSON(), 3) > 1);
    }),
    { numRuns: 3, seed: 5, endOnFailure: true },
  );
});

Deno.test("connections that open and close in several parts at the same time are counted together", () => {
  const network = new Network();
  network.host("left", { count: 4, address: "10.0.0.1/24", listen: [{ port: 80 }] });
  network.host("right", { count: 4, address: "10.0.1.1/24", listen: [{ port: 80 }] });
  network.router("r1");
  for (const side of ["left", "right"]) network.link(side, "r1", { delayNs: 1e6 });
  for (const [from, to] of [["left", "right"], ["right", "left"]]) {
    const arrivals = { kind: "rate", perSecond: 1000 } as const;
    const how = { kind: "hold", connections: 100, holdNs: 2e6, arrivals } as const;
    network.workload({ name: from, from: [from], to: [`${to}:80`], ...how });
  }
  network.partition([["left"], ["right", "r1"]]);
  assertEquals(assertSameInThreads(network.toJSON(), 2), 2);
});

Deno.test("a run in slices, and one that is interrupted, is the same in several threads", () => {
  const whole = small().build();
  whole.run();
  const sliced = inThreads(small().toJSON(), { workers: 2 }, outcome, (simulation, options) => {
    for (const untilNs of [1, 3e6, 2e8, 2.5e8]) {
      assertEquals(simulation.run(always({ ...options, untilNs })).ended, "time");
      assertEquals(simulation.nowNs, untilNs);
    }
    let asked = 0;
    const interrupted = () => ++asked % 7 === 0;
    while (simulation.run(always({ ...options, interrupted })).ended === "interrupted");
    assert(asked > 7);
  });
  assertEquals(sliced, outcome(whole));
});

Deno.test("a run past quiescence is the same in several threads", () => {
  const network = small((one) => {
    one.nat("gw", { address: "203.0.113.1/24", insideAddress: "192.168.1.1", tcpTransitoryNs: 2e9, udpNs: 1e9 });
    one.host("home", { count: 3, address: "192.168.1.2/24" });
    one.link("home", "gw", { delayNs: 1e6 });
    one.link("gw", "r1", { delayNs: 2e6 });
    one.workload({ name: "out", kind: "hold", from: ["home"], to: ["server:81"], connections: 9, holdNs: 1e9 });
  });
  for (const pastQuiescence of [false, true]) {
    assertEquals(assertSameInThreads(network.toJSON(), 3, { untilNs: 100e9, pastQuiescence }) > 1, true);
  }
});

Deno.test("what events change, they change in every thread", () => {
  const network = small((one) => {
    one.event({ kind: "link", link: "r1--server", atNs: 1e8, delayNs: 2e6, loss: 0.1 });
    one.event({ kind: "link", link: "clients--r1[2]", atNs: 2e8, state: "down" });
    one.event({ kind: "workload", workload: "load", atNs: 3e8, action: "stop", close: true });
    one.event({ kind: "workload", workload: "load", atNs: 5e8, action: "start" });
    one.event({ kind: "listener", node: "server", port: 80, atNs: 6e8, action: "close" });
  });
  assert(assertSameInThreads(network.toJSON(), 3) > 1);
});

Deno.test("a link that events take out of service does not lie between two parts", () => {
  const network = small((one) => {
    one.event({ kind: "link", link: "r1--server", atNs: 1e8, state: "down" });
    one.partition([["clients", "r1"], ["server"]]);
  });
  assertStringIncludes(reasonAgainst(network, (one) => one.run({ workers: 2 })), "r1--server cannot lie between");
});

Deno.test("of more parts than threads neighbours share one, and what cannot be cut may lie between them", () => {
  const network = small((one) => {
    one.event({ kind: "link", link: "clients--r1[2]", atNs: 1e8, state: "down" });
    one.partition([["clients[0..2]"], ["clients[3..5]", "r1"], ["server"]]);
  });
  assertStringIncludes(reasonAgainst(network, (one) => one.run({ workers: 3 })), "clients--r1 cannot lie between");
  assertEquals(assertSameInThreads(network.toJSON(), 2), 2);
});

Deno.test("parts that no link joins have nothing to wait for, and the outcome is the same", () => {
  const network = small((one) => {
    one.host("here", { address: "10.5.0.1/24" });
    one.host("there", { address: "10.5.0.2/24", listen: [{ port: 80 }] });
    one.link("here", "there", { rateBps: 1e7 });
    one.workload({ name: "apart", kind: "bulk", from: ["here"], to: ["there:80"], connections: 3, bytes: 1e5 });
    one.partition([["clients", "r1", "server"], ["here", "there"]]);
  });
  const look = (simulation: ReturnType<Network["build"]>) => assertEquals(simulation.threads.lookaheadNs, Infinity);
  assertEquals(assertSameInThreads(network.toJSON(), 2, {}, look), 2);
});

Deno.test("what could not be divided at any link with delay says so", () => {
  const network = new Network();
  network.host("a", { address: "10.0.0.1/24", listen: [{ port: 80 }] });
  network.host("b", { address: "10.0.0.2/24" });
  network.link("a", "b", { delayNs: 1e6 });
  const arrivals = { kind: "rate", perSecond: 1e6 } as const;
  network.workload({ name: "own", kind: "hold", from: ["a"], to: ["a:80"], connections: 1e6, arrivals });
  const soon = { workers: 2, untilNs: 1 };
  assertStringIncludes(
    reasonAgainst(network, (one) => one.run(soon)),
    "in one place, which no link with a delay divides",
  );
  network.event({ kind: "link", link: "a--b", atNs: 1e9, state: "down" });
  assertStringIncludes(reasonAgainst(network, (one) => one.run(soon)), "No link that stays in service has a delay");
});

Deno.test("where one thread cannot build the network, the others end", () => {
  const orders: ThreadOrder[] = [];
  const real = globalThis.Worker;
  globalThis.Worker = class {
    postMessage(order: ThreadOrder): void {
      orders.push(order);
      new ThreadControl(order.shared.control).fail(new Error("no room"));
    }
  } as unknown as typeof Worker;
  try {
    assertStringIncludes(reasonAgainst(small(), (one) => one.run(always({ workers: 2 }))), "cannot build it: no room");
  } finally {
    globalThis.Worker = real;
  }
  const { words } = new ThreadControl(orders[0].shared.control);
  assertEquals(words[CONTROL_AT.COMMAND] & ((1 << COMMAND.BITS) - 1), COMMAND.END);
});

Deno.test("a run that is too short to gain, or that somebody looks at, stays in one thread and says why", () => {
  const workers = 2;
  assertStringIncludes(reasonAgainst(small(), (one) => one.run({ workers })), "so short");
  assertStringIncludes(
    reasonAgainst(small(), (one) => one.run(always({ workers, until: () => false }))),
    "every simulated millisecond",
  );
  assertStringIncludes(
    reasonAgainst(small(), (one) => {
      one.onDelivery(() => {});
      one.run(always({ workers }));
    }),
    "looked at as they pass",
  );
  assertStringIncludes(
    reasonAgainst(small(), (one) => {
      one.at(1e6, () => {});
      one.run(always({ workers }));
    }),
    "Code opens sockets",
  );
});

Deno.test("of a run in several threads the report is there when they have ended, and nobody looks inside", () => {
  const simulation = small().build();
  const { ended } = simulation.run(always({ workers: 2 }));
  assertEquals(ended, "quiescence");
  const before = [simulation.digest, outcome(simulation)];
  assertThrows(() => simulation.inspect(), InputError, "several threads");
  assertThrows(() => simulation.snapshot(), InputError, "several threads");
  assert(simulation.progress().established > 0);
  simulation.close();
  simulation.close();
  assertEquals([simulation.digest, outcome(simulation)], before);
  assertThrows(() => simulation.run(), Error, "have ended");
});

Deno.test("a partition names nodes that there are, each once", () => {
  const build = (parts: string[][]) => () => small((network) => network.partition(parts)).build();
  assertThrows(build([["clients"], ["serve"]]), NetworkError, `Did you mean "server"?`);
  assertThrows(build([["clients"], ["clients[2]"]]), NetworkError, "two places");
  assertThrows(build([]), NetworkError, "1 to 64 parts");
  assertThrows(() => small().build().run({ workers: 0 }), RangeError, "from 1 on");
});
