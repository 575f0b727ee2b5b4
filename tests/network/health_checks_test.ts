import { assert, assertEquals, assertThrows } from "@std/assert";
import type { BalancerMode, BalancerServiceOptions } from "../../src/network/balancer_options.ts";
import { NetworkError } from "../../src/network/errors.ts";
import { DIRECTION, DIRECTION_FLAG } from "../../src/link/links.ts";
import { built, type Step } from "./support/networks.ts";
import { backendsOf, balanced, setLink } from "./support/balanced.ts";
import type { Simulation } from "../../src/network/simulation.ts";

const states = (simulation: Simulation) => backendsOf(simulation).map(({ up }) => up);

for (const mode of ["nat", "direct-return"] as const) {
  for (const algorithm of ["source-hash", "maglev"] as const) {
    Deno.test(`${mode}, ${algorithm} without a connection table: health checks pass by the clients' flows`, () => {
      const simulation = built(balanced({
        service: { mode, algorithm, hashOn: "flow", connectionTable: false, health: { intervalNs: 1e8 } },
        workload: { arrivals: { kind: "rate", perSecond: 200 } },
      }));
      simulation.run();
      const { connections, balancers } = simulation.report();
      assertEquals([connections.established, connections.repliesCompleted], [400, 400]);
      assertEquals(balancers[0].refused, {});
      assertEquals(states(simulation), [true, true, true, true]);
    });
  }
}

Deno.test("a service at the balancer's own address is checked without a connection table too", () => {
  const simulation = built(balanced({
    service: {
      address: undefined,
      port: 40_000,
      algorithm: "maglev",
      connectionTable: false,
      health: { intervalNs: 1e7 },
    },
    workload: { to: ["lb:40000"], arrivals: { kind: "rate", perSecond: 20 } },
  }));
  simulation.run();
  assertEquals(simulation.report().connections.repliesCompleted, 400);
  assertEquals(states(simulation), [true, true, true, true]);
});

/** Two balancers whose checks take 120 ms of every 130 and 170 ms: something is always under way. */
const restless = (service: Partial<BalancerServiceOptions> = {}): Step[] => [
  (n) => n.host("clients", { count: 8, address: "10.0.0.1/16" }),
  (n) => n.host("web", { count: 4, address: "192.0.2.1/24", listen: [{ port: 80 }, { port: 81 }] }),
  (n) => n.router("r1"),
  ...[[80, 130e6], [81, 170e6]].map(([port, intervalNs]): Step => (n) =>
    n.balancer(`lb${port}`, {
      address: `203.0.113.${port}/24`,
      services: [{ port, backends: [`web:${port}`], health: { intervalNs, timeoutNs: 125e6 }, ...service }],
    })
  ),
  (n) => n.link("clients", "r1", { delayNs: 1e6 }),
  (n) => n.link("r1", "web", { delayNs: 29e6 }),
  ...[80, 81].map((port): Step => (n) => n.link("r1", `lb${port}`, { delayNs: 1e6 })),
  (n) =>
    n.workload({
      name: "load",
      kind: "request-response",
      from: ["clients"],
      to: ["lb80:80", "lb81:81"],
      connections: 40,
      requests: 3,
      thinkNs: 3e9,
    }),
];

const modes: BalancerMode[] = ["nat", "full-nat"];

for (const mode of modes) {
  for (const cut of ["nothing", "both ways", "towards it", "from it"] as const) {
    Deno.test(`${mode}, cut off: ${cut}: health checks neither keep a run alive nor end it before its time`, () => {
      const run = (slicesNs: number) => {
        const simulation = built(restless({ mode }));
        const { links: { words, count }, nodes } = simulation.partition;
        for (let d = 0; d < count; d++) {
          const at = d * DIRECTION.STRIDE;
          if (words[at + DIRECTION.FROM] === 0 || words[at + DIRECTION.TO] === 0) continue;
          const [from, to] = [DIRECTION.FROM, DIRECTION.TO].map((end) => nodes.nameOf(words[at + end]));
          const forth = to === "web[3]" && (cut === "both ways" || cut === "towards it");
          const back = from === "web[3]" && (cut === "both ways" || cut === "from it");
          if (forth || back) words[at + DIRECTION.FLAGS] |= DIRECTION_FLAG.DOWN;
        }
        let ended = "time";
        for (let at = slicesNs; ended === "time" && at < 500e9; at += slicesNs) {
          ({ ended } = simulation.run({ untilNs: at }));
        }
        return { simulation, ended };
      };
      const { simulation, ended } = run(499e9);
      assertEquals(ended, "quiescence");
      const { connections, simulatedSeconds } = simulation.report();
      // TIME_WAIT after the third reply is the last that there is. (A flow of the fourth waits for its SYN's retries.)
      assertEquals(connections.repliesCompleted, connections.established * 3);
      assert(simulatedSeconds > 66 && simulatedSeconds < 72, `${simulatedSeconds}`);
      assertEquals(states(simulation), [true, true, true, cut === "nothing", true, true, true, cut === "nothing"]);
      const sliced = run(0.777e9);
      assertEquals(
        [sliced.simulation.nowNs, sliced.simulation.digest, sliced.simulation.eventDigest],
        [simulation.nowNs, simulation.digest, simulation.eventDigest],
      );
      assertEquals(simulation.run(), { ended: "quiescence" });
      simulation.run({ untilNs: simulation.nowNs + 3e9, pastQuiescence: true });
      assert(simulation.digest !== sliced.simulation.digest);
    });
  }
}

Deno.test("a run waits until what a balancer was told is believed", () => {
  const simulation = built([
    ...balanced({ service: { health: { detectionNs: 30e9 } }, workload: { kind: "hold", connections: 4 } }),
    (n) => n.event({ kind: "backend", atNs: 1e9, balancer: "lb", backend: "web[1]", state: "down" }),
  ]);
  simulation.run();
  assertEquals(simulation.nowNs, 31e9);
  assertEquals(states(simulation), [true, false, true, true]);
});

Deno.test("full-nat: health checks have source ports of their own, so that the flows have all of theirs", () => {
  const used = (portLow: number, portHigh: number, sources?: { first: string; count: number }) => {
    const simulation = built(balanced({
      service: { mode: "full-nat", health: { intervalNs: 1e7 } },
      balancer: { portLow, portHigh, sources },
      clients: { profile: { synRetries: 0 } },
      backends: 2,
      workload: { kind: "hold", connections: 500, arrivals: { kind: "rate", perSecond: 1000 } },
    }));
    const ports = { checks: new Set<number>(), flows: new Set<number>() };
    const opened = new Map<string, number>();
    const words = simulation.packets.rows.words;
    simulation.onDelivery((p, _timeNs, _from, to) => {
      if (!to.startsWith("web")) return;
      const [source, port] = [simulation.addresses.toText(words[p * 16]), words[p * 16 + 2] >>> 16];
      const key = `${source}:${port} ${to}`;
      opened.set(key, (opened.get(key) ?? 0) + 1);
    });
    simulation.run({ untilNs: 2e9 });
    for (const [key, count] of opened) {
      const [source, port] = key.split(" ")[0].split(":");
      // (A flow that is held sends two segments, an ACK after the SYN; a check sends a reset as well.)
      (count > 2 ? ports.checks : ports.flows).add(Number(port));
      assert(sources === undefined || count > 2 === (source === "203.0.113.1"), key);
    }
    assertEquals(states(simulation), [true, true]);
    const { established } = simulation.report().connections;
    return { established, ...ports };
  };
  for (const [low, high] of [[1024, 1123], [40_000, 40_099], [65_436, 65_535]]) {
    const { established, checks, flows } = used(low, high);
    assertEquals([established, flows.size], [200, 100]);
    assert(checks.size > 100);
    for (const port of checks) assert(port < low || port > high, `${port}`);
  }
  const { established } = used(1, 65_535, { first: "203.0.113.10", count: 1 });
  assertEquals(established, 500);
  const error = assertThrows(() => used(1, 65_535), NetworkError);
  assertEquals(error.subject, "nodes.lb.portLow");
});

Deno.test("a balancer that is down or restarts learns nothing about its back ends by that", () => {
  for (const action of ["down", "reboot"] as const) {
    const simulation = built([
      ...balanced({
        service: { health: { intervalNs: 1e8, timeoutNs: 9e7, fall: 1 } },
        // (A check is under way when it happens.)
        workload: { kind: "hold", connections: 4 },
      }),
      (n) => n.event({ kind: "node", atNs: 2.101e9, node: "lb", action, downForNs: 3e9 }),
    ]);
    const believed = new Set<boolean>();
    while (simulation.run({ untilNs: simulation.nowNs + 5e7, pastQuiescence: true }).ended === "time") {
      for (const up of states(simulation)) believed.add(up);
      if (simulation.nowNs > 8e9) break;
    }
    assertEquals([...believed], [true], action);
  }
});

Deno.test("a snapshot in the middle of a check goes on as the run does", () => {
  const make = () => built(balanced({ service: { mode: "full-nat", health: { intervalNs: 1e8 } } }));
  const whole = make();
  whole.run();
  const half = make();
  half.run({ untilNs: 0.1015e9 });
  setLink(half, "r1", "web[1]", false);
  const restored = (half.constructor as typeof Simulation).restore(half.snapshot());
  restored.run();
  assertEquals([restored.digest, restored.nowNs], [whole.digest, whole.nowNs]);
});
