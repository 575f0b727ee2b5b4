import { assert, assertEquals } from "@std/assert";
import { boundLimits, explainLimit, nearLimits, roomLeft } from "../../src/report/bottleneck.ts";
import { LIMIT_NAMES, type LimitReport } from "../../src/report/document.ts";
import { sampleReport } from "./sample.ts";

function limit(changes: Partial<LimitReport>): LimitReport {
  return {
    limit: "ports",
    node: "client",
    used: 28232,
    capacity: 28232,
    firstHitSeconds: 0.28,
    refused: 1,
    detail: "",
    ...changes,
  };
}

const many = (attempted: number) => ({ attempted, peakConcurrent: attempted });

Deno.test("every limit has a story: what ran out, the numbers, why, and what moves it", () => {
  for (const name of LIMIT_NAMES) {
    const story = explainLimit(limit({ limit: name, node: "thing" }), many(100));
    assert(story.headline.includes("thing") && story.headline.endsWith("at 280 ms"), story.headline);
    assert(story.numbers.startsWith("thing used 28") && story.numbers.endsWith("."), story.numbers);
    assert(/^[A-Z].*\.$|…$/s.test(story.why), story.why);
    assert(/^[a-z].*\.$/s.test(story.remedy), story.remedy);
  }
});

Deno.test("a port limit shows where its capacity comes from", () => {
  assertEquals(
    explainLimit(limit({ detail: "ephemeral ports (32,768 to 60,999) towards 192.0.2.1:80" }), many(28233)).numbers,
    "client used 28,232 of 28,232 ephemeral ports towards 192.0.2.1:80 (60,999 - 32,768 + 1, Linux's default range): " +
      "the next connect() failed with EADDRNOTAVAIL, the only one (under 0.1% of all attempts).",
  );
  assertEquals(
    explainLimit(limit({ used: 100, capacity: 100, detail: "ephemeral ports (40,000 to 40,099)" }), many(101)).numbers,
    "client used 100 of 100 ephemeral ports (40,099 - 40,000 + 1): " +
      "the next connect() failed with EADDRNOTAVAIL, the only one (1% of all attempts).",
  );
});

Deno.test("the ports of a full-nat balancer and of a proxy are moved by what binds them: their own addresses", () => {
  const detail = "source ports towards 192.0.2.1:443 (2 sources x 1,000 ports)";
  const balancer = explainLimit(limit({ node: "lb", used: 2000, capacity: 2000, detail }), many(7000));
  assertEquals(balancer.headline, "lb ran out of source ports at 280 ms");
  assert(balancer.remedy.startsWith("more source addresses on the balancer, more back ends"), balancer.remedy);
  assert(!/client, |ip_local_port_range/.test(balancer.remedy), balancer.remedy);
  const proxy = explainLimit(limit({ node: "px" }), many(30000), true);
  assert(proxy.remedy.startsWith("more source addresses on the proxy, more back ends"), proxy.remedy);
  assert(/keep-alive.*multiplexing/.test(proxy.remedy), proxy.remedy);
});

Deno.test("a NAT pool of whole addresses shows the multiplication", () => {
  const story = explainLimit(
    limit({ limit: "nat-pool", node: "cgn", used: 129024, capacity: 129024, refused: 40 }),
    many(0),
  );
  assertEquals(
    story.numbers,
    "cgn used 129,024 of 129,024 external ports of the pool (2 addresses x 64,512 ports): " +
      "the next new flow got no mapping and was dropped; 40 packets in all (a repeated SYN counts again).",
  );
});

Deno.test("memory is written in bytes for people", () => {
  const story = explainLimit(limit({ limit: "memory", node: "server", used: 1e9, capacity: 1e9, refused: 2 }), many(4));
  assertEquals(
    story.numbers,
    "server used 1 GB of 1 GB socket memory: the next socket or segment was refused (ENOBUFS) or dropped, 2 in all (50% of all attempts).",
  );
});

Deno.test("limits are told in the order in which they bound", () => {
  const limits = [
    limit({ node: "late", firstHitSeconds: 2 }),
    limit({ node: "never", refused: 0, firstHitSeconds: null, used: 14116 }),
    limit({ node: "first", firstHitSeconds: 1 }),
    limit({ node: "empty", refused: 0, firstHitSeconds: null, used: 1 }),
  ];
  const report = sampleReport({ limits });
  assertEquals(boundLimits(report).map((one) => one.node), ["first", "late"]);
  assertEquals(nearLimits(report).map((one) => one.node), ["never"]);
  assertEquals(roomLeft(limits[1]), "ports of never: 14,116 of 28,232 ephemeral ports (50%)");
});

Deno.test("an unlimited capacity is called so", () => {
  assertEquals(
    roomLeft(limit({ limit: "files", node: "server", used: 5, capacity: Infinity })),
    "files of server: 5 open files (unlimited)",
  );
});

Deno.test("ports held by TIME_WAIT are told as such, with the rate that they allow", () => {
  const story = explainLimit(limit({}), { attempted: 180000, peakConcurrent: 1 });
  assert(
    story.why.endsWith(
      " Only 1 connection was open at a time: the other ports were held by TIME_WAIT, which the side that closes " +
        "first keeps. At Linux's 60 s that allows 28,232 / 60 s = 470.5 connections a second to one destination.",
    ),
    story.why,
  );
});

Deno.test("what TIME_WAIT allows goes by the client's own TIME_WAIT", () => {
  const detail = "ephemeral ports (40,000 to 40,999) towards 192.0.2.1:80; TIME_WAIT of 20 s";
  const story = (detail: string) =>
    explainLimit(limit({ used: 1000, capacity: 1000, detail }), { attempted: 5000, peakConcurrent: 3 });
  assert(story(detail).why.endsWith("At 20 s that allows 1,000 / 20 s = 50 connections a second to one destination."));
  assertEquals(story(detail).numbers.includes("TIME_WAIT"), false);
  assert(story("ephemeral ports").why.includes("At Linux's 60 s that allows 1,000 / 60 s = 16.7 connections"));
});
