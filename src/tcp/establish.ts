/**
 * The full connection that a listener makes: from a row of the SYN queue, from a cookie, or from a Fast Open SYN.
 *
 * @module
 */
import { openAccount } from "./accounting.ts";
import { switchCongestion } from "./congestion/types.ts";
import * as HANDSHAKE from "./handshake.ts";
import { announcedMssWith, firstWindow } from "./handshake.ts";
import { settleMemory } from "./memory.ts";
import { beginMtuSearch } from "./mtu_probe.ts";
import * as OFFER from "./offer.ts";
import { startPacing } from "./pacing.ts";
import { adoptPathMtu } from "./path_mtu.ts";
import { settingsOf } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { FLAG, LISTENER, SETTINGS, SYN_FLAG, TCB, WARM } from "./state/tcb.ts";
import { OPENING } from "./opening.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { believedMss, openWindows, settingIn, timestampAge } = HANDSHAKE;
const { listenersOffer, payloadMss } = OFFER;

const opening = OPENING;

const { APP: L_APP, FLAGS: L_FLAGS, SETTINGS: L_SETTINGS, MASK: L_MASK, STRIDE: L_STRIDE } = LISTENER;
const { ECN: SYN_FLAG_ECN, SACK: SYN_FLAG_SACK, SCALING: SYN_FLAG_SCALING, TIMESTAMPS: SYN_FLAG_TIMESTAMPS } = SYN_FLAG;
const {
  RCV_ADV: TCB_RCV_ADV,
  RCV_NXT: TCB_RCV_NXT,
  RCV_READ: TCB_RCV_READ,
  RCV_WUP: TCB_RCV_WUP,
  SND_END: TCB_SND_END,
  SND_NXT: TCB_SND_NXT,
  SND_UNA: TCB_SND_UNA,
  STATE: TCB_STATE,
  MASK: TCB_MASK,
  STRIDE: TCB_STRIDE,
  TS_RECENT: TCB_TS_RECENT,
} = TCB;
const {
  ACK_STATE: WARM_ACK_STATE,
  APP: WARM_APP,
  APP_DATA: WARM_APP_DATA,
  SERIAL: WARM_SERIAL,
  SND_WL1: WARM_SND_WL1,
  MASK: WARM_MASK,
  STRIDE: WARM_STRIDE,
  TS_OFFSET: WARM_TS_OFFSET,
} = WARM;
const {
  ECN: FLAG_ECN,
  RCV_SHIFT_AT: FLAG_RCV_SHIFT_AT,
  SACK: FLAG_SACK,
  SCALING: FLAG_SCALING,
  SND_SHIFT_AT: FLAG_SND_SHIFT_AT,
  TIMESTAMPS: FLAG_TIMESTAMPS,
  UNACCEPTED: FLAG_UNACCEPTED,
} = FLAG;
const { CONGESTION: SET_CONGESTION, MAX_SEGMENT: SET_MAX_SEGMENT, MASK: SET_MASK, STRIDE: SET_STRIDE } = SETTINGS;
const TIMESTAMP_BYTES = 12;

/** The settings row of a listener, 0 for none. */
export function listenerSettings(stack: TcpStack, listener: number): number {
  return stack.listeners.words[((listener * L_STRIDE) & L_MASK) + L_SETTINGS];
}

/** RCV.WND after a listener's SYN-ACK with these `SYN_ROW.OPTIONS`; its window field says less if it is large. */
export function synAckWindow(stack: TcpStack, host: number, local: number, listener: number, options: number): number {
  const settings = listenerSettings(stack, listener);
  const profile = stack.profileOf(host);
  const stamped = (options & SYN_FLAG_TIMESTAMPS) !== 0;
  if (settings === 0) {
    const offer = listenersOffer(stack, profile, host, local);
    return stamped ? offer.stampedWindow : offer.window;
  }
  const mss = announcedMssWith(stack, host, local, settings);
  return firstWindow(stack, profile, settings, stamped ? mss - TIMESTAMP_BYTES : mss);
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
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const l = (listener * L_STRIDE) & L_MASK;
  const timestamps = (options & SYN_FLAG_TIMESTAMPS) !== 0;
  const next = (irs + 1) | 0;
  const first = (iss + 1) | 0;
  const rows = stack.listeners.words;
  const settings = rows[l + L_SETTINGS];
  words[c + TCB_STATE] = state | FLAG_UNACCEPTED | rows[l + L_FLAGS] | (timestamps ? FLAG_TIMESTAMPS : 0) |
    ((options & SYN_FLAG_SACK) !== 0 ? FLAG_SACK : 0) | ((options & SYN_FLAG_ECN) !== 0 ? FLAG_ECN : 0) |
    ((options & SYN_FLAG_SCALING) !== 0
      ? FLAG_SCALING | (((options >>> 16) & 0xf) << FLAG_SND_SHIFT_AT) | (((options >>> 20) & 0xf) << FLAG_RCV_SHIFT_AT)
      : 0);
  words[c + TCB_SND_UNA] = first;
  words[c + TCB_SND_NXT] = first;
  words[c + TCB_SND_END] = first;
  words[c + TCB_RCV_NXT] = next;
  words[c + TCB_RCV_WUP] = next;
  words[c + TCB_RCV_READ] = next;
  const offer = listenersOffer(stack, profile, host, local);
  const window = settings !== 0
    ? synAckWindow(stack, host, local, listener, options)
    : timestamps
    ? offer.stampedWindow
    : offer.window;
  words[c + TCB_RCV_ADV] = (next + window) | 0;
  words[c + TCB_TS_RECENT] = opening.tsRecent;
  const given = believedMss(offer.ipv6, options & 0xffff, settingIn(stack, settings, SET_MAX_SEGMENT));
  openWindows(stack, conn, profile, payloadMss(profile, given, offer.mss, timestamps));
  warm[w + WARM_SND_WL1] = (next - 1) | 0;
  warm[w + WARM_APP] = rows[l + L_APP];
  warm[w + WARM_APP_DATA] = listener;
  warm[w + WARM_SERIAL] = opening.serial;
  warm[w + WARM_TS_OFFSET] = opening.tsOffset;
  warm[w + WARM_ACK_STATE] = timestampAge(stack);
  if (settings !== 0) inherit(stack, conn, settings);
  if (profile.accounting) openAccount(stack, conn);
  if (stack.pathMtus.size !== 0) adoptPathMtu(stack, conn);
  if (profile.mtuProbing > 1) beginMtuSearch(stack, conn, false);
  if (stack.hosts.budgets !== undefined) settleMemory(stack, stack.hosts.budgets, conn);
  return conn;
}

function inherit(stack: TcpStack, conn: number, settings: number): void {
  const own = settingsOf(stack, conn);
  const rows = stack.settings.words;
  const from = (settings * SET_STRIDE) & SET_MASK;
  rows.copyWithin(own * SET_STRIDE, from, from + SET_STRIDE);
  const algorithm = settingIn(stack, own, SET_CONGESTION) - 1;
  if (algorithm >= 0) switchCongestion(stack, conn, algorithm);
  startPacing(stack, conn);
}
