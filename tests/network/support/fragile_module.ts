/** A module of an application for tests whose timers throw, at times of their own on each host. */
import { registerApplication } from "../../../mod.ts";

registerApplication<null, { everyNs: number }>({
  name: "test-fragile",
  start(app) {
    app.setTimeout(app.options.everyNs * (1 + app.index), "thrown");
    app.setTimeout(app.options.everyNs * 10, "last");
  },
  timer(app, value) {
    if (value === "thrown") throw new RangeError(`${app.host} at ${app.nowNs}`);
  },
});
