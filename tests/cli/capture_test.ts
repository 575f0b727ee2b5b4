import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { captureName, Captures } from "../../src/cli/capture.ts";
import { parseFilter } from "../../src/cli/filter.ts";
import { PCAP_NANOSECOND_MAGIC } from "../../src/wire/pcap.ts";
import { seenPacket } from "./sample_packet.ts";
import { inDirectory } from "./spawn.ts";

const names = (directory: string) => [...Deno.readDirSync(directory)].map((entry) => entry.name).toSorted();

Deno.test("each node that sees packets has a file, complete when committed", () =>
  inDirectory((directory) => {
    const captures = new Captures(`${directory}/made/here`);
    captures.sent(seenPacket({ timeNs: 1_000_000_007, from: "clients[3]" }));
    captures.received(seenPacket({ timeNs: 1_500_000_000, to: "r1" }));
    captures.received(seenPacket({ timeNs: 1_600_000_000, to: "r1" }));
    captures.commit();
    assertEquals(names(`${directory}/made/here`), ["clients.3.pcap", "r1.pcap"]);
    const bytes = Deno.readFileSync(`${directory}/made/here/clients.3.pcap`);
    const view = new DataView(bytes.buffer);
    assertEquals(view.getUint32(0, true), PCAP_NANOSECOND_MAGIC);
    assertEquals([view.getUint32(24, true), view.getUint32(28, true)], [1, 7]);
    assertEquals([view.getUint32(32, true), view.getUint32(36, true)], [40, 40]);
    assertEquals(bytes.length, 24 + 16 + 40);
    assertEquals(Deno.statSync(`${directory}/made/here/r1.pcap`).size, 24 + 2 * 56);
  }));

Deno.test("a filter narrows what is written", () =>
  inDirectory((directory) => {
    const captures = new Captures(directory, parseFilter("port 80"));
    captures.received(seenPacket());
    captures.received(seenPacket({ dstPort: 80, to: "web" }));
    captures.commit();
    assertEquals(names(directory), ["web.pcap"]);
  }));

Deno.test("discarded captures leave nothing behind", () =>
  inDirectory((directory) => {
    const captures = new Captures(directory);
    captures.received(seenPacket());
    captures.discard();
    assertEquals(names(directory), []);
  }));

Deno.test("names of files hold no characters that file systems dislike", () => {
  assertEquals(captureName("clients[12]"), "clients.12.pcap");
  assertEquals(captureName("a/b c"), "a_b_c.pcap");
  assertEquals(captureName("../x"), ".._x.pcap");
});

Deno.test("a file in the place of the directory is refused", () =>
  inDirectory((directory) => {
    Deno.writeTextFileSync(`${directory}/file`, "");
    const error = assertThrows(() => new Captures(`${directory}/file`), InputError);
    assertEquals(error.message, `--pcap: ${directory}/file is a file, not a directory.`);
  }));
