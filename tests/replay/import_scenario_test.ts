import { assert, assertEquals } from "@std/assert";
import { formatAddress } from "../../src/base/address.ts";
import type { WorkloadOptions } from "../../src/network/options.ts";
import type { ImportedCapture } from "../../src/replay/import_capture.ts";
import { scenarioOf } from "../../src/replay/import_scenario.ts";
import { capture, imported, simulationOf, smallNetwork } from "./import_fixture.ts";

const MIXED: WorkloadOptions[] = [
  {
    name: "web",
    kind: "request-response",
    from: ["a", "b"],
    to: ["server:80"],
    connections: 6,
    arrivals: { kind: "rate", perSecond: 10 },
    requestBytes: 300,
    replyBytes: 20_000,
    requests: 3,
    thinkNs: 70e6,
    holdNs: 30e6,
    family: "ipv4",
  },
  {
    name: "mail",
    kind: "schedule",
    from: ["a"],
    to: ["server:25"],
    connections: 2,
    atNs: [33e6, 433e6],
    exchanges: [{ replyBytes: 40, workNs: 3e6 }, { requestBytes: 12, replyBytes: 80, thinkNs: 2e6 }, {
      requestBytes: 150_000,
      replyBytes: 9,
      workNs: 25e6,
    }],
    close: "server",
    holdNs: 5e6,
  },
];

/** Connections as one can compare them. */
function plays({ connections }: ImportedCapture): string[] {
  return connections.map(({ client, server, turns, close, outcome }) => {
    const sizes = turns.map(({ fromClient, bytes }) => `${fromClient ? ">" : "<"}${bytes}`).join(" ");
    const end = close === undefined ? "open" : `${close.byClient ? "client" : "server"}${close.reset ? " resets" : ""}`;
    const name = (address: typeof client) => `${formatAddress(address.address)}:${address.port}`;
    return `${name(client)} ${name(server)} ${outcome} ${sizes} ${end}`;
  });
}

for (const point of ["a", "r", "server"]) {
  Deno.test(`a run captured at ${point}, imported and run again has the same connections, sizes and order`, () => {
    const network = smallNetwork();
    for (const workload of MIXED) network.workload(workload);
    const first = imported(capture(network.build(), point));
    assert(first.connections.length >= 5);
    const scenario = scenarioOf(first, { name: "again" });
    const second = imported(capture(simulationOf(scenario.text), "capture_point"));
    assertEquals(plays(second), plays(first));
    for (const [i, connection] of first.connections.entries()) {
      const again = second.connections[i];
      const shiftNs = again.firstNs - connection.firstNs;
      assert(Math.abs(shiftNs) < 2e6, `connection ${i} begins ${shiftNs} ns off`);
      const [was, is] = [connection, again].map(({ firstNs, close }) => close!.timeNs - firstNs);
      // The bottleneck's queueing is not there any more.
      assert(Math.abs(was - is) < 0.2 * was + 5e6, `connection ${i} lasts ${is} ns, not ${was}`);
    }
  });
}

Deno.test("a second import of the re-created run makes the same scenario but for microseconds", () => {
  const network = smallNetwork();
  network.workload({ ...MIXED[1], holdNs: 5e6 });
  const round = { name: "x", roundNs: 1e6 };
  const first = scenarioOf(imported(capture(network.build(), "r")), round);
  const second = scenarioOf(imported(capture(simulationOf(first.text), "capture_point")), round);
  const exchanges = (text: string) => text.split("\n").filter((line) => /request:|reply:|close:|to:/.test(line));
  assertEquals(exchanges(second.text), exchanges(first.text));
});

Deno.test("links have the delays and about the losses that were seen", () => {
  const network = smallNetwork(3, 0.02);
  network.workload({ name: "up", kind: "bulk", from: ["a"], to: ["server:80"], connections: 4, bytes: 2e6 });
  const simulation = network.build();
  const capturedAtRouter = imported(capture(simulation, "r"));
  const { text } = scenarioOf(capturedAtRouter, { name: "x" });
  const delays = [...text.matchAll(/between: \[(\w+), capture_point\], delay: ([\d.]+)(ms|us)/g)]
    .map(([, name, value, unit]) => [name, Number(value) * (unit === "us" ? 1e-3 : 1)] as const);
  const [client, server] = delays.map(([, ms]) => ms);
  assert(client >= 5 && client < 5.3, text);
  assert(server >= 1 && server < 1.6, text);
  const lost = Number(/server1, capture_point\].*reverse: \{ loss: ([\d.]+)%/.exec(text)?.[1]);
  assert(lost > 1 && lost < 3.5, `${lost}% of 2%`);
});

Deno.test("alike connections share a workload", () => {
  const network = smallNetwork();
  network.workload({
    ...MIXED[0],
    from: ["a"],
    thinkNs: 50e6,
    arrivals: { kind: "rate", perSecond: 1 },
    replyBytes: 100,
  });
  const { text, workloads, connections } = scenarioOf(imported(capture(network.build(), "a")), { name: "x" });
  assertEquals([connections, workloads], [6, 1], text);
});

Deno.test("refused and unanswered connections fail again, each in its way", () => {
  const network = smallNetwork();
  network.host("dead", { address: "192.0.2.77/24" });
  network.link("dead", "r", { loss: 1 });
  network.workload({ name: "r", kind: "hold", from: ["a"], to: ["server:81"], connections: 1, family: "ipv4" });
  network.workload({ name: "u", kind: "hold", from: ["a"], to: ["dead:80"], connections: 1 });
  network.workload({ ...MIXED[1], connections: 1, atNs: [0], family: "ipv4" });
  const first = imported(capture(network.build(), "a", 200e9));
  assertEquals(first.connections.map(({ outcome }) => outcome).toSorted(), ["established", "refused", "unanswered"]);
  const simulation = simulationOf(scenarioOf(first, { name: "x" }).text);
  simulation.run();
  assertEquals(simulation.report().connections.failed, { ECONNREFUSED: 1, ETIMEDOUT: 1 });
});

Deno.test("equal captures make equal files, and the limit is told", () => {
  const network = smallNetwork();
  for (const workload of MIXED) network.workload(workload);
  const bytes = capture(network.build(), "a");
  const make = () => scenarioOf(imported(bytes, { limit: 3 }), { name: "x" }).text;
  assertEquals(make(), make());
  assert(/^# 2 connections beyond the limit left out: --limit N imports more\./m.test(make()), make().slice(0, 300));
});

Deno.test("half-closes and waits in CLOSE_WAIT are re-created", () => {
  const base: WorkloadOptions = {
    ...{ name: "c", kind: "schedule", from: ["a"], to: ["server:80"], connections: 1, atNs: [0], fromPorts: [5000] },
    exchanges: [{ requestBytes: 700, replyBytes: 3000, workNs: 80e6 }, { replyBytes: 90, workNs: 150e6 }],
  };
  const exchanges = [{ replyBytes: 60 }, { requestBytes: 4000, thinkNs: 90e6 }, { requestBytes: 5, thinkNs: 70e6 }];
  const ways: Partial<WorkloadOptions>[] = [
    { halfClose: true },
    { halfClose: true, holdNs: 25e6, closeWaitNs: 300e6 },
    { halfClose: true, close: "server", exchanges, holdNs: 3e6 },
    { halfClose: true, close: "server", exchanges, closeWaitNs: 70e9 },
    { closeWaitNs: 2e9 },
    { closeWaitNs: 3e9, close: "server" },
    { halfClose: true, closeWaitNs: Infinity },
  ];
  for (const point of ["a", "r", "server"]) {
    for (const way of ways) {
      const network = smallNetwork();
      network.workload({ ...base, ...way });
      const first = imported(capture(network.build(), point));
      const scenario = scenarioOf(first, { name: "again" });
      const text = JSON.stringify(way);
      assertEquals(/halfClose: true/.test(scenario.text), way.halfClose ?? false, text);
      assertEquals(/closeWait/.test(scenario.text), way.closeWaitNs !== undefined, text);
      const second = imported(capture(simulationOf(scenario.text), "capture_point"));
      assertEquals(plays(second), plays(first));
      for (const [i, side] of first.connections[0].sides.entries()) {
        const again = second.connections[0].sides[i];
        assertEquals([again.fin, again.finAcked], [side.fin, side.finAcked], text);
        const ns = (finNs: number, { firstNs }: { firstNs: number }) => finNs - firstNs;
        if (side.fin < 0) continue;
        const differenceNs = ns(again.finNs, second.connections[0]) - ns(side.finNs, first.connections[0]);
        assert(Math.abs(differenceNs) < 3e6, `${text} ${point}: FIN ${i} differs by ${differenceNs / 1e6} ms`);
      }
    }
  }
});
