import { assertEquals, assertThrows } from "@std/assert";
import { buildSimulation } from "../../src/scenario/build.ts";
import { holds, parseExpect } from "../../src/scenario/expect.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { readReport } from "../../src/scenario/report_paths.ts";

const scenario = (lb: string, more = "") => `
nodes:
  clients: { kind: host, count: 4, address: 10.0.0.1/16 }
  r1: { kind: router, ecmp: resilient }
  lb: { kind: balancer, address: 203.0.113.1/24, ${lb} }
  px: { kind: host, address: 203.0.113.2/24, proxy: { port: 443, backends: "web[0..1]:80", keepAlive: true } }
  web: { kind: host, count: 3, address: 192.0.2.1/24, listen: [80]${more} }
links:
  - { between: [clients, r1], delay: 1ms, cost: 3 }
  - { between: [r1, lb], delay: 1ms }
  - { between: [r1, px], delay: 1ms }
  - { between: [r1, web], delay: 1ms }
workloads:
  - { name: a, kind: request-response, from: clients, to: "lb:80", connections: 30 }
  - { name: b, kind: request-response, from: clients, to: "px:443", connections: 12 }
`;

const load = (text: string) => loadScenario("a.yaml", text);

Deno.test("a balancer and a proxy of a file do what they say, and the report tells of them", () => {
  const simulation = buildSimulation(load(scenario(
    "ports: [80], backends: ['web[0]:80', { to: 'web[1]:80', weight: 2 }], algorithm: weighted-round-robin, mode: full-nat",
  )));
  simulation.run();
  const report = simulation.report();
  for (
    const line of [
      "connections.repliesCompleted == 42",
      "balancers[lb].connections == 30",
      "balancers[lb].backends[web[0]:80].connections == 10",
      "balancers[lb].backends[web[1]:80].connections == 20",
      "balancers[lb].backends[web[1]:80].state == up",
      "balancers[lb].refused == 0",
      "proxies[px].clients == 12",
      "proxies[px].refused == 0",
    ]
  ) {
    const expectation = parseExpect(line, { nodes: ["lb", "px"] });
    assertEquals([line, holds(expectation, readReport(expectation.path, report))], [line, true]);
  }
});

Deno.test("what is wrong with a balancer is said in one sentence, with the place in the file", () => {
  const message = (lb: string, more?: string) => {
    const error = assertThrows(() => buildSimulation(load(scenario(lb, more)))) as Error;
    // (The place, and the path where the file has no such key.)
    const sentence = error.message.replace(/^a\.yaml:\d+:\d+: (nodes\.lb\.[^ ]*: )?/, "");
    return sentence[0].toUpperCase() + sentence.slice(1);
  };
  assertEquals(message("ports: [80], backends: wob:80"), 'There is no node called "wob". Did you mean "web"?');
  assertEquals(
    message("ports: [80], backends: web:80, connectionTable: false"),
    "Round-robin needs the connection table: without it every packet is chosen for anew, by a hash.",
  );
  assertEquals(
    message("ports: [80], backends: web:80, mode: direct-return"),
    "In direct return web[0]:80 answers as 203.0.113.1: it needs that address too (virtualAddresses).",
  );
  assertEquals(
    message("ports: [80, 443], backends: web:80, mode: direct-return", ", virtualAddresses: [203.0.113.1]"),
    "In direct return the port stays as it is: web[0]:80 must listen on 443, as the service does.",
  );
  assertEquals(
    message("ports: [80], backends: web:80, maglevTableSize: 65536, algorithm: maglev"),
    "A Maglev table has a prime number of entries, not 65536.",
  );
  assertEquals(message("ports: [81], backends: web:80"), "Workloads[0].to: lb has no service at port 80.");
  assertEquals(
    message("ports: [80], backends: web:80, algorithm: maglef"),
    'Nodes.lb.algorithm is "maglef": expected round-robin, weighted-round-robin, least-connections, source-hash or maglev; did you mean "maglev"?',
  );
});

Deno.test("paths into balancers and proxies that lead nowhere are refused before the run", () => {
  for (
    const [path, reason] of [
      ["balancers[lp].broken", "names no node"],
      ["balancers[lb].brokn", "broken"],
      ["balancers[lb].refused.no-prt", "no-port"],
      ["balancers.broken", "is not one balancer"],
      ["proxies[px].refusd", "refused"],
    ]
  ) {
    const error = assertThrows(() => parseExpect(`${path} == 0`, { nodes: ["lb", "px"] })) as Error;
    assertEquals([path, error.message.includes(reason)], [path, true]);
  }
});
