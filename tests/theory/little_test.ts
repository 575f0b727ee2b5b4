import { holdsLittle } from "./little.ts";

Deno.test("Little's law: connections, half-open ones, TIME-WAIT, NAT sessions and ports at rest", () => {
  holdsLittle({ seed: 1, perSecond: 50, holdSeconds: 10, timeWaitSeconds: 20, closingSeconds: 30, rttMs: 200 });
  holdsLittle({
    seed: 2,
    perSecond: 120,
    holdSeconds: 4,
    distribution: "pareto",
    timeWaitSeconds: 7,
    closingSeconds: 12,
    holdDownSeconds: 9,
    rttMs: 60,
  });
});
