import { assert, assertEquals } from "@std/assert";
import { DIRECTION, DIRECTION_FLAG } from "../../src/link/links.ts";
import type { RouterOptions } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { built, type Step } from "./support/networks.ts";

/** clients -- a -- m[0..paths-1] -- b -- server, every path alike but for its delay. */
function ladder(options: { paths: number; ecmp?: RouterOptions["ecmp"]; delays?: number[]; costs?: number[] }): Step[] {
  const { paths, ecmp, delays = [], costs = [] } = options;
  const steps: Step[] = [
    (n) => n.host("clients", { count: 16, address: "10.0.0.1/16" }),
    (n) => n.router("a", ecmp && { ecmp }),
    (n) => n.router("b", ecmp && { ecmp }),
    (n) => n.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] }),
    (n) => n.link("clients", "a", { delayNs: 1e6 }),
    (n) => n.link("b", "server", { delayNs: 1e6 }),
    (n) => n.workload({ name: "load", kind: "hold", from: ["clients"], to: ["server:80"], connections: 2000 }),
  ];
  for (let i = 0; i < paths; i++) {
    steps.push((n) => n.router(`m${i}`));
    steps.push((n) => n.link("a", `m${i}`, { delayNs: delays[i] ?? 1e6, cost: costs[i] }));
    steps.push((n) => n.link(`m${i}`, "b", { delayNs: 1e6 }));
  }
  return steps;
}

/** Which middle router each flow (client address and port) went through on its way there, last. */
function ways(simulation: Simulation): Map<string, string> {
  const way = new Map<string, string>();
  simulation.onDelivery((packet, _timeNs, from, to) => {
    if (from !== "a" || !to.startsWith("m")) return;
    const words = simulation.packets.rows.words;
    const [src, , ports] = words.subarray(packet * 16, packet * 16 + 3);
    way.set(`${simulation.addresses.toText(src)}:${ports >>> 16}`, to);
  });
  return way;
}

function shares(way: Map<string, string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const to of way.values()) counts[to] = (counts[to] ?? 0) + 1;
  return counts;
}

/** Takes the link between two nodes down, both ways, or up. */
function setLink(simulation: Simulation, from: string, to: string, down: boolean): void {
  const { links, nodes } = simulation.partition;
  for (let d = 0; d < links.words.length / DIRECTION.STRIDE; d++) {
    const at = d * DIRECTION.STRIDE;
    const ends = [links.words[at + DIRECTION.FROM], links.words[at + DIRECTION.TO]];
    if (ends[0] === 0 || ends[1] === 0) continue;
    const names = ends.map((node) => nodes.nameOf(node));
    if (!names.includes(from) || !names.includes(to)) continue;
    if (down) links.words[at + DIRECTION.FLAGS] |= DIRECTION_FLAG.DOWN;
    else links.words[at + DIRECTION.FLAGS] &= ~DIRECTION_FLAG.DOWN;
  }
}

Deno.test("flows spread evenly over paths of one cost and one delay", () => {
  const simulation = built(ladder({ paths: 4 }));
  const way = ways(simulation);
  simulation.run();
  assertEquals(simulation.report().connections.established, 2000);
  // Binomial: 500 each, with a standard deviation of 19.
  for (const share of Object.values(shares(way))) assert(Math.abs(share - 500) < 5 * 19.4, `${share}`);
  assertEquals(Object.keys(shares(way)).length, 4);
});

Deno.test("every packet of a flow takes the same path", () => {
  const bulk: Step = (n) => {
    n.workload({ name: "up", kind: "bulk", bytes: 50_000, from: ["clients"], to: ["server:80"], connections: 40 });
  };
  const simulation = built([...ladder({ paths: 3 }).toSpliced(6, 1), bulk]);
  const seen = new Map<string, Set<string>>();
  simulation.onDelivery((packet, _timeNs, from, to) => {
    if (from !== "a" || !to.startsWith("m")) return;
    const [src, , ports] = simulation.packets.rows.words.subarray(packet * 16, packet * 16 + 3);
    const flow = `${src}:${ports}`;
    seen.set(flow, (seen.get(flow) ?? new Set()).add(to));
  });
  simulation.run();
  assertEquals([...seen.values()].map(({ size }) => size), Array(40).fill(1));
});

Deno.test("paths of different delays are shared only where the router says so, paths of different costs never", () => {
  const used = (options: Parameters<typeof ladder>[0]) => {
    const simulation = built(ladder(options));
    const way = ways(simulation);
    simulation.run();
    return Object.keys(shares(way)).toSorted();
  };
  assertEquals(used({ paths: 2, delays: [3e6, 1e6] }), ["m1"]);
  assertEquals(used({ paths: 2, delays: [3e6, 1e6], ecmp: "modulo" }), ["m0", "m1"]);
  assertEquals(used({ paths: 2, ecmp: "off" }), ["m0"]);
  assertEquals(used({ paths: 3, ecmp: "modulo", costs: [1, 2, 1] }), ["m0", "m2"]);
  assertEquals(used({ paths: 2, costs: [5, 5] }), ["m0", "m1"]);
});

Deno.test("two routers in a row do not agree on every flow", () => {
  const steps: Step[] = [
    (n) => n.host("clients", { count: 16, address: "10.0.0.1/16" }),
    (n) => n.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] }),
    (n) => n.link("clients", "a"),
    (n) => n.link("end", "server"),
    (n) => n.workload({ name: "load", kind: "hold", from: ["clients"], to: ["server:80"], connections: 2000 }),
  ];
  for (const name of ["a", "b0", "b1", "c0", "c1", "c2", "c3", "end"]) steps.push((n) => n.router(name));
  for (const b of [0, 1]) {
    steps.push((n) => n.link("a", `b${b}`));
    for (const c of [0, 1]) {
      steps.push((n) => n.link(`b${b}`, `c${2 * b + c}`));
      steps.push((n) => n.link(`c${2 * b + c}`, "end"));
    }
  }
  const simulation = built(steps);
  const seen = new Map<string, number>();
  simulation.onDelivery((packet, _timeNs, from, to) => {
    const syn = (simulation.packets.rows.words[packet * 16 + 5] & 0x12) === 2;
    if (syn && from.startsWith("b")) seen.set(to, (seen.get(to) ?? 0) + 1);
  });
  simulation.run();
  // With one salt for all, c0 and c3 would carry everything.
  for (const c of ["c0", "c1", "c2", "c3"]) assert(Math.abs((seen.get(c) ?? 0) - 500) < 100, `${c}: ${seen.get(c)}`);
});

for (const ecmp of ["modulo", "resilient"] as const) {
  Deno.test(`when one of four paths goes away, ${ecmp} moves ${ecmp === "modulo" ? "most" : "only its own"} flows`, () => {
    const simulation = built([
      ...ladder({ paths: 4, ecmp }).filter((_, i) => i !== 6),
      (n) =>
        n.workload({
          name: "load",
          kind: "request-response",
          from: ["clients"],
          to: ["server:80"],
          connections: 2000,
          requests: 2,
          thinkNs: 1e9,
        }),
    ]);
    const way = ways(simulation);
    simulation.run({ untilNs: 5e8 });
    const before = new Map(way);
    setLink(simulation, "a", "m1", true);
    setLink(simulation, "m1", "b", true);
    simulation.run();
    const lost = [...before.values()].filter((to) => to === "m1").length;
    const moved = [...before].filter(([flow, to]) => way.get(flow) !== to).length;
    assertEquals(shares(way)["m1"] ?? 0, 0);
    if (ecmp === "resilient") assertEquals(moved, lost);
    // Of four, hash mod 4 and hash mod 3 (over those left) agree for one flow in four, of those that m1 did not carry.
    else assert(Math.abs(moved / 2000 - 0.75) < 0.05, `${moved}`);
    assertEquals(simulation.report().connections.broken, {});
    assertEquals(simulation.report().connections.repliesCompleted, 4000);
  });
}

Deno.test("anycast: each client's packets go to the nearest host that has the address", () => {
  const site = (i: number): Step[] => [
    (n) => n.router(`r${i}`),
    (n) => n.host(`s${i}`, { address: `192.0.2.${i + 1}`, virtualAddresses: ["203.0.113.9"], listen: [{ port: 80 }] }),
    (n) => n.host(`c${i}`, { address: `10.0.${i}.1` }),
    (n) => n.link(`r${i}`, `s${i}`),
    (n) => n.link(`c${i}`, `r${i}`),
    (n) => n.workload({ name: `w${i}`, kind: "hold", from: [`c${i}`], to: ["203.0.113.9:80"], connections: 5 }),
  ];
  const simulation = built([
    ...site(0),
    ...site(1),
    (n) => n.router("r2"),
    (n) => n.host("c2", { address: "10.0.2.1" }),
    (n) => n.link("r0", "r1", { delayNs: 1e6 }),
    (n) => n.link("r1", "r2", { delayNs: 1e6 }),
    (n) => n.link("c2", "r2"),
    (n) => n.workload({ name: "w2", kind: "hold", from: ["c2"], to: ["203.0.113.9:80"], connections: 7 }),
  ]);
  const syns: Record<string, number> = {};
  simulation.onDelivery((packet, _timeNs, _from, to) => {
    if ((simulation.packets.rows.words[packet * 16 + 5] & 0x12) === 2 && to.startsWith("s")) {
      syns[to] = (syns[to] ?? 0) + 1;
    }
  });
  simulation.run();
  assertEquals(simulation.report().connections.established, 17);
  assertEquals(syns, { s0: 5, s1: 12 });
});

Deno.test("anycast: equally near hosts share the flows, and flows that move to another break", () => {
  const steps = (ecmp: RouterOptions["ecmp"]): Step[] => [
    (n) => n.host("clients", { count: 8, address: "10.0.0.1/16" }),
    (n) => n.router("r1", { ecmp }),
    (n) =>
      n.host("web", { count: 4, address: "192.0.2.1/24", virtualAddresses: ["203.0.113.9"], listen: [{ port: 80 }] }),
    (n) => n.link("clients", "r1", { delayNs: 1e6 }),
    (n) => n.link("r1", "web", { delayNs: 1e6 }),
    (n) =>
      n.workload({
        name: "load",
        kind: "request-response",
        from: ["clients"],
        to: ["203.0.113.9:80"],
        connections: 800,
        requests: 2,
        thinkNs: 1e9,
      }),
  ];
  const broken = (ecmp: RouterOptions["ecmp"]) => {
    const simulation = built(steps(ecmp));
    simulation.run({ untilNs: 5e8 });
    assertEquals(simulation.report().connections.established, 800);
    setLink(simulation, "r1", "web[2]", true);
    simulation.run();
    return Object.values(simulation.report().connections.broken).reduce((a, b) => a + b, 0);
  };
  // Only what web[2] held, a quarter; or all that the modulus moved, three quarters.
  assert(Math.abs(broken("resilient") - 200) < 60);
  assert(Math.abs(broken("modulo") - 600) < 60);
});

Deno.test("neither the order of declaration nor the numbering of rows changes which path a flow takes", () => {
  const steps = ladder({ paths: 5, ecmp: "resilient" });
  const digest = (order: Step[], numbering = {}) => {
    const simulation = built(order, { numbering });
    simulation.run();
    return simulation.digest;
  };
  const expected = digest(steps);
  assertEquals(digest(steps.toReversed(), { reversed: true, skip: 41 }), expected);
  assertEquals(digest(steps, { skip: 7 }), expected);
});

Deno.test("an address that is not declared as virtual stays unique", () => {
  let message = "";
  try {
    built([
      (n) => n.router("r"),
      (n) => n.host("a", { address: "10.0.0.1", virtualAddresses: ["10.0.0.2"] }),
      (n) => n.host("b", { address: "10.0.0.2" }),
      (n) => n.link("a", "r"),
      (n) => n.link("b", "r"),
    ]);
  } catch (error) {
    message = (error as Error).message;
  }
  assertEquals(message, "a and b both have the address 10.0.0.2, and no NAT stands between them.");
});
