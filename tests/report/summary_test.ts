import { assertEquals, assertStringIncludes } from "@std/assert";
import { failedExpectations, summary } from "../../src/report/summary.ts";
import { SAMPLE_NAT, SAMPLE_WORKLOAD, sampleReport } from "./sample.ts";

const GOLDEN = `quickstart  (seed 1)
One client runs out of ports; four of them do not.
400 ms simulated in 1.25 s, 542 k packet-hops/s; the run ended because nothing was left to do

  Connections    117,928 attempted, 112,928 established, 5,000 failed (EADDRNOTAVAIL, no port
                 left)
                 at most 112,928 at the same time, 112,928 open at the end
  Connect time   median 20 ms, 90% within 20.5 ms, 99% within 21 ms, slowest 22.3 ms
  Packets        338,784 sent, 338,784 delivered, none dropped; 677,568 links crossed
  Memory         412 B a connection (both ends, tables, NAT), 181 MB for the process

What bound: client ran out of ports at 282 ms  [ports]
  client used 28,232 of 28,232 ephemeral ports towards 192.0.2.1:443 (60,999 - 32,768 + 1,
  Linux's default range): the next connect() failed with EADDRNOTAVAIL, 5,000 in all (4.2% of
  all attempts).
  A port is counted per (source address, destination address, destination port): the server's
  port is not used up, and another client, or this one towards another address or port, still
  has all of its 28,232.
  What moves it: more source addresses on the client, more destination addresses or ports, a
  wider net.ipv4.ip_local_port_range, or fewer connections kept (reuse them; a TIME_WAIT holds
  its port too).

One listening port, server:443, held 112,928 connections at once.
  Accepting a connection takes no port: a connection is known by its four addresses and ports
  together, and these differ in the client's. What ends a server is files, memory and time, not
  65,535.

Expectations: all 2 held
  ok    connections.failed.EADDRNOTAVAIL == 5000
  ok    connections.peakConcurrent > 65535

Digest 0123456789abcdef: the same scenario and seed give the same digest, packet for packet.
`;

Deno.test("the summary of a run that ran out of ports reads exactly so", () => {
  const workload = { ...SAMPLE_WORKLOAD, attempted: 117928, established: 112928, open: 112928 };
  const text = summary(sampleReport({ workloads: [workload] }), {
    description: "One client runs out of ports;\nfour of them do not.\n",
  });
  assertEquals(text, GOLDEN);
});

Deno.test("colours change nothing but escapes", () => {
  const plain = summary(sampleReport());
  const coloured = summary(sampleReport(), { colour: true });
  // deno-lint-ignore no-control-regex
  assertEquals(coloured.replace(/\x1b\[[\d;]*m/g, ""), plain);
});

Deno.test("an interrupted run is marked as cut off", () => {
  const text = summary(sampleReport({ ended: "interrupted" }));
  assertStringIncludes(text, "CUT OFF: interrupted before the end. This is the run so far.\n");
  assertStringIncludes(text, "Digest 0123456789abcdef, of the packets so far.\n");
});

Deno.test("a run without refusals says so, and names the fullest limit", () => {
  const [limit] = sampleReport().limits;
  const text = summary(
    sampleReport({ limits: [{ ...limit, used: 7058, refused: 0, firstHitSeconds: null }] }),
  );
  assertStringIncludes(
    text,
    "No limit bound. Nearest to it:\n  ports of client: 7,058 of 28,232 ephemeral ports towards 192.0.2.1:443 (25%)\n",
  );
});

Deno.test("the limit that bound first is told in full, later ones in brief", () => {
  const [ports] = sampleReport().limits;
  const pool = { ...ports, limit: "nat-pool" as const, node: "cgn", used: 64512, capacity: 64512, detail: "" };
  const text = summary(sampleReport({ limits: [ports, { ...pool, firstHitSeconds: 0.1 }] }));
  assertStringIncludes(text, "What bound: cgn's pool of external ports was empty at 100 ms  [nat-pool]");
  assertStringIncludes(text, "Then: client ran out of ports at 282 ms  [ports]");
});

Deno.test("a failed expectation shows expected and found", () => {
  const expect = [
    { text: "connections.open == 10", expected: 10, found: 9, ok: false },
    { text: "limits[nat-pool].refused > 0", expected: 0, found: null, ok: false },
    { text: "ended == quiescence", expected: "quiescence", found: "quiescence", ok: true },
  ];
  const text = summary(sampleReport({ expect }));
  assertStringIncludes(text, "Expectations: 1 of 3 held\n");
  assertStringIncludes(text, "  FAIL  connections.open == 10: expected 10, found 9\n");
  assertStringIncludes(text, "  FAIL  limits[nat-pool].refused > 0: expected > 0, found nothing there\n");
  assertEquals(
    failedExpectations(expect),
    "expectation failed: connections.open == 10 (expected 10, found 9)\n" +
      "expectation failed: limits[nat-pool].refused > 0 (expected > 0, found nothing there)\n",
  );
});

Deno.test("reasons are listed with a count each where there are several, the commonest first", () => {
  const report = sampleReport();
  report.connections.failed = { ETIMEDOUT: 2, ECONNREFUSED: 1500 };
  report.packets.dropped = { lost: 3, "queue-full": 7 };
  const text = summary(report, { width: 200 });
  assertStringIncludes(text, "1,502 failed (1,500 ECONNREFUSED, nobody listens there; 2 ETIMEDOUT, no answer)");
  assertStringIncludes(text, "10 dropped (7 queue-full; 3 lost)");
});

Deno.test("what gateways refused is told by reason, the earliest first, with the time of the first", () => {
  const quiet = { ...SAMPLE_NAT, node: "quiet" };
  const cgn = {
    ...SAMPLE_NAT,
    node: "cgn",
    refused: { block: 697, "no-mapping": 20, quota: 1 },
    firstRefusedSeconds: { block: 5.13, "no-mapping": 0.01, quota: 700 },
  };
  const box = { ...SAMPLE_NAT, node: "box", refused: { quota: 2 }, firstRefusedSeconds: { quota: 1 } };
  const text = summary({ ...sampleReport(), nats: [box, cgn, quiet] });
  assertStringIncludes(
    text,
    `  NAT refused    box: 2 quota (first at 1 s)
                 cgn: 20 no-mapping (first at 10 ms); 697 block (first at 5.13 s); 1 quota
                 (first at 700 s)
`,
  );
  assertEquals(text.includes("quiet"), false);
});

Deno.test("events that the run did not come to are told", () => {
  const report = { ...sampleReport(), simulatedSeconds: 5 };
  const told = (eventSeconds: number[]) =>
    summary(report, { eventSeconds }).split("\n").find((line) => line.includes("event"));
  assertEquals(told([7]), "The run was over before the only event could happen (7 s).");
  assertEquals(told([1, 7, 9]), "The run was over before 2 of 3 events could happen (7 s and later).");
  assertEquals(told([1, 5]), undefined);
});
