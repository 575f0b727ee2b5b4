/**
 * From a captured frame to its TCP segment: link headers, VLAN tags, IP options and extension headers are walked over.
 * Captures are cut short (snap length) and made before network cards filled in checksums, so lengths come from the
 * headers and no checksum is looked at.
 *
 * @module
 */
import { addressFromBytes, type IpAddress } from "../base/address.ts";
import { readI32, readU16 } from "./bytes.ts";
import type { CaptureRecord } from "./capture_reader.ts";
import { PROTOCOL } from "./packet.ts";
import { TCP_OPTION } from "./tcp_options.ts";

/** A TCP segment of a capture. Sequence numbers are unsigned. */
export interface CapturedSegment {
  source: IpAddress;
  destination: IpAddress;
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  acknowledgement: number;
  /** As `TCP_FLAG`. */
  flags: number;
  /** As on the wire, not scaled. */
  window: number;
  urgent: number;
  /** Bytes of payload that the packet had, kept or not. */
  length: number;
  /** The options that the capture kept, undecoded; valid until the next record is read. */
  options: Uint8Array;
  /** Traffic class. */
  trafficClass: number;
  /** TTL or hop limit. */
  ttl: number;
  /** IPv4's identification, 0 for IPv6: a packet that is sent again has another one (RFC 6864). */
  identification: number;
}

/** What a captured frame was, where it is no TCP segment. */
export type NoSegment = "fragment" | "other" | "cut" | "malformed" | "link-type";

/** Link types that are read, and what they are called. */
export const CAPTURE_LINK_TYPES: ReadonlyMap<number, string> = new Map([
  [0, "NULL"],
  [1, "ETHERNET"],
  [12, "RAW"],
  [14, "RAW"],
  [101, "RAW"],
  [108, "LOOP"],
  [113, "LINUX_SLL"],
  [228, "IPV4"],
  [229, "IPV6"],
  [276, "LINUX_SLL2"],
]);

const ETHERTYPE = { IPV4: 0x0800, IPV6: 0x86dd, PPPOE: 0x8864 } as const;
const VLAN_TYPES = [0x8100, 0x88a8, 0x9100, 0x9200];
/** IPv6 extension headers whose length counts 8 bytes beyond the first 8 (RFC 8200, RFC 6275, 7401, 5533). */
const EXTENSIONS = [0, 43, 60, 135, 139, 140];
const FRAGMENT = 44;
const AUTHENTICATION = 51;

/** The segment in a record, or what it is instead. */
export function capturedSegment(record: CaptureRecord): CapturedSegment | NoSegment {
  const { bytes, linkType } = record;
  if (!CAPTURE_LINK_TYPES.has(linkType)) return "link-type";
  const at = networkHeader(bytes, linkType);
  if (at < 0) return at === CUT ? "cut" : "other";
  if (at >= bytes.length) return "cut";
  const version = bytes[at] >>> 4;
  if (version === 4) return ipv4(record, at);
  if (version === 6) return ipv6(record, at);
  return "malformed";
}

const OTHER = -1;
const CUT = -2;

/** Where the IP header begins, `OTHER` or `CUT`. */
function networkHeader(bytes: Uint8Array, linkType: number): number {
  switch (linkType) {
    case 0:
    case 108:
      return bytes.length < 4 ? CUT : familyOf(bytes) ? 4 : OTHER;
    case 1:
      return bytes.length < 14 ? CUT : afterEthertype(bytes, 12);
    case 113:
      return bytes.length < 16 ? CUT : afterEthertype(bytes, 14);
    case 276:
      if (bytes.length < 20) return CUT;
      // The protocol stands first; a tag's two words, if there are some, follow the header.
      return VLAN_TYPES.includes(readU16(bytes, 0)) ? afterTags(bytes, 20) : ipOrOther(readU16(bytes, 0), bytes, 20);
    default:
      return 0;
  }
}

/** NULL and LOOP: an address family of either byte order; AF_INET, and what systems call AF_INET6. */
function familyOf(bytes: Uint8Array): boolean {
  const family = bytes[0] === 0 && bytes[1] === 0 ? readU16(bytes, 2) : bytes[1] << 8 | bytes[0];
  return [2, 10, 23, 24, 28, 30].includes(family);
}

function afterEthertype(bytes: Uint8Array, at: number): number {
  const type = readU16(bytes, at);
  return VLAN_TYPES.includes(type) ? afterTags(bytes, at + 2) : ipOrOther(type, bytes, at + 2);
}

/** Behind a tag's type: its two bytes, then another type. */
function afterTags(bytes: Uint8Array, at: number): number {
  return at + 4 > bytes.length ? CUT : afterEthertype(bytes, at + 2);
}

function ipOrOther(type: number, bytes: Uint8Array, at: number): number {
  if (type === ETHERTYPE.IPV4 || type === ETHERTYPE.IPV6) return at;
  if (type !== ETHERTYPE.PPPOE) return OTHER;
  if (at + 8 > bytes.length) return CUT;
  const protocol = readU16(bytes, at + 6);
  return protocol === 0x21 || protocol === 0x57 ? at + 8 : OTHER;
}

function ipv4(record: CaptureRecord, at: number): CapturedSegment | NoSegment {
  const { bytes, originalBytes } = record;
  if (bytes.length < at + 20) return "cut";
  const headerBytes = (bytes[at] & 15) * 4;
  // Offloaded segments are seen before their length was filled in.
  const total = readU16(bytes, at + 2) || Math.max(0, originalBytes - at);
  if (headerBytes < 20 || total < headerBytes) return "malformed";
  if ((readU16(bytes, at + 6) & 0x3fff) !== 0) return "fragment";
  if (bytes[at + 9] !== PROTOCOL.TCP) return "other";
  return tcp(bytes, at + headerBytes, at + total, {
    source: addressFromBytes(bytes.subarray(at + 12, at + 16)),
    destination: addressFromBytes(bytes.subarray(at + 16, at + 20)),
    trafficClass: bytes[at + 1],
    ttl: bytes[at + 8],
    identification: readU16(bytes, at + 4),
  });
}

function ipv6(record: CaptureRecord, begin: number): CapturedSegment | NoSegment {
  const { bytes, originalBytes } = record;
  if (bytes.length < begin + 40) return "cut";
  const end = begin + 40 + (readU16(bytes, begin + 4) || Math.max(0, originalBytes - begin - 40));
  let next = bytes[begin + 6];
  let at = begin + 40;
  while (next !== PROTOCOL.TCP) {
    const isExtension = EXTENSIONS.includes(next);
    if (!isExtension && next !== FRAGMENT && next !== AUTHENTICATION) return "other";
    if (bytes.length < at + 8) return "cut";
    if (next === FRAGMENT && (readU16(bytes, at + 2) & 0xfff9) !== 0) return "fragment";
    const length = next === FRAGMENT ? 8 : next === AUTHENTICATION ? (bytes[at + 1] + 2) * 4 : (bytes[at + 1] + 1) * 8;
    next = bytes[at];
    at += length;
    if (at > end) return "malformed";
  }
  return tcp(bytes, at, end, {
    source: addressFromBytes(bytes.subarray(begin + 8, begin + 24)),
    destination: addressFromBytes(bytes.subarray(begin + 24, begin + 40)),
    trafficClass: (bytes[begin] & 15) << 4 | bytes[begin + 1] >>> 4,
    ttl: bytes[begin + 7],
    identification: 0,
  });
}

function tcp(
  bytes: Uint8Array,
  at: number,
  end: number,
  ip: Pick<CapturedSegment, "source" | "destination" | "trafficClass" | "ttl" | "identification">,
): CapturedSegment | NoSegment {
  if (end < at + 20) return "malformed";
  if (bytes.length < at + 20) return "cut";
  const headerBytes = bytes[at + 12] >>> 4 << 2;
  if (headerBytes < 20 || end < at + headerBytes) return "malformed";
  return {
    ...ip,
    sourcePort: readU16(bytes, at),
    destinationPort: readU16(bytes, at + 2),
    sequence: readI32(bytes, at + 4) >>> 0,
    acknowledgement: readI32(bytes, at + 8) >>> 0,
    flags: readU16(bytes, at + 12) & 0x1ff,
    window: readU16(bytes, at + 14),
    urgent: readU16(bytes, at + 18),
    length: end - at - headerBytes,
    options: bytes.subarray(at + 20, Math.min(bytes.length, at + headerBytes)),
  };
}

/** The bytes of an option of this kind, without kind and length; undefined where there is none. */
export function findOption(options: Uint8Array, kind: number): Uint8Array | undefined {
  for (let at = 0; at < options.length && options[at] !== TCP_OPTION.END;) {
    if (options[at] === TCP_OPTION.NOP) {
      at++;
      continue;
    }
    const length = options[at + 1];
    if (!(length >= 2) || at + length > options.length) return undefined;
    if (options[at] === kind) return options.subarray(at + 2, at + length);
    at += length;
  }
  return undefined;
}
