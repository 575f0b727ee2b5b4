import { assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { parseAddress } from "../../src/base/address.ts";
import { CONTROL, EXTRA, PACKET, PROTOCOL, TCP_FLAG } from "../../src/wire/packet.ts";
import { formatPacket } from "../../src/wire/tcpdump.ts";
import { anyRow, buildRow, type RowSpec, SYN_ROW, world } from "./support/rows.ts";

const TCP = PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT;
const { HAS_MSS, HAS_SACK, HAS_SACK_PERMITTED, HAS_TIMESTAMPS, HAS_WINDOW_SCALE } = CONTROL;

const BASE: RowSpec = { ...SYN_ROW, control: TCP };
const SIX = { source: parseAddress("2001:db8::2"), destination: parseAddress("2001:db8:1::80") };

/** The line of a packet, without its time. */
function line(spec: Partial<RowSpec>): string {
  const w = world();
  return formatPacket(w.pool, w.addresses, buildRow(w, { ...BASE, ...spec }), 0, { time: false });
}

Deno.test("a SYN is printed as tcpdump prints it", () => {
  const w = world();
  const control = TCP | TCP_FLAG.SYN | HAS_MSS | HAS_SACK_PERMITTED | HAS_TIMESTAMPS | HAS_WINDOW_SCALE;
  const p = buildRow(w, { ...BASE, control });
  assertEquals(
    formatPacket(w.pool, w.addresses, p, 1_234_567_890),
    "1.234567890 IP 10.0.0.2.32768 > 192.0.2.1.443: Flags [S], seq 123, win 64240, " +
      "options [mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7], length 0",
  );
});

Deno.test("times keep nine decimals up to 104 days", () => {
  const w = world();
  const p = buildRow(w, BASE);
  assertEquals(formatPacket(w.pool, w.addresses, p, 0).split(" ")[0], "0.000000000");
  assertEquals(formatPacket(w.pool, w.addresses, p, 9_007_199_254_740_991).split(" ")[0], "9007199.254740991");
});

Deno.test("sequence numbers are absolute and unsigned, with a range where there is data", () => {
  const control = TCP | TCP_FLAG.PSH | TCP_FLAG.ACK;
  assertEquals(
    line({ control, sequence: 0xffffff00, acknowledgement: 0x80000000, length: 512, ...SIX }),
    "IP6 2001:db8::2.32768 > 2001:db8:1::80.443: Flags [P.], seq 4294967040:256, ack 2147483648, win 64240, length 512",
  );
});

Deno.test("a bare ACK has no sequence number, a FIN and a reset have", () => {
  const start = "IP 10.0.0.2.32768 > 192.0.2.1.443: ";
  assertEquals(line({ control: TCP | TCP_FLAG.ACK }), `${start}Flags [.], ack 0, win 64240, length 0`);
  assertEquals(
    line({ control: TCP | TCP_FLAG.FIN | TCP_FLAG.ACK }),
    `${start}Flags [F.], seq 123, ack 0, win 64240, length 0`,
  );
  assertEquals(line({ control: TCP | TCP_FLAG.RST, window: 0 }), `${start}Flags [R], seq 123, win 0, length 0`);
  assertEquals(line({}), `${start}Flags [none], win 64240, length 0`);
  assertStringIncludes(
    line({ control: TCP | 0x1ff, urgent: 9 }),
    "Flags [FSRP.UEWe], seq 123, ack 0, win 64240, urg 9,",
  );
});

Deno.test("SACK blocks are printed as they go onto the wire", () => {
  const control = TCP | TCP_FLAG.ACK | HAS_SACK | HAS_TIMESTAMPS;
  assertStringIncludes(
    line({ control, sack: [1, 2, 3, 0xffffffff] }),
    "options [nop,nop,TS val 1 ecr 0,nop,nop,sack 2 {1:2}{3:4294967295}], length 0",
  );
  assertStringIncludes(line({ control: TCP | HAS_SACK_PERMITTED }), "options [nop,nop,sackOK], length 0");
});

Deno.test("UDP and echo are printed with their lengths", () => {
  assertEquals(
    line({ control: PROTOCOL.UDP << CONTROL.PROTOCOL_SHIFT, length: 100 }),
    "IP 10.0.0.2.32768 > 192.0.2.1.443: UDP, length 100",
  );
  const icmp = { control: PROTOCOL.ICMP << CONTROL.PROTOCOL_SHIFT, sequence: 7 << 16 | 3, length: 56 };
  assertEquals(line({ ...icmp, ports: 8 << 24 }), "IP 10.0.0.2 > 192.0.2.1: ICMP echo request, id 7, seq 3, length 64");
  assertEquals(line({ ...icmp, ports: 0 }), "IP 10.0.0.2 > 192.0.2.1: ICMP echo reply, id 7, seq 3, length 64");
  assertEquals(
    line({ ...icmp, ...SIX, ports: 128 << 24, control: PROTOCOL.ICMPV6 << CONTROL.PROTOCOL_SHIFT }),
    "IP6 2001:db8::2 > 2001:db8:1::80: ICMP6, echo request, id 7, seq 3, length 64",
  );
});

/** An ICMP error about a packet from port 5000 of `BASE.destination` to port 53 of 198.51.100.7. */
function error(type: number, code: number, sequence = 0, protocol: number = PROTOCOL.UDP): string {
  const text = line({
    control: PROTOCOL.ICMP << CONTROL.PROTOCOL_SHIFT | CONTROL.QUOTES,
    ports: type << 24 | code << 16,
    sequence,
    length: 28,
    quoted: {
      source: BASE.destination,
      destination: parseAddress("198.51.100.7"),
      ports: 5000 << 16 | 53,
      sequence: 0,
      control: protocol << CONTROL.PROTOCOL_SHIFT,
      length: 10,
      windowTtlTos: 0,
    },
  });
  return text.replace("IP 10.0.0.2 > 192.0.2.1: ICMP ", "").replace(", length 36", "");
}

Deno.test("ICMP errors name what they quote", () => {
  assertEquals(error(3, 0), "net 198.51.100.7 unreachable");
  assertEquals(error(3, 1), "host 198.51.100.7 unreachable");
  assertEquals(error(3, 2), "198.51.100.7 protocol 17 unreachable");
  assertEquals(error(3, 3), "198.51.100.7 udp port 53 unreachable");
  assertEquals(error(3, 3, 0, PROTOCOL.TCP), "198.51.100.7 tcp port 53 unreachable");
  assertEquals(error(3, 4, 1400), "198.51.100.7 unreachable - need to frag (mtu 1400)");
  assertEquals(error(3, 13), "host 198.51.100.7 unreachable - admin prohibited filter");
  assertEquals(error(3, 99), "198.51.100.7 unreachable - #99");
  assertEquals(error(4, 0), "source quench");
  assertEquals(error(5, 1, 0x0a000001), "redirect 198.51.100.7 to host 10.0.0.1");
  assertEquals(error(11, 0), "time exceeded in-transit");
  assertEquals(error(12, 0, 0x14000000), "parameter problem - octet 20");
});

Deno.test("ICMPv6 errors name what they quote", () => {
  const text = (type: number, code: number, sequence = 0) =>
    line({
      ...SIX,
      control: PROTOCOL.ICMPV6 << CONTROL.PROTOCOL_SHIFT | CONTROL.QUOTES,
      ports: type << 24 | code << 16,
      sequence,
      length: 48,
      quoted: {
        source: SIX.destination,
        destination: parseAddress("2001:db8::7"),
        ports: 5000 << 16 | 53,
        sequence: 0,
        control: PROTOCOL.UDP << CONTROL.PROTOCOL_SHIFT,
        length: 10,
        windowTtlTos: 0,
      },
    }).replace("IP6 2001:db8::2 > 2001:db8:1::80: ICMP6, ", "");
  assertEquals(text(2, 0, 1280), "packet too big, mtu 1280, length 56");
  assertEquals(text(1, 4), "destination unreachable, unreachable port, 2001:db8::7 udp port 53, length 56");
  assertEquals(text(1, 0), "destination unreachable, unreachable route 2001:db8::7, length 56");
  assertEquals(text(3, 0), "time exceeded in-transit for 2001:db8::7, length 56");
  assertEquals(text(3, 1), "time exceeded in-transit (reassembly), length 56");
  assertEquals(text(4, 1, 40), "parameter problem, next header - octet 40, length 56");
});

Deno.test("verbose lines add the IP header, corrupted packets the flipped bit", () => {
  const w = world();
  const p = buildRow(w, { ...BASE, control: TCP | TCP_FLAG.ACK | CONTROL.DONT_FRAGMENT, trafficClass: 3, length: 5 });
  w.pool.rows.words[p * PACKET.STRIDE + PACKET.CORRUPT] = 322;
  assertEquals(
    formatPacket(w.pool, w.addresses, p, 0, { time: false, verbose: true }),
    "IP (tos 0x3, ttl 64, flags [DF], length 45) 10.0.0.2.32768 > 192.0.2.1.443: " +
      "Flags [.], seq 123:128, ack 0, win 64240, length 5 [bit 321 flipped]",
  );
});

Deno.test("any row has a line", () => {
  fc.assert(fc.property(anyRow, (spec) => {
    const text = line(spec);
    assertStringIncludes(text, " > ");
    assertEquals(text.includes("\n"), false);
    assertEquals(/undefined|NaN/.test(text), false);
  }));
});

Deno.test("Fast Open's option is printed as tcpdump prints it, in both formats", () => {
  const w = world();
  const text = (option: number, words: number[]) => {
    const p = buildRow(w, { ...BASE, control: TCP | TCP_FLAG.SYN | HAS_MSS | CONTROL.HAS_FAST_OPEN });
    const e = w.pool.extraOf(p) * EXTRA.STRIDE;
    w.pool.extras.words[e + EXTRA.FAST_OPEN] = option;
    words.forEach((word, i) => w.pool.extras.words[e + EXTRA.FAST_OPEN_COOKIE + i] = word);
    return formatPacket(w.pool, w.addresses, p, 0, { time: false }).replace(/.*options /, "");
  };
  assertEquals(text(0, []), "[mss 1460,tfo cookiereq,nop,nop], length 0");
  assertEquals(text(0x100, []), "[mss 1460,exp-tfo cookiereq], length 0");
  assertEquals(text(0x106, [0x09090909, 0]), "[mss 1460,exp-tfo cookie 090909090000,nop,nop], length 0");
  assertEquals(text(6, [0x01020304, 0x05060000]), "[mss 1460,tfo cookie 010203040506], length 0");
});
