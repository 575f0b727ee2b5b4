import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { parseCapturePoint, parseRing } from "../../src/scenario/schema_capture.ts";

const NETWORK = `nodes:
  clients: { kind: host, count: 3, address: 10.0.0.2/24 }
  r1: { kind: router }
  server: { kind: host, address: 192.0.2.1/24 }
links:
  - { between: [clients, r1] }
  - { between: [r1, server], name: uplink }
`;

const points = (section: string) => loadScenario("a.yaml", NETWORK + section).scenario.capture;

Deno.test("a capture point is a text, or a map with a filter, a snap length and a ring", () => {
  assertEquals(points("capture: [server, 'clients[2]:r1', 'r1:uplink', 'server:lo']")?.map((one) => one.interface), [
    undefined,
    "r1",
    "uplink",
    "lo",
  ]);
  assertEquals(points("capture: [{ node: r1, interface: clients, filter: port 80, snaplen: 96, ring: 1MBx3 }]"), [
    { node: "r1", interface: "clients", filter: "port 80", snaplen: 96, ring: { bytes: 1_000_000, files: 3 } },
  ]);
});

Deno.test("what cannot be captured is told with line, column and path", () => {
  const sentences: Record<string, string> = {
    "[sever]": 'a.yaml:8:11: capture[0]: there is no node "sever": did you mean "server"?',
    "['clients[3]']": 'a.yaml:8:11: capture[0]: there is no node "clients[3]": clients has the members 0 to 2.',
    "[server:clients]": 'a.yaml:8:11: capture[0]: server has no interface "clients": it has r1, uplink and lo.',
    "[{ node: r1, interface: wan }]":
      'a.yaml:8:34: capture[0].interface: r1 has no interface "wan": it has clients, clients--r1, server, uplink and lo.',
    "[{ node: r1, filter: prot 80 }]": 'a.yaml:8:31: capture[0].filter: "prot" is not a test: did you mean port?',
    "[{ node: r1, filters: port 80 }]": 'a.yaml:8:23: capture[0] has no field "filters": did you mean "filter"?',
  };
  for (const [section, sentence] of Object.entries(sentences)) {
    const found = assertThrows(() => points(`capture: ${section}`), InputError).message;
    assertEquals(found.replace(/(did you mean [\w"]+\?).*/, "$1"), sentence);
  }
});

Deno.test("points and rings are read from their texts", () => {
  assertEquals(parseCapturePoint(" clients[3] : a--b "), { node: "clients[3]", interface: "a--b", fromText: true });
  assertEquals(parseRing("10 MiB x 4"), { bytes: 10 * 2 ** 20, files: 4 });
  assertEquals(parseRing("4096x1"), { bytes: 4096, files: 1 });
  assertThrows(() => parseRing("10MiB"), InputError, "A ring is bytes and files such as 10MiBx4");
});
