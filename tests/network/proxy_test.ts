import { assert, assertEquals } from "@std/assert";
import type { ProxyOptions } from "../../src/network/proxy_options.ts";
import type { HostOptions, WorkloadOptions } from "../../src/network/options.ts";
import { built, type Step } from "./support/networks.ts";
import { total } from "./support/balanced.ts";

const PORTS = 40;

/** clients -- r1 -- px (40 ports to each back end) -- r2 -- web. */
function proxied(options: {
  proxy?: Partial<ProxyOptions>;
  px?: Partial<HostOptions>;
  backends?: number;
  web?: Partial<HostOptions>;
  workload?: Partial<WorkloadOptions>;
}): Step[] {
  const { proxy, px, backends = 1, web, workload } = options;
  return [
    (n) => n.host("clients", { count: 10, address: "10.0.0.1/16" }),
    (n) =>
      n.host("px", {
        address: "203.0.113.1/24",
        profile: { ephemeralPortLow: 50_000, ephemeralPortHigh: 50_000 + PORTS - 1 },
        proxy: { port: 443, backends: ["web:80"], ...proxy },
        ...px,
      }),
    (n) => n.host("web", { count: backends, address: "192.0.2.1/24", listen: [{ port: 80 }], ...web }),
    (n) => n.router("r1"),
    (n) => n.link("clients", "r1", { delayNs: 1e6 }),
    (n) => n.link("r1", "px", { delayNs: 1e6 }),
    (n) => n.link("r1", "web", { delayNs: 1e6 }),
    (n) =>
      n.workload({
        name: "load",
        kind: "request-response",
        from: ["clients"],
        to: ["px:443"],
        connections: 30,
        ...workload,
      }),
  ];
}

function ran(steps: Step[], untilNs?: number) {
  const simulation = built(steps);
  simulation.run(untilNs === undefined ? {} : { untilNs });
  return simulation;
}

Deno.test("requests are passed on and answered, each over a connection of its own", () => {
  const report = ran(proxied({ backends: 3 })).report();
  assertEquals(report.connections.repliesCompleted, 30);
  assertEquals(report.connections.attempted, 30);
  const [proxy] = report.proxies;
  assertEquals([proxy.clients, proxy.requests, proxy.replies, proxy.opened, proxy.reused], [30, 30, 30, 30, 0]);
  assertEquals([proxy.bytesForth, proxy.bytesBack, proxy.refused], [3000, 30_000, 0]);
});

Deno.test("a proxy is one client to its back ends: TIME-WAIT keeps its ports, and then requests are refused", () => {
  const simulation = ran(proxied({ workload: { connections: 100 } }), 30e9);
  const report = simulation.report();
  assertEquals(report.connections.established, 100);
  assertEquals(report.connections.repliesCompleted, PORTS);
  assertEquals(report.proxies[0].refused, 100 - PORTS);
  const limit = report.limits.find(({ limit, node }) => limit === "ports" && node === "px")!;
  assertEquals([limit.used, limit.capacity], [PORTS, PORTS]);
  assertEquals(limit.detail, "ephemeral ports (50,000 to 50,039) towards 192.0.2.1:80");
});

Deno.test("what each remedy wins: more sources, more back ends, more ports, a pool, multiplexing", () => {
  const answered = (options: Parameters<typeof proxied>[0]) => {
    const { report } = ran(
      proxied({ ...options, workload: { connections: 1000, ...options.workload } }),
      30e9,
    ).partition.proxies[0];
    return [report.replies, report.peakBackend];
  };
  const extra = ["203.0.113.2", "203.0.113.3", "203.0.113.4"];
  assertEquals(answered({})[0], PORTS);
  assertEquals(
    answered({ px: { extraAddresses: extra }, proxy: { sources: ["203.0.113.1", ...extra] } })[0],
    4 * PORTS,
  );
  assertEquals(answered({ backends: 5 })[0], 5 * PORTS);
  assertEquals(
    answered({
      web: { listen: [{ port: 80 }, { port: 81 }, { port: 82 }] },
      proxy: { backends: ["web:80", "web:81", "web:82"] },
    })[0],
    3 * PORTS,
  );
  // A pool: as many at once as there are ports, one after the other; all are answered.
  assertEquals(answered({ proxy: { keepAlive: true, maxConnections: PORTS } }), [1000, PORTS]);
  assertEquals(answered({ proxy: { keepAlive: true, multiplex: 100 } }), [1000, 10]);
});

Deno.test("a stream proxy moves bytes both ways, as fast as the slower side takes them, and closes as its ends do", () => {
  for (const direction of ["upload", "download"] as const) {
    const simulation = built([
      ...proxied({
        proxy: { kind: "stream" },
        workload: { kind: "bulk", direction, bytes: 3_000_000, connections: 3 },
      }).filter((_, i) => i !== 6),
      (n) => n.link("r1", "web", { delayNs: 1e6, rateBps: 20e6, queueBytes: 100_000 }),
    ]);
    let most = 0;
    while (simulation.run({ untilNs: simulation.nowNs + 2e8 }).ended === "time") {
      const { bytesForth, bytesBack } = simulation.partition.proxies[0].report;
      most = Math.max(most, bytesForth + bytesBack);
      if (simulation.nowNs > 20e9) break;
    }
    const { connections, proxies } = simulation.report();
    assertEquals([connections.open, connections.broken], [0, {}], direction);
    assertEquals(direction === "upload" ? proxies[0].bytesForth : proxies[0].bytesBack, 9_000_000);
    // 9 MB at 20 Mbit/s take 3.6 s: what was taken in before is what buffers hold.
    assert(most === 9_000_000);
  }
});

Deno.test("a stream whose back end cannot be reached is closed, and counted", () => {
  const report = ran(proxied({ proxy: { kind: "stream", backends: ["web:81"] }, workload: { connections: 5 } }))
    .report();
  assertEquals(report.connections.repliesCompleted, 0);
  assertEquals(report.proxies[0].refused, 5);
});

Deno.test("requests wait for a connection of the pool, no more than may wait", () => {
  const run = (maxWaiting?: number) => {
    const { report } = ran(
      proxied({ proxy: { keepAlive: true, maxConnections: 2, maxWaiting }, workload: { connections: 50 } }),
      20e9,
    ).partition.proxies[0];
    return [report.replies, report.refused, report.opened];
  };
  assertEquals(run(), [50, 0, 2]);
  const [replies, refused, opened] = run(10);
  assertEquals([replies + refused, opened], [50, 2]);
  assertEquals(replies, 12);
});

Deno.test("a request that finds the pool in use and no place to wait is told as the limit that bound", () => {
  const proxy = { keepAlive: true, maxConnections: 2, maxWaiting: 10 };
  const [limit] = ran(proxied({ proxy, workload: { connections: 50 } }), 20e9).report().limits;
  assertEquals([limit.limit, limit.used, limit.capacity, limit.refused], ["proxy-pool", 2, 2, 38]);
  assert(limit.firstHitSeconds! > 0);
});

Deno.test("a workload of several requests on one connection goes over the proxy's pool", () => {
  const report = ran(proxied({ proxy: { keepAlive: true }, workload: { connections: 20, requests: 5, thinkNs: 1e7 } }))
    .report();
  assertEquals(report.connections.repliesCompleted, 100);
  assertEquals(total(report.connections.broken), 0);
  assert(report.proxies[0].opened <= 20);
  assertEquals(report.proxies[0].opened + report.proxies[0].reused, 100);
});

Deno.test("neither the order of declaration nor the numbering of rows changes a proxy's digests", () => {
  const steps = proxied({
    backends: 3,
    proxy: { keepAlive: true, algorithm: "maglev", multiplex: 2 },
    workload: { connections: 60, requests: 3, arrivals: { kind: "poisson", perSecond: 300 } },
  });
  const digest = (order: Step[], numbering = {}) => {
    const simulation = built(order, { numbering });
    simulation.run();
    return [simulation.digest, simulation.eventDigest];
  };
  const expected = digest(steps);
  assertEquals(digest(steps.toReversed(), { reversed: true, skip: 23 }), expected);
});

Deno.test("a refusal for want of ports is counted once, and only where no source and no back end had one left", () => {
  const run = (connections: number, sources: number, backends: number) => {
    const extra = Array.from({ length: sources - 1 }, (_, i) => `203.0.113.${i + 2}`);
    const simulation = ran(
      proxied({
        backends,
        px: { extraAddresses: extra },
        // (Uneven shares: one back end has no port left long before the other.)
        proxy: { sources: ["203.0.113.1", ...extra], algorithm: "source-hash" },
        workload: { connections },
      }),
      30e9,
    );
    const limit = simulation.report().limits.find(({ limit, node }) => limit === "ports" && node === "px")!;
    const { replies, refused } = simulation.report().proxies[0];
    assertEquals([limit.refused, replies], [refused, connections - refused]);
    return [refused, limit.firstHitSeconds !== null];
  };
  assertEquals(run(4 * PORTS, 4, 1), [0, false]);
  assertEquals(run(4 * PORTS, 2, 2), [0, false]);
  assertEquals(run(4 * PORTS + 7, 2, 2), [7, true]);
});

Deno.test("a request that finds no file descriptor is refused once, however many back ends there are", () => {
  const simulation = ran(
    proxied({
      backends: 5,
      px: { maxFiles: 22 },
      workload: { kind: "hold", connections: 30 },
      proxy: { kind: "stream" },
    }),
    5e9,
  );
  const { limits, proxies } = simulation.report();
  // (The listener has one; each client takes one, and its stream another: the eleventh client's finds none.)
  assertEquals([proxies[0].opened, proxies[0].refused], [10, 20]);
  const files = limits.find(({ limit, node }) => limit === "files" && node === "px")!;
  // (And accepting waits for a descriptor once in a while.)
  assert(files.refused >= 20 && files.refused <= 40, `${files.refused}`);
});

Deno.test("requests that wait are served by another connection, or refused, when the pool's connections end", () => {
  const run = (action: "reboot" | "down") => {
    const simulation = ran([
      ...proxied({
        proxy: { keepAlive: true, maxConnections: 2 },
        px: { profile: { ephemeralPortLow: 50_000, ephemeralPortHigh: 50_039, synRetries: 1 } },
        workload: { connections: 50, replyBytes: 100_000 },
      }).filter((_, i) => i !== 6),
      (n) => n.link("r1", "web", { delayNs: 1e6, rateBps: 50e6 }),
      (n) => n.event({ kind: "node", atNs: 0.2e9, node: "web", action, convergenceNs: Infinity }),
    ]);
    const { replies, refused, requests } = simulation.report().proxies[0];
    const { open } = simulation.report().connections;
    assertEquals([requests, replies + refused + open], [50, 50]);
    // (Who has sent a whole request to a host that then goes down hears nothing, and waits on: there is no timeout.)
    assert(open <= (action === "down" ? 2 : 0), `${open}`);
    return refused;
  };
  const [lost, unreachable] = [run("reboot"), run("down")];
  // Those whose reply was on its way are lost (two); what waits goes over new connections, if there can be any.
  assert(lost >= 1 && lost <= 4, `${lost}`);
  assert(unreachable > 20, `${unreachable}`);
});
