/**
 * Linux's settings by name, as changes of a profile; and the profile that packetdrill's scripts start from.
 *
 * @module
 */
import { makeProfile, type Profile } from "../transport/profile.ts";

/** What a setting means here. */
export type SysctlEffect =
  /** Changes of the profile. `remark` says what of the value has no meaning here. */
  | { kind: "changes"; changes: Partial<Profile>; remark: string | null }
  /** Nothing, and why. */
  | { kind: "meaningless"; why: string }
  /** The value is not one that Linux takes, or not one that is emulated. */
  | { kind: "refused"; why: string };

/**
 * The settings that packetdrill's scripts start from: Linux's own (6.18), and what packetdrill's `defaults.sh` sets.
 */
export const packetdrillProfile: Readonly<Profile> = makeProfile({
  // Linux's, where the profile's defaults differ.
  synLinearTimeouts: 4,
  compressedAckDelayNs: 1_000_000,
  minPathMtuBytes: 552,
  challengeAckLimitPerSecond: 2 ** 31 - 1,
  // Packetdrill's.
  receiveBufferBytes: 540000,
  receiveBufferMaxBytes: 15 * 1024 * 1024,
  sendBufferInitialBytes: 256 * 1024,
  sendBufferBytes: 4194304,
  timestamps: true,
  synRetries: 5,
  synAckRetries: 5,
  forwardRtoRecovery: true,
  sack: true,
  dsack: true,
  reordering: 3,
  congestionControl: "cubic",
  slowStartAfterIdle: false,
  tailLossProbe: true,
  rack: true,
  ecn: "off",
  pacingSlowStartPercent: 200,
  pacingAvoidancePercent: 120,
  notSentLowBytes: Infinity,
  fastOpen: 0x70403,
  fastOpenKey: "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4",
  synCookies: 1,
  pacing: false,
  // Code in scripts looks at TCP_INFO.
  accounting: true,
});

type Reading = Partial<Profile> | { remark: string; changes: Partial<Profile> } | string;
/** Reads the numbers of a value; a text says why they are none. */
type Reader = (numbers: readonly number[], text: string) => Reading;

type FieldOf<T> = { [K in keyof Profile]: Profile[K] extends T ? K : never }[keyof Profile];

function flag(field: FieldOf<boolean>): Reader {
  return ([value]) => ({ [field]: value !== 0 });
}

function number(field: FieldOf<number>, scale = 1): Reader {
  return ([value]) => ({ [field]: value * scale });
}

/** Settings of `net.ipv4` that have a meaning here. */
const IPV4: Readonly<Record<string, Reader>> = {
  tcp_timestamps: flag("timestamps"),
  tcp_sack: flag("sack"),
  tcp_dsack: flag("dsack"),
  tcp_window_scaling: flag("windowScaling"),
  tcp_rmem: ([, first, most]) => {
    if (most === undefined) return "It takes three numbers: least, first and most.";
    return { receiveBufferBytes: first, receiveBufferMaxBytes: most };
  },
  tcp_wmem: ([, first, most]) => {
    if (most === undefined) return "It takes three numbers: least, first and most.";
    return { sendBufferInitialBytes: first, sendBufferBytes: most };
  },
  tcp_moderate_rcvbuf: flag("moderateReceiveBuffer"),
  tcp_syn_retries: number("synRetries"),
  tcp_synack_retries: number("synAckRetries"),
  tcp_syn_linear_timeouts: number("synLinearTimeouts"),
  tcp_retries1: number("retries1"),
  tcp_retries2: number("retries2"),
  // The kernel reads 0 as 8.
  tcp_orphan_retries: ([value]) => ({ orphanRetries: value === 0 ? 8 : value }),
  tcp_frto: flag("forwardRtoRecovery"),
  tcp_reordering: number("reordering"),
  tcp_max_reordering: number("maxReordering"),
  tcp_recovery: ([value]) => {
    // Linux has had no other way to find losses than RACK for some time: bit 0 means nothing any more.
    const remark =
      "RACK is always on, as in Linux 6.18, and its variants (bits 1 and 2 of tcp_recovery) are not emulated.";
    const changes: Partial<Profile> = {};
    return (value | 1) === 1 ? changes : { changes, remark };
  },
  tcp_early_retrans: ([value]) => ({ tailLossProbe: value === 3 || value === 4 }),
  tcp_congestion_control: (_, text) => ({ congestionControl: text }),
  tcp_slow_start_after_idle: flag("slowStartAfterIdle"),
  tcp_ecn: ([value]) => {
    const mode = (["off", "on", "passive"] as const)[value];
    return mode === undefined ? "Accurate ECN (3 and above) is not emulated." : { ecn: mode };
  },
  tcp_ecn_fallback: flag("ecnFallback"),
  tcp_fastopen: number("fastOpen"),
  tcp_fastopen_key: (_, text) => fastOpenKey(text),
  tcp_fastopen_blackhole_timeout_sec: number("fastOpenBlackholeSeconds"),
  tcp_syncookies: number("synCookies"),
  tcp_max_syn_backlog: number("maxSynBacklog"),
  // 2 is for the loopback interface only.
  tcp_tw_reuse: ([value]) => ({ timeWaitReuse: value === 1 }),
  tcp_rfc1337: flag("rfc1337"),
  tcp_fin_timeout: number("finTimeoutMs", 1000),
  tcp_keepalive_time: number("keepAliveIdleMs", 1000),
  tcp_keepalive_intvl: number("keepAliveIntervalMs", 1000),
  tcp_keepalive_probes: number("keepAliveProbes"),
  tcp_mtu_probing: number("mtuProbing"),
  tcp_base_mss: number("baseMssBytes"),
  tcp_mtu_probe_floor: number("mtuProbeFloorBytes"),
  tcp_probe_interval: number("mtuProbeIntervalSeconds"),
  tcp_min_snd_mss: number("leastMssBytes"),
  ip_no_pmtu_disc: ([value]) => ({ pathMtuDiscovery: value === 0 }),
  "route.min_pmtu": number("minPathMtuBytes"),
  tcp_invalid_ratelimit: number("invalidRateLimitMs"),
  tcp_challenge_ack_limit: number("challengeAckLimitPerSecond"),
  tcp_abort_on_overflow: flag("abortOnOverflow"),
  tcp_pacing_ss_ratio: number("pacingSlowStartPercent"),
  tcp_pacing_ca_ratio: number("pacingAvoidancePercent"),
  // Unsigned 32 bits, of which all set is no limit.
  tcp_notsent_lowat: ([value]) => ({ notSentLowBytes: value === -1 || value === 0xffffffff ? Infinity : value }),
  tcp_min_rtt_wlen: number("minRttWindowSeconds"),
  tcp_thin_linear_timeouts: flag("thinLinearTimeouts"),
  tcp_comp_sack_delay_ns: number("compressedAckDelayNs"),
  tcp_comp_sack_nr: number("compressedAckCount"),
  tcp_min_tso_segs: number("leastGroupSegments"),
  tcp_tso_win_divisor: number("groupWindowDivisor"),
  tcp_rto_min_us: ([value]) => ({ rtoMinMs: Math.max(1, Math.ceil(value / 1000)) }),
  tcp_rto_max_ms: number("rtoMaxMs"),
  ip_local_port_range: ([low, high]) => {
    return high === undefined ? "It takes two numbers." : { ephemeralPortLow: low, ephemeralPortHigh: high };
  },
  ip_default_ttl: number("defaultTtl"),
};

/** Settings of `net.ipv4` without a meaning here, and why. */
const WITHOUT_MEANING: Readonly<Record<string, string>> = {
  ...because(
    "There is no queue below TCP that segments could wait in.",
    "tcp_limit_output_bytes tcp_autocorking",
  ),
  ...because(
    "Memory is accounted by bytes of payload, not by the kernel's buffers.",
    "tcp_adv_win_scale tcp_app_win tcp_mem tcp_shrink_window udp_mem udp_rmem_min udp_wmem_min",
  ),
  ...because("How groups grow on short paths is Linux's default.", "tcp_tso_rtt_log"),
  ...because("Timers are exact: there is no slack.", "tcp_comp_sack_slack_ns"),
  ...because("Windows are never taken for signed numbers.", "tcp_workaround_signed_windows"),
  ...because("The TOS of a SYN is not reflected.", "tcp_reflect_tos"),
  ...because(
    "Nothing is remembered of a peer but Fast Open's cookies.",
    "tcp_no_metrics_save tcp_no_ssthresh_metrics_save",
  ),
  ...because("Linux itself takes no notice of it any more.", "tcp_fack tcp_low_latency tcp_retrans_collapse"),
  ...because(
    "Every congestion control is there for everybody.",
    "tcp_allowed_congestion_control tcp_available_congestion_control",
  ),
  ...because("Accurate ECN is not emulated.", "tcp_ecn_option tcp_ecn_option_beacon"),
  ...because("The urgent pointer is read as RFC 6093 says.", "tcp_stdurg"),
  ...because(
    "Flow labels are not changed to find another path.",
    "tcp_plb_cong_thresh tcp_plb_enabled tcp_plb_idle_rehash_rounds tcp_plb_rehash_rounds tcp_plb_suspend_rto_sec",
  ),
  ...because("Such numbers have no limit of their own here.", "tcp_max_orphans tcp_max_tw_buckets"),
  ...because(
    "It is of no use without the mechanism that it sets.",
    "tcp_probe_threshold tcp_pingpong_thresh tcp_tw_reuse_delay tcp_backlog_ack_defer",
  ),
  ...because(
    "It is about the kernel's insides.",
    "tcp_available_ulp tcp_child_ehash_entries tcp_early_demux tcp_ehash_entries tcp_fwmark_accept tcp_l3mdev_accept " +
      "tcp_migrate_req tcp_ao_keys tcp_cookie_size tcp_rcvbuf_low_rtt tcp_fastopen_cookie",
  ),
};

function because(why: string, names: string): Record<string, string> {
  return Object.fromEntries(names.split(" ").map((name) => [name, why]));
}

/** Whether Linux has the setting. Of others than TCP's that is taken for granted. */
export function sysctlExists(name: string): boolean {
  const own = /^net\.ipv4\.(tcp_.*)$/.exec(name)?.[1];
  return own === undefined
    ? /^[a-z]+(\.[\w-]+)+$/.test(name)
    : Object.hasOwn(IPV4, own) || Object.hasOwn(WITHOUT_MEANING, own);
}

/** What `name=value` changes in a profile. */
export function applySysctl(profile: Readonly<Profile>, name: string, value: string): SysctlEffect {
  const own = name.startsWith("net.ipv4.") ? name.slice("net.ipv4.".length) : name;
  const read = Object.hasOwn(IPV4, own) ? IPV4[own] : name === "net.core.somaxconn" ? number("somaxconn") : undefined;
  if (read === undefined) {
    const why = Object.hasOwn(WITHOUT_MEANING, own) ? WITHOUT_MEANING[own] : "Nothing here reads it.";
    return { kind: "meaningless", why: `${name}: ${why}` };
  }
  const text = value.trim();
  const refused = (why: string): SysctlEffect => ({ kind: "refused", why: `${name}=${text}: ${why}` });
  const numbers = text.split(/[\s,]+/).map(numberOf);
  const takesText = own === "tcp_congestion_control" || own === "tcp_fastopen_key";
  if (text === "" || (!takesText && numbers.some(Number.isNaN))) return refused("It takes numbers.");
  const reading = read(numbers, text);
  if (typeof reading === "string") return refused(reading);
  const { changes, remark } = "remark" in reading ? reading : { changes: reading, remark: null };
  try {
    makeProfile({ ...profile, ...changes });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refused(error.message);
  }
  return { kind: "changes", changes, remark };
}

/** A number as the kernel reads it: decimal, `0x` hexadecimal, or octal after a 0. */
function numberOf(text: string): number {
  if (/^-?0[0-7]+$/.test(text)) return parseInt(text, 8);
  return /^(0[xX][\da-fA-F]{1,12}|-?\d{1,15})$/.test(text) ? Number(text) : NaN;
}

/** Four groups of up to eight hexadecimal digits, once or twice. */
function fastOpenKey(text: string): Reading {
  const keys = text.split(",").map((key) => key.trim().split("-"));
  const right = keys.length <= 2 &&
    keys.every((groups) => groups.length === 4 && groups.every((group) => /^[\da-fA-F]{1,8}$/.test(group)));
  if (!right) return "It takes four groups of eight hexadecimal digits with hyphens between them.";
  return { fastOpenKey: keys.map((groups) => groups.map((group) => group.padStart(8, "0")).join("-")).join(",") };
}

/** The names of the settings that have a meaning here, for tests and documentation. */
export const MEANINGFUL_SYSCTLS: readonly string[] = [
  ...Object.keys(IPV4).map((name) => `net.ipv4.${name}`),
  "net.core.somaxconn",
];
