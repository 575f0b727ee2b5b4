import { assertEquals, assertThrows } from "@std/assert";
import { canonicalText, type PlainValue } from "../../src/base/plain.ts";
import { Network, NetworkError } from "../../src/network/network.ts";
import { mixed } from "./support/networks.ts";

function declared(): Network {
  const network = new Network({ name: "mixed", seed: 3 });
  network.host("idle", { address: "203.0.113.77", maxFiles: Infinity });
  for (const step of mixed()) step(network);
  return network;
}

Deno.test("a network's document, written as text and read again, makes the same run", () => {
  const network = declared();
  const read = Network.fromJSON(JSON.parse(JSON.stringify(network)));
  assertEquals(
    canonicalText(read.toJSON() as unknown as PlainValue),
    canonicalText(network.toJSON() as unknown as PlainValue),
  );
  const [first, second] = [network.build(), read.build()];
  first.run();
  second.run();
  assertEquals([second.digest, second.eventDigest], [first.digest, first.eventDigest]);
});

Deno.test("canonical text does not depend on the order of keys, nor on what is undefined, and keeps Infinity", () => {
  const text = canonicalText({ b: [Infinity, { d: 1, c: NaN }], a: 2 });
  assertEquals(text, '{"a":2,"b":[{"not-finite":"Infinity"},{"c":{"not-finite":"NaN"},"d":1}]}');
  assertEquals(canonicalText({ a: 2, x: undefined, b: [Infinity, { c: NaN, d: 1 }] } as unknown as PlainValue), text);
});

Deno.test("what is no declaration is refused", () => {
  const document = declared().toJSON();
  assertThrows(() => Network.fromJSON({ ...document, links: 3 as never }), NetworkError, "a list of links");
  const twice = { ...document, nodes: [...document.nodes, document.nodes[0]] };
  assertThrows(() => Network.fromJSON(twice), NetworkError, "Two nodes are called");
});
