/**
 * How connections come about where not all that want to can: SYNs meet a full queue, a listener that accepts too slowly,
 * or a link that loses nearly everything, and come again after 1, 3, 7, … s until their retries are used up. A rough
 * sum in steps of time, made before the run; where there is room for all it is not needed.
 *
 * @module
 */

/** What holds connections up on one side: so much per second, and so much more at once. */
export interface Gate {
  perSecond: number;
  atOnce: number;
}

/** A stream of connections, and what is in its way. */
export interface Wanted {
  count: number;
  /** From the first to the last that begins, s. */
  overSeconds: number;
  rttSeconds: number;
  /** From the SYN until it is closed, s; Infinity if it stays. */
  lifeSeconds: number;
  untilSeconds: number;
  synRetries: number;
  /** Share of packets lost on the way there and back. */
  loss: number;
  /** Bits that links carry each way; what a listening port takes. */
  up: Gate;
  down: Gate;
  accepts: Gate;
  /** Bits of the handshake's packets, and of all the data with its headers, each way. */
  handshakeBits: number;
  upBits: number;
  downBits: number;
  /** Bits of a segment: what is sent again after a timeout. */
  segmentBits: number;
}

/** What becomes of it. */
export interface Openings {
  /** Connections open at once, at most, on the side that opens; on the side that accepts; together. */
  opened: number;
  accepted: number;
  ends: number;
  /** Connections whose opening was answered, in all. */
  answered: number;
  /** Of those, the most at once whose data was not through; share of packets with data that were dropped. */
  unfinished: number;
  dropped: number;
}

/** Steps that arrivals are divided into, at least, and the longest step, s. */
const STEPS = 64;
const LONGEST_STEP_SECONDS = 0.25;
const MOST_STEPS = 4096;
/** What is sent again once more comes after so long, s: 1, then twice that, and so on. */
const FIRST_RETRY_SECONDS = 1;
/** Parts of a connection that are too little to follow. */
const LEAST = 1e-3;
/** Retries of data, after which the run is over or the sum no longer changes. */
const DATA_RETRIES = 8;

/** What a gate lets through, as time goes by. */
class Bucket {
  readonly #gate: Gate;
  readonly #most: number;
  #credit: number;
  #atSeconds = 0;

  constructor(gate: Gate, stepSeconds: number) {
    this.#gate = gate;
    this.#most = gate.atOnce + gate.perSecond * stepSeconds;
    this.#credit = this.#most;
  }

  /** The share of `wanted` that gets through at this time. */
  pass(seconds: number, wanted: number): number {
    if (this.#most === Infinity || wanted === 0) return 1;
    this.#credit = Math.min(this.#most, this.#credit + this.#gate.perSecond * (seconds - this.#atSeconds));
    this.#atSeconds = seconds;
    const passed = Math.min(wanted, this.#credit);
    this.#credit -= passed;
    return passed / wanted;
  }
}

/** Connections on their way at one step: SYNs, and data, by how often they have been sent. */
interface Step {
  syns: number[];
  data: number[];
  /** Those that give up, and those that are over, at each side. */
  leaving: number;
  leavingAccepted: number;
}

/** Sums up what becomes of connections that meet gates. */
export function openingsOf(wanted: Wanted): Openings {
  const { count, overSeconds, rttSeconds, lifeSeconds, untilSeconds, synRetries, loss } = wanted;
  const steps = Math.min(MOST_STEPS, Math.max(STEPS, Math.ceil(overSeconds / LONGEST_STEP_SECONDS)));
  const stepSeconds = overSeconds / steps;
  const { handshakeBits, upBits, downBits, segmentBits } = wanted;
  const up = new Bucket(wanted.up, stepSeconds);
  const down = new Bucket(wanted.down, stepSeconds);
  const accepts = new Bucket(wanted.accepts, stepSeconds);
  const times = new Times(stepSeconds, untilSeconds);
  for (let i = 0; i < steps; i++) add(times.at(i * stepSeconds).syns, 0, count / steps);
  const found: Openings = { opened: 0, accepted: 0, ends: 0, answered: 0, unfinished: 0, dropped: 0 };
  let opened = 0;
  let accepted = 0;
  let unfinished = 0;
  let sent = 0;
  let lost = 0;
  for (let step = times.next(); step !== undefined; step = times.next()) {
    const { seconds } = times;
    opened -= step.leaving;
    accepted -= step.leavingAccepted;
    const trying = sum(step.syns);
    opened += step.syns[0] ?? 0;
    const sending = sum(step.data);
    const fresh = step.data[0] ?? 0;
    const upData = fresh * upBits + (sending - fresh) * Math.min(upBits, segmentBits);
    const downData = fresh * downBits + (sending - fresh) * Math.min(downBits, segmentBits);
    // SYNs and what comes later stand in the same queues.
    const upShare = (1 - loss) * up.pass(seconds, (trying + sending) * handshakeBits + upData);
    const admitted = trying * upShare * accepts.pass(seconds, trying * upShare);
    const downShare = down.pass(seconds, admitted * handshakeBits + upShare * downData);
    const answered = admitted * downShare;
    const through = trying === 0 ? 0 : answered / trying;
    for (const [tries, some] of step.syns.entries()) {
      if (some * (1 - through) < LEAST) continue;
      const again = seconds + FIRST_RETRY_SECONDS * 2 ** tries;
      if (tries < synRetries) add(times.at(again).syns, tries + 1, some * (1 - through));
      else times.at(again).leaving += some * (1 - through);
    }
    found.answered += answered;
    unfinished += answered;
    if (answered > 0) add(times.at(seconds + rttSeconds).data, 0, answered);
    const carried = upShare * (downBits === 0 ? 1 : downShare);
    sent += sending;
    lost += sending * (1 - carried);
    for (const [tries, some] of step.data.entries()) {
      if (some < LEAST) continue;
      const done = some * carried;
      // (Where there is no data, nothing repeats the last ACK of a handshake that SYN cookies have forgotten.)
      const comesAgain = upBits + downBits > 0;
      accepted += tries === 0 && comesAgain ? some : comesAgain ? 0 : done;
      unfinished -= comesAgain ? done : some;
      if (comesAgain && tries < DATA_RETRIES && some - done >= LEAST) {
        add(times.at(seconds + FIRST_RETRY_SECONDS * 2 ** tries).data, tries + 1, some - done);
      }
      if (lifeSeconds === Infinity) continue;
      times.at(seconds + lifeSeconds).leaving += done;
      times.at(seconds + lifeSeconds).leavingAccepted += done;
    }
    found.opened = Math.max(found.opened, opened);
    found.accepted = Math.max(found.accepted, accepted);
    found.ends = Math.max(found.ends, opened + accepted);
    found.unfinished = Math.max(found.unfinished, unfinished);
  }
  return {
    opened: Math.ceil(found.opened),
    accepted: Math.ceil(found.accepted),
    ends: Math.ceil(found.ends),
    answered: Math.ceil(found.answered),
    unfinished: found.unfinished,
    dropped: sent === 0 ? 0 : lost / sent,
  };
}

/** Steps at which something happens, in order of time. */
class Times {
  /** Of the step that was taken last, s. */
  seconds = 0;
  readonly #stepSeconds: number;
  readonly #last: number;
  readonly #steps = new Map<number, Step>();
  /** Numbers of the steps that wait: a binary heap, the first in front. */
  readonly #waiting: number[] = [];
  #now = -1;

  constructor(stepSeconds: number, untilSeconds: number) {
    this.#stepSeconds = stepSeconds;
    this.#last = untilSeconds / stepSeconds;
  }

  /** The step at this time; later than the present one. */
  at(seconds: number): Step {
    const number = Math.max(this.#now + 1, Math.round(seconds / this.#stepSeconds));
    let step = this.#steps.get(number);
    if (step !== undefined) return step;
    step = { syns: [], data: [], leaving: 0, leavingAccepted: 0 };
    this.#steps.set(number, step);
    const heap = this.#waiting;
    let i = heap.push(number) - 1;
    for (; i > 0 && heap[(i - 1) >> 1] > number; i = (i - 1) >> 1) heap[i] = heap[(i - 1) >> 1];
    heap[i] = number;
    return step;
  }

  /** Takes the next step; undefined if there is none before the run ends. */
  next(): Step | undefined {
    const heap = this.#waiting;
    const number = heap[0];
    if (number === undefined || number > this.#last) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) {
      let i = 0;
      for (let child = 1; child < heap.length; child = 2 * i + 1) {
        if (child + 1 < heap.length && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= last) break;
        heap[i] = heap[child];
        i = child;
      }
      heap[i] = last;
    }
    this.#now = number;
    this.seconds = number * this.#stepSeconds;
    const step = this.#steps.get(number)!;
    this.#steps.delete(number);
    return step;
  }
}

function add(list: number[], at: number, number: number): void {
  while (list.length <= at) list.push(0);
  list[at] += number;
}

function sum(list: readonly number[]): number {
  return list.reduce((all, one) => all + one, 0);
}
