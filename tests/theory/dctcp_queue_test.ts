/** DCTCP holds a queue at its marking threshold (RFC 8257; Alizadeh and others, SIGCOMM 2010, 3.3 and 3.4). */
import { assert, assertEquals } from "@std/assert";
import { Bottleneck, PACKET_BYTES } from "./support.ts";

Deno.test("DCTCP holds a queue at its marking threshold, loses nothing and leaves nothing unused", () => {
  for (const [flows, threshold, rttMs] of [[2, 20, 1], [4, 40, 1], [2, 65, 4]]) {
    const rateBps = 1e8;
    const path = new Bottleneck({
      seed: 1,
      congestionControl: "dctcp",
      flows,
      rateBps,
      rttNs: rttMs * 1e6,
      queuePackets: 1000,
      ecnThresholdPackets: threshold,
      startsWithinNs: 100e6,
    });
    path.runTo(1);
    const drops = path.simulation.partition.links.queueDrops(path.direction);
    let sum = 0;
    let most = 0;
    const samples = 1000;
    const before = path.delivered.reduce((a, b) => a + b, 0);
    for (let i = 0; i < samples; i++) {
      path.runTo(1 + (i + 1) / 1000);
      const packets = path.queueBytes / PACKET_BYTES;
      sum += packets;
      most = Math.max(most, packets);
    }
    const mean = sum / samples;
    const what = `${flows} flows, K = ${threshold}: mean ${mean}, most ${most}`;
    // Its highest is K and a segment or two of each flow, and it swings below by sqrt(N (C RTT + K) / 2) or so.
    const swing = Math.sqrt(flows * (rateBps * rttMs / 8e3 / PACKET_BYTES + threshold) / 2);
    assert(most <= threshold + 3 * flows, what);
    assert(mean <= threshold + flows && mean >= threshold - 1.5 * swing, what);
    assertEquals(path.simulation.partition.links.queueDrops(path.direction), drops, what);
    const used = (path.delivered.reduce((a, b) => a + b, 0) - before) * 8 * PACKET_BYTES / 1448;
    assert(used > 0.97 * rateBps, `${what}: ${used} bit/s`);
  }
});
