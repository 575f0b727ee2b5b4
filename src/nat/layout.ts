/**
 * Word offsets of the NAT's rows. An idle gateway is one 64-byte row; a session is a 32-byte hot row and a 16-byte
 * cold one; a mapping row exists only where several sessions may share an external endpoint.
 *
 * A *realm* word is `gateway << 2 | protocol index`: gateways reuse the same inner addresses, so it is part of every key.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";

/** Protocol indexes within the NAT: bits 0 and 1 of a realm word. ICMP's port is the query identifier (RFC 5508). */
export const NAT_PROTOCOL = { TCP: 0, UDP: 1, ICMP: 2 } as const;

/** Names of the protocol indexes. */
export const NAT_PROTOCOL_NAMES = ["tcp", "udp", "icmp"] as const;

/** A gateway. */
export const GATEWAY = {
  /** Profile << 16 | count of external addresses (1 to 65,535). */
  PROFILE_COUNT: 0,
  /** Stable place in the scenario's order. */
  RANK: 1,
  /** Id of the first external address; 0 if they are several ranges (`GatewayExtras.pool`). */
  EXTERNAL_FIRST: 2,
  /** Key of its substream of port draws. */
  KEY0: 3,
  KEY1: 4,
  /** Sessions ever opened (u32): the last one's serial, and the counter of the draws. */
  SERIAL: 5,
  /** Sessions now. */
  SESSIONS: 6,
  /** Most sessions at once. */
  SESSIONS_PEAK: 7,
  /** External ports (overloading: external tuples) in use, by protocol index: three words. */
  PORTS: 8,
  /** Most of them at once: three words. */
  PORTS_PEAK: 11,
  /** Index of its `GatewayExtras`, 0 for none yet. */
  EXTRAS: 14,
  /** The pool address (0-based) to be tried next for a new pairing or mapping. */
  CURSOR: 15,
  /** Words in a row. */
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

/** A session: the part that every packet touches. */
export const SESSION = {
  /** Realm word: gateway << 2 | protocol index. (Free rows: free list.) */
  REALM: 0,
  /** Internal address id. */
  INTERNAL: 1,
  /** External address id. */
  EXTERNAL: 2,
  /** Remote address id, as seen outside. */
  REMOTE: 3,
  /** Internal port << 16 | external port. */
  PORTS: 4,
  /** Remote port << 16 | `FROM_OUTSIDE` | `BOUND` | tracking bits (0 to 7). */
  REMOTE_PORT_STATE: 5,
  /** Tick (ms) at which it expires unless refreshed. */
  DEADLINE: 6,
  /** Tick of its one valid entry in the timer wheel; 0 marks a free row. */
  QUEUED_AT: 7,
  /** Words in a row. */
  STRIDE: 8,
  /** The bits of a row's offset. */
  MASK: rowMask(8),
} as const;

/** Bit of `SESSION.REMOTE_PORT_STATE`: the session belongs to a mapping row. */
export const BOUND = 1 << 8;

/** Bit of `SESSION.REMOTE_PORT_STATE`: the packet that opened it came from outside. */
export const FROM_OUTSIDE = 1 << 9;

/** Tracking bits of UDP and ICMP sessions, where TCP has its own. */
export const SEEN = {
  /** A packet from inside; from outside: the next bit. */
  INSIDE: 1,
  OUTSIDE: 2,
  /** One more after packets from both sides. */
  STREAM: 4,
} as const;

/** A session: the rest. Same row number, parallel array. */
export const SESSION_COLD = {
  /** Count of the gateway's sessions when it was opened (u32, from 1). */
  SERIAL: 0,
  /** Mapping row, 0 if the session is its own mapping. */
  MAPPING: 1,
  /** Subscriber row, 0 if the gateway does not keep any. */
  SUBSCRIBER: 2,
  /** NAT64: id of the remote address as seen inside, 0 until it is needed. */
  REMOTE_INSIDE: 3,
  /** Words in a row. */
  STRIDE: 4,
  /** The bits of a row's offset. */
  MASK: rowMask(4),
} as const;

/** A mapping that sessions share (RFC 4787 section 4.1). */
export const MAPPING = {
  /** Realm word. (Free rows: free list.) */
  REALM: 0,
  /** Internal address id. */
  INTERNAL: 1,
  /** External address id. */
  EXTERNAL: 2,
  /** Internal port << 16 | external port. */
  PORTS: 3,
  /** Remote address id it is for; 0 if endpoint-independent. */
  REMOTE: 4,
  /** Remote port << 16 (0 unless address-and-port-dependent) | flags. */
  REMOTE_PORT_FLAGS: 5,
  /** Sessions that use it. */
  SESSIONS: 6,
  /** Subscriber row, 0 for none. */
  SUBSCRIBER: 7,
  /** Words in a row. */
  STRIDE: 8,
  /** The bits of a row's offset. */
  MASK: rowMask(8),
} as const;

/** Flags of `MAPPING.REMOTE_PORT_FLAGS`. */
export const MAPPING_FLAG = {
  /** A port forward: never expires, accepts any remote endpoint. */
  STATIC: 1,
} as const;

/** An internal address at a gateway that has quotas, pairs addresses, shares ports out or logs; or that was refused. */
export const SUBSCRIBER = {
  /** Gateway. (Free rows: free list.) */
  GATEWAY: 0,
  /** Internal address id. */
  INTERNAL: 1,
  /** 1 + the pool address it is paired with; 0 for none. */
  PAIRED: 2,
  /** Sessions now. */
  SESSIONS: 3,
  /** External ports now. */
  PORTS: 4,
  /** Packets refused for it. */
  REFUSED: 5,
  /** Most sessions at once. */
  SESSIONS_PEAK: 6,
  /** Most external ports at once. */
  PORTS_PEAK: 7,
  /** Its oldest block, 0 for none. */
  BLOCK: 8,
  /** Blocks now. */
  BLOCKS: 9,
  /** Most blocks at once. */
  BLOCKS_PEAK: 10,
  /** Log records about it (u32). */
  LOG_RECORDS: 11,
  /** Tick at which its tokens were counted. */
  TOKENS_AT: 12,
  /** Row of its refusals by reason, 0 for none. */
  REFUSALS: 13,
  /** Sessions ever opened (u32). */
  OPENED: 14,
  /** Words in a row (one spare). */
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

/** A block of ports (port-block allocation; RFC 7422). */
export const BLOCK = {
  /** Gateway. (Free rows: free list.) */
  GATEWAY: 0,
  /** Its external address: place in the pool. */
  ADDRESS: 1,
  /** Its place among the blocks of its address. */
  NUMBER: 2,
  /** Subscriber row. */
  SUBSCRIBER: 3,
  /** The subscriber's next block, 0 for none. */
  NEXT: 4,
  /** Ports taken (in use or resting; overloading: sessions) by protocol index: three words. */
  TAKEN: 5,
  /** Place in the block that sequential assignment tries next. */
  CURSOR: 8,
  /** Count of the gateway's blocks when it was given (u32, from 1). */
  SERIAL: 9,
  /** Tick at which it was given. */
  SINCE: 10,
  /** Words in a row (one spare). */
  STRIDE: 12,
  /** The bits of a row's offset. */
  MASK: rowMask(12),
} as const;

/** A port that rests before another may have it (RFC 6888 REQ-8). */
export const HOLD = {
  /** Realm word. (Free rows: free list.) */
  REALM: 0,
  /** Internal address id that had it. */
  INTERNAL: 1,
  /** External address id. */
  EXTERNAL: 2,
  /** Internal port << 16 | external port. */
  PORTS: 3,
  /** Remote address id that its mapping was for, 0 for any. */
  REMOTE: 4,
  /** Remote port that its mapping was for, 0 for any. */
  REMOTE_PORT: 5,
  /** Tick at which its rest ends. */
  DEADLINE: 6,
  /** The gateway's next older one, 0 for none. */
  OLDER: 7,
  /** The gateway's next younger one, 0 for none. */
  YOUNGER: 8,
  /** Words in a row (three spare). */
  STRIDE: 12,
  /** The bits of a row's offset. */
  MASK: rowMask(12),
} as const;

/** An unsolicited SYN that will be answered (RFC 5382 REQ-4). */
export const HELD_SYN = {
  /** Realm word. (Free rows: free list.) */
  REALM: 0,
  /** Tick at which it is answered. */
  DEADLINE: 1,
  /** Count of the gateway's held SYNs when it came (u32, from 1; 0 marks a free row). */
  SERIAL: 2,
  /** The link direction that it came by. */
  LINK: 3,
  /** The first eight words of its packet row: all that an ICMP error quotes. */
  PACKET: 4,
  /** Words in a row (four spare). */
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

/**
 * External ports of one address and protocol; with overloading also those towards one crowded destination, and (external
 * address 0) which addresses of the pool are full towards one.
 */
export const SPACE = {
  /** Realm word. (Free rows: free list.) */
  REALM: 0,
  /** External address id. */
  EXTERNAL: 1,
  /** Remote address id of a crowded destination, else 0. */
  REMOTE: 2,
  /** Remote port of a crowded destination, else 0. */
  REMOTE_PORT: 3,
  /** Ports in use (overloading: sessions, if not of a crowded destination). */
  USED: 4,
  /** Its `PortBitmap`'s index, 0 for none: made when a search meets a crowd. */
  BITMAP: 5,
  /** Offset of the port that sequential assignment tries next. */
  CURSOR: 6,
  /** Words in a row (one spare). */
  STRIDE: 8,
  /** The bits of a row's offset. */
  MASK: rowMask(8),
} as const;

/** Leave for a remote address to reach a mapping (endpoint-independent mapping, address-dependent filtering). */
export const PERMISSION = {
  /** Mapping row. (Free rows: free list.) */
  MAPPING: 0,
  /** Remote address id. */
  REMOTE: 1,
  /** Sessions that give it. */
  COUNT: 2,
  /** Words in a row. */
  STRIDE: 4,
  /** The bits of a row's offset. */
  MASK: rowMask(4),
} as const;
