import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { AddressTable } from "../../src/base/address.ts";
import { NO_IMPAIRMENTS } from "../../src/link/impairments.ts";
import { LINK_DROP, Links, type LinkSettings } from "../../src/link/links.ts";
import { CONTROL, PACKET, PacketPool, PROTOCOL } from "../../src/wire/packet.ts";

/** One direction with these settings, and a way to send packets of a given size into it. */
function direction(options: Partial<LinkSettings> & { extraDelayNs?: number } = {}) {
  const packets = new PacketPool();
  const addresses = new AddressTable();
  const links = new Links({ packets, addresses, capacity: 4 });
  const rateBps = options.rateBps ?? Infinity;
  const settings: LinkSettings = {
    rateBps,
    delayNs: 0,
    mtuBytes: 65535,
    queueBytes: Infinity,
    queuePackets: Infinity,
    impairments: NO_IMPAIRMENTS,
    impaired: false,
    ...options,
  };
  links.settings.push(settings);
  const { extraDelayNs = 0 } = options;
  const key = Int32Array.of(1, 2);
  const d = links.add({ from: 1, to: 2, settings: 0, rank: 0, flags: 0, extraDelayNs, key });
  const source = addresses.intern("10.0.0.1");
  const send = (bytes: number, nowNs: number): number => {
    const p = packets.allocate();
    packets.rows.words[p * PACKET.STRIDE + PACKET.SRC] = source;
    packets.rows.words[p * PACKET.STRIDE + PACKET.CONTROL] = PROTOCOL.UDP << CONTROL.PROTOCOL_SHIFT;
    packets.rows.words[p * PACKET.STRIDE + PACKET.LENGTH] = bytes - 28;
    return links.send(d, p, nowNs);
  };
  return { links, d, send, packets };
}

Deno.test("a packet arrives after its serialization and the propagation delay, to the nanosecond", () => {
  const { send } = direction({ rateBps: 1e9, delayNs: 5_000_000, extraDelayNs: 77 });
  assertEquals(send(1500, 1000), 1000 + 12_000 + 5_000_000 + 77);
});

Deno.test("packets sent together leave one after the other", () => {
  const { send } = direction({ rateBps: 8e6, delayNs: 10 });
  assertEquals([send(100, 0), send(50, 0), send(28, 60_000)], [100_010, 150_010, 178_010]);
});

Deno.test("an idle link begins at once, and owes nothing for its idle time", () => {
  const { send } = direction({ rateBps: 8e6 });
  assertEquals(send(100, 0), 100_000);
  assertEquals(send(100, 100_000), 200_000);
  assertEquals(send(100, 1_000_000), 1_100_000);
});

Deno.test("without a rate only the delay counts", () => {
  const { send } = direction({ delayNs: 3 });
  assertEquals([send(65535, 9), send(65535, 9)], [12, 12]);
});

Deno.test("a busy link neither gains nor loses time, whatever its rate", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 9_600, max: 400_000_000_000 }),
      fc.array(fc.integer({ min: 28, max: 65535 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 0, max: 2 ** 45 }),
      (rateBps, sizes, startNs) => {
        const { send } = direction({ rateBps });
        let bits = 0n;
        for (const bytes of sizes) {
          bits += BigInt(bytes) * 8n;
          const exact = (bits * 1_000_000_000n + BigInt(rateBps) - 1n) / BigInt(rateBps);
          assertEquals(BigInt(send(bytes, startNs)), BigInt(startNs) + exact);
        }
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("a queue of bytes takes a packet exactly as long as it fits", () => {
  // 1 byte a microsecond; the first packet goes out at once and counts with what is left of it.
  const { links, d, send } = direction({ rateBps: 8e6, queueBytes: 300 });
  assertEquals(send(100, 0), 100_000);
  assertEquals(send(200, 0), 300_000);
  assertEquals(send(28, 0), -LINK_DROP.QUEUE_FULL);
  assertEquals(links.backlogBytes(d, 0), 300);
  assertEquals(send(28, 27_000), -LINK_DROP.QUEUE_FULL);
  assertEquals(send(28, 28_000), 328_000);
  assertEquals(links.backlogBytes(d, 28_000), 300);
  assertEquals(links.queueDrops(d), 2);
  assertEquals(links.queues.get(d), { peakBytes: 300, peakPackets: 0, firstFullNs: 0, carriedBytes: 328 });
});

Deno.test("an idle link takes a packet however short its queue", () => {
  const { links, d, send } = direction({ rateBps: 8e6, queueBytes: 10 });
  assertEquals(send(1000, 0), 1_000_000);
  assertEquals(send(28, 999_999), -LINK_DROP.QUEUE_FULL);
  assertEquals(send(1000, 1_000_000), 2_000_000);
  assertEquals(links.queues.get(d)!.peakBytes, 10, "no more than the limit is reported as waiting");
});

Deno.test("a queue of n packets holds n beside the one being sent", () => {
  const { links, d, send } = direction({ rateBps: 8e6, queuePackets: 2 });
  const arrivals = [0, 0, 0, 0, 99_999, 100_000, 100_000].map((nowNs) => send(100, nowNs));
  const full = -LINK_DROP.QUEUE_FULL;
  assertEquals(arrivals, [100_000, 200_000, 300_000, full, full, 400_000, full]);
  assertEquals(links.queues.get(d), { peakBytes: 300, peakPackets: 2, firstFullNs: 0, carriedBytes: 400 });
});

Deno.test("a queue of no packets still sends what finds the link idle", () => {
  const { send } = direction({ rateBps: 8e6, queuePackets: 0 });
  assertEquals([send(100, 0), send(100, 1), send(100, 100_000)], [100_000, -LINK_DROP.QUEUE_FULL, 200_000]);
});

Deno.test("a queue agrees with one that keeps every packet, for any arrivals", () => {
  const arrival = fc.tuple(fc.integer({ min: 28, max: 1500 }), fc.integer({ min: 0, max: 2_000_000 }));
  fc.assert(
    fc.property(
      fc.array(arrival, { maxLength: 300 }),
      fc.integer({ min: 0, max: 40 }),
      fc.constantFrom(8e6, 10e6, 12_345_678),
      (packets, queuePackets, rateBps) => {
        const { send } = direction({ rateBps, queuePackets });
        const departures: number[] = [];
        let nowNs = 0;
        for (const [bytes, gapNs] of packets) {
          nowNs += gapNs;
          const inSystem = departures.filter((ns) => ns > nowNs).length;
          const arrivalNs = send(bytes, nowNs);
          assertEquals(arrivalNs === -LINK_DROP.QUEUE_FULL, inSystem > queuePackets);
          if (arrivalNs > 0) departures.push(arrivalNs);
        }
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("the sequence numbers of a direction count what it took, twins included", () => {
  const impairments = { ...NO_IMPAIRMENTS, duplicate: 1 };
  const { links, send, packets } = direction({ delayNs: 5, impairments, impaired: true });
  assertEquals(send(100, 0), 5);
  const { packet, arrivalNs } = links.duplicate;
  assert(packet !== 0);
  assertEquals(arrivalNs, 5);
  assertEquals(packets.rows.words[packet * PACKET.STRIDE + PACKET.LINK_SEQ], 1);
  assertEquals(packets.rows.words[packet * PACKET.STRIDE + PACKET.LENGTH], 72);
  assertEquals(links.duplicated, 1);
});

Deno.test("a queue as long as its ECN threshold marks ECN-capable packets, and leaves the others alone", () => {
  // Of each case: the ECN field sent, and what arrives behind a queue that is not long, and one that is.
  for (
    const [sent, short, long] of [[0, 0, 0], [1, 1, 3], [2, 2, 3], [3, 3, 3]]
  ) {
    for (const threshold of [{ ecnThresholdPackets: 2 }, { ecnThresholdBytes: 2000 }]) {
      const { links, d, send, packets } = direction({ rateBps: 8e6, ...threshold });
      const arrived = (): number => {
        const p = packets.allocate();
        const o = p * PACKET.STRIDE;
        packets.rows.words[o + PACKET.CONTROL] = PROTOCOL.UDP << CONTROL.PROTOCOL_SHIFT;
        packets.rows.words[o + PACKET.LENGTH] = 972;
        packets.rows.words[o + PACKET.WINDOW_TTL_TOS] = (64 << 8) | sent;
        links.send(d, p, 0);
        return packets.rows.words[o + PACKET.WINDOW_TTL_TOS] & 3;
      };
      // One is being sent; in bytes, what is left of it counts as waiting.
      if ("ecnThresholdPackets" in threshold) send(1000, 0);
      assertEquals([arrived(), arrived(), arrived(), arrived()], [short, short, long, long], JSON.stringify(threshold));
      assertEquals(links.queueMarks(d), sent === 0 ? 0 : 2);
      assertEquals(links.queueDrops(d), 0);
    }
  }
});
