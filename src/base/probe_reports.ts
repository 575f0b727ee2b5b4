/**
 * What `ping`s and `traceroute`s found, in the run's document.
 *
 * @module
 */

/** One answer to a request. */
export interface ProbeAnswer {
  /** Number of the request, from 1 on. */
  sequence: number;
  /** TTL or hop limit that it was sent with. */
  ttl: number;
  /** Who answered. */
  address: string;
  /** From the request to the answer, ns. */
  rttNs: number;
  /** TTL or hop limit that the answer arrived with. */
  answerTtl: number;
  /** Bytes of ICMP in the answer. */
  bytes: number;
  /** What was answered instead of the echo: `Time to live exceeded`, `Destination Host Unreachable`, …; "" for the echo. */
  error: string;
  /** `Frag needed`: the MTU told. */
  mtu?: number;
}

/** One hop of a path. */
export interface HopReport {
  /** Hops from the source. */
  ttl: number;
  /** Who answered: each address once; none if nobody did. */
  addresses: string[];
  /** Times of the answers, ms; null for a request without one. */
  rttMs: (number | null)[];
  /** What was answered instead of "time exceeded" or the echo; "" for nothing else. */
  error: string;
}

/** What a probe found. */
export interface ProbeReport {
  /** Its name. */
  name: string;
  /** What it was. */
  kind: "ping" | "traceroute";
  /** The host that asked. */
  from: string;
  /** Whom, as declared. */
  to: string;
  /** The address. */
  address: string;
  /** When it began, s. */
  startSeconds: number;
  /** When it ended, s; null if it has not. */
  endSeconds: number | null;
  /** Requests sent. */
  sent: number;
  /** Echo replies. */
  received: number;
  /** ICMP errors. */
  errors: number;
  /** Second answers to one request. */
  duplicates: number;
  /** Share of `ping`'s requests without an echo reply, percent. */
  lossPercent: number;
  /** Times of the echo replies, ms; null where there are none. */
  rttMs: { min: number | null; avg: number | null; max: number | null; mdev: number | null };
  /** `traceroute`: did the destination answer? */
  reached: boolean;
  /** `traceroute`: hops asked. */
  hopCount: number;
  /** `traceroute`: the path. */
  hops: HopReport[];
  /** The answers of a `ping`, in their order. */
  answers: ProbeAnswer[];
  /** As the program of that name prints it. */
  text: string;
}
