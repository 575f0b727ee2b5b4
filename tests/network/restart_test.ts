import { assert, assertEquals } from "@std/assert";
import type { NetworkEvent } from "../../src/network/event_options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { fastOpenState } from "./support/fast_open_state.ts";
import { balanced } from "./support/balanced.ts";
import { workload } from "./support/homes.ts";
import { built, type Step } from "./support/networks.ts";

/** A restart of a node at a time. */
const reboot = (node: string, atNs: number): Step => (n) => n.event({ kind: "node", atNs, node, action: "reboot" });

function run(steps: Step[]): Simulation {
  const simulation = built(steps);
  simulation.run();
  return simulation;
}

const lines = (text: string) =>
  text.split("\n").filter((line) => /^(LISTEN|UNCONN|ESTAB|SYN|FIN|CLOS|LAST|TIME)/.test(line)).length;

Deno.test("sockets that UDP workloads share do not survive, and what was under way over them has failed", () => {
  const steps: Step[] = [
    (n) => n.host("peers", { count: 4, address: "10.0.0.1/24", listen: [{ port: 6881, protocol: "udp" }] }),
    (n) => n.router("r"),
    (n) => n.link("peers", "r", { delayNs: 100e6 }),
    workload({
      kind: "torrent",
      transport: "udp",
      from: ["peers"],
      to: ["peers:6881"],
      connections: 80,
      requests: 5,
      thinkNs: 300e6,
      arrivals: { kind: "rate", perSecond: 20 },
    }),
    reboot("peers[1]", 2.1e9),
  ];
  const simulation = built(steps);
  simulation.run({ untilNs: 2e9 });
  const socketsOf = () => lines(simulation.dump("udp-sockets", "peers[1]"));
  assertEquals(socketsOf(), 2);
  const before = simulation.dump("udp-sockets", "peers[1]");
  simulation.run({ untilNs: 2.101e9 });
  assertEquals(socketsOf(), 1);
  simulation.run();
  const { datagrams } = simulation.report();
  // It begins one each 200 ms, which takes 3.2 s: the eleven of 0.05 to 2.05 s are under way.
  assertEquals(datagrams!.failed, { ECONNABORTED: 11 });
  assertEquals(datagrams!.answered, 69);
  assert(simulation.dump("udp-sockets", "peers[1]") !== before);
});

Deno.test("sockets that an exchange over UDP holds or thinks with are gone, and no timer touches another's", () => {
  const steps: Step[] = [
    (n) => n.host("client", { address: "10.0.0.1/24" }),
    (n) => n.host("server", { address: "10.0.0.2/24", listen: [{ port: 53, protocol: "udp" }] }),
    (n) => n.link("client", "server", { delayNs: 1e6 }),
    workload({
      kind: "request-response",
      transport: "udp",
      from: ["client"],
      to: ["server:53"],
      connections: 100,
      requests: 2,
      thinkNs: 1e9,
      holdNs: 1e9,
      arrivals: { kind: "rate", perSecond: 10 },
    }),
    reboot("client", 5.05e9),
  ];
  const simulation = built(steps);
  simulation.run({ untilNs: 5.051e9 });
  assertEquals(lines(simulation.dump("udp-sockets", "client")), 0);
  simulation.run();
  const { datagrams } = simulation.report();
  assertEquals([datagrams!.failed, datagrams!.answered], [{ ECONNABORTED: 10 }, 90]);
  assertEquals(lines(simulation.dump("udp-sockets", "client")), 0);
});

Deno.test("what waits for a processor, or is being served, is gone, and the first packet afterwards is served at once", () => {
  const steps: Step[] = [
    (n) => n.host("client", { address: "10.0.0.1/24" }),
    (n) => n.host("server", { address: "10.0.0.2/24", listen: [{ port: 80 }], cpu: { perPacketNs: 400e6 } }),
    (n) => n.link("client", "server", { delayNs: 1e6 }),
    workload({ from: ["client"], to: ["server:80"], connections: 12, arrivals: { kind: "rate", perSecond: 10 } }),
    (n) => n.event({ kind: "profile", atNs: 0, node: "client", set: { synRetries: 0 } }),
    (n) => n.event({ kind: "host", atNs: 1.05e9, node: "server", cpu: { perPacketNs: 0 } }),
    reboot("server", 1.05e9),
  ];
  const { packets, connections } = run(steps).report();
  // The first has its SYN-ACK after 0.8 s, and its ACK waits with nine SYNs while one is served. The twelfth goes through.
  assertEquals(packets.dropped, { restart: 11 });
  assertEquals(connections.failed, { ETIMEDOUT: 10 });
  assertEquals(connections.connectMs.p50, 2);
});

Deno.test("what a node has queued for its links is gone, what is on the wire arrives", () => {
  const steps: Step[] = [
    (n) => n.host("client", { address: "10.0.0.1/24", profile: { synRetries: 0 } }),
    (n) => n.host("server", { address: "10.0.0.2/24", listen: [{ port: 80 }] }),
    (n) => n.router("r"),
    (n) => n.link("client", "r", { delayNs: 0 }),
    (n) => n.link("r", "server", { rateBps: 60 * 8 * 10, delayNs: 300e6, reverse: { rateBps: 1e9 } }),
    // A SYN of 60 B takes 100 ms: at 550 ms the router has sent five, and is sending the sixth.
    workload({ from: ["client"], to: ["server:80"], connections: 10 }),
    reboot("r", 550e6),
  ];
  const { packets } = run(steps).report();
  assertEquals(packets.dropped, { restart: 5 });
});

Deno.test("a forwarding server forgets what it was told, and whom it was to tell", () => {
  const steps = (second: number): Step[] => [
    (n) => n.host("ns", { address: "10.0.1.1/24", dns: { records: { "a.test": { addresses: ["10.0.0.9"] } } } }),
    (n) => n.host("resolver", { address: "10.0.2.1/24", dns: { forward: "ns" } }),
    (n) => n.host("clients", { count: 2, address: "10.0.0.1/24", resolver: { servers: ["resolver"], attempts: 1 } }),
    (n) => n.router("r"),
    (n) => ["ns", "resolver", "clients"].forEach((name) => n.link(name, "r", { delayNs: 1e6 })),
    (n) =>
      n.workload({
        name: "l",
        kind: "dns",
        from: ["clients"],
        to: ["a.test"],
        connections: 2,
        arrivals: { kind: "rate", perSecond: 1 / 10 },
      }),
    reboot("resolver", second),
  ];
  // Two questions of clients, two of the resolver.
  assertEquals(run(steps(5e9)).report().dns!.queries, 4);
  // In between its question and the answer: the client hears nothing.
  const { dns } = run(steps(4e6)).report();
  assertEquals([dns!.failed, dns!.queries], [{ EAI_AGAIN: 1 }, 4]);
});

Deno.test("a resolver's question that is under way ends with its host, and so does what waited for it", () => {
  const simulation = run([
    (n) => n.host("ns", { address: "10.0.1.1/24", dns: { records: { "a.test": { addresses: ["10.0.1.1"] } } } }),
    (n) => n.host("client", { address: "10.0.0.1/24", resolver: { servers: ["10.9.9.9", "ns"] } }),
    (n) => n.host("nobody", { address: "10.9.9.9/24" }),
    (n) => n.router("r"),
    (n) => ["ns", "client", "nobody"].forEach((name) => n.link(name, "r", { delayNs: 1e6 })),
    (n) => n.event({ kind: "link", atNs: 0, link: "nobody--r", state: "down" }),
    workload({ from: ["client"], to: ["a.test:80"], connections: 1 }),
    reboot("client", 1e9),
  ]);
  const { connections, dns } = simulation.report();
  assertEquals([connections.failed, dns!.queries], [{ ECONNABORTED: 1 }, 1]);
});

Deno.test("a race of Happy Eyeballs ends with its host", () => {
  const simulation = run([
    (n) => n.host("client", { address: "10.0.0.1/24", address6: "2001:db8::1/64" }),
    (n) => n.host("server", { address: "10.0.1.1/24", address6: "2001:db8:1::1/64", listen: [{ port: 80 }] }),
    (n) => n.link("client", "server", { delayNs: 1e9 }),
    workload({ from: ["client"], to: ["server:80"], connections: 1, happyEyeballs: true }),
    reboot("client", 100e6),
  ]);
  const { connections } = simulation.report();
  assertEquals([connections.failed, connections.ipv4.attempts, connections.ipv6.attempts], [{ ECONNABORTED: 1 }, 0, 1]);
});

Deno.test("a server's SYN cookies from before are worth nothing, and its initial sequence numbers are others", () => {
  const steps: Step[] = [
    (n) => n.host("client", { address: "10.0.0.1/24", profile: { synRetries: 0 } }),
    (n) => n.host("server", { address: "10.0.0.2/24", listen: [{ port: 80 }], profile: { synCookies: 2 } }),
    (n) => n.link("client", "server", { delayNs: 100e6 }),
    workload({ from: ["client"], to: ["server:80"], connections: 2, arrivals: { kind: "rate", perSecond: 10 } }),
    // The first SYN-ACK is on its way; the second SYN comes just after, so that cookies are about again.
    reboot("server", 150e6),
  ];
  const { connections } = run(steps).report();
  assertEquals([connections.open, connections.broken], [1, { ECONNRESET: 1 }]);
});

Deno.test("a client forgets Fast Open cookies, a server its keys", () => {
  const { remembered, keys, restart } = fastOpenState();
  assertEquals(remembered(), true);
  const before = keys();
  restart();
  assertEquals(remembered(), false);
  assert(before.some((word, i) => word !== keys()[i]));
});

Deno.test("a ping that is under way ends with its host", () => {
  const simulation = run([
    (n) => n.host("a", { address: "10.0.0.1/24" }),
    (n) => n.host("b", { address: "10.0.0.2/24" }),
    (n) => n.link("a", "b", { delayNs: 1e6 }),
    (n) => n.probe({ name: "p", kind: "ping", from: "a", to: "b", count: 10 }),
    (n) => n.probe({ name: "q", kind: "ping", from: "a", to: "b", count: 3, atNs: 5e9 }),
    reboot("a", 3.5e9),
  ]);
  const [p, q] = simulation.report().probes!;
  assertEquals([p.sent, p.received, p.endSeconds], [4, 4, 3.5]);
  assertEquals([q.sent, q.received], [3, 3]);
});

Deno.test("a balancer's flows, turns and checks begin anew", () => {
  const events: NetworkEvent[] = [{ kind: "node", atNs: 1.03e9, node: "lb", action: "reboot" }];
  const steps = balanced({ workload: { connections: 40, arrivals: { kind: "rate", perSecond: 20 } } });
  const simulation = run([...steps, ...events.map((event): Step => (n) => n.event(event))]);
  // 21 flows before, 19 after it, each time from the first back end on.
  assertEquals(simulation.partition.balancers!.backends.map(({ connections }) => connections), [11, 10, 10, 9]);
});

Deno.test("after a restart a host has nothing of what it had: memory, files, sockets, half-open connections", () => {
  const simulation = built([
    (n) => n.host("clients", { count: 3, address: "10.0.0.1/24" }),
    (n) =>
      n.host("server", { address: "10.0.1.1/24", listen: [{ port: 80, acceptIntervalNs: 300e6 }], memoryBytes: 1e7 }),
    (n) => n.router("r"),
    (n) => ["clients", "server"].forEach((name) => n.link(name, "r", { delayNs: 10e6 })),
    workload({
      kind: "request-response",
      from: ["clients"],
      to: ["server:80"],
      connections: 60,
      close: "server",
      arrivals: { kind: "rate", perSecond: 20 },
    }),
    reboot("server", 2e9),
    reboot("clients[1]", 2e9),
  ]);
  simulation.run({ untilNs: 2e9 - 1 });
  assert(lines(simulation.dump("sockets", "server")) > 10);
  simulation.run({ untilNs: 2e9 });
  assertEquals([lines(simulation.dump("sockets", "server")), lines(simulation.dump("sockets", "clients[1]"))], [1, 1]);
  const s = simulation.partition;
  const server = s.nodes.population("server")!.firstRow;
  assertEquals(s.hosts.budgets!.left(s.hosts.budgetOf(server)), 1e7 - 4096);
});
