/**
 * What a link is told to be, and what its queue tells of itself.
 *
 * @module
 */
import type { Impairments } from "./impairments.ts";
import type { DisciplineSettings, QueueDiscipline } from "./queues/discipline.ts";
import type { PacketQueue } from "./queues/drop_tail.ts";

/** Settings that many directions share. Rates in bits/s, times in ns. */
export interface LinkSettings {
  /** Bits per second; Infinity for no limit. Times are exact where it is a whole number. */
  rateBps: number;
  /** Propagation delay, ns. */
  delayNs: number;
  /** Largest IP packet, bytes. */
  mtuBytes: number;
  /**
   * Most bytes waiting (what is left of the packet being sent included); Infinity for no limit. A packet may always be
   * sent into an idle link.
   */
  queueBytes: number;
  /** Most packets waiting (the packet being sent not included); Infinity for no limit. */
  queuePackets: number;
  /**
   * With so many bytes or packets (counted as above) waiting, a packet of an ECN-capable transport that comes is marked
   * with CE (RFC 3168 5; RFC 8257 3.1 and 4.1's threshold K). Default Infinity: never.
   */
  ecnThresholdBytes?: number;
  ecnThresholdPackets?: number;
  /** How the queue is managed. Default: drop-tail, without events of its own. Where there is one, never changes. */
  discipline?: DisciplineSettings;
  /** What goes wrong on the way. */
  impairments: Impairments;
  /** Can anything go wrong at all? (`hasImpairments(impairments)`, worked out once.) */
  impaired: boolean;
}

/** A queue that was emptied: of the packets numbered below `before`, those are lost that arrive after `sinceNs`. */
// (A type and not an interface: it is a plain value for snapshots.)
export type Purge = {
  /** The number of the first packet sent since. */
  before: number;
  /** When the last that had left arrives at the latest, ns. */
  sinceNs: number;
};

/** What the report wants to know of a direction that has a queue limit. Peaks stay within the limit. */
export interface QueueRecord {
  /** Most bytes waiting at once. */
  peakBytes: number;
  /** Most packets waiting at once (queues limited in packets). */
  peakPackets: number;
  /** When the queue was first full, ns; -1 for never. */
  firstFullNs: number;
  /** Bytes that it took. */
  carriedBytes: number;
}

/** A queue is full: it takes no packet. */
export function noteFull(record: QueueRecord, nowNs: number): false {
  if (record.firstFullNs < 0) record.firstFullNs = nowNs;
  return false;
}

/** What an elaborate direction has besides its row: packets find it by an index, never by a look-up. */
export interface Details {
  /** Its queue's record; undefined without a limit. */
  record: QueueRecord | undefined;
  /** Those that wait, where the limit is in packets. */
  packets: PacketQueue;
  /** Packets dropped at the queue. */
  drops: number;
  /** Packets marked with CE. */
  marks: number;
  /** Are packets counted? */
  counting: boolean;
  /** Key of its random substream. */
  key: Int32Array;
  /** Holds the packets that wait, where the settings have a discipline. */
  discipline: QueueDiscipline | undefined;
  /** Of a discipline: is an event under way that asks for the next packet? */
  awaited: boolean;
}

/** Are the packets in the queue counted? */
export function isCounting({ queuePackets, ecnThresholdPackets = Infinity }: LinkSettings): boolean {
  return queuePackets !== Infinity || ecnThresholdPackets !== Infinity;
}
