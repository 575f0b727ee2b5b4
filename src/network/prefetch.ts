/**
 * Touch prefetch (DESIGN section 8.2): when a bucket of events becomes current, tight loops of independent loads bring
 * in its packets, then their entries in the hash tables, then the connection and session rows behind those, before the
 * first of them is processed. One dependent cache miss costs as much as ten independent ones: it takes 15% off the time
 * of `examples/million.yaml`.
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
import type { Partition } from "./partition.ts";

const { SRC, DST, PORTS, CONTROL, LINK, HASH, STRIDE } = PACKET;
const { TO, FLAGS, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const { GATEWAY, STRIDE: NODE_STRIDE } = NODE;
const HOST_STRIDE = HOST.STRIDE;
const { FROM_INSIDE, TO_HOST, TO_NAT } = DIRECTION_FLAG;
const { TCP } = PROTOCOL;
const TCB_STRIDE = TCB.STRIDE;
const WARM_STRIDE = WARM.STRIDE;
const TIMER_STRIDE = TIMER.STRIDE;
const SYN_STRIDE = SYN_ROW.STRIDE;
const SESSION_STRIDE = SESSION.STRIDE;
const { CONNECTION, SYN_RECEIVED } = ROW_KIND;

/** Which table an event's slot lies in: low two bits of `slots`. */
const DEMUX = 1;
const INSIDE = 2;
const OUTSIDE = 3;

/** A value that no combination of small row words has. */
const NEVER = 0x7fffffff;

/** Buckets are handed over in parts of this many events at most (`EventQueue.onBucket`). */
const MOST = 1024;

/** Makes the hook for `EventQueue.onBucket`. */
export function prefetcher(s: Partition): (refs: Int32Array, begin: number, end: number) => void {
  const slots = new Int32Array(2 * MOST);
  // Loads whose result nobody uses would be optimised away.
  let sink = 0;
  return (refs, begin, end) => {
    if (end - begin > MOST) end = begin + MOST;
    let touched = 0;
    const rows = s.packets.rows.words;
    for (let i = begin; i < end; i++) {
      const ref = refs[i];
      if ((ref & 1) === 0) touched ^= rows[(ref >>> 1) * STRIDE];
    }
    const n = findSlots(s, refs, begin, end, slots);
    const demux = s.tcp.demux.table.entries;
    const inside = s.nat.inside.entries;
    const outside = s.nat.outside.entries;
    for (let i = 0; i < n; i++) {
      const slot = slots[i];
      const table = slot & 3;
      touched ^= table === DEMUX ? demux[slot >> 2] : table === INSIDE ? inside[slot >> 2] : outside[slot >> 2];
    }
    const tcbs = s.tcp.tcbs.words;
    const { warm, timers, loneSentUs } = s.tcp;
    const syns = s.tcp.synRows.words;
    const sessions = s.nat.sessions.words;
    for (let i = 0; i < n; i++) {
      const slot = slots[i];
      const at = (slot >> 2) + 1;
      if ((slot & 3) === DEMUX) {
        const value = demux[at];
        const row = value >>> 2;
        const kind = value & 3;
        if (kind === CONNECTION) {
          touched ^= tcbs[row * TCB_STRIDE] ^ warm[row * WARM_STRIDE] ^ timers[row * TIMER_STRIDE] ^ loneSentUs[row];
        } else if (kind === SYN_RECEIVED) touched ^= syns[row * SYN_STRIDE];
      } else touched ^= sessions[((slot & 3) === INSIDE ? inside[at] : outside[at]) * SESSION_STRIDE];
    }
    sink ^= touched;
  };
}

/**
 * Notes where each packet's next look-up begins, keeps hosts' hashes in the packets, and touches the rows of the nodes.
 * Returns how many look-ups there are.
 */
function findSlots(s: Partition, refs: Int32Array, begin: number, end: number, slots: Int32Array): number {
  const rows = s.packets.rows.words;
  const directions = s.links.words;
  const nodes = s.nodes.words;
  const hosts = s.hosts.words;
  const demuxMask = s.tcp.demux.table.mask;
  let touched = 0;
  let n = 0;
  for (let i = begin; i < end; i++) {
    const ref = refs[i];
    if ((ref & 1) !== 0) continue;
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
      slots[n++] = (probeStart(hash, demuxMask) << 2) | DEMUX;
    } else {
      const gateway = nodes[node * NODE_STRIDE + GATEWAY];
      if (flags & FROM_INSIDE) {
        slots[n++] = (probeStart(outboundHash(s.nat, gateway, ref >>> 1), s.nat.inside.mask) << 2) | INSIDE;
      } else {
        slots[n++] = (probeStart(inboundHash(s.nat, gateway, ref >>> 1), s.nat.outside.mask) << 2) | OUTSIDE;
      }
    }
  }
  // (Never -1: the number of look-ups with a use for `touched` that cannot be optimised away.)
  return touched === NEVER ? -1 : n;
}
