import { assert, assertEquals, assertThrows } from "@std/assert";
import type { NetworkEvent } from "../../src/network/event_options.ts";
import { Network, NetworkError } from "../../src/network/network.ts";
import { Simulation } from "../../src/network/simulation.ts";
import { behindNat, workload } from "./support/homes.ts";
import { balanced } from "./support/balanced.ts";
import { built, star, type Step } from "./support/networks.ts";

/** clients -- r1 -- r2 -- server, and a longer way over r3; one connection each 50 ms. */
function detour(load: Parameters<typeof workload>[0] = { from: ["clients"], to: ["server:80"] }): Step[] {
  return [
    (n) => n.host("clients", { count: 4, address: "10.0.0.1/16" }),
    (n) => n.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] }),
    (n) => ["r1", "r2", "r3"].forEach((name) => n.router(name)),
    (n) => n.link("clients", "r1", { delayNs: 1e6 }),
    (n) => n.link("r1", "r2", { delayNs: 5e6 }),
    (n) => n.link("r1", "r3", { delayNs: 50e6 }),
    (n) => n.link("r3", "r2", { delayNs: 50e6 }),
    (n) => n.link("r2", "server", { delayNs: 1e6 }),
    workload({ connections: 100, arrivals: { kind: "rate", perSecond: 20 }, ...load }),
  ];
}

function run(steps: Step[], events: NetworkEvent[], options: Parameters<typeof built>[1] = {}): Simulation {
  const simulation = built([...steps, ...events.map((event): Step => (n) => n.event(event))], options);
  simulation.run();
  return simulation;
}

Deno.test("a link that goes down loses what is on its way, and routes lead around it", () => {
  // The SYN of 2 s is on the short link when that is cut, and is sent again after a second.
  const cut = run(detour(), [{ kind: "link", atNs: 2_003e6, link: "r1--r2", state: "down" }]).report();
  assertEquals(cut.connections.established, 100);
  assertEquals(cut.packets.dropped, { "link-down": 1 });
  assertEquals(cut.connections.connectMs.p50! > 100, true);
});

Deno.test("a link that goes up and down all the time costs no memory", () => {
  const flaps = (count: number) =>
    Array.from({ length: count }, (_, i): NetworkEvent => {
      return { kind: "link", atNs: 1e9 + i * 20e6, link: "r1--r2", state: i % 2 === 0 ? "down" : "up" };
    });
  const bytes = (count: number) => run(detour(), flaps(count)).partition.routes.bytes;
  assertEquals(bytes(200), bytes(2));
});

Deno.test("until routes have converged, packets go into the dead link", () => {
  const events: NetworkEvent[] = [
    { kind: "link", atNs: 2.03e9, link: "r1--r2", state: "down", convergenceNs: Infinity },
    { kind: "link", atNs: 3.03e9, link: "r1--r2", state: "up" },
  ];
  const { packets, connections } = run(detour(), events).report();
  assertEquals(packets.dropped, { "link-down": 20 });
  assertEquals(connections.established, 100);
});

Deno.test("a link changes its delay, rate, loss and queue for packets that come later", () => {
  const slow = run(detour(), [{ kind: "link", atNs: 2.5e9, link: "r1--r2", delayNs: 15e6 }]).report();
  assertEquals(slow.connections.connectMs, { p50: 14, p90: 34, p99: 34, max: 34 });
  const lossy = run(detour(), [{ kind: "link", atNs: 2.5e9, link: "r1--r2", direction: "forward", loss: 1 }]).report();
  assertEquals(lossy.connections.established, 50);
  const narrow = run(detour({ from: ["clients"], to: ["server:80"], arrivals: { kind: "at-once", startNs: 3e9 } }), [
    { kind: "link", atNs: 1e9, link: "r1--r2", rateBps: 1e6, queuePackets: 9 },
  ]).report();
  // Of a hundred SYNs one is being sent and nine wait.
  assert(narrow.packets.dropped.queue >= 90);
});

Deno.test("members of a link group go down by themselves", () => {
  const { connections } = run(detour(), [
    { kind: "link", atNs: 0, link: "clients--r1[1..2]", state: "down" },
    { kind: "profile", atNs: 0, node: "clients", set: { synRetries: 0 } },
  ]).report();
  assertEquals([connections.established, connections.failed], [50, { ETIMEDOUT: 50 }]);
});

Deno.test("a link's cost moves the routes", () => {
  const { connections } = run(detour(), [{ kind: "link", atNs: 2.52e9, link: "r1--r2", cost: 3 }]).report();
  assertEquals([connections.connectMs.p50, connections.connectMs.max], [14, 204]);
});

Deno.test("a host that restarts forgets its connections and answers what comes with resets", () => {
  const load: Parameters<typeof detour>[0] = {
    from: ["clients"],
    to: ["server:80"],
    kind: "request-response",
    requests: 100,
    thinkNs: 1e8,
    connections: 8,
    arrivals: { kind: "at-once" },
  };
  const { connections } = run(detour(load), [{ kind: "node", atNs: 3e9, node: "server", action: "reboot" }]).report();
  assertEquals([connections.established, connections.broken, connections.open], [8, { ECONNRESET: 8 }, 0]);
});

Deno.test("listening ports come back with a host that was down", () => {
  const events: NetworkEvent[] = [{ kind: "node", atNs: 2.01e9, node: "server", action: "reboot", downForNs: 1.5e9 }];
  const { connections, packets } = run(detour(), events).report();
  assertEquals(connections.established, 100);
  assert(packets.dropped["link-down"] >= 30);
});

Deno.test("clients of a host that is down count what broke and what they could not try", () => {
  const { connections } = run(detour(), [
    { kind: "node", atNs: 2.01e9, node: "clients[1]", action: "down" },
    { kind: "node", atNs: 3.01e9, node: "clients[1]", action: "up" },
  ]).report();
  assertEquals(connections.failed, { ENETDOWN: 5 });
  assertEquals([connections.broken, connections.open], [{ ECONNABORTED: 10 }, 85]);
});

Deno.test("what listens in code hears of a restart as errors of its sockets, and goes on listening", () => {
  const simulation = built([...star(), (n) => {
    n.event({ kind: "node", atNs: 1e9, node: "server", action: "reboot" });
  }]);
  const seen: string[] = [];
  simulation.host("server").listen({ port: 7 }, (socket) => {
    socket.on("error", ({ code }) => seen.push(`server ${code}`));
  });
  const connect = () => simulation.host("clients[0]").connect({ address: "192.0.2.1", port: 7 });
  const first = connect();
  first.on("error", ({ code }) => seen.push(`client ${code}`));
  simulation.at(2e9, () => first.write("hello"));
  simulation.at(3e9, () => connect().on("connect", () => seen.push("again")));
  simulation.run();
  assertEquals(seen, ["server ECONNABORTED", "client ECONNRESET", "again"]);
});

Deno.test("a router that goes down takes its ways with it until it is up again", () => {
  const { connections } = run(detour(), [
    { kind: "node", atNs: 2.03e9, node: "r2", action: "down", downForNs: 1e9 },
  ]).report();
  assertEquals([connections.established, connections.failed], [80, { EHOSTUNREACH: 20 }]);
});

Deno.test("a gateway that restarts forgets its sessions, and other timeouts count from the next packet on", () => {
  const steps = [...behindNat(), workload({ from: ["lan"], to: ["web:80"], connections: 9 })];
  const restarted = run(steps, [{ kind: "nat", atNs: 1e9, node: "gw", restart: true }]).report();
  assertEquals([restarted.nats[0].sessions, restarted.nats[0].restarts], [0, 1]);
  const pinged = { from: ["lan"], to: ["web:80"], connections: 3, keepAliveNs: 10e9 };
  const short: NetworkEvent[] = [
    { kind: "nat", atNs: 1e9, node: "gw", timeouts: { tcpEstablishedNs: 5e9 } },
    { kind: "workload", atNs: 60e9, workload: "load", action: "stop" },
  ];
  const { connections } = run([...behindNat(), workload(pinged)], short).report();
  // The keep-alive of 10 s moves the deadline to 15 s: the next one finds nothing.
  assertEquals(connections.open, 3);
});

Deno.test("a route by hand comes before those worked out, until it is taken away", () => {
  const to = "0.0.0.0/0";
  const { connections } = run(detour(), [
    { kind: "route", atNs: 1.52e9, node: "r1", to: "192.0.2.1", via: "unreachable" },
    { kind: "route", atNs: 2.52e9, node: "r1", to: "192.0.2.1", via: "r3" },
    { kind: "route", atNs: 3.52e9, node: "r1", to: "192.0.2.1", via: "automatic" },
    { kind: "route", atNs: 3.52e9, node: "r1", to, via: "r3" },
  ]).report();
  assertEquals(connections.failed, { EHOSTUNREACH: 20 });
  assertEquals([connections.established, connections.connectMs.p50, connections.connectMs.max], [80, 14, 109]);
});

Deno.test("a route by hand for a prefix comes before those to the hosts in it, a default route only before others", () => {
  const failing = (to: string, via: string, family: "ipv4" | "ipv6" = "ipv4") => {
    const steps: Step[] = [
      (n) => n.host("clients", { count: 4, address: "10.0.0.1/16", address6: "2001:db8:1::1/64" }),
      (n) => n.host("server", { address: "192.0.2.1/24", address6: "2001:db8:2::1/64", listen: [{ port: 80 }] }),
      (n) => ["r1", "r2", "r3"].forEach((name) => n.router(name)),
      (n) => n.link("clients", "r1", {}),
      (n) => n.link("r1", "r2", {}),
      (n) => n.link("r1", "r3", {}),
      (n) => n.link("r3", "r2", {}),
      (n) => n.link("r2", "server", {}),
      workload({
        from: ["clients"],
        to: ["server:80"],
        connections: 10,
        arrivals: { kind: "rate", perSecond: 1 },
        family,
      }),
    ];
    const simulation = run(steps, [{ kind: "route", atNs: 4.5e9, node: "r2", to, via }]);
    return [simulation.report().connections.failed, simulation.dump("routes", "r2")] as const;
  };
  assertEquals(failing("192.0.2.0/24", "unreachable")[0], { EHOSTUNREACH: 5 });
  assertEquals(failing("192.0.0.0/16", "unreachable")[0], { EHOSTUNREACH: 5 });
  assertEquals(failing("0.0.0.0/0", "unreachable")[0], {});
  assertEquals(failing("192.0.3.0/24", "unreachable")[0], {});
  const [failed, text] = failing("2001:db8:2::/64", "unreachable", "ipv6");
  assertEquals(failed, { EHOSTUNREACH: 5 });
  assert(text.includes("unreachable 2001:db8:2::/64") && !text.includes("2001:db8:2::1 "), text);
});

Deno.test("a port that is closed refuses, and one that is opened first is closed until then", () => {
  const { connections } = run(detour(), [
    { kind: "listener", atNs: 1.02e9, node: "server", port: 80, action: "open" },
    { kind: "listener", atNs: 2.02e9, node: "server", port: 80, action: "close" },
    { kind: "listener", atNs: 3.02e9, node: "server", port: 80, action: "open" },
  ]).report();
  assertEquals([connections.established, connections.failed], [59, { ECONNREFUSED: 41 }]);
});

Deno.test("a workload that stops and goes on opens as many connections, later", () => {
  const simulation = run(detour(), [
    { kind: "workload", atNs: 2.02e9, workload: "load", action: "stop", close: true },
    { kind: "workload", atNs: 3.02e9, workload: "load", action: "start" },
  ]);
  const { connections } = simulation.report();
  assertEquals([connections.established, connections.open], [100, 59]);
  const late = run(detour(), [{ kind: "workload", atNs: 7e9, workload: "load", action: "start" }]);
  assertEquals(late.report().connections.established, 100);
  assert(late.nowNs > 11.9e9);
});

Deno.test("a back end that is told to be down gets no new flows", () => {
  const steps = balanced({ workload: { connections: 40, arrivals: { kind: "rate", perSecond: 40 } } });
  const simulation = run(steps, [
    { kind: "backend", atNs: 0, balancer: "lb", backend: "web[0]", state: "down" },
    { kind: "backend", atNs: 0, balancer: "lb", backend: "web[1]", state: "drain" },
  ]);
  assertEquals(simulation.partition.balancers!.backends.map(({ connections }) => connections), [0, 0, 20, 20]);
  assertEquals(simulation.report().connections.established, 40);
});

Deno.test("settings change for those hosts alone that an event names", () => {
  const events: NetworkEvent[] = [
    { kind: "profile", atNs: 1e9, node: "clients[0]", set: { synRetries: 0 } },
    { kind: "profile", atNs: 1e9, node: "clients[1]", set: { synRetries: 1 } },
    { kind: "node", atNs: 1e9, node: "server", action: "down" },
    { kind: "workload", atNs: 1.21e9, workload: "load", action: "stop" },
  ];
  const simulation = run(detour(), events);
  // Two attempts of each but one: failed after 1 s, 3 s, and 127 s.
  assertEquals(simulation.report().connections.failed, { ETIMEDOUT: 5 });
  const profiles = [0, 1, 2].map((i) => {
    const s = simulation.partition;
    return s.tcp.profileOf(s.nodes.population("clients")!.firstRow + i).synRetries;
  });
  assertEquals(profiles, [0, 1, 6]);
});

Deno.test("events keep a run alive until they have happened, and no longer", () => {
  const simulation = run(star({ workload: { connections: 1 } }), [
    { kind: "node", atNs: 100e9, node: "clients[1]", action: "down", downForNs: 20e9 },
  ]);
  assertEquals(simulation.nowNs, 120e9);
});

const EVENTS: NetworkEvent[] = [
  { kind: "link", atNs: 1e9, link: "r1--r2", state: "down", convergenceNs: 100e6 },
  { kind: "node", atNs: 1.5e9, node: ["clients[1..2]"], action: "reboot", downForNs: 100e6 },
  { kind: "link", atNs: 2e9, link: "r1--r2", state: "up", loss: 0.2, jitterNs: 1e6 },
  { kind: "node", atNs: 2.5e9, node: "server", action: "reboot", downForNs: 200e6 },
  { kind: "workload", atNs: 3e9, workload: "load", action: "stop", close: true },
  { kind: "workload", atNs: 3.5e9, workload: "load", action: "start" },
  { kind: "route", atNs: 3.6e9, node: "r1", to: "192.0.2.1", via: "r3" },
  { kind: "profile", atNs: 3.7e9, node: "clients", set: { timestamps: false } },
];

const digests = (simulation: Simulation) => [simulation.digest, simulation.eventDigest, simulation.report().events];

Deno.test("events are the same in slices and under any numbering, and part of the event digest", () => {
  const expected = digests(run(detour(), EVENTS));
  assertEquals(digests(run(detour().toReversed(), EVENTS, { numbering: { reversed: true, skip: 7 } })), expected);
  const sliced = built([...detour(), ...EVENTS.map((event): Step => (n) => n.event(event))]);
  for (let ns = 0.13e9; ns < 8e9; ns += 0.13e9) sliced.run({ untilNs: ns });
  sliced.run();
  assertEquals(digests(sliced), expected);
  const idle = run(star(), [{ kind: "link", atNs: 1e9, link: "clients--r1[0]", state: "up" }]);
  const without = run(star(), []);
  assertEquals(idle.digest, without.digest);
  assert(idle.eventDigest !== without.eventDigest);
});

Deno.test("events are part of a network's declaration", () => {
  const network = new Network();
  for (const step of detour()) step(network);
  for (const event of EVENTS) network.event(event);
  const again = Network.fromJSON(JSON.parse(JSON.stringify(network.toJSON()))).build();
  again.run();
  assertEquals(digests(again), digests(run(detour(), EVENTS)));
});

Deno.test("a snapshot between events goes on as the run would have", async () => {
  const steps = [...detour(), ...EVENTS.map((event): Step => (n) => n.event(event))];
  const expected = digests(run(detour(), EVENTS));
  for (const untilNs of [1.05e9, 1.55e9, 2.2e9, 2.6e9, 3.2e9, 3.65e9]) {
    const simulation = built(steps);
    simulation.run({ untilNs });
    const restored = await Simulation.restore(await simulation.snapshot());
    restored.run();
    assertEquals(digests(restored), expected);
  }
});

Deno.test("what an event names must be there", () => {
  const refused: [NetworkEvent, string, string][] = [
    [{ kind: "link", atNs: 0, link: "r1--r9", state: "up" }, "events[0].link", 'Did you mean "r1--r2"?'],
    [{ kind: "link", atNs: 0, link: "clients--r1[4]", state: "up" }, "events[0].link", "links 0 to 3"],
    [{ kind: "link", atNs: 0, link: "r1--r2" }, "events[0]", "what becomes of r1--r2"],
    [{ kind: "link", atNs: 0, link: "r1--r2", loss: 2 }, "events[0].loss", "A share is 0 to 1"],
    [{ kind: "link", atNs: 0, link: "r1--r2", queueBytes: 9 }, "events[0].queue", "A queue needs a rate"],
    [{ kind: "link", atNs: -1, link: "r1--r2", state: "up" }, "events[0].atNs", "from 0 on"],
    [{ kind: "node", atNs: 0, node: "sever", action: "down" }, "events[0].node", 'Did you mean "server"?'],
    [{ kind: "node", atNs: 0, node: "server", action: "of" as "up" }, "events[0].action", "One of reboot, down, up"],
    [{ kind: "nat", atNs: 0, node: "r1", restart: true }, "events[0].node", "r1 is no NAT gateway"],
    [{ kind: "route", atNs: 0, node: "r1", to: "192.0.2.1", via: "server" }, "events[0].via", "No link leads from r1"],
    [{ kind: "route", atNs: 0, node: "server", to: "10.0.0.1", via: "r2" }, "events[0].node", "has one link"],
    [{ kind: "listener", atNs: 0, node: "server", port: 81, action: "open" }, "events[0].port", "its TCP ports are 80"],
    [{ kind: "workload", atNs: 0, workload: "lod", action: "stop" }, "events[0].workload", 'Did you mean "load"?'],
    [{ kind: "backend", atNs: 0, balancer: "r1", backend: "web", state: "up" }, "events[0].balancer", "no balancer"],
    [{ kind: "profile", atNs: 0, node: "clients", set: { synRetries: -1 } }, "events[0].set", "synRetries"],
    [{ kind: "profile", atNs: 0, node: "clients", set: { maxFiles: -3 } }, "events[0].set", "maxFiles"],
    [{ kind: "link", atNs: 0, link: "r2--r1", state: "up" }, "events[0].link", 'Did you mean "r1--r2"?'],
    [{ kind: "profile", atNs: 0, node: "clients", set: {} }, "events[0].set", "sets something"],
    [{ kind: "host", atNs: 0, node: "clients", cpu: {} }, "events[0]", "says what changes"],
    [{ kind: "host", atNs: 0, node: "clients" }, "events[0]", "its maxFiles, its memory or its cpu"],
    [{ kind: "host", atNs: 0, node: "r1", maxFiles: 3 }, "events[0].node", "r1 is no host"],
    [{ kind: "host", atNs: 0, node: "clients", maxFiles: 1.5 }, "events[0].maxFiles", "maxFiles"],
    [{ kind: "host", atNs: 0, node: "clients", memoryBytes: -1 }, "events[0].memoryBytes", "memoryBytes"],
    [{ kind: "host", atNs: 0, node: "clients", cpu: { perPacketNs: -1 } }, "events[0].cpu.perPacketNs", "A cost is"],
    [{ kind: "host", atNs: 0, node: "clients", cpu: { cores: 2 } as never }, "events[0].cpu.cores", "as many cores"],
    [{ kind: "listener", atNs: 0, node: "server", port: 80 }, "events[0]", "an action, open or close, or a backlog"],
    [
      { kind: "listener", atNs: 0, node: "server", port: 80, protocol: "udp", action: "open" },
      "events[0].port",
      "It listens there for TCP: say protocol: tcp.",
    ],
    [{ kind: "listener", atNs: 0, node: "server", port: 80, backlog: -1 }, "events[0].backlog", "from 0 on"],
    [{ kind: "lnk" as "link", atNs: 0, link: "" }, "events[0].kind", 'Did you mean "link"?'],
  ];
  for (const [event, subject, sentence] of refused) {
    const error = assertThrows(() => run(detour(), [event]), NetworkError, sentence);
    assertEquals(error.subject, subject);
  }
});
