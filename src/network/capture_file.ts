/**
 * What a capture point writes: pcapng blocks, an interface description for each interface when it is first seen, their
 * statistics at the end.
 *
 * @module
 */
import {
  PCAPNG_PACKET_ROOM,
  pcapngInterface,
  type PcapngInterfaceOptions,
  pcapngPacket,
  type PcapngPacketOptions,
  pcapngSectionHeader,
  pcapngStatistics,
  writePcapngPacket,
} from "../wire/pcapng.ts";
import { DROP_REASONS } from "./drops.ts";

/** Where a capture goes. A function that takes the bytes will do. */
export interface CaptureSink {
  /** Takes the next bytes of the file, which are its own from here on: whole blocks. */
  write(bytes: Uint8Array): void;
  /** `fileBytes` are reached: what follows is another file, complete in itself. */
  next?(): void;
}

/** How a capture writes. */
export interface CaptureFileOptions {
  /** Comment on each file. */
  comment?: string;
  /** What writes it. Default `fourtuple`. */
  application?: string;
  /** Most bytes of a packet that are kept. Default all. */
  snaplen?: number;
  /** Most bytes of a file; then comes the next (`CaptureSink.next`). Default unlimited. */
  fileBytes?: number;
  /** What packets begin with. Default `LINKTYPE_RAW`. */
  linkType?: number;
  /** Simulated time at which it began, ns. */
  startNs: number;
}

/** What an interface saw. */
export class InterfaceCounts {
  /** Packets that came by. */
  received = 0;
  /** Of these, packets that passed the filter. */
  accepted = 0;
  /** Packets that went out by it and that the link refused or lost. */
  dropped = 0;
  /** Packets that came in by it and that the node dropped. */
  droppedBySystem = 0;
  /** Both, by reason (`DROP`). */
  readonly reasons: Map<number, number> = new Map();

  /** Counts a drop. */
  drop(reason: number, outbound: boolean): void {
    if (outbound) this.dropped++;
    else this.droppedBySystem++;
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }
}

/** Bytes gathered for one write. */
const CHUNK_BYTES = 65_536;

/** A packet's block, without packet bytes and comment, rounded up; and an interface's statistics. */
const PACKET_ROOM = 64;
const STATISTICS_ROOM = 160;

/** A file in the making, or one after another. */
export class CaptureFile {
  /** Bytes written to all files. */
  bytes = 0;
  readonly #sink: CaptureSink;
  readonly #options: CaptureFileOptions;
  readonly #header: Uint8Array;
  readonly #interfaces: { block: Uint8Array; counts: InterfaceCounts }[] = [];
  #chunk = new Uint8Array(1024);
  #view = new DataView(this.#chunk.buffer);
  #filled = 0;
  #fileBytes = 0;
  #interfaceBytes = 0;

  /** Begins with the section header. */
  constructor(sink: CaptureSink, options: CaptureFileOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#header = pcapngSectionHeader({ application: options.application, comment: options.comment });
    this.#append(this.#header);
  }

  /** Adds an interface and returns its number in the file. */
  addInterface(options: PcapngInterfaceOptions, counts: InterfaceCounts): number {
    const { snaplen: snapLength, linkType } = this.#options;
    const block = pcapngInterface({ ...options, snapLength, linkType });
    this.#interfaceBytes += block.length + STATISTICS_ROOM;
    this.#append(block);
    return this.#interfaces.push({ block, counts }) - 1;
  }

  /** Adds a packet of an interface. */
  packet(id: number, timeNs: number, bytes: Uint8Array, options: PcapngPacketOptions): void {
    const { fileBytes = Infinity } = this.#options;
    if (fileBytes !== Infinity) {
      const most = bytes.length + PACKET_ROOM + 4 * (options.comment?.length ?? 0);
      // (A file holds one packet at least, however small the limit.)
      const empty = this.#header.length + this.#interfaceBytes;
      const written = this.#fileBytes + STATISTICS_ROOM * this.#interfaces.length;
      if (written + most > fileBytes && written > empty) this.#next(timeNs);
    }
    const { comment, direction, originalBytes = bytes.length } = options;
    if (comment !== undefined || direction === undefined) return this.#append(pcapngPacket(id, timeNs, bytes, options));
    this.#makeRoom(bytes.length + PCAPNG_PACKET_ROOM);
    const packet = { id, timeNs, bytes, originalBytes, inbound: direction === "inbound" };
    this.#took(writePcapngPacket(this.#chunk, this.#view, this.#filled, packet) - this.#filled);
  }

  /** Writes the statistics and what is gathered. */
  close(timeNs: number): void {
    this.#statistics(timeNs);
    this.#flush();
  }

  #next(timeNs: number): void {
    this.close(timeNs);
    this.#sink.next?.();
    this.#fileBytes = 0;
    this.#append(this.#header);
    for (const { block } of this.#interfaces) this.#append(block);
  }

  #statistics(timeNs: number): void {
    for (const [id, { counts }] of this.#interfaces.entries()) {
      const { received, accepted, dropped, droppedBySystem } = counts;
      const reasons = [...counts.reasons].map(([reason, count]) => `${DROP_REASONS[reason]} ${count}`).toSorted();
      this.#append(pcapngStatistics(id, timeNs, {
        startNs: this.#options.startNs,
        endNs: timeNs,
        received,
        dropped,
        accepted,
        droppedBySystem,
        delivered: accepted,
        comment: reasons.length === 0 ? undefined : `dropped: ${reasons.join(", ")}`,
      }));
    }
  }

  #append(block: Uint8Array): void {
    this.#makeRoom(block.length);
    this.#chunk.set(block, this.#filled);
    this.#took(block.length);
  }

  #makeRoom(bytes: number): void {
    if (this.#filled + bytes <= this.#chunk.length) return;
    if (this.#filled >= CHUNK_BYTES / 2) this.#flush();
    if (this.#filled + bytes <= this.#chunk.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#chunk.length, this.#filled + bytes));
    grown.set(this.#chunk.subarray(0, this.#filled));
    this.#chunk = grown;
    this.#view = new DataView(grown.buffer);
  }

  #took(bytes: number): void {
    this.#filled += bytes;
    this.#fileBytes += bytes;
    this.bytes += bytes;
    if (this.#filled >= CHUNK_BYTES) this.#flush();
  }

  #flush(): void {
    if (this.#filled === 0) return;
    this.#sink.write(this.#chunk.slice(0, this.#filled));
    this.#filled = 0;
  }
}
