import { assertEquals, assertThrows } from "@std/assert";
import { InputError, Network } from "../../mod.ts";
import { expectations } from "../../src/scenario/expect.ts";
import { loadScenario } from "../../src/scenario/load.ts";

/** Two clients of one server: the one has five ports, the other asks a port where nobody listens. */
function report() {
  const network = new Network();
  network.host("few", {
    address: "10.0.0.1/24",
    profile: { ephemeralPortLow: 40000, ephemeralPortHigh: 40004 },
  });
  network.host("other", { address: "10.0.0.2/24" });
  network.host("server", { count: 2, address: "10.0.0.8/24", listen: [{ port: 80 }, { port: 82 }] });
  network.router("r");
  for (const name of ["few", "other", "server"]) network.link(name, "r", { delayNs: 1e6 });
  network.workload({ name: "z", kind: "hold", from: ["few"], to: ["server[0]:80"], connections: 8 });
  network.workload({ name: "a", kind: "hold", from: ["other"], to: ["server[1]:81"], connections: 3 });
  network.workload({ name: "m", kind: "request-response", from: ["other"], to: ["server:82"], connections: 4 });
  const simulation = network.build();
  simulation.run();
  return simulation.report();
}

Deno.test("the report tells the workloads apart, in the order of declaration", () => {
  const found = report();
  assertEquals(found.workloads.map(({ name, destination }) => [name, destination]), [
    ["z", "server[0]:80"],
    ["a", "server[1]:81"],
    ["m", null],
  ]);
  const lines = [
    "workloads[z].attempted == 8",
    "workloads[z].established == 5",
    "workloads[z].failed.EADDRNOTAVAIL == 3",
    "workloads[z].open == 5",
    "workloads[a].failed.ECONNREFUSED == 3",
    "workloads[a].failed == 3",
    "workloads[a].failed.ETIMEDOUT == 0",
    "workloads[m].repliesCompleted == 4",
    "workloads[m].peakConcurrent == 4",
    "workloads[m].open == 0",
  ];
  assertEquals(expectations(found, lines).filter(({ ok }) => !ok), []);
  assertEquals(expectations(found, ["workloads[m].open == 1"])[0].ok, false);
});

Deno.test("a path to a workload that is wrong is told in a sentence with the nearest name", () => {
  const found = report();
  const told = (line: string) => assertThrows(() => expectations(found, [line]), InputError).message;
  assertEquals(
    told("workloads[zz].open == 1"),
    '"workloads[zz].open == 1": workloads[zz].open names no workload: there is no "zz": did you mean "z"?',
  );
  assertEquals(
    told("workloads[z].opened == 1"),
    '"workloads[z].opened == 1": workloads[z].opened leads nowhere: a workload has no "opened": did you mean "open"?',
  );
  assertEquals(
    told("workloads[z].failed.ETIMEDOUTT == 1"),
    '"workloads[z].failed.ETIMEDOUTT == 1": workloads[z].failed.ETIMEDOUTT names no error: did you mean "ETIMEDOUT"?',
  );
  for (
    const line of ["workloads.z == 1", "workloads[z] == 1", "workloads[z].open.x == 1", "workloads[z].failed.A.b == 1"]
  ) {
    told(line);
  }
});

Deno.test("a scenario's expectations may name its workloads, and no other", () => {
  const text = (name: string) =>
    `{ nodes: { a: { kind: host, address: 10.0.0.1/24 }, b: { kind: host, address: 10.0.0.2/24, listen: [80] } },
      links: [{ between: [a, b] }], workloads: [{ name: w, kind: hold, from: a, to: "b:80", connections: 1 }],
      expect: ["workloads[${name}].open == 1"] }`;
  assertEquals(loadScenario("x.yaml", text("w")).expectations.length, 1);
  const error = assertThrows(() => loadScenario("x.yaml", text("v")), InputError);
  assertEquals(error.message.includes('there is no "v"'), true);
});
