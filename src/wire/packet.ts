/**
 * A packet in flight: one 64-byte row, and a second row only for what few packets have (SACK blocks, an urgent
 * pointer, real payload bytes, the inside of an ICMP error). Payload is counted, not carried (DESIGN section 3).
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import type { StateVisitor } from "../base/state.ts";
import { RowPool } from "../store/rows.ts";

/**
 * Word offsets of a packet row. Hot files take them apart at the top (`const { SEQ, ACK } = PACKET;`): a local
 * constant folds into machine code, an imported binding is loaded on every use (measured: 3 times slower).
 */
export const PACKET = {
  /** Source address id. */
  SRC: 0,
  /** Destination address id. */
  DST: 1,
  /** Source port << 16 | destination port. ICMP: type << 24 | code << 16. */
  PORTS: 2,
  /** TCP sequence number. ICMP: the rest of the header (echo id << 16 | sequence; next-hop MTU; pointer). */
  SEQ: 3,
  /** TCP acknowledgement number. */
  ACK: 4,
  /** TCP flags (bits 0 to 8), `CONTROL` bits (9 to 23), IP protocol number (bits 24 to 31). */
  CONTROL: 5,
  /** Window as on the wire << 16 | TTL or hop limit << 8 | traffic class (DSCP and ECN). */
  WINDOW_TTL_TOS: 6,
  /** Payload bytes (TCP, UDP data; ICMP echo data; for an ICMP error the bytes of the quoted packet). */
  LENGTH: 7,
  /** Timestamp value, if `HAS_TIMESTAMPS`. */
  TS_VAL: 8,
  /** Timestamp echo reply, if `HAS_TIMESTAMPS`. */
  TS_ECR: 9,
  /** MSS (bits 0 to 15, if `HAS_MSS`) and window scale shift (bits 16 to 23, if `HAS_WINDOW_SCALE`). */
  SYN_OPTIONS: 10,
  /** The link direction being crossed. In an outbox: the node that sends it. */
  LINK: 11,
  /** The link direction's own count of packets: this packet's place in the total order. */
  LINK_SEQ: 12,
  /** Hash of the lookup that the next node will make. */
  HASH: 13,
  /** Row in `PacketPool.extras`, 0 for none. */
  EXTRA: 14,
  /** 1 + the position of a flipped bit, counted from the first bit of the IP header; 0 for none. */
  CORRUPT: 15,
  /** Words in a row. */
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

/** TCP header flags as they stand in `PACKET.CONTROL` (RFC 9293 3.1; AE: RFC 9768). */
export const TCP_FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32, ECE: 64, CWR: 128, AE: 256 } as const;

/** The other bits of `PACKET.CONTROL`. */
export const CONTROL = {
  /** Mask of the TCP flags. */
  FLAGS_MASK: 0x1ff,
  /** The timestamps option is present. */
  HAS_TIMESTAMPS: 1 << 12,
  /** The MSS option is present. */
  HAS_MSS: 1 << 13,
  /** The window scale option is present. */
  HAS_WINDOW_SCALE: 1 << 14,
  /** The SACK-permitted option is present. */
  HAS_SACK_PERMITTED: 1 << 15,
  /** SACK blocks are in the extra row. */
  HAS_SACK: 1 << 16,
  /** Payload bytes are real and stand in `PacketPool.payloads`; otherwise they are `virtualByte`s. */
  REAL_PAYLOAD: 1 << 17,
  /** IPv4's don't-fragment flag. */
  DONT_FRAGMENT: 1 << 18,
  /** An ICMP error that quotes a packet, in the extra row. */
  QUOTES: 1 << 19,
  /** A Fast Open option (RFC 7413) is in the extra row. */
  HAS_FAST_OPEN: 1 << 20,
  /** On its way to another node than its destination: to `EXTRA.NEXT_HOP`. */
  STEERED: 1 << 21,
  /** Where the protocol number begins. */
  PROTOCOL_SHIFT: 24,
} as const;

/** IP protocol numbers that fourtuple knows. */
export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58 } as const;

/** Word offsets of an extra row. */
export const EXTRA = {
  /** (Free list.) */
  NEXT: 0,
  /** Handle of real payload bytes in `PacketPool.payloads`, 0 for none. */
  PAYLOAD: 1,
  /** Urgent pointer. */
  URGENT: 2,
  /** Count of SACK blocks, 0 to 4. */
  SACK_COUNT: 3,
  /** SACK blocks: left edge, right edge, four times. */
  SACK: 4,
  /**
   * Fast Open (never beside SACK blocks, which a SYN has not): bytes of the cookie, 0 to 16 (0: a request), with 0x100
   * for the experimental option (kind 254); and the cookie, as the words of the wire.
   */
  FAST_OPEN: 3,
  FAST_OPEN_COOKIE: 4,
  /** Quoted packet of an ICMP error: its addresses, ports, sequence number, CONTROL word and payload length. */
  QUOTED_SRC: 4,
  QUOTED_DST: 5,
  QUOTED_PORTS: 6,
  QUOTED_SEQ: 7,
  QUOTED_CONTROL: 8,
  QUOTED_LENGTH: 9,
  /** Window, TTL and traffic class of the quoted packet. */
  QUOTED_WINDOW_TTL_TOS: 10,
  /** Address that a `STEERED` packet is taken to (a frame's destination, as it were). */
  NEXT_HOP: 12,
  /** Words in a row. */
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

const { EXTRA: EXTRA_AT, CONTROL: CONTROL_AT, LENGTH, MASK, STRIDE } = PACKET;
const { PAYLOAD, SACK_COUNT, FAST_OPEN, STRIDE: EXTRA_STRIDE } = EXTRA;
const { HAS_TIMESTAMPS, HAS_MSS, HAS_WINDOW_SCALE, HAS_SACK_PERMITTED, HAS_SACK, HAS_FAST_OPEN, PROTOCOL_SHIFT } =
  CONTROL;
const { TCP } = PROTOCOL;

/** In `EXTRA.FAST_OPEN`: the option is the experimental one (kind 254 with the magic number 0xF989). */
export const FAST_OPEN_EXPERIMENTAL = 0x100;
/** Shortest and longest cookie (RFC 7413 4.1.1); an odd number of bytes is none. */
export const FAST_OPEN_COOKIE_BYTES = { LEAST: 4, MOST: 16 } as const;

/** Where the four option bits begin. */
const OPTIONS_SHIFT = 12;

/**
 * The byte at a stream position of a virtual payload: what taps, captures and readers see where an application
 * counted bytes instead of writing them. Depends on the TCP sequence number (or the UDP payload offset) alone,
 * so that a retransmission carries the same bytes.
 */
export function virtualByte(position: number): number {
  return VIRTUAL_LINE.charCodeAt(position & 63);
}

/**
 * A line of printable characters, so that captures stay readable. An analyser that takes the port for that of a
 * protocol of lines (80: HTTP) sees at once that this is none; without an end of line it would gather the whole stream in
 * search of one, and with a colon in it see header fields.
 */
const VIRTUAL_LINE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+\n";

/** Real payload bytes of packets in flight, by handle. */
export class PayloadPool {
  #slots: (Uint8Array | undefined)[] = [undefined];
  #free: number[] = [];

  /** Keeps `bytes` (not copied: the caller hands them over) and returns their handle, at least 1. */
  put(bytes: Uint8Array): number {
    const handle = this.#free.pop() ?? this.#slots.length;
    this.#slots[handle] = bytes;
    return handle;
  }

  /** The bytes behind a handle; not to be modified. */
  get(handle: number): Uint8Array {
    return this.#slots[handle]!;
  }

  /** Lets go of a handle. */
  release(handle: number): void {
    this.#slots[handle] = undefined;
    this.#free.push(handle);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#free = v.plain(this.#free);
    const length = v.number(this.#slots.length);
    if (v.restoring) this.#slots = new Array(length).fill(undefined);
    const free = new Set(this.#free);
    for (let handle = 1; handle < length; handle++) {
      if (!free.has(handle)) this.#slots[handle] = v.column(this.#slots[handle] ?? new Uint8Array(0));
    }
  }
}

/** Packets that there is room for from the beginning. Pages that are never touched cost nothing. */
const PACKETS = 65_536;

/**
 * Packets' rows: a class of its own, so that V8 sees that their words are replaced only where packets have outgrown their
 * room. Until then it takes the array for a constant, and compiles its place and length into what is done with packets.
 */
class PacketRows extends RowPool {}

/** The packets of one partition. */
export class PacketPool {
  /** The rows: `rows.words[p * PACKET.STRIDE + field]`. */
  declare readonly rows: RowPool;
  /** Extra rows: `extras.words[e * EXTRA.STRIDE + field]`. */
  declare readonly extras: RowPool;
  /** Real payload bytes. */
  readonly payloads: PayloadPool = new PayloadPool();

  /** Reserves `capacity` packets (default 65,536). */
  constructor(options: { capacity?: number } = {}) {
    this.rows = new PacketRows({ strideWords: STRIDE, capacity: options.capacity ?? PACKETS });
    this.extras = new RowPool({ strideWords: EXTRA_STRIDE, capacity: 64 });
  }

  /** A zeroed packet row. `rows.words` may be replaced: read it again. */
  allocate(): number {
    return this.rows.allocate();
  }

  /** The packet's extra row, made if it has none. */
  extraOf(packet: number): number {
    const at = packet * STRIDE + EXTRA_AT;
    let extra = this.rows.words[at];
    if (extra === 0) this.rows.words[at] = extra = this.extras.allocate();
    return extra;
  }

  /** Frees a packet, its extra row and its payload bytes. */
  release(packet: number): void {
    const extra = this.rows.words[packet * STRIDE + EXTRA_AT];
    if (extra !== 0) this.#releaseExtra(extra);
    this.rows.release(packet);
  }

  /** Frees a packet's extra row and its payload bytes. */
  releaseExtraOf(packet: number): void {
    const at = packet * STRIDE + EXTRA_AT;
    const extra = this.rows.words[at];
    if (extra !== 0) this.#releaseExtra(extra);
    this.rows.words[at] = 0;
  }

  /** A second packet with the same content (its own payload handle on the same bytes). */
  clone(packet: number): number {
    const copy = this.rows.allocate();
    const words = this.rows.words;
    words.copyWithin(copy * STRIDE, packet * STRIDE, packet * STRIDE + STRIDE);
    const extra = words[packet * STRIDE + EXTRA_AT];
    if (extra !== 0) {
      const twin = this.extras.allocate();
      const extras = this.extras.words;
      extras.copyWithin(twin * EXTRA_STRIDE, extra * EXTRA_STRIDE, extra * EXTRA_STRIDE + EXTRA_STRIDE);
      const payload = extras[extra * EXTRA_STRIDE + PAYLOAD];
      if (payload !== 0) extras[twin * EXTRA_STRIDE + PAYLOAD] = this.payloads.put(this.payloads.get(payload));
      words[copy * STRIDE + EXTRA_AT] = twin;
    }
    return copy;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.rows.visitState(v);
    this.extras.visitState(v);
    this.payloads.visitState(v);
  }

  #releaseExtra(extra: number): void {
    const payload = this.extras.words[extra * EXTRA_STRIDE + PAYLOAD];
    if (payload !== 0) this.payloads.release(payload);
    this.extras.release(extra);
  }
}

/**
 * SACK blocks of a packet that its TCP header has room for: 40 bytes of options, of which others take `used` (3 blocks
 * beside timestamps, RFC 7323 section 3.2). 0 without `HAS_SACK`.
 */
export function sackBlocksSent(pool: PacketPool, packet: number, used: number): number {
  const words = pool.rows.words;
  const offset = (packet * STRIDE) & MASK;
  if ((words[offset + CONTROL_AT] & HAS_SACK) === 0) return 0;
  const count = pool.extras.words[words[offset + EXTRA_AT] * EXTRA_STRIDE + SACK_COUNT];
  const room = 40 - 4 - used >> 3;
  return count < room ? count : room;
}

/**
 * Bytes of a packet's Fast Open option with its padding, 0 without `HAS_FAST_OPEN` or where the 40 bytes of options, of
 * which others take `used`, have no room for it (as Linux leaves it out).
 */
export function fastOpenBytesSent(pool: PacketPool, packet: number, used: number): number {
  const words = pool.rows.words;
  const offset = (packet * STRIDE) & MASK;
  if ((words[offset + CONTROL_AT] & HAS_FAST_OPEN) === 0) return 0;
  const option = pool.extras.words[words[offset + EXTRA_AT] * EXTRA_STRIDE + FAST_OPEN];
  const bytes = ((option & 0xff) + ((option & FAST_OPEN_EXPERIMENTAL) !== 0 ? 4 : 2) + 3) & ~3;
  return used + bytes <= 40 ? bytes : 0;
}

/** Bytes of TCP options by the four option bits of CONTROL (timestamps, MSS, window scale, SACK-permitted). */
const OPTION_BYTES = Uint8Array.from({ length: 16 }, (_, bits) => {
  const control = bits << OPTIONS_SHIFT;
  let bytes = 0;
  if (control & HAS_MSS) bytes += 4;
  if (control & HAS_TIMESTAMPS) bytes += control & HAS_SACK_PERMITTED ? 10 : 12;
  if (control & HAS_SACK_PERMITTED) bytes += control & HAS_TIMESTAMPS ? 2 : 4;
  if (control & HAS_WINDOW_SCALE) bytes += 4;
  return bytes;
});

/** Bytes of TCP options that a row encodes to, padding included: a multiple of 4, at most 40. */
export function tcpOptionBytes(pool: PacketPool, packet: number): number {
  const control = pool.rows.words[packet * STRIDE + CONTROL_AT];
  const bytes = OPTION_BYTES[(control >>> OPTIONS_SHIFT) & 15];
  if ((control & (HAS_SACK | HAS_FAST_OPEN)) === 0) return bytes;
  if ((control & HAS_SACK) === 0) return bytes + fastOpenBytesSent(pool, packet, bytes);
  const blocks = sackBlocksSent(pool, packet, bytes);
  return blocks > 0 ? bytes + 4 + 8 * blocks : bytes;
}

/** Bits of CONTROL that make a packet anything but TCP with options of the usual sizes. */
const SIZED = (-1 << PROTOCOL_SHIFT) | HAS_SACK | HAS_FAST_OPEN;
const PLAIN_TCP = TCP << PROTOCOL_SHIFT;

/** Bytes from the IP header (40 for IPv6 if `ipv6`) to the end of the payload, as the link carries them. */
export function packetBytes(pool: PacketPool, packet: number, ipv6: boolean): number {
  const offset = (packet * STRIDE) & MASK;
  const words = pool.rows.words;
  const control = words[offset + CONTROL_AT];
  const bytes = (words[offset + LENGTH] + (ipv6 ? 60 : 40)) | 0;
  if ((control & SIZED) === PLAIN_TCP) return bytes + OPTION_BYTES[(control >>> OPTIONS_SHIFT) & 15];
  // (The header of UDP and ICMP has 8 bytes, TCP's 20 without options.)
  return control >>> PROTOCOL_SHIFT === TCP ? bytes + tcpOptionBytes(pool, packet) : bytes - 12;
}
