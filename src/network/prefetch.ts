/**
 * Touch prefetch (DESIGN section 8.2): when a bucket of events becomes current, tight loops of independent loads bring
 * in its packets, then their entries in the hash tables, then the connection and session rows behind those, before the
 * first of them is processed. One dependent cache miss costs as much as ten independent ones: without it
 * `examples/million.yaml` takes 6 to 8% longer.
 *
 * @module
 */
import { DIRECTION, DIRECTION_FLAG } from "../link/links.ts";
import { SESSION } from "../nat/layout.ts";
import { inboundHash, outboundHash } from "../nat/nat.ts";
import { NODE } from "../node/nodes.ts";
import { hashTuple, probeStart } from "../store/tuple_table.ts";
import { ROW_KIND } from "../tcp/state/states.ts";
import { SYN_ROW, TCB, TIMER, WARM } from "../tcp/state/tcb.ts";
import { HOST } from "../transport/hosts.ts";
import { PACKET, PROTOCOL } from "../wire/packet.ts";
import { APP_EVENT } from "./app_event.ts";
import type { Partition } from "./partition.ts";

const { SRC, DST, PORTS, CONTROL, LINK, HASH, STRIDE } = PACKET;
const { TO, FLAGS, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const { GATEWAY, STRIDE: NODE_STRIDE } = NODE;
const HOST_STRIDE = HOST.STRIDE;
const { CONNECTION: CONNECTION_OF, NODE: NODE_OF, STRIDE: EVENT_STRIDE } = APP_EVENT;
const { FROM_INSIDE, TO_HOST, TO_NAT } = DIRECTION_FLAG;
const { TCP } = PROTOCOL;
const TCB_STRIDE = TCB.STRIDE;
const WARM_STRIDE = WARM.STRIDE;
const { DELACK, QUEUED_AT, STRIDE: TIMER_STRIDE } = TIMER;
const SYN_STRIDE = SYN_ROW.STRIDE;
const SESSION_STRIDE = SESSION.STRIDE;
const { CONNECTION, SYN_RECEIVED } = ROW_KIND;

/** Which table an event's slot lies in: low two bits of `slots`. `TIMED`: it is an application's event for a connection. */
const TIMED = 0;
const DEMUX = 1;
const INSIDE = 2;
const OUTSIDE = 3;

/** A value that no combination of small row words has. */
const NEVER = 0x7fffffff;

/** Buckets are handed over in parts of this many events at most (`EventQueue.onBucket`). */
const MOST = 1024;

/** Loads whose result nobody uses would be optimised away. Nothing reads it. */
let sink = 0;

/** Fewer events than this are not looked at ahead: that would cost more than it wins. */
const FEW = 4;

/** Makes the hook for `EventQueue.onBucket`. */
export function prefetcher(s: Partition): (refs: Int32Array, begin: number, end: number) => void {
  const slots = new Int32Array(MOST);
  const hashes = new Int32Array(MOST);
  const connections = new Int32Array(MOST);
  const sessions = new Int32Array(MOST);
  return (refs, begin, end) => {
    // A few packets have little to be fetched beside.
    if (end - begin < FEW) return;
    if (end - begin > MOST) end = begin + MOST;
    let touched = 0;
    const rows = s.packets.rows.words;
    const events = s.events.words;
    for (let i = begin; i < end; i++) {
      const ref = refs[i];
      touched ^= (ref & 1) === 0 ? rows[(ref >>> 1) * STRIDE] : events[(ref >>> 1) * EVENT_STRIDE];
    }
    const n = findSlots(s, refs, begin, end, slots, hashes);
    const { entries: demux, mask: demuxMask } = s.tcp.demux.table;
    const { entries: inside, mask: insideMask } = s.nat.inside;
    const { entries: outside, mask: outsideMask } = s.nat.outside;
    for (let i = 0; i < n; i++) {
      const slot = slots[i];
      const table = slot & 3;
      if (table === DEMUX) touched ^= demux[slot >> 2];
      else if (table === INSIDE) touched ^= inside[slot >> 2];
      else if (table === OUTSIDE) touched ^= outside[slot >> 2];
    }
    const syns = s.tcp.synRows.words;
    let ends = 0;
    let translated = 0;
    for (let i = 0; i < n; i++) {
      const slot = slots[i];
      const table = slot & 3;
      const at = slot >> 2;
      if (table === INSIDE) sessions[translated++] = valueOf(inside, insideMask, at, hashes[i]);
      else if (table === OUTSIDE) sessions[translated++] = valueOf(outside, outsideMask, at, hashes[i]);
      else if (table === TIMED) connections[ends++] = at;
      else {
        const value = valueOf(demux, demuxMask, at, hashes[i]);
        const kind = value & 3;
        if (kind === CONNECTION) connections[ends++] = value >>> 2;
        else if (kind === SYN_RECEIVED) touched ^= syns[(value >>> 2) * SYN_STRIDE];
      }
    }
    // (The shorter a loop, the more of its loads are under way at once.)
    const words = s.nat.sessions.words;
    for (let i = 0; i < translated; i++) touched ^= words[sessions[i] * SESSION_STRIDE];
    const tcbs = s.tcp.tcbs.words;
    const { warm, timers, loneSentUs } = s.tcp;
    for (let i = 0; i < ends; i++) {
      const row = connections[i];
      touched ^= tcbs[row * TCB_STRIDE] ^ warm[row * WARM_STRIDE] ^ timers[row * TIMER_STRIDE] ^ loneSentUs[row];
    }
    sink ^= touched;
  };
}

/** The first value with a hash, from place `at` on; 0 if there is none: where others have the same slot, it lies further on. */
function valueOf(entries: Int32Array, mask: number, at: number, hash: number): number {
  let value = entries[at + 1];
  while (entries[at] !== hash && value !== 0) {
    at = (at + 2) & mask;
    value = entries[at + 1];
  }
  return value;
}

/**
 * Notes where each packet's next look-up begins, keeps hosts' hashes in the packets, and touches the rows of the nodes.
 * Returns how many look-ups there are.
 */
function findSlots(
  s: Partition,
  refs: Int32Array,
  begin: number,
  end: number,
  slots: Int32Array,
  hashes: Int32Array,
): number {
  const rows = s.packets.rows.words;
  const directions = s.links.words;
  const nodes = s.nodes.words;
  const hosts = s.hosts.words;
  const events = s.events.words;
  const demuxMask = s.tcp.demux.table.mask;
  const connections = s.tcp.loneSentUs.length;
  let touched = 0;
  let n = 0;
  for (let i = begin; i < end; i++) {
    const ref = refs[i];
    if ((ref & 1) !== 0) {
      const event = (ref >>> 1) * EVENT_STRIDE;
      const connection = events[event + CONNECTION_OF];
      if (connection <= 0 || connection >= connections) continue;
      touched ^= hosts[events[event + NODE_OF] * HOST_STRIDE];
      slots[n++] = (connection << 2) | TIMED;
      continue;
    }
    const o = (ref >>> 1) * STRIDE;
    const d = rows[o + LINK] * DIRECTION_STRIDE;
    const node = directions[d + TO];
    const flags = directions[d + FLAGS];
    touched ^= nodes[node * NODE_STRIDE];
    if ((flags & (TO_HOST | TO_NAT)) === 0 || rows[o + CONTROL] >>> 24 !== TCP) continue;
    if (flags & TO_HOST) {
      touched ^= hosts[node * HOST_STRIDE];
      const wire = rows[o + PORTS];
      const hash = hashTuple(node, rows[o + DST], rows[o + SRC], (wire << 16) | (wire >>> 16));
      rows[o + HASH] = hash;
      hashes[n] = hash;
      slots[n++] = (probeStart(hash, demuxMask) << 2) | DEMUX;
    } else {
      const gateway = nodes[node * NODE_STRIDE + GATEWAY];
      if (flags & FROM_INSIDE) {
        hashes[n] = outboundHash(s.nat, gateway, ref >>> 1);
        slots[n] = (probeStart(hashes[n], s.nat.inside.mask) << 2) | INSIDE;
      } else {
        hashes[n] = inboundHash(s.nat, gateway, ref >>> 1);
        slots[n] = (probeStart(hashes[n], s.nat.outside.mask) << 2) | OUTSIDE;
      }
      n++;
    }
  }
  // (Never -1: the number of look-ups with a use for `touched` that cannot be optimised away.)
  return touched === NEVER ? -1 : n;
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
    if (((timers[at + DELACK] - nowMs) | 0) >= 0) touched ^= warm[row * WARM_STRIDE] ^ tcbs[row * TCB_STRIDE];
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
