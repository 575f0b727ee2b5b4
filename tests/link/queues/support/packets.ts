import { AddressTable } from "../../../../src/base/address.ts";
import { QueuePackets } from "../../../../src/link/queues/discipline.ts";
import { CONTROL, PACKET, PacketPool, PROTOCOL } from "../../../../src/wire/packet.ts";

/** What a packet is to be: IP packets of 1,500 bytes from port `flow`, ECN-capable or not. */
export interface PacketOptions {
  flow?: number;
  capable?: boolean;
  bytes?: number;
}

/** Packets for queues. */
export function packetWorld() {
  const packets = new PacketPool();
  const addresses = new AddressTable();
  const held = new QueuePackets(packets, addresses);
  const [source, destination] = [addresses.intern("10.0.0.1"), addresses.intern("10.0.0.2")];
  const packet = ({ flow = 1, capable = false, bytes = 1500 }: PacketOptions = {}) => {
    const p = packets.allocate();
    const { words } = packets.rows;
    const at = p * PACKET.STRIDE;
    words[at + PACKET.SRC] = source;
    words[at + PACKET.DST] = destination;
    words[at + PACKET.PORTS] = (flow << 16) | 443;
    words[at + PACKET.CONTROL] = PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT;
    words[at + PACKET.LENGTH] = bytes - 40;
    words[at + PACKET.WINDOW_TTL_TOS] = (64 << 8) | (capable ? 2 : 0);
    return p;
  };
  /** The port that the packet comes from. */
  const flowOf = (p: number) => packets.rows.words[p * PACKET.STRIDE + PACKET.PORTS] >>> 16;
  /** Are both ECN bits set? */
  const isMarked = (p: number) => (packets.rows.words[p * PACKET.STRIDE + PACKET.WINDOW_TTL_TOS] & 3) === 3;
  return { held, packet, flowOf, isMarked };
}
