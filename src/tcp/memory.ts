/**
 * What TCP's connections take of their host's memory, where that is limited (`transport/budgets.ts`), and what happens
 * when it is used up, as with Linux's `tcp_mem`: data that comes is dropped and writers wait, but for a few kilobytes of
 * each connection; windows shrink, and connections are not made.
 *
 * Where no host has a budget, `stack.hosts.budgets` is undefined, and a test of that is all it costs.
 *
 * @module
 */
import type { HostBudgets } from "../transport/budgets.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { demandAck } from "./delayed_ack.ts";
import { finish } from "./finish.ts";
import { dropRanges } from "./reassembly.ts";
import { resetBlocks } from "./sack_out.ts";
import { sendConnectionReset } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { STATE as TCP_STATE } from "./state/states.ts";
import { COLD, FLAG, TCB, WARM } from "./state/tcb.ts";
import { unreadBytes } from "./window.ts";

const { STATE, SND_UNA, SND_END, RCV_NXT, HOST: HOST_AT, MASK, STRIDE } = TCB;
const { STATE_MASK, DONE, ORPHAN } = FLAG;
const { SEQ, LENGTH, CONTROL: CONTROL_AT, MASK: PACKET_MASK, STRIDE: PACKET_STRIDE } = PACKET;

/** Bytes that each queue of a connection may hold in any case (Linux: the first numbers of `tcp_rmem` and `tcp_wmem`). */
const LEAST_QUEUE = 4096;

/** Charges what a connection takes now. To be called after whatever has changed that. */
export function settleMemory(stack: TcpStack, budgets: HostBudgets, conn: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const row = stack.hosts.budgetOf(words[c + HOST_AT]);
  if (row === 0) return;
  const profile = budgets.profileOf(row);
  const state = words[c + STATE];
  if ((state & (DONE | ORPHAN)) === (DONE | ORPHAN)) return budgets.discharge(row, conn);
  let sent = 0;
  if ((state & DONE) === 0) {
    // A SYN occupies a number, but no memory.
    const syn = (state & STATE_MASK) === TCP_STATE.SYN_SENT ? 1 : 0;
    sent = Math.max(0, (words[c + SND_END] - words[c + SND_UNA] - syn) | 0);
  }
  const cold = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  const early = cold === 0 ? 0 : stack.cold.words[cold * COLD.STRIDE + COLD.OOO_BYTES];
  const buffered = Math.round(
    sent * profile.memoryPerSentByte + unreadBytes(stack, conn) * profile.memoryPerReceivedByte +
      early * profile.memoryPerEarlyByte,
  );
  budgets.charge(row, conn, (state & ORPHAN) !== 0, buffered);
}

/**
 * The application has let go of a connection: it may be one orphan too many, and is reset then (Linux `tcp_check_oom`).
 */
export function orphanMemory(stack: TcpStack, budgets: HostBudgets, conn: number): void {
  const state = stack.tcbs.words[conn * STRIDE + STATE];
  const row = stack.hosts.budgetOf(stack.tcbs.words[conn * STRIDE + HOST_AT]);
  if (row === 0 || (state & (DONE | ORPHAN)) !== ORPHAN) return;
  settleMemory(stack, budgets, conn);
  if (!budgets.hasTooManyOrphans(row)) return;
  stack.counters.orphansAborted++;
  sendConnectionReset(stack, conn);
  finish(stack, conn, 0);
}

/** The connection's row goes back. */
export function releaseMemory(stack: TcpStack, budgets: HostBudgets, conn: number): void {
  const row = stack.hosts.budgetOf(stack.tcbs.words[conn * STRIDE + HOST_AT]);
  if (row !== 0) budgets.discharge(row, conn);
}

/**
 * Takes the data off segment `p` where there is no memory for it: it counts as lost, its ACK counts. Data in order is
 * taken all the same if next to nothing is unread, and goes before what was held beyond a gap. True if data was taken off: then an ACK is due, which says so.
 */
export function refusesData(stack: TcpStack, budgets: HostBudgets, conn: number, p: number): boolean {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const row = stack.hosts.budgetOf(words[c + HOST_AT]);
  if (row === 0) return false;
  const packets = stack.packets.rows.words;
  const o = (p * PACKET_STRIDE) & PACKET_MASK;
  const length = packets[o + LENGTH];
  const next = words[c + RCV_NXT];
  if (length === 0 || (words[c + STATE] & STATE_MASK) < TCP_STATE.ESTABLISHED) return false;
  if (((packets[o + SEQ] + length - next) | 0) <= 0) return false;
  const needed = Math.round(length * budgets.profileOf(row).memoryPerReceivedByte);
  const inOrder = ((packets[o + SEQ] - next) | 0) <= 0;
  if (inOrder && unreadBytes(stack, conn) < LEAST_QUEUE) return false;
  if (budgets.fits(row, needed)) return false;
  if (inOrder && makeRoom(stack, budgets, conn) && budgets.fits(row, needed)) return false;
  budgets.noteRefusal(row);
  stack.counters.memoryDrops++;
  packets[o + LENGTH] = 0;
  packets[o + CONTROL_AT] &= ~(TCP_FLAG.FIN | TCP_FLAG.PSH | CONTROL.REAL_PAYLOAD);
  demandAck(stack, conn);
  return true;
}

/** Lets go of what a connection holds beyond a gap (Linux `tcp_prune_ofo_queue`); the peer sends it again. */
function makeRoom(stack: TcpStack, budgets: HostBudgets, conn: number): boolean {
  const cold = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  if (cold === 0 || stack.cold.words[cold * COLD.STRIDE + COLD.OOO_HEAD] === 0) return false;
  dropRanges(stack, conn);
  resetBlocks(stack, conn);
  settleMemory(stack, budgets, conn);
  return true;
}

/** Bytes that a connection may still write: what is left of the host's memory, and in any case a first 4,096. */
export function sendAllowance(stack: TcpStack, budgets: HostBudgets, conn: number): number {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const row = stack.hosts.budgetOf(words[c + HOST_AT]);
  if (row === 0) return Infinity;
  // What a write has put there so far is not charged before its end.
  settleMemory(stack, budgets, conn);
  const perByte = budgets.profileOf(row).memoryPerSentByte;
  const left = perByte === 0 ? Infinity : Math.floor(budgets.left(row) / perByte);
  return Math.max(0, left, LEAST_QUEUE - ((words[c + SND_END] - words[c + SND_UNA]) | 0));
}

/** Has the host memory for one more connection? (Nothing is counted: there is another way than Fast Open.) */
export function fitsChild(stack: TcpStack, host: number): boolean {
  const { budgets } = stack.hosts;
  const row = budgets === undefined ? 0 : stack.hosts.budgetOf(host);
  return row === 0 || budgets!.fits(row, budgets!.profileOf(row).bytesPerSocket);
}

/** Has the host no memory for one more connection? As with a full accept queue, the final ACK is dropped (Linux). */
export function lacksMemory(stack: TcpStack, host: number): boolean {
  const { budgets } = stack.hosts;
  const row = budgets === undefined ? 0 : stack.hosts.budgetOf(host);
  if (row === 0 || budgets!.takesSocket(row)) return false;
  stack.counters.listenDrops++;
  return true;
}

/** Has the host no memory for one more half-open connection? Then the SYN is dropped. */
export function lacksRequestMemory(stack: TcpStack, host: number): boolean {
  const { budgets } = stack.hosts;
  const row = budgets === undefined ? 0 : stack.hosts.budgetOf(host);
  if (row === 0 || budgets!.takesRequest(row)) return false;
  stack.counters.listenDrops++;
  return true;
}

/** The host has `change` more half-open connections. */
export function changeRequests(stack: TcpStack, host: number, change: number): void {
  const { budgets } = stack.hosts;
  if (budgets === undefined) return;
  const row = stack.hosts.budgetOf(host);
  if (row !== 0) budgets.changeRequests(row, change);
}
