/**
 * The full connection that a listener makes: from a row of the SYN queue, from a cookie, or from a Fast Open SYN.
 *
 * @module
 */
import { openAccount } from "./accounting.ts";
import { switchCongestion } from "./congestion/types.ts";
import { announcedMssWith, firstWindow, openWindows, sendingMss, settingIn, timestampAge } from "./handshake.ts";
import { beginMtuSearch } from "./mtu_probe.ts";
import { startPacing } from "./pacing.ts";
import { adoptPathMtu } from "./path_mtu.ts";
import { settingsOf } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { FLAG, LISTENER, SETTINGS, SYN_FLAG, TCB, WARM } from "./state/tcb.ts";

const L = LISTENER;
const TIMESTAMP_BYTES = 12;

/** What is known of a connection before there is a row for it. */
export interface Opening {
  host: number;
  local: number;
  remote: number;
  ports: number;
  listener: number;
  /** Initial sequence numbers, ours and the peer's. */
  iss: number;
  irs: number;
  tsRecent: number;
  tsOffset: number;
  /** As `SYN_ROW.OPTIONS`. */
  options: number;
  serial: number;
}

/** The one that callers fill in, so that a handshake allocates nothing. */
export const opening: Opening = {
  host: 0,
  local: 0,
  remote: 0,
  ports: 0,
  listener: 0,
  iss: 0,
  irs: 0,
  tsRecent: 0,
  tsOffset: 0,
  options: 0,
  serial: 0,
};

/** The settings row of a listener, 0 for none. */
export function listenerSettings(stack: TcpStack, listener: number): number {
  return stack.listeners.words[listener * L.STRIDE + L.SETTINGS];
}

/** The window that a listener's SYN-ACK with these `SYN_ROW.OPTIONS` offers. */
export function synAckWindow(stack: TcpStack, host: number, local: number, listener: number, options: number): number {
  const settings = listenerSettings(stack, listener);
  const mss = announcedMssWith(stack, host, local, settings);
  const net = (options & SYN_FLAG.TIMESTAMPS) !== 0 ? mss - TIMESTAMP_BYTES : mss;
  return firstWindow(stack, stack.profileOf(host), settings, net);
}

/**
 * Makes the connection row of `opening`, in a state; it is in no table and no queue yet. Options of the listener's are
 * inherited (Linux `tcp_create_openreq_child`).
 */
export function makeChild(stack: TcpStack, state: number): number {
  const { host, local, listener, options, irs, iss } = opening;
  const profile = stack.profileOf(host);
  const conn = stack.allocateConnection(host, local, opening.remote, opening.ports);
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const c = conn * TCB.STRIDE;
  const w = conn * WARM.STRIDE;
  const l = listener * L.STRIDE;
  const timestamps = (options & SYN_FLAG.TIMESTAMPS) !== 0;
  const next = (irs + 1) | 0;
  const first = (iss + 1) | 0;
  const rows = stack.listeners.words;
  const settings = rows[l + L.SETTINGS];
  words[c + TCB.STATE] = state | FLAG.UNACCEPTED | rows[l + L.FLAGS] | (timestamps ? FLAG.TIMESTAMPS : 0) |
    ((options & SYN_FLAG.SACK) !== 0 ? FLAG.SACK : 0) | ((options & SYN_FLAG.ECN) !== 0 ? FLAG.ECN : 0) |
    ((options & SYN_FLAG.SCALING) !== 0
      ? FLAG.SCALING | (((options >>> 16) & 0xf) << FLAG.SND_SHIFT_AT) | (((options >>> 20) & 0xf) << FLAG.RCV_SHIFT_AT)
      : 0);
  words[c + TCB.SND_UNA] = first;
  words[c + TCB.SND_NXT] = first;
  words[c + TCB.SND_END] = first;
  words[c + TCB.RCV_NXT] = next;
  words[c + TCB.RCV_WUP] = next;
  words[c + TCB.RCV_READ] = next;
  words[c + TCB.RCV_ADV] = (next + synAckWindow(stack, host, local, listener, options)) | 0;
  words[c + TCB.TS_RECENT] = opening.tsRecent;
  const asked = settingIn(stack, settings, SETTINGS.MAX_SEGMENT);
  openWindows(stack, conn, profile, sendingMss(stack, host, local, options & 0xffff, timestamps, asked));
  warm[w + WARM.SND_WL1] = (next - 1) | 0;
  warm[w + WARM.APP] = rows[l + L.APP];
  warm[w + WARM.APP_DATA] = listener;
  warm[w + WARM.SERIAL] = opening.serial;
  warm[w + WARM.TS_OFFSET] = opening.tsOffset;
  warm[w + WARM.ACK_STATE] = timestampAge(stack);
  if (settings !== 0) inherit(stack, conn, settings);
  if (profile.accounting) openAccount(stack, conn);
  if (stack.pathMtus.size !== 0) adoptPathMtu(stack, conn);
  if (profile.mtuProbing > 1) beginMtuSearch(stack, conn, false);
  return conn;
}

function inherit(stack: TcpStack, conn: number, settings: number): void {
  const own = settingsOf(stack, conn);
  const rows = stack.settings.words;
  const from = settings * SETTINGS.STRIDE;
  rows.copyWithin(own * SETTINGS.STRIDE, from, from + SETTINGS.STRIDE);
  const algorithm = settingIn(stack, own, SETTINGS.CONGESTION) - 1;
  if (algorithm >= 0) switchCongestion(stack, conn, algorithm);
  startPacing(stack, conn);
}
