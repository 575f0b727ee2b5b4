/**
 * What a decoder returns for bytes that it cannot accept: a value, never an exception.
 *
 * @module
 */

/** The header that a {@linkcode WireError} speaks of. */
export type WireLayer = "ip" | "ipv4" | "ipv6" | "icmp" | "icmpv6" | "tcp" | "tcp-options" | "udp" | "dns";

/**
 * Why bytes were refused:
 * - `truncated`: fewer bytes than the header or a length field promises;
 * - `version`: the IP version is neither 4 nor 6, or not that of the decoder;
 * - `length`: a length field contradicts the rest (data offset below 5, UDP length other than the datagram's, …);
 * - `checksum`: a checksum does not add up;
 * - `fragment`: an IPv4 fragment, which a packet row cannot hold;
 * - `option`: a TCP option whose length runs past the header or is below 2;
 * - `name`: a domain name that is too long, or whose pointers go round in circles;
 * - `unsupported`: a protocol or an IPv6 extension header that a packet row cannot hold.
 */
export type WireErrorCode =
  | "truncated"
  | "version"
  | "length"
  | "checksum"
  | "fragment"
  | "option"
  | "name"
  | "unsupported";

/** Bytes that were refused, and why. Returned, never thrown. */
export interface WireError {
  /** Marks the value: see {@linkcode isWireError}. */
  readonly kind: "wire-error";
  /** The header at fault. */
  readonly layer: WireLayer;
  /** The reason, for programs. */
  readonly code: WireErrorCode;
  /** The reason, a sentence for people. */
  readonly message: string;
}

/** A {@linkcode WireError} value. */
export function wireError(layer: WireLayer, code: WireErrorCode, message: string): WireError {
  return { kind: "wire-error", layer, code, message };
}

/** Whether what a decoder returned is a {@linkcode WireError}. */
export function isWireError(value: unknown): value is WireError {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "wire-error";
}
