import { AddressTable } from "../../../src/base/address.ts";
import type { SeenPacket } from "../../../src/network/packet_filter.ts";
import { CONTROL, PACKET, PacketPool, PROTOCOL, TCP_FLAG } from "../../../src/wire/packet.ts";

const packets = new PacketPool();
const addresses = new AddressTable();

/** A SYN from client 10.0.0.2.32768 (on its way to r1) to 192.0.2.1.443, or what `changes` make of it. */
export function seenPacket(
  changes: {
    src?: string;
    dst?: string;
    srcPort?: number;
    dstPort?: number;
    protocol?: number;
    flags?: number;
    length?: number;
    timeNs?: number;
    from?: string;
    to?: string;
  } = {},
): SeenPacket {
  const p = packets.allocate();
  const words = packets.rows.words;
  const at = p * PACKET.STRIDE;
  words[at + PACKET.SRC] = addresses.intern(changes.src ?? "10.0.0.2");
  words[at + PACKET.DST] = addresses.intern(changes.dst ?? "192.0.2.1");
  words[at + PACKET.PORTS] = ((changes.srcPort ?? 32768) << 16) | (changes.dstPort ?? 443);
  words[at + PACKET.SEQ] = 1000;
  words[at + PACKET.CONTROL] = ((changes.protocol ?? PROTOCOL.TCP) << CONTROL.PROTOCOL_SHIFT) |
    (changes.flags ?? TCP_FLAG.SYN);
  words[at + PACKET.WINDOW_TTL_TOS] = (64240 << 16) | (64 << 8);
  words[at + PACKET.LENGTH] = changes.length ?? 0;
  return {
    packets,
    addresses,
    p,
    timeNs: changes.timeNs ?? 10_000_000,
    from: changes.from ?? "client",
    to: changes.to ?? "r1",
  };
}
