/**
 * Fast Open's cookies (RFC 7413 4.1.2) and option: a server's cookie is SipHash-2-4 of the address pair under its key,
 * eight bytes, as Linux makes it.
 *
 * @module
 */
import type { AddressTable } from "../base/address.ts";
import { sipHash24, stringWords } from "../base/hash.ts";
import { HOST as HOST_ROW } from "../transport/hosts.ts";
import { CONTROL, EXTRA, FAST_OPEN_COOKIE_BYTES, FAST_OPEN_EXPERIMENTAL, PACKET } from "../wire/packet.ts";
import type { PacketPool } from "../wire/packet.ts";
import type { TcpStack } from "./stack.ts";

/** Bytes of the cookies that servers make here (Linux `TCP_FASTOPEN_COOKIE_SIZE`). */
export const SERVER_COOKIE_BYTES = 8;
/** No option. */
export const NO_COOKIE = -1;

/** A cookie, or the want of one: what an option says, or is to say. */
export interface FastOpenCookie {
  /** Bytes, 0 for a request, `NO_COOKIE` for no option. */
  length: number;
  /** The experimental option. */
  experimental: boolean;
  /** The bytes, as words of the wire. */
  readonly words: Int32Array;
}

/** An empty cookie: no option. */
export function newCookie(): FastOpenCookie {
  return { length: NO_COOKIE, experimental: false, words: new Int32Array(4) };
}

/** Makes `into` equal to `from`. */
export function copyCookie(from: FastOpenCookie, into: FastOpenCookie): void {
  into.length = from.length;
  into.experimental = from.experimental;
  into.words.set(from.words);
}

/** Reads a packet's Fast Open option into `into`: no option where there is none, or an illegal one. */
export function readFastOpen(pool: PacketPool, p: number, into: FastOpenCookie): void {
  const o = p * PACKET.STRIDE;
  into.length = NO_COOKIE;
  into.experimental = false;
  if ((pool.rows.words[o + PACKET.CONTROL] & CONTROL.HAS_FAST_OPEN) === 0) return;
  const e = pool.rows.words[o + PACKET.EXTRA] * EXTRA.STRIDE;
  const extras = pool.extras.words;
  const option = extras[e + EXTRA.FAST_OPEN];
  const length = option & 0xff;
  if (length !== 0 && (length < FAST_OPEN_COOKIE_BYTES.LEAST || length > FAST_OPEN_COOKIE_BYTES.MOST)) return;
  into.length = length;
  into.experimental = (option & FAST_OPEN_EXPERIMENTAL) !== 0;
  for (let i = 0; i < 4; i++) into.words[i] = extras[e + EXTRA.FAST_OPEN_COOKIE + i];
}

/** Gives a SYN or SYN-ACK the option. */
export function writeFastOpen(pool: PacketPool, p: number, cookie: FastOpenCookie): void {
  const e = pool.extraOf(p) * EXTRA.STRIDE;
  const extras = pool.extras.words;
  extras[e + EXTRA.FAST_OPEN] = cookie.length | (cookie.experimental ? FAST_OPEN_EXPERIMENTAL : 0);
  // (Beyond its length a cookie is left over from others.)
  for (let i = 0; i < 4; i++) {
    extras[e + EXTRA.FAST_OPEN_COOKIE + i] = cookie.words[i] & wordMask(cookie.length - 4 * i);
  }
  pool.rows.words[p * PACKET.STRIDE + PACKET.CONTROL] |= CONTROL.HAS_FAST_OPEN;
}

/** Are these the same bytes? */
export function sameCookie(a: FastOpenCookie, b: FastOpenCookie): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; 4 * i < a.length; i++) {
    if (((a.words[i] ^ b.words[i]) & wordMask(a.length - 4 * i)) !== 0) return false;
  }
  return true;
}

/** The bits of a word of the wire of which `bytes` bytes count. */
function wordMask(bytes: number): number {
  if (bytes >= 4) return -1;
  return bytes <= 0 ? 0 : ~(0xffffffff >>> (8 * bytes));
}

const BYTES = new Uint8Array(32);
const VIEW = new DataView(BYTES.buffer);
const WORDS = new Int32Array(8);

/** The cookie of a client at `remote` for the server at `local`, under a key of four words (RFC 7413 4.1.2). */
export function serverCookie(
  addresses: AddressTable,
  local: number,
  remote: number,
  key: ArrayLike<number>,
  into: FastOpenCookie,
): void {
  const each = addresses.writeBytes(remote, BYTES, 0);
  addresses.writeBytes(local, BYTES, each);
  const count = each / 2;
  for (let i = 0; i < count; i++) WORDS[i] = VIEW.getInt32(4 * i, true);
  const hash = sipHash24(key[0], key[1], key[2], key[3], WORDS, count);
  into.length = SERVER_COOKIE_BYTES;
  into.experimental = false;
  into.words[0] = swapped(hash.lo);
  into.words[1] = swapped(hash.hi);
  into.words[2] = into.words[3] = 0;
}

/** The bytes of a word in the other order: hashes are little-endian, the wire is not. */
function swapped(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

/**
 * Keys by what was written: `net.ipv4.tcp_fastopen_key`'s form, one key or two. Each is four words, the first that new
 * cookies are made with; a second is honoured.
 */
export function parseFastOpenKeys(text: string): Int32Array[] {
  return text.split(",").map((key) => Int32Array.from(key.split("-"), (word) => parseInt(word, 16)));
}

/** The 16 or 32 bytes of TCP_FASTOPEN_KEY as keys; null for another number of bytes. */
export function keysFromBytes(bytes: Uint8Array): Int32Array[] | null {
  if (bytes.length !== 16 && bytes.length !== 32) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const keys: Int32Array[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    keys.push(Int32Array.from({ length: 4 }, (_, i) => view.getInt32(at + 4 * i, true)));
  }
  return keys;
}

/** The key of a host that was given none: it follows from the run's seed, the host's name and its restarts. */
export function ownKey(stack: TcpStack, host: number): Int32Array {
  const at = host * HOST_ROW.STRIDE;
  const { words } = stack.hosts;
  const label = stringWords("fast open key");
  const key = new Int32Array(4);
  for (let half = 0; half < 2; half++) {
    const hash = sipHash24(
      stack.secret0,
      stack.secret1 ^ half,
      words[at + HOST_ROW.NAME_LO] ^ stack.hosts.bootSalt(host),
      words[at + HOST_ROW.NAME_HI],
      label,
      label.length,
    );
    key[2 * half] = hash.lo;
    key[2 * half + 1] = hash.hi;
  }
  return key;
}
