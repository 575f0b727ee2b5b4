// Socket options: their ranges, what they read as, and TCP_INFO.
import { assert, assertEquals } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import {
  linger2Seconds,
  lingerSeconds,
  maxPacingRateOf,
  PATH_MTU,
  pathMtuDiscoveryOf,
  send,
  sendBufferOf,
  setCongestion,
  setKeepCount,
  setKeepIdle,
  setKeepInterval,
  setLinger,
  setLinger2,
  setMaxPacingRate,
  setMaxSegment,
  setPathMtuDiscovery,
  setSendBuffer,
  setSynRetries,
  setUserTimeout,
  tcpInfo,
  tcpOptions,
} from "../../src/tcp/mod.ts";
import { active } from "./raw_peer.ts";

Deno.test("options outside of their ranges are refused with EINVAL and change nothing", () => {
  const { world: { stack }, conn } = active();
  const before = tcpOptions(stack, conn);
  const refused = [
    setKeepIdle(stack, conn, 0),
    setKeepIdle(stack, conn, 32768),
    setKeepInterval(stack, conn, 0),
    setKeepInterval(stack, conn, 32768),
    setKeepCount(stack, conn, 0),
    setKeepCount(stack, conn, 128),
    setSynRetries(stack, conn, 0),
    setSynRetries(stack, conn, 128),
    setMaxSegment(stack, conn, 87),
    setMaxSegment(stack, conn, 32768),
    setUserTimeout(stack, conn, -1),
    setPathMtuDiscovery(stack, conn, 6),
  ];
  assertEquals(refused, refused.map(() => -ERRNO.EINVAL));
  assertEquals(tcpOptions(stack, conn), before);
});

Deno.test("options read as they were set, in their own units", () => {
  const { world: { stack }, conn } = active();
  setKeepIdle(stack, conn, 10);
  setKeepInterval(stack, conn, 20);
  setKeepCount(stack, conn, 5);
  setUserTimeout(stack, conn, 3000);
  const options = tcpOptions(stack, conn);
  assertEquals([options.keepIdle, options.keepInterval, options.keepCount, options.userTimeout], [10, 20, 5, 3000]);
  assertEquals(lingerSeconds(stack, conn), -1);
  setLinger(stack, conn, true, 7);
  assertEquals(lingerSeconds(stack, conn), 7);
  setLinger(stack, conn, false, 0);
  assertEquals(lingerSeconds(stack, conn), -1);
  const linger2 = [linger2Seconds(stack, conn)];
  for (const seconds of [30, 500, -3]) {
    setLinger2(stack, conn, seconds);
    linger2.push(linger2Seconds(stack, conn));
  }
  assertEquals(linger2, [60, 30, 120, -1]);
  assertEquals(maxPacingRateOf(stack, conn), 0xffffffff);
  setMaxPacingRate(stack, conn, 3_000_000_000);
  assertEquals(maxPacingRateOf(stack, conn), 3_000_000_000);
  assertEquals(pathMtuDiscoveryOf(stack, conn), PATH_MTU.WANT);
  setPathMtuDiscovery(stack, conn, PATH_MTU.DO);
  assertEquals(pathMtuDiscoveryOf(stack, conn), PATH_MTU.DO);
});

Deno.test("SO_SNDBUF is doubled, at most twice wmem_max, at least 4,608", () => {
  const { world: { stack }, conn } = active();
  const sizes = [21000, 1, 100_000_000, -1].map((bytes) => {
    setSendBuffer(stack, conn, bytes);
    return sendBufferOf(stack, conn);
  });
  assertEquals(sizes, [42000, 4608, 8388608, 8388608]);
});

Deno.test("TCP_CONGESTION knows the registered algorithms only", () => {
  const { world: { stack }, conn } = active();
  assertEquals(setCongestion(stack, conn, "no such thing"), -ERRNO.ENOENT);
  assertEquals(setCongestion(stack, conn, "reno"), 0);
  assertEquals(tcpOptions(stack, conn).congestion, "reno");
});

Deno.test("TCP_INFO tells what is in flight, the windows and the options of a connection", () => {
  const peer = active({ mss: 1000, shift: 7, sackPermitted: true });
  const { stack } = peer.world;
  assertEquals(send(stack, peer.conn, 5000), 5000);
  peer.world.drain();
  const info = tcpInfo(stack, peer.conn);
  assertEquals(
    [info.tcpi_state, info.tcpi_options, info.tcpi_unacked, info.tcpi_snd_cwnd, info.tcpi_snd_mss],
    [1, 2 | 4, 5, 10, 1000],
  );
  assertEquals([info.tcpi_snd_wscale, info.tcpi_notsent_bytes, info.tcpi_snd_ssthresh], [7, 0, 0x7fffffff]);
  assert(info.tcpi_rto >= 200_000);
});
