/** What the worlds of TCP tests take and show. */
import type { Profile } from "../../src/transport/profile.ts";

/** A segment as tests read and write it. Sequence numbers are unsigned. */
export interface Segment {
  flags: string;
  seq: number;
  ack: number;
  length: number;
  window: number;
  mss?: number;
  shift?: number;
  sackPermitted?: boolean;
  tsVal?: number;
  tsEcr?: number;
  /** Urgent pointer, with URG. */
  urgent?: number;
  /** Fast Open's cookie in hexadecimal digits, "" for a request; `x:` before it for the experimental option. */
  cookie?: string;
  /** SACK blocks: left and right edges. */
  sack?: [number, number][];
  srcPort: number;
  dstPort: number;
  ttl: number;
  trafficClass: number;
  /** Without DF. */
  mayFragment?: true;
  /** ns. */
  time: number;
  /** Sending host, 0 for the raw peer. */
  from: number;
}

export interface PipeOptions {
  delayNs?: number;
  loss?: number;
  duplicate?: number;
  reorder?: number;
  /** Extra delay of a reordered or duplicated packet, at most, ns. */
  reorderNs?: number;
  /** Return true to drop the segment. */
  drop?: (segment: Segment) => boolean;
}

export interface WorldOptions {
  seed?: number;
  profileA?: Partial<Profile>;
  profileB?: Partial<Profile>;
  pipe?: PipeOptions;
  ipv6?: boolean;
  startNs?: number;
}
