/**
 * What a handshake hands on from step to step: one object each, so that it allocates nothing. Callers make local
 * constants of them, which fold into machine code as layouts do.
 *
 * @module
 */
import { type FastOpenCookie, newCookie } from "./fast_open_cookie.ts";

/** What is known of a connection before there is a row for it. */
export interface Opening {
  host: number;
  local: number;
  remote: number;
  ports: number;
  listener: number;
  /** Initial sequence numbers, ours and the peer's. */
  iss: number;
  irs: number;
  tsRecent: number;
  tsOffset: number;
  /** As `SYN_ROW.OPTIONS`. */
  options: number;
  serial: number;
}

/** The one that callers fill in, so that a handshake allocates nothing. */
export const OPENING: Opening = {
  host: 0,
  local: 0,
  remote: 0,
  ports: 0,
  listener: 0,
  iss: 0,
  irs: 0,
  tsRecent: 0,
  tsOffset: 0,
  options: 0,
  serial: 0,
};

/** What a SYN or SYN-ACK carries. */
export interface SynOptions {
  mss: number;
  shift: number;
  tsVal: number;
  tsEcr: number;
  /** `CONTROL` bits: which options there are, and DF. */
  control: number;
  /** TTL << 8, and the traffic class. */
  ttlTos: number;
  /** RCV.WND with it; the window field says less if it is large. */
  window: number;
  /** Fast Open's option (RFC 7413), or none. */
  readonly cookie: FastOpenCookie;
}

/** The one set of options that callers fill in, so that a handshake allocates nothing. */
export const SYN_OPTIONS: SynOptions = {
  mss: 0,
  shift: 0,
  tsVal: 0,
  tsEcr: 0,
  control: 0,
  ttlTos: 0,
  window: 0,
  cookie: newCookie(),
};
