/**
 * Reading capture files: pcap (both byte orders, microseconds and nanoseconds) and pcapng (any resolution of time), one
 * record after the other, with memory for one record. Damage is an {@linkcode InputError}: a sentence that names the
 * byte where it was found.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { ByteWindow } from "./byte_window.ts";
import { PCAPNG_BLOCK, PCAPNG_BYTE_ORDER_MAGIC } from "./pcapng.ts";

/** A packet as a capture holds it. */
export interface CaptureRecord {
  /** When it was seen, ns since the first record; never below the one before. */
  timeNs: number;
  /** What the bytes begin with (LINKTYPE). */
  linkType: number;
  /** What was kept of it; valid until the next record is read. */
  bytes: Uint8Array;
  /** Bytes that the packet had. */
  originalBytes: number;
  /** Where the record begins in the file. */
  offset: number;
}

/** A record keeps at most so many bytes: more than any network interface hands over at once. */
export const MOST_RECORD_BYTES = 1024 * 1024;
/** A pcapng section describes at most so many interfaces. */
export const MOST_INTERFACES = 65_536;

const MAGIC_US = 0xa1b2c3d4;
const MAGIC_NS = 0xa1b23c4d;
const { SECTION_HEADER, INTERFACE_DESCRIPTION, ENHANCED_PACKET } = PCAPNG_BLOCK;
/** Block types that are read and never written here. */
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
/** Interface options. */
const IF_TSRESOL = 9;
const IF_TSOFFSET = 14;

/** An interface of a pcapng section. */
interface Interface {
  linkType: number;
  snapLength: number;
  /** Ticks of a second. */
  ticksPerSecond: bigint;
  /** What is added to times, s. */
  offsetSeconds: bigint;
}

/** Reads the records of a capture file one by one. */
export class CaptureReader {
  /** Records whose time was before the one before them; they were given that one's time. */
  timesBackwards = 0;
  /** Packets without a time of their own (simple packet blocks): they have that of the one before. */
  timeless = 0;
  /** Is it pcapng? Known once a record was asked for. */
  pcapng = false;
  readonly #window: ByteWindow;
  #begun = false;
  #little = true;
  #nanoseconds = false;
  #linkType = 0;
  #interfaces: Interface[] = [];
  /** Time of the first record, ns since 1970. */
  #firstNs: bigint | undefined;
  #lastNs = 0;

  /** `next` gives the next piece of the file, null at its end. */
  constructor(next: () => Uint8Array | null) {
    this.#window = new ByteWindow(next);
  }

  /** The next packet; null at the end of the file. Throws `InputError`. */
  next(): CaptureRecord | null {
    if (!this.#begun) this.#begin();
    return this.pcapng ? this.#nextBlock() : this.#nextRecord();
  }

  #fail(offset: number, what: string): never {
    throw new InputError(`at byte ${offset}: ${what}.`);
  }

  #begin(): void {
    this.#begun = true;
    const window = this.#window;
    const head = window.peek(4);
    if (head.length === 0) throw new InputError("it is empty.");
    if (head[0] === 0x1f && head[1] === 0x8b) throw new InputError("it is compressed: unpack it with gunzip first.");
    if (head.length === 4 && magicOf(head, true) === SECTION_HEADER) {
      this.pcapng = true;
      return;
    }
    const found = [true, false].find((little) => {
      const magic = head.length === 4 ? magicOf(head, little) : 0;
      return magic === MAGIC_US || magic === MAGIC_NS;
    });
    if (found === undefined) {
      throw new InputError("it is no capture file: it begins neither as pcap nor as pcapng does.");
    }
    this.#little = found;
    this.#nanoseconds = magicOf(head, found) === MAGIC_NS;
    const header = window.take(24);
    if (header === null) this.#fail(0, `the file ends in its header, after ${window.total} bytes`);
    const view = viewOf(header);
    const major = view.getUint16(4, found);
    if (major !== 2) this.#fail(4, `version ${major}.${view.getUint16(6, found)} of pcap is not known, only 2.4 is`);
    // The upper bits speak of frame check sequences.
    this.#linkType = view.getUint32(20, found) & 0x03ffffff;
  }

  #nextRecord(): CaptureRecord | null {
    const window = this.#window;
    const offset = window.offset;
    const header = window.take(16);
    if (header === null) {
      if (window.remaining === 0) return null;
      this.#fail(offset, `the file ends in a record's header, ${window.remaining} bytes into it`);
    }
    const view = viewOf(header);
    const little = this.#little;
    const seconds = view.getUint32(0, little);
    const fraction = view.getUint32(4, little);
    const kept = view.getUint32(8, little);
    const originalBytes = view.getUint32(12, little);
    if (kept > MOST_RECORD_BYTES) this.#fail(offset, `a record claims to hold ${kept} bytes, more than any packet`);
    const bytes = window.take(kept);
    if (bytes === null) {
      this.#fail(offset, `a record claims to hold ${kept} bytes, and the file ends after ${window.remaining}`);
    }
    const ns = BigInt(seconds) * 1_000_000_000n + BigInt(this.#nanoseconds ? fraction : fraction * 1000);
    return { timeNs: this.#since(ns), linkType: this.#linkType, bytes, originalBytes, offset };
  }

  /** A time as ns since the first record. */
  #since(ns: bigint): number {
    this.#firstNs ??= ns;
    const since = Number(ns - this.#firstNs);
    if (since < this.#lastNs) {
      this.timesBackwards++;
      return this.#lastNs;
    }
    return this.#lastNs = since;
  }

  #nextBlock(): CaptureRecord | null {
    const window = this.#window;
    for (;;) {
      const offset = window.offset;
      const head = window.take(8);
      if (head === null) {
        if (window.remaining === 0) return null;
        this.#fail(offset, `the file ends in a block's header, ${window.remaining} bytes into it`);
      }
      // (The bytes of a block's type are the same in both orders for a section header.)
      if (magicOf(head, true) === SECTION_HEADER) {
        this.#section(offset, head.slice());
        continue;
      }
      const view = viewOf(head);
      const type = view.getUint32(0, this.#little);
      const length = view.getUint32(4, this.#little);
      if (length < 12 || (length & 3) !== 0) this.#fail(offset, `a block of type ${type} claims ${length} bytes`);
      const isPacket = type === ENHANCED_PACKET || type === SIMPLE_PACKET || type === OBSOLETE_PACKET;
      if (!isPacket && type !== INTERFACE_DESCRIPTION) {
        this.#skip(offset, type, length);
        continue;
      }
      if (length > MOST_RECORD_BYTES + 65_536) {
        this.#fail(offset, `a block of type ${type} claims ${length} bytes, more than any packet has`);
      }
      const rest = window.take(length - 8);
      if (rest === null) this.#cut(offset, type, length);
      const body = viewOf(rest);
      this.#checkEnd(offset, type, length, body.getUint32(rest.length - 4, this.#little));
      const content = rest.subarray(0, rest.length - 4);
      if (!isPacket) this.#interface(offset, content);
      else return this.#packet(offset, type, content);
    }
  }

  #cut(offset: number, type: number, length: number): never {
    this.#fail(offset, `a block of type ${type} claims ${length} bytes, and the file ends before that`);
  }

  #checkEnd(offset: number, type: number, length: number, again: number): void {
    if (again === length) return;
    this.#fail(offset, `a block of type ${type} claims ${length} bytes at its beginning and ${again} at its end`);
  }

  /** What is left of a block, of which `taken` bytes were read, and which says no more of packets. */
  #skip(offset: number, type: number, length: number, taken = 8): void {
    const window = this.#window;
    const end = window.skip(length - taken - 4) ? window.take(4) : null;
    if (end === null) this.#cut(offset, type, length);
    this.#checkEnd(offset, type, length, viewOf(end).getUint32(0, this.#little));
  }

  #section(offset: number, head: Uint8Array): void {
    const magic = this.#window.take(4);
    if (magic === null) this.#cut(offset, SECTION_HEADER, 28);
    const order = [true, false].find((little) => magicOf(magic, little) === PCAPNG_BYTE_ORDER_MAGIC);
    if (order === undefined) this.#fail(offset + 8, "a section's byte-order magic is none");
    this.#little = order;
    const length = viewOf(head).getUint32(4, order);
    if (length < 28 || (length & 3) !== 0) this.#fail(offset, `a section header claims ${length} bytes`);
    const version = this.#window.take(4);
    if (version === null) this.#cut(offset, SECTION_HEADER, length);
    const major = viewOf(version).getUint16(0, order);
    if (major !== 1) this.#fail(offset + 12, `version ${major} of pcapng is not known, only 1 is`);
    this.#skip(offset, SECTION_HEADER, length, 16);
    this.#interfaces = [];
  }

  #interface(offset: number, body: Uint8Array): void {
    if (body.length < 8) this.#fail(offset, "an interface description is too short");
    if (this.#interfaces.length === MOST_INTERFACES) {
      this.#fail(offset, `there are more than ${MOST_INTERFACES} interfaces`);
    }
    const view = viewOf(body);
    const little = this.#little;
    const found: Interface = {
      linkType: view.getUint16(0, little),
      snapLength: view.getUint32(4, little),
      ticksPerSecond: 1_000_000n,
      offsetSeconds: 0n,
    };
    for (let at = 8; at + 4 <= body.length;) {
      const code = view.getUint16(at, little);
      const bytes = view.getUint16(at + 2, little);
      if (code === 0) break;
      if (at + 4 + bytes > body.length) this.#fail(offset, "an interface's option runs past its block");
      if (code === IF_TSRESOL && bytes === 1) found.ticksPerSecond = resolution(body[at + 4]);
      if (code === IF_TSOFFSET && bytes === 8) found.offsetSeconds = view.getBigInt64(at + 4, little);
      at += 4 + ((bytes + 3) & ~3);
    }
    this.#interfaces.push(found);
  }

  #packet(offset: number, type: number, body: Uint8Array): CaptureRecord {
    const headerBytes = type === SIMPLE_PACKET ? 4 : 20;
    if (body.length < headerBytes) this.#fail(offset, "a packet's block is too short");
    const view = viewOf(body);
    const little = this.#little;
    const id = type === SIMPLE_PACKET
      ? 0
      : type === OBSOLETE_PACKET
      ? view.getUint16(0, little)
      : view.getUint32(0, little);
    const from = this.#interfaces[id];
    if (from === undefined) this.#fail(offset, `a packet is of interface ${id}, which was not described`);
    const room = body.length - headerBytes;
    if (type === SIMPLE_PACKET) {
      this.timeless++;
      const originalBytes = view.getUint32(0, little);
      const kept = Math.min(originalBytes, from.snapLength || originalBytes, room);
      return {
        timeNs: this.#lastNs,
        linkType: from.linkType,
        bytes: body.subarray(4, 4 + kept),
        originalBytes,
        offset,
      };
    }
    const kept = view.getUint32(12, little);
    const originalBytes = view.getUint32(16, little);
    if (kept > room) this.#fail(offset, `a packet claims ${kept} bytes in a block that has room for ${room}`);
    const ticks = (BigInt(view.getUint32(4, little)) << 32n) | BigInt(view.getUint32(8, little));
    const timeNs = this.#since(ticks * 1_000_000_000n / from.ticksPerSecond + from.offsetSeconds * 1_000_000_000n);
    return { timeNs, linkType: from.linkType, bytes: body.subarray(20, 20 + kept), originalBytes, offset };
  }
}

/** if_tsresol: a power of ten, or (high bit) of two, of a second. */
function resolution(code: number): bigint {
  return (code & 0x80) !== 0 ? 1n << BigInt(code & 0x7f) : 10n ** BigInt(code & 0x7f);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function magicOf(bytes: Uint8Array, little: boolean): number {
  return viewOf(bytes).getUint32(0, little);
}
