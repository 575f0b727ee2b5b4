/**
 * Touch prefetch (DESIGN section 8.2): when a bucket of events becomes current, tight loops of independent loads bring
 * in its packets, then their entries in all hash tables, then the connection and session rows behind those, before the
 * first of them is processed. One dependent cache miss costs as much as ten independent ones: without it
 * `examples/million.yaml` takes 6 to 8% longer.
 *
 * @module
 */
import { DIRECTION, DIRECTION_FLAG } from "../link/links.ts";
import { SESSION } from "../nat/layout.ts";
import { hasExclusivePorts, inboundTcpHash, outboundTcpHash } from "../nat/nat.ts";
import { NODE } from "../node/nodes.ts";
import { hashTuple, type TupleTable } from "../store/tuple_table.ts";
import { ROW_KIND } from "../tcp/state/states.ts";
import { SYN_ROW, TCB, TIMER, WARM } from "../tcp/state/tcb.ts";
import { HOST } from "../transport/hosts.ts";
import { PACKET, PROTOCOL } from "../wire/packet.ts";
import { APP_EVENT } from "./app_event.ts";
import type { Partition } from "./partition.ts";

const { SRC, DST, PORTS, CONTROL, LINK, HASH, MASK, STRIDE } = PACKET;
const { TO, FLAGS, MASK: DIRECTION_MASK, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const { GATEWAY, MASK: NODE_MASK, STRIDE: NODE_STRIDE } = NODE;
const { MASK: HOST_MASK, STRIDE: HOST_STRIDE } = HOST;
const { CONNECTION: CONNECTION_OF, NODE: NODE_OF, ARGUMENT: ARGUMENT_OF, MASK: EVENT_MASK, STRIDE: EVENT_STRIDE } =
  APP_EVENT;
const { FROM_INSIDE, TO_HOST, TO_NAT } = DIRECTION_FLAG;
const { TCP } = PROTOCOL;
const { MASK: TCB_MASK, STRIDE: TCB_STRIDE } = TCB;
const { APP, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { DELACK, QUEUED_AT, MASK: TIMER_MASK, STRIDE: TIMER_STRIDE } = TIMER;
const { MASK: SYN_MASK, STRIDE: SYN_STRIDE } = SYN_ROW;
const { MASK: SESSION_MASK, STRIDE: SESSION_STRIDE } = SESSION;
const { CONNECTION, SYN_RECEIVED } = ROW_KIND;

/** (Constants of this module are inlined without a check, imported bindings are not.) */
const hashOf = hashTuple;
const hashInbound = inboundTcpHash;
const hashOutbound = outboundTcpHash;

/** Buckets are handed over in parts of this many events at most (`EventQueue.onBucket`). */
const MOST = 1024;

/**
 * Where the lists of what is looked up next begin: TCP packets for hosts, those that reach a NAT from inside and from
 * outside, connections that an application's event is for, hashes of four-tuples that connections about to be opened
 * will have; then how many each has.
 */
const LIST = {
  TO_HOST: 0,
  INSIDE: MOST,
  OUTSIDE: 2 * MOST,
  TIMED: 3 * MOST,
  COMING: 4 * MOST,
  COUNTS: 6 * MOST,
  SIZE: 6 * MOST + 5,
};
const { INSIDE, OUTSIDE, TIMED, COMING, COUNTS } = LIST;

/** Loads whose result nobody uses would be optimised away. Nothing reads it. */
let sink = 0;

/** Fewer events than this are not looked at ahead: that would cost more than it wins. */
const FEW = 4;

/** Makes the hook for `EventQueue.onBucket`. */
export function prefetcher(s: Partition): (refs: Int32Array, begin: number, end: number) => void {
  const lists = new Int32Array(LIST.SIZE);
  const hashes = new Int32Array(MOST);
  const values = new Int32Array(MOST);
  return (refs, begin, end) => {
    // A few packets have little to be fetched beside.
    if (end - begin < FEW) return;
    if (end - begin > MOST) end = begin + MOST;
    touchEvents(s, refs, begin, end);
    list(s, refs, begin, end, lists);
    const toHosts = lists[COUNTS];
    const inside = lists[COUNTS + 1];
    const outside = lists[COUNTS + 2];
    const timed = lists[COUNTS + 3];
    const toNat = (toHosts + inside) | 0;
    const { demux: { table } } = s.tcp;
    const { inside: outwards, outside: inwards } = s.nat;
    hashForHosts(s, lists, toHosts, hashes);
    hashForNat(s, lists, INSIDE, inside, hashes, toHosts);
    hashForNat(s, lists, OUTSIDE, outside, hashes, toNat);
    // All that can be fetched by now, before any of it is waited for: the tables' entries, what is known of rows already.
    touchEntries(table, hashes, 0, toHosts);
    touchEntries(table, lists, COMING, lists[COUNTS + 4]);
    touchEntries(outwards, hashes, toHosts, inside);
    touchEntries(inwards, hashes, toNat, outside);
    touchConnections(s, lists, TIMED, timed);
    lookUp(table, hashes, 0, toHosts, values);
    lookUp(outwards, hashes, toHosts, inside, values);
    lookUp(inwards, hashes, toNat, outside, values);
    touchConnections(s, values, 0, keepConnections(s, values, toHosts));
    touchSessions(s, values, toHosts, inside + outside);
  };
}

/** Touches the rows of packets and of applications' events. */
function touchEvents(s: Partition, refs: Int32Array, begin: number, end: number): void {
  const rows = s.packets.rows.words;
  const events = s.events.words;
  let touched = 0;
  for (let i = begin; i < end; i++) {
    const ref = refs[i];
    touched ^= (ref & 1) === 0
      ? rows[((ref >>> 1) * STRIDE) & MASK]
      : events[((ref >>> 1) * EVENT_STRIDE) & EVENT_MASK];
  }
  sink ^= touched;
}

/** Lists what is looked up next. */
function list(s: Partition, refs: Int32Array, begin: number, end: number, lists: Int32Array): void {
  const rows = s.packets.rows.words;
  const directions = s.links.words;
  const hosts = s.hosts.words;
  const events = s.events.words;
  const rowsOfConnections = s.tcp.tcbs.capacity;
  const expected = s.tcp.ports.expected;
  const last = expected.length - 1;
  let touched = 0;
  let toHosts = 0;
  let inside = INSIDE;
  let outside = OUTSIDE;
  let timed = TIMED;
  let coming = COMING;
  for (let i = begin; i < end; i++) {
    const ref = refs[i];
    if ((ref & 1) !== 0) {
      const event = ((ref >>> 1) * EVENT_STRIDE) & EVENT_MASK;
      const connection = events[event + CONNECTION_OF];
      const node = events[event + NODE_OF];
      touched ^= hosts[(node * HOST_STRIDE) & HOST_MASK];
      if (connection <= 0 || connection >= rowsOfConnections) {
        // An arrival: this source's next four-tuple, and that of the source after it, whose turn may come in this bucket.
        lists[coming] = expected[node & last];
        lists[coming + 1] = expected[events[event + ARGUMENT_OF] & last];
        coming = (coming + 2) | 0;
        continue;
      }
      lists[timed] = connection;
      timed = (timed + 1) | 0;
      continue;
    }
    const o = ((ref >>> 1) * STRIDE) & MASK;
    const flags = directions[((rows[o + LINK] * DIRECTION_STRIDE) & DIRECTION_MASK) + FLAGS];
    if ((flags & (TO_HOST | TO_NAT)) === 0 || rows[o + CONTROL] >>> 24 !== TCP) continue;
    if ((flags & TO_HOST) !== 0) {
      lists[toHosts] = ref >>> 1;
      toHosts = (toHosts + 1) | 0;
    } else if ((flags & FROM_INSIDE) !== 0) {
      lists[inside] = ref >>> 1;
      inside = (inside + 1) | 0;
    } else {
      lists[outside] = ref >>> 1;
      outside = (outside + 1) | 0;
    }
  }
  lists[COUNTS] = toHosts;
  lists[COUNTS + 1] = inside - INSIDE;
  lists[COUNTS + 2] = outside - OUTSIDE;
  lists[COUNTS + 3] = timed - TIMED;
  lists[COUNTS + 4] = coming - COMING;
  sink ^= touched;
}

/** Works out the hashes of packets for hosts, keeps them in the packets, and touches the hosts. */
function hashForHosts(s: Partition, packets: Int32Array, count: number, hashes: Int32Array): void {
  const rows = s.packets.rows.words;
  const directions = s.links.words;
  const nodes = s.nodes.words;
  const hosts = s.hosts.words;
  let touched = 0;
  for (let i = 0; i < count; i++) {
    const o = (packets[i] * STRIDE) & MASK;
    const node = directions[((rows[o + LINK] * DIRECTION_STRIDE) & DIRECTION_MASK) + TO];
    touched ^= nodes[(node * NODE_STRIDE) & NODE_MASK] ^ hosts[(node * HOST_STRIDE) & HOST_MASK];
    const wire = rows[o + PORTS];
    const hash = hashOf(node, rows[o + DST], rows[o + SRC], (wire << 16) | (wire >>> 16));
    rows[o + HASH] = hash;
    hashes[i] = hash;
  }
  sink ^= touched;
}

/** Works out the hashes of packets that reach a NAT, those from place `from` of `lists` on, into `hashes` from `to` on. */
function hashForNat(
  s: Partition,
  lists: Int32Array,
  from: number,
  count: number,
  hashes: Int32Array,
  to: number,
): void {
  if (count === 0) return;
  const nat = s.nat;
  const rows = s.packets.rows.words;
  const directions = s.links.words;
  const nodes = s.nodes.words;
  let last = -1;
  let exclusive = false;
  for (let i = 0; i < count; i++) {
    const o = (lists[from + i] * STRIDE) & MASK;
    const node = directions[((rows[o + LINK] * DIRECTION_STRIDE) & DIRECTION_MASK) + TO];
    const gateway = nodes[((node * NODE_STRIDE) & NODE_MASK) + GATEWAY];
    if (gateway !== last) {
      last = gateway;
      exclusive = hasExclusivePorts(nat, gateway);
    }
    hashes[to + i] = from === INSIDE ? hashOutbound(rows, o, gateway) : hashInbound(rows, o, gateway, exclusive);
  }
}

/** Touches where the entries of `count` hashes are, from place `from` on. (The shorter a loop, the more of its loads are under way.) */
function touchEntries(table: TupleTable, hashes: Int32Array, from: number, count: number): void {
  const { entries, mask } = table;
  const end = (from + count) | 0;
  let touched = 0;
  for (let i = from; i < end; i = (i + 1) | 0) touched ^= entries[(hashes[i] << 1) & mask];
  sink ^= touched;
}

/** Writes the first value with each of `count` hashes, from place `from` on, beside it into `values`: 0 if there is none. */
function lookUp(table: TupleTable, hashes: Int32Array, from: number, count: number, values: Int32Array): void {
  const { entries, mask } = table;
  const end = (from + count) | 0;
  for (let i = from; i < end; i = (i + 1) | 0) {
    const hash = hashes[i];
    let at = (hash << 1) & mask;
    let value = entries[at + 1];
    // Where others have the same slot, it lies further on.
    while (entries[at] !== hash && value !== 0) {
      at = (at + 2) & mask;
      value = entries[at + 1];
    }
    values[i] = value;
  }
}

/** Of the first `count` values, which are the demux table's, keeps the rows of connections, and returns how many. */
function keepConnections(s: Partition, values: Int32Array, count: number): number {
  const syns = s.tcp.synRows.words;
  let kept = 0;
  let touched = 0;
  for (let i = 0; i < count; i++) {
    const value = values[i];
    const kind = value & 3;
    if (kind === CONNECTION) {
      values[kept] = value >>> 2;
      kept = (kept + 1) | 0;
    } else if (kind === SYN_RECEIVED) touched ^= syns[((value >>> 2) * SYN_STRIDE) & SYN_MASK];
  }
  sink ^= touched;
  return kept;
}

/** Touches the lines of `count` connections, whose rows stand in `rows` from place `from` on. */
function touchConnections(s: Partition, rows: Int32Array, from: number, count: number): void {
  const tcbs = s.tcp.tcbs.words;
  const { warm, timers } = s.tcp;
  const end = (from + count) | 0;
  let touched = 0;
  for (let i = from; i < end; i = (i + 1) | 0) {
    const row = rows[i];
    touched ^= tcbs[(row * TCB_STRIDE) & TCB_MASK] ^ warm[((row * WARM_STRIDE) & WARM_MASK) + APP] ^
      timers[(row * TIMER_STRIDE) & TIMER_MASK];
  }
  sink ^= touched;
}

/** Touches the lines of `count` sessions, whose rows stand in `rows` from place `from` on. */
function touchSessions(s: Partition, rows: Int32Array, from: number, count: number): void {
  const sessions = s.nat.sessions.words;
  const end = (from + count) | 0;
  let touched = 0;
  for (let i = from; i < end; i = (i + 1) | 0) touched ^= sessions[(rows[i] * SESSION_STRIDE) & SESSION_MASK];
  sink ^= touched;
}

/** The same for TCP's timers of a tick: deadlines first, then the rows of connections that wait to acknowledge. */
export function touchTcpTimers(s: Partition, refs: ArrayLike<number>, count: number): void {
  const { timers, warm, nowMs } = s.tcp;
  const tcbs = s.tcp.tcbs.words;
  let touched = 0;
  for (let i = 0; i < count; i++) {
    const ref = refs[i];
    if ((ref & 3) === CONNECTION) touched ^= timers[(ref >>> 2) * TIMER_STRIDE];
  }
  for (let i = 0; i < count; i++) {
    const ref = refs[i];
    if ((ref & 3) !== CONNECTION) continue;
    const row = ref >>> 2;
    const at = row * TIMER_STRIDE;
    if (timers[at + QUEUED_AT] !== nowMs || timers[at + DELACK] === 0) continue;
    if (((timers[at + DELACK] - nowMs) | 0) >= 0) touched ^= warm[row * WARM_STRIDE + APP] ^ tcbs[row * TCB_STRIDE];
  }
  sink ^= touched;
}

/** The same for NAT's. */
export function touchNatTimers(s: Partition, refs: ArrayLike<number>, count: number): void {
  const sessions = s.nat.sessions.words;
  let touched = 0;
  for (let i = 0; i < count; i++) {
    const ref = refs[i];
    if ((ref & 3) === 0) touched ^= sessions[(ref >>> 2) * SESSION_STRIDE];
  }
  sink ^= touched;
}
