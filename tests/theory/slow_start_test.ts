/** Slow start against its closed form: rounds = ⌈log2(N / IW + 1)⌉, and a round trip for the handshake (DESIGN 7). */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Network } from "../../mod.ts";
import { PACKET } from "../../src/wire/packet.ts";

const MSS = 1448;

/** When the last byte arrives, in round trips, on a path that has nothing but delay. */
function lastByte(segments: number, initialWindow: number, rttNs: number, congestionControl: string): number {
  const network = new Network({ seed: 1 });
  const big = { receiveBufferBytes: 2 ** 26, receiveBufferMaxBytes: 2 ** 26, sendBufferBytes: 2 ** 26 };
  const profile = { ...big, congestionControl, initialWindowSegments: initialWindow, delayedAckMs: 0 };
  network.host("client", { address: "10.0.0.1/24", profile });
  network.host("server", { address: "10.0.0.2/24", profile, listen: [{ port: 80 }] });
  network.link("client", "server", { delayNs: rttNs / 2 });
  const ends = { from: ["client"], to: ["server:80"], connections: 1 };
  network.workload({ name: "up", kind: "bulk", ...ends, bytes: segments * MSS });
  const simulation = network.build();
  let last = 0;
  let bytes = 0;
  simulation.onDelivery((packet, timeNs, from) => {
    const length = simulation.packets.rows.words[packet * PACKET.STRIDE + PACKET.LENGTH];
    if (from !== "client" || length === 0) return;
    last = timeNs;
    bytes += length;
  });
  simulation.run({ untilNs: 60e9 });
  assertEquals(bytes, segments * MSS);
  return last / rttNs;
}

Deno.test("a transfer in slow start takes as many round trips as the closed form says", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6000 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 5, max: 400 }),
      fc.constantFrom("reno", "cubic", "dctcp", "vegas"),
      (segments, initialWindow, rttMs, algorithm) => {
        let rounds = 0;
        for (let sent = 0; sent < segments; sent = initialWindow * (2 ** ++rounds - 1));
        // A round trip for the handshake, one for each round but the last, and half of one for the last to arrive.
        assertEquals(lastByte(segments, initialWindow, rttMs * 1e6, algorithm), rounds + 0.5);
      },
    ),
    { numRuns: 40 },
  );
});
