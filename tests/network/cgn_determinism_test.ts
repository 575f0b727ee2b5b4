/** Carrier-grade NATs do the same whatever their rows are called. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { restartNat } from "../../src/network/nat_events.ts";
import type { NatOptions } from "../../src/network/options.ts";
import { built, type Step } from "./support/networks.ts";
import { nodeRow } from "./support/probe.ts";

const SECOND = 1e9;

/** Homes behind two carrier-grade NATs, which are too small, slow to give ports back, and hairpin. */
function crowded(): Step[] {
  const cgn: NatOptions = {
    count: 2,
    address: "203.0.113.1/24",
    pool: { first: "203.0.113.16", count: 3 },
    insideAddress: "100.64.0.1",
    portLow: 1024,
    portHigh: 1087,
    portAssignment: "random",
    blocks: { size: 8, perSubscriber: 3 },
    pooling: "arbitrary",
    holdDownNs: 5 * SECOND,
    holdDownPorts: 40,
    sessionsPerSecond: 4,
    sessionsBurst: 6,
    tcpTransitoryNs: 2 * SECOND,
    tcpEstablishedNs: 20 * SECOND,
    log: "blocks",
    onRefusal: "icmp",
    tcpLoose: true,
  };
  return [
    (n) => n.host("pcs", { address: "192.168.1.2/24", count: 12 }),
    (n) =>
      n.nat("homes", { address: "100.64.0.2/10", insideAddress: "192.168.1.1", count: 6, portAssignment: "random" }),
    (n) => n.nat("cgn", cgn),
    (n) => n.router("isp"),
    (n) => n.host("web", { address: "192.0.2.1/24", listen: [{ port: 80 }, { port: 81 }] }),
    (n) => n.host("far", { address: "198.51.100.1" }),
    (n) => n.link("pcs", "homes", { delayNs: 1e6, jitterNs: 1e6 }),
    (n) => n.link("homes", "cgn", { delayNs: 2e6, loss: 0.02 }),
    (n) => n.link("cgn", "isp", { delayNs: 1e6 }),
    (n) => n.link("isp", "web", { delayNs: 1e6, loss: 0.01 }),
    (n) => n.link("isp", "far", { delayNs: 1e6 }),
    (n) =>
      n.workload({
        name: "pages",
        kind: "request-response",
        from: ["pcs"],
        to: ["web:80", "web:81"],
        connections: 300,
        arrivals: { kind: "poisson", perSecond: 30 },
        holdNs: 3 * SECOND,
        holdDistribution: "exponential",
      }),
    // Nobody waits for these.
    (n) => n.workload({ name: "probes", kind: "hold", from: ["far"], to: ["cgn[0]:1030"], connections: 2 }),
  ];
}

/** Runs it, with a restart of one gateway on the way. */
function digests(simulation: ReturnType<typeof built>): [string, string] {
  simulation.run({ untilNs: 6 * SECOND });
  restartNat(simulation.partition, nodeRow(simulation, "cgn[1]"));
  simulation.run({ untilNs: 60 * SECOND, pastQuiescence: true });
  return [simulation.digest, simulation.eventDigest];
}

Deno.test("blocks, hold-down, rates, held SYNs and a restart do not depend on the numbering of rows", () => {
  const first = built(crowded());
  const expected = digests(first);
  const [cgn] = first.report().nats;
  for (const reason of ["block", "rate"]) assert(cgn.refused[reason] > 0, reason);
  assert(cgn.blocksGiven > cgn.blocksPeak && cgn.unsolicitedSynsAnswered === 2 && cgn.restarts === 1);
  fc.assert(
    fc.property(
      fc.shuffledSubarray(crowded().map((_, i) => i), { minLength: crowded().length }),
      fc.nat(300),
      fc.boolean(),
      (order, skip, reversed) => {
        const steps = crowded();
        assertEquals(digests(built(order.map((i) => steps[i]), { numbering: { skip, reversed } })), expected);
      },
    ),
    { numRuns: 8 },
  );
});
