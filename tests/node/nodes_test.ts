import { assert, assertEquals } from "@std/assert";
import { NODE, NODE_FLAG, Nodes } from "../../src/node/nodes.ts";

function twoPopulations(): Nodes {
  const limits = { firstAddress6: 0, maxFiles: Infinity, memoryBytes: Infinity, peakFiles: 0 };
  const nodes = new Nodes({
    capacity: 4,
    populations: [
      { name: "clients", count: 3, plural: true, firstRow: 2, firstRank: 0, ...limits },
      { name: "server", count: 1, plural: false, firstRow: 1, firstRank: 3, ...limits },
    ],
  });
  for (const row of [2, 3, 4]) nodes.words[row * NODE.STRIDE + NODE.POPULATION] = 0;
  nodes.words[NODE.STRIDE + NODE.POPULATION] = 1;
  nodes.words[NODE.STRIDE + NODE.ADDRESS] = 77;
  return nodes;
}

Deno.test("members of a population are numbered, a single node is not", () => {
  const nodes = twoPopulations();
  assertEquals([1, 2, 4].map((row) => nodes.nameOf(row)), ["server", "clients[0]", "clients[2]"]);
  assertEquals(nodes.population("clients")?.count, 3);
  assertEquals(nodes.population("nobody"), undefined);
});

Deno.test("a node has its first address, and further ones where they are listed", () => {
  const nodes = twoPopulations();
  assert(nodes.hasAddress(1, 77));
  assert(!nodes.hasAddress(1, 78));
  nodes.extraAddresses.set(1, [77, 78]);
  nodes.words[NODE.STRIDE + NODE.FLAGS] |= NODE_FLAG.MANY_ADDRESSES;
  assert(nodes.hasAddress(1, 78));
  assert(!nodes.hasAddress(1, 79));
});

Deno.test("what belongs to no node comes before every node", () => {
  assertEquals(twoPopulations().rankOf(0), -1);
});

Deno.test("a rank leads back to its row", () => {
  const nodes = twoPopulations();
  assertEquals([0, 2, 3, 4].map((rank) => nodes.rowOfRank(rank)), [2, 4, 1, 0]);
});
