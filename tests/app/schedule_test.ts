import { assertEquals, assertThrows } from "@std/assert";
import { NetworkError } from "../../src/network/errors.ts";
import { Network } from "../../src/network/network.ts";
import type { ExchangeOptions, WorkloadOptions } from "../../src/network/options.ts";
import { Simulation } from "../../src/network/simulation.ts";
import { PACKET, TCP_FLAG } from "../../src/wire/packet.ts";

/** 10 ms from client to server. */
function networkWith(workload: Partial<WorkloadOptions>, profile = {}): Network {
  const network = new Network({ seed: 1 });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }], profile });
  network.host("client", { address: "198.51.100.1/24" });
  network.link("client", "server", { delayNs: 10e6 });
  const exchanges: ExchangeOptions[] = [];
  const base: WorkloadOptions = { name: "s", kind: "schedule", from: ["client"], to: ["server:80"], connections: 1 };
  network.workload({ ...base, atNs: [0], exchanges, ...workload });
  return network;
}

interface Seen {
  ms: number;
  from: string;
  flags: number;
  bytes: number;
  port: number;
}

/** What leaves both ends, but for pure ACKs. */
function played(network: Network): { seen: Seen[]; report: ReturnType<ReturnType<Network["build"]>["report"]> } {
  const simulation = network.build();
  const seen: Seen[] = [];
  const { words } = simulation.packets.rows;
  simulation.onSend((p, timeNs, from) => {
    const at = p * PACKET.STRIDE;
    const flags = words[at + PACKET.CONTROL] & 0x1ff;
    const bytes = words[at + PACKET.LENGTH];
    if (bytes === 0 && (flags & (TCP_FLAG.SYN | TCP_FLAG.FIN | TCP_FLAG.RST)) === 0) return;
    seen.push({ ms: timeNs / 1e6, from, flags, bytes, port: words[at + PACKET.PORTS] >>> 16 });
  });
  simulation.run();
  return { seen, report: simulation.report() };
}

const data = (seen: Seen[]) => seen.filter(({ bytes }) => bytes > 0).map(({ ms, from, bytes }) => [ms, from, bytes]);

Deno.test("exchanges follow one another with their sizes and pauses", () => {
  const { seen, report } = played(networkWith({
    exchanges: [
      { requestBytes: 100, replyBytes: 200, thinkNs: 5e6, workNs: 7e6 },
      { requestBytes: 50, replyBytes: 60, thinkNs: 1e6 },
    ],
  }));
  assertEquals(data(seen), [
    [25, "client", 100],
    [42, "server", 200],
    [53, "client", 50],
    [63, "server", 60],
  ]);
  assertEquals(report.connections.established, 1);
  assertEquals(report.connections.open, 0);
});

Deno.test("a server may speak first and go on by itself after pauses", () => {
  const { seen } = played(networkWith({
    exchanges: [{ replyBytes: 30, workNs: 1e6 }, { replyBytes: 40, workNs: 100e6 }, { requestBytes: 5 }, {
      requestBytes: 6,
      thinkNs: 50e6,
    }],
  }));
  assertEquals(data(seen), [[31, "server", 30], [131, "server", 40], [141, "client", 5], [191, "client", 6]]);
});

Deno.test("connections begin at their times, from their ports, each with the schedule of its workload", () => {
  const network = networkWith({
    connections: 2,
    atNs: [0, 3e6],
    fromPorts: [5001, 5002],
    exchanges: [{ requestBytes: 1, replyBytes: 2 }],
  });
  const other: WorkloadOptions = { name: "t", kind: "schedule", from: ["client"], to: ["server:80"], connections: 1 };
  network.workload({ ...other, atNs: [1e6], fromPorts: [6000], exchanges: [{ requestBytes: 1, replyBytes: 3 }] });
  const { seen } = played(network);
  const syns = seen.filter(({ from, flags }) => from === "client" && flags & TCP_FLAG.SYN);
  assertEquals(syns.map(({ ms, port }) => [ms, port]), [[0, 5001], [1, 6000], [3, 5002]]);
  assertEquals(data(seen.filter(({ from }) => from === "server")), [[30, "server", 2], [31, "server", 3], [
    33,
    "server",
    2,
  ]]);
});

for (const [close, first] of [["client", "client"], ["server", "server"]] as const) {
  Deno.test(`the ${close} closes after the holding time where the schedule says so`, () => {
    const { seen } = played(networkWith({ exchanges: [{ requestBytes: 10, replyBytes: 10 }], close, holdNs: 500e6 }));
    const fins = seen.filter(({ flags }) => flags & TCP_FLAG.FIN);
    assertEquals(fins.map(({ from }) => from)[0], first);
    assertEquals(fins[0].ms, close === "client" ? 540 : 530);
  });

  Deno.test(`a schedule that ends with the ${close}'s reset breaks nothing`, () => {
    const { seen, report } = played(
      networkWith({ exchanges: [{ requestBytes: 10, replyBytes: 10 }], close, holdNs: 100e6, reset: true }),
    );
    const end = seen.at(-1)!;
    assertEquals([end.from, (end.flags & TCP_FLAG.RST) !== 0], [first, true]);
    assertEquals(seen.some(({ flags }) => flags & TCP_FLAG.FIN), false);
    assertEquals(report.connections.broken, {});
  });
}

Deno.test("large messages go through small buffers", () => {
  const { seen, report } = played(
    networkWith({ exchanges: [{ requestBytes: 3e6, replyBytes: 2e6 }] }, { sendBufferBytes: 20_000 }),
  );
  const total = (from: string) => seen.filter((one) => one.from === from).reduce((sum, { bytes }) => sum + bytes, 0);
  assertEquals([total("client"), total("server")], [3e6, 2e6]);
  assertEquals(report.connections.open, 0);
});

Deno.test("schedules go through a NAT, which changes addresses and ports", () => {
  const network = new Network({ seed: 1 });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
  network.nat("gw", { address: "198.51.100.1/24" });
  network.host("client", { address: "10.0.0.2/24" });
  network.link("client", "gw", { delayNs: 1e6 });
  network.link("gw", "server", { delayNs: 1e6 });
  const base: WorkloadOptions = { name: "a", kind: "schedule", from: ["client"], to: ["server:80"], connections: 1 };
  network.workload({ ...base, atNs: [0], exchanges: [{ requestBytes: 10, replyBytes: 111 }] });
  network.workload({ ...base, name: "b", atNs: [0], exchanges: [{ requestBytes: 10, replyBytes: 222 }] });
  const { seen } = played(network);
  assertEquals(data(seen).filter(([, from]) => from === "server").map(([, , bytes]) => bytes), [111, 222]);
});

for (
  const [name, workload, subject] of [
    ["times that go back", { connections: 2, atNs: [5, 4] }, "workloads.s.at[1]"],
    ["another number of connections than times", { connections: 3, atNs: [5] }, "workloads.s.at"],
    ["an exchange beyond 2^30 bytes", { exchanges: [{ requestBytes: 2 ** 31 }] }, "workloads.s.exchanges[0].request"],
    ["a port that is none", { fromPorts: [70000] }, "workloads.s.fromPorts[0]"],
  ] as const
) {
  Deno.test(`a schedule with ${name} is refused`, () => {
    const error = assertThrows(() => networkWith(workload as unknown as WorkloadOptions).build(), NetworkError);
    assertEquals(error.subject, subject);
  });
}

Deno.test("a schedule goes on from a snapshot that was taken between a SYN and its accept", () => {
  const make = () =>
    networkWith({
      connections: 3,
      atNs: [0, 5e6, 200e6],
      exchanges: [{ requestBytes: 10, replyBytes: 20, workNs: 30e6 }, { replyBytes: 7, workNs: 5e6 }],
    }).build();
  const whole = make();
  whole.run();
  const part = make();
  part.run({ untilNs: 12e6 });
  const rest = Simulation.restore(part.snapshot());
  rest.run();
  assertEquals(rest.report().digest, whole.report().digest);
});

const ends = (seen: Seen[]) => seen.filter(({ flags }) => flags & TCP_FLAG.FIN).map(({ ms, from }) => [ms, from]);

Deno.test("a client that half-closes reads on; the server closes when it has sent all, and has waited", () => {
  const exchanges = [{ requestBytes: 10, replyBytes: 20, workNs: 50e6 }, { replyBytes: 30, workNs: 100e6 }];
  const { seen, report } = played(networkWith({ exchanges, halfClose: true, holdNs: 15e6, closeWaitNs: 40e6 }));
  assertEquals(data(seen), [[20, "client", 10], [80, "server", 20], [180, "server", 30]]);
  assertEquals(ends(seen), [[35, "client"], [220, "server"]]);
  assertEquals(report.connections.open, 0);
  assertEquals(report.connections.broken, {});
});

Deno.test("a server that half-closes reads on; the client closes when it has sent all", () => {
  const exchanges = [{ replyBytes: 20 }, { requestBytes: 30, thinkNs: 100e6 }, { requestBytes: 40, thinkNs: 200e6 }];
  const { seen, report } = played(networkWith({ exchanges, close: "server", halfClose: true }));
  assertEquals(data(seen), [[30, "server", 20], [140, "client", 30], [340, "client", 40]]);
  assertEquals(ends(seen), [[30, "server"], [340, "client"]]);
  assertEquals(report.connections.open, 0);
  assertEquals(report.connections.broken, {});
});

Deno.test("an end that has nothing to send may half-close as soon as it is connected", () => {
  const exchanges = [{ replyBytes: 20, workNs: 100e6 }];
  const { seen } = played(networkWith({ exchanges, halfClose: true }));
  assertEquals(ends(seen), [[20, "client"], [130, "server"]]);
  const upload = played(networkWith({ exchanges: [{ requestBytes: 500_000 }], close: "server", halfClose: true }));
  assertEquals(ends(upload.seen).map(([, from]) => from), ["server", "client"]);
  assertEquals(upload.report.connections.broken, {});
});

Deno.test("the second end of a connection may stay in CLOSE_WAIT for a while, or for ever", () => {
  const exchanges = [{ requestBytes: 10, replyBytes: 20 }];
  for (const close of ["client", "server"] as const) {
    const [first, last] = close === "client" ? [40, 5050] : [30, 5040];
    const other = close === "client" ? "server" : "client";
    const { seen } = played(networkWith({ exchanges, close, closeWaitNs: 5e9 }));
    assertEquals(ends(seen), [[first, close], [last, other]]);
    const forever = played(networkWith({ exchanges, close, halfClose: true, closeWaitNs: Infinity }));
    assertEquals(ends(forever.seen).map(([, from]) => from), [close]);
  }
});

Deno.test("half-closes are refused where nothing closes with a FIN", () => {
  for (const bad of [{ reset: true }, { close: "none" as const }]) {
    assertThrows(() => networkWith({ halfClose: true, ...bad }).build(), NetworkError, "A half-close is a FIN");
  }
  assertThrows(() => networkWith({ closeWaitNs: -1 }).build(), NetworkError, "A time of at least 0s, not -1.");
});
