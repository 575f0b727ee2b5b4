import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { registerApplication } from "../../src/app/application.ts";
import { InputError } from "../../src/base/errors.ts";
import type { PlainValue } from "../../src/base/plain.ts";
import { NetworkError } from "../../src/network/errors.ts";
import { runPartition } from "../../src/network/loop.ts";
import { registerModule } from "../../src/network/modules.ts";
import { Network } from "../../src/network/network.ts";
import { Simulation } from "../../src/network/simulation.ts";
import { outcome } from "../network/support/restorable.ts";

await registerModule(new URL("../network/support/chatter_module.ts", import.meta.url));

interface Shape {
  loss?: number;
  maxFiles?: number;
  seed?: number;
  reversed?: boolean;
}

function talk({ loss = 0, maxFiles = Infinity, seed = 1, reversed = false }: Shape = {}): Network {
  const network = new Network({ seed, numbering: { reversed } });
  network.host("servers", { address: "192.0.2.1/24", count: 2, maxFiles, profile: { receiveBufferBytes: 16_384 } });
  network.host("clients", { address: "198.51.100.1/24", count: 3, maxFiles, profile: { sendBufferBytes: 20_000 } });
  network.router("r");
  network.link("clients", "r", { rateBps: 5e7, delayNs: 3e6, loss });
  network.link("r", "servers", { rateBps: 5e7, delayNs: 2e6, loss });
  const to = ["192.0.2.1", "192.0.2.2", "192.0.2.99"];
  network.application({ name: "echo", application: "test-echo", on: ["servers"], options: { port: 7 } });
  network.application({
    name: "talk",
    application: "test-talk",
    on: ["clients"],
    options: { to, port: 7, connections: 12 },
    startNs: 1e6,
  });
  return network;
}

/** What applications of a name know, and what sockets they have, as a snapshot says it. */
let asked: PlainValue[] = [];
registerApplication({ name: "test-nothing", start: (app) => void asked.push(app.index) });

Deno.test("applications of a module talk, and their run ends at rest with everything closed", () => {
  const simulation = talk().build();
  assertEquals(simulation.run().ended, "quiescence");
  const { attempted, established, failed, open } = simulation.report().connections;
  assertEquals(attempted, 36);
  assertEquals(open, 0);
  assertEquals(established, 24);
  assertEquals(failed, { EHOSTUNREACH: 12 });
});

for (const [name, shape] of [["clean", {}], ["lossy", { loss: 0.03 }], ["short of files", { maxFiles: 4 }]] as const) {
  Deno.test(`applications on a ${name} network are restored at any moment`, () => {
    const whole = talk(shape).build();
    whole.run();
    const end = outcome(whole);
    for (let turn = 1; turn <= 12; turn++) {
      const part = talk(shape).build();
      part.run({ untilNs: Math.floor(whole.nowNs * Math.min(1, turn * turn / 100)) });
      const snapshot = part.snapshot();
      const rest = Simulation.restore(snapshot);
      assertEquals(rest.snapshot(), snapshot);
      rest.run();
      assertEquals(outcome(rest), end, `cut at ${part.nowNs}`);
      assertEquals(rest.snapshot(), whole.snapshot());
    }
  });
}

Deno.test("a run that is restored over and over in the middle of instants ends as the one that was not", () => {
  const whole = talk({ loss: 0.02 }).build();
  whole.run();
  let now = talk({ loss: 0.02 }).build();
  while (now.run({ interrupted: () => true, untilNs: 5e9 }).ended === "interrupted") {
    now = Simulation.restore(now.snapshot());
  }
  now.run();
  assertEquals(outcome(now), outcome(whole));
});

registerApplication<{ failed: string[] }>({
  name: "test-refused",
  start(app) {
    app.state = { failed: [] };
    for (let i = 0; i < 3; i++) app.connect({ address: "2001:db8::1", port: 7 }).data = i;
  },
  socket: {
    error(app, socket, { code }) {
      app.state.failed.push(`${socket.id} ${socket.data} ${code} ${app.sockets.length}`);
    },
  },
});

Deno.test("sockets that were refused at once are told so after a snapshot, too", () => {
  const one = new Network();
  one.host("a", { address: "10.0.0.1/24" });
  one.application({ name: "r", application: "test-refused", on: ["a"] });
  const whole = one.build();
  whole.run();
  // An event is over, those that it made for the same instant are not.
  const part = one.build();
  runPartition(part.partition, 0, false, 1);
  const rest = Simulation.restore(Simulation.restore(part.snapshot()).snapshot());
  rest.run();
  assertEquals(rest.snapshot(), whole.snapshot());
  assertStringIncludes(
    new TextDecoder().decode(rest.snapshot()),
    '["1 0 ENETUNREACH 2","2 1 ENETUNREACH 1","3 2 ENETUNREACH 0"]',
  );
});

Deno.test("what applications do depends on the seed, and not on how rows are numbered", () => {
  const digest = (shape: Shape) => {
    const simulation = talk(shape).build();
    simulation.run();
    return simulation.digest;
  };
  assertEquals(digest({ loss: 0.02 }), digest({ loss: 0.02, reversed: true }));
  assert(digest({}) !== digest({ seed: 2 }));
});

Deno.test("applications are part of a declaration, and begin when and where it says", () => {
  asked = [];
  const network = new Network();
  network.host("a", { address: "10.0.0.1/24", count: 4 });
  network.application({ name: "n", application: "test-nothing", on: ["a[3]", "a[0..1]"], startNs: 5e9 });
  const again = Network.fromJSON(JSON.parse(JSON.stringify(network)));
  assertEquals(again.toJSON(), network.toJSON());
  const simulation = again.build();
  simulation.run();
  assertEquals([asked.length, simulation.nowNs], [3, 5e9]);
});

Deno.test("a fork of applications has another future only where it was changed", () => {
  const simulation = talk().build();
  simulation.run({ untilNs: 60e6 });
  const same = simulation.fork();
  const other = simulation.fork([{ kind: "link", link: "clients--r", loss: 0.2 }]);
  for (const one of [simulation, same, other]) one.run();
  assertEquals(same.digest, simulation.digest);
  assert(other.digest !== simulation.digest);
});

const network = () => {
  const one = new Network();
  one.host("a", { address: "10.0.0.1/24" });
  one.host("b", { address: "10.0.0.2/24" });
  one.router("r");
  one.link("a", "b", { delayNs: 1e6 });
  return one;
};

for (
  const [what, options, words] of [
    ["that nobody registered", { application: "nothing-such" }, "registerModule"],
    ["with a slip in its name", { application: "test-ehco" }, 'did you mean "test-echo"'],
    ["on a router", { on: ["r"] }, "Applications are on hosts"],
    ["on nothing", { on: [] }, "at least one host"],
    ["whose options are no plain data", { options: { at: new Map() as unknown as PlainValue } }, "at is a Map"],
    ["that begins at no time", { startNs: -1 }, "whole number of nanoseconds"],
  ] as const
) {
  Deno.test(`an application ${what} is refused`, () => {
    const one = network();
    one.application({ name: "x", application: "test-nothing", on: ["a"], ...options } as never);
    assertStringIncludes(assertThrows(() => one.build(), NetworkError).message, words);
  });
}

let closure = false;
let keep: PlainValue = null;
registerApplication({
  name: "test-careless",
  start(app) {
    const socket = app.connect({ address: "10.0.0.2", port: 1 });
    app.state = keep;
    if (closure) socket.on("close", () => {});
  },
});

for (
  const [what, setup, words] of [
    [
      "a function was added to",
      () => closure = true,
      /application careless: the socket to 10\.0\.0\.2:1 \(a function for "close" was added\) on a, /,
    ],
    ["a map is kept by", () => keep = { seen: new Map() as unknown as PlainValue }, /on a: seen is a Map/],
    ["a circle is kept by", () => Object.assign(keep = {}, { self: keep }), /on a: self is within itself/],
  ] as const
) {
  Deno.test(`an application that ${what} cannot be saved, and it is said where and why`, () => {
    [closure, keep] = [false, null];
    setup();
    const one = network();
    one.application({ name: "careless", application: "test-careless", on: ["a"] });
    const simulation = one.build();
    simulation.run({ untilNs: 0 });
    const { message } = assertThrows(() => simulation.snapshot(), InputError);
    assert(words.test(message), message);
  });
}

Deno.test("names of applications are taken once", () => {
  assertThrows(() => registerApplication({ name: "test-echo", start() {} }), RangeError, "already");
  assertThrows(() => registerApplication({ name: "", start() {} }), RangeError, "name");
});
