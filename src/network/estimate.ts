/**
 * What a run will take in memory, before it: the rows that the workloads will have in use (`load.ts`), laid out as the
 * tables lay them out. `memory.ts` says afterwards what it was.
 *
 * @module
 */
import { FLOW } from "../node/flow_table.ts";
import { NODE } from "../node/nodes.ts";
import { DIRECTION, PACE } from "../link/layout.ts";
import { GATEWAY, MAPPING, SESSION, SESSION_COLD, SUBSCRIBER } from "../nat/layout.ts";
import { tupleTableBytes } from "../store/tuple_table.ts";
import { timerWheelBytes } from "../store/timer_wheel.ts";
import { COLD, RTX, SYN_ROW, TCB, TIME_WAIT_ROW, TIMER, WARM } from "../tcp/state/tcb.ts";
import { RECEIVER } from "../tcp/state/receiver_row.ts";
import { SENDER } from "../tcp/state/sender_row.ts";
import { RECOVERY } from "../tcp/state/recovery_row.ts";
import { HOST } from "../transport/hosts.ts";
import { UDP_SOCKET } from "../transport/udp.ts";
import { PACKET } from "../wire/packet.ts";
import { APP_EVENT } from "./app_event.ts";
import { type Load, tuplesOf } from "./load.ts";

/** What a run takes in memory, bytes. */
export interface MemoryEstimate {
  /** Of its tables: what `memory.columnBytes` of the report will be. */
  tableBytes: number;
  /** Of the whole process at its largest: `memory.peakRssBytes`. */
  residentBytes: number;
}

/** Nodes of a network, and directions of its links. */
export interface Size {
  nodes: number;
  directions: number;
  gateways: number;
}

/** Deno with fourtuple loaded and compiled, and its heap: 100 (the largest runs) to 130 MB, however large the run. */
const PROCESS_BYTES = 120e6;

/** Working out the routes and ranks of a node, whose memory the process keeps. */
const NODE_BUILD_BYTES = 60;

/** Values of quantiles are sorted in a copy. */
const SORTED_BYTES = 4;

/** Bytes of a proxy's books about one connection: objects and entries of maps. */
const PROXIED_BYTES = 500;

/** Slots of a timer wheel that have entries at the same time: of TCP's, due within a second; of the others, minutes. */
const TCP_SLOTS = 1600;
const NAT_SLOTS = 256;

/** Bytes of an event in the queue, and of what sorts the current bucket. */
const QUEUED_BYTES = 12;

/** Bytes of a bitmap of all ports. */
const BITMAP_BYTES = 8192 + 256;

const words = (...strides: number[]) => 4 * strides.reduce((sum, stride) => sum + stride, 0);

/** Bytes of one row of each kind, with what goes along with it wherever it is. */
const ROW = {
  END: words(TCB.STRIDE, WARM.STRIDE, TIMER.STRIDE, 1),
  COLD: words(COLD.STRIDE),
  BULK: words(RECEIVER.STRIDE, SENDER.STRIDE, RECOVERY.STRIDE, 32),
  SEGMENT: words(RTX.STRIDE),
  SYN: words(SYN_ROW.STRIDE),
  TIME_WAIT: words(TIME_WAIT_ROW.STRIDE),
  SESSION: words(SESSION.STRIDE, SESSION_COLD.STRIDE),
  MAPPING: words(MAPPING.STRIDE),
  SUBSCRIBER: words(SUBSCRIBER.STRIDE),
  GATEWAY: words(GATEWAY.STRIDE),
  FLOW: words(FLOW.STRIDE),
  PACKET: words(PACKET.STRIDE),
  EVENT: words(APP_EVENT.STRIDE),
  APP_TIMER: words(8),
  DATAGRAM_SOCKET: words(UDP_SOCKET.STRIDE),
  EXCHANGE: words(16),
  NODE: words(NODE.STRIDE, HOST.STRIDE),
  DIRECTION: words(DIRECTION.STRIDE, 2 * PACE.STRIDE),
} as const;

/** What a run of this load on a network of this size takes. */
export function estimateOf(load: Load, size: Size): MemoryEstimate {
  const tableBytes = Math.ceil(
    size.nodes * ROW.NODE + size.directions * ROW.DIRECTION + size.gateways * ROW.GATEWAY +
      connectionTables(load) + natTables(load, size) + transientTables(load) + datagramTables(load) +
      load.samples * 4,
  );
  const residentBytes = Math.ceil(
    PROCESS_BYTES + tableBytes + size.nodes * NODE_BUILD_BYTES + load.samples * SORTED_BYTES +
      load.proxied * PROXIED_BYTES,
  );
  return { tableBytes, residentBytes };
}

function connectionTables(load: Load): number {
  const { ends, coldEnds, bulkFlows, segments, synRows, timeWaits, tcpTimers } = load;
  return ends * ROW.END + coldEnds * ROW.COLD + bulkFlows * ROW.BULK + segments * ROW.SEGMENT + synRows * ROW.SYN +
    timeWaits * ROW.TIME_WAIT + tupleTableBytes(tuplesOf(load)) + timerWheelBytes(tcpTimers, TCP_SLOTS);
}

function natTables({ sessions, mappings, subscribers, bitmaps, flows, natTimers }: Load, { gateways }: Size): number {
  const nats = gateways === 0 ? 0 : sessions * ROW.SESSION + 2 * tupleTableBytes(sessions) + mappings * ROW.MAPPING +
    2 * tupleTableBytes(mappings) + subscribers * ROW.SUBSCRIBER + tupleTableBytes(subscribers) +
    bitmaps * BITMAP_BYTES;
  const balanced = flows === 0 ? 0 : flows * (ROW.FLOW + ROW.APP_TIMER) + tupleTableBytes(2 * flows);
  return nats + balanced + timerWheelBytes(natTimers, NAT_SLOTS);
}

function transientTables({ packets, events }: Load): number {
  return packets * ROW.PACKET + events * ROW.EVENT + (packets + events) * QUEUED_BYTES;
}

function datagramTables({ datagramSockets, exchanges, natTimers, flows, sessions }: Load): number {
  if (datagramSockets === 0) return 0;
  return datagramSockets * ROW.DATAGRAM_SOCKET + tupleTableBytes(datagramSockets) + exchanges * ROW.EXCHANGE +
    Math.max(0, natTimers - flows - sessions) * ROW.APP_TIMER;
}
