import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatAddress } from "../../src/base/address.ts";
import { InputError } from "../../src/base/errors.ts";
import { scenarioOf } from "../../src/replay/import_scenario.ts";
import { stimulusOf } from "../../src/replay/stimulus.ts";
import { compareAnswers } from "../../src/replay/stimulus_compare.ts";
import { playStimulus } from "../../src/replay/stimulus_play.ts";
import { CaptureReader } from "../../src/wire/capture_reader.ts";
import { TCP_FLAG } from "../../src/wire/packet.ts";
import { pcapHeader, pcapRecord } from "../../src/wire/pcap.ts";
import { pcapngInterface, pcapngSectionHeader } from "../../src/wire/pcapng.ts";
import { capture, concat, imported, pieces, simulationOf, smallNetwork } from "./import_fixture.ts";

/** A run with one connection of two exchanges, captured at the client; records one by one. */
function records(): { timeNs: number; bytes: Uint8Array }[] {
  const network = smallNetwork();
  network.workload({
    name: "w",
    kind: "schedule",
    from: ["a"],
    to: ["server:80"],
    connections: 1,
    atNs: [0],
    family: "ipv4",
    exchanges: [{ requestBytes: 100, replyBytes: 5000, workNs: 30e6 }, {
      requestBytes: 70,
      replyBytes: 80,
      thinkNs: 90e6,
    }],
  });
  const reader = new CaptureReader(pieces(capture(network.build(), "a")));
  const found: { timeNs: number; bytes: Uint8Array }[] = [];
  for (let one = reader.next(); one !== null; one = reader.next()) {
    found.push({ timeNs: one.timeNs, bytes: one.bytes.slice() });
  }
  return found;
}

type Record = ReturnType<typeof records>[number];

function file(list: readonly Record[]): Uint8Array {
  return concat([pcapHeader(), ...list.map(({ timeNs, bytes }) => pcapRecord(timeNs, bytes))]);
}

/** From the client? */
const outward = ({ bytes }: Record) => bytes[12] === 198;
const flagsOf = ({ bytes }: Record) => bytes[33];
const sizes = (bytes: Uint8Array) =>
  imported(bytes).connections.map(({ turns }) => turns.map(({ fromClient, bytes }) => (fromClient ? 1 : -1) * bytes));

Deno.test("a connection seen in one direction only has the sizes of both", () => {
  const all = records();
  assertEquals(sizes(file(all)), [[100, -5000, 70, -80]]);
  assertEquals(sizes(file(all.filter(outward))), [[100, -5000, 70, -80]]);
  assertEquals(sizes(file(all.filter((one) => !outward(one)))), [[100, -5000, 70, -80]]);
});

Deno.test("a connection that began before the capture is found, and opened anew", () => {
  const middle = file(records().slice(3));
  const found = imported(middle);
  assertEquals(found.connections.map(({ hasBeginning }) => hasBeginning), [false]);
  const { text, notes } = scenarioOf(found, { name: "x" });
  assert(notes.includes("1 connection began before the capture."), notes.join());
  const simulation = simulationOf(text);
  simulation.run();
  assertEquals(simulation.report().connections.established, 1);
});

Deno.test("a four-tuple that is used again is another connection", () => {
  const all = records();
  const again = all.map(({ timeNs, bytes }) => {
    const copy = bytes.slice();
    // Another initial sequence number of the client's.
    const at = outward({ timeNs, bytes }) ? 24 : 28;
    const view = new DataView(copy.buffer);
    if ((copy[33] & TCP_FLAG.ACK) !== 0 || at === 24) view.setUint32(at, view.getUint32(at) + 777777);
    return { timeNs: timeNs + 200e9, bytes: copy };
  });
  assertEquals(sizes(file([...all, ...again])), [[100, -5000, 70, -80], [100, -5000, 70, -80]]);
});

Deno.test("a SYN sent again is no new connection", () => {
  const all = records();
  const found = imported(file([all[0], { ...all[0], timeNs: 1000 }, ...all.slice(1)]));
  assertEquals(found.connections.length, 1);
  assertEquals(found.connections[0].sides[0].syns, 2);
});

Deno.test("data sent again is counted, not added", () => {
  const all = records();
  const at = all.findIndex((one) => outward(one) && one.bytes.length > 100);
  const found = imported(
    file([...all.slice(0, at + 1), { ...all[at], timeNs: all[at].timeNs + 1000 }, ...all.slice(at + 1)]),
  );
  assertEquals(found.connections[0].sides[0].lostAfter, 1);
  assertEquals(found.connections[0].sides[0].next, 170);
});

Deno.test("addresses of loopback get substitutes, and a host that talks to itself is two", () => {
  const all = records().map(({ timeNs, bytes }) => {
    const copy = bytes.slice();
    copy.set([127, 0, 0, 1], 12);
    copy.set([127, 0, 0, 1], 16);
    return { timeNs, bytes: copy };
  });
  const found = imported(file(all));
  assertEquals(found.connections.map(({ client }) => formatAddress(client.address)), ["127.0.0.1"]);
  const simulation = simulationOf(scenarioOf(found, { name: "x" }).text);
  simulation.run();
  assertEquals(simulation.report().connections.established, 1);
});

Deno.test("damage is told with its byte, and --partial imports what comes before", () => {
  const bytes = file(records());
  const cut = bytes.subarray(0, bytes.length - 7);
  const error = assertThrows(() => imported(cut), InputError);
  assert(/^at byte \d+: a record claims to hold/.test(error.message), error.message);
  const found = imported(cut, { partial: true });
  assertEquals(found.connections.length, 1);
  assert(found.damage!.startsWith("at byte "));
});

Deno.test("a capture of another link type is answered with those that are read", () => {
  const bytes = file(records());
  new DataView(bytes.buffer).setUint32(20, 105, true);
  const error = assertThrows(() => imported(bytes), InputError);
  assert(error.message.includes("link type 105") && error.message.includes("ETHERNET"), error.message);
});

Deno.test("a capture without a connection makes a scenario of nobody, which can be loaded, and is told so", () => {
  // Acknowledgements alone: nothing was opened, no data went by.
  const lone = records().filter(({ bytes }) => flagsOf({ timeNs: 0, bytes }) === TCP_FLAG.ACK).slice(0, 1);
  for (const list of [[], lone]) {
    const { text, notes, connections } = scenarioOf(imported(file(list)), { name: "x" });
    assertEquals(connections, 0);
    assert(notes.includes("There is no TCP connection in it: nothing to re-create or to play."), notes.join());
    const simulation = simulationOf(text);
    assertEquals(simulation.run().ended, "quiescence");
  }
});

Deno.test("whatever headers say, import, scenario and stimuli come to an end, and the scenario can be loaded", () => {
  const all = records();
  const damage = fc.array(
    fc.record({ packet: fc.nat(all.length - 1), at: fc.integer({ min: 20, max: 59 }), value: fc.nat(255) }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(damage, fc.boolean(), (list, shuffled) => {
      const copies = all.map(({ timeNs, bytes }) => ({ timeNs, bytes: bytes.slice() }));
      for (const { packet, at, value } of list) if (at < copies[packet].bytes.length) copies[packet].bytes[at] = value;
      if (shuffled) copies.reverse();
      const found = imported(file(copies), { keepSegments: true });
      simulationOf(scenarioOf(found, { name: "x" }).text);
      for (const connection of found.connections) {
        for (const end of ["client", "server"] as const) {
          const stimulus = stimulusOf(connection, end);
          if (typeof stimulus !== "string") compareAnswers(stimulus, playStimulus(stimulus));
        }
      }
    }),
    { numRuns: 150 },
  );
});

Deno.test("the importer does not take a last acknowledgement of an unseen FIN for a byte", () => {
  const all = records().filter(outward);
  assert(all.some((one) => flagsOf(one) & TCP_FLAG.FIN));
  const [connection] = imported(file(all)).connections;
  assertEquals(connection.sides[1].next, 5080);
});

Deno.test("data on its way to a reader that has closed for good is no half-close", () => {
  const all = records().filter((one) => (flagsOf(one) & TCP_FLAG.FIN) === 0);
  const request = all.findLastIndex((one) => outward(one) && (flagsOf(one) & TCP_FLAG.PSH) !== 0);
  all[request].bytes[33] |= TCP_FLAG.FIN;
  const half = scenarioOf(imported(file(all)), { name: "half" });
  assert(half.text.includes("halfClose: true"), half.text);
  const last = all.findLastIndex(outward);
  assert(last > request);
  all[last].bytes[33] |= TCP_FLAG.RST;
  const cut = scenarioOf(imported(file(all)), { name: "cut" });
  assert(!cut.text.includes("halfClose"), cut.text);
  assert(cut.notes.includes("1 connection closed while data was on its way: closed after its last data."), cut.text);
});

Deno.test("packets that the capture, or the network, doubled are known by their identification", () => {
  const all = records();
  for (const [i, { bytes }] of all.entries()) bytes.set([0, i + 1], 4);
  const once = imported(file(all));
  const alone = scenarioOf(once, { name: "x" }).text;
  const twice = all.flatMap((one) => [one, one]);
  const doubled = scenarioOf(imported(file(twice)), { name: "x" });
  assertEquals(doubled.notes, [
    `${all.length} packets seen twice at one place, with the same identification: counted once.`,
  ]);
  const body = (text: string) => text.slice(text.indexOf("nodes:"));
  assertEquals(body(doubled.text), body(alone));
  for (const end of ["client", "server"] as const) {
    const stimulus = stimulusOf(imported(file(twice), { keepSegments: true }).connections[0], end);
    assert(typeof stimulus !== "string");
    assertEquals(stimulus.inputs.length + stimulus.answers.length, all.length);
  }
  // One packet only: it came twice.
  const server = all.findIndex((one) => !outward(one) && (flagsOf(one) & TCP_FLAG.PSH) !== 0);
  const oneMore = all.toSpliced(server, 0, all[server]);
  const stimulus = stimulusOf(imported(file(oneMore), { keepSegments: true }).connections[0], "client");
  assert(typeof stimulus !== "string");
  assertEquals(stimulus.inputs.length + stimulus.answers.length, all.length + 1);
});

Deno.test("a stimulus begins at once where no round trip could be measured", () => {
  // Everything twice with no identification: as if sent again, so that nothing can be timed.
  const twice = records().flatMap((one) => [one, { ...one, timeNs: one.timeNs + 100_000 }]);
  const { connections } = imported(file(twice), { keepSegments: true });
  assertEquals(connections[0].sides[1].leastRttNs, Infinity);
  const stimulus = stimulusOf(connections[0], "client");
  assert(typeof stimulus !== "string");
  assert(stimulus.inputs[0].timeNs < 1e9, `${stimulus.inputs[0].timeNs} ns`);
  const { differences } = compareAnswers(stimulus, playStimulus(stimulus));
  assertEquals(differences.filter(({ rule }) => rule === "missing-bytes" || rule === "reset"), []);
});

Deno.test("bytes that went by unseen before a FIN that was seen are counted, and leave no stimulus", () => {
  const all = records();
  const last = all.findLastIndex((one) => !outward(one) && one.bytes.length > 100);
  const { connections } = imported(file(all.toSpliced(last, 1)), { keepSegments: true });
  assertEquals(sizes(file(all.toSpliced(last, 1))), [[100, -5000, 70, -80]]);
  assertEquals(connections[0].sides[1].unseenBytes, 80);
  assertEquals(stimulusOf(connections[0], "client"), "packets are missing in the capture");
  // In the middle: later data went by, and the acknowledgement covers the gap.
  const middle = all.findIndex((one) => !outward(one) && one.bytes.length > 1000);
  const gap = imported(file(all.toSpliced(middle, 1)), { keepSegments: true });
  assertEquals(sizes(file(all.toSpliced(middle, 1))), [[100, -5000, 70, -80]]);
  assertEquals(stimulusOf(gap.connections[0], "client"), "packets are missing in the capture");
});

Deno.test("packets without a time are told", () => {
  const block = (type: number, body: Uint8Array) => {
    const length = 12 + (body.length + 3 & ~3);
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    for (const [at, value] of [[0, type], [4, length], [length - 4, length]]) view.setUint32(at, value, true);
    bytes.set(body, 8);
    return bytes;
  };
  const simple = records().map(({ bytes }) => {
    const body = new Uint8Array(4 + bytes.length);
    new DataView(body.buffer).setUint32(0, bytes.length, true);
    body.set(bytes, 4);
    return block(3, body);
  });
  const all = imported(concat([pcapngSectionHeader(), pcapngInterface({ name: "a" }), ...simple]));
  assertEquals(all.connections[0].turns.map(({ bytes }) => bytes), [100, 5000, 70, 80]);
  const { notes } = scenarioOf(all, { name: "x" });
  assert(notes[0].startsWith(`${simple.length} packets without a time (simple packet blocks)`), notes[0]);
});
