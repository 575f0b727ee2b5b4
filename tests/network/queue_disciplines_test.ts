import { assert, assertEquals, assertThrows } from "@std/assert";
import { Network, type QueueDisciplineOptions, Simulation } from "../../mod.ts";
import type { LinkOptions } from "../../src/network/options.ts";
import { assertConserved } from "./support/probe.ts";

/** Senders, a bottleneck of 20 Mbit/s with 20 ms, receivers. */
function bottleneck(
  neck: LinkOptions,
  options: { senders?: number; ecn?: boolean; bytes?: number; rateBps?: number } = {},
) {
  const { senders = 4, ecn = false, bytes = 3e6, rateBps = 20e6 } = options;
  const network = new Network({ seed: 3 });
  const profile = { ecn: ecn ? "on" : "off" } as const;
  network.host("senders", { count: senders, address: "10.0.0.1/16", profile });
  network.router("left");
  network.router("right");
  network.host("receivers", { count: senders, address: "10.1.0.1/16", listen: [{ port: 80 }], profile });
  network.link("senders", "left", { rateBps: 1e9, delayNs: 1e6 });
  network.link("left", "right", { rateBps, delayNs: 20e6, ...neck });
  network.link("right", "receivers", { rateBps: 1e9, delayNs: 1e6 });
  network.workload({
    name: "up",
    kind: "bulk",
    from: ["senders"],
    to: ["receivers:80"],
    connections: senders,
    bytes,
    arrivals: { kind: "at-once" },
  });
  return network;
}

function discipline(kind: QueueDisciplineOptions["kind"], more: Partial<QueueDisciplineOptions> = {}): LinkOptions {
  return { queueDiscipline: { kind, ...more } };
}

/** How long packets took from the left router to the right one, ms, sorted. */
function delays(network: Network): number[] {
  const simulation = network.build();
  const sent = new Map<number, number>();
  const found: number[] = [];
  simulation.onSend((p, timeNs, from, to) => from === "left" && to === "right" && sent.set(p, timeNs));
  simulation.onDelivery((p, timeNs, from, to) => {
    if (from === "left" && to === "right") found.push((timeNs - sent.get(p)!) / 1e6);
  });
  simulation.run();
  return found.sort((a, b) => a - b);
}

Deno.test("a queue whose discipline drops nothing early delivers what drop-tail does, to the nanosecond", () => {
  for (const rateBps of [20e6, 7_777_777, 333_333_331]) {
    const digests = [
      {},
      discipline("codel", { targetNs: 1e12 }),
      discipline("red", { minThreshold: 98, maxThreshold: 99 }),
    ]
      .map((managed) => {
        // (Queues of 100 packets overflow, and RED's average stays below 98.)
        const simulation = bottleneck({ queuePackets: 100, ...managed }, { rateBps }).build();
        simulation.run();
        assertConserved(simulation);
        return simulation.digest;
      });
    assertEquals(new Set(digests).size, 1, `${rateBps}`);
  }
});

Deno.test("under CoDel and FQ-CoDel long flows leave a delay of about the target", () => {
  const median = (network: Network) => {
    const all = delays(network);
    return all[all.length >> 1] - 20;
  };
  const dropTail = median(bottleneck({ queuePackets: 200 }));
  const codel = median(bottleneck(discipline("codel")));
  const fair = median(bottleneck(discipline("fq-codel")));
  assert(dropTail > 30, `${dropTail} ms`);
  assert(codel < 15 && fair < 15, `${codel} ms, ${fair} ms`);
});

Deno.test("with ECN, FQ-CoDel marks instead of dropping, and flows lose nothing", () => {
  const simulation = bottleneck(discipline("fq-codel"), { ecn: true }).build();
  simulation.run();
  const report = simulation.report();
  assertEquals(report.packets.dropped, {});
  const [link] = report.limits.filter(({ limit }) => limit === "link");
  assert(/fq-codel dropped 0 early, marked [1-9]/.test(link.detail), link.detail);
});

Deno.test("early drops have their own reason, and the report counts them apart from a full queue's", () => {
  const simulation = bottleneck(discipline("red", { minThreshold: 5, maxThreshold: 15 })).build();
  simulation.run();
  assertConserved(simulation);
  const { packets: { dropped }, limits } = simulation.report();
  assert(dropped["queue-early"] > 0);
  assertEquals(dropped["queue"], undefined);
  const [link] = limits.filter(({ limit }) => limit === "link");
  assertEquals([link.refused, link.firstHitSeconds], [0, null]);
  assert(link.detail.includes(`red dropped ${dropped["queue-early"]} early`), link.detail);
});

Deno.test("a link with a discipline that goes down loses what waits, and begins empty", () => {
  const network = bottleneck(discipline("fq-codel"));
  network.event({ kind: "link", link: "left--right", atNs: 300e6, state: "down" });
  network.event({ kind: "link", link: "left--right", atNs: 305e6, state: "up" });
  const simulation = network.build();
  simulation.run();
  assertConserved(simulation);
  const report = simulation.report();
  assert(report.packets.dropped["link-down"] > 0);
  assertEquals([report.connections.established, report.connections.open, report.connections.broken], [4, 0, {}]);
});

Deno.test("rate, delay and limit of a link with a discipline change in mid-run; its discipline cannot", () => {
  const network = bottleneck(discipline("codel"));
  network.event({ kind: "link", link: "left--right", atNs: 200e6, rateBps: 2e6, delayNs: 5e6, queuePackets: 3 });
  network.event({ kind: "link", link: "left--right", atNs: 900e6, rateBps: 40e6, queuePackets: 500 });
  const simulation = network.build();
  simulation.run();
  assertConserved(simulation);
  assert(simulation.report().packets.dropped["queue"] > 0);
});

Deno.test("a run with managed queues is restored from a snapshot at any time", () => {
  for (const kind of ["codel", "fq-codel", "red"] as const) {
    const make = () => bottleneck(discipline(kind), { bytes: 4e5 }).build();
    const whole = make();
    whole.run();
    const cut = make();
    for (const untilNs of [50e6, 111e6, 140e6]) {
      cut.run({ untilNs });
      const restored = Simulation.restore(cut.snapshot());
      restored.run();
      assertEquals([restored.digest, restored.eventDigest], [whole.digest, whole.eventDigest], `${kind} ${untilNs}`);
    }
  }
});

Deno.test("a discipline that makes no sense is refused with the place", () => {
  const refused: [LinkOptions, RegExp][] = [
    [{ ...discipline("codel"), rateBps: Infinity }, /queue: A queue needs a rate/],
    [discipline("codel", { flows: 5 }), /queue\.flows: That is no parameter of codel/],
    [discipline("fq-codel", { flows: 0 }), /queue\.flows: There are 1 to 65536/],
    [discipline("codel", { targetNs: 0.5 }), /queue\.target: That is a whole number of nanoseconds/],
    [discipline("red", { minThreshold: 90, maxThreshold: 30 }), /queue\.min: Thresholds rise/],
    [discipline("red", { weight: 0 }), /queue\.weight: That is a share/],
    [{ ...discipline("codel"), ecnThresholdPackets: 5 }, /it takes no ECN threshold/],
    // deno-lint-ignore no-explicit-any
    [discipline("pie" as any), /A queue is codel, fq-codel or red, not pie/],
  ];
  for (const [options, sentence] of refused) {
    const error = assertThrows(() => bottleneck(options).build());
    assert(sentence.test(`${(error as Error & { subject: string }).subject}: ${(error as Error).message}`), `${error}`);
  }
});
