/** Another process: restores the snapshot that it is given, runs it to the end, and prints its digests. */
import { Simulation } from "../../../mod.ts";

const simulation = await Simulation.restoreWithModules(Deno.readFileSync(Deno.args[0]));
simulation.run();
console.log(simulation.digest, simulation.eventDigest, simulation.nowNs);
