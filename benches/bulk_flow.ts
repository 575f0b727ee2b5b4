/**
 * One flow between two hosts over one link of 1 Gbit/s, 10 ms there and back: what ns-3 is held against.
 *
 * @module
 */
import { Network, type Simulation } from "../mod.ts";

/** As long as keeps the link busy when CUBIC shrinks its window to 0.7: longer queues cost ns-3 time, and win nothing. */
const QUEUE_PACKETS = 400;

/** A flow of so many bytes (CUBIC, SACK, segments of 1,448 bytes), of whose packets a share is lost. */
export function bulkFlow(loss: number, bytes: number): Simulation {
  const network = new Network({ seed: 1 });
  network.host("sender", { address: "10.0.0.1/24" });
  network.host("receiver", { address: "10.0.0.2/24", listen: [{ port: 80 }] });
  network.link("sender", "receiver", {
    rateBps: 1e9,
    delayNs: 5e6,
    queuePackets: QUEUE_PACKETS,
    loss,
    reverse: { loss: 0 },
  });
  network.workload({ name: "bulk", kind: "bulk", from: ["sender"], to: ["receiver:80"], connections: 1, bytes });
  return network.build();
}
