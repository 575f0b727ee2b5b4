/** Waiting at a host's processor against queueing theory (DESIGN section 7). */
import { assert } from "@std/assert";
import { knock, waitOfMd1 } from "./queues.ts";

for (const utilisation of [0.3, 0.5, 0.8, 0.9]) {
  Deno.test(`packets wait for one core as in M/D/1 at a utilisation of ${utilisation}`, () => {
    // Both packets of a knock are one turn of the core: the service time is 2 x 5 us.
    const serviceNs = 10_000;
    const expected = waitOfMd1(utilisation, serviceNs);
    // (Other seeds, and other utilisations, are drawn by tests/full.)
    const found = knock({
      seed: 1,
      cpu: { perPacketNs: serviceNs / 2, queuePackets: 1e6 },
      perSecond: utilisation * 1e9 / serviceNs,
      knocks: 120_000,
    });
    assert(
      Math.abs(found.meanNs - expected) <= found.halfWidthNs,
      `${found.meanNs} +- ${found.halfWidthNs}, not ${expected}`,
    );
    // The interval is worth something.
    assert(found.halfWidthNs < 0.25 * expected, `${found.halfWidthNs} of ${expected}`);
    assert(Math.abs(found.busyShare - utilisation) < 0.02 * utilisation, `busy ${found.busyShare}`);
  });
}

Deno.test("without a place to wait, cores lose packets as Erlang-B says", () => {
  const serviceNs = 10_000;
  for (const [cores, erlangs] of [[1, 0.5], [4, 3], [8, 8]]) {
    let blocking = 1;
    for (let n = 1; n <= cores; n++) blocking = erlangs * blocking / (n + erlangs * blocking);
    const found = knock({
      seed: 3,
      cpu: { cores, perPacketNs: serviceNs / 2, queuePackets: 0 },
      perSecond: erlangs * 1e9 / serviceNs,
      knocks: 100_000,
    });
    const share = found.lost / found.offered;
    // Losses come in runs: three times the deviation of independent ones.
    const tolerance = 9 * Math.sqrt(blocking * (1 - blocking) / found.offered);
    assert(Math.abs(share - blocking) < tolerance, `${cores} cores at ${erlangs}: ${share}, not ${blocking}`);
  }
});

Deno.test("two cores make packets wait as M/D/2 does", () => {
  const serviceNs = 10_000;
  const utilisation = 0.8;
  const found = knock({
    seed: 5,
    cpu: { cores: 2, perPacketNs: serviceNs / 2, queuePackets: 1e6 },
    perSecond: 2 * utilisation * 1e9 / serviceNs,
    knocks: 120_000,
  });
  // M/M/2 waits C(2, 1.6) s / (2 (1 - 0.8)); of that, constant service takes Cosmetatos' share (good to about 1%).
  const exponential = 0.7111 * serviceNs / (2 * (1 - utilisation));
  const share = (1 + (1 - utilisation) * (Math.sqrt(4 + 5 * 2) - 2) / (16 * utilisation * 2)) / 2;
  const expected = share * exponential;
  assert(Math.abs(found.meanNs - expected) < found.halfWidthNs + 0.01 * expected, `${found.meanNs}, not ${expected}`);
});
