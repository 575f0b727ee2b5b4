import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { buildNetwork, buildSimulation } from "../../src/scenario/build.ts";
import { loadScenario } from "../../src/scenario/load.ts";

const SCENARIO = `profiles:
  patient: { synRetries: 3 }
nodes:
  clients: { kind: host, count: 3, address: 10.0.0.1/24, profile: patient }
  server: { kind: host, address: 192.0.2.1/24, listen: [80] }
  r1: { kind: router }
links:
  - { between: [clients, r1], delay: 1ms }
  - { between: [r1, server], rate: 1Gbit/s, delay: 1ms }
workloads:
  - { name: load, kind: hold, from: clients, to: server:80, connections: 3 }
`;

function load(more: string) {
  return loadScenario("net.yaml", SCENARIO + more);
}

Deno.test("events are read in a person's units", () => {
  const { events } = buildNetwork(load(`events:
  - { at: 2s, kind: link, link: "clients--r1[0..1]", state: down, convergence: never }
  - { at: 3s, kind: link, link: r1--server, direction: reverse, rate: 1Mbit/s, delay: 20ms, loss: 1%, queue: 5 packets, cost: 2 }
  - { at: 1m, kind: node, node: [server, "clients[2]"], action: reboot, downFor: 300ms }
  - { at: 4s, kind: profile, profile: patient, set: { synRetries: 1, timeWait: 30s } }
  - { at: 5s, kind: listener, node: server, port: 80, action: close }
  - { at: 6s, kind: workload, workload: load, action: stop, close: true }
  - { at: 7s, kind: route, node: r1, to: 192.0.2.0/24, via: server }
`)).toJSON();
  assertEquals(
    events,
    [
      {
        kind: "link",
        atNs: 2e9,
        link: "clients--r1[0..1]",
        state: "down",
        convergenceNs: { "not-finite": "Infinity" } as never,
      },
      {
        kind: "link",
        atNs: 3e9,
        link: "r1--server",
        direction: "reverse",
        cost: 2,
        rateBps: 1e6,
        delayNs: 20e6,
        queuePackets: 5,
        loss: 0.01,
      },
      { kind: "node", atNs: 60e9, node: ["server", "clients[2]"], action: "reboot", downForNs: 300e6 },
      { kind: "profile", atNs: 4e9, node: ["clients"], set: { synRetries: 1, timeWaitNs: 30e9 } },
      { kind: "listener", atNs: 5e9, node: "server", port: 80, action: "close" },
      { kind: "workload", atNs: 6e9, workload: "load", action: "stop", close: true },
      { kind: "route", atNs: 7e9, node: "r1", to: "192.0.2.0/24", via: "server" },
    ].map((event) => event as never),
  );
});

Deno.test("mistakes in events are told with file, line, column and the nearest name", () => {
  const refused: [string, string][] = [
    [
      "events: [{ at: 1s, kind: link, link: r1--serve, state: down }]",
      'net.yaml:12:38: events[0].link: there is no link called "r1--serve". Did you mean "r1--server"?',
    ],
    [
      "events: [{ at: 1s, kind: node, node: [server, client], action: down }]",
      'net.yaml:12:47: events[0].node[1]: there is no node called "client". Did you mean "clients"?',
    ],
    ["events: [{ at: 1s, kind: lnk }]", "events[0].kind"],
    ["events: [{ at: 1s, kind: node, node: server, action: rebot }]", 'did you mean "reboot"?'],
    ["events: [{ at: 1, kind: node, node: server, action: up }]", "net.yaml:12:16: events[0].at is 1"],
    ["events: [{ at: 1s, kind: profile, set: {} }]", "events[0] has neither node nor profile: expected one."],
    [
      "events: [{ at: 1s, kind: profile, profile: patent, set: {} }]",
      'no host has the profile "patent": did you mean "patient"?',
    ],
    [
      "events: [{ at: 1s, kind: link, link: clients--r1, queue: 64KiB }]",
      "events[0].queue: a queue needs a rate",
    ],
    [
      "probes: [{ name: p, kind: ping, from: clients, to: server }]",
      'net.yaml:12:39: probes[0].from: "clients" is 3 nodes: name one of them, clients[0].',
    ],
  ];
  for (const [text, sentence] of refused) {
    const { message } = assertThrows(() => buildSimulation(load(`${text}\n`)), InputError);
    assertStringIncludes(message, sentence);
  }
});

Deno.test("budgets, backlogs and UDP ports change by events in a person's units", () => {
  const scenario = SCENARIO.replace("listen: [80] ", "listen: [80, 53/udp] ");
  const { events } = buildNetwork(loadScenario(
    "net.yaml",
    scenario + `events:
  - { at: 1s, kind: listener, node: server, port: 53/udp, action: close }
  - { at: 1s, kind: listener, node: server, port: 80, backlog: 9 }
  - { at: 2s, kind: host, node: server, maxFiles: 20, memory: 64KiB, cpu: { perPacket: 2us, queue: 5 packets } }
  - { at: 3s, kind: profile, node: server, set: { maxFiles: 3, memory: 8KiB, maxTimeWaits: 4 } }
`,
  )).toJSON();
  assertEquals(events as unknown[], [
    { kind: "listener", atNs: 1e9, node: "server", port: 53, protocol: "udp", action: "close" },
    { kind: "listener", atNs: 1e9, node: "server", port: 80, backlog: 9 },
    {
      kind: "host",
      atNs: 2e9,
      node: "server",
      maxFiles: 20,
      memoryBytes: 65536,
      cpu: { perPacketNs: 2000, queuePackets: 5 },
    },
    { kind: "profile", atNs: 3e9, node: "server", set: { maxFiles: 3, memoryBytes: 8192, maxTimeWaits: 4 } },
  ]);
  const refused: [string, string][] = [
    ["{ at: 1s, kind: nat, node: r1, timeouts: {} }", "r1 is no NAT gateway"],
    ["{ at: 1s, kind: listener, node: server, port: 80/udp, protocol: tcp, action: close }", "80/udp: say one"],
    ["{ at: 1s, kind: profile, node: server, set: { rtoMax: 100ms } }", "the profile's rtoMin (200)"],
    ["{ at: 1s, kind: link, link: server--r1, state: down }", 'Did you mean "r1--server"?'],
  ];
  for (const [event, sentence] of refused) {
    const { message } = assertThrows(() => buildSimulation(load(`events: [${event}]\n`)), InputError);
    assertStringIncludes(message, sentence);
  }
});
