import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { CONTROL, PROTOCOL, TCP_FLAG } from "../../src/wire/packet.ts";
import { pcapHeader, pcapRecord } from "../../src/wire/pcap.ts";
import { encodePacket } from "../../src/wire/row_codec.ts";
import { formatPacket } from "../../src/wire/tcpdump.ts";
import { concatenate } from "../wire/support/capture_readers.ts";
import { anyRow, buildRow, type RowSpec, world } from "../wire/support/rows.ts";
import { interopTest, runOn } from "../wire/support/tools.ts";

const protocolOf = (control: number) => control >>> CONTROL.PROTOCOL_SHIFT;

/** The row, changed so that tcpdump looks for no application behind its ports and knows every code. */
function plain(spec: RowSpec): RowSpec {
  const protocol = protocolOf(spec.control);
  const hasPorts = protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP;
  return {
    ...spec,
    ports: hasPorts ? highPorts(spec.ports) : (spec.ports & 0xff030000) >>> 0,
    control: protocol === PROTOCOL.TCP ? spec.control & ~TCP_FLAG.AE : spec.control,
    quoted: spec.quoted && { ...spec.quoted, ports: highPorts(spec.quoted.ports) },
  };
}

function highPorts(ports: number): number {
  return ((50_001 + (ports >>> 16) % 5_000) << 16 | 50_001 + ports % 5_000) >>> 0;
}

/** Whether tcpdump prints as much of the row as `formatPacket` does. */
function isCommon({ source, destination, ports, quoted, control }: RowSpec): boolean {
  // glibc writes ::127.0.0.1 where RFC 5952 leaves it open and we write ::7f00:1.
  const addresses = [source, destination, quoted?.source, quoted?.destination];
  if (addresses.some((address) => address?.family === 6 && address.words.slice(0, 3).every((word) => word === 0))) {
    return false;
  }
  const protocol = protocolOf(control);
  if (protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP) return true;
  if (quoted === undefined) return [0, 8, 40, 128, 129].includes(ports >>> 24);
  return protocolOf(quoted.control) === PROTOCOL.TCP || protocolOf(quoted.control) === PROTOCOL.UDP;
}

interopTest("tcpdump", "tcpdump prints the lines that formatPacket prints", async () => {
  const w = world();
  const buffer = new Uint8Array(65_536);
  const chunks = [pcapHeader()];
  const lines: string[] = [];
  for (const spec of fc.sample(anyRow, { numRuns: 600, seed: 7 }).map(plain).filter(isCommon)) {
    const p = buildRow(w, spec);
    const timeNs = lines.length * 1_000_000_007;
    chunks.push(pcapRecord(timeNs, buffer.slice(0, encodePacket(w.pool, w.addresses, p, buffer))));
    lines.push(formatPacket(w.pool, w.addresses, p, timeNs));
  }
  const args = ["-Z", "root", "-n", "-S", "-tt", "--nano", "-r", "-"];
  const printed = await runOn("tcpdump", args, concatenate(chunks));
  // tcpdump 4.99 prints two spaces in ICMPv6 "destination unreachable,  unreachable prohibited".
  assertEquals(printed.trimEnd().split("\n").map((line) => line.replace(",  ", ", ")), lines);
});
