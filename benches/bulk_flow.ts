/**
 * One flow between two hosts over one link of 1 Gbit/s, 10 ms there and back: what ns-3 is held against.
 *
 * @module
 */
import { Network, type Simulation } from "../mod.ts";

/** A flow of so many bytes (CUBIC, SACK, segments of 1,448 bytes), of whose packets a share is lost. */
export function bulkFlow(loss: number, bytes: number): Simulation {
  const network = new Network({ seed: 1 });
  network.host("sender", { address: "10.0.0.1/24" });
  network.host("receiver", { address: "10.0.0.2/24", listen: [{ port: 80 }] });
  network.link("sender", "receiver", { rateBps: 1e9, delayNs: 5e6, queuePackets: 1000, loss, reverse: { loss: 0 } });
  network.workload({ name: "bulk", kind: "bulk", from: ["sender"], to: ["receiver:80"], connections: 1, bytes });
  return network.build();
}
