import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { DnsAnswers } from "../../src/app/dns_answers.ts";
import { DNS_KIND, DnsCache } from "../../src/app/dns_cache.ts";
import { DnsNames } from "../../src/app/dns_names.ts";

const { A, AAAA, CNAME, NO_NAME } = DNS_KIND;

Deno.test("a list of addresses comes out as it went in, whatever its length", () => {
  const answers = new DnsAnswers();
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 2 ** 31 - 1 }), { maxLength: 60 }), (addresses) => {
      const list = answers.intern(addresses);
      assertEquals(answers.list(list), addresses);
      assertEquals(answers.count(list), addresses.length);
      answers.release(list);
      assertEquals(answers.inUse, 0);
    }),
  );
});

Deno.test("equal lists are one, and go with their last holder", () => {
  const answers = new DnsAnswers();
  const first = answers.intern([7, 8, 9]);
  assertEquals(answers.intern([7, 8, 9]), first);
  assert(answers.intern([8, 9, 7]) !== first);
  answers.retain(first);
  for (let holders = 3; holders > 1; holders--) {
    answers.release(first);
    assertEquals(answers.list(first), [7, 8, 9]);
  }
  answers.release(first);
  assertEquals(answers.inUse, 1);
});

Deno.test("a cache does what a map of expiring entries does, and keeps no list that nobody can ask for", () => {
  const step = fc.record({
    node: fc.integer({ min: 1, max: 40 }),
    name: fc.integer({ min: 1, max: 4 }),
    kind: fc.constantFrom(A, AAAA, CNAME, NO_NAME),
    ttlMs: fc.integer({ min: 1, max: 500 }),
    passesMs: fc.integer({ min: 0, max: 60 }),
    what: fc.integer({ min: 0, max: 4 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const answers = new DnsAnswers();
      const cache = new DnsCache(answers);
      const model = new Map<string, { expiresMs: number; value: string }>();
      let nowMs = 0;
      const shown = (kind: number, value: number) =>
        value > 0 && (kind === A || kind === AAAA) ? answers.list(value).join() : `${value}`;
      for (const { node, name, kind, ttlMs, passesMs, what } of steps) {
        nowMs += passesMs;
        const key = `${node} ${name} ${kind}`;
        const known = model.get(key);
        const found = cache.get(node, name, kind, nowMs);
        assertEquals(
          found === 0 ? undefined : shown(kind, found),
          known && known.expiresMs > nowMs ? known.value : undefined,
        );
        const isList = (kind === A || kind === AAAA) && what > 0;
        const value = isList ? answers.intern([what, what + 1]) : kind === CNAME ? what + 1 : -1;
        cache.set(node, name, kind, nowMs, nowMs + ttlMs, value);
        model.set(key, { expiresMs: nowMs + ttlMs, value: shown(kind, value) });
        if (isList) answers.release(value);
      }
      // Everything is over: the next growth drops it.
      for (let node = 1000; cache.size > 0 && node < 3000; node++) {
        cache.set(node, 1, NO_NAME, nowMs + 1000, nowMs + 2000, -1);
      }
      assertEquals(answers.inUse, 0);
    }),
    { numRuns: 60 },
  );
});

Deno.test("what is over does not make the table grow", () => {
  const cache = new DnsCache(new DnsAnswers());
  for (let i = 0; i < 100_000; i++) cache.set(i + 1, 1, NO_NAME, i, i + 10, -1);
  assert(cache.bytes <= 16 * 64, `${cache.bytes}`);
});

Deno.test("a million clients' caches take 50 bytes each at most", () => {
  const answers = new DnsAnswers();
  const cache = new DnsCache(answers);
  const orders = [[1, 2, 3, 4, 5], [2, 3, 4, 5, 1], [3, 4, 5, 1, 2]].map((order) => answers.intern(order));
  for (let node = 1; node <= 1_000_000; node++) cache.set(node, 1, A, 0, 1000, orders[node % 3]);
  assert((cache.bytes + answers.bytes) / 1e6 <= 50, `${cache.bytes + answers.bytes}`);
  assertEquals(answers.list(cache.get(777_777, 1, A, 999)), answers.list(orders[777_777 % 3]));
});

Deno.test("names that are equal have one number", () => {
  const names = new DnsNames();
  const id = names.idOf("WWW.Example.com.");
  assertEquals([names.idOf("www.example.COM"), names.textOf(id)], [id, "www.example.com"]);
  assert(names.idOf("example.com") !== id);
});
