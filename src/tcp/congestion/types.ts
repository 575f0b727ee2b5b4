/**
 * Congestion control: a small interface behind integer algorithm ids, so that segment processing never changes when
 * an algorithm is added. State beyond CWND and SSTHRESH lives in a private row (`COLD.CC`) of the algorithm's pool,
 * which every stack has its own of; so do parameters. A private row pins the cold row: make it when it is needed.
 *
 * Anybody can add one: implement {@linkcode CongestionControl}, give it to {@linkcode registerCongestionControl}, and
 * name it in a profile or with the socket option `TCP_CONGESTION`.
 *
 * @module
 */
import { nearest } from "../../base/errors.ts";
import { RowPool } from "../../store/rows.ts";
import type { TcpStack } from "../stack.ts";
import { COLD, WARM } from "../state/tcb.ts";

const { COLD: COLD_AT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { CA_STATE, CC, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;

/** What {@linkcode CongestionControl.onEvent} is told (Linux's `tcp_ca_event`). */
export const CONGESTION_EVENT = {
  /** Data is sent, and nothing was in flight. */
  TX_START: 0,
  /** CWND was reduced after an idle time. */
  CWND_RESTART: 1,
  /** A reduction of CWND for ECN or local congestion has been completed. */
  COMPLETE_CWR: 2,
  /** A retransmission timeout. */
  LOSS: 3,
  /** A segment without CE arrived; with CE (for algorithms that set `wantsEcn`). */
  ECN_NO_CE: 4,
  ECN_IS_CE: 5,
} as const;

/** An algorithm. Windows are in segments, in `TCB.CWND` and `COLD.SSTHRESH`; a cold row exists at every call. */
export interface CongestionControl {
  /** Its name, as `TCP_CONGESTION` takes it. */
  readonly name: string;
  /** It wants rate samples: every connection gets a `RECOVERY` row. */
  readonly wantsRates?: boolean;
  /** It needs ECN: negotiated whatever the profile says (RFC 8257), and `ECN_*` events. */
  readonly wantsEcn?: boolean;
  /** Words in a private row, for `privateRow`. Default 16. */
  readonly rowWords?: number;
  /**
   * Parameters and their defaults (whole numbers), as `/sys/module/tcp_NAME/parameters` has them. Read them with
   * {@linkcode parametersOf}, in this order; set them with {@linkcode setCongestionParameter}.
   */
  readonly parameters?: Readonly<Record<string, number>>;
  /** A cold row was made for a connection (at first, or after a rest), or it was switched to this algorithm. Optional. */
  start?(stack: TcpStack, conn: number): void;
  /** Every ACK that was looked at in full, before recovery: `stack.ackSample` is filled as far as ACKED, flags and RTT. */
  onAckEvent?(stack: TcpStack, conn: number): void;
  /** Segments were acknowledged or SACKed: ACKED, RTT_US and IN_FLIGHT of `stack.ackSample` (`pkts_acked`). */
  onSample?(stack: TcpStack, conn: number): void;
  /** `acked` segments were acknowledged (not in recovery) while the window was the limit: grow it (`cong_avoid`). */
  onAck(stack: TcpStack, conn: number, acked: number): void;
  /**
   * Sets CWND (and the pacing rate) itself for every ACK, in recovery too, instead of PRR and `onAck` (`cong_control`).
   * The whole of `stack.ackSample` is filled.
   */
  onControl?(stack: TcpStack, conn: number): void;
  /** The slow-start threshold after a loss, segments, at least 2. Called before CWND changes. */
  ssthreshAfterLoss(stack: TcpStack, conn: number): number;
  /** The window to go back to when a reduction was needless. Without it: the larger of CWND and that before. */
  undoWindow?(stack: TcpStack, conn: number): number;
  /** The recovery state (`CA`) is about to become `state`. Optional. */
  onState?(stack: TcpStack, conn: number, state: number): void;
  /** One of `CONGESTION_EVENT`. Optional. */
  onEvent?(stack: TcpStack, conn: number, event: number): void;
  /** Bytes per second to pace at, 0 for not. Without it: what Linux derives from CWND and SRTT, if pacing is on. */
  pacingRate?(stack: TcpStack, conn: number): number;
  /**
   * Does a lone segment and its ACK at rest, in slow start and with the window not the limit, leave nothing to remember?
   * Then none of this is called for them, and there is no cold row (`tcp/lone_flight.ts`). Without it: no.
   */
  overlooksLoneFlights?(stack: TcpStack, conn: number): boolean;
  /** The connection is gone, or switched to another algorithm. The private row is freed after this. Optional. */
  release?(stack: TcpStack, conn: number): void;
}

const ALGORITHMS: CongestionControl[] = [];

/**
 * Makes an algorithm known, and returns its number. Numbers are process-wide and nothing that a result depends on.
 *
 * @throws {RangeError} if the name is taken by another algorithm, is empty, or there are 256 already.
 */
export function registerCongestionControl(algorithm: CongestionControl): number {
  const known = congestionId(algorithm.name);
  if (known >= 0) {
    if (ALGORITHMS[known] === algorithm) return known;
    throw new RangeError(`There is a congestion control named ${JSON.stringify(algorithm.name)} already.`);
  }
  if (algorithm.name === "") throw new RangeError("A congestion control needs a name.");
  if (ALGORITHMS.length === 256) throw new RangeError("There are 256 congestion controls already.");
  return ALGORITHMS.push(algorithm) - 1;
}

/** The number of the algorithm of that name, -1 for none. */
export function congestionId(name: string): number {
  return ALGORITHMS.findIndex((algorithm) => algorithm.name === name);
}

/**
 * Checks that there is an algorithm of that name.
 *
 * @throws {RangeError} a sentence, with the nearest name that there is.
 */
export function checkCongestionControl(name: string): void {
  if (congestionId(name) >= 0) return;
  const near = nearest(name, congestionNames());
  const hint = near === undefined
    ? `there are ${congestionNames().join(", ")}.`
    : `did you mean ${JSON.stringify(near)}?`;
  throw new RangeError(`There is no congestion control named ${JSON.stringify(name)}: ${hint}`);
}

/** The names of all algorithms. */
export function congestionNames(): string[] {
  return ALGORITHMS.map((algorithm) => algorithm.name);
}

/** The algorithm of a number. */
export function congestionById(id: number): CongestionControl {
  return ALGORITHMS[id];
}

/** Has the algorithm of a connection without a cold row nothing to do with a lone flight? */
export function overlooksLoneFlights(stack: TcpStack, conn: number): boolean {
  const algorithm = ALGORITHMS[stack.algorithmOf(conn)];
  return algorithm.overlooksLoneFlights !== undefined && algorithm.overlooksLoneFlights(stack, conn);
}

/** The algorithm of a connection that has a cold row. */
export function congestionOf(stack: TcpStack, conn: number): CongestionControl {
  return ALGORITHMS[numberOf(stack, conn)];
}

function numberOf(stack: TcpStack, conn: number): number {
  const row = stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + COLD_AT];
  return (stack.cold.words[((row * COLD_STRIDE) & COLD_MASK) + CA_STATE] >> 8) & 0xff;
}

/** Switches a connection to the algorithm of a number (`TCP_CONGESTION`). It keeps its windows. */
export function switchCongestion(stack: TcpStack, conn: number, id: number): void {
  const at = stack.coldOf(conn) * COLD_STRIDE + CA_STATE;
  if (numberOf(stack, conn) === id) return;
  releaseCongestion(stack, conn);
  stack.cold.words[at] = (stack.cold.words[at] & ~0xff00) | (id << 8);
  ALGORITHMS[id].start?.(stack, conn);
}

/** Lets a connection's algorithm go, and frees its private row. */
export function releaseCongestion(stack: TcpStack, conn: number): void {
  const id = numberOf(stack, conn);
  ALGORITHMS[id].release?.(stack, conn);
  const at = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE + CC;
  const row = stack.cold.words[at];
  if (row === 0) return;
  stack.cold.words[at] = 0;
  stack.congestionPools[id]!.release(row);
}

/** The connection's private row, made (zeroed) if it has none. The pool's `words` may be replaced. */
export function privateRow(stack: TcpStack, conn: number): number {
  const at = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  const row = stack.cold.words[at + CC];
  if (row !== 0) return row;
  const id = (stack.cold.words[at + CA_STATE] >> 8) & 0xff;
  return stack.cold.words[at + CC] = poolOf(stack, id).allocate();
}

/** The stack's pool of private rows of an algorithm. */
export function poolOf(stack: TcpStack, id: number): RowPool {
  return stack.congestionPools[id] ??= new RowPool({ strideWords: ALGORITHMS[id].rowWords ?? 16, capacity: 16 });
}

/** The values of an algorithm's parameters in a stack, in the order of its `parameters`. */
export function parametersOf(stack: TcpStack, id: number): Int32Array {
  return stack.congestionParameters[id] ??= Int32Array.from(Object.values(ALGORITHMS[id].parameters ?? {}));
}

/**
 * Sets a parameter of an algorithm for all connections of a stack. False if there is no such algorithm or parameter.
 */
export function setCongestionParameter(stack: TcpStack, algorithm: string, parameter: string, value: number): boolean {
  const id = congestionId(algorithm);
  const index = id < 0 ? -1 : Object.keys(ALGORITHMS[id].parameters ?? {}).indexOf(parameter);
  if (index < 0) return false;
  parametersOf(stack, id)[index] = value;
  return true;
}

/** A parameter of an algorithm, -1 if there is none. */
export function congestionParameter(stack: TcpStack, algorithm: string, parameter: string): number {
  const id = congestionId(algorithm);
  const index = id < 0 ? -1 : Object.keys(ALGORITHMS[id].parameters ?? {}).indexOf(parameter);
  return index < 0 ? -1 : parametersOf(stack, id)[index];
}
