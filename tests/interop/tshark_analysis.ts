/** Runs whose captures tshark analyses, and what the emulator itself saw at the same points, packet by packet. */
import { assertEquals } from "@std/assert";
import { Network } from "../../src/network/network.ts";
import type { LinkOptions } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { PACKET, TCP_FLAG } from "../../src/wire/packet.ts";
import { runOn } from "../wire/support/tools.ts";

const { STRIDE, SRC, DST, PORTS, SEQ, ACK, CONTROL, LENGTH, WINDOW_TTL_TOS } = PACKET;
const { SYN, FIN, RST } = TCP_FLAG;

/** A packet at a capture point. */
export interface Passed {
  /** One way of one connection. */
  flow: string;
  seq: number;
  /** Sequence numbers that it takes: data, SYN and FIN. */
  taken: number;
  ack: number;
  flags: number;
  window: number;
  /** Did the node of the point send it? */
  outbound: boolean;
  /** Did its sender send this range, or a part of it, for a second time? */
  again: boolean;
}

/** A packet as tshark sees it: the fields that it has, by name without `tcp.analysis.`. */
export type Analysed = Record<string, string>;

/** What happened at a capture point, by the emulator and by tshark, packet by packet. */
export interface Point {
  name: string;
  passed: Passed[];
  analysed: Analysed[];
}

const ANALYSIS = [
  "retransmission",
  "fast_retransmission",
  "spurious_retransmission",
  "out_of_order",
  "duplicate_ack",
  "zero_window",
  "keep_alive",
  "keep_alive_ack",
  "zero_window_probe",
  "lost_segment",
  "ack_lost_segment",
];
const FIELDS = [
  "tcp.stream",
  "tcp.seq_raw",
  "tcp.completeness",
  "_ws.malformed",
  "ip.checksum.status",
  "tcp.checksum.status",
  ...ANALYSIS.map((name) => `tcp.analysis.${name}`),
];

/** A path client - r1 - server, and what its second link does. */
export function path(name: string, ipv6: boolean, link: LinkOptions, ports: number[]): Network {
  const network = new Network({ name, seed: 5 });
  const [client, server] = ipv6 ? ["2001:db8:1::1/64", "2001:db8:2::1/64"] : ["10.0.0.1/24", "10.0.1.1/24"];
  network.host("client", { address: client });
  network.router("r1");
  network.host("server", { address: server, listen: ports.map((port) => ({ port })) });
  network.link("client", "r1", { rateBps: 100e6, delayNs: 1e6 });
  network.link("r1", "server", { rateBps: 20e6, delayNs: 9e6, ...link });
  return network;
}

/** Runs to the end with captures at `points`, and has tshark analyse them. */
export async function analysedRun(simulation: Simulation, points: readonly [string, string][]): Promise<Point[]> {
  const watched = points.map(([node, other]) => {
    const chunks: Uint8Array[] = [];
    const capture = simulation.capture({ node, interface: other }, (bytes) => chunks.push(bytes));
    return { node, other, chunks, capture, passed: [] as Passed[] };
  });
  const ends = new Map<string, number>();
  const again = new Map<number, boolean>();
  const { packets, addresses } = simulation;
  const see = (p: number, outbound: boolean): Passed => {
    const words = packets.rows.words;
    const o = p * STRIDE;
    const flags = words[o + CONTROL] & 0xff;
    const ports = words[o + PORTS];
    const source = `${addresses.toText(words[o + SRC])}.${ports >>> 16}`;
    return {
      flow: `${source} > ${addresses.toText(words[o + DST])}.${ports & 0xffff}`,
      seq: words[o + SEQ] >>> 0,
      taken: words[o + LENGTH] + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0),
      ack: words[o + ACK] >>> 0,
      flags,
      window: words[o + WINDOW_TTL_TOS] >>> 16,
      outbound,
      again: again.get(p) ?? false,
    };
  };
  simulation.onSend((p, _timeNs, from, to) => {
    if (from !== "r1") {
      // A host sends it: this is the only place where it is known what is new. (The row stays the packet's to its end.)
      const { flow, seq, taken } = see(p, true);
      again.set(p, isBelow(ends, flow, seq, taken));
    }
    for (const one of watched) if (one.node === from && one.other === to) one.passed.push(see(p, true));
  });
  simulation.onDelivery((p, _timeNs, from, to) => {
    for (const one of watched) if (one.node === to && one.other === from) one.passed.push(see(p, false));
  });
  simulation.run();
  const found: Point[] = [];
  for (const { node, other, chunks, capture, passed } of watched) {
    capture.close();
    const name = `${node}:${other}`;
    const analysed = await analyse(chunks);
    assertEquals(analysed.map((one) => Number(one["tcp.seq_raw"])), passed.map((one) => one.seq), `packets at ${name}`);
    found.push({ name, passed, analysed });
  }
  return found;
}

/** Does it begin below what has passed of this flow? Takes it into account. RSTs take no numbers. */
export function isBelow(ends: Map<string, number>, flow: string, seq: number, taken: number): boolean {
  if (taken === 0) return false;
  const end = (seq + taken) >>> 0;
  const highest = ends.get(flow);
  if (highest === undefined || ((end - highest) | 0) > 0) ends.set(flow, end);
  return highest !== undefined && ((seq - highest) | 0) < 0;
}

/** Is it a pure acknowledgement, neither SYN nor FIN nor RST? */
export function isPureAck(one: Passed): boolean {
  return one.taken === 0 && (one.flags & (SYN | FIN | RST)) === 0;
}

async function analyse(chunks: Uint8Array[]): Promise<Analysed[]> {
  const file = await new Blob(chunks as BlobPart[]).bytes();
  const path = Deno.makeTempFileSync({ suffix: ".pcapng" });
  try {
    Deno.writeFileSync(path, file);
    const checks = ["ip", "tcp", "udp"].flatMap((name) => ["-o", `${name}.check_checksum:TRUE`]);
    const args = ["-n", "-2", "-r", path, ...checks, "-T", "fields", "-E", "separator=|", "-E", "occurrence=f"];
    const printed = await runOn("tshark", [...args, ...FIELDS.flatMap((field) => ["-e", field])], new Uint8Array());
    return printed.trimEnd().split("\n").map((line) => {
      const values = line.split("|");
      return Object.fromEntries(FIELDS.map((field, i) => [field.replace("tcp.analysis.", ""), values[i]]));
    });
  } finally {
    Deno.removeSync(path);
  }
}
