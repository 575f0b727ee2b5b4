/**
 * The bytes that a datagram carries.
 *
 * @module
 */
import { fillVirtual } from "../wire/payload.ts";
import { CONTROL, EXTRA, PACKET, type PacketPool } from "../wire/packet.ts";

/** A copy of a datagram's payload. */
export function payloadOf(packets: PacketPool, packet: number): Uint8Array {
  const words = packets.rows.words;
  const at = packet * PACKET.STRIDE;
  const length = words[at + PACKET.LENGTH];
  if ((words[at + PACKET.CONTROL] & CONTROL.REAL_PAYLOAD) !== 0) {
    const extra = words[at + PACKET.EXTRA] * EXTRA.STRIDE;
    return packets.payloads.get(packets.extras.words[extra + EXTRA.PAYLOAD]).slice(0, length);
  }
  const bytes = new Uint8Array(length);
  fillVirtual(bytes, 0, length, 0);
  return bytes;
}
