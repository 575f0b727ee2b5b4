import { assertEquals, assertMatch } from "@std/assert";
import { parseFilter } from "../../src/network/packet_filter.ts";
import { LineWriter } from "../../src/cli/output.ts";
import { packetLine, PacketPrinter } from "../../src/cli/packets.ts";
import { seenPacket } from "../network/support/sample_packet.ts";

Deno.test("a line is tcpdump's, with the two nodes of the link at its end", () => {
  assertMatch(
    packetLine(seenPacket()),
    /^0\.010000000 IP 10\.0\.0\.2\.32768 > 192\.0\.2\.1\.443: Flags \[S\], .*length 0 {2}\(client -> r1\)$/,
  );
});

Deno.test("the printer prints what passes its filter, and counts it", () => {
  let text = "";
  const writeSync = (bytes: Uint8Array) => {
    text += new TextDecoder().decode(bytes);
    return bytes.length;
  };
  const out = new LineWriter({ writeSync });
  const printer = new PacketPrinter(out, parseFilter("port 80"));
  printer.see(seenPacket());
  printer.see(seenPacket({ dstPort: 80 }));
  out.flush();
  assertEquals(printer.count, 1);
  assertMatch(text, /^[^\n]*192\.0\.2\.1\.80[^\n]*\n$/);
});
