/**
 * What a `TcpStack` is made of and holds, for those who make one.
 *
 * @module
 */
import type { AddressTable } from "../base/address.ts";
import type { ByteRing } from "../store/ring.ts";
import type { HostTable } from "../transport/hosts.ts";
import type { ProfileTable } from "../transport/profile.ts";
import type { PacketPool } from "../wire/packet.ts";

/** Real bytes of a connection, both ways; a ring is there once it was needed. */
export interface Stream {
  /** Bytes to send; `send.end` is the stream position of `SND_END`. */
  send: ByteRing | null;
  /** Bytes received in order; `receive.end` is the stream position of the end of in-order data. */
  receive: ByteRing | null;
}

/** Options of `TcpStack`. */
export interface TcpStackOptions {
  /** The packets of the partition. */
  packets: PacketPool;
  /** The addresses of the partition. */
  addresses: AddressTable;
  /** The hosts of the partition. */
  hosts: HostTable;
  /** What hosts share. */
  profiles: ProfileTable;
  /** Seed of the run: initial sequence numbers follow from it and the hosts' names. */
  seed: number;
  /** Connections to reserve rows for. Default 1,024. */
  connectionCapacity?: number;
  /** Tuples to reserve room for: of connections and of what is left of them. Default as `connectionCapacity`. */
  tupleCapacity?: number;
  /** The driver's clock. Default one of its own, to be set with `setNow`. */
  clock?: Float64Array;
}
