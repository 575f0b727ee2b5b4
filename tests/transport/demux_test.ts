import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ERRNO } from "../../src/base/errors.ts";
import { RowPool } from "../../src/store/rows.ts";
import { Demux, TUPLE_KIND } from "../../src/transport/demux.ts";
import { makeTupleRow } from "./port_world.ts";

function pools(): RowPool[] {
  return [new RowPool({ strideWords: 16 }), new RowPool({ strideWords: 8 }), new RowPool({ strideWords: 4 })];
}

Deno.test("a tuple is found by all of its parts and by the host, whatever the kind of its row", () => {
  const demux = new Demux({ pools: pools() });
  for (const kind of Object.values(TUPLE_KIND)) {
    const ports = (40000 + kind) << 16 | 80;
    const value = makeTupleRow(demux, kind, 1, 256, 512, ports);
    assertEquals(demux.find(1, 256, 512, ports), 0);
    demux.insert(1, 256, 512, ports, value);
    assertEquals(demux.find(1, 256, 512, ports), value);
    assertEquals(demux.find(2, 256, 512, ports), 0);
    assertEquals(demux.find(1, 257, 512, ports), 0);
    assertEquals(demux.find(1, 256, 513, ports), 0);
    assertEquals(demux.find(1, 256, 512, ports + 1), 0);
  }
  assertEquals(demux.size, 3);
});

Deno.test("a TIME-WAIT row takes a connection's place without moving the tuple", () => {
  const demux = new Demux({ pools: pools() });
  const ports = 0xffff << 16 | 443;
  const connection = makeTupleRow(demux, TUPLE_KIND.CONNECTION, 9, 1, 2, ports);
  demux.insert(9, 1, 2, ports, connection);
  const waiting = makeTupleRow(demux, TUPLE_KIND.TIME_WAIT, 9, 1, 2, ports);
  demux.replace(9, 1, 2, ports, connection, waiting);
  assertEquals(demux.find(9, 1, 2, ports), waiting);
  demux.remove(9, 1, 2, ports, waiting);
  assertEquals(demux.find(9, 1, 2, ports), 0);
  assertEquals(demux.size, 0);
});

Deno.test("the table agrees with a map of strings under any sequence of insertions and removals", () => {
  const step = fc.record({ host: fc.nat(3), local: fc.nat(2), remote: fc.nat(3), port: fc.nat(6), kind: fc.nat(2) });
  fc.assert(fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const demux = new Demux({ pools: pools(), capacity: 8 });
    const model = new Map<string, number>();
    for (const { host, local, remote, port, kind } of steps) {
      const ports = (60000 + port) << 16 | 80;
      const key = `${host} ${local} ${remote} ${ports}`;
      const known = model.get(key);
      assertEquals(demux.find(host, local, remote, ports), known ?? 0);
      if (known === undefined) {
        const value = makeTupleRow(demux, kind, host, local, remote, ports);
        demux.insert(host, local, remote, ports, value);
        model.set(key, value);
      } else {
        demux.remove(host, local, remote, ports, known);
        demux.poolOf(known & 3).release(known >>> 2);
        model.delete(key);
      }
      assertEquals(demux.size, model.size);
    }
  }));
});

Deno.test("a listener on every address takes what no listener on one address takes", () => {
  const demux = new Demux({ pools: pools() });
  assertEquals(demux.addListener(1, 0, 80, 5), 0);
  assertEquals(demux.addListener(1, 256, 80, 6, true), 0);
  assertEquals(demux.findListener(1, 256, 80), 6);
  assertEquals(demux.findListener(1, 257, 80), 5);
  assertEquals(demux.findListener(2, 257, 80), 0);
  assertEquals(demux.findListener(1, 257, 81), 0);
  demux.removeListener(1, 0, 80);
  assertEquals(demux.findListener(1, 257, 80), 0);
  assertEquals(demux.findListener(1, 256, 80), 6);
  assert(demux.hasListener(1, 80));
  demux.removeListener(1, 256, 80);
  assert(!demux.hasListener(1, 80));
  assertEquals(demux.listenerCount, 0);
});

Deno.test("as on Linux, a listener on every address and one on a particular address exclude each other", () => {
  const demux = new Demux({ pools: pools() });
  assertEquals(demux.addListener(1, 0, 80, 5), 0);
  assertEquals(demux.addListener(1, 0, 80, 6), -ERRNO.EADDRINUSE);
  assertEquals(demux.addListener(1, 256, 80, 6), -ERRNO.EADDRINUSE);
  assertEquals(demux.addListener(2, 0, 80, 6), 0);
  assertEquals(demux.addListener(1, 256, 81, 7), 0);
  assertEquals(demux.addListener(1, 257, 81, 8), 0);
  assertEquals(demux.addListener(1, 0, 81, 9), -ERRNO.EADDRINUSE);
  demux.removeListener(1, 256, 81);
  demux.removeListener(1, 257, 81);
  assertEquals(demux.addListener(1, 0, 81, 9), 0);
});
