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
import { WHEELS } from "../store/event_slots.ts";
import { tupleTableBytes } from "../store/tuple_table.ts";
import { timerWheelBytes } from "../store/timer_wheel.ts";
import { COLD, RTX, SETTINGS, SYN_ROW, TCB, TIME_WAIT_ROW } from "../tcp/state/tcb.ts";
import { ACCOUNT } from "../tcp/state/account_row.ts";
import { RECEIVER } from "../tcp/state/receiver_row.ts";
import { SENDER } from "../tcp/state/sender_row.ts";
import { RECOVERY } from "../tcp/state/recovery_row.ts";
import { HOST } from "../transport/hosts.ts";
import { keyTableBytes } from "../transport/key_table.ts";
import { KEYS_A_TUPLE } from "../transport/port_use.ts";
import { UDP_SOCKET } from "../transport/udp.ts";
import { PACKET } from "../wire/packet.ts";
import { EXCHANGE } from "../app/udp_client.ts";
import { APP_EVENT } from "./app_event.ts";
import { APP_TIMER } from "./app_timers.ts";
import { appTimersOf, type Load, tuplesOf } from "./load.ts";
import { BUCKET_NS } from "./partition.ts";

/** What a run takes in memory, bytes. Each further thread adds its own (`threadTableBytes`, `threadBytes`). */
export interface MemoryEstimate {
  /** Of its tables: what `memory.columnBytes` of the report will be. */
  tableBytes: number;
  /** What the process will take in all, besides what it has taken already. */
  addedBytes: number;
  /** Of the whole process at its largest: `memory.peakRssBytes`. What it has taken already is measured. */
  residentBytes: number;
  /** Of a further thread's tables: it has rows for the whole network, and hash tables of its own. */
  threadTableBytes: number;
  /** Of a further thread in all. */
  threadBytes: number;
}

/** Nodes of a network, and directions of its links. */
export interface Size {
  nodes: number;
  directions: number;
  gateways: number;
}

/** Deno with code that has imported fourtuple and done nothing yet, where what the process has is not told, or not known. */
const LOADED_BYTES = 70e6;

/** What building adds to the heap, and what running adds to it until all that is hot is compiled, by `HOT` connections. */
const BUILD_BYTES = 8e6;
const HOT_BYTES = 19e6;
const HOT = 1000;

/** A thread: its heap, and what it loads and compiles again; rings to and from the others. */
const THREAD_BYTES = 45e6;

/** Working out the routes and ranks of a node, whose memory the process keeps. */
const NODE_BUILD_BYTES = 46;

/** Values of quantiles are sorted in a copy. */
const SORTED_BYTES = 4;

/** A place in the report's count of ports in use, and half of one in the table that it grew from. */
const PAIR_BYTES = 12;

/** Bytes of a proxy's books about one connection: objects and entries of maps. */
const PROXIED_BYTES = 500;

/** Slots of a timer wheel that have entries at the same time, of timers that are due within minutes. */
const NAT_SLOTS = 256;
/** Of slots in which such timers come due one by one, the share that has entries at the same time. */
const LONE_SLOTS = 0.4;

/** Bytes of an event in the queue; of a chunk of them; buckets of the finest wheel, which have a chunk each if any event. */
const QUEUED_BYTES = 12;
const QUEUE_CHUNK_BYTES = QUEUED_BYTES * (WHEELS.CHUNK_MASK + 1);
const BUCKETS = WHEELS.FINE_MASK + 1;

/** Bytes of a bitmap of all ports. */
const BITMAP_BYTES = 8192 + 256;

const words = (...strides: number[]) => 4 * strides.reduce((sum, stride) => sum + stride, 0);

/** Bytes of one row of each kind, with what goes along with it wherever it is. */
const ROW = {
  END: words(TCB.STRIDE),
  COLD: words(COLD.STRIDE),
  RECEIVER: words(RECEIVER.STRIDE),
  SENDER: words(SENDER.STRIDE),
  RECOVERY: words(RECOVERY.STRIDE),
  WINDOW: words(16),
  SETTINGS: words(SETTINGS.STRIDE),
  ACCOUNT: words(ACCOUNT.STRIDE),
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
  APP_TIMER: words(APP_TIMER.STRIDE),
  DATAGRAM_SOCKET: words(UDP_SOCKET.STRIDE),
  EXCHANGE: words(EXCHANGE.STRIDE),
  NODE: words(NODE.STRIDE, HOST.STRIDE),
  DIRECTION: words(DIRECTION.STRIDE, 2 * PACE.STRIDE),
} as const;

/** What a run of this load on a network of this size takes. `takenBytes`: what the process has already, 0 for unknown. */
export function estimateOf(load: Load, size: Size, takenBytes: number): MemoryEstimate {
  const tableBytes = Math.ceil(
    size.nodes * ROW.NODE + size.directions * ROW.DIRECTION + size.gateways * ROW.GATEWAY +
      connectionTables(load) + natTables(load, size) + transientTables(load) + datagramTables(load) +
      load.samples * 4,
  );
  const hot = Math.min(1, load.samples / HOT + load.senders);
  const addedBytes = Math.ceil(
    BUILD_BYTES + hot * HOT_BYTES + tableBytes + size.nodes * NODE_BUILD_BYTES + load.samples * SORTED_BYTES +
      countingBytes(load) + load.proxied * PROXIED_BYTES,
  );
  const networkBytes = size.nodes * ROW.NODE + size.directions * ROW.DIRECTION + size.gateways * ROW.GATEWAY;
  const threadTableBytes = networkBytes + hashTables(load, size);
  return {
    tableBytes,
    addedBytes,
    residentBytes: addedBytes + (takenBytes === 0 ? LOADED_BYTES : takenBytes),
    threadTableBytes,
    threadBytes: THREAD_BYTES + threadTableBytes + size.nodes * NODE_BUILD_BYTES + load.samples * SORTED_BYTES,
  };
}

/** The same of a run in `threads` threads. */
export function inThreads(estimate: MemoryEstimate, threads: number): MemoryEstimate {
  const { tableBytes, addedBytes, residentBytes, threadTableBytes, threadBytes } = estimate;
  const further = threads - 1;
  return {
    ...estimate,
    tableBytes: tableBytes + further * threadTableBytes,
    addedBytes: addedBytes + further * threadBytes,
    residentBytes: residentBytes + further * threadBytes,
  };
}

/** The same of a process that has nothing in it but fourtuple: equal for equal networks. */
export function inOwnProcess(estimate: MemoryEstimate): MemoryEstimate {
  return { ...estimate, residentBytes: LOADED_BYTES + estimate.addedBytes };
}

/** The report's table of ports in use towards each destination. */
function countingBytes({ ends, timeWaits, pairs }: Load): number {
  let slots = 1024;
  while (slots < 2 * Math.min(pairs, ends + timeWaits)) slots *= 2;
  return slots * PAIR_BYTES;
}

/** Hash tables: each thread reserves its own for all of the load, and touches all of them. */
function hashTables(load: Load, { gateways }: Size): number {
  const { sessions, mappings, subscribers, flows } = load;
  return tupleTableBytes(tuplesOf(load)) + (flows === 0 ? 0 : tupleTableBytes(2 * flows)) +
    (gateways === 0 ? 0 : 2 * tupleTableBytes(sessions) + 2 * tupleTableBytes(mappings) + tupleTableBytes(subscribers));
}

function connectionTables(load: Load): number {
  const { ends, coldEnds, segments, synRows, timeWaits, tcpTimers, portCounters } = load;
  const some = load.receivers * ROW.RECEIVER + load.senders * ROW.SENDER + load.windows * ROW.WINDOW +
    load.recoveries * ROW.RECOVERY + load.settings * ROW.SETTINGS +
    load.accounts * ROW.ACCOUNT;
  return ends * ROW.END + coldEnds * ROW.COLD + some + segments * ROW.SEGMENT + synRows * ROW.SYN +
    timeWaits * ROW.TIME_WAIT + tupleTableBytes(tuplesOf(load)) + timerWheelBytes(tcpTimers, load.tcpSlots) +
    keyTableBytes(portCounters);
}

function natTables(
  { sessions, mappings, subscribers, bitmaps, flows, natTimers, natSlots }: Load,
  { gateways }: Size,
): number {
  const nats = gateways === 0 ? 0 : sessions * ROW.SESSION + 2 * tupleTableBytes(sessions) + mappings * ROW.MAPPING +
    2 * tupleTableBytes(mappings) + subscribers * ROW.SUBSCRIBER + tupleTableBytes(subscribers) +
    bitmaps * BITMAP_BYTES;
  const balanced = flows === 0 ? 0 : flows * (ROW.FLOW + ROW.APP_TIMER) + tupleTableBytes(2 * flows);
  return nats + balanced + timerWheelBytes(natTimers, NAT_SLOTS + LONE_SLOTS * natSlots);
}

function transientTables({ packets, scattered, aheadSeconds, events }: Load): number {
  // Few packets are mostly one to a bucket, and of many, many are; what is on links is due within the longest one's delay.
  const buckets = Math.min((BUCKETS * scattered) / (scattered + 2 * BUCKETS), 1 + aheadSeconds * 1e9 / BUCKET_NS);
  return packets * ROW.PACKET + events * ROW.EVENT + (packets + events) * QUEUED_BYTES + buckets * QUEUE_CHUNK_BYTES;
}

function datagramTables(load: Load): number {
  const { datagramSockets, exchanges, flows } = load;
  if (datagramSockets === 0) return 0;
  // (A bound socket is a listener, and where ports are chosen again and again those in use are counted.)
  return datagramSockets * ROW.DATAGRAM_SOCKET + exchanges * ROW.EXCHANGE +
    tupleTableBytes(datagramSockets) + keyTableBytes(datagramSockets) + keyTableBytes(KEYS_A_TUPLE * datagramSockets) +
    (appTimersOf(load) - flows) * ROW.APP_TIMER;
}
