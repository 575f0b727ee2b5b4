/**
 * TCP_INFO: what a connection says of itself, in Linux's names and units. Cold: it allocates.
 *
 * @module
 */
import { accountProgress } from "./accounting.ts";
import { fastOpenClientFail, synDataAcked } from "./fast_open_end.ts";
import { settingsRow } from "./connect.ts";
import { announcedMssWith } from "./handshake.ts";
import { maxPacingRateOf } from "./options_buffer.ts";
import { spellOutFlight } from "./lone_flight_row.ts";
import { packetsInFlight } from "./scoreboard.ts";
import { pacingRate } from "./pacing_rate.ts";
import { advertisedMss } from "./receiver.ts";
import { rtoMs } from "./rtt.ts";
import { readSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { ACCOUNT, ACCOUNT_FLAG, CHRONO } from "./state/account_row.ts";
import { STATE } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, LISTENER, REXMIT_KIND, SETTINGS, SSTHRESH_INFINITE, TCB, WARM } from "./state/tcb.ts";
import { RECOVERY, RECOVERY_FLAG } from "./state/recovery_row.ts";
import { RECEIVER } from "./state/receiver_row.ts";
import { SENDER } from "./state/sender_row.ts";
import { firstClamp, firstThreshold, receiveBuffer, receiverAt } from "./window.ts";

/** Segments that the receiver's rate starts from (Linux `TCP_INIT_CWND`). */
const INITIAL_SEGMENTS = 10;
/** Linux's numbers of the states, by ours. */
const LINUX_STATES = [7, 10, 2, 3, 1, 4, 5, 8, 11, 9, 6];
/** Bits of `tcpi_options`. */
const OPTION = { TIMESTAMPS: 1, SACK: 2, WSCALE: 4, ECN: 8, ECN_SEEN: 16, SYN_DATA: 32 } as const;

/**
 * What `getsockopt(TCP_INFO)` gives, in its units: times in µs but for the four `last_*` (ms), rates in bytes per second.
 * Without `Profile.accounting` what has to be counted over a connection's life is 0: the `*_segs_*`, `tcpi_segs_*`,
 * `tcpi_bytes_*`, `tcpi_total_*`, `tcpi_last_*`, `tcpi_busy_time` and `*_limited`, `tcpi_rcv_ooopack`, `tcpi_rehash`.
 */
export interface TcpInfo {
  tcpi_state: number;
  tcpi_ca_state: number;
  tcpi_retransmits: number;
  tcpi_probes: number;
  tcpi_backoff: number;
  /** Sum of 1 timestamps, 2 SACK, 4 window scale, 8 ECN, 16 ECN seen, 32 data in the SYN. */
  tcpi_options: number;
  tcpi_snd_wscale: number;
  tcpi_rcv_wscale: number;
  tcpi_delivery_rate_app_limited: number;
  tcpi_fastopen_client_fail: number;
  tcpi_rto: number;
  tcpi_ato: number;
  tcpi_snd_mss: number;
  tcpi_rcv_mss: number;
  tcpi_unacked: number;
  tcpi_sacked: number;
  tcpi_lost: number;
  tcpi_retrans: number;
  tcpi_fackets: number;
  tcpi_last_data_sent: number;
  tcpi_last_ack_sent: number;
  tcpi_last_data_recv: number;
  tcpi_last_ack_recv: number;
  tcpi_pmtu: number;
  tcpi_rcv_ssthresh: number;
  tcpi_rtt: number;
  tcpi_rttvar: number;
  tcpi_snd_ssthresh: number;
  tcpi_snd_cwnd: number;
  tcpi_advmss: number;
  tcpi_reordering: number;
  tcpi_rcv_rtt: number;
  tcpi_rcv_space: number;
  tcpi_total_retrans: number;
  tcpi_pacing_rate: number;
  tcpi_max_pacing_rate: number;
  tcpi_bytes_acked: number;
  tcpi_bytes_received: number;
  tcpi_segs_out: number;
  tcpi_segs_in: number;
  tcpi_notsent_bytes: number;
  tcpi_min_rtt: number;
  tcpi_data_segs_in: number;
  tcpi_data_segs_out: number;
  tcpi_delivery_rate: number;
  tcpi_busy_time: number;
  tcpi_rwnd_limited: number;
  tcpi_sndbuf_limited: number;
  tcpi_delivered: number;
  tcpi_delivered_ce: number;
  tcpi_bytes_sent: number;
  tcpi_bytes_retrans: number;
  tcpi_dsack_dups: number;
  tcpi_reord_seen: number;
  tcpi_rcv_ooopack: number;
  tcpi_snd_wnd: number;
  tcpi_rcv_wnd: number;
  tcpi_rehash: number;
  tcpi_total_rto: number;
  tcpi_total_rto_recoveries: number;
  tcpi_total_rto_time: number;
}

/** Nothing of everything. */
const NOTHING: Readonly<TcpInfo> = {
  tcpi_state: 7,
  tcpi_ca_state: 0,
  tcpi_retransmits: 0,
  tcpi_probes: 0,
  tcpi_backoff: 0,
  tcpi_options: 0,
  tcpi_snd_wscale: 0,
  tcpi_rcv_wscale: 0,
  tcpi_delivery_rate_app_limited: 0,
  tcpi_fastopen_client_fail: 0,
  tcpi_rto: 0,
  tcpi_ato: 0,
  tcpi_snd_mss: 0,
  tcpi_rcv_mss: 0,
  tcpi_unacked: 0,
  tcpi_sacked: 0,
  tcpi_lost: 0,
  tcpi_retrans: 0,
  tcpi_fackets: 0,
  tcpi_last_data_sent: 0,
  tcpi_last_ack_sent: 0,
  tcpi_last_data_recv: 0,
  tcpi_last_ack_recv: 0,
  tcpi_pmtu: 0,
  tcpi_rcv_ssthresh: 0,
  tcpi_rtt: 0,
  tcpi_rttvar: 0,
  tcpi_snd_ssthresh: SSTHRESH_INFINITE,
  tcpi_snd_cwnd: 0,
  tcpi_advmss: 0,
  tcpi_reordering: 0,
  tcpi_rcv_rtt: 0,
  tcpi_rcv_space: 0,
  tcpi_total_retrans: 0,
  tcpi_pacing_rate: 0,
  tcpi_max_pacing_rate: 0,
  tcpi_bytes_acked: 0,
  tcpi_bytes_received: 0,
  tcpi_segs_out: 0,
  tcpi_segs_in: 0,
  tcpi_notsent_bytes: 0,
  tcpi_min_rtt: 0,
  tcpi_data_segs_in: 0,
  tcpi_data_segs_out: 0,
  tcpi_delivery_rate: 0,
  tcpi_busy_time: 0,
  tcpi_rwnd_limited: 0,
  tcpi_sndbuf_limited: 0,
  tcpi_delivered: 0,
  tcpi_delivered_ce: 0,
  tcpi_bytes_sent: 0,
  tcpi_bytes_retrans: 0,
  tcpi_dsack_dups: 0,
  tcpi_reord_seen: 0,
  tcpi_rcv_ooopack: 0,
  tcpi_snd_wnd: 0,
  tcpi_rcv_wnd: 0,
  tcpi_rehash: 0,
  tcpi_total_rto: 0,
  tcpi_total_rto_recoveries: 0,
  tcpi_total_rto_time: 0,
};

/** TCP_INFO of a connection. */
export function tcpInfo(stack: TcpStack, conn: number): TcpInfo {
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const c = conn * TCB.STRIDE;
  const w = conn * WARM.STRIDE;
  const state = words[c + TCB.STATE];
  const last = stack.lastInfos.get(conn);
  if (last !== undefined) return { ...last, tcpi_state: LINUX_STATES[STATE.CLOSED] };
  spellOutFlight(stack, conn);
  const profile = stack.profileOfConnection(conn);
  const acks = warm[w + WARM.ACK_STATE];
  const retries = (acks >> ACK_STATE.RETRIES_AT) & 0xff;
  const probing = ((acks >> ACK_STATE.KIND_AT) & 3) === REXMIT_KIND.PROBE || packetsInFlight(stack, conn) === 0;
  const failed = (state & FLAG.FAILED) !== 0;
  const mtu = stack.hosts.mtuOf(words[c + TCB.HOST]);
  const maxRate = maxPacingRateOf(stack, conn);
  const unlimited = maxRate === 0xffffffff ? 2 ** 64 - 1 : maxRate;
  const info: TcpInfo = {
    ...NOTHING,
    tcpi_state: LINUX_STATES[state & FLAG.STATE_MASK],
    tcpi_retransmits: probing && (state & FLAG.STATE_MASK) !== STATE.SYN_SENT ? 0 : retries,
    tcpi_probes: probing && (state & FLAG.STATE_MASK) !== STATE.SYN_SENT ? retries : 0,
    tcpi_backoff: (acks >> ACK_STATE.BACKOFF_AT) & 0xf,
    tcpi_options: ((state & FLAG.TIMESTAMPS) !== 0 ? OPTION.TIMESTAMPS : 0) |
      ((state & FLAG.SACK) !== 0 ? OPTION.SACK : 0) | ((state & FLAG.SCALING) !== 0 ? OPTION.WSCALE : 0) |
      ((state & FLAG.ECN) !== 0 ? OPTION.ECN : 0),
    tcpi_snd_wscale: (state >> FLAG.SND_SHIFT_AT) & 0xf,
    tcpi_rcv_wscale: (state >> FLAG.RCV_SHIFT_AT) & 0xf,
    tcpi_rto: rtoMs(stack, conn) * 1000,
    tcpi_ato: (acks & ACK_STATE.SEEN_DATA) !== 0 ? profile.delayedAckMs * 1000 : 0,
    tcpi_snd_mss: words[c + TCB.MSS] & 0xffff,
    tcpi_rcv_mss: words[c + TCB.MSS] >>> 16,
    tcpi_pmtu: mtu,
    tcpi_rtt: failed ? 0 : warm[w + WARM.SRTT] >> 3,
    tcpi_rttvar: warm[w + WARM.SRTT] === 0 ? 0 : warm[w + WARM.MDEV] >> 2,
    tcpi_min_rtt: warm[w + WARM.MIN_RTT],
    tcpi_snd_cwnd: words[c + TCB.CWND],
    tcpi_advmss: announcedMssWith(stack, words[c + TCB.HOST], words[c + TCB.LOCAL], settingsRow(stack, conn)) -
      ((state & FLAG.TIMESTAMPS) !== 0 ? 12 : 0),
    tcpi_reordering: profile.reordering,
    tcpi_notsent_bytes: Math.max(0, (words[c + TCB.SND_END] - words[c + TCB.SND_NXT]) | 0),
    tcpi_max_pacing_rate: unlimited,
    tcpi_pacing_rate: unlimited,
    tcpi_snd_wnd: words[c + TCB.SND_WND],
    tcpi_rcv_wnd: Math.max(0, (words[c + TCB.RCV_ADV] - words[c + TCB.RCV_NXT]) | 0),
  };
  if (synDataAcked(stack, conn)) info.tcpi_options |= OPTION.SYN_DATA;
  info.tcpi_fastopen_client_fail = fastOpenClientFail(stack, conn);
  const row = warm[w + WARM.COLD];
  if (state < 0) accountProgress(stack, conn);
  fromReceiver(stack, conn, info);
  if (row !== 0) {
    fromCold(stack, row * COLD.STRIDE, info);
    // Before the first round trip there is nothing to pace by.
    info.tcpi_pacing_rate = pacingRate(stack, conn) || unlimited;
  }
  return info;
}

/** What the receiver makes of what it gets; before it got much, what it starts from. */
function fromReceiver(stack: TcpStack, conn: number, info: TcpInfo): void {
  const r = receiverAt(stack, conn);
  if (r === 0) {
    const mss = advertisedMss(stack, conn);
    const space = receiveBuffer(stack, conn) >> 1;
    const asked = readSetting(stack, conn, SETTINGS.WINDOW_CLAMP);
    const clamp = firstClamp(space, mss, info.tcpi_rcv_wscale, asked);
    info.tcpi_rcv_ssthresh = firstThreshold(clamp, space, mss, asked);
    info.tcpi_rcv_space = Math.min(info.tcpi_rcv_ssthresh, INITIAL_SEGMENTS * mss);
    return;
  }
  const rows = stack.receivers.words;
  info.tcpi_ato = rows[r + RECEIVER.ATO] * 1000;
  info.tcpi_rcv_ssthresh = rows[r + RECEIVER.SSTHRESH];
  info.tcpi_rcv_rtt = rows[r + RECEIVER.RTT] >> 3;
  info.tcpi_rcv_space = rows[r + RECEIVER.SPACE];
}

function fromCold(stack: TcpStack, k: number, info: TcpInfo): void {
  const cold = stack.cold.words;
  info.tcpi_ca_state = cold[k + COLD.CA_STATE] & 0xff;
  info.tcpi_unacked = cold[k + COLD.PACKETS_OUT];
  info.tcpi_sacked = cold[k + COLD.SACKED_OUT];
  info.tcpi_lost = cold[k + COLD.LOST_OUT];
  info.tcpi_retrans = cold[k + COLD.RETRANS_OUT];
  info.tcpi_snd_ssthresh = cold[k + COLD.SSTHRESH];
  info.tcpi_delivered = cold[k + COLD.DELIVERED];
  const sender = cold[k + COLD.SENDER];
  if (sender !== 0) {
    const s = sender * SENDER.STRIDE;
    info.tcpi_pmtu = stack.senders.words[s + SENDER.PATH_MTU] || info.tcpi_pmtu;
    const announced = stack.senders.words[s + SENDER.ANNOUNCED];
    if (announced !== 0 && announced < info.tcpi_advmss) info.tcpi_advmss = announced;
  }
  const recovery = cold[k + COLD.RECOVERY];
  if (recovery !== 0) {
    const rows = stack.recoveries.words;
    const r = recovery * RECOVERY.STRIDE;
    info.tcpi_reordering = rows[r + RECOVERY.REORDERING] || info.tcpi_reordering;
    info.tcpi_reord_seen = rows[r + RECOVERY.REORDER_SEEN];
    info.tcpi_dsack_dups = rows[r + RECOVERY.DSACK_DUPS];
    info.tcpi_delivered_ce = rows[r + RECOVERY.DELIVERED_CE];
    info.tcpi_total_retrans = rows[r + RECOVERY.TOTAL_RETRANS];
    const interval = rows[r + RECOVERY.RATE_INTERVAL_US];
    if (interval > 0) {
      info.tcpi_delivery_rate = Math.floor(rows[r + RECOVERY.RATE_DELIVERED] * info.tcpi_snd_mss * 1e6 / interval);
      const flags = rows[r + RECOVERY.FLAGS];
      info.tcpi_delivery_rate_app_limited = (flags & RECOVERY_FLAG.RATE_APP_LIMITED) !== 0 ? 1 : 0;
    }
  }
  const account = cold[k + COLD.ACCOUNT];
  if (account === 0) return;
  fromAccount(stack, account * ACCOUNT.STRIDE, info);
}

function fromAccount(stack: TcpStack, a: number, info: TcpInfo): void {
  const rows = stack.accounts.words;
  const bytes = (at: number) => (rows[a + at] >>> 0) + (rows[a + at + 1] >>> 0) * 2 ** 32;
  info.tcpi_bytes_acked = bytes(ACCOUNT.BYTES_ACKED);
  info.tcpi_bytes_received = bytes(ACCOUNT.BYTES_RECEIVED);
  info.tcpi_bytes_sent = bytes(ACCOUNT.BYTES_SENT);
  info.tcpi_bytes_retrans = bytes(ACCOUNT.BYTES_RETRANSMITTED);
  info.tcpi_segs_out = rows[a + ACCOUNT.SEGMENTS_OUT];
  info.tcpi_segs_in = rows[a + ACCOUNT.SEGMENTS_IN];
  info.tcpi_data_segs_out = rows[a + ACCOUNT.DATA_SEGMENTS_OUT];
  info.tcpi_data_segs_in = rows[a + ACCOUNT.DATA_SEGMENTS_IN];
  info.tcpi_total_retrans = rows[a + ACCOUNT.RETRANSMISSIONS];
  info.tcpi_last_data_sent = (stack.nowMs - rows[a + ACCOUNT.LAST_DATA_SENT_MS]) >>> 0;
  info.tcpi_last_data_recv = (stack.nowMs - rows[a + ACCOUNT.LAST_DATA_RECEIVED_MS]) >>> 0;
  info.tcpi_last_ack_recv = (stack.nowMs - rows[a + ACCOUNT.LAST_ACK_RECEIVED_MS]) >>> 0;
  const chrono = rows[a + ACCOUNT.CHRONO];
  const running = chrono === CHRONO.NONE ? 0 : (stack.nowMs - rows[a + ACCOUNT.CHRONO_SINCE_MS]) | 0;
  const window = rows[a + ACCOUNT.WINDOW_LIMITED_MS] + (chrono === CHRONO.WINDOW_LIMITED ? running : 0);
  const buffer = rows[a + ACCOUNT.BUFFER_LIMITED_MS] + (chrono === CHRONO.BUFFER_LIMITED ? running : 0);
  const busy = rows[a + ACCOUNT.BUSY_MS] + (chrono === CHRONO.BUSY ? running : 0);
  info.tcpi_rwnd_limited = window * 1000;
  info.tcpi_sndbuf_limited = buffer * 1000;
  info.tcpi_busy_time = (busy + window + buffer) * 1000;
  info.tcpi_rcv_ooopack = rows[a + ACCOUNT.OUT_OF_ORDER];
  info.tcpi_rehash = rows[a + ACCOUNT.REHASHES];
  info.tcpi_total_rto = rows[a + ACCOUNT.TIMEOUTS];
  info.tcpi_total_rto_recoveries = rows[a + ACCOUNT.TIMEOUT_RECOVERIES];
  info.tcpi_total_rto_time = rows[a + ACCOUNT.TIMEOUT_MS];
  const flags = rows[a + ACCOUNT.FLAGS];
  if ((flags & ACCOUNT_FLAG.ECN_SEEN) !== 0) info.tcpi_options |= OPTION.ECN_SEEN;
  if ((flags & ACCOUNT_FLAG.SYN_DATA) !== 0) info.tcpi_options |= OPTION.SYN_DATA;
}

/** TCP_INFO of a listener: its accept queue and the longest that may be. */
export function tcpInfoOfListener(stack: TcpStack, listener: number): TcpInfo {
  const rows = stack.listeners.words;
  const l = listener * LISTENER.STRIDE;
  return {
    ...NOTHING,
    tcpi_state: LINUX_STATES[STATE.LISTEN],
    tcpi_unacked: rows[l + LISTENER.ACCEPT_COUNT],
    tcpi_sacked: rows[l + LISTENER.BACKLOG],
  };
}
