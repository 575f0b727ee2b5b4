/**
 * Segments in: the usual way, that is demultiplexing and the fast path of an established connection. Whatever is not
 * usual is in `segment_in.ts` and others.
 *
 * These functions are made once for each stack and have it, and its tables, as constants: where a thread has one stack
 * V8 compiles the tables' places into the code (as in `network/packet_path.ts`).
 *
 * @module
 */
import { hashTuple } from "../store/tuple_table.ts";
import type { HostBudgets } from "../transport/budgets.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { accountSegment } from "./accounting.ts";
import { ackIn } from "./ack_in.ts";
import * as DATA_IN from "./data_in.ts";
import * as DELAYED_ACK from "./delayed_ack.ts";
import * as FLIGHT_ACK from "./flight_ack.ts";
import * as FLOW_IN from "./flow_in.ts";
import * as LISTEN from "./listen.ts";
import * as LONE_ACK from "./lone_ack.ts";
import * as LONE_FLIGHT from "./lone_flight.ts";
import { refusesData, settleMemory } from "./memory.ts";
import { output } from "./output.ts";
import * as PAWS from "./paws.ts";
import { releaseSent, slowIn, touchKeepAlive } from "./segment_in.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_FLAG } from "./state/ack_sample.ts";
import { RECEIVER, URGENT_STATE } from "./state/receiver_row.ts";
import { ROW_KIND, STATE } from "./state/states.ts";
import { COLD, FLAG, TCB, WARM } from "./state/tcb.ts";
import * as SYN_QUEUE from "./syn_queue.ts";
import * as SYN_SENT_IN from "./syn_sent.ts";
import { timeWaitIn } from "./time_wait.ts";
import * as WRITABLE from "./writable.ts";

// As layouts: an imported function is checked at every use.
const { takeInOrder } = DATA_IN;
const { ackCheck } = DELAYED_ACK;
const { flightAckIn } = FLIGHT_ACK;
const { flowIn } = FLOW_IN;
const { listenerIn } = LISTEN;
const { loneAckIn } = LONE_ACK;
const { loneFlightAcked } = LONE_FLIGHT;
const { isAnotherAge, noteTimestampAge } = PAWS;
const { synReceivedIn } = SYN_QUEUE;
const { synSentIn } = SYN_SENT_IN;
const { roomForWriter } = WRITABLE;

const {
  STATE: STATE_AT,
  SND_UNA,
  SND_NXT,
  SND_WND,
  SND_END,
  RCV_NXT,
  RCV_WUP,
  RCV_ADV,
  TS_RECENT,
  MASK,
  STRIDE,
} = TCB;
const { COLD: COLD_AT, ACK_STATE: ACK_STATE_AT, SND_WL1, MAX_WINDOW, STREAM, MASK: WARM_MASK, STRIDE: WARM_STRIDE } =
  WARM;
const { STATE_MASK, SND_SHIFT_AT, TIMESTAMPS, KEEP_ALIVE, ACCOUNTED, DONE, FIN_QUEUED, WANTS_ROOM } = FLAG;
const {
  SRC,
  DST,
  PORTS,
  SEQ,
  ACK,
  CONTROL: P_CONTROL,
  WINDOW_TTL_TOS,
  LENGTH,
  TS_VAL,
  TS_ECR,
  HASH: P_HASH,
  MASK: P_MASK,
  STRIDE: P_STRIDE,
} = PACKET;
const { HAS_TIMESTAMPS, HAS_SACK, FLAGS_MASK } = CONTROL;
const { PSH: F_PSH, ACK: F_ACK } = TCP_FLAG;
const { OOO_HEAD, PACKETS_OUT, RECEIVER: RECEIVER_AT, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const { URGENT_STATE: URGENT_STATE_AT, MASK: RECEIVER_MASK, STRIDE: RECEIVER_STRIDE } = RECEIVER;
const { NOT_YET } = URGENT_STATE;
const { ESTABLISHED, SYN_SENT } = STATE;
const { CONNECTION, TIME_WAIT } = ROW_KIND;
const { WINDOW_UPDATED } = ACK_FLAG;

/** What a driver calls with segments. */
export interface SegmentPath {
  /** A segment has arrived at a host. The packet stays the driver's. */
  readonly segmentIn: (host: number, p: number) => void;
  /** As `segmentIn`, where `PACKET.HASH` holds `hashTuple(host, destination, source, swapped ports)` already. */
  readonly segmentInHashed: (host: number, p: number) => void;
}

/** Makes the functions for a stack, whose tables must be there. */
export function segmentPath(stack: TcpStack): SegmentPath {
  const { tcbs, cold: coldRows, demux, counters, hosts } = stack;
  const packetRows = stack.packets.rows;

  /** A segment has arrived at a host. The packet stays the driver's. */
  function segmentIn(host: number, p: number): void {
    const packets = packetRows.words;
    const o = (p * P_STRIDE) & P_MASK;
    const local = packets[o + DST];
    const remote = packets[o + SRC];
    const wire = packets[o + PORTS];
    const ports = (wire << 16) | (wire >>> 16);
    route(host, p, demux.findHashed(hashTuple(host, local, remote, ports), host, local, remote, ports));
  }

  /** As `segmentIn`, where `PACKET.HASH` holds `hashTuple(host, destination, source, swapped ports)` already. */
  function segmentInHashed(host: number, p: number): void {
    const packets = packetRows.words;
    const o = (p * P_STRIDE) & P_MASK;
    const wire = packets[o + PORTS];
    const hash = packets[o + P_HASH];
    route(
      host,
      p,
      demux.findHashed(hash, host, packets[o + DST], packets[o + SRC], (wire << 16) | (wire >>> 16)),
    );
  }

  function route(host: number, p: number, value: number): void {
    counters.segmentsIn++;
    if (value === 0 || (value & 3) !== CONNECTION) return routeOther(host, p, value);
    segmentFor(value >>> 2, p);
  }

  /** A segment that no connection waits for: a listener may, or a small row. */
  function routeOther(host: number, p: number, value: number): void {
    const row = value >>> 2;
    if (value !== 0 && (value & 3) === TIME_WAIT) return timeWaitIn(stack, host, row, p);
    // The final ACK of a handshake may carry data: the new connection takes it.
    const conn = value === 0 ? listenerIn(stack, host, p) : synReceivedIn(stack, host, row, p);
    if (conn !== 0) segmentFor(conn, p);
  }

  /** A segment for a connection. A flow's usual one goes the short way. */
  function segmentFor(conn: number, p: number): void {
    if (hosts.budgets !== undefined) return budgetedIn(hosts.budgets, conn, p);
    if (stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + COLD_AT] !== 0) {
      const length = packetRows.words[((p * P_STRIDE) & P_MASK) + LENGTH];
      if (length !== 0 && flowIn(stack, conn, p)) return;
    }
    connectionIn(conn, p);
  }

  /** As `segmentFor`, where the connection's host may have a budget of memory. */
  function budgetedIn(budgets: HostBudgets, conn: number, p: number): void {
    const refused = refusesData(stack, budgets, conn, p);
    connectionIn(conn, p);
    if (refused && (tcbs.words[conn * STRIDE + STATE_AT] & DONE) === 0) ackCheck(stack, conn);
    settleMemory(stack, budgets, conn);
  }

  function connectionIn(conn: number, p: number): void {
    const packets = packetRows.words;
    const words = tcbs.words;
    const warm = stack.warm;
    const o = (p * P_STRIDE) & P_MASK;
    const c = (conn * STRIDE) & MASK;
    const w = (conn * WARM_STRIDE) & WARM_MASK;
    const control = packets[o + P_CONTROL];
    const state = words[c + STATE_AT];
    if (state < 0) accountSegment(stack, conn, p);
    // Header prediction: in order, nothing but ACK and PSH, no gap, timestamp not older, and no unsent data for which a
    // new window would matter.
    if (
      (state & STATE_MASK) === ESTABLISHED && (control & ((FLAGS_MASK & ~F_PSH) | HAS_SACK)) === F_ACK &&
      packets[o + SEQ] === words[c + RCV_NXT]
    ) {
      const offered = words[c + SND_WND];
      const window = (packets[o + WINDOW_TTL_TOS] >>> 16) << ((state >> SND_SHIFT_AT) & 0xf);
      const ack = packets[o + ACK];
      const length = packets[o + LENGTH];
      const next = words[c + RCV_NXT];
      const advance = (ack - words[c + SND_UNA]) | 0;
      const row = warm[w + COLD_AT];
      const stamps = state & TIMESTAMPS;
      const stamp = packets[o + TS_VAL];
      if (
        (window === offered || words[c + SND_END] === words[c + SND_NXT]) && advance >= 0 &&
        ((words[c + SND_NXT] - ack) | 0) >= 0 && length <= ((words[c + RCV_ADV] - next) | 0) &&
        (advance > 0 || length > 0) &&
        (stamps === 0 || ((control & HAS_TIMESTAMPS) !== 0 && ((stamp - words[c + TS_RECENT]) | 0) >= 0)) &&
        (row === 0 || !isReceivingUnusual(stack, (row * COLD_STRIDE) & COLD_MASK))
      ) {
        // RFC 7323 4.3: the segment begins at Last.ACK.sent or before it.
        if (stamps !== 0 && words[c + RCV_WUP] === next) {
          words[c + TS_RECENT] = stamp;
          if (isAnotherAge(stack, warm[w + ACK_STATE_AT])) noteTimestampAge(stack, w);
        }
        if ((state & KEEP_ALIVE) !== 0) touchKeepAlive(stack, conn);
        if (window !== offered) {
          if (advance > 0 || ((next - warm[w + SND_WL1]) | 0) > 0 || window > offered || window === 0) {
            words[c + SND_WND] = window;
            warm[w + SND_WL1] = next;
            if (window > warm[w + MAX_WINDOW]) warm[w + MAX_WINDOW] = window;
          }
        }
        if (advance > 0) {
          // Only a flight of one is a lone one's matter.
          const taken = row === 0
            ? loneFlightAcked(stack, conn, ack)
            : coldRows.words[((row * COLD_STRIDE) & COLD_MASK) + PACKETS_OUT] === 1 && loneAckIn(stack, conn, ack);
          if (!taken && !flightAckIn(stack, conn, ack)) {
            ackIn(stack, conn, ack, stamps === 0 ? 0 : packets[o + TS_ECR], WINDOW_UPDATED, 0);
          }
          if ((state & WANTS_ROOM) !== 0) roomForWriter(stack, conn);
          if (warm[w + STREAM] !== 0) releaseSent(stack, conn, ack);
        }
        if (length > 0) takeInOrder(stack, conn, p, length);
        if ((state & (FIN_QUEUED | ACCOUNTED)) !== 0 || words[c + SND_END] !== words[c + SND_NXT]) {
          output(stack, conn);
        }
        if (length > 0) ackCheck(stack, conn);
        return;
      }
    }
    if ((state & STATE_MASK) === SYN_SENT) return synSentIn(stack, conn, p);
    slowIn(stack, conn, p);
  }

  return { segmentIn, segmentInHashed };
}

/** Is there a gap, or is an urgent byte awaited? Then every segment is looked at in full. `k`: where the cold row begins. */
function isReceivingUnusual(stack: TcpStack, k: number): boolean {
  const cold = stack.cold.words;
  if (cold[k + OOO_HEAD] !== 0) return true;
  const r = (cold[k + RECEIVER_AT] * RECEIVER_STRIDE) & RECEIVER_MASK;
  return r !== 0 && stack.receivers.words[r + URGENT_STATE_AT] === NOT_YET;
}
