/**
 * Congestion control: a small interface behind integer algorithm ids, so that segment processing never changes when
 * an algorithm is added. State beyond CWND and SSTHRESH lives in a private row (`COLD.CC`).
 *
 * @module
 */
import type { TcpStack } from "../stack.ts";
import { COLD, WARM } from "../state/tcb.ts";

/** Numbers of the algorithms. */
export const CONGESTION_ID = { NEWRENO: 0 } as const;

/** An algorithm. The windows are in segments, in `TCB.CWND` and `COLD.SSTHRESH`; a cold row exists at every call. */
export interface CongestionControl {
  /** Its name, as `TCP_CONGESTION` takes it. */
  readonly name: string;
  /** `acked` segments were newly acknowledged (not in recovery) while the window was the limit: grow it. */
  onAck(stack: TcpStack, conn: number, acked: number): void;
  /** The slow-start threshold after a loss, segments, at least 2. Called before CWND changes. */
  ssthreshAfterLoss(stack: TcpStack, conn: number): number;
  /** A retransmission timeout or the end of recovery: forget the epoch. Optional. */
  onEpochEnd?(stack: TcpStack, conn: number): void;
  /** Frees the private row, if there is one. Optional. */
  release?(stack: TcpStack, conn: number): void;
}

const ALGORITHMS: CongestionControl[] = [];

/** Makes an algorithm known under its number. */
export function registerCongestionControl(id: number, algorithm: CongestionControl): void {
  ALGORITHMS[id] = algorithm;
}

/** The algorithm of a connection that has a cold row. */
export function congestionOf(stack: TcpStack, conn: number): CongestionControl {
  const row = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  return ALGORITHMS[(stack.cold.words[row * COLD.STRIDE + COLD.CA_STATE] >> 8) & 0xff];
}
