/**
 * A connection of a capture: who opened it, what went each way turn by turn, how it ended.
 *
 * @module
 */
import { type IpAddress } from "../base/address.ts";
import { type CapturedSegment, findOption } from "../wire/capture_packet.ts";
import { TCP_FLAG } from "../wire/packet.ts";
import { TCP_OPTION } from "../wire/tcp_options.ts";
import { ImportSide, opens } from "./import_side.ts";

const { SYN, ACK, FIN, RST } = TCP_FLAG;

/** Turns that a connection keeps; after that the last two grow. */
export const MOST_TURNS = 2000;
/** The least pause in which one side goes on that counts as one, ns. */
const PAUSE_NS = 20e6;
/** The same where acknowledgements are not seen. */
const BLIND_PAUSE_NS = 500e6;

/** A stretch of data of one side, uninterrupted by the other's. Times as seen at the capture point. */
export interface Turn {
  fromClient: boolean;
  bytes: number;
  beginNs: number;
  endNs: number;
}

/** A packet that may come by again, a hop further on. */
interface Recent {
  segment: CapturedSegment;
  ttl: number;
  timeNs: number;
  fromClient: boolean;
  options: Uint8Array;
}

/** So many packets of a connection are looked at for that, so long back, ns. */
const MOST_RECENT = 16;
const SAME_PACKET_NS = 100e6;

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** A segment as a stimulus needs it. */
export interface KeptSegment {
  timeNs: number;
  fromClient: boolean;
  sequence: number;
  acknowledgement: number;
  flags: number;
  window: number;
  urgent: number;
  length: number;
  options: Uint8Array;
  trafficClass: number;
  /** Is it the second of two that are the same? */
  copy: boolean;
}

/** How a connection ended. */
export interface ImportedClose {
  byClient: boolean;
  timeNs: number;
  reset: boolean;
}

/** One end of a connection. */
export interface ImportedEnd {
  address: IpAddress;
  port: number;
}

/** See the module's description. */
export class ImportedConnection {
  declare readonly client: ImportedEnd;
  declare readonly server: ImportedEnd;
  /** When its first packet was seen, ns. */
  declare readonly firstNs: number;
  declare lastNs: number;
  /** Client's and server's packets. */
  readonly sides: readonly [ImportSide, ImportSide] = [new ImportSide(), new ImportSide()];
  readonly turns: Turn[] = [];
  /** Were turns joined because there were too many? */
  joined = false;
  /** When the client's acknowledgement of the SYN-ACK went by, ns; -1 if it did not. */
  establishedNs = -1;
  /** What came first of FIN and RST. */
  close: ImportedClose | undefined;
  /** Packets that were seen a second time on their way. */
  duplicates = 0;
  /** Packets that were there twice at one place: the network, or what captured them, doubled them. */
  copies = 0;
  readonly #recent: Recent[] = [];
  /** Its segments, where they are kept. */
  readonly segments: KeptSegment[] | undefined;

  /** `fromClient` says whose packet the first one is. */
  constructor(first: CapturedSegment, timeNs: number, fromClient: boolean, keep: boolean) {
    const source = { address: first.source, port: first.sourcePort };
    const destination = { address: first.destination, port: first.destinationPort };
    [this.client, this.server] = fromClient ? [source, destination] : [destination, source];
    this.firstNs = this.lastNs = timeNs;
    if (keep) this.segments = [];
  }

  /** Was its first SYN seen? */
  get hasBeginning(): boolean {
    return this.sides[0].syns > 0;
  }

  /** What became of the attempt. */
  get outcome(): "established" | "refused" | "unanswered" {
    const [client, server] = this.sides;
    if (!this.hasBeginning || server.syns > 0 || this.turns.length > 0 || this.establishedNs >= 0) return "established";
    if (server.rstNs >= 0) return "refused";
    return client.packets > client.syns && server.packets > 0 ? "established" : "unanswered";
  }

  /** Can nothing more come of it? */
  get isOver(): boolean {
    const [client, server] = this.sides;
    return client.rstNs >= 0 || server.rstNs >= 0 || (client.fin >= 0 && server.fin >= 0);
  }

  /** Is it a connection at all: was it opened, or did data flow? */
  get isWorthTelling(): boolean {
    return this.hasBeginning || this.sides[1].syns > 0 || this.turns.length > 0;
  }

  /** Does a SYN of the same four-tuple begin another connection? */
  isReopenedBy(segment: CapturedSegment, fromClient: boolean): boolean {
    if (!opens(segment.flags)) return false;
    const side = this.sides[fromClient ? 0 : 1];
    if (side.syns > 0) return ((segment.sequence + 1) >>> 0) !== side.base;
    // A simultaneous open is the one case in which the other side's first SYN belongs here.
    return this.isOver || this.turns.length > 0 || !this.hasBeginning || this.sides[1].packets > 0;
  }

  /**
   * The same packet on its way through a router, where several interfaces were captured: but for TTL all is equal. Or
   * twice at one place: all is equal, and there is an identification to tell it from one that was sent again.
   */
  #seenBefore(segment: CapturedSegment, timeNs: number, fromClient: boolean): Recent | undefined {
    const recent = this.#recent;
    const { ttl, identification } = segment;
    const isSame = (one: Recent) =>
      one.fromClient === fromClient && timeNs - one.timeNs < SAME_PACKET_NS &&
      (one.ttl !== ttl || identification !== 0) && one.segment.identification === identification &&
      one.segment.sequence === segment.sequence && one.segment.acknowledgement === segment.acknowledgement &&
      one.segment.flags === segment.flags && one.segment.length === segment.length &&
      one.segment.window === segment.window && isEqual(one.options, segment.options);
    const known = recent.find(isSame);
    if (known !== undefined) return known;
    if (recent.length === MOST_RECENT) recent.shift();
    recent.push({ segment, ttl, timeNs, fromClient, options: segment.options.slice() });
    return undefined;
  }

  /** Takes the next segment, whose times never go back. */
  see(segment: CapturedSegment, timeNs: number, fromClient: boolean): void {
    const before = this.#seenBefore(segment, timeNs, fromClient);
    const copy = before !== undefined && before.ttl === segment.ttl;
    if (before !== undefined && !copy) return void this.duplicates++;
    const { sequence, acknowledgement, flags, window, urgent, length, options, trafficClass } = segment;
    this.segments?.push({
      ...{ timeNs, fromClient, sequence, acknowledgement, flags, window, urgent, length, trafficClass, copy },
      options: options.slice(),
    });
    this.lastNs = timeNs;
    if (copy) return void this.copies++;
    const side = this.sides[fromClient ? 0 : 1];
    const other = this.sides[fromClient ? 1 : 0];
    side.packets++;
    if ((flags & RST) !== 0) {
      if (side.rstNs < 0) side.rstNs = timeNs;
      this.close ??= { byClient: fromClient, timeNs, reset: true };
      return;
    }
    let start = sequence;
    if ((flags & SYN) !== 0) {
      start = (sequence + 1) >>> 0;
      this.#seeSyn(side, other, timeNs, segment, fromClient);
    }
    if (!side.known) side.begin(start);
    if ((flags & ACK) !== 0) this.#seeAck(other, acknowledgement, options, timeNs, fromClient);
    if (length > 0) {
      const { newBytes, idle, idleSinceNs } = side.see(start, length, timeNs, other.leastRttNs);
      if (newBytes > 0) {
        this.#addBytes(fromClient, newBytes, timeNs, this.#isPause(fromClient, idle, idleSinceNs, timeNs));
      }
    }
    if ((flags & FIN) !== 0) {
      side.seeFin(start, length, timeNs);
      this.close ??= { byClient: fromClient, timeNs, reset: false };
    }
  }

  #seeSyn(side: ImportSide, other: ImportSide, timeNs: number, segment: CapturedSegment, fromClient: boolean): void {
    if (side.syns > 0) {
      // Sent again: it, or what answers it, was lost on its way.
      if (fromClient && other.syns > 0) other.lostAfter++;
      else side.lostAfter++;
    }
    side.seeSyn(timeNs, segment.options);
    if (!side.known) side.begin((segment.sequence + 1) >>> 0);
    if (!fromClient && other.syns === 1 && side.syns === 1) {
      other.leastRttNs = Math.min(other.leastRttNs, timeNs - other.firstSynNs);
    }
  }

  #seeAck(
    other: ImportSide,
    acknowledgement: number,
    options: Uint8Array,
    timeNs: number,
    fromClient: boolean,
  ): void {
    if (!other.known) other.begin(acknowledgement);
    if (fromClient && this.establishedNs < 0 && other.syns > 0) {
      this.establishedNs = timeNs;
      if (other.syns === 1) other.leastRttNs = Math.min(other.leastRttNs, timeNs - other.firstSynNs);
    }
    const unseen = other.seeAck(acknowledgement, timeNs);
    if (unseen > 0) this.#addBytes(!fromClient, unseen, timeNs, false);
    const sack = findOption(options, TCP_OPTION.SACK);
    if (sack !== undefined) other.seeSack(sack);
  }

  #isPause(fromClient: boolean, idle: boolean, idleSinceNs: number, timeNs: number): boolean {
    const last = this.turns.at(-1);
    if (last === undefined || last.fromClient !== fromClient) return false;
    if (this.sides[fromClient ? 1 : 0].packets === 0) return timeNs - last.endNs >= BLIND_PAUSE_NS;
    const roundTripNs = this.sides.reduce((sum, { leastRttNs }) => sum + (leastRttNs < Infinity ? leastRttNs : 0), 0);
    return idle && timeNs - idleSinceNs >= Math.max(PAUSE_NS, 2 * roundTripNs);
  }

  #addBytes(fromClient: boolean, bytes: number, timeNs: number, paused: boolean): void {
    const turns = this.turns;
    const last = turns.at(-1);
    if (last?.fromClient === fromClient && !paused) {
      last.bytes += bytes;
      last.endNs = timeNs;
    } else if (turns.length >= MOST_TURNS && turns.slice(-2).some((turn) => turn.fromClient === fromClient)) {
      this.joined = true;
      const turn = turns.slice(-2).find((one) => one.fromClient === fromClient)!;
      turn.bytes += bytes;
    } else turns.push({ fromClient, bytes, beginNs: timeNs, endNs: timeNs });
  }

  /** Call after the last segment. */
  finish(): void {
    for (const [i, side] of this.sides.entries()) {
      // A FIN that nobody saw was acknowledged as if it were a byte.
      if (!side.lastUnseenAlone || side.fin >= 0) continue;
      const at = this.turns.findLastIndex(({ fromClient }) => fromClient === (i === 0));
      if (at < 0) continue;
      const turn = this.turns[at];
      side.takeBackUnseenByte();
      side.finNs = turn.endNs;
      if (--turn.bytes === 0) this.turns.splice(at, 1);
      if (this.close === undefined || this.close.timeNs > turn.endNs) {
        this.close = { byClient: i === 0, timeNs: turn.endNs, reset: false };
      }
    }
  }
}
