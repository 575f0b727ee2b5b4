/**
 * One direction of a connection in a capture: which bytes of its stream went by, and what became of its packets.
 *
 * @module
 */
import { readI32, readU16 } from "../wire/bytes.ts";
import { findOption } from "../wire/capture_packet.ts";
import { TCP_FLAG } from "../wire/packet.ts";
import { TCP_OPTION } from "../wire/tcp_options.ts";

/** Gaps that are remembered at a time. */
const MOST_GAPS = 32;
/** Sequence numbers further away than this are another connection's, or damage. */
const FARTHEST = 2 ** 30;
/** What comes late by less than this was overtaken, not lost, where the round trip is not known, ns. */
const REORDERED_NS = 3e6;

/** What the SYN of a side said. */
export interface SynOptions {
  mss?: number;
  windowScale?: number;
  sack: boolean;
  timestamps: boolean;
}

/** Bytes that were jumped over. */
interface Gap {
  start: number;
  end: number;
  timeNs: number;
}

/** What a segment brought. */
export interface Advance {
  /** Bytes of the stream beyond those known before. */
  newBytes: number;
  /** Had all that was known before been acknowledged? */
  idle: boolean;
  /** When that was, ns. */
  idleSinceNs: number;
}

/** See the module's description. */
export class ImportSide {
  /** Packets that went by. */
  packets = 0;
  /** Is sequence number `base` known to be that of the stream's first byte (or of the first that matters)? */
  known = false;
  /** Sequence number of stream position 0. */
  base = 0;
  /** Bytes of the stream up to the furthest that was seen, or acknowledged. */
  next = 0;
  /** Of those, acknowledged by the other side. */
  acked = 0;
  /** Bytes that were acknowledged and never seen. */
  unseenBytes = 0;
  /** Bytes that were jumped over, acknowledged, and never seen. */
  skippedBytes = 0;
  /** Did the last bytes that were acknowledged unseen come alone and as one? It may have been a FIN. */
  lastUnseenAlone = false;
  /** Position of the FIN, -1 for none. */
  fin = -1;
  /** Was it acknowledged? */
  finAcked = false;
  finNs = -1;
  rstNs = -1;
  syn: SynOptions | undefined;
  /** Times of its SYN (or SYN-ACK): the first one's and the last one's. */
  firstSynNs = -1;
  lastSynNs = -1;
  syns = 0;
  /** Packets lost before they came by: gaps filled late. */
  lostBefore = 0;
  /** Packets lost after they came by: sent again though they were seen, and not had already. */
  lostAfter = 0;
  /** Sent again though they had arrived. */
  needless = 0;
  reordered = 0;
  /** Segments whose numbers are far from everything else. */
  strays = 0;
  /** Least time from a segment to its acknowledgement, ns: the round trip from here to the receiver. */
  leastRttNs = Infinity;
  lastDataNs = -1;
  #ackedAllNs = 0;
  #gaps: Gap[] = [];
  #probeEnd = -1;
  #probeNs = 0;
  #unansweredNeedless = 0;

  /** Position of a sequence number in the stream; below 0 before its beginning. */
  position(sequence: number): number {
    return ((sequence - ((this.base + this.next) >>> 0)) | 0) + this.next;
  }

  /** The stream begins (for what is known of it) with this sequence number. */
  begin(sequence: number): void {
    this.known = true;
    this.base = sequence >>> 0;
  }

  /** A SYN or SYN-ACK of this side. */
  seeSyn(timeNs: number, options: Uint8Array): void {
    if (this.syns++ === 0) this.firstSynNs = timeNs;
    this.lastSynNs = timeNs;
    const mss = findOption(options, TCP_OPTION.MSS);
    const scale = findOption(options, TCP_OPTION.WINDOW_SCALE);
    this.syn = {
      mss: mss?.length === 2 ? readU16(mss, 0) : undefined,
      windowScale: scale?.length === 1 ? scale[0] : undefined,
      sack: findOption(options, TCP_OPTION.SACK_PERMITTED) !== undefined,
      timestamps: findOption(options, TCP_OPTION.TIMESTAMPS) !== undefined,
    };
  }

  /** Payload of this side goes by. `roundTripNs` is that of the way from the sender to here and back, if known. */
  see(sequence: number, length: number, timeNs: number, roundTripNs: number): Advance {
    const nothing = { newBytes: 0, idle: false, idleSinceNs: 0 };
    const start = this.position(sequence);
    const end = start + length;
    if (Math.abs(start - this.next) > FARTHEST) {
      this.strays++;
      return nothing;
    }
    // A keep-alive, or a probe of a closed window: a byte that the receiver has.
    if (length <= 1 && start < this.acked) return nothing;
    this.lastDataNs = timeNs;
    const idle = this.acked >= this.next;
    const idleSinceNs = this.#ackedAllNs;
    if (end > this.next) {
      const newBytes = end - this.next;
      if (start > this.next) this.#jump(this.next, start, timeNs);
      else if (start < this.next) this.#again(start, this.next, timeNs, roundTripNs);
      this.next = end;
      if (this.#probeEnd < 0) {
        this.#probeEnd = end;
        this.#probeNs = timeNs;
      }
      this.lastUnseenAlone = false;
      return { newBytes, idle, idleSinceNs };
    }
    this.#again(start, end, timeNs, roundTripNs);
    return nothing;
  }

  #jump(start: number, end: number, timeNs: number): void {
    if (this.#gaps.length === MOST_GAPS) this.#gaps.shift();
    this.#gaps.push({ start, end, timeNs });
  }

  /** Bytes below the furthest: they fill a gap, or are there a second time. */
  #again(start: number, end: number, timeNs: number, roundTripNs: number): void {
    const at = this.#gaps.findIndex((gap) => start < gap.end && end > gap.start);
    if (at >= 0) {
      const gap = this.#gaps[at];
      const late = Math.max(REORDERED_NS, Number.isFinite(roundTripNs) ? roundTripNs / 2 : 0);
      if (timeNs - gap.timeNs < late) this.reordered++;
      else this.lostBefore++;
      const rest: Gap[] = [];
      if (gap.start < start) rest.push({ ...gap, end: start });
      if (gap.end > end) rest.push({ ...gap, start: end });
      this.#gaps.splice(at, 1, ...rest);
      return;
    }
    // Karn: what was sent twice says nothing about time.
    this.#probeEnd = -1;
    if (end <= this.acked) {
      this.needless++;
      this.#unansweredNeedless++;
    } else this.lostAfter++;
  }

  /** The other side acknowledges everything below `acknowledgement`. Returns bytes that nobody saw go by. */
  seeAck(acknowledgement: number, timeNs: number): number {
    const position = this.position(acknowledgement);
    if (this.fin >= 0 && position === this.fin + 1) this.finAcked = true;
    if (position <= this.acked || position - this.next > FARTHEST) return 0;
    let unseen = 0;
    // A FIN is a number, no byte.
    const bytes = this.fin >= 0 ? Math.min(position, this.fin) : position;
    if (bytes > this.next) {
      unseen = bytes - this.next;
      this.unseenBytes += unseen;
      this.next = bytes;
      this.lastUnseenAlone = unseen === 1;
    }
    this.acked = Math.min(position, this.next);
    this.#gaps = this.#gaps.filter((gap) => {
      const isOpen = gap.end > this.acked;
      if (!isOpen) this.skippedBytes += gap.end - gap.start;
      return isOpen;
    });
    if (this.acked >= this.next) this.#ackedAllNs = timeNs;
    if (this.#probeEnd >= 0 && this.acked >= this.#probeEnd) {
      this.leastRttNs = Math.min(this.leastRttNs, timeNs - this.#probeNs);
      this.#probeEnd = -1;
    }
    return unseen;
  }

  /** The receiver's SACK blocks: the first one below the acknowledgement tells of a duplicate (RFC 2883). */
  seeSack(block: Uint8Array): void {
    if (block.length < 8 || this.position(readI32(block, 4)) > this.acked) return;
    if (this.#unansweredNeedless > 0) this.#unansweredNeedless--;
    else if (this.lostAfter > 0) {
      this.lostAfter--;
      this.needless++;
    }
  }

  /** The FIN at the end of this payload. */
  seeFin(sequence: number, length: number, timeNs: number): void {
    const position = this.position(sequence) + length;
    if (this.fin >= 0 || Math.abs(position - this.next) > FARTHEST) return;
    this.fin = position;
    this.finNs = timeNs;
  }

  /** The last byte that was acknowledged unseen was no byte but a FIN. */
  takeBackUnseenByte(): void {
    this.unseenBytes--;
    this.next--;
    this.fin = this.next;
  }
}

/** Flags of a segment that begins a connection. */
export function opens(flags: number): boolean {
  return (flags & (TCP_FLAG.SYN | TCP_FLAG.ACK | TCP_FLAG.RST)) === TCP_FLAG.SYN;
}
