/**
 * Initial sequence numbers (RFC 6528) and timestamp offsets: a keyed hash of the four-tuple plus a clock of 4 µs.
 * The key is the run's seed and the host's stable name; addresses enter as words of their bytes, never as ids.
 *
 * @module
 */
import * as HASH from "../base/hash.ts";
import { HOST as HOST_ROW } from "../transport/hosts.ts";
import type { TcpStack } from "./stack.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { finalise32, sipHash24Word } = HASH;

const { NAME_LO, NAME_HI, MASK, STRIDE } = HOST_ROW;

const KEY = new Int32Array(3);

/** The keyed hash of a tuple as this host sees it: F of RFC 6528. Give it to the two functions below. */
export function tupleSecret(stack: TcpStack, host: number, local: number, remote: number, ports: number): number {
  KEY[0] = stack.addresses.word(local);
  KEY[1] = stack.addresses.word(remote);
  KEY[2] = ports | 0;
  const words = stack.hosts.words;
  const at = (host * STRIDE) & MASK;
  const nameLo = words[at + NAME_LO] ^ stack.hosts.bootSalt(host);
  return sipHash24Word(stack.secret0, stack.secret1, nameLo, words[at + NAME_HI], KEY, 3);
}

/** RFC 9293 3.4.1 MUST-8, SHLD-1: ISN = M + F(tuple, key), M being a clock of 4 µs. */
export function initialSequence(stack: TcpStack, secret: number): number {
  // The clock wraps modulo 2^32 after 4.77 hours.
  return (Math.floor(stack.nowNs / 4000) + secret) | 0;
}

/** Offset of the timestamp clock: constant for a tuple, so that a new incarnation's clock goes on (RFC 6191). */
export function timestampOffset(secret: number): number {
  return finalise32(secret ^ 0x7453_6f66);
}
