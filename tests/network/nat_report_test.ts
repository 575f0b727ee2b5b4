import { assert, assertEquals } from "@std/assert";
import { parseReportPath, readReport } from "../../src/scenario/report_paths.ts";
import { behindNat, workload } from "./support/homes.ts";
import { built } from "./support/networks.ts";

Deno.test("the report tells what gateways logged, a subscriber and day, and expectations can ask for it", () => {
  const simulation = built([
    ...behindNat({ log: "sessions", blocks: { size: 4 } }),
    workload({
      from: ["lan[0..1]"],
      to: ["web:80"],
      connections: 12,
      arrivals: { kind: "rate", perSecond: 1000 },
      holdNs: Infinity,
    }),
  ]);
  simulation.run({ untilNs: 100e9 });
  const report = simulation.report();
  const [nat] = report.nats;
  assertEquals([nat.node, nat.subscribers, nat.sessions, nat.blocks, nat.logRecords], ["gw", 2, 8, 2, 8]);
  // 8 records of 2 subscribers in 100 s: 4 × 864.
  assertEquals([nat.logRecordsPerSubscriberDay, nat.logBytesPerSubscriberDay], [3456, 3456 * 22]);
  const read = (path: string) => readReport(parseReportPath(path, ["gw"]), report);
  assertEquals(read("nats[gw].logBytes"), 8 * 22);
  assertEquals(read("nats[gw].refused.quota"), 0);
  assertEquals(read("nats[gw].refused"), read("nats[gw].refused.block"));
  assert(Number(read("nats[gw].refused.block")) >= 4);
  // The fifth connection of either: the ninth and tenth in all, the first after 8 ms and two links.
  assertEquals(read("nats[gw].firstRefusedSeconds.block"), 0.01);
  assertEquals(read("nats[gw].firstRefusedSeconds.rate"), null);
});
