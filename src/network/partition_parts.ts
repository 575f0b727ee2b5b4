/**
 * What a partition is made of.
 *
 * @module
 */
import type { AddressTable } from "../base/address_table.ts";
import type { Links } from "../link/links.ts";
import type { NatTables } from "../nat/tables.ts";
import type { Nodes } from "../node/nodes.ts";
import type { RouteTables } from "../node/routes.ts";
import type { TcpStack } from "../tcp/stack.ts";
import type { HostTable } from "../transport/hosts.ts";
import type { ProfileTable } from "../transport/profile.ts";
import type { PacketPool } from "../wire/packet.ts";

/** Parts that the builder makes. */
export interface PartitionParts {
  clock: Float64Array;
  packets: PacketPool;
  addresses: AddressTable;
  nodes: Nodes;
  links: Links;
  hosts: HostTable;
  profiles: ProfileTable;
  tcp: TcpStack;
  nat: NatTables;
  routes: RouteTables;
  /** Seed of the run. */
  seed: number;
  /** Events that the queue has room for from the beginning: lists that are never replaced are constants for V8. */
  queueCapacity: number;
}
