/**
 * What queue disciplines share. A link with a discipline of its own keeps the packets that wait in it, and asks it for
 * the next one whenever the link is free; plain drop-tail queues need none of this (`links.ts`).
 *
 * @module
 */
import type { AddressTable } from "../../base/address.ts";
import type { StateVisitor } from "../../base/state.ts";
import { flowHash } from "../../wire/flow_hash.ts";
import { PACKET, packetBytes, type PacketPool } from "../../wire/packet.ts";

/** CoDel (RFC 8289): one queue whose standing delay is kept small by drops at its head. Times in ns. */
export interface CodelSettings {
  readonly kind: "codel";
  /** Delay that a standing queue may have. Default 5 ms. */
  readonly targetNs: number;
  /** How long it may be exceeded before the first drop; about the longest round trip. Default 100 ms. */
  readonly intervalNs: number;
  /** Mark packets of ECN-capable transports instead of dropping them. Default false, as `tc`. */
  readonly ecn: boolean;
}

/** FQ-CoDel (RFC 8290): a queue for each flow, served in turn, each under CoDel. */
export interface FqCodelSettings extends Omit<CodelSettings, "kind"> {
  readonly kind: "fq-codel";
  /** Queues; flows are hashed onto them. Default 1,024. */
  readonly flows: number;
  /** Bytes that a flow may send in its turn. Default 1,514. */
  readonly quantumBytes: number;
}

/** RED (Floyd and Jacobson 1993; gentle by default, Floyd 2000). Thresholds are of the average queue. */
export interface RedSettings {
  readonly kind: "red";
  /** Below it nothing is dropped: packets or bytes, as the queue's limit is. */
  readonly minThreshold: number;
  /** Here `maxProbability` of the packets is. */
  readonly maxThreshold: number;
  /** Default 0.02. */
  readonly maxProbability: number;
  /** Share that one packet's arrival has in the average. Default 0.002. */
  readonly weight: number;
  /** Mark packets of ECN-capable transports instead of dropping them early. Default false. */
  readonly ecn: boolean;
}

/** Which discipline, and its parameters. */
export type DisciplineSettings = CodelSettings | FqCodelSettings | RedSettings;

/** Limits of a queue: those of the link's settings, which an event may change. */
export interface QueueLimits {
  /** Bytes; Infinity for no limit. */
  readonly queueBytes: number;
  /** Packets; Infinity for no limit. */
  readonly queuePackets: number;
  /** The link's, bit/s. */
  readonly rateBps: number;
}

/** What disciplines know of packets, and where they leave those that they drop. */
export class QueuePackets {
  /** Dropped because the queue was full; whoever called takes them out and releases them. */
  readonly overflowed: number[] = [];
  /** Dropped before it was full, to tell their senders. */
  readonly early: number[] = [];
  /** The packet rows. */
  declare readonly packets: PacketPool;
  readonly #addresses: AddressTable;

  /** Of one partition. */
  constructor(packets: PacketPool, addresses: AddressTable) {
    this.packets = packets;
    this.#addresses = addresses;
  }

  /** Size of the IP packet. */
  bytesOf(p: number): number {
    return packetBytes(
      this.packets,
      p,
      this.#addresses.isIpv6(this.packets.rows.words[p * PACKET.STRIDE + PACKET.SRC]),
    );
  }

  /** A hash of what names the packet's flow. */
  flowHash(p: number): number {
    return flowHash(this.packets.rows.words, this.#addresses, p);
  }
}

/** A queue of packet rows. */
export interface QueueDiscipline {
  /** Packets in it. */
  readonly packets: number;
  /** Bytes in it. */
  readonly bytes: number;
  /** Packets dropped before the queue was full. */
  readonly earlyDrops: number;
  /** Packets marked with CE. */
  readonly marks: number;
  /** Packet `p` of `bytes` bytes comes; what is dropped for it (perhaps `p` itself) is in `QueuePackets`. */
  enqueue(p: number, bytes: number, nowNs: number, limits: QueueLimits): void;
  /** The packet to be sent now, 0 if none is left. What is dropped on the way is in `QueuePackets`. */
  dequeue(nowNs: number): number;
  /** For snapshots. */
  visitState(v: StateVisitor): void;
}

const { LINK_SEQ, HASH, WINDOW_TTL_TOS, STRIDE } = PACKET;

/** Both bits of the ECN field: congestion experienced; either one alone: ECN-capable (RFC 3168 5). */
const CE = 3;

/** Time stamps are in units of 2^10 ns, modulo 2^32. */
const STAMP_NS = 1024;

/** Sets CE on a packet of an ECN-capable transport (RFC 3168 5). False if it is none. */
export function markCongestion(rows: Int32Array, p: number): boolean {
  const at = p * STRIDE + WINDOW_TTL_TOS;
  if ((rows[at] & CE) === 0) return false;
  rows[at] |= CE;
  return true;
}

/** Fields of a first-in-first-out queue within a row of a `Float64Array`. Its packets are linked through their rows. */
export const FIFO = {
  /** First packet, 0 for none. */
  HEAD: 0,
  /** Last packet. */
  TAIL: 1,
  /** Bytes in it. */
  BYTES: 2,
  /** Packets in it. */
  PACKETS: 3,
} as const;

const { HEAD, TAIL, BYTES, PACKETS } = FIFO;

/** Appends packet `p`, stamped with the time. */
export function pushPacket(
  queue: Float64Array,
  at: number,
  rows: Int32Array,
  p: number,
  bytes: number,
  nowNs: number,
): void {
  rows[p * STRIDE + LINK_SEQ] = 0;
  rows[p * STRIDE + HASH] = (nowNs / STAMP_NS) | 0;
  if (queue[at + HEAD] === 0) queue[at + HEAD] = p;
  else rows[queue[at + TAIL] * STRIDE + LINK_SEQ] = p;
  queue[at + TAIL] = p;
  queue[at + BYTES] += bytes;
  queue[at + PACKETS]++;
}

/** Takes the first packet out, 0 if there is none. */
export function shiftPacket(queue: Float64Array, at: number, packets: QueuePackets): number {
  const p = queue[at + HEAD];
  if (p === 0) return 0;
  queue[at + HEAD] = packets.packets.rows.words[p * STRIDE + LINK_SEQ];
  queue[at + BYTES] -= packets.bytesOf(p);
  queue[at + PACKETS]--;
  return p;
}

/** How long packet `p` has waited, ns. */
export function sojournNs(rows: Int32Array, p: number, nowNs: number): number {
  return ((((nowNs / STAMP_NS) | 0) - rows[p * STRIDE + HASH]) | 0) * STAMP_NS;
}
