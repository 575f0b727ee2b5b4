import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { behindNat, workload } from "./support/homes.ts";
import { built, mixed, star, type Step } from "./support/networks.ts";

function at(ns: number, steps: Step[]): Simulation {
  const simulation = built(steps);
  simulation.run({ untilNs: ns });
  return simulation;
}

Deno.test("sockets stand as ss -tan shows them", () => {
  const simulation = at(1e9, star({ workload: { connections: 3 } }));
  const lines = simulation.dump("sockets", "server").split("\n");
  assertEquals(lines[0], "# server");
  assertEquals(lines[1].split(/\s+/), ["State", "Recv-Q", "Send-Q", "Local", "Address:Port", "Peer", "Address:Port"]);
  assertEquals(lines[2].split(/\s+/), ["LISTEN", "0", "4096", "0.0.0.0:80", "0.0.0.0:*"]);
  assertEquals(lines.slice(3, 6).map((line) => line.split(/\s+/).slice(0, 4)), [
    ["ESTAB", "0", "0", "192.0.2.1:80"],
    ["ESTAB", "0", "0", "192.0.2.1:80"],
    ["ESTAB", "0", "0", "192.0.2.1:80"],
  ]);
  const clients = simulation.inspect("clients[0]").sockets();
  assertEquals(clients.map(({ state, remoteAddress, remotePort }) => [state, remoteAddress, remotePort]), [
    ["ESTAB", "192.0.2.1", 80],
    ["ESTAB", "192.0.2.1", 80],
  ]);
});

Deno.test("what has not been acknowledged or read stands in its queue", () => {
  const simulation = built(star());
  simulation.host("server").listen({ port: 7 });
  const socket = simulation.host("clients[0]").connect({ address: "192.0.2.1", port: 7 }, () => socket.write("hello"));
  simulation.run({ untilNs: 8e6 });
  assertEquals(simulation.inspect("clients[0]").sockets()[0].sendQueue, 5);
  simulation.run({ untilNs: 1e9 });
  assertEquals(simulation.inspect("clients[0]").sockets()[0].sendQueue, 0);
  const [, accepted] = simulation.inspect("server").sockets().filter(({ localPort }) => localPort === 7);
  assertEquals([accepted.state, accepted.receiveQueue], ["ESTAB", 5]);
});

Deno.test("sockets are counted as ss -s counts them", () => {
  const load = { kind: "request-response", connections: 4, close: "client" } as const;
  const simulation = at(1e9, star({ workload: load }));
  const lines = simulation.dump("sockets-summary", "clients[0]").split("\n");
  assertEquals(lines.slice(1, 3), ["Total: 0", "TCP:   2 (estab 0, closed 2, orphaned 0, synrecv 0, timewait 2)"]);
});

Deno.test("NAT sessions stand as conntrack -L shows them, and by subscriber", () => {
  const steps = [...behindNat(), workload({ from: ["lan"], to: ["web:80"], connections: 4 })];
  const simulation = at(10e9, steps);
  const lines = simulation.dump("nat", "gw").trimEnd().split("\n");
  const [session] = simulation.inspect().natSessions();
  const { sourcePort } = session.original;
  assertEquals(
    lines[1],
    `tcp      6 7439 ESTABLISHED src=10.0.0.2 dst=192.0.2.1 sport=${sourcePort} dport=80 ` +
      `src=192.0.2.1 dst=203.0.113.1 sport=80 dport=${session.reply.destinationPort} [ASSURED] mark=0 use=1`,
  );
  assertEquals(lines.at(-1), "4 flow entries have been shown.");
  assertEquals(simulation.inspect("gw").natSubscribers().map(({ address, sessions }) => [address, sessions]), [
    ["10.0.0.2", 2],
    ["10.0.0.3", 1],
    ["10.0.0.4", 1],
  ]);
  assertEquals(simulation.dump("nat-subscribers").split("\n")[2].split(/\s+/).slice(0, 3), ["10.0.0.2", "2", "2"]);
});

Deno.test("an echo session has its identifier", () => {
  const simulation = built(behindNat());
  simulation.host("lan[1]").ping("192.0.2.1", { count: 1 });
  simulation.run();
  const line = simulation.dump("nat").split("\n")[1];
  assert(
    /^icmp {5}1 \d+ src=10\.0\.0\.3 dst=192\.0\.2\.1 type=8 code=0 id=1 src=.* type=0 code=0 id=\d+ /.test(line),
    line,
  );
});

Deno.test("routes stand as ip route shows them, and follow events", () => {
  const steps: Step[] = [
    (n) => n.host("clients", { count: 4, address: "10.0.0.1/16" }),
    (n) => n.host("server", { address: "192.0.2.1/24" }),
    (n) => ["r1", "r2", "r3"].forEach((name) => n.router(name)),
    (n) => n.link("clients", "r1"),
    (n) => n.link("r1", "r2", { delayNs: 1e6 }),
    (n) => n.link("r1", "r3", { delayNs: 1e6 }),
    (n) => n.link("r3", "r2", { delayNs: 1e6 }),
    (n) => n.link("r2", "server"),
    (n) => n.event({ kind: "link", atNs: 1e9, link: "r1--r2", state: "down" }),
    (n) => n.event({ kind: "route", atNs: 2e9, node: "r1", to: "203.0.113.0/24", via: "unreachable" }),
  ];
  const simulation = at(0, steps);
  const before = `# r1
10.0.0.1-10.0.0.4 via clients[0..3] dev clients--r1[0..3]
192.0.2.1 via r2 dev r1--r2
`;
  assertEquals(simulation.dump("routes", "r1"), before);
  simulation.run({ untilNs: 3e9 });
  // (All else lies behind r3 now.)
  const after = `# r1
default via r3 dev r1--r3
10.0.0.1-10.0.0.4 via clients[0..3] dev clients--r1[0..3]
unreachable 203.0.113.0/24
`;
  assertEquals(simulation.dump("routes", "r1"), after);
  assertEquals(simulation.dump("routes", "clients[2]"), "# clients[2]\ndefault via r1 dev clients--r1[2]\n");
  assertEquals(simulation.inspect("r1").links().map(({ to, state }) => [to, state]).slice(4), [
    ["r2", "DOWN"],
    ["r3", "UP"],
  ]);
});

Deno.test("dumps change nothing", () => {
  const watched = built(mixed());
  for (let ns = 1e7; ns < 1e9; ns += 1e8) {
    watched.run({ untilNs: ns });
    for (const kind of ["sockets", "sockets-summary", "nat", "nat-subscribers", "routes", "links"] as const) {
      watched.dump(kind);
    }
  }
  watched.run();
  const plain = built(mixed());
  plain.run();
  assertEquals([watched.digest, watched.eventDigest], [plain.digest, plain.eventDigest]);
});

Deno.test("what is not there is refused with the nearest name", () => {
  const simulation = built(star());
  assertThrows(() => simulation.dump("socket" as "sockets"), InputError, 'did you mean "sockets"?');
  assertThrows(() => simulation.dump("sockets", "sever"), InputError, 'Did you mean "server"?');
  assertThrows(() => simulation.dump("sockets", "clients[2]"), InputError, "members 0 to 1");
});
