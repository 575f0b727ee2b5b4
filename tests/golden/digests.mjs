// Runs networks and prints their digests: a line of JSON for a list of them. Plain JavaScript, so that Node runs it too.
//
//   node digests.mjs FOURTUPLE NETWORKS     FOURTUPLE: mod.ts, or a bundle of it; NETWORKS: a file of JSON
import { readFileSync } from "node:fs";
import process from "node:process";

const [fourtuple, networks] = process.argv.slice(2);
const { Network } = await import(fourtuple);
const digests = JSON.parse(readFileSync(networks, "utf8")).map(({ document, untilNs }) => {
  const simulation = Network.fromJSON(document).build();
  simulation.run({ untilNs });
  return `${simulation.digest} ${simulation.eventDigest} ${simulation.nowNs}`;
});
console.log(JSON.stringify(digests));
