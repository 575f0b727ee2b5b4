/** Rates, tables, logs and options of a carrier-grade NAT. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import {
  gatewayLimits,
  gatewayStats,
  LOG_FORMATS,
  type NatProfileOptions,
  restartGateway,
  restartGateways,
  sessions,
  subscribers,
} from "../../src/nat/nat.ts";
import { Laboratory, SECOND } from "./harness.ts";

const SERVER = "192.0.2.1:53";

Deno.test("a session rate is a token bucket for each subscriber: a burst, then so many a second", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ sessionsPerSecond: 10, sessionsBurst: 5, udpNs: 1000 * SECOND });
  const open = (host: number, port: number) => lab.udp(gw, `10.0.0.${host}:${port}`, SERVER).startsWith("203.");
  const opened = (host: number, tries: number, from: number) =>
    Array.from({ length: tries }, (_, i) => open(host, from + i)).filter((ok) => ok).length;
  assertEquals([opened(1, 8, 100), opened(2, 8, 100)], [5, 5]);
  lab.advance(0.1 * SECOND);
  assertEquals(opened(1, 3, 200), 1);
  lab.advance(0.399 * SECOND);
  assertEquals(opened(1, 9, 300), 2, "299 ms make two tokens and 99% of another");
  lab.advance(0.4 * SECOND);
  assertEquals(opened(1, 9, 400), 1);
  lab.advance(100 * SECOND);
  assertEquals(opened(1, 9, 500), 5, "the bucket holds no more than its burst");
  const limit = gatewayLimits(lab.nat, gw).find(({ limit }) => limit === "nat-rate")!;
  assertEquals([limit.used, limit.capacity, limit.firstHitNs], [5, 5, 0]);
  assertEquals(limit.refused, gatewayStats(lab.nat, gw).refusals.rate?.count);
});

Deno.test("a slow rate is exact over a long time: one session every eight seconds", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ sessionsPerSecond: 0.125, udpNs: 1e5 * SECOND });
  let opened = 0;
  for (let i = 0; i < 800; i++) {
    lab.advance(i * SECOND);
    if (lab.udp(gw, `10.0.0.1:${100 + i}`, SERVER).startsWith("203.")) opened++;
  }
  assertEquals(opened, 100);
});

Deno.test("a full session table refuses everybody, as nf_conntrack_max does, and says so", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ maxSessions: 3, udpNs: 10 * SECOND });
  for (let i = 1; i <= 3; i++) lab.udp(gw, `10.0.0.${i}:5000`, SERVER);
  assertEquals(lab.udp(gw, "10.0.0.4:5000", SERVER), "table-full");
  assertEquals(lab.udp(gw, "10.0.0.1:5000", SERVER), "203.0.113.1:5000", "sessions that there are go on");
  const limit = gatewayLimits(lab.nat, gw).find(({ limit }) => limit === "nat-table")!;
  assertEquals([limit.used, limit.capacity, limit.refused], [3, 3, 1]);
  lab.advance(10 * SECOND);
  assert(lab.udp(gw, "10.0.0.4:5000", SERVER).startsWith("203."));
});

Deno.test("a log of sessions has a record of each one's beginning and end, of the format's size", () => {
  for (
    const [logFormat, logDestinations, bytes] of [["ipfix", false, 22], ["ipfix", true, 34], [
      "syslog",
      true,
      150,
    ]] as const
  ) {
    const lab = new Laboratory();
    const gw = lab.gateway({ log: "sessions", logFormat, logDestinations, udpNs: 10 * SECOND });
    for (let i = 0; i < 3; i++) lab.udp(gw, `10.0.0.1:${5000 + i}`, SERVER);
    lab.udp(gw, "10.0.0.2:5000", SERVER);
    lab.advance(100 * SECOND);
    const { log } = gatewayStats(lab.nat, gw);
    assertEquals([log.records, log.recordBytes, log.bytes], [8, bytes, 8 * bytes]);
    const told = subscribers(lab.nat, gw).map(({ logRecords, logBytes, sessionsOpened }) => [
      logRecords,
      logBytes,
      sessionsOpened,
    ]);
    assertEquals(told, [[6, 6 * bytes, 3], [2, 2 * bytes, 1]]);
  }
});

Deno.test("a log of blocks has a record of each one's beginning and end: far fewer than of sessions", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ log: "blocks", blocks: { size: 100 }, udpNs: 10 * SECOND });
  for (let i = 0; i < 90; i++) lab.udp(gw, `10.0.0.1:${5000 + i}`, SERVER);
  lab.advance(100 * SECOND);
  const { log } = gatewayStats(lab.nat, gw);
  assertEquals([log.records, log.bytes], [2, 2 * LOG_FORMATS.ipfix.block]);
});

Deno.test("every refusal counts for its subscriber too, at gateways that keep no rows of subscribers", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ portLow: 2000, portHigh: 2000, filtering: "address-and-port-dependent" });
  lab.udp(gw, "10.0.0.1:5000", SERVER);
  lab.advance(1.5 * SECOND);
  lab.udp(gw, "10.0.0.2:5000", SERVER);
  lab.udpIn(gw, "192.0.2.9:53", "203.0.113.1:2000");
  const told = subscribers(lab.nat, gw).map(({ address, sessions, refusals }) => [
    lab.addresses.toText(address),
    sessions,
    refusals,
  ]);
  assertEquals(told, [
    ["10.0.0.1", 1, { filtered: { count: 1, firstNs: 1.5 * SECOND } }],
    ["10.0.0.2", 0, { "pool-empty": { count: 1, firstNs: 1.5 * SECOND } }],
  ]);
});

Deno.test("options that make no sense are refused in a sentence that names the field", () => {
  const wrong: [NatProfileOptions, string][] = [
    [{ blocks: { size: 0 } }, "blocks.size"],
    [{ blocks: { size: 100 }, portLow: 1000, portHigh: 1010 }, "blocks.size"],
    [{ blocks: { size: 10, perSubscriber: 0 } }, "blocks.perSubscriber"],
    [{ blocks: { size: 10 }, deterministic: { first: 0, count: 4 } }, "deterministic"],
    [{ holdDownPorts: 4 }, "holdDownPorts"],
    [{ sessionsPerSecond: -1 }, "sessionsPerSecond"],
    [{ sessionsBurst: 4 }, "sessionsBurst"],
    [{ maxSessions: 0.5 }, "maxSessions"],
    [{ refresh: "never" as "both" }, "refresh"],
    [{ log: "all" as "none" }, "log"],
    [{ logFormat: "xml" as "ipfix" }, "logFormat"],
  ];
  for (const [options, path] of wrong) {
    const error = assertThrows(() => new Laboratory().gateway(options), InputError);
    assertEquals(error.path, path, error.message);
  }
});

Deno.test("refresh direction: packets from the other side do not keep a session alive (RFC 4787 REQ-6)", () => {
  const alive = (refresh: "outbound" | "both" | "inbound", side: "in" | "out") => {
    const lab = new Laboratory();
    const gw = lab.gateway({ refresh, udpNs: 100 * SECOND });
    lab.udp(gw, "10.0.0.1:5000", SERVER);
    lab.advance(60 * SECOND);
    if (side === "in") lab.udpIn(gw, SERVER, "203.0.113.1:5000");
    else lab.udp(gw, "10.0.0.1:5000", SERVER);
    lab.advance(120 * SECOND);
    return [...sessions(lab.nat, gw)].length === 1;
  };
  const both = (refresh: "outbound" | "both" | "inbound") => [alive(refresh, "out"), alive(refresh, "in")];
  assertEquals([both("outbound"), both("both"), both("inbound")], [[true, false], [true, true], [false, true]]);
});

Deno.test("gateways that restart together lose what each loses alone, and others lose nothing", () => {
  const built = () => {
    const lab = new Laboratory();
    const gateways = [0, 1, 2, 3].map((i) =>
      lab.gateway({
        name: `${i}`,
        rank: i,
        externalAddress: lab.addresses.intern(`203.0.113.${10 + i}`),
        holdDownNs: 120 * SECOND,
        sessionsPerSecond: 1,
        sessionsBurst: 4,
        log: "sessions",
      })
    );
    gateways.forEach((gw, i) => {
      for (let port = 1; port <= i + 1; port++) lab.udp(gw, `10.0.0.1:${4000 + port}`, SERVER);
    });
    return { lab, gateways };
  };
  const together = built();
  assertEquals(restartGateways(together.lab.nat, together.gateways.slice(1).toReversed()), [4, 3, 2]);
  const alone = built();
  for (const gw of alone.gateways.slice(1)) restartGateway(alone.lab.nat, gw);
  const told = ({ lab, gateways }: ReturnType<typeof built>) =>
    gateways.map((gw) => [gatewayStats(lab.nat, gw), [...sessions(lab.nat, gw)], subscribers(lab.nat, gw)]);
  assertEquals(told(together), told(alone));
  assertEquals(told(together).map(([stats]) => (stats as { sessions: number }).sessions), [1, 0, 0, 0]);
  // The buckets are full again.
  const again = (gw: number) =>
    [1, 2, 3, 4, 5].map((port) => together.lab.udp(gw, `10.0.0.1:${5000 + port}`, SERVER)).filter((said) =>
      said !== "rate"
    ).length;
  assertEquals(together.gateways.map(again), [3, 4, 4, 4]);
});
