/** A subscriber whose connections each take a port of a gateway for a time: a loss system, its blocking measured. */
import { assert } from "@std/assert";
import { Network } from "../../mod.ts";
import type { HoldDistribution } from "../../src/app/holding.ts";

/** Blocking of n servers offered `erlangs`: the recursion B(n) = a B(n-1) / (n + a B(n-1)). */
export function erlangB(erlangs: number, servers: number): number {
  let blocking = 1;
  for (let n = 1; n <= servers; n++) blocking = erlangs * blocking / (n + erlangs * blocking);
  return blocking;
}

/** What is run. */
export interface BlockingRun {
  /** Offered load: arrivals x holding time. */
  erlangs: number;
  /** Ports that there are. */
  ports: number;
  /** Whose: a subscriber's block, the gateway's pool, a subscriber's quota. */
  kind: "block" | "pool" | "quota";
  /** Of the time that connections are open. */
  distribution: HoldDistribution;
  seed: number;
  /** Connections tried. */
  arrivals: number;
  /** How long a connection is open, on average. */
  openSeconds?: number;
  /** How long the gateway keeps the mapping of a closed connection. */
  closingSeconds?: number;
  /** How long its port rests after that. */
  holdDownSeconds?: number;
}

/** What was measured. */
export interface Blocking {
  /** Share of the connections that were refused, the first tenth left out (until the system is in balance). */
  blocking: number;
  /** Half-width of its confidence interval. */
  halfWidth: number;
}

/** Batches for the interval, and Student's t of 29 degrees of freedom at 99.9%. */
const BATCHES = 30;
const STUDENT_T = 3.66;

/** Runs it: blocked calls are cleared (no SYN is repeated). */
export function runBlocking(options: BlockingRun): Blocking {
  const { erlangs, ports, kind, distribution, seed, arrivals } = options;
  const { openSeconds = 9, closingSeconds = 1, holdDownSeconds = 0 } = options;
  // A port that rests is nobody's: it is missing in the pool and the block, but no quota counts it.
  const holdingSeconds = openSeconds + closingSeconds + (kind === "quota" ? 0 : holdDownSeconds);
  const network = new Network({ seed });
  network.host("subscriber", { address: "100.64.0.2/10", profile: { synRetries: 0, timeWaitNs: 1e6 } });
  network.nat("gateway", {
    address: "203.0.113.1/24",
    insideAddress: "100.64.0.1",
    portLow: 1024,
    portHigh: 1024 + (kind === "quota" ? 4095 : ports - 1),
    blocks: kind === "block" ? { size: ports } : undefined,
    quotaPorts: kind === "quota" ? ports : undefined,
    tcpClosingNs: closingSeconds * 1e9,
    tcpOpeningNs: closingSeconds * 1e9,
    holdDownNs: holdDownSeconds * 1e9,
    onRefusal: "icmp",
  });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 443 }] });
  network.link("subscriber", "gateway");
  network.link("gateway", "server");
  network.workload({
    name: "calls",
    kind: "hold",
    from: ["subscriber"],
    to: ["server:443"],
    connections: arrivals,
    arrivals: { kind: "poisson", perSecond: erlangs / holdingSeconds },
    holdNs: openSeconds * 1e9,
    holdDistribution: distribution,
    // (Pareto's tail: a variance there must be, or no run is long enough.)
    holdShape: 2.5,
  });
  const simulation = network.build();
  // Counted after every so many arrivals.
  const skipped = Math.floor(arrivals / 10);
  const batch = Math.floor((arrivals - skipped) / BATCHES);
  const refusedAt: number[] = [];
  simulation.run({
    until: () => {
      const { attempted, failed } = simulation.partition.stats;
      while (attempted >= skipped + refusedAt.length * batch && refusedAt.length <= BATCHES) {
        refusedAt.push(failed.reduce((sum, count) => sum + count, 0));
      }
      return false;
    },
  });
  const shares = Array.from({ length: BATCHES }, (_, i) => (refusedAt[i + 1] - refusedAt[i]) / batch);
  const blocking = shares.reduce((sum, x) => sum + x, 0) / BATCHES;
  const variance = shares.reduce((sum, x) => sum + (x - blocking) ** 2, 0) / (BATCHES - 1);
  return { blocking, halfWidth: STUDENT_T * Math.sqrt(variance / BATCHES) };
}

/**
 * The measured blocking is Erlang's within its confidence interval (and what is rare, within a few refusals); `wider`
 * than that where parameters are drawn, so that one in a thousand does not fail.
 */
export function holdsErlangB(options: BlockingRun, { blocking, halfWidth }: Blocking, wider = 1): void {
  const expected = erlangB(options.erlangs, options.ports);
  const few = 4 * Math.sqrt(expected / options.arrivals) + 2 / options.arrivals;
  const what = `${options.kind} of ${options.ports} ports, ${options.erlangs} erlang, ${options.distribution}`;
  assert(
    Math.abs(blocking - expected) <= wider * Math.max(halfWidth, few),
    `${what}: ${blocking} +- ${halfWidth}, not ${expected}`,
  );
  assert(halfWidth < wider * Math.max(0.35 * expected, 3 * few), `${what}: ${halfWidth} is too wide for ${expected}`);
}
