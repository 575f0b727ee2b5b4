/** A module that registers a congestion control when it is imported. */
import { registerCongestionControl } from "../../../mod.ts";

registerCongestionControl({
  name: "test-steady",
  onAck(flow, acked) {
    if (flow.cwnd < 8) flow.cwnd += acked;
  },
  ssthreshAfterLoss: () => 4,
});
