import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import type { CaptureOptions } from "../../src/network/capture.ts";
import { Network, NetworkError } from "../../src/network/network.ts";
import type { LinkOptions } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { PCAPNG_BLOCK } from "../../src/wire/pcapng.ts";
import {
  type CapturedPacket,
  concatenate,
  readBlocks,
  readEnhancedPacket,
  readOptions,
} from "../wire/support/capture_readers.ts";

const utf8 = new TextDecoder();
const OPTION = { COMMENT: 1, NAME: 2, FLAGS: 2, RECEIVED: 4, DROPPED: 5, ACCEPTED: 6, SYSTEM_DROPPED: 7, DELIVERED: 8 };

/** client - r1 - server, 50 kB up. */
function chain(link: LinkOptions = {}, seed = 3): Simulation {
  const network = new Network({ name: "chain", seed });
  network.host("client", { address: "10.0.0.1/24", profile: { ecn: "on" } });
  network.router("r1");
  network.host("server", { address: "10.0.1.1/24", listen: [{ port: 80 }], profile: { ecn: "on" } });
  network.link("client", "r1", { delayNs: 1e6 });
  network.link("r1", "server", { delayNs: 1e6, rateBps: 10e6, ...link });
  network.workload({ name: "up", kind: "bulk", from: ["client"], to: ["server:80"], connections: 1, bytes: 50_000 });
  return network.build();
}

interface ReadCapture {
  section: string;
  interfaces: string[];
  packets: (CapturedPacket & { direction: number; comment: string | undefined })[];
  statistics: Map<number, Uint8Array>[];
}

function read(chunks: Uint8Array[]): ReadCapture {
  const found: ReadCapture = { section: "", interfaces: [], packets: [], statistics: [] };
  for (const block of readBlocks(concatenate(chunks))) {
    if (block.type === PCAPNG_BLOCK.SECTION_HEADER) found.section = utf8.decode(readOptions(block.body, 16).get(1));
    else if (block.type === PCAPNG_BLOCK.INTERFACE_DESCRIPTION) {
      found.interfaces.push(utf8.decode(readOptions(block.body, 8).get(OPTION.NAME)));
    } else if (block.type === PCAPNG_BLOCK.INTERFACE_STATISTICS) found.statistics.push(readOptions(block.body, 12));
    else {
      const packet = readEnhancedPacket(block);
      const comment = packet.options.get(OPTION.COMMENT);
      const direction = packet.options.get(OPTION.FLAGS)![0];
      found.packets.push({ ...packet, direction, comment: comment && utf8.decode(comment) });
    }
  }
  return found;
}

/** What a capture of a run to its end says. */
function captured(simulation: Simulation, options: CaptureOptions): ReadCapture {
  const chunks: Uint8Array[] = [];
  const capture = simulation.capture(options, (bytes) => chunks.push(bytes));
  simulation.run();
  capture.close();
  const found = read(chunks);
  assertEquals(found.packets.length, capture.packets);
  return found;
}

const count = (statistics: Map<number, Uint8Array>, code: number) =>
  Number(new DataView(statistics.get(code)!.buffer).getBigUint64(0, true));

Deno.test("a capture of a node names scenario and seed, and each interface by its neighbour", () => {
  const { section, interfaces } = captured(chain(), { node: "r1", comment: "trial" });
  assertEquals(section, "scenario chain, seed 3, trial");
  assertEquals(interfaces, ["r1:client", "r1:server"]);
});

Deno.test("an interface is called by its link where two links lead to the same neighbour", () => {
  const network = new Network();
  network.host("a", { address: "10.0.0.1/24" });
  network.host("b", { address: "10.0.0.2/24", listen: [{ port: 80 }] });
  network.link("a", "b", { name: "first" });
  network.link("a", "b", { name: "second", cost: 2 });
  network.workload({ name: "up", kind: "bulk", from: ["a"], to: ["b:80"], connections: 1, bytes: 10 });
  const simulation = network.build();
  const chunks: Uint8Array[] = [];
  const idle = simulation.capture({ node: "a", interface: "second" }, (bytes) => chunks.push(bytes));
  const busy = captured(simulation, { node: "a", interface: "first" });
  idle.close();
  assertEquals(busy.interfaces, ["a:first"]);
  assert(busy.packets.length > 6);
  // It is described although nothing passed.
  assertEquals([read(chunks).interfaces, read(chunks).packets], [["a:second"], []]);
});

Deno.test("times are exact, and flags tell which way a packet went", () => {
  const { packets } = captured(chain(), { node: "client", interface: "r1" });
  const [syn, synAck] = packets;
  assertEquals([syn.timeNs, syn.direction], [0n, 2]);
  // Two links of 1 ms each way, and 60 bytes at 10 Mbit/s each way.
  assertEquals([synAck.timeNs, synAck.direction], [4_096_000n, 1]);
});

Deno.test("what a link loses or drops is there with a comment, and in the statistics of the interface", () => {
  const simulation = chain({ loss: 0.05, queuePackets: 5 });
  const seen = captured(simulation, { node: "r1", interface: "server" });
  const dropped = (reason: string) => seen.packets.filter((one) => one.comment === `dropped: ${reason}`);
  const { dropped: reported } = simulation.report().packets;
  assert(dropped("queue").length > 0);
  assertEquals(dropped("queue").length, reported.queue);
  assertEquals(dropped("queue").every((one) => one.direction === 2), true);
  const [statistics] = seen.statistics;
  // What the server sends is lost at the server's end.
  const out = dropped("queue").length + dropped("loss").length;
  assertEquals(count(statistics, OPTION.DROPPED), out);
  assertEquals(count(statistics, OPTION.RECEIVED), seen.packets.length);
  assertEquals(count(statistics, OPTION.DELIVERED), seen.packets.length);
  assertEquals(
    utf8.decode(statistics.get(OPTION.COMMENT)),
    `dropped: loss ${dropped("loss").length}, queue ${dropped("queue").length}`,
  );
});

Deno.test("losses of both ends' captures add up to the report's", () => {
  const simulation = chain({ loss: 0.05 });
  const chunks: Uint8Array[] = [];
  const other = simulation.capture({ node: "server" }, (bytes) => chunks.push(bytes));
  const one = captured(simulation, { node: "r1", interface: "server" });
  other.close();
  const losses = [one, read(chunks)].map(({ statistics }) => count(statistics[0], OPTION.DROPPED));
  assertEquals(losses[0] + losses[1], simulation.report().packets.dropped.loss);
});

Deno.test("what a node drops of what comes in says why, and counts as dropped by the system", () => {
  const network = new Network();
  network.host("client", { address: "10.0.0.1/24", profile: { defaultTtl: 1 } });
  network.router("r1");
  network.host("server", { address: "10.0.1.1/24", listen: [{ port: 80 }] });
  network.link("client", "r1", { delayNs: 1e6 });
  network.link("r1", "server", { delayNs: 1e6 });
  network.workload({ name: "up", kind: "bulk", from: ["client"], to: ["server:80"], connections: 1, bytes: 10 });
  const { packets, statistics } = captured(network.build(), { node: "r1" });
  const inbound = packets.filter((one) => one.direction === 1);
  assert(inbound.length > 0);
  // The router answers each with an ICMP error before it lets it go.
  assertEquals(packets.length, 2 * inbound.length);
  assertEquals(inbound.map((one) => one.comment), inbound.map(() => "dropped: ttl"));
  assertEquals(count(statistics[0], OPTION.SYSTEM_DROPPED), inbound.length);
  assertEquals(count(statistics[0], OPTION.DROPPED), 0);
});

Deno.test("a corrupt packet and a packet that the queue marks say so", () => {
  const corrupt = captured(chain({ corrupt: 0.05 }), { node: "server" }).packets;
  assert(corrupt.some((one) => one.comment === "dropped: checksum"));
  const simulation = chain({ ecnThresholdPackets: 3 });
  const chunks: Uint8Array[] = [];
  const far = simulation.capture({ node: "server" }, (bytes) => chunks.push(bytes));
  const marked = captured(simulation, { node: "r1", interface: "server" }).packets
    .filter((one) => one.comment?.startsWith("marked: congestion experienced"));
  far.close();
  const arrived = read(chunks).packets.filter((one) => one.direction === 1 && (one.bytes[1] & 3) === 3);
  assert(marked.length > 0);
  assertEquals(marked.length, arrived.length);
});

Deno.test("a filter narrows what is written, not what is counted as having passed", () => {
  const all = captured(chain(), { node: "server" });
  const some = captured(chain(), { node: "server", filter: "src 10.0.1.1" });
  assertEquals(count(some.statistics[0], OPTION.RECEIVED), all.packets.length);
  assertEquals(count(some.statistics[0], OPTION.ACCEPTED), some.packets.length);
  assertEquals(
    some.packets.map((one) => one.timeNs),
    all.packets.filter((one) => one.direction === 2).map((one) => one.timeNs),
  );
  const functions = captured(chain(), { node: "server", filter: ({ timeNs }) => timeNs > 10e6 });
  assertEquals(functions.packets.length, all.packets.filter((one) => one.timeNs > 10_000_000n).length);
});

Deno.test("a snap length keeps the beginnings of packets and their whole lengths", () => {
  const whole = captured(chain(), { node: "server" }).packets;
  const cut = captured(chain(), { node: "server", snaplen: 60 }).packets;
  assertEquals(cut.map((one) => one.originalBytes), whole.map((one) => one.bytes.length));
  assertEquals(cut.map((one) => one.bytes), whole.map((one) => one.bytes.slice(0, 60)));
});

Deno.test("a capture with a limit goes on in further files, which together hold all", () => {
  const whole = captured(chain(), { node: "server" }).packets;
  const files: Uint8Array[][] = [[]];
  const simulation = chain();
  const capture = simulation.capture({ node: "server", fileBytes: 8000 }, {
    write: (bytes) => files.at(-1)!.push(bytes),
    next: () => files.push([]),
  });
  simulation.run();
  capture.close();
  assert(files.length > 5);
  for (const file of files) assert(concatenate(file).length <= 8000);
  assertEquals(files.flatMap((file) => read(file).packets.map((one) => one.timeNs)), whole.map((one) => one.timeNs));
});

Deno.test("a host's way to itself is the interface lo", () => {
  const network = new Network();
  network.host("a", { address: "10.0.0.1/24", listen: [{ port: 80 }] });
  network.host("b", { address: "10.0.0.2/24" });
  network.link("a", "b");
  network.workload({ name: "self", kind: "bulk", from: ["a"], to: ["10.0.0.1:80"], connections: 1, bytes: 10 });
  const { interfaces, packets } = captured(network.build(), { node: "a", interface: "lo" });
  assertEquals(interfaces, ["a:lo"]);
  assert(packets.length > 6);
});

Deno.test("capturing does not change a run", () => {
  const plain = chain({ loss: 0.03, jitterNs: 1e6, corrupt: 0.01 });
  plain.run();
  const watched = chain({ loss: 0.03, jitterNs: 1e6, corrupt: 0.01 });
  const captures = ["client", "r1", "server"].map((node) => watched.capture({ node }, () => {}));
  watched.run({ untilNs: 20e6 });
  captures[1].close();
  watched.run();
  assertEquals([watched.digest, watched.eventDigest, watched.nowNs], [plain.digest, plain.eventDigest, plain.nowNs]);
});

Deno.test("nothing is captured once a capture is closed, and closing again writes nothing", () => {
  const simulation = chain();
  const chunks: Uint8Array[] = [];
  const capture = simulation.capture({ node: "server" }, (bytes) => chunks.push(bytes));
  simulation.run({ untilNs: 10e6 });
  capture.close();
  const { length } = chunks;
  simulation.run();
  capture.close();
  assertEquals(chunks.length, length);
  assert(read(chunks).packets.every((one) => one.timeNs <= 10_000_000n));
  assertEquals(simulation.partition.taps.length + simulation.partition.sendTaps.length, 0);
});

Deno.test("nodes, interfaces and filters that are not there are refused", () => {
  const simulation = chain();
  const refused = (options: CaptureOptions) => assertThrows(() => simulation.capture(options, () => {}), Error);
  assertEquals(refused({ node: "r2" }).message, 'There is no node "r2": did you mean r1?');
  assertEquals(refused({ node: "r1[0]" }).message, 'There is no node "r1[0]": it stands alone.');
  assertEquals(
    refused({ node: "r1", interface: "wan" }).message,
    'r1 has no interface "wan": it has client, client--r1, server, r1--server, lo.',
  );
  assert(refused({ node: "r2" }) instanceof NetworkError);
  assert(refused({ node: "r1", filter: "prot 80" }) instanceof InputError);
  assert(refused({ node: "r1", snaplen: 0 }) instanceof RangeError);
});
