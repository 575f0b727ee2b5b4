/** Packet rows for property tests: described as plain values, built into a pool, read back for comparison. */
import fc from "fast-check";
import { AddressTable, type IpAddress, parseAddress } from "../../../src/base/address.ts";
import { CONTROL, EXTRA, PACKET, PacketPool, PROTOCOL, TCP_FLAG } from "../../../src/wire/packet.ts";
import type { Quote } from "../../../src/wire/row_quote.ts";

/** A packet as a plain value. Numbers unsigned. */
export interface RowSpec {
  source: IpAddress;
  destination: IpAddress;
  ports: number;
  sequence: number;
  acknowledgement: number;
  control: number;
  window: number;
  ttl: number;
  trafficClass: number;
  length: number;
  timestampValue: number;
  timestampEcho: number;
  mss: number;
  windowScale: number;
  urgent: number;
  sack: number[];
  payload?: Uint8Array;
  quoted?: Quote;
}

/** A SYN over IPv4, as Linux sends it but for its options. */
export const SYN_ROW: RowSpec = {
  source: parseAddress("10.0.0.2"),
  destination: parseAddress("192.0.2.1"),
  ports: (32768 << 16 | 443) >>> 0,
  sequence: 123,
  acknowledgement: 0,
  control: PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT | TCP_FLAG.SYN | CONTROL.DONT_FRAGMENT,
  window: 64240,
  ttl: 64,
  trafficClass: 0,
  length: 0,
  timestampValue: 1,
  timestampEcho: 0,
  mss: 1460,
  windowScale: 7,
  urgent: 0,
  sack: [],
};

/** A pool and an address table of a test's own. */
export interface World {
  pool: PacketPool;
  addresses: AddressTable;
}

/** An empty world. */
export function world(): World {
  return { pool: new PacketPool({ capacity: 16 }), addresses: new AddressTable() };
}

/** Any 32-bit word, unsigned, edges often. */
export const anyU32 = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe),
);
/** Any 16-bit word. */
export const anyU16 = fc.integer({ min: 0, max: 0xffff });
/** Any byte. */
export const anyU8 = fc.integer({ min: 0, max: 0xff });
/** Any address of a family. */
export function anyAddress(family: 4 | 6): fc.Arbitrary<IpAddress> {
  const count = family === 4 ? 1 : 4;
  return fc.array(anyU32, { minLength: count, maxLength: count }).map((words) => ({ family, words }));
}

const BLANK = {
  acknowledgement: 0,
  window: 0,
  timestampValue: 0,
  timestampEcho: 0,
  mss: 0,
  windowScale: 0,
  urgent: 0,
  sack: [],
};

/** Lengths of payload: mostly short, sometimes a full segment. */
const anyLength = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 1460 }));

/** Real bytes that no virtual payload holds. */
function anyRealBytes(maxLength: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: 1, maxLength }).map((bytes) => {
    bytes[0] |= 0x80;
    return bytes;
  });
}

const anyPayload = fc.oneof(
  anyLength.map((length) => ({ length, payload: undefined as Uint8Array | undefined })),
  anyRealBytes(200).map((payload) => ({ length: payload.length, payload: payload as Uint8Array | undefined })),
);

const anyFamily = fc.constantFrom<4 | 6>(4, 6);

function ipPart(family: 4 | 6) {
  return fc.record({
    source: anyAddress(family),
    destination: anyAddress(family),
    ttl: anyU8,
    trafficClass: anyU8,
    df: fc.boolean().map((df) => df && family === 4 ? CONTROL.DONT_FRAGMENT : 0),
  });
}

/** Any TCP row that its 40 bytes of options can express. */
export const anyTcpRow: fc.Arbitrary<RowSpec> = anyFamily.chain((family) =>
  fc.record({
    ip: ipPart(family),
    data: anyPayload,
    ports: anyU32,
    sequence: anyU32,
    acknowledgement: anyU32,
    flags: fc.integer({ min: 0, max: 0x1ff }),
    window: anyU16,
    urgent: fc.oneof(fc.constant(0), anyU16),
    timestamps: fc.option(fc.tuple(anyU32, anyU32)),
    mss: fc.option(anyU16),
    windowScale: fc.option(anyU8),
    sackPermitted: fc.boolean(),
    sack: fc.array(fc.tuple(anyU32, anyU32), { maxLength: 4 }),
  }).map(({ ip, data, timestamps, mss, windowScale, sackPermitted, sack, flags, ...rest }) => {
    const others = (mss === null ? 0 : 4) + (timestamps !== null ? 12 : sackPermitted ? 4 : 0) +
      (windowScale === null ? 0 : 4);
    const blocks = sack.slice(0, (36 - others) >> 3);
    const { df, ...header } = ip;
    return {
      ...BLANK,
      ...header,
      ...rest,
      ...data,
      mss: mss ?? 0,
      windowScale: windowScale ?? 0,
      timestampValue: timestamps?.[0] ?? 0,
      timestampEcho: timestamps?.[1] ?? 0,
      sack: blocks.flat(),
      control: PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT | flags | df |
        (mss === null ? 0 : CONTROL.HAS_MSS) | (windowScale === null ? 0 : CONTROL.HAS_WINDOW_SCALE) |
        (timestamps === null ? 0 : CONTROL.HAS_TIMESTAMPS) | (sackPermitted ? CONTROL.HAS_SACK_PERMITTED : 0) |
        (blocks.length === 0 ? 0 : CONTROL.HAS_SACK) | (data.payload ? CONTROL.REAL_PAYLOAD : 0),
    };
  })
);

/** Any UDP row. */
export const anyUdpRow: fc.Arbitrary<RowSpec> = anyFamily.chain((family) =>
  fc.record({ ip: ipPart(family), data: anyPayload, ports: anyU32 }).map(({ ip: { df, ...header }, data, ports }) => ({
    ...BLANK,
    ...header,
    ...data,
    ports,
    sequence: 0,
    control: PROTOCOL.UDP << CONTROL.PROTOCOL_SHIFT | df | (data.payload ? CONTROL.REAL_PAYLOAD : 0),
  }))
);

/** Any ICMP or ICMPv6 row that is not an error. */
export const anyEchoRow: fc.Arbitrary<RowSpec> = anyFamily.chain((family) =>
  fc.record({
    ip: ipPart(family),
    data: anyPayload,
    type: family === 4 ? fc.constantFrom(0, 8, 13, 17, 40) : fc.constantFrom(128, 129, 135, 200),
    code: anyU8,
    sequence: anyU32,
  }).map(({ ip: { df, ...header }, data, type, code, sequence }) => ({
    ...BLANK,
    ...header,
    ...data,
    sequence,
    ports: (type << 24 | code << 16) >>> 0,
    control: (family === 4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6) << CONTROL.PROTOCOL_SHIFT | df |
      (data.payload ? CONTROL.REAL_PAYLOAD : 0),
  }))
);

/** Any ICMP or ICMPv6 error, with 8 bytes or more of the quoted transport header. */
export const anyErrorRow: fc.Arbitrary<RowSpec> = anyFamily.chain((family) =>
  fc.record({
    ip: ipPart(family),
    inner: ipPart(family),
    type: family === 4 ? fc.constantFrom(3, 4, 5, 11, 12) : fc.constantFrom(1, 2, 3, 4),
    code: anyU8,
    sequence: anyU32,
    protocol: fc.constantFrom<number>(
      PROTOCOL.TCP,
      PROTOCOL.UDP,
      family === 4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6,
      47,
    ),
    ports: anyU32,
    quotedSequence: anyU32,
    quotedLength: fc.integer({ min: 0, max: 1460 }),
    flags: fc.integer({ min: 0, max: 0x1ff }),
    window: anyU16,
    more: fc.constantFrom(8, 20, 64),
  }).map((a) => {
    const { df, ...header } = a.ip;
    const tcp = a.protocol === PROTOCOL.TCP;
    const icmp = a.protocol === PROTOCOL.ICMP || a.protocol === PROTOCOL.ICMPV6;
    const whole = tcp && a.more >= 20;
    return {
      ...BLANK,
      ...header,
      sequence: a.sequence,
      ports: (a.type << 24 | a.code << 16) >>> 0,
      length: (family === 4 ? 20 : 40) + a.more,
      control: (family === 4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6) << CONTROL.PROTOCOL_SHIFT | df | CONTROL.QUOTES,
      quoted: {
        source: a.inner.source,
        destination: a.inner.destination,
        ports: icmp ? (a.ports & 0xffff0000) >>> 0 : tcp || a.protocol === PROTOCOL.UDP ? a.ports : 0,
        sequence: tcp || icmp ? a.quotedSequence : 0,
        control: a.protocol << CONTROL.PROTOCOL_SHIFT | a.inner.df | (whole ? a.flags : 0),
        length: a.quotedLength,
        windowTtlTos: ((whole ? a.window << 16 : 0) | a.inner.ttl << 8 | a.inner.trafficClass) >>> 0,
      },
    };
  })
);

/** Any row that the wire can carry. */
export const anyRow: fc.Arbitrary<RowSpec> = fc.oneof(anyTcpRow, anyTcpRow, anyUdpRow, anyEchoRow, anyErrorRow);

/** Builds the row. */
export function buildRow({ pool, addresses }: World, spec: RowSpec): number {
  const p = pool.allocate();
  const row = p * PACKET.STRIDE;
  const words = pool.rows.words;
  words[row + PACKET.SRC] = addresses.intern(spec.source);
  words[row + PACKET.DST] = addresses.intern(spec.destination);
  words[row + PACKET.PORTS] = spec.ports;
  words[row + PACKET.SEQ] = spec.sequence;
  words[row + PACKET.ACK] = spec.acknowledgement;
  words[row + PACKET.CONTROL] = spec.control;
  words[row + PACKET.WINDOW_TTL_TOS] = spec.window << 16 | spec.ttl << 8 | spec.trafficClass;
  words[row + PACKET.LENGTH] = spec.length;
  words[row + PACKET.TS_VAL] = spec.timestampValue;
  words[row + PACKET.TS_ECR] = spec.timestampEcho;
  words[row + PACKET.SYN_OPTIONS] = spec.mss | spec.windowScale << 16;
  const { payload, quoted, sack, urgent } = spec;
  if (payload || quoted || sack.length > 0 || urgent !== 0) {
    const extra = pool.extraOf(p) * EXTRA.STRIDE;
    const extras = pool.extras.words;
    extras[extra + EXTRA.URGENT] = urgent;
    extras[extra + EXTRA.SACK_COUNT] = sack.length / 2;
    sack.forEach((edge, i) => extras[extra + EXTRA.SACK + i] = edge);
    if (payload) extras[extra + EXTRA.PAYLOAD] = pool.payloads.put(payload);
    if (quoted) {
      extras[extra + EXTRA.QUOTED_SRC] = addresses.intern(quoted.source);
      extras[extra + EXTRA.QUOTED_DST] = addresses.intern(quoted.destination);
      extras[extra + EXTRA.QUOTED_PORTS] = quoted.ports;
      extras[extra + EXTRA.QUOTED_SEQ] = quoted.sequence;
      extras[extra + EXTRA.QUOTED_CONTROL] = quoted.control;
      extras[extra + EXTRA.QUOTED_LENGTH] = quoted.length;
      extras[extra + EXTRA.QUOTED_WINDOW_TTL_TOS] = quoted.windowTtlTos;
    }
  }
  return p;
}

/** What the wire carries of a row: its words up to `SYN_OPTIONS`, its extra words and its real payload bytes. */
export function rowContent({ pool }: World, p: number): { words: number[]; extra: number[]; payload: number[] } {
  const row = p * PACKET.STRIDE;
  const words = [...pool.rows.words.subarray(row, row + PACKET.LINK)];
  const extraRow = pool.rows.words[row + PACKET.EXTRA];
  if (extraRow === 0) return { words, extra: new Array(EXTRA.STRIDE - 2).fill(0), payload: [] };
  const at = extraRow * EXTRA.STRIDE;
  const handle = pool.extras.words[at + EXTRA.PAYLOAD];
  return {
    words,
    extra: [...pool.extras.words.subarray(at + EXTRA.URGENT, at + EXTRA.STRIDE)],
    payload: handle === 0 ? [] : [...pool.payloads.get(handle)],
  };
}

/** Bytes from hexadecimal text; white space is ignored. */
export function fromHex(hex: string): Uint8Array {
  const digits = hex.replace(/\s+/g, "");
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}
