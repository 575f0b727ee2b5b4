/**
 * SACK blocks that arrive (RFC 2018, RFC 2883): what they cover is tagged, as Linux's `tcp_sacktag_write_queue` does,
 * without looking twice at what was covered by the blocks before.
 *
 * @module
 */
import { EXTRA } from "../wire/packet.ts";
import { work } from "./ack_work.ts";
import { rackAdvance } from "./rack.ts";
import { rateDelivered } from "./rate.ts";
import { checkReordering } from "./reordering.ts";
import { splitRecord } from "./retransmit.ts";
import { highestSackSeq, recoveryAt, recoveryState } from "./scoreboard.ts";
import { removeSent } from "./sent_list.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_FLAG } from "./state/ack_sample.ts";
import { RACK_BIT, RECOVERY, TLP } from "./state/recovery_row.ts";
import { CA, COLD, RTX, RTX_FLAG, TCB, WARM } from "./state/tcb.ts";

const { SND_UNA, SND_NXT, MSS, MASK, STRIDE } = TCB;
const { MAX_WINDOW, STRIDE: WARM_STRIDE } = WARM;
const { RTX_HEAD, PACKETS_OUT, SACKED_OUT, LOST_OUT, RETRANS_OUT, HIGH_SEQ } = COLD;
const { NEXT, PREV, SEQ, END, SENT_US, FLAGS, MASK: RTX_MASK, STRIDE: RTX_STRIDE } = RTX;
const { SACKED, LOST, RETRANSMITTED, EVER, JOINED } = RTX_FLAG;
const {
  UNDO_MARKER,
  HAS_UNDO,
  UNDO_RETRANS,
  REORDER_SEEN,
  RACK_STATE,
  TLP_HIGH_SEQ,
  TLP_STATE,
  TOTAL_RETRANS,
  DSACK_DUPS,
  HIGHEST_SACK,
  SACK_FINGER,
  LOST_HINT,
  LOST_COUNT,
  CACHE,
} = RECOVERY;
const { DATA_SACKED, DSACK, DSACK_TLP, ORIGINAL_ACKED } = ACK_FLAG;
const { SACK, SACK_COUNT } = EXTRA;
/** Blocks that an ACK carries at most. */
const MOST = 4;

/** The valid blocks of the ACK in hand, in order: left and right edges. */
const edges = new Int32Array(2 * MOST);

/** Tags what the SACK blocks of the packet with extra row `extra` cover. There is a `RECOVERY` row. */
export function sackIn(stack: TcpStack, conn: number, k: number, extra: number, ack: number): void {
  const e = extra * EXTRA.STRIDE;
  const extras = stack.packets.extras.words;
  const count = Math.min(extras[e + SACK_COUNT], MOST);
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const r = recoveryAt(stack, k);
  const rows = stack.recoveries.words;
  const cold = stack.cold.words;
  work.reorder = words[c + SND_NXT];
  if (count === 0) return;
  if (cold[k + SACKED_OUT] === 0) {
    rows[r + HIGHEST_SACK] = cold[k + RTX_HEAD];
    rows[r + SACK_FINGER] = 0;
  }
  const duplicate = checkDuplicate(stack, conn, k, r, e, count, ack);
  // Too old to say anything.
  if (((ack - work.priorUna + stack.warm[conn * WARM_STRIDE + MAX_WINDOW]) | 0) < 0) return;
  if (cold[k + PACKETS_OUT] === 0) return;
  let used = 0;
  let first = 0;
  for (let i = 0; i < count; i++) {
    const from = extras[e + SACK + 2 * i];
    const to = extras[e + SACK + 2 * i + 1];
    if (!isValid(stack, conn, r, duplicate && i === 0, from, to)) {
      // Old blocks that arrive late are no mistake of the peer's.
      if (!(duplicate && i === 0) && ack !== words[c + SND_UNA] && ((to - words[c + SND_UNA]) | 0) <= 0) continue;
      if (!duplicate || i > 0) stack.counters.invalidSacks++;
      if (i === 0) first = -1;
      continue;
    }
    if (((to - work.priorUna) | 0) <= 0) {
      if (i === 0) first = -1;
      continue;
    }
    edges[2 * used] = from;
    edges[2 * used + 1] = to;
    used++;
  }
  first = sortBlocks(used, first);
  tagBlocks(stack, conn, k, r, used, duplicate ? first : -1);
  const cache = r + CACHE;
  for (let i = 0; i < MOST - used; i++) rows[cache + 2 * i] = rows[cache + 2 * i + 1] = 0;
  for (let i = 0; i < used; i++) {
    rows[cache + 2 * (MOST - used + i)] = edges[2 * i];
    rows[cache + 2 * (MOST - used + i) + 1] = edges[2 * i + 1];
  }
  if (recoveryState(stack, k) !== CA.LOSS || rows[r + HAS_UNDO] !== 0) {
    checkReordering(stack, conn, k, r, work.reorder);
  }
}

/** Sorts `edges`; returns where block `first` went. */
function sortBlocks(used: number, first: number): number {
  for (let i = used - 1; i > 0; i--) {
    for (let j = 0; j < i; j++) {
      if (((edges[2 * j] - edges[2 * j + 2]) | 0) <= 0) continue;
      for (let half = 0; half < 2; half++) {
        const kept = edges[2 * j + half];
        edges[2 * j + half] = edges[2 * j + 2 + half];
        edges[2 * j + 2 + half] = kept;
      }
      if (j === first) first = j + 1;
      else if (j + 1 === first) first = j;
    }
  }
  return first;
}

/** RFC 2883 4: is the first block a D-SACK? */
function checkDuplicate(
  stack: TcpStack,
  conn: number,
  k: number,
  r: number,
  e: number,
  count: number,
  ack: number,
): boolean {
  const extras = stack.packets.extras.words;
  const from = extras[e + SACK];
  const to = extras[e + SACK + 1];
  // Above SND.UNA: within the second block. (Compared in any case: V8 compiles nothing that it has not seen.)
  const isWithin = ((from - extras[e + SACK + 2]) | 0) >= 0 && ((to - extras[e + SACK + 3]) | 0) <= 0;
  if (((from - ack) | 0) >= 0 && (count < 2 || !isWithin)) return false;
  stack.counters.duplicateSacks++;
  const duplicates = countDuplicates(stack, conn, r, from, to);
  if (duplicates === 0) return false;
  const rows = stack.recoveries.words;
  if (
    rows[r + HAS_UNDO] !== 0 && rows[r + UNDO_RETRANS] > 0 && ((to - work.priorUna) | 0) <= 0 &&
    ((to - rows[r + UNDO_MARKER]) | 0) > 0
  ) rows[r + UNDO_RETRANS] = Math.max(0, rows[r + UNDO_RETRANS] - duplicates);
  void k;
  return true;
}

/** Segments that a D-SACK tells of; 0 if it cannot be our retransmissions' doing. */
function countDuplicates(stack: TcpStack, conn: number, r: number, from: number, to: number): number {
  const length = (to - from) | 0;
  if (length <= 0 || length > stack.warm[conn * WARM_STRIDE + MAX_WINDOW]) return 0;
  const mss = stack.tcbs.words[conn * STRIDE + MSS] & 0xffff;
  const rows = stack.recoveries.words;
  let segments = 1;
  if (length > mss) segments = Math.ceil(length / mss);
  else if (rows[r + TLP_STATE] !== TLP.NONE && rows[r + TLP_HIGH_SEQ] === to) work.flags |= DSACK_TLP;
  rows[r + DSACK_DUPS] += segments;
  // The network duplicates: more than was ever retransmitted.
  if (rows[r + DSACK_DUPS] > rows[r + TOTAL_RETRANS]) return 0;
  if (rows[r + REORDER_SEEN] !== 0 && (work.flags & DSACK_TLP) === 0) rows[r + RACK_STATE] |= RACK_BIT.DSACK_SEEN;
  work.flags |= DSACK;
  work.sackDelivered += segments;
  return segments;
}

/** Does the block lie in what is in flight (or, for a D-SACK, in what this episode has retransmitted)? */
function isValid(stack: TcpStack, conn: number, r: number, duplicate: boolean, from: number, to: number): boolean {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const next = words[c + SND_NXT];
  const una = words[c + SND_UNA];
  if (((to - next) | 0) > 0 || ((to - from) | 0) <= 0 || ((from - next) | 0) >= 0) return false;
  if (((from - una) | 0) > 0) return true;
  const rows = stack.recoveries.words;
  if (!duplicate || rows[r + HAS_UNDO] === 0 || ((to - una) | 0) > 0) return false;
  const marker = rows[r + UNDO_MARKER];
  if (((from - marker) | 0) >= 0) return true;
  if (((to - marker) | 0) <= 0) return false;
  return ((from - to + stack.warm[conn * WARM_STRIDE + MAX_WINDOW]) | 0) >= 0;
}

/** Tags what the blocks in `edges` cover; block `duplicate` (-1: none) is a D-SACK. */
function tagBlocks(stack: TcpStack, conn: number, k: number, r: number, used: number, duplicate: number): void {
  const rows = stack.recoveries.words;
  const cache = r + CACHE;
  let c = MOST;
  if (stack.cold.words[k + SACKED_OUT] !== 0) {
    c = 0;
    while (c < MOST && rows[cache + 2 * c] === 0 && rows[cache + 2 * c + 1] === 0) c++;
  }
  let record = 0;
  let i = 0;
  while (i < used) {
    const from = edges[2 * i];
    const to = edges[2 * i + 1];
    const nextDuplicate = duplicate === i + 1 ? i + 1 : -1;
    while (c < MOST && ((from - rows[cache + 2 * c + 1]) | 0) >= 0) c++;
    if (c < MOST && duplicate !== i && ((to - rows[cache + 2 * c]) | 0) > 0) {
      const cachedFrom = rows[cache + 2 * c];
      const cachedTo = rows[cache + 2 * c + 1];
      if (((from - cachedFrom) | 0) < 0) {
        record = tagRange(stack, conn, k, r, skipTo(stack, k, r, record, from), nextDuplicate, from, cachedFrom, false);
      }
      if (((to - cachedTo) | 0) <= 0) {
        i++;
        continue;
      }
      if (nextDuplicate >= 0 && ((edges[2 * nextDuplicate] - cachedTo) | 0) < 0) {
        const at = edges[2 * nextDuplicate];
        record = tagRange(
          stack,
          conn,
          k,
          r,
          skipTo(stack, k, r, record, at),
          -1,
          at,
          edges[2 * nextDuplicate + 1],
          true,
        );
      }
      c++;
      if (highestSackSeq(stack, conn, k) === cachedTo) {
        record = rows[r + HIGHEST_SACK];
        if (record === 0) break;
        record = tagRange(stack, conn, k, r, record, nextDuplicate, from, to, false);
        i++;
        continue;
      }
      record = skipTo(stack, k, r, record, cachedTo);
      continue;
    }
    if (((from - highestSackSeq(stack, conn, k)) | 0) >= 0) {
      record = rows[r + HIGHEST_SACK];
      if (record === 0) break;
    }
    record = tagRange(
      stack,
      conn,
      k,
      r,
      skipTo(stack, k, r, record, from),
      nextDuplicate,
      from,
      to,
      duplicate === i,
    );
    i++;
  }
}

/** The record that holds `seq`, sought from `record`, or from where the last was found. 0: there is none. */
function skipTo(stack: TcpStack, k: number, r: number, record: number, seq: number): number {
  const records = stack.segments.words;
  const rows = stack.recoveries.words;
  if (record !== 0 && ((records[record * RTX_STRIDE + SEQ] - seq) | 0) > 0) return record;
  let at = record || rows[r + SACK_FINGER] || stack.cold.words[k + RTX_HEAD];
  while (at !== 0 && ((records[at * RTX_STRIDE + SEQ] - seq) | 0) > 0) at = records[at * RTX_STRIDE + PREV];
  if (at === 0) return 0;
  while (at !== 0 && ((records[at * RTX_STRIDE + END] - seq) | 0) <= 0) at = records[at * RTX_STRIDE + NEXT];
  if (at !== 0) rows[r + SACK_FINGER] = at;
  return at;
}

/**
 * Tags the records from `record` on that lie in `from` to `to`. `next`: the D-SACK in `edges` that may lie among them,
 * -1 for none. Returns the first record beyond.
 */
function tagRange(
  stack: TcpStack,
  conn: number,
  k: number,
  r: number,
  record: number,
  next: number,
  from: number,
  to: number,
  duplicateRange: boolean,
): number {
  for (; record !== 0; record = stack.segments.words[record * RTX_STRIDE + NEXT]) {
    const at = (record * RTX_STRIDE) & RTX_MASK;
    const seq = stack.segments.words[at + SEQ];
    if (((seq - to) | 0) >= 0) break;
    let duplicate = duplicateRange;
    let covered = 0;
    if (next >= 0 && ((seq - edges[2 * next + 1]) | 0) < 0) {
      covered = cover(stack, conn, k, record, edges[2 * next], edges[2 * next + 1]);
      if (covered > 0) duplicate = true;
    }
    if (covered <= 0) covered = cover(stack, conn, k, record, from, to);
    if (covered < 0) break;
    if (covered === 0) continue;
    tagOne(stack, conn, k, r, record, duplicate);
    rateDelivered(stack, r, record);
    const records = stack.segments.words;
    if ((records[at + FLAGS] & SACKED) !== 0) removeSent(stack, r, record);
    if (((seq - highestSackSeq(stack, conn, k)) | 0) >= 0) {
      stack.recoveries.words[r + HIGHEST_SACK] = records[at + NEXT];
    }
  }
  return record;
}

/**
 * Does the block cover the record? 1: yes, 0: no. A record of more than one MSS (sent before the MSS went down) is
 * split at a multiple of the MSS so that the answer is clear; -1: it is covered only by less than an MSS.
 */
function cover(stack: TcpStack, conn: number, k: number, record: number, from: number, to: number): number {
  const records = stack.segments.words;
  const at = (record * RTX_STRIDE) & RTX_MASK;
  const seq = records[at + SEQ];
  const end = records[at + END];
  const fromStart = ((from - seq) | 0) <= 0;
  if (fromStart && ((to - end) | 0) >= 0) return 1;
  const mss = stack.tcbs.words[conn * STRIDE + MSS] & 0xffff;
  const length = (end - seq) | 0;
  if (length <= mss || ((end - from) | 0) <= 0) return 0;
  let part: number;
  if (fromStart) {
    part = (to - seq) | 0;
    if (part < mss) return -1;
    part = Math.floor(part / mss) * mss;
  } else {
    part = Math.max(mss, Math.ceil(((from - seq) | 0) / mss) * mss);
    if (part >= length) return 0;
  }
  splitRecord(stack, k, record, part);
  return fromStart ? 1 : 0;
}

/** Tags one record (Linux's `tcp_sacktag_one`). */
function tagOne(stack: TcpStack, conn: number, k: number, r: number, record: number, duplicate: boolean): void {
  const records = stack.segments.words;
  const rows = stack.recoveries.words;
  const cold = stack.cold.words;
  const at = (record * RTX_STRIDE) & RTX_MASK;
  let flags = records[at + FLAGS];
  const seq = records[at + SEQ];
  const end = records[at + END];
  if (duplicate && (flags & (EVER | RETRANSMITTED)) !== 0) {
    if (rows[r + HAS_UNDO] !== 0 && rows[r + UNDO_RETRANS] > 0 && ((end - rows[r + UNDO_MARKER]) | 0) > 0) {
      rows[r + UNDO_RETRANS]--;
    }
    if ((flags & SACKED) !== 0 && ((seq - work.reorder) | 0) < 0) work.reorder = seq;
  }
  // About to be dropped: it is acknowledged.
  if (((end - stack.tcbs.words[conn * STRIDE + SND_UNA]) | 0) <= 0) return;
  if ((flags & SACKED) === 0) {
    rackAdvance(stack, conn, k, r, flags, end, records[at + SENT_US]);
    if ((flags & RETRANSMITTED) !== 0) {
      // Not taken for lost: the retransmission is believed to be in flight still.
      if ((flags & LOST) !== 0) {
        flags &= ~(LOST | RETRANSMITTED);
        cold[k + LOST_OUT]--;
        cold[k + RETRANS_OUT]--;
      }
    } else {
      if ((flags & EVER) === 0) {
        // Never retransmitted, and in a hole: reordering.
        if (((seq - highestSackSeq(stack, conn, k)) | 0) < 0 && ((seq - work.reorder) | 0) < 0) work.reorder = seq;
        if (((end - cold[k + HIGH_SEQ]) | 0) <= 0) work.flags |= ORIGINAL_ACKED;
        if (!work.hasSacked) work.firstSackedUs = records[at + SENT_US];
        work.hasSacked = true;
        work.lastSackedUs = records[at + SENT_US];
      }
      if ((flags & LOST) !== 0) {
        flags &= ~LOST;
        cold[k + LOST_OUT]--;
      }
    }
    // What is not covered is sent again apart from what is.
    flags = (flags & ~JOINED) | SACKED;
    const previous = records[at + PREV];
    if (previous !== 0) records[previous * RTX_STRIDE + FLAGS] &= ~JOINED;
    work.flags |= DATA_SACKED;
    cold[k + SACKED_OUT]++;
    work.sackDelivered++;
    const hint = rows[r + LOST_HINT];
    if (hint !== 0 && ((seq - records[hint * RTX_STRIDE + SEQ]) | 0) < 0) rows[r + LOST_COUNT]++;
  }
  // A D-SACK for what was retransmitted and is SACKed (or will be): the retransmission has arrived.
  if (duplicate && (flags & RETRANSMITTED) !== 0) {
    flags &= ~RETRANSMITTED;
    cold[k + RETRANS_OUT]--;
  }
  records[at + FLAGS] = flags;
}
