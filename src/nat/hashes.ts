/**
 * The hashes of the lookups that gateways will make for many TCP packets at once, for who wants to touch the entries
 * ahead of time.
 *
 * @module
 */
import { PACKET } from "../wire/packet.ts";
import { MODE } from "./behaviour.ts";
import { NAT_PROTOCOL } from "./layout.ts";
import type { NatTables } from "./tables.ts";
import { hashTuple } from "../store/tuple_table.ts";

const { SRC, DST, PORTS, MASK, STRIDE } = PACKET;
const { TCP } = NAT_PROTOCOL;
