/**
 * BBR, version 1 (Cardwell, Cheng, Gunn, Yeganeh and Jacobson, "BBR: congestion-based congestion control", ACM Queue
 * 14(5), 2016), with what Linux has added: it models the path by its bottleneck bandwidth and its propagation delay,
 * paces at the one, and keeps in flight the product of both and a little more.
 *
 * Every ACK updates the model (`onControl`); rate samples come from recovery. The phase at which a connection begins to
 * probe is drawn from its host's name, its serial number and the count of such draws.
 *
 * @module
 */
import { drawFraction } from "../../base/rng.ts";
import { HOST } from "../../transport/hosts.ts";
import type { TcpStack } from "../stack.ts";
import { ACK_FLAG, ACK_SAMPLE } from "../state/ack_sample.ts";
import { RECOVERY } from "../state/recovery_row.ts";
import { CA, COLD, SSTHRESH_INFINITE, TCB, WARM } from "../state/tcb.ts";
import { deliveredOf, isApplicationLimited, resetLongTerm, sampleLongTerm } from "./bbr_policer.ts";
import {
  BANDWIDTH_ONE,
  BANDWIDTH_ROUNDS,
  BBR_FLAG,
  BBR_MODE,
  BBR_ROW,
  CYCLE,
  DRAIN_GAIN,
  FIRST_PHASES,
  GAIN_ONE,
  HIGH_GAIN,
  LEAST_WINDOW,
  MIN_RTT_MS,
  PACED_US,
  PROBE_RTT_MS,
  STEADY_WINDOW_GAIN,
} from "./bbr_state.ts";
import { CONGESTION_EVENT, type CongestionControl, poolOf, privateRow, registerCongestionControl } from "./types.ts";
import { currentMax, resetMax, updateMax } from "./windowed_max.ts";

const { CWND, MSS, HOST: HOST_AT, STRIDE } = TCB;
const { SRTT, MIN_RTT, SERIAL, COLD: COLD_AT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { CC, SSTHRESH, CA_STATE, PACKETS_OUT, SACKED_OUT, LOST_OUT, RETRANS_OUT, STRIDE: COLD_STRIDE } = COLD;
const R = BBR_ROW;
const { STARTUP, DRAIN, PROBE_BW, PROBE_RTT } = BBR_MODE;
const { ROUND_START, IDLE_RESTART, PROBE_RTT_ROUND, CONSERVE, FULL, SEEN_RTT, LONG_USED } = BBR_FLAG;
const { DELIVERED, LOST, RTT_US, PRIOR_IN_FLIGHT, RATE_DELIVERED, RATE_INTERVAL_US, PRIOR_DELIVERED } = ACK_SAMPLE;

/** Initial window (Linux `TCP_INIT_CWND`): what is sent before a round trip is known. */
const INITIAL_WINDOW = 10;
/** Growth that keeps STARTUP going, 1/256, and rounds without it that end it. */
const FULL_GROWTH = 320;
const FULL_ROUNDS = 3;
/** Draws of a connection that are told apart. */
const DRAWS = 2 ** 20;
/** Rounds of a window of ACK aggregation, most segments of an epoch, and most that aggregation adds, µs of bandwidth. */
const EXTRA_ROUNDS = 5;
const LONGEST_EPOCH = 2 ** 20;
const MOST_EXTRA_US = 100_000;
/** Below this pacing rate (bytes/s) bursts are of one segment, from it on of two at least; a burst lasts 1/1024 s. */
const SINGLE_RATE = 150_000;
const LARGEST_BURST_BYTES = 65_215;
const LARGEST_BURST = 127;

/** See the module's description. */
export const BBR: CongestionControl = {
  name: "bbr",
  wantsRates: true,
  rowWords: R.STRIDE,
  start(stack, conn) {
    stack.recoveryOf(conn);
    const at = privateRow(stack, conn) * R.STRIDE;
    const rows = poolOf(stack, BBR_ID).words;
    const w = (conn * WARM_STRIDE) & WARM_MASK;
    stack.cold.words[stack.warm[w + COLD_AT] * COLD_STRIDE + SSTHRESH] = SSTHRESH_INFINITE;
    rows.fill(0, at, at + R.STRIDE);
    rows[at + R.MIN_RTT_US] = stack.warm[w + MIN_RTT] || -1;
    rows[at + R.MIN_RTT_STAMP] = stack.nowMs;
    resetMax(rows, at + R.BANDWIDTH, 0, 0);
    rows[at + R.PRIOR_STATE] = CA.OPEN;
    rows[at + R.ACK_EPOCH_US] = stack.nowUs;
    resetLongTerm(stack, conn, rows, at);
    rows[at + R.PACING_GAIN] = rows[at + R.WINDOW_GAIN] = HIGH_GAIN;
    setFirstRate(stack, conn, rows, at);
  },
  // `onControl` does it.
  onAck() {},
  onControl(stack, conn) {
    const at = rowAt(stack, conn);
    const rows = poolOf(stack, BBR_ID).words;
    updateBandwidth(stack, conn, rows, at);
    updateAggregation(stack, conn, rows, at);
    if (rows[at + R.MODE] === PROBE_BW && isPhaseOver(stack, conn, rows, at)) nextPhase(stack, rows, at);
    checkFull(stack, rows, at);
    checkDrain(stack, conn, rows, at);
    updateMinRtt(stack, conn, rows, at);
    updateGains(rows, at);
    const bandwidth = bandwidthOf(rows, at);
    setRate(stack, conn, rows, at, bandwidth, rows[at + R.PACING_GAIN]);
    setWindow(stack, conn, rows, at, bandwidth, rows[at + R.WINDOW_GAIN]);
  },
  // A loss does not tell of congestion: the window is remembered, and restored after recovery.
  ssthreshAfterLoss(stack, conn) {
    const at = rowAt(stack, conn);
    saveWindow(stack, conn, poolOf(stack, BBR_ID).words, at);
    return stack.cold.words[coldAt(stack, conn) + SSTHRESH];
  },
  undoWindow(stack, conn) {
    const at = rowAt(stack, conn);
    const rows = poolOf(stack, BBR_ID).words;
    rows[at + R.FULL_BANDWIDTH] = 0;
    rows[at + R.FULL_ROUNDS] = 0;
    resetLongTerm(stack, conn, rows, at);
    return stack.tcbs.words[conn * STRIDE + CWND];
  },
  onState(stack, conn, state) {
    if (state !== CA.LOSS) return;
    const at = rowAt(stack, conn);
    const rows = poolOf(stack, BBR_ID).words;
    rows[at + R.PRIOR_STATE] = CA.LOSS;
    rows[at + R.FULL_BANDWIDTH] = 0;
    // A timeout ends a round.
    rows[at + R.FLAGS] |= ROUND_START;
    if (sampleLongTerm(stack, conn, rows, at, 1, false)) beginProbing(stack, conn, rows, at);
  },
  onEvent(stack, conn, event) {
    if (event !== CONGESTION_EVENT.TX_START) return;
    const r = stack.recoveryOf(conn) * RECOVERY.STRIDE;
    if (stack.recoveries.words[r + RECOVERY.APP_LIMITED] === 0) return;
    const at = rowAt(stack, conn);
    const rows = poolOf(stack, BBR_ID).words;
    rows[at + R.FLAGS] |= IDLE_RESTART;
    rows[at + R.ACK_EPOCH_US] = stack.nowUs;
    rows[at + R.ACK_EPOCH_DELIVERED] = 0;
    // No more than the estimate: the pipe is empty and the application sends little.
    if (rows[at + R.MODE] === PROBE_BW) setRate(stack, conn, rows, at, bandwidthOf(rows, at), GAIN_ONE);
    else if (rows[at + R.MODE] === PROBE_RTT) checkProbeRttDone(stack, conn, rows, at);
  },
  pacingRate(stack, conn) {
    return rateOf(poolOf(stack, BBR_ID).words, rowAt(stack, conn));
  },
};

/** BBR's number. */
const BBR_ID: number = registerCongestionControl(BBR);

/** BBR's model of a connection's path, for reports and tests. */
export interface BbrModel {
  /** `BBR_MODE`. */
  mode: number;
  /** Bottleneck bandwidth, bits per second of payload. */
  bandwidthBps: number;
  /** Propagation delay, µs; -1: unknown. */
  minRttUs: number;
}

/** The model of a connection under BBR. */
export function bbrModel(stack: TcpStack, conn: number): BbrModel {
  const at = rowAt(stack, conn);
  const rows = poolOf(stack, BBR_ID).words;
  const mss = stack.tcbs.words[conn * STRIDE + MSS] & 0xffff;
  return {
    mode: rows[at + R.MODE],
    bandwidthBps: bandwidthOf(rows, at) * mss * 8e6 / BANDWIDTH_ONE,
    minRttUs: rows[at + R.MIN_RTT_US],
  };
}

function coldAt(stack: TcpStack, conn: number): number {
  return stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
}

function rowAt(stack: TcpStack, conn: number): number {
  return stack.cold.words[coldAt(stack, conn) + CC] * R.STRIDE;
}

function flightOf(stack: TcpStack, conn: number): number {
  const cold = stack.cold.words;
  const k = coldAt(stack, conn);
  return cold[k + PACKETS_OUT] - cold[k + SACKED_OUT] - cold[k + LOST_OUT] + cold[k + RETRANS_OUT];
}

function bandwidthOf(rows: Int32Array, at: number): number {
  return (rows[at + R.FLAGS] & LONG_USED) !== 0
    ? rows[at + R.LONG_BANDWIDTH] >>> 0
    : currentMax(rows, at + R.BANDWIDTH);
}

function rateOf(rows: Int32Array, at: number): number {
  return rows[at + R.RATE_HIGH] * 2 ** 30 + rows[at + R.RATE_LOW];
}

function putRate(rows: Int32Array, at: number, rate: number): void {
  const high = Math.floor(rate / 2 ** 30);
  rows[at + R.RATE_HIGH] = high;
  rows[at + R.RATE_LOW] = rate - high * 2 ** 30;
}

function toBytesPerSecond(stack: TcpStack, conn: number, bandwidth: number, gain: number): number {
  const mss = stack.tcbs.words[conn * STRIDE + MSS] & 0xffff;
  return Math.floor(Math.floor(bandwidth * mss * gain / GAIN_ONE) * PACED_US / BANDWIDTH_ONE);
}

/** Before there is an estimate: the window in a round trip (or in 1 ms), times the high gain. */
function setFirstRate(stack: TcpStack, conn: number, rows: Int32Array, at: number): void {
  const srtt = stack.warm[conn * WARM_STRIDE + SRTT];
  let rttUs = 1000;
  if (srtt !== 0) {
    rttUs = Math.max(1, srtt >> 3);
    rows[at + R.FLAGS] |= SEEN_RTT;
  }
  const bandwidth = Math.floor(stack.tcbs.words[conn * STRIDE + CWND] * BANDWIDTH_ONE / rttUs);
  putRate(rows, at, toBytesPerSecond(stack, conn, bandwidth, HIGH_GAIN));
}

function setRate(stack: TcpStack, conn: number, rows: Int32Array, at: number, bandwidth: number, gain: number): void {
  const rate = toBytesPerSecond(stack, conn, bandwidth, gain);
  if ((rows[at + R.FLAGS] & SEEN_RTT) === 0 && stack.warm[conn * WARM_STRIDE + SRTT] !== 0) {
    setFirstRate(stack, conn, rows, at);
  }
  // While STARTUP looks for the bandwidth, the rate only grows.
  if ((rows[at + R.FLAGS] & FULL) !== 0 || rate > rateOf(rows, at)) putRate(rows, at, rate);
}

function saveWindow(stack: TcpStack, conn: number, rows: Int32Array, at: number): void {
  const cwnd = stack.tcbs.words[conn * STRIDE + CWND];
  const whole = rows[at + R.PRIOR_STATE] < CA.RECOVERY && rows[at + R.MODE] !== PROBE_RTT;
  rows[at + R.PRIOR_WINDOW] = whole ? cwnd : Math.max(rows[at + R.PRIOR_WINDOW], cwnd);
}

/** Segments in flight that fill the path `gain` times. */
function bandwidthDelay(rows: Int32Array, at: number, bandwidth: number, gain: number): number {
  const minRtt = rows[at + R.MIN_RTT_US];
  if (minRtt < 0) return INITIAL_WINDOW;
  return Math.ceil(Math.floor(bandwidth * minRtt * gain / GAIN_ONE) / BANDWIDTH_ONE);
}

/** Room for bursts, for delayed ACKs, and for the probe of a short path. */
function withBursts(stack: TcpStack, conn: number, rows: Int32Array, at: number, segments: number): number {
  const rate = rateOf(rows, at);
  const mss = stack.tcbs.words[conn * STRIDE + MSS] & 0xffff;
  const bytes = Math.min(Math.floor(rate / 1024), LARGEST_BURST_BYTES);
  const burst = Math.min(LARGEST_BURST, Math.max(Math.floor(bytes / mss), rate < SINGLE_RATE ? 1 : 2));
  const even = 2 * Math.ceil((segments + 3 * burst) / 2);
  return rows[at + R.MODE] === PROBE_BW && rows[at + R.PHASE] === 0 ? even + 2 : even;
}

function inflightFor(
  stack: TcpStack,
  conn: number,
  rows: Int32Array,
  at: number,
  bandwidth: number,
  gain: number,
): number {
  return withBursts(stack, conn, rows, at, bandwidthDelay(rows, at, bandwidth, gain));
}

function hasRate(stack: TcpStack): boolean {
  return stack.ackSample[RATE_DELIVERED] >= 0 && stack.ackSample[RATE_INTERVAL_US] > 0;
}

function updateBandwidth(stack: TcpStack, conn: number, rows: Int32Array, at: number): void {
  const sample = stack.ackSample;
  rows[at + R.FLAGS] &= ~ROUND_START;
  if (!hasRate(stack)) return;
  if (((sample[PRIOR_DELIVERED] - rows[at + R.NEXT_ROUND]) | 0) >= 0) {
    rows[at + R.NEXT_ROUND] = deliveredOf(stack, conn);
    rows[at + R.ROUNDS]++;
    rows[at + R.FLAGS] = (rows[at + R.FLAGS] | ROUND_START) & ~CONSERVE;
  }
  const limited = isApplicationLimited(stack);
  if (sampleLongTerm(stack, conn, rows, at, sample[LOST], limited)) beginProbing(stack, conn, rows, at);
  const bandwidth = Math.floor(sample[RATE_DELIVERED] * BANDWIDTH_ONE / sample[RATE_INTERVAL_US]);
  // What the application limited says how fast it is, not the path, unless it was faster than was known.
  if (!limited || bandwidth >= currentMax(rows, at + R.BANDWIDTH)) {
    updateMax(rows, at + R.BANDWIDTH, BANDWIDTH_ROUNDS, rows[at + R.ROUNDS], bandwidth);
  }
}

/** How much more than expected was acknowledged at once: the window must cover the silence that follows. */
function updateAggregation(stack: TcpStack, conn: number, rows: Int32Array, at: number): void {
  const delivered = stack.ackSample[DELIVERED];
  if (delivered <= 0 || !hasRate(stack)) return;
  if ((rows[at + R.FLAGS] & ROUND_START) !== 0 && ++rows[at + R.EXTRA_ROUNDS] >= EXTRA_ROUNDS) {
    rows[at + R.EXTRA_ROUNDS] = 0;
    rows[at + R.EXTRA_INDEX] ^= 1;
    rows[at + R.EXTRA + rows[at + R.EXTRA_INDEX]] = 0;
  }
  const epochUs = Math.max(0, (stack.nowUs - rows[at + R.ACK_EPOCH_US]) | 0);
  let expected = Math.floor(bandwidthOf(rows, at) * epochUs / BANDWIDTH_ONE);
  const inEpoch = rows[at + R.ACK_EPOCH_DELIVERED];
  if (inEpoch <= expected || inEpoch + delivered >= LONGEST_EPOCH) {
    rows[at + R.ACK_EPOCH_DELIVERED] = 0;
    rows[at + R.ACK_EPOCH_US] = stack.nowUs;
    expected = 0;
  }
  rows[at + R.ACK_EPOCH_DELIVERED] = Math.min(LONGEST_EPOCH - 1, rows[at + R.ACK_EPOCH_DELIVERED] + delivered);
  const extra = Math.min(rows[at + R.ACK_EPOCH_DELIVERED] - expected, stack.tcbs.words[conn * STRIDE + CWND]);
  const place = at + R.EXTRA + rows[at + R.EXTRA_INDEX];
  if (extra > rows[place]) rows[place] = extra;
}

function isPhaseOver(stack: TcpStack, conn: number, rows: Int32Array, at: number): boolean {
  const sample = stack.ackSample;
  const full = ((stack.nowUs - rows[at + R.PHASE_US]) | 0) > rows[at + R.MIN_RTT_US];
  const gain = rows[at + R.PACING_GAIN];
  if (gain === GAIN_ONE) return full;
  const inFlight = sample[PRIOR_IN_FLIGHT];
  const bandwidth = currentMax(rows, at + R.BANDWIDTH);
  // Probing goes on until the queue would show, or does by losses; draining stops when the queue is gone.
  if (gain > GAIN_ONE) {
    return full && (sample[LOST] > 0 || inFlight >= inflightFor(stack, conn, rows, at, bandwidth, gain));
  }
  return full || inFlight <= inflightFor(stack, conn, rows, at, bandwidth, GAIN_ONE);
}

function nextPhase(stack: TcpStack, rows: Int32Array, at: number): void {
  rows[at + R.PHASE] = (rows[at + R.PHASE] + 1) & 7;
  rows[at + R.PHASE_US] = stack.nowUs;
}

/** PROBE_BW begins at a phase of its own for every connection, so that they do not probe all at once. */
function beginProbing(stack: TcpStack, conn: number, rows: Int32Array, at: number): void {
  rows[at + R.MODE] = PROBE_BW;
  const host = stack.tcbs.words[conn * STRIDE + HOST_AT] * HOST.STRIDE;
  const serial = stack.warm[conn * WARM_STRIDE + SERIAL] >>> 0;
  const counter = serial * DRAWS + (rows[at + R.DRAWN]++ & (DRAWS - 1));
  const names = stack.hosts.words;
  const draw = drawFraction(names[host + HOST.NAME_LO] ^ 0x626272, names[host + HOST.NAME_HI], counter);
  rows[at + R.PHASE] = CYCLE.length - 1 - Math.floor(draw * FIRST_PHASES);
  nextPhase(stack, rows, at);
}

function checkFull(stack: TcpStack, rows: Int32Array, at: number): void {
  const flags = rows[at + R.FLAGS];
  if ((flags & FULL) !== 0 || (flags & ROUND_START) === 0 || isApplicationLimited(stack)) return;
  const bandwidth = currentMax(rows, at + R.BANDWIDTH);
  if (bandwidth >= Math.floor((rows[at + R.FULL_BANDWIDTH] >>> 0) * FULL_GROWTH / GAIN_ONE)) {
    rows[at + R.FULL_BANDWIDTH] = bandwidth;
    rows[at + R.FULL_ROUNDS] = 0;
  } else if (++rows[at + R.FULL_ROUNDS] >= FULL_ROUNDS) rows[at + R.FLAGS] |= FULL;
}

function checkDrain(stack: TcpStack, conn: number, rows: Int32Array, at: number): void {
  const mode = rows[at + R.MODE];
  if (mode !== DRAIN && (mode !== STARTUP || (rows[at + R.FLAGS] & FULL) === 0)) return;
  const fill = inflightFor(stack, conn, rows, at, currentMax(rows, at + R.BANDWIDTH), GAIN_ONE);
  if (mode === STARTUP) {
    rows[at + R.MODE] = DRAIN;
    stack.cold.words[coldAt(stack, conn) + SSTHRESH] = fill;
  }
  if (flightOf(stack, conn) <= fill) beginProbing(stack, conn, rows, at);
}

function checkProbeRttDone(stack: TcpStack, conn: number, rows: Int32Array, at: number): void {
  const done = rows[at + R.PROBE_RTT_DONE];
  if (done === 0 || ((stack.nowMs - done) | 0) <= 0) return;
  rows[at + R.MIN_RTT_STAMP] = stack.nowMs;
  const words = stack.tcbs.words;
  const c = conn * STRIDE + CWND;
  words[c] = Math.max(words[c], rows[at + R.PRIOR_WINDOW]);
  if ((rows[at + R.FLAGS] & FULL) !== 0) beginProbing(stack, conn, rows, at);
  else rows[at + R.MODE] = STARTUP;
}

function updateMinRtt(stack: TcpStack, conn: number, rows: Int32Array, at: number): void {
  const sample = stack.ackSample;
  const expired = ((stack.nowMs - rows[at + R.MIN_RTT_STAMP]) | 0) > MIN_RTT_MS;
  const rttUs = sample[RTT_US];
  const known = rows[at + R.MIN_RTT_US];
  const delayed = (sample[ACK_SAMPLE.FLAGS] & ACK_FLAG.ACK_DELAYED) !== 0;
  if (rttUs >= 0 && (known < 0 || rttUs <= known || (expired && !delayed))) {
    rows[at + R.MIN_RTT_US] = rttUs;
    rows[at + R.MIN_RTT_STAMP] = stack.nowMs;
  }
  if (expired && (rows[at + R.FLAGS] & IDLE_RESTART) === 0 && rows[at + R.MODE] !== PROBE_RTT) {
    saveWindow(stack, conn, rows, at);
    rows[at + R.MODE] = PROBE_RTT;
    rows[at + R.PROBE_RTT_DONE] = 0;
  }
  if (rows[at + R.MODE] === PROBE_RTT) probeRtt(stack, conn, rows, at);
  if (sample[RATE_DELIVERED] > 0) rows[at + R.FLAGS] &= ~IDLE_RESTART;
}

/** Every ten seconds a flight of four segments, for 200 ms and a round, shows how long the empty path is. */
function probeRtt(stack: TcpStack, conn: number, rows: Int32Array, at: number): void {
  const flight = flightOf(stack, conn);
  const delivered = deliveredOf(stack, conn);
  const r = stack.recoveryOf(conn) * RECOVERY.STRIDE;
  stack.recoveries.words[r + RECOVERY.APP_LIMITED] = ((delivered + flight) | 0) || 1;
  if (rows[at + R.PROBE_RTT_DONE] === 0) {
    if (flight > LEAST_WINDOW) return;
    rows[at + R.PROBE_RTT_DONE] = ((stack.nowMs + PROBE_RTT_MS) | 0) || 1;
    rows[at + R.FLAGS] &= ~PROBE_RTT_ROUND;
    rows[at + R.NEXT_ROUND] = delivered;
    return;
  }
  if ((rows[at + R.FLAGS] & ROUND_START) !== 0) rows[at + R.FLAGS] |= PROBE_RTT_ROUND;
  if ((rows[at + R.FLAGS] & PROBE_RTT_ROUND) !== 0) checkProbeRttDone(stack, conn, rows, at);
}

function updateGains(rows: Int32Array, at: number): void {
  const mode = rows[at + R.MODE];
  let pacing = GAIN_ONE;
  let window = GAIN_ONE;
  if (mode === STARTUP) pacing = window = HIGH_GAIN;
  else if (mode === DRAIN) {
    pacing = DRAIN_GAIN;
    window = HIGH_GAIN;
  } else if (mode === PROBE_BW) {
    if ((rows[at + R.FLAGS] & LONG_USED) === 0) pacing = CYCLE[rows[at + R.PHASE]];
    window = STEADY_WINDOW_GAIN;
  }
  rows[at + R.PACING_GAIN] = pacing;
  rows[at + R.WINDOW_GAIN] = window;
}

function setWindow(stack: TcpStack, conn: number, rows: Int32Array, at: number, bandwidth: number, gain: number): void {
  const delivered = stack.ackSample[DELIVERED];
  const words = stack.tcbs.words;
  const c = conn * STRIDE + CWND;
  let cwnd = words[c];
  if (delivered > 0) {
    cwnd = windowInRecovery(stack, conn, rows, at, delivered, cwnd);
    if ((rows[at + R.FLAGS] & CONSERVE) === 0) {
      const path = bandwidthDelay(rows, at, bandwidth, gain) + aggregationWindow(rows, at, bandwidth);
      const target = withBursts(stack, conn, rows, at, path);
      if ((rows[at + R.FLAGS] & FULL) !== 0) cwnd = Math.min(cwnd + delivered, target);
      else if (cwnd < target || deliveredOf(stack, conn) >>> 0 < INITIAL_WINDOW) cwnd += delivered;
      cwnd = Math.max(cwnd, LEAST_WINDOW);
    }
  }
  words[c] = rows[at + R.MODE] === PROBE_RTT ? Math.min(cwnd, LEAST_WINDOW) : cwnd;
}

/** The window before growth: less what was lost; in the first round of recovery what is delivered may be replaced. */
function windowInRecovery(
  stack: TcpStack,
  conn: number,
  rows: Int32Array,
  at: number,
  delivered: number,
  before: number,
): number {
  const lost = stack.ackSample[LOST];
  const state = stack.cold.words[coldAt(stack, conn) + CA_STATE] & 0xff;
  const prior = rows[at + R.PRIOR_STATE];
  let cwnd = lost > 0 ? Math.max(before - lost, 1) : before;
  if (state === CA.RECOVERY && prior !== CA.RECOVERY) {
    rows[at + R.FLAGS] |= CONSERVE;
    rows[at + R.NEXT_ROUND] = deliveredOf(stack, conn);
    cwnd = flightOf(stack, conn) + delivered;
  } else if (prior >= CA.RECOVERY && state < CA.RECOVERY) {
    cwnd = Math.max(cwnd, rows[at + R.PRIOR_WINDOW]);
    rows[at + R.FLAGS] &= ~CONSERVE;
  }
  rows[at + R.PRIOR_STATE] = state;
  return (rows[at + R.FLAGS] & CONSERVE) !== 0 ? Math.max(cwnd, flightOf(stack, conn) + delivered) : cwnd;
}

function aggregationWindow(rows: Int32Array, at: number, bandwidth: number): number {
  if ((rows[at + R.FLAGS] & FULL) === 0) return 0;
  const extra = Math.max(rows[at + R.EXTRA], rows[at + R.EXTRA_OTHER]);
  return Math.min(extra, Math.floor(bandwidth * MOST_EXTRA_US / BANDWIDTH_ONE));
}
