import { assert, assertEquals } from "@std/assert";
import { applySysctl, MEANINGFUL_SYSCTLS, packetdrillProfile, sysctlExists } from "../../src/packetdrill/sysctl.ts";
import { DEFAULT_PROFILE, makeProfile, type Profile } from "../../src/transport/profile.ts";

function changes(name: string, value: string): Partial<Profile> | string {
  const effect = applySysctl(DEFAULT_PROFILE, name.includes(".") ? name : `net.ipv4.${name}`, value);
  return effect.kind === "changes" ? effect.changes : `${effect.kind}: ${effect.why}`;
}

Deno.test("settings become changes of the profile, in its units", () => {
  const cases: [string, string, Partial<Profile>][] = [
    ["tcp_timestamps", "0", { timestamps: false }],
    ["tcp_timestamps", "2", { timestamps: true }],
    ["tcp_sack", "1", { sack: true }],
    ["tcp_dsack", "0", { dsack: false }],
    ["tcp_window_scaling", "0", { windowScaling: false }],
    ["tcp_rmem", "4096 540000 15728640", { receiveBufferBytes: 540000, receiveBufferMaxBytes: 15728640 }],
    ["tcp_wmem", "4096\t262144\t4194304", { sendBufferInitialBytes: 262144, sendBufferBytes: 4194304 }],
    ["tcp_syn_retries", "3", { synRetries: 3 }],
    ["tcp_synack_retries", "4", { synAckRetries: 4 }],
    ["tcp_orphan_retries", "0", { orphanRetries: 8 }],
    ["tcp_orphan_retries", "2", { orphanRetries: 2 }],
    ["tcp_frto", "2", { forwardRtoRecovery: true }],
    ["tcp_frto", "0", { forwardRtoRecovery: false }],
    ["tcp_reordering", "30", { reordering: 30 }],
    ["tcp_recovery", "0", {}],
    ["tcp_early_retrans", "3", { tailLossProbe: true }],
    ["tcp_early_retrans", "0", { tailLossProbe: false }],
    ["tcp_congestion_control", "bbr", { congestionControl: "bbr" }],
    ["tcp_ecn", "0", { ecn: "off" }],
    ["tcp_ecn", "1", { ecn: "on" }],
    ["tcp_ecn", "2", { ecn: "passive" }],
    ["tcp_fastopen", "0x403", { fastOpen: 0x403 }],
    ["tcp_fastopen_key", "1-2-3-4", { fastOpenKey: "00000001-00000002-00000003-00000004" }],
    [
      "tcp_fastopen_key",
      "00000000-00000000-00000000-00000000, a-b-c-d",
      { fastOpenKey: "00000000-00000000-00000000-00000000,0000000a-0000000b-0000000c-0000000d" },
    ],
    ["tcp_min_tso_segs", "10", { leastGroupSegments: 10 }],
    ["tcp_tso_win_divisor", "100", { groupWindowDivisor: 100 }],
    ["tcp_tw_reuse", "1", { timeWaitReuse: true }],
    ["tcp_tw_reuse", "2", { timeWaitReuse: false }],
    ["tcp_fin_timeout", "30", { finTimeoutMs: 30000 }],
    ["tcp_keepalive_time", "5", { keepAliveIdleMs: 5000 }],
    ["ip_no_pmtu_disc", "1", { pathMtuDiscovery: false }],
    ["route.min_pmtu", "552", { minPathMtuBytes: 552 }],
    ["tcp_notsent_lowat", "4294967295", { notSentLowBytes: Infinity }],
    ["tcp_notsent_lowat", "-1", { notSentLowBytes: Infinity }],
    ["tcp_notsent_lowat", "16384", { notSentLowBytes: 16384 }],
    ["tcp_rto_min_us", "5000", { rtoMinMs: 5 }],
    ["ip_local_port_range", "1024 65535", { ephemeralPortLow: 1024, ephemeralPortHigh: 65535 }],
    ["net.core.somaxconn", "5", { somaxconn: 5 }],
    ["tcp_syn_retries", "010", { synRetries: 8 }],
  ];
  for (const [name, value, expected] of cases) {
    assertEquals([name, value, changes(name, value)], [name, value, expected]);
  }
});

Deno.test("a value that Linux does not take, or that is not emulated, is refused with the reason", () => {
  assertEquals(changes("tcp_sack", "yes"), "refused: net.ipv4.tcp_sack=yes: It takes numbers.");
  assertEquals(changes("tcp_sack", ""), "refused: net.ipv4.tcp_sack=: It takes numbers.");
  assertEquals(changes("tcp_ecn", "3"), "refused: net.ipv4.tcp_ecn=3: Accurate ECN (3 and above) is not emulated.");
  assertEquals(
    changes("tcp_rmem", "5"),
    "refused: net.ipv4.tcp_rmem=5: It takes three numbers: least, first and most.",
  );
  assertEquals(changes("ip_local_port_range", "5"), "refused: net.ipv4.ip_local_port_range=5: It takes two numbers.");
  assertEquals(
    changes("tcp_fastopen_key", "xyz"),
    "refused: net.ipv4.tcp_fastopen_key=xyz: It takes four groups of eight hexadecimal digits with hyphens between them.",
  );
  assertEquals(
    changes("tcp_syn_retries", "1000"),
    "refused: net.ipv4.tcp_syn_retries=1000: The profile's synRetries is 1000; it must be a whole number from 0 to 255.",
  );
});

Deno.test("what has no meaning says why", () => {
  assertEquals(
    changes("tcp_autocorking", "1"),
    "meaningless: net.ipv4.tcp_autocorking: There is no queue below TCP that segments could wait in.",
  );
  assertEquals(
    changes("net.ipv6.conf.all.forwarding", "1"),
    "meaningless: net.ipv6.conf.all.forwarding: Nothing here reads it.",
  );
  const recovery = applySysctl(DEFAULT_PROFILE, "net.ipv4.tcp_recovery", "3");
  assertEquals(recovery, {
    kind: "changes",
    changes: {},
    remark: "RACK is always on, as in Linux 6.18, and its variants (bits 1 and 2 of tcp_recovery) are not emulated.",
  });
});

Deno.test("settings of TCP exist or not; of others that is taken for granted", () => {
  for (const name of MEANINGFUL_SYSCTLS) assert(sysctlExists(name), name);
  assert(sysctlExists("net.ipv4.tcp_autocorking"));
  assert(sysctlExists("net.core.rmem_max"));
  assert(!sysctlExists("net.ipv4.tcp_fastopen_cookies"));
  assert(!sysctlExists("net.ipv4.tcp_constructor"));
  assert(!sysctlExists("nonsense"));
});

Deno.test("every setting with a meaning changes a field of the profile", () => {
  for (const name of MEANINGFUL_SYSCTLS) {
    const values = ["1", "2", "1000", "5000", "1024 5000", "4096 5000 6000", "1-2-3-4", "cubic"];
    const effect = values.map((value) => applySysctl(DEFAULT_PROFILE, name, value)).find(({ kind }) =>
      kind === "changes"
    );
    assert(effect?.kind === "changes", name);
    makeProfile(effect.changes);
  }
});

Deno.test("scripts start from packetdrill's profile", () => {
  assertEquals(packetdrillProfile.receiveBufferBytes, 540000);
  assertEquals(packetdrillProfile.receiveBufferMaxBytes, 15728640);
  assertEquals(packetdrillProfile.congestionControl, "cubic");
  assertEquals(packetdrillProfile.ecn, "off");
  assertEquals(packetdrillProfile.fastOpen, 0x70403);
  assertEquals(packetdrillProfile.slowStartAfterIdle, false);
  assertEquals(packetdrillProfile.synCookies, 1);
});
