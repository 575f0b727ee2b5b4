import { assertEquals } from "@std/assert";
import { Flow } from "../../src/packetdrill/flow.ts";
import { TCP_FLAG } from "../../src/wire/packet.ts";
import type { TcpHeader } from "../../src/wire/tcp.ts";

function header(changes: Partial<TcpHeader>): TcpHeader {
  return {
    sourcePort: 8080,
    destinationPort: 50001,
    sequence: 0,
    acknowledgement: 0,
    reserved: 0,
    flags: TCP_FLAG.ACK,
    window: 0,
    checksum: 0,
    urgent: 0,
    options: [],
    ...changes,
  };
}

function flow(): Flow {
  const one = new Flow(3);
  one.localIsn = 0xfffffff0;
  one.scriptIsn = 500;
  one.remoteIsn = 7000;
  return one;
}

Deno.test("numbers of segments with SYN are absolute, those of others relative to the first SYN", () => {
  const synAck = flow().toScript(
    header({ flags: TCP_FLAG.SYN | TCP_FLAG.ACK, sequence: 0xfffffff0, acknowledgement: 7001 }),
  );
  assertEquals([synAck.sequence, synAck.acknowledgement], [500, 7001]);
  const data = flow().toScript(header({ sequence: 0xfffffff1, acknowledgement: 7101 }));
  assertEquals([data.sequence, data.acknowledgement], [1, 101]);
});

Deno.test("numbers wrap, and SACK blocks are moved with them", () => {
  const sack = header({
    sequence: 1,
    acknowledgement: 17,
    options: [{ kind: "sack", blocks: [{ left: 20, right: 30 }] }],
  });
  const wire = flow().toWire(sack);
  assertEquals([wire.sequence, wire.acknowledgement], [7001, 1]);
  assertEquals(wire.options, [{ kind: "sack", blocks: [{ left: 4, right: 14 }] }]);
});

Deno.test("the way to the wire and back changes nothing", () => {
  const one = flow();
  const there = header({
    sequence: 11,
    acknowledgement: 42,
    options: [{ kind: "sack", blocks: [{ left: 50, right: 60 }] }],
  });
  const back = one.toScript({ ...one.toWire(there), sequence: 0, acknowledgement: 0, options: [] });
  assertEquals(back.sequence, (0 - 0xfffffff0) >>> 0);
  assertEquals(back.acknowledgement, (0 - 7000) >>> 0);
});

Deno.test("timestamps: the first pair is the base, echoes go back by the pairs that were seen", () => {
  const one = flow();
  assertEquals(one.learnTimestamp(100, 900_000), 100);
  assertEquals(one.learnTimestamp(150, 900_049), 149);
  assertEquals(one.echoFor(150, false), 900_049);
  assertEquals(one.echoFor(120, false), undefined);
  assertEquals(one.echoFor(120, true), 900_020);
});

Deno.test("a SYN that is expected tells the local port; other packets are of the connection by their ports", () => {
  const one = new Flow(3);
  const segment = (tcp: TcpHeader) => ({
    timeNs: 0,
    tcp,
    length: 0,
    headerBytes: 20,
    trafficClass: 0,
    ttl: 64,
    flowLabel: 0,
  });
  const syn = segment(header({ flags: TCP_FLAG.SYN, sourcePort: 40000, destinationPort: 8080, sequence: 9 }));
  assertEquals(one.takes(syn, 8080), false);
  one.state = "syn-sent";
  assertEquals(one.takes(syn, 8080), true);
  assertEquals([one.localPort, one.remotePort, one.localIsn], [40000, 8080, 9]);
  assertEquals(one.takes(segment(header({ sourcePort: 40000, destinationPort: 8080 })), 8080), true);
  assertEquals(one.takes(segment(header({ sourcePort: 40001, destinationPort: 8080 })), 8080), false);
});
