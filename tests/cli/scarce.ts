/**
 * `simulate` on a machine that runs out of memory as soon as the run has begun: `exhausted` has next to nothing left,
 * `full` nothing for a table that grows.
 *
 * @module
 */
import { askFrom } from "../../src/base/growth.ts";
import { useMemorySource } from "../../src/base/machine.ts";
import { main } from "../../src/cli/simulate.ts";
import { Simulation } from "../../src/network/simulation.ts";

const [how, ...args] = Deno.args;
const run = Simulation.prototype.run;
Simulation.prototype.run = function (options) {
  if (how === "full") askFrom(1);
  useMemorySource({ availableBytes: () => how === "full" ? 0 : 10e6 });
  return run.call(this, options);
};
Deno.exit(await main(args));
