/**
 * Vegas (Brakmo and Peterson, "TCP Vegas: end to end congestion avoidance on a global Internet", 1995), as Linux has
 * it: a window that listens to delay instead of waiting for losses. It stands here also as an example: nothing in it
 * knows how the stack keeps its connections, it only uses {@linkcode Flow}.
 *
 * The idea: with a base round trip of B (the path when empty) and a window of W, an empty path would deliver W / B; it
 * delivers W / R, where R is the round trip now. The difference times B is what stands in queues:
 *
 *     queued = W * (R - B) / B      (segments that this flow itself has in the bottleneck's queue)
 *
 * Once a round trip, Vegas compares that with two marks: below ALPHA it adds a segment to the window, above BETA it
 * takes one away, between them it is content. So a flow keeps two to four segments in the queue, whatever the path.
 *
 * @module
 */
import { type CongestionAlgorithm, type Flow, registerAlgorithm } from "./flow.ts";

// A flow has words of its own, 32-bit integers, which begin as 0. It is clearest to name them.
/** The least round trip ever, µs (B): the path when it is empty. 0: none yet. */
const BASE_RTT = 0;
/** The least of this round, µs (R): the least, since delayed ACKs make others longer than the path is. 0: none yet. */
const ROUND_RTT = 1;
/** Round trips measured in this round. */
const SAMPLES = 2;
/** SND.NXT when this round began: the round ends when an ACK covers more than that. */
const ROUND_END = 3;
/** 1 while delays are listened to: not in recovery, when they say nothing about the window. */
const LISTENING = 4;
const WORDS = 5;

/** Fewer segments of ours than this in the queue: there is room. */
const ALPHA = 2;
/** More than this: too many. */
const BETA = 4;
/** In slow start one is enough to end it, since the window doubles in the next round. */
const GAMMA = 1;
/** With fewer measurements than this, all of them may come from delayed ACKs. */
const LEAST_SAMPLES = 3;

/** See the module's description. */
export const VEGAS: CongestionAlgorithm = {
  name: "vegas",
  words: WORDS,

  // The connection begins. The hook comes again when data flows after a rest in which the stack has forgotten the
  // flow's words.
  start: listen,

  // An ACK has delivered something, and may have measured a round trip.
  onSample(flow) {
    if (flow.rttUs < 0) return;
    // Never 0, which means "none yet".
    const rttUs = flow.rttUs + 1;
    const base = flow.get(BASE_RTT);
    if (base === 0 || rttUs < base) flow.set(BASE_RTT, rttUs);
    const least = flow.get(ROUND_RTT);
    if (least === 0 || rttUs < least) flow.set(ROUND_RTT, rttUs);
    flow.set(SAMPLES, flow.get(SAMPLES) + 1);
  },

  // `acked` segments were acknowledged, all is well, and the window was what held the sender back.
  onAck(flow, acked) {
    if (flow.get(LISTENING) === 0) return flow.renoIncrease(acked);
    if (!flow.hasAcknowledged(flow.get(ROUND_END))) {
      // In the middle of a round. Slow start goes on in it; in congestion avoidance the window stands still.
      if (flow.inSlowStart) flow.slowStart(acked);
      return;
    }
    // The round is over: what was in flight when it began has come back.
    flow.set(ROUND_END, flow.sndNxt);
    if (flow.get(SAMPLES) < LEAST_SAMPLES) flow.renoIncrease(acked);
    else adjust(flow, acked);
    flow.set(ROUND_RTT, 0);
    flow.set(SAMPLES, 0);
  },

  // Losses do happen, if others fill the queue. Then Vegas halves the window like Reno.
  ssthreshAfterLoss: (flow) => Math.floor(flow.cwnd / 2),

  // While losses are repaired, round trips say little. Afterwards, a new round begins.
  onState(flow, state) {
    if (state === "open") listen(flow);
    else flow.set(LISTENING, 0);
  },

  // After a silence the old measurements are about another time.
  onEvent(flow, event) {
    if (event !== "tx-start" && event !== "cwnd-restart") return;
    flow.set(BASE_RTT, 0);
    listen(flow);
  },
};

/** Begins a round. */
function listen(flow: Flow): void {
  flow.set(LISTENING, 1);
  flow.set(ROUND_END, flow.sndNxt);
  flow.set(ROUND_RTT, 0);
  flow.set(SAMPLES, 0);
}

/** The decision of the module's description, once in a round trip. */
function adjust(flow: Flow, acked: number): void {
  const base = flow.get(BASE_RTT);
  const rtt = flow.get(ROUND_RTT);
  const cwnd = flow.cwnd;
  // Whole numbers, rounded down: plain arithmetic and Math.floor are exact and the same everywhere. (Math.log, Math.pow
  // and their like are not: an algorithm must not let its decisions depend on them.)
  const queued = Math.floor(cwnd * (rtt - base) / base);
  if (flow.inSlowStart) {
    if (queued > GAMMA) {
      // The path is full. Go back to the window that just fills it, and one more against the rounding.
      flow.cwnd = Math.min(cwnd, Math.floor(cwnd * base / rtt) + 1);
      flow.ssthresh = Math.min(flow.ssthresh, flow.cwnd);
    } else flow.slowStart(acked);
  } else if (queued > BETA) {
    flow.cwnd = cwnd - 1;
    flow.ssthresh = Math.min(flow.ssthresh, flow.cwnd);
  } else if (queued < ALPHA) flow.cwnd = cwnd + 1;
  flow.cwnd = Math.max(2, flow.cwnd);
  // A threshold far below the window would make the next loss's slow start short (Linux's `tcp_current_ssthresh`).
  if (flow.ssthresh !== Infinity) flow.ssthresh = Math.max(flow.ssthresh, Math.floor(flow.cwnd * 3 / 4));
}

registerAlgorithm(VEGAS);
