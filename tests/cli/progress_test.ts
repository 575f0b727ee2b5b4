import { assertEquals } from "@std/assert";
import { progressText, shareDone } from "../../src/cli/progress.ts";

const state = { nowNs: 1_250_000_000, established: 28232, open: 28000, packets: 100000 };

Deno.test("the progress line tells simulated time, connections, packets a second and what is left", () => {
  assertEquals(
    progressText(state, 1_234_567, 12.4),
    "t = 1.25 s | 28,232 established, 28,000 open | 1.2 M packets/s | ETA 12 s",
  );
  assertEquals(
    progressText(state, 45_600, 125),
    "t = 1.25 s | 28,232 established, 28,000 open | 46 k packets/s | ETA 2 min 05 s",
  );
  assertEquals(
    progressText(state, 456, 7500),
    "t = 1.25 s | 28,232 established, 28,000 open | 456 packets/s | ETA 2 h 05 min",
  );
});

Deno.test("without a goal there is no ETA", () => {
  assertEquals(shareDone(state, {}), undefined);
  assertEquals(
    progressText(state, 0),
    "t = 1.25 s | 28,232 established, 28,000 open | 0 packets/s",
  );
});

Deno.test("the share done follows the goal that is nearer", () => {
  assertEquals(shareDone(state, { endNs: 2.5e9 }), 0.5);
  assertEquals(shareDone(state, { connections: 28232 * 4 }), 0.25);
  assertEquals(shareDone(state, { endNs: 2.5e9, connections: 28232 * 4 }), 0.5);
  assertEquals(shareDone(state, { endNs: 1e9 }), 1);
});
