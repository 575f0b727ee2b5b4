import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { CONTROL, PACKET, packetBytes, PROTOCOL } from "../../src/wire/packet.ts";
import { pcapHeader, pcapRecord } from "../../src/wire/pcap.ts";
import { pcapngInterface, pcapngPacket, pcapngSectionHeader, pcapngStatistics } from "../../src/wire/pcapng.ts";
import { encodePacket } from "../../src/wire/row_codec.ts";
import { concatenate } from "../wire/support/capture_readers.ts";
import { anyRow, anyTcpRow, buildRow, type RowSpec, world } from "../wire/support/rows.ts";
import { interopTest, runOn } from "../wire/support/tools.ts";

const PREFERENCES = [
  "ip.check_checksum:TRUE",
  "tcp.check_checksum:TRUE",
  "udp.check_checksum:TRUE",
  "tcp.relative_sequence_numbers:FALSE",
].flatMap((preference) => ["-o", preference]);
const buffer = new Uint8Array(65_536);

/** The first value of each field of each packet, as tshark reads the file. */
async function readFields(file: Uint8Array, fields: string[]): Promise<string[][]> {
  const args = ["-n", "-r", "-", ...PREFERENCES, "-T", "fields", "-E", "occurrence=f", "-E", "separator=|"];
  const printed = await runOn("tshark", [...args, ...fields.flatMap((field) => ["-e", field])], file);
  return printed.trimEnd().split("\n").map((line) => line.split("|"));
}

const STATUS_FIELDS = ["ip", "tcp", "udp", "icmp", "icmpv6"].map((name) => `${name}.checksum.status`);

/** tshark's verdicts for a good packet: 1 is good, nothing where there is no such header. */
function goodVerdicts({ source, control }: RowSpec): string[] {
  const protocol = control >>> CONTROL.PROTOCOL_SHIFT;
  const ip = source.family === 4 ? "1" : "";
  const transports = [PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.ICMP, PROTOCOL.ICMPV6];
  return [ip, ...transports.map((transport) => transport === protocol ? "1" : "")];
}

/** Verdicts on headers inside an ICMP error are not ours to judge. */
function outer(row: string[], { control }: RowSpec): string[] {
  const protocol = control >>> CONTROL.PROTOCOL_SHIFT;
  if (protocol === PROTOCOL.ICMP) return [row[0], "", "", row[3], row[4]];
  if (protocol === PROTOCOL.ICMPV6) return ["", "", "", "", row[4]];
  return row;
}

interopTest("tshark", "tshark finds every checksum of an encoded packet right", async () => {
  const w = world();
  const specs = fc.sample(anyRow, { numRuns: 500, seed: 1 });
  const records = specs.map((spec, i) =>
    pcapRecord(i, buffer.slice(0, encodePacket(w.pool, w.addresses, buildRow(w, spec), buffer)))
  );
  const rows = await readFields(concatenate([pcapHeader(), ...records]), STATUS_FIELDS);
  assertEquals(rows.map((row, i) => outer(row, specs[i])), specs.map(goodVerdicts));
});

interopTest("tshark", "tshark finds a checksum wrong in every TCP packet with a flipped payload bit", async () => {
  const w = world();
  const specs = fc.sample(anyTcpRow, { numRuns: 200, seed: 2 }).filter((spec) => spec.length > 0);
  const records = specs.map((spec, i) => {
    const p = buildRow(w, spec);
    const bits = packetBytes(w.pool, p, spec.source.family === 6) * 8;
    w.pool.rows.words[p * PACKET.STRIDE + PACKET.CORRUPT] = bits - i % (spec.length * 8);
    return pcapRecord(i, buffer.slice(0, encodePacket(w.pool, w.addresses, p, buffer)));
  });
  const rows = await readFields(concatenate([pcapHeader(), ...records]), ["tcp.checksum.status"]);
  assert(rows.length > 100);
  assertEquals(rows, specs.map(() => ["0"]));
});

interopTest("tshark", "tshark reads a TCP row's fields and times out of pcapng", async () => {
  const w = world();
  const specs = fc.sample(anyTcpRow, { numRuns: 300, seed: 3 });
  const packets = specs.map((spec, i) =>
    pcapngPacket(0, i * 1_234_567_891, buffer.slice(0, encodePacket(w.pool, w.addresses, buildRow(w, spec), buffer)), {
      direction: i % 2 === 0 ? "inbound" : "outbound",
      comment: `packet ${i}`,
    })
  );
  const file = concatenate([
    pcapngSectionHeader({ comment: "fourtuple" }),
    pcapngInterface({ name: "eth0", speedBps: 1e9, epochSeconds: 1_700_000_000 }),
    ...packets,
    pcapngStatistics(0, specs.length * 1_234_567_891, { received: specs.length, dropped: 0 }),
  ]);
  const rows = await readFields(file, [
    "frame.time_epoch",
    "frame.interface_name",
    "frame.comment",
    "frame.len",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.window_size_value",
    "tcp.urgent_pointer",
    "tcp.len",
    "tcp.options.mss_val",
    "tcp.options.wscale.shift",
    "tcp.options.timestamp.tsval",
    "tcp.options.timestamp.tsecr",
    "tcp.options.sack.count",
    "tcp.options.sack_le",
  ]);
  const expected = specs.map((spec, i) => {
    const has = (bit: number, value: number) => spec.control & bit ? String(value) : "";
    const timeNs = BigInt(i) * 1_234_567_891n + 1_700_000_000_000_000_000n;
    const p = buildRow(w, spec);
    return [
      `${timeNs / 1_000_000_000n}.${String(timeNs % 1_000_000_000n).padStart(9, "0")}`,
      "eth0",
      `packet ${i}`,
      packetBytes(w.pool, p, spec.source.family === 6),
      spec.ports >>> 16,
      spec.ports & 0xffff,
      spec.sequence,
      spec.acknowledgement,
      spec.window,
      spec.urgent,
      spec.length,
      has(CONTROL.HAS_MSS, spec.mss),
      has(CONTROL.HAS_WINDOW_SCALE, spec.windowScale),
      has(CONTROL.HAS_TIMESTAMPS, spec.timestampValue),
      has(CONTROL.HAS_TIMESTAMPS, spec.timestampEcho),
      has(CONTROL.HAS_SACK, spec.sack.length / 2),
      has(CONTROL.HAS_SACK, spec.sack[0]),
    ].map(String);
  });
  assertEquals(rows, expected);
});
