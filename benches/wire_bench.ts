/**
 * What the wire codec costs: checksums, packet rows to bytes and back.
 *
 * @module
 */
import { AddressTable } from "../src/base/address.ts";
import { internetChecksum, updateChecksum32 } from "../src/wire/checksum.ts";
import { CONTROL, PACKET, PacketPool, PROTOCOL, TCP_FLAG } from "../src/wire/packet.ts";
import { decodePacket, encodePacket } from "../src/wire/row_codec.ts";
import type { Task } from "./bench.ts";

const OPERATIONS = 1000;

/** A segment with timestamps and so much virtual payload. */
function segment(bytes: number, ipv6: boolean) {
  const pool = new PacketPool();
  const addresses = new AddressTable();
  const p = pool.allocate();
  const { words } = pool.rows;
  const at = p * PACKET.STRIDE;
  words[at + PACKET.SRC] = addresses.intern(ipv6 ? "2001:db8::1" : "192.0.2.1");
  words[at + PACKET.DST] = addresses.intern(ipv6 ? "2001:db8::2" : "192.0.2.2");
  words[at + PACKET.PORTS] = (40_000 << 16) | 443;
  words[at + PACKET.CONTROL] = (PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT) | TCP_FLAG.ACK | CONTROL.HAS_TIMESTAMPS |
    CONTROL.DONT_FRAGMENT;
  words[at + PACKET.WINDOW_TTL_TOS] = (502 << 16) | (64 << 8);
  words[at + PACKET.LENGTH] = bytes;
  return { pool, addresses, p, wire: new Uint8Array(2048) };
}

function encoding(bytes: number, ipv6 = false): Task {
  return {
    name: `wire codec: encode a segment of ${bytes} B over IPv${ipv6 ? 6 : 4}`,
    operations: OPERATIONS,
    prepare() {
      const { pool, addresses, p, wire } = segment(bytes, ipv6);
      return () => {
        for (let i = 0; i < OPERATIONS; i++) encodePacket(pool, addresses, p, wire);
      };
    },
  };
}

function decoding(bytes: number, ipv6 = false): Task {
  return {
    name: `wire codec: decode a segment of ${bytes} B over IPv${ipv6 ? 6 : 4}`,
    operations: OPERATIONS,
    prepare() {
      const { pool, addresses, p, wire } = segment(bytes, ipv6);
      const packet = wire.subarray(0, encodePacket(pool, addresses, p, wire));
      return () => {
        for (let i = 0; i < OPERATIONS; i++) {
          const row = decodePacket(pool, addresses, packet);
          if (typeof row !== "number") throw new Error(row.message);
          pool.release(row);
        }
      };
    },
  };
}

/** The tasks. */
export function wireBenches(): Task[] {
  let sink = 0;
  return [
    ...[40, 1500].map((bytes): Task => ({
      name: `checksum: ${bytes} B`,
      operations: OPERATIONS,
      prepare() {
        const data = Uint8Array.from({ length: bytes }, (_, i) => i * 7);
        return () => {
          for (let i = 0; i < OPERATIONS; i++) sink ^= internetChecksum(data);
        };
      },
    })),
    {
      name: "checksum: update for one changed address (RFC 1624)",
      operations: OPERATIONS,
      prepare: () => () => {
        for (let i = 0; i < OPERATIONS; i++) sink = updateChecksum32(sink, 0x0a000001 + i, 0xcb007101);
      },
    },
    encoding(0),
    encoding(1448),
    encoding(1428, true),
    decoding(0),
    decoding(1448),
    decoding(1428, true),
  ];
}
