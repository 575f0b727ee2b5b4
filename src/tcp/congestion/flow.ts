/**
 * The pleasant way to write a congestion control algorithm: hooks that are given a {@linkcode Flow}, which reads and
 * sets what there is to read and set. `vegas.ts` is an example, docs/congestion.md another.
 *
 * @module
 */
import type { TcpStack } from "../stack.ts";
import { ACK_FLAG, ACK_SAMPLE } from "../state/ack_sample.ts";
import { COLD, SSTHRESH_INFINITE, TCB, WARM } from "../state/tcb.ts";
import { additiveIncrease, renoIncrease, slowStart } from "./newreno.ts";
import { type CongestionControl, congestionId, poolOf, privateRow, registerCongestionControl } from "./types.ts";

const { SND_UNA, SND_NXT, CWND, MSS, STRIDE } = TCB;
const { SRTT, MIN_RTT, COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const { SSTHRESH, CA_STATE, CC, PACKETS_OUT, SACKED_OUT, LOST_OUT, RETRANS_OUT, STRIDE: COLD_STRIDE } = COLD;

/** A state of loss recovery: all is well; duplicates come; CWND is reduced for ECN; losses are repaired; a timeout. */
export type CongestionState = "open" | "disorder" | "cwr" | "recovery" | "loss";
/**
 * Data is sent while nothing was in flight; CWND was reduced after an idle time; a reduction for ECN is complete; a
 * timeout; a segment came in without, with the mark of congestion.
 */
export type CongestionEvent = "tx-start" | "cwnd-restart" | "complete-cwr" | "loss" | "ecn-no-ce" | "ecn-is-ce";

/** In the order of Linux's `tcp_ca_state`. */
const STATES: readonly CongestionState[] = ["open", "disorder", "cwr", "recovery", "loss"];
/** In the order of `CONGESTION_EVENT`. */
const EVENTS: readonly CongestionEvent[] = [
  "tx-start",
  "cwnd-restart",
  "complete-cwr",
  "loss",
  "ecn-no-ce",
  "ecn-is-ce",
];

let attach: (flow: Flow, stack: TcpStack, conn: number) => void;

/**
 * A connection, as its congestion control sees it. Windows are in segments of {@linkcode Flow.mss} bytes, times in µs.
 * It is lent for the time of a call: the next call may be about another connection.
 */
export class Flow {
  #stack!: TcpStack;
  #conn = 0;
  #pool = 0;

  static {
    attach = (flow, stack, conn) => {
      flow.#stack = stack;
      flow.#conn = conn;
    };
  }

  /** For the algorithm with a number. */
  constructor(algorithm: number) {
    this.#pool = algorithm;
  }

  #cold(field: number): number {
    return this.#stack.cold.words[this.#stack.warm[this.#conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE + field];
  }

  /** The congestion window. */
  get cwnd(): number {
    return this.#stack.tcbs.words[this.#conn * STRIDE + CWND];
  }

  set cwnd(segments: number) {
    this.#stack.tcbs.words[this.#conn * STRIDE + CWND] = Math.max(1, Math.min(segments, SSTHRESH_INFINITE));
  }

  /** The slow-start threshold; Infinity before the first loss. */
  get ssthresh(): number {
    const threshold = this.#cold(SSTHRESH);
    return threshold === SSTHRESH_INFINITE ? Infinity : threshold;
  }

  set ssthresh(segments: number) {
    const k = this.#stack.warm[this.#conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
    this.#stack.cold.words[k + SSTHRESH] = Math.max(2, Math.min(segments, SSTHRESH_INFINITE));
  }

  /** Is CWND below the threshold? */
  get inSlowStart(): boolean {
    return this.cwnd < this.#cold(SSTHRESH);
  }

  /** The state of loss recovery. */
  get state(): CongestionState {
    return STATES[this.#cold(CA_STATE) & 0xff];
  }

  /** Segments in flight. */
  get inFlight(): number {
    return this.#cold(PACKETS_OUT) - this.#cold(SACKED_OUT) - this.#cold(LOST_OUT) + this.#cold(RETRANS_OUT);
  }

  /** Bytes in a full segment. */
  get mss(): number {
    return this.#stack.tcbs.words[this.#conn * STRIDE + MSS] & 0xffff;
  }

  /** Smoothed round trip; 0 before the first sample. */
  get srttUs(): number {
    return this.#stack.warm[this.#conn * WARM_STRIDE + SRTT] >> 3;
  }

  /** Least round trip of the last minutes; 0 before the first sample. */
  get minRttUs(): number {
    return this.#stack.warm[this.#conn * WARM_STRIDE + MIN_RTT];
  }

  /** Simulated time. */
  get nowUs(): number {
    return Math.floor(this.#stack.nowNs / 1000);
  }

  /** The round trip that this ACK measured; -1 for none. */
  get rttUs(): number {
    return this.#stack.ackSample[ACK_SAMPLE.RTT_US];
  }

  /** Segments that this ACK showed to be delivered. */
  get delivered(): number {
    return this.#stack.ackSample[ACK_SAMPLE.DELIVERED];
  }

  /** Segments that this ACK showed to be lost. */
  get lost(): number {
    return this.#stack.ackSample[ACK_SAMPLE.LOST];
  }

  /** Did this ACK say that the network has marked a segment (ECE)? */
  get marked(): boolean {
    return (this.#stack.ackSample[ACK_SAMPLE.FLAGS] & ACK_FLAG.ECE) !== 0;
  }

  /** The delivery rate that this ACK measured, bytes per second; -1 for none. Needs `wantsRates`. */
  get deliveryRate(): number {
    const sample = this.#stack.ackSample;
    const us = sample[ACK_SAMPLE.RATE_INTERVAL_US];
    const segments = sample[ACK_SAMPLE.RATE_DELIVERED];
    return segments < 0 || us <= 0 ? -1 : Math.floor(segments * this.mss * 1e6 / us);
  }

  /** Where the next new byte will be sent: to be given to {@linkcode Flow.hasAcknowledged} a round trip later. */
  get sndNxt(): number {
    return this.#stack.tcbs.words[this.#conn * STRIDE + SND_NXT];
  }

  /** Has something from this sequence number on been acknowledged? */
  hasAcknowledged(sequence: number): boolean {
    return ((this.#stack.tcbs.words[this.#conn * STRIDE + SND_UNA] - sequence) | 0) > 0;
  }

  /** Reads one of the algorithm's own words of this connection (a 32-bit integer), 0 before it was set. */
  get(word: number): number {
    const row = this.#cold(CC);
    if (row === 0) return 0;
    const pool = poolOf(this.#stack, this.#pool);
    return pool.words[row * pool.strideWords + word];
  }

  /** Sets one of the algorithm's own words of this connection. */
  set(word: number, value: number): void {
    const row = privateRow(this.#stack, this.#conn);
    const pool = poolOf(this.#stack, this.#pool);
    pool.words[row * pool.strideWords + word] = value;
  }

  /** Slow start for `acked` segments, up to the threshold; returns those left over. */
  slowStart(acked: number): number {
    return slowStart(this.#stack, this.#conn, acked);
  }

  /** One segment more for every `window` segments acknowledged, of which there are `acked` now. */
  additiveIncrease(window: number, acked: number): void {
    additiveIncrease(this.#stack, this.#conn, window, acked);
  }

  /** What Reno does with `acked` segments: slow start, then a segment for every window. */
  renoIncrease(acked: number): void {
    renoIncrease(this.#stack, this.#conn, acked);
  }
}

/** A congestion control algorithm. Every hook but two is optional. All of it must be deterministic. */
export interface CongestionAlgorithm {
  /** Its name, for `congestionControl` in profiles and for `TCP_CONGESTION`. */
  readonly name: string;
  /** How many words of its own it keeps of a connection, for `flow.get` and `flow.set`. Default 16. */
  readonly words?: number;
  /** It reads `flow.deliveryRate`. */
  readonly wantsRates?: boolean;
  /** It needs ECN: asked for and granted whatever the profile says. */
  readonly wantsEcn?: boolean;
  /** `acked` segments were acknowledged while the window was the limit, and not in recovery: let it grow. */
  onAck(flow: Flow, acked: number): void;
  /** Something was lost or marked: the slow-start threshold from now on, at least 2. CWND goes down to it. */
  ssthreshAfterLoss(flow: Flow): number;
  /** A connection begins, goes on after a rest, or was switched to this algorithm. */
  start?(flow: Flow): void;
  /** An ACK delivered something: `flow.rttUs`, `flow.delivered`. Comes before `onAck`. */
  onSample?(flow: Flow): void;
  /** An ACK came. With this hook, the algorithm alone sets CWND, in recovery too, and `onAck` is not called. */
  onControl?(flow: Flow): void;
  /** A reduction was needless: the window to return to. Without it, the one before. */
  undoWindow?(flow: Flow): number;
  /** The state of loss recovery is about to become `state`. */
  onState?(flow: Flow, state: CongestionState): void;
  /** Something happened. */
  onEvent?(flow: Flow, event: CongestionEvent): void;
  /** Bytes per second to pace at; 0 for as fast as the window lets. With this hook, connections are paced. */
  pacingRate?(flow: Flow): number;
}

/**
 * Makes an algorithm known under its name, for every network built from now on.
 *
 * @throws {RangeError} if the name is taken, or empty.
 *
 * @example
 * ```ts
 * import { Network, registerCongestionControl } from "./mod.ts";
 *
 * registerCongestionControl({
 *   name: "steady",
 *   onAck: (flow) => flow.cwnd = 20,
 *   ssthreshAfterLoss: () => 20,
 * });
 * const network = new Network();
 * network.host("server", { address: "192.0.2.1/24", profile: { congestionControl: "steady" } });
 * ```
 */
export function registerAlgorithm(algorithm: CongestionAlgorithm): void {
  if (congestionId(algorithm.name) >= 0) {
    throw new RangeError(`There is a congestion control named ${JSON.stringify(algorithm.name)} already.`);
  }
  const flow = lent(algorithm);
  registerCongestionControl(flow.control);
  flow.flow = new Flow(congestionId(algorithm.name));
}

/** The algorithm behind the stack's interface; hooks that it lacks stay away. */
function lent(algorithm: CongestionAlgorithm): { control: CongestionControl; flow: Flow } {
  const held = { flow: undefined as unknown as Flow, control: undefined as unknown as CongestionControl };
  const of = (stack: TcpStack, conn: number): Flow => {
    attach(held.flow, stack, conn);
    return held.flow;
  };
  const { start, onSample, onControl, undoWindow, onState, onEvent, pacingRate } = algorithm;
  held.control = {
    name: algorithm.name,
    rowWords: algorithm.words,
    wantsRates: algorithm.wantsRates,
    wantsEcn: algorithm.wantsEcn,
    onAck: (stack, conn, acked) => algorithm.onAck(of(stack, conn), acked),
    ssthreshAfterLoss: (stack, conn) => Math.max(2, Math.floor(algorithm.ssthreshAfterLoss(of(stack, conn)))),
    start: start && ((stack, conn) => start.call(algorithm, of(stack, conn))),
    onSample: onSample && ((stack, conn) => onSample.call(algorithm, of(stack, conn))),
    onControl: onControl && ((stack, conn) => onControl.call(algorithm, of(stack, conn))),
    undoWindow: undoWindow && ((stack, conn) => undoWindow.call(algorithm, of(stack, conn))),
    onState: onState && ((stack, conn, state) => onState.call(algorithm, of(stack, conn), STATES[state])),
    onEvent: onEvent && ((stack, conn, event) => onEvent.call(algorithm, of(stack, conn), EVENTS[event])),
    pacingRate: pacingRate && ((stack, conn) => pacingRate.call(algorithm, of(stack, conn))),
  };
  return held;
}
