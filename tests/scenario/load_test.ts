import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { buildSimulation } from "../../src/scenario/build.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { profileOf } from "../../src/scenario/profiles.ts";
import { DEFAULT_PROFILE, makeProfile } from "../../src/transport/profile.ts";

const GOOD = `name: small
seed: 3
profiles:
  wide: { ephemeralPorts: 1024-65535, timeWait: 30s }
nodes:
  server: { kind: host, address: 192.0.2.1/24, listen: [443, { port: 80, backlog: 16, acceptEvery: 1ms }] }
  clients:
    kind: host
    count: 4
    address: 198.51.100.1/24
    profile: wide
  r1: { kind: router }
links:
  - { between: [clients, r1], rate: 100Mbit/s, delay: 5ms, queue: 1000 packets, loss: 0.1% }
  - { name: uplink, between: [r1, server], rate: 1Gbit/s, delay: 2ms, reverse: { delay: 3ms } }
workloads:
  - { name: load, kind: hold, from: clients, to: server:443, connections: 1_000, hold: forever }
run: { until: [2h4m, "connections.open >= 10"] }
expect:
  - connections.established == 1000
`;

function complaint(text: string, overrides: string[] = [], file = "a.yaml"): string {
  const error = assertThrows(() => loadScenario(file, text, overrides), InputError);
  assert(!/\n/.test(error.message), `one line: ${error.message}`);
  assert(/[.?]$/.test(error.message), `a sentence: ${error.message}`);
  return error.message;
}

/** The complaint about GOOD with one piece replaced. */
function spoilt(find: string, replacement: string): string {
  assertStringIncludes(GOOD, find);
  return complaint(GOOD.replace(find, replacement));
}

Deno.test("a scenario is read into base units", () => {
  const { scenario, run, name, seed } = loadScenario("dir/a.yaml", GOOD);
  assertEquals([name, seed], ["small", 3]);
  assertEquals(scenario.profiles?.wide, { ephemeralPorts: { low: 1024, high: 65535 }, timeWait: 30e9 });
  assertEquals(scenario.links?.[0], {
    between: ["clients", "r1"],
    rate: 100e6,
    delay: 5e6,
    queue: { packets: 1000 },
    loss: 0.001,
  });
  assertEquals((scenario.workloads?.[0] as { connections: number }).connections, 1000);
  const load = scenario.workloads![0];
  assertEquals("hold" in load && load.hold, Infinity);
  assertEquals([run.untilNs, run.conditions.length], [7440e9, 1]);
});

Deno.test("without a name or a seed a scenario is called like its file and has seed 1", () => {
  const loaded = loadScenario("x/y/lossy-link.yaml", "nodes: { a: { kind: host, address: 192.0.2.1/24 } }");
  assertEquals([loaded.name, loaded.seed], ["lossy-link", 1]);
});

Deno.test("JSON with comments and trailing commas is read, with positions", () => {
  const text = `{
  // one host
  "nodes": { "a": { "kind": "host", "address": "192.0.2.1/24", }, },
}`;
  assertEquals(loadScenario("a.jsonc", text).name, "a");
  assertEquals(
    complaint(text.replace("address", "adress"), [], "a.json"),
    'a.json:3:37: nodes.a has no field "adress": did you mean "address"?',
  );
});

Deno.test("YAML that does not parse says where", () => {
  assertStringIncludes(complaint("nodes: { a: [1, 2 }\n"), "a.yaml:1:19: The YAML does not parse: ");
  assertStringIncludes(complaint("a: 1\nb: [1\nc: 2\n"), "a.yaml:3:");
});

Deno.test("brackets that YAML takes for a list are explained", () => {
  assertStringIncludes(spoilt("from: clients", "from: clients[4]"), "text with brackets needs quotes here.");
});

Deno.test("JSON that does not parse says where", () => {
  assertEquals(
    complaint('{\n  "nodes": {\n', [], "a.json"),
    'a.json:3:1: The JSON does not parse: expected "}".',
  );
  assertStringIncludes(complaint("{ nodes: 1 }", [], "a.json"), "a.json:1:3: The JSON does not parse: ");
});

Deno.test("an empty file says so", () => {
  for (const file of ["a.yaml", "a.json"]) {
    assertEquals(
      complaint("\n", [], file),
      `${file}:1:1: The file is empty: expected a scenario with nodes, links and workloads.`,
    );
  }
});

Deno.test("a file that is a list or text says what it should be", () => {
  assertStringIncludes(complaint("- 1\n"), "a.yaml:1:1: the scenario is a list: expected a scenario: a map with");
});

Deno.test("an unknown key is answered with the nearest, at its line and column", () => {
  assertEquals(
    spoilt("    profile: wide", "    profil: wide"),
    'a.yaml:11:5: nodes.clients has no field "profil": did you mean "profile"?',
  );
  assertEquals(
    spoilt("workloads:", "worklods:"),
    'a.yaml:16:1: the scenario has no field "worklods": did you mean "workloads"?',
  );
  assertStringIncludes(spoilt("delay: 5ms", "delai: 5ms"), 'links[0] has no field "delai": did you mean "delay"?');
  assertStringIncludes(spoilt("backlog: 16", "baklog: 16"), 'nodes.server.listen[1] has no field "baklog"');
});

Deno.test("a run of more simulated time than there is, is refused", () => {
  assertEquals(
    spoilt("[2h4m,", "[30d,"),
    "a.yaml:18:16: run.until[0]: a run lasts 12d of simulated time at most, not 30d.",
  );
  assertEquals(
    complaint(GOOD, ["run.until=13d"]),
    "--set run.until=13d: run.until: a run lasts 12d of simulated time at most, not 13d.",
  );
  assertStringIncludes(
    spoilt("timeWait: 30s", "timeWait: 30d"),
    'profiles.wide.timeWait is "30d": expected a duration of at most 12d.',
  );
  assertStringIncludes(
    spoilt("timeWait: 30s", "keepAliveIdle: 30d"),
    'profiles.wide.keepAliveIdle is "30d": expected a duration of at most 12d.',
  );
});

Deno.test("what the network would refuse, the schema refuses with its line and column", () => {
  const load = "kind: hold, from: clients, to: server:443, connections: 1_000, hold: forever";
  const exchange = load.replace("hold,", "request-response,");
  for (
    const [field, expected] of [
      ["requests: 0", "requests is 0: expected a whole number from 1 to 134217727."],
      ["request: 0", "request is 0: expected bytes such as 1500 or 64KiB, at least 1, at most 2147483647."],
      ["reply: 4GiB", 'reply is "4GiB": expected bytes such as 1500 or 64KiB, at most 2147483647.'],
    ]
  ) {
    assertStringIncludes(spoilt(load, `${exchange}, ${field}`), `workloads[0].${expected}`);
  }
  assertStringIncludes(
    spoilt("port: 80, ", "port: 80, service: { kind: respond, request: 0 }, "),
    "a.yaml:6:109: nodes.server.listen[1].service.request is 0: expected",
  );
});

Deno.test("an unknown kind is answered with those that exist", () => {
  assertEquals(
    spoilt("{ kind: router }", "{ kind: ruter }"),
    'a.yaml:12:15: nodes.r1.kind is "ruter": expected host, router, nat or balancer; did you mean "router"?',
  );
  assertEquals(
    spoilt("{ kind: router }", "{ }"),
    "a.yaml:12:3: nodes.r1.kind is missing: expected host, router, nat or balancer.",
  );
});

Deno.test("a field of another kind of workload is refused", () => {
  assertStringIncludes(spoilt("hold: forever", "bytes: 5"), 'workloads[0] has no field "bytes"');
});

Deno.test("a wrong unit says which units there are", () => {
  assertStringIncludes(
    spoilt("delay: 5ms", "delay: 5mz"),
    'a.yaml:14:55: links[0].delay: expected a duration, in ns, us, ms, s, min, h or d, found "5mz"',
  );
  assertStringIncludes(spoilt("delay: 5ms", "delay: 5Mbit/s"), "which is a rate");
  assertStringIncludes(spoilt("delay: 5ms", "delay: 5"), "links[0].delay is 5: expected a duration");
  assertStringIncludes(spoilt("100Mbit/s", "100Mbis"), "links[0].rate: ");
  assertStringIncludes(spoilt("1000 packets", "1000 pakets"), "links[0].queue: ");
  assertStringIncludes(spoilt("0.1%", "150%"), "links[0].loss: ");
});

Deno.test("a required field that is missing is reported at the thing that lacks it", () => {
  assertEquals(
    spoilt("    address: 198.51.100.1/24\n", ""),
    "a.yaml:7:3: nodes.clients.address is missing: expected an address with its prefix length such as 192.0.2.1/24.",
  );
});

Deno.test("an address that is none says so", () => {
  assertStringIncludes(spoilt("192.0.2.1/24", "192.0.2.256/24"), "a.yaml:6:34: nodes.server.address: ");
  assertStringIncludes(spoilt("192.0.2.1/24", "192.0.2.1/33"), "nodes.server.address: ");
});

Deno.test("two nodes with one name are refused, in YAML and in JSON", () => {
  assertEquals(
    spoilt("  r1: { kind: router }", "  clients: { kind: router }"),
    'a.yaml:12:3: Two nodes have the name "clients" (the first is on line 7): rename one.',
  );
  assertEquals(
    complaint('{ "nodes": { "a": {}, "a": {} } }', [], "a.json"),
    'a.json:1:23: Two nodes have the name "a" (the first is on line 1): rename one.',
  );
  assertStringIncludes(spoilt("seed: 3", "name: again"), "a.yaml:2:1: name is given twice (first on line 1)");
});

Deno.test("a name that a path could not call is refused", () => {
  assertStringIncludes(spoilt("  r1: {", '  "r 1": {'), 'nodes has the name "r 1": expected a name of letters');
});

Deno.test("a link to a node that is not there is answered with the nearest", () => {
  assertEquals(
    spoilt("between: [r1, server]", "between: [r1, sever]"),
    'a.yaml:15:35: links[1].between[1] is "sever": there is no node "sever": did you mean "server"?',
  );
});

Deno.test("a link needs two ends, and two of them, and a name of its own", () => {
  assertStringIncludes(
    spoilt("[r1, server]", "[r1]"),
    "links[1].between is a list: expected two nodes such as [clients, r1].",
  );
  assertStringIncludes(spoilt("[r1, server]", "[r1, r1]"), "links[1].between joins r1 with itself");
  assertStringIncludes(
    spoilt("name: uplink, between: [r1, server]", "between: [clients, r1]"),
    "same name as links[0]",
  );
});

Deno.test("a workload's source or destination that is not there is answered with the nearest host", () => {
  assertEquals(
    spoilt("server:443", "servr:443"),
    'a.yaml:17:50: workloads[0].to is "servr:443": there is no node "servr": did you mean "server"?',
  );
  assertStringIncludes(spoilt("from: clients", "from: r1"), "r1 is a router and not a host");
  assertStringIncludes(
    spoilt("from: clients", "from: 'clients[4]'"),
    "clients has the members clients[0] to clients[3]",
  );
  assertStringIncludes(spoilt("from: clients", "from: 'clients[3..1]'"), "expected the lower member first");
  assertStringIncludes(spoilt("server:443", "server"), "expected host:port such as server:443");
  assertStringIncludes(spoilt("server:443", "server:70000"), "the port from 1 to 65535");
});

Deno.test("a destination that no links lead to says so", () => {
  assertEquals(
    spoilt("  - { name: uplink, between: [r1, server], rate: 1Gbit/s, delay: 2ms, reverse: { delay: 3ms } }\n", ""),
    'a.yaml:16:50: workloads[0].to is "server:443": no links lead from clients to server.',
  );
});

Deno.test("a port range upside down says how it is meant", () => {
  assertEquals(
    spoilt("1024-65535", "65535-1024"),
    'a.yaml:4:27: profiles.wide.ephemeralPorts is "65535-1024": expected the lower port first, as in 1024-65535.',
  );
});

Deno.test("a profile that is not there is answered with the nearest", () => {
  assertEquals(
    spoilt("profile: wide", "profile: wied"),
    'a.yaml:11:14: nodes.clients.profile: there is no profile "wied": did you mean "wide"?',
  );
});

Deno.test("an expectation about nothing is refused before the run", () => {
  assertEquals(
    spoilt("connections.established == 1000", "connections.etablished == 1000"),
    'a.yaml:20:5: expect[0]: "connections.etablished == 1000": connections.etablished leads nowhere: ' +
      'connections has no "etablished": did you mean "established"?',
  );
});

Deno.test("a condition that cannot end a run is refused", () => {
  assertStringIncludes(spoilt("connections.open >= 10", "wallSeconds > 3"), "run.until[1]: ");
  assertStringIncludes(
    spoilt("2h4m", "whenever"),
    'run.until[0] is "whenever": expected a time such as 60s, quiescence',
  );
});

Deno.test("anchors and merge keys are read", () => {
  const text = `nodes:
  a: &host { kind: host, address: 192.0.2.1/24 }
  b: { <<: *host, address: 192.0.2.2/24 }
`;
  const { nodes } = loadScenario("a.yaml", text).scenario;
  assertEquals(nodes.b, { kind: "host", address: "192.0.2.2/24" });
});

Deno.test("a second YAML document is refused, where it begins, and not left out without a word", () => {
  const text = "nodes: { a: { kind: host, address: 192.0.2.1/24 } }\n---\nseed: 3\n";
  assertEquals(complaint(text), "a.yaml:2:1: A second document begins here: a scenario is one document.");
});

Deno.test("a file nested beyond reason, and aliases that multiply, are refused with a sentence", () => {
  assertStringIncludes(complaint("[".repeat(200000), [], "a.json"), "a.json:1:");
  assertStringIncludes(
    complaint("nodes: " + "[".repeat(20000)),
    "a.yaml:1:1: The file cannot be read: it is nested too",
  );
  const bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" +
    Array.from({ length: 8 }, (_, i) => {
      const [from, to] = [String.fromCharCode(97 + i), String.fromCharCode(98 + i)];
      return `${to}: &${to} [${Array(10).fill(`*${from}`).join(",")}]\n`;
    }).join("");
  assertStringIncludes(complaint(bomb), "a.yaml:");
});

Deno.test("a congestion control that there is not is answered with the nearest", () => {
  const error = spoilt("timeWait: 30s", "timeWait: 30s, congestionControl: cubik");
  assertStringIncludes(error, "a.yaml:4:");
  assertStringIncludes(error, 'did you mean "cubic"?');
  assertStringIncludes(spoilt("timeWait: 30s", "congestionControl: 3"), "expected reno, cubic, dctcp, bbr");
});

Deno.test("what an operator sets of TCP is read under its own name", () => {
  const settings = "congestionControl: bbr, ecn: on, dsack: false, rack: false, tailLossProbe: false, " +
    "forwardRtoRecovery: false, reordering: 10, slowStartAfterIdle: false, pacing: true, fastOpen: 3, " +
    "fastOpenKey: a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4, synCookies: 2, maxSynBacklog: 64, receiveBufferMax: 1MiB, " +
    "moderateReceiveBuffer: false, sendBufferInitial: 64KiB, notSentLow: 16KiB, mtuProbing: 1, minPathMtu: 552, " +
    "pathMtuDiscovery: false, rfc1337: true, synLinearTimeouts: 4, retries1: 2, accounting: true";
  const { scenario } = loadScenario("a.yaml", GOOD.replace("timeWait: 30s", settings));
  const profile = makeProfile(profileOf(scenario.profiles!.wide));
  assertEquals(
    settings.split(", ").map((pair) => pair.split(": ")[0]).filter((name) => !(name in scenario.profiles!.wide)),
    [],
  );
  const changed = Object.entries(profile).filter(([name, value]) =>
    value !== DEFAULT_PROFILE[name as keyof typeof DEFAULT_PROFILE]
  );
  // The ports of GOOD are two fields.
  assertEquals(changed.length, settings.split(", ").length + 2);
  assertEquals([profile.congestionControl, profile.ecn, profile.receiveBufferMaxBytes], ["bbr", "on", 2 ** 20]);
});

Deno.test("a threshold for ECN marks is packets or bytes, as a queue is", () => {
  const { scenario } = loadScenario("a.yaml", GOOD.replace("loss: 0.1%", "ecnThreshold: 65 packets"));
  assertEquals(scenario.links![0].ecnThreshold, { packets: 65 });
  assertStringIncludes(spoilt("loss: 0.1%", "ecnThreshold: many"), "links[0].ecnThreshold");
});

Deno.test("an end of a link may be a list: each of its nodes has such a link", () => {
  const text = (between: string) =>
    `nodes:
  a: { kind: host, address: 10.0.0.1/24 }
  b: { kind: host, address: 10.0.0.2/24, listen: [80] }
  r1: { kind: router }
links:
  - { between: ${between}, delay: 1ms }
workloads:
  - { name: w, kind: hold, from: a, to: "b:80", connections: 2 }
`;
  const run = (between: string) => {
    const simulation = buildSimulation(loadScenario("a.yaml", text(between)));
    simulation.run();
    return simulation.report().digest;
  };
  assertEquals(run("[[a, b], r1]"), run("[a, r1], delay: 1ms }\n  - { between: [b, r1]"));
  const error = (between: string) => assertThrows(() => run(between), InputError).message;
  assertStringIncludes(error("[[a, c], r1]"), 'a.yaml:6:21: links[0].between[0][1] is "c": there is no node "c"');
  assertStringIncludes(error("[[a, r1], r1]"), "links[0].between joins r1 with itself");
  assertStringIncludes(error("[[a, b], r1], name: x"), 'links[0] is several links with the one name "x"');
  assertStringIncludes(error("[[a, b], r1], subnet: 11.0.0.0/8"), ": links[0].subnet");
});

Deno.test("nodes and kinds of dumps and series that there are not are told with their place", () => {
  const node = "nodes:\n  web: { kind: host, address: 192.0.2.1/24, count: 3 }\n";
  const complaint = (line: string) => assertThrows(() => loadScenario("a.yaml", node + line), InputError).message;
  assertEquals(
    complaint("dumps: [{ what: sockets, node: wb }]"),
    'a.yaml:3:32: dumps[0].node is "wb": there is no node "wb": did you mean "web"?',
  );
  assertStringIncludes(complaint("dumps: [{ what: sockets, node: [web, 'web[3]'] }]"), "a.yaml:3:38: dumps[0].node[1]");
  assertStringIncludes(complaint("series: { nodes: 'web, wb' }"), 'series.nodes is "wb": there is no node "wb"');
  assertStringIncludes(complaint("dumps: [{ what: socket }]"), 'or links; did you mean "sockets"?');
  assertStringIncludes(complaint("dumps: [{ what: 7 }]"), "routes or links, or a list of them.");
});
