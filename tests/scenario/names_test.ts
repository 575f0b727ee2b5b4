import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { buildSimulation } from "../../src/scenario/build.ts";
import { evaluateExpect } from "../../src/scenario/expect.ts";
import { loadScenario } from "../../src/scenario/load.ts";

const SCENARIO = `
seed: 7
nodes:
  ns:
    kind: host
    address: 192.0.2.53/24
    dns:
      ttl: 2s
      order: rotate
      records:
        www.example.com: web[0..1]
        one.example.com: 192.0.2.3
        six.example.com: { addresses: ["2001:db8::1"], ttl: 1min, order: fixed }
        img.example.com: { alias: www.example.com }
  isp: { kind: host, address: 198.51.100.1/24, dns: { forward: ns, forwardOrder: random, dns64: "64:ff9b::/96" } }
  web: { kind: host, count: 3, address: 192.0.2.1/24, listen: [443, 6881/udp, { port: 9, protocol: udp, service: { kind: echo } }] }
  clients: { kind: host, count: 2, address: 10.0.0.1/24, resolver: { servers: [ns, 198.51.100.1], timeout: 1s, attempts: 3, cache: false } }
  others: { kind: host, address: 10.1.0.1/24, resolver: isp }
  r1: { kind: router }
links:
  - { between: [ns, r1], delay: 1ms }
  - { between: [isp, r1], delay: 1ms }
  - { between: [web, r1], delay: 1ms }
  - { between: [clients, r1], delay: 1ms }
  - { between: [others, r1], delay: 1ms }
workloads:
  - { name: pages, kind: request-response, from: [clients, others], to: "img.example.com:443", connections: 9 }
  - { name: pings, kind: request-response, transport: udp, timeout: 1s, retries: 2, from: clients, to: "web:9", connections: 6 }
  - { name: swarm, kind: torrent, transport: udp, bytes: 60, requests: 2, think: 10ms, from: clients, to: "web:6881", connections: 6 }
  - { name: names, kind: dns, from: clients, to: [six.example.com, one.example.com], connections: 4 }
expect:
  - connections.established == 9
  - targets[img.example.com:443].established == 9
  - targets[img.example.com:443].most < 9
  - targets[192.0.2.9:443].established == 0
  - targets[one.example.com].established == 2
  - dns.failed.EAI_NODATA == 2
  - dns.failed == 2
  - dns.lookupMs.max < 10ms
  - datagrams.answered == 12
  - datagrams.timedOut == 0
  - datagrams.replyMs.p50 ~= 4ms ± 1%
`;

Deno.test("a scenario with names, resolvers and datagrams runs as it says", () => {
  const loaded = loadScenario("names.yaml", SCENARIO);
  const simulation = buildSimulation(loaded);
  simulation.run();
  const report = simulation.report();
  const lines = loaded.expectations.map((line) => evaluateExpect(line, report));
  assertEquals(lines.filter(({ ok }) => !ok), []);
});

function refusal(change: string, file = "names.yaml"): string {
  const error = assertThrows(() => {
    const loaded = loadScenario(file, SCENARIO, [change]);
    buildSimulation(loaded).run({ untilNs: 0 });
  }, InputError);
  return error.message;
}

Deno.test("what is wrong with names is told in one sentence with its place", () => {
  const cases: [string, RegExp][] = [
    ["nodes.ns.dns.order=rotated", /dns\\.order.*did you mean "rotate"/],
    ["nodes.ns.dns.ttl=30", /a number alone has no unit/],
    ["nodes.ns.dns.forwards=isp", /did you mean "forward"/],
    ["nodes.ns.dns.ttl=1500ms", /whole number of seconds/],
    ["nodes.isp.dns.dns64=10.0.0.0/8", /cannot hold IPv4 addresses/],
    ["nodes.clients.resolver=nss", /Did you mean "ns"/],
    ["nodes.clients.resolver=203.0.113.9", /cannot be reached from clients\\[0\\]/],
    ["nodes.clients.resolver.servers=[]", /expected a server|at least one server/],
    ["workloads.pages.to=www.example.com", /expected host:port|no destination/],
    ["workloads.pages.from=web", /web has nobody to ask for img.example.com/],
    ["workloads.pings.retries=-1", /retries/],
    ["workloads.swarm.transport=sctp", /expected tcp or udp/],
    ["workloads.names.to=a..b", /empty label/],
    ["nodes.web.listen=[443/sctp]", /expected a port such as 443/],
  ];
  for (const [change, words] of cases) {
    const message = refusal(change);
    assert(new RegExp(words.source.replaceAll("\\\\", "\\")).test(message), `${change}: ${message}`);
  }
});
