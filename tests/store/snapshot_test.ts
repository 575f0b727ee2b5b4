import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { AddressTable } from "../../src/base/address.ts";
import { InputError } from "../../src/base/errors.ts";
import type { PlainValue, Stateful, StateVisitor } from "../../src/base/state.ts";
import { EventQueue } from "../../src/store/event_queue.ts";
import { ByteRing } from "../../src/store/ring.ts";
import { RowPool } from "../../src/store/rows.ts";
import { readSnapshotHeader, restoreSnapshot, takeSnapshot } from "../../src/store/snapshot.ts";
import { RefList, TimerWheel } from "../../src/store/timer_wheel.ts";
import { TupleTable } from "../../src/store/tuple_table.ts";

/** What a snapshot of `from` makes of `to`. */
function transfer<T extends Stateful>(from: T, to: T): T {
  restoreSnapshot(takeSnapshot({}, from), to);
  return to;
}

Deno.test("a header comes back as it was given", () => {
  const header = { version: "0.1.0", nodes: [{ name: "ä", count: 3 }] };
  const nothing = { visitState: () => {} };
  assertEquals(readSnapshotHeader(takeSnapshot(header, nothing)), header);
});

Deno.test("plain values keep Infinity and NaN, columns their length and their zeros", () => {
  class Things implements Stateful {
    plain: PlainValue = { a: Infinity, b: [NaN, -Infinity, null, true, "x"] };
    bytes = Uint8Array.of(1, 2, 3, 0, 0);
    doubles = Float64Array.of(0.1, -0, 1e300);
    visitState(v: StateVisitor): void {
      v.section("things");
      this.plain = v.plain(this.plain);
      this.bytes = v.column(this.bytes, 3);
      v.inPlace(this.doubles);
    }
  }
  const to = new Things();
  to.plain = null;
  to.bytes = new Uint8Array(1);
  to.doubles.fill(7);
  assertEquals(transfer(new Things(), to), new Things());
});

Deno.test("a pool of rows goes on allocating and releasing as if nothing had happened", () => {
  fc.assert(fc.property(fc.array(fc.boolean()), fc.array(fc.boolean()), (before, after) => {
    const rows: number[] = [];
    const act = (pool: RowPool, mine: number[], give: boolean) => {
      if (give) {
        const row = pool.allocate();
        pool.words[row * 4 + 1] = row;
        mine.push(row);
      } else if (mine.length > 0) pool.release(mine.shift()!);
    };
    const pool = new RowPool({ strideWords: 4, capacity: 4 });
    for (const give of before) act(pool, rows, give);
    const twin = transfer(pool, new RowPool({ strideWords: 4, capacity: 16 }));
    const twinRows = [...rows];
    for (const give of after) {
      act(pool, rows, give);
      act(twin, twinRows, give);
    }
    assertEquals(twinRows, rows);
    assertEquals([twin.inUse, twin.peak, twin.end, twin.capacity], [pool.inUse, pool.peak, pool.end, pool.capacity]);
    assertEquals(twin.words, pool.words);
  }));
});

Deno.test("an event queue pops the rest in the same order, rounds of the instant included", () => {
  const push = fc.record({ delayNs: fc.oneof(fc.nat(3), fc.nat(100_000), fc.nat(1e13)), pops: fc.nat(2) });
  fc.assert(fc.property(fc.array(push), fc.array(push), (before, after) => {
    const compareTies = (a: number, b: number) => (a * 7919) % 1009 - (b * 7919) % 1009 || a - b;
    const queue = new EventQueue({ compareTies, capacity: 64 });
    let ref = 0;
    const act = (q: EventQueue, { delayNs, pops }: { delayNs: number; pops: number }, r: number) => {
      q.push(q.nowNs + delayNs, r);
      const seen: number[] = [];
      for (let i = 0; i < pops; i++) seen.push(q.pop(), q.nowNs);
      return seen;
    };
    for (const step of before) act(queue, step, ref++);
    const twin = new EventQueue({ compareTies });
    const state = (q: EventQueue): Stateful => ({
      visitState(v) {
        v.inPlace(q.clock);
        q.visitState(v);
      },
    });
    restoreSnapshot(takeSnapshot({}, state(queue)), state(twin));
    for (const step of after) assertEquals(act(twin, step, ref), act(queue, step, ref++));
    while (queue.size > 0) assertEquals([twin.pop(), twin.nowNs], [queue.pop(), queue.nowNs]);
    assertEquals(twin.size, 0);
  }));
});

Deno.test("a timer wheel fires the rest at the same ticks", () => {
  const ticks = fc.array(fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 2 ** 30 })));
  fc.assert(fc.property(ticks, ticks, (before, after) => {
    const wheel = new TimerWheel({ capacity: 64 });
    for (const [i, tick] of before.entries()) wheel.push(tick, i);
    const due = new RefList();
    const advance = (w: TimerWheel) => {
      due.count = 0;
      w.advance(w.nextTick(), due);
      return [w.currentTick, ...due.items.subarray(0, due.count).toSorted()];
    };
    for (let i = 0; i < 3 && wheel.size > 0; i++) advance(wheel);
    const twin = transfer(wheel, new TimerWheel());
    for (const [i, tick] of after.entries()) {
      twin.push(wheel.currentTick + tick, 1000 + i);
      wheel.push(wheel.currentTick + tick, 1000 + i);
    }
    while (wheel.size > 0) assertEquals(advance(twin), advance(wheel));
    assertEquals(twin.size, 0);
  }));
});

Deno.test("a tuple table, a ring and an address table hold what they held", () => {
  const table = new TupleTable({ capacity: 4 });
  for (let i = 1; i < 100; i++) table.insert(i % 13, i);
  const twin = transfer(table, new TupleTable());
  for (let i = 1; i < 100; i++) assert(twin.remove(i % 13, i));
  assertEquals(twin.size, 0);

  const ring = new ByteRing(1e12);
  ring.write(new Uint8Array(300).fill(5));
  ring.release(1e12 + 200);
  const copy = new Uint8Array(100);
  transfer(ring, new ByteRing()).copy(1e12 + 200, 100, copy, 0);
  assertEquals(copy, new Uint8Array(100).fill(5));

  const addresses = new AddressTable();
  const range = addresses.internRange("10.0.0.250", 300);
  const met = addresses.internCounted("2001:db8::7");
  const same = transfer(addresses, new AddressTable());
  assertEquals(same.lookup("10.0.1.5"), range + 11);
  assertEquals(same.toText(met), "2001:db8::7");
  same.release(met);
  assertEquals(same.lookup("2001:db8::7"), 0);
});

Deno.test("a snapshot of another structure, or a damaged one, is refused in a sentence", () => {
  const named = (name: string): Stateful => ({ visitState: (v) => v.section(name) });
  assertThrows(() => restoreSnapshot(takeSnapshot({}, named("a")), named("b")), InputError, 'has "a" where');
  const pool = new RowPool({ strideWords: 4 });
  for (let i = 0; i < 9; i++) pool.words[pool.allocate() * 4] = i;
  const good = takeSnapshot({ some: "header" }, pool);
  for (let length = 0; length < good.length; length++) {
    assertThrows(() => restoreSnapshot(good.slice(0, length), new RowPool({ strideWords: 4 })), InputError);
  }
  fc.assert(fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
    const bad = good.slice();
    bad[at] = value;
    try {
      restoreSnapshot(bad, new RowPool({ strideWords: 4 }));
    } catch (error) {
      assert(error instanceof InputError, `${error}`);
    }
  }));
});
