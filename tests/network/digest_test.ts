import { assertEquals, assertNotEquals } from "@std/assert";
import { AddressTable } from "../../src/base/address.ts";
import { combineDigest, deliveryDigest } from "../../src/network/digest.ts";
import { Nodes } from "../../src/node/nodes.ts";
import { CLOCK, newClock } from "../../src/store/clock.ts";
import { CONTROL, EXTRA, PACKET, PacketPool } from "../../src/wire/packet.ts";

interface Delivery {
  timeNs?: number;
  rank?: number;
  source?: string;
  destination?: string;
  /** Words of the packet row, by place. */
  words?: Record<number, number>;
  payload?: Uint8Array;
  /** Packets and addresses that were there before. */
  skip?: number;
}

/** The digest of one delivery to the only node. */
function digestOf(delivery: Delivery): string {
  const addresses = new AddressTable();
  const packets = new PacketPool();
  for (let i = 0; i < (delivery.skip ?? 0); i++) {
    packets.allocate();
    addresses.intern(`100.64.${i}.1`);
  }
  const population = { name: "a", count: 1, plural: false, firstRow: 1, firstRank: 0, firstAddress6: 0 };
  const nodes = new Nodes({
    capacity: 1,
    populations: [{ ...population, maxFiles: Infinity, memoryBytes: Infinity, peakFiles: 0 }],
  });
  const p = packets.allocate();
  const extra = delivery.payload === undefined ? 0 : packets.extraOf(p);
  const rows = packets.rows.words;
  const o = p * PACKET.STRIDE;
  rows[o + PACKET.SRC] = addresses.intern(delivery.source ?? "10.0.0.1");
  rows[o + PACKET.DST] = addresses.intern(delivery.destination ?? "10.0.0.2");
  for (const [place, word] of Object.entries(delivery.words ?? {})) rows[o + Number(place)] = word;
  if (delivery.payload !== undefined) {
    rows[o + PACKET.CONTROL] |= CONTROL.REAL_PAYLOAD;
    packets.extras.words[extra * EXTRA.STRIDE + EXTRA.PAYLOAD] = packets.payloads.put(delivery.payload);
  }
  const clock = newClock();
  clock[CLOCK.NOW] = delivery.timeNs ?? 0;
  deliveryDigest(nodes.words, packets, addresses, clock)(p, 1, delivery.rank ?? 0);
  return combineDigest(nodes, "deliveries");
}

const HEADER = ["PORTS", "SEQ", "ACK", "CONTROL", "WINDOW_TTL_TOS", "LENGTH", "TS_VAL", "TS_ECR"] as const;

Deno.test("any bit of any header word, of the time and of the link changes the digest", () => {
  const seen = new Map([[digestOf({}), "nothing"]]);
  const differs = (what: string, delivery: Delivery) => {
    const digest = digestOf(delivery);
    assertEquals(seen.get(digest), undefined, `${what} has the digest of another delivery`);
    seen.set(digest, what);
  };
  for (let bit = 0; bit < 32; bit++) {
    for (const name of [...HEADER, "SYN_OPTIONS", "CORRUPT"] as const) {
      // (An extra row is looked into only where there is one: bit 19 of CONTROL tells how.)
      differs(`bit ${bit} of ${name}`, { words: { [PACKET[name]]: 1 << bit } });
    }
  }
  for (let bit = 0; bit < 50; bit++) differs(`time bit ${bit}`, { timeNs: 2 ** bit });
  for (let bit = 0; bit < 24; bit++) differs(`rank bit ${bit}`, { rank: 1 << bit });
  differs("another source", { source: "10.0.0.3" });
  differs("another destination", { destination: "10.0.0.3" });
  differs("both addresses exchanged", { source: "10.0.0.2", destination: "10.0.0.1" });
  differs("an IPv6 source", { source: "2001:db8::1" });
});

Deno.test("every real payload byte counts", () => {
  const payload = new Uint8Array(40).map((_, i) => i);
  const expected = digestOf({ payload });
  for (let i = 0; i < payload.length; i++) assertNotEquals(digestOf({ payload: payload.with(i, 200) }), expected);
});

Deno.test("neither the packet's row nor the addresses' ids count", () => {
  const delivery = { timeNs: 5, rank: 3, words: { [PACKET.SEQ]: 77 } };
  assertEquals(digestOf({ ...delivery, skip: 100 }), digestOf(delivery));
});
