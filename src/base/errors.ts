/**
 * Error numbers that a socket user knows by name, and the error classes of everything that people write by hand.
 *
 * @module
 */

/**
 * Error numbers. A function of the API returns a value of 0 or more, or `-ERRNO.X`. The numbers are fourtuple's own,
 * not an operating system's: only the names carry meaning outside.
 */
export const ERRNO = {
  /** The peer answered the SYN with a reset, or an ICMP port unreachable. */
  ECONNREFUSED: 1,
  /** The peer reset the connection. */
  ECONNRESET: 2,
  /** Retransmissions or keep-alive probes went unanswered. */
  ETIMEDOUT: 3,
  /** No local port is free for this destination, or the address is not the host's. */
  EADDRNOTAVAIL: 4,
  /** The local address and port are taken. */
  EADDRINUSE: 5,
  /** An ICMP host unreachable, or no route behind the first hop. */
  EHOSTUNREACH: 6,
  /** No route to the network. */
  ENETUNREACH: 7,
  /** The process has no file descriptor left. */
  EMFILE: 8,
  /** No buffer space is left. */
  ENOBUFS: 9,
  /** No memory is left. */
  ENOMEM: 10,
  /** Written to a connection whose writing side is shut down. */
  EPIPE: 11,
  /** An argument makes no sense here. */
  EINVAL: 12,
  /** The socket is not connected. */
  ENOTCONN: 13,
  /** The socket is already connected. */
  EISCONN: 14,
  /** Nothing to do now: try again after the next event. */
  EAGAIN: 15,
  /** The connection was given up on this side before it was accepted. */
  ECONNABORTED: 16,
  /** A datagram is longer than the path carries. */
  EMSGSIZE: 17,
  /** The peer broke the protocol. */
  EPROTO: 18,
  /** There is nothing of that name. */
  ENOENT: 19,
  /** The operation is not supported, or not allowed. */
  EOPNOTSUPP: 20,
  /** An ICMP protocol unreachable. */
  ENOPROTOOPT: 21,
  /** An ICMP destination host unknown. */
  EHOSTDOWN: 22,
  /** An ICMP source host isolated. */
  ENONET: 23,
  /** An ICMPv6 error that says that the destination is forbidden. */
  EACCES: 24,
  /** A name could not be resolved: no server answered, or it failed (getaddrinfo's EAI_AGAIN). */
  EAI_AGAIN: 25,
  /** There is no such name. */
  EAI_NONAME: 26,
  /** The name has no address of a family that the host has. */
  EAI_NODATA: 27,
  /** The host is down. */
  ENETDOWN: 28,
} as const;

/** The name of an error number: `"ECONNREFUSED"`. */
export type ErrnoName = keyof typeof ERRNO;

const NAMES: ErrnoName[] = [];
for (const name of Object.keys(ERRNO) as ErrnoName[]) NAMES[ERRNO[name]] = name;

/** The name of an error number, which may be given negated (as functions return it). Unknown: `"E?"` and the number. */
export function errnoName(n: number): string {
  return NAMES[Math.abs(n)] ?? `E?${n}`;
}

/** A failed socket call or connection, for those who prefer exceptions. */
export class SocketError extends Error {
  /** What happened, by the name that a socket user knows. */
  declare readonly code: ErrnoName;

  /** `detail` says what was tried: `"connect 10.0.0.2:80"`. */
  constructor(code: ErrnoName, detail?: string) {
    super(detail === undefined ? code : `${code}: ${detail}`);
    this.name = "SocketError";
    this.code = code;
  }
}

/** Where in an input an {@linkcode InputError} lies; what is not known is left out. */
export interface InputPosition {
  /** The file's name. */
  file?: string;
  /** Line, from 1. */
  line?: number;
  /** Column, from 1. */
  column?: number;
  /** Path of the value within the document: `"hosts[3].address"`. */
  path?: string;
}

/** A mistake in what somebody wrote (a scenario, a flag, a script). The message is a whole sentence, fit to print alone. */
export class InputError extends Error implements InputPosition {
  /** The file's name, if known. */
  readonly file?: string;
  /** Line, from 1, if known. */
  readonly line?: number;
  /** Column, from 1, if known. */
  readonly column?: number;
  /** Path of the value within the document, if known. */
  readonly path?: string;

  /** `message` is the whole sentence; `position` is kept in fields and not added to the message. */
  constructor(message: string, position: InputPosition = {}) {
    super(message);
    this.name = "InputError";
    this.file = position.file;
    this.line = position.line;
    this.column = position.column;
    this.path = position.path;
  }
}

/**
 * The candidate that `name` was probably meant to be: the one at the smallest edit distance (insertions, deletions,
 * replacements, neighbours swapped; letter case counts only between equals), if that is at most
 * `max(2, name.length / 3)` and the two have something in common. The first of several equally near.
 *
 * @example
 * ```ts
 * import { nearest } from "./errors.ts";
 * nearest("ephemeralPortsLow", ["ephemeralPortLow", "ephemeralPortHigh"]); // "ephemeralPortLow"
 * ```
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const lower = name.toLowerCase();
  const limit = Math.max(2, name.length / 3);
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const plain = editDistance(lower, candidate.toLowerCase());
    if (plain > limit || plain >= Math.max(name.length, candidate.length)) continue;
    // Below 1: letter case only breaks ties.
    const distance = plain + Math.min(0.9, editDistance(name, candidate) / 100);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Edit distance with swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(last[j] + 1, row[j - 1] + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, beforeLast[j - 2] + 1);
      }
      row[j] = least;
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}
