import { assert, assertEquals } from "@std/assert";
import type { LinkOptions } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { TCP_FLAG } from "../../src/wire/packet.ts";
import { interopTest } from "../wire/support/tools.ts";
import { type Analysed, analysedRun, isBelow, isPureAck, type Passed, path, type Point } from "./tshark_analysis.ts";

const { SYN, FIN, RST } = TCP_FLAG;

const POINTS: [string, string][] = [["client", "r1"], ["r1", "server"], ["server", "r1"]];

/** What the second link does. */
const LINKS: Record<string, LinkOptions> = {
  clean: {},
  lossy: { loss: 0.03, queuePackets: 60 },
  reordering: { reorder: 0.05, reorderNs: 3e6, queuePackets: 60 },
};

/** Uploads, and requests with large replies: data both ways. */
function mixed(name: string, ipv6: boolean): Simulation {
  const network = path(name, ipv6, LINKS[name], [80, 443]);
  const arrivals = { kind: "rate", perSecond: 20 } as const;
  const from = ["client"];
  network.workload({ name: "up", kind: "bulk", from, to: ["server:80"], connections: 6, bytes: 300_000, arrivals });
  network.workload({
    name: "pages",
    kind: "request-response",
    from,
    to: ["server:443"],
    connections: 10,
    requestBytes: 3000,
    replyBytes: 20_000,
    requests: 3,
    arrivals,
  });
  return network.build();
}

/** What tshark calls a segment whose numbers have passed before, of whatever kind: each counts once. */
function isRepeated(one: Analysed): boolean {
  return ["retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order"]
    .some((kind) => one[kind] !== "");
}

/** Counts by stream. */
function byStream(point: Point, counts: (i: number) => boolean): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [i, one] of point.analysed.entries()) {
    found[one["tcp.stream"]] = (found[one["tcp.stream"]] ?? 0) + (counts(i) ? 1 : 0);
  }
  return found;
}

/** Form, checksums, and that each stream is one connection, seen from its SYN to its FINs. */
function assertWellFormed(point: Point, ipv6: boolean): void {
  const flows = new Map<string, Set<string>>();
  const resets = new Set<string>();
  for (const [i, one] of point.analysed.entries()) {
    const sums = [one["ip.checksum.status"], one["tcp.checksum.status"], one["_ws.malformed"]];
    assertEquals(sums, [ipv6 ? "" : "1", "1", ""], `packet ${i + 1} at ${point.name}`);
    const stream = one["tcp.stream"];
    flows.set(stream, (flows.get(stream) ?? new Set()).add(point.passed[i].flow));
    if (point.passed[i].flags & RST) resets.add(stream);
  }
  for (const [stream, ways] of flows) assertEquals(ways.size, 2, `stream ${stream}: ${[...ways]}`);
  for (const one of point.analysed) {
    // 1 SYN, 2 SYN-ACK, 4 ACK, 8 data, 16 FIN, 32 RST.
    assertEquals(one["tcp.completeness"], resets.has(one["tcp.stream"]) ? "63" : "31", `completeness at ${point.name}`);
  }
}

/**
 * Segments that begin below what has passed this point of their flow, by our own packets. Heuristic: tshark takes the
 * number of an ACK without data, too, for one that has been reached, so that data which it overtook is late.
 */
function belowHighest(point: Point): boolean[] {
  const ends = new Map<string, number>();
  return point.passed.map((one) => reaches(ends, one));
}

/** Is it below what has been reached? Takes into account what it reaches itself. */
function reaches(ends: Map<string, number>, one: Passed): boolean {
  const below = isBelow(ends, one.flow, one.seq, one.taken);
  const highest = ends.get(one.flow);
  if (isPureAck(one) && (highest === undefined || ((one.seq - highest) | 0) > 0)) ends.set(one.flow, one.seq);
  return below;
}

/**
 * Duplicate ACKs by our own packets (RFC 5681 2 without the part about outstanding data, which a point between cannot
 * know): no data, no SYN, FIN or RST, acknowledgement and window as before and not 0. And what tshark wants besides.
 */
function duplicateAcks(point: Point): { duplicate: boolean; whyNot: string }[] {
  const last = new Map<string, Passed>();
  const ends = new Map<string, number>();
  return point.passed.map((one, i) => {
    const before = last.get(one.flow);
    const end = ends.get(one.flow);
    last.set(one.flow, one);
    reaches(ends, one);
    const duplicate = isPureAck(one) && before?.ack === one.ack && before.window === one.window && one.window > 0;
    let whyNot = "";
    const { keep_alive, keep_alive_ack } = point.analysed[i];
    // Heuristic: an ACK of the number before the next one, as one that a FIN has overtaken, is taken for a keep-alive …
    if (keep_alive !== "") whyNot = "taken for a keep-alive";
    // … and the answer to it for the answer to a keep-alive.
    else if (keep_alive_ack !== "") whyNot = "taken for the answer to a keep-alive";
    // Heuristic: an ACK that does not stand at the next number (it overtook data, or data overtook it) is none.
    else if (end !== undefined && one.seq !== end) whyNot = "not at the next sequence number";
    return { duplicate, whyNot };
  });
}

for (const name of ["clean", "lossy", "reordering"]) {
  for (const ipv6 of [false, true]) {
    interopTest("tshark", `tshark and the emulator count the same: ${name}, IPv${ipv6 ? 6 : 4}`, async () => {
      const simulation = mixed(name, ipv6);
      const points = await analysedRun(simulation, POINTS);
      for (const point of points) {
        assertWellFormed(point, ipv6);
        const below = belowHighest(point);
        // Whatever tshark calls it, retransmission of some kind or out of order: its numbers had been passed here.
        assertEquals(
          byStream(point, (i) => isRepeated(point.analysed[i])),
          byStream(point, (i) => below[i]),
          `repeated or overtaken at ${point.name}`,
        );
        for (const [i, { again, outbound }] of point.passed.entries()) {
          // What the sender sent twice is at the sender's point below what passed …
          if (outbound && point.name !== "r1:server") assertEquals(again, below[i], `packet ${i + 1} at ${point.name}`);
        }
        const acks = duplicateAcks(point);
        assertEquals(
          byStream(point, (i) => point.analysed[i].duplicate_ack !== ""),
          byStream(point, (i) => acks[i].duplicate && acks[i].whyNot === ""),
          `duplicate ACKs at ${point.name}`,
        );
        assertEquals(
          byStream(point, (i) => point.analysed[i].zero_window !== ""),
          byStream(point, (i) => point.passed[i].window === 0 && (point.passed[i].flags & (SYN | FIN | RST)) === 0),
          `zero windows at ${point.name}`,
        );
        if (name !== "reordering") {
          assertEquals(acks.filter((one) => one.duplicate && one.whyNot !== "").length, 0, "no heuristic interferes");
        }
      }
      // At the senders: tshark's retransmissions are those that the stacks have counted, all kinds, each once.
      const [client, middle, server] = points;
      const sent = [client, server].map((point) =>
        point.analysed.filter((one, i) => point.passed[i].outbound && isRepeated(one)).length
      );
      assertEquals(
        sent[0] + sent[1],
        simulation.partition.tcp.counters.retransmissions,
        "retransmissions of the stacks",
      );
      assertEquals(sent[0] + sent[1] > 0, name !== "clean");
      // At other points: what passed there, and where that differs from what was sent again.
      for (const point of [middle, server]) explainDifferences(point, name);
    });
  }
}

for (const ipv6 of [false, true]) {
  interopTest(
    "tshark",
    `the duplicate ACKs that tshark sees come in are those that the sender counts, IPv${ipv6 ? 6 : 4}`,
    async () => {
      // (ACKs come back in order, all of them.)
      const network = path("acks", ipv6, { ...LINKS.lossy, reverse: { loss: 0 } }, [443]);
      const arrivals = { kind: "rate", perSecond: 20 } as const;
      const from = ["client"];
      network.workload({
        name: "up",
        kind: "bulk",
        from,
        to: ["server:443"],
        connections: 6,
        bytes: 300_000,
        arrivals,
      });
      const simulation = network.build();
      const [client] = await analysedRun(simulation, [["client", "r1"]]);
      const seen = client.analysed.filter((one, i) => !client.passed[i].outbound && one.duplicate_ack !== "");
      assert(seen.length > 20);
      const { duplicateAcks, duplicateSacks } = simulation.partition.tcp.counters;
      // (tshark takes one that reports a segment which came twice for a duplicate, too; to the sender, as to Linux, it is
      // none, since nothing is missing there: RFC 2883. Without reordering there are hardly any.)
      assertEquals(seen.length, duplicateAcks + duplicateSacks);
    },
  );
}

/**
 * Away from the sender tshark cannot know what was sent again. Of its repeated segments some are first ones that later
 * ones have overtaken; and some that were sent again it takes for first ones, since the first was lost on the way here
 * and nothing behind it had come.
 */
function explainDifferences(point: Point, name: string): void {
  const below = belowHighest(point);
  for (const [i, { again, outbound }] of point.passed.entries()) {
    if (outbound && point.name === "server:r1") continue;
    const repeated = isRepeated(point.analysed[i]);
    if (repeated === again) continue;
    if (repeated) assert(name === "reordering" && below[i], `packet ${i + 1} at ${point.name} was overtaken`);
    else assert(!below[i], `packet ${i + 1} at ${point.name}: nothing behind it had passed`);
  }
}

for (const ipv6 of [false, true]) {
  interopTest("tshark", `a receiver that does not read: zero windows and probes, IPv${ipv6 ? 6 : 4}`, async () => {
    const simulation = path("slow", ipv6, {}, []).build();
    simulation.host("server").listen({ port: 443 }, (socket) => {
      socket.pause();
      simulation.host("server").setTimeout(() => socket.resume(), 3e9);
      socket.on("data", () => {});
      socket.on("end", () => socket.end());
    });
    const address = ipv6 ? "2001:db8:2::1" : "10.0.1.1";
    simulation.host("client").connect({ address, port: 443 }).end("x".repeat(400_000));
    const [client, server] = await analysedRun(simulation, [["client", "r1"], ["server", "r1"]]);
    for (const point of [client, server]) {
      assertWellFormed(point, ipv6);
      const closed = point.passed.map((one) => one.window === 0 && (one.flags & (SYN | FIN | RST)) === 0);
      assertEquals(point.analysed.map((one) => one.zero_window !== ""), closed, `zero windows at ${point.name}`);
      assert(closed.filter(Boolean).length > 2);
    }
    const { windowProbes, retransmissions } = simulation.partition.tcp.counters;
    // Heuristic: Linux's window probe has no data and the number before the next one; tshark calls that a keep-alive.
    const ends = new Map<string, number>();
    const probes = client.passed.map((one) => {
      isBelow(ends, one.flow, one.seq, one.taken);
      return one.outbound && isPureAck(one) && one.seq === (ends.get(one.flow)! - 1) >>> 0;
    });
    assertEquals(client.analysed.map((one) => one.keep_alive !== ""), probes, "window probes");
    // Another is data in its eyes: where the window takes a part of a segment, Linux's first probe sends that part.
    const full = Math.max(...client.passed.map((one) => one.outbound ? one.taken : 0));
    let acknowledged = -1;
    let parts = 0;
    for (const { outbound, seq, taken, flags, ack } of client.passed) {
      if (!outbound) acknowledged = ack;
      else if (taken > 1 && taken < full && seq === acknowledged && (flags & FIN) === 0) parts++;
    }
    assertEquals(probes.filter(Boolean).length + parts, windowProbes);
    assert(windowProbes > 2);
    assertEquals(client.analysed.filter(isRepeated).length, retransmissions, "retransmissions");
  });
}

for (const ipv6 of [false, true]) {
  interopTest("tshark", `one byte at a time over a lossy path, then a half-close, IPv${ipv6 ? 6 : 4}`, async () => {
    const network = path("bytes", ipv6, { loss: 0.08, reverse: { loss: 0.02 } }, [40025]);
    const exchanges = Array.from({ length: 8 }, () => ({ requestBytes: 1, replyBytes: 1 }));
    exchanges.push({ requestBytes: 0, replyBytes: 20_000 });
    const atNs = Array.from({ length: 12 }, (_, i) => i * 50e6);
    network.workload({
      ...{ name: "w", kind: "schedule", from: ["client"], to: ["server:40025"], connections: 12, atNs, exchanges },
      ...{ halfClose: true, closeWaitNs: 30e6 },
    });
    const simulation = network.build();
    const points = await analysedRun(simulation, [["client", "r1"], ["server", "r1"]]);
    let sent = 0;
    let single = 0;
    for (const point of points) {
      assertWellFormed(point, ipv6);
      for (const [i, one] of point.passed.entries()) {
        if (!one.outbound) continue;
        // Heuristic: one byte at the number before the next is a keep-alive to tshark, though it is sent again.
        const probe = one.again && one.taken === 1 && point.analysed[i].keep_alive !== "";
        assertEquals(probe || isRepeated(point.analysed[i]), one.again, `packet ${i + 1} at ${point.name}`);
        if (one.again) sent++;
        if (probe) single++;
      }
    }
    assertEquals(sent, simulation.partition.tcp.counters.retransmissions);
    assert(single > 0 && sent > single, `${single} of ${sent}`);
  });
}
