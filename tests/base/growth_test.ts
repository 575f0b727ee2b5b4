import { assertEquals, assertThrows } from "@std/assert";
import { Samples } from "../../src/app/samples.ts";
import { ConnectionStats } from "../../src/app/stats.ts";
import { AddressTable } from "../../src/base/address_table.ts";
import { askFrom, grown, lengthened, OutOfMemory } from "../../src/base/growth.ts";
import { useMemorySource } from "../../src/base/machine.ts";
import { EventHeap } from "../../src/store/event_heap.ts";
import { EventQueue } from "../../src/store/event_queue.ts";
import { RadixSorter } from "../../src/store/radix_sort.ts";
import { ByteRing } from "../../src/store/ring.ts";
import { RowPool } from "../../src/store/rows.ts";
import { TieSorter } from "../../src/store/tie_sort.ts";
import { RefList, TimerWheel } from "../../src/store/timer_wheel.ts";
import { hashTuple, TupleTable } from "../../src/store/tuple_table.ts";
import { KeyTable } from "../../src/transport/key_table.ts";

/** With `roomBytes` left on the machine, and copies from `fromBytes` on asked for. */
function withRoom<T>(roomBytes: number, fromBytes: number | undefined, action: () => T): T {
  useMemorySource({ availableBytes: () => roomBytes });
  askFrom(fromBytes);
  try {
    return action();
  } finally {
    useMemorySource();
    askFrom();
  }
}

Deno.test("a copy of less than 64 MB is made without asking how much memory there is", () => {
  const copy = withRoom(0, undefined, () => lengthened(Int32Array.of(1, 2), 4));
  assertEquals([...copy], [1, 2, 0, 0]);
});

Deno.test("a table whose copy does not fit beside it does not grow: one sentence, and nothing is made", () => {
  let made = 0;
  const error = assertThrows(() => withRoom(70e6, undefined, () => grown(100e6, () => made++)), OutOfMemory);
  assertEquals(
    error.message,
    "The run has outgrown the memory: a table that is full would take 100 MB more to grow, and there are 70 MB. " +
      "Fewer connections at the same time, or fewer packets under way, would fit.",
  );
  assertEquals([error.neededBytes, error.roomBytes, made], [100e6, 70e6, 0]);
});

Deno.test("a table whose copy fits grows", () => {
  assertEquals(withRoom(100e6, undefined, () => grown(100e6, () => 1)), 1);
});

Deno.test("an array that the system does not give is the same sentence", () => {
  const error = assertThrows(() => grown(100, () => new Int32Array(2 ** 53 - 1)), OutOfMemory);
  assertEquals(error.roomBytes, undefined);
});

const many = Array.from({ length: 100_000 }, (_, i) => i + 1);

/** Fills a table until it has to grow. */
const TABLES: [string, () => () => void][] = [
  ["rows", () => {
    const pool = new RowPool({ strideWords: 4, capacity: 4 });
    return () => many.forEach(() => pool.allocate());
  }],
  ["the four-tuple table", () => {
    const table = new TupleTable({ capacity: 4 });
    return () => many.forEach((i) => table.insert(hashTuple(i, 0, 0, 0), i));
  }],
  ["the table of keys", () => {
    const table = new KeyTable();
    return () => many.forEach((i) => table.set(i, 0, 0, 1));
  }],
  ["addresses", () => {
    const table = new AddressTable({ blocks: 2 });
    return () => many.forEach((i) => table.intern(`10.${i % 200}.${i >> 9}.1`));
  }],
  ["the event queue's slots", () => {
    const queue = new EventQueue({ compareTies: (a, b) => a - b, capacity: 64 });
    return () => many.forEach((i) => queue.push(i * 5000, i));
  }],
  ["the event queue's current round", () => {
    const queue = new EventQueue({ compareTies: (a, b) => a - b });
    return () => many.forEach((i) => queue.push(0, i));
  }],
  ["the heap of late events", () => {
    const heap = new EventHeap((a, b) => a - b);
    return () => many.forEach((i) => heap.push(i, i));
  }],
  ["the timer wheel", () => {
    const wheel = new TimerWheel({ capacity: 64 });
    return () => many.forEach((i) => wheel.push(i, i));
  }],
  ["a list of due timers", () => {
    const list = new RefList();
    return () => many.forEach((i) => list.push(i));
  }],
  ["scratch space of sorting", () => {
    const [keys, refs] = [Int32Array.from(many), Int32Array.from(many)];
    return () => new RadixSorter(20).sort(keys, refs, many.length);
  }],
  ["scratch space of ties", () => {
    const refs = Int32Array.from(many);
    return () => new TieSorter().sort(refs, 0, many.length, (a, b) => b - a);
  }],
  ["a stream's bytes", () => {
    const ring = new ByteRing();
    ring.write(new Uint8Array(200));
    return () => ring.write(new Uint8Array(200));
  }],
  ["times to connect", () => {
    const stats = new ConnectionStats();
    return () => many.forEach((i) => stats.recordEstablished(i, false));
  }],
  ["samples", () => {
    const samples = new Samples();
    return () => many.forEach((i) => samples.push(i));
  }],
];

for (const [name, make] of TABLES) {
  Deno.test(`${name}: growth asks whether it fits`, () => {
    const fill = make();
    assertThrows(() => withRoom(100, 101, fill), OutOfMemory);
  });
}
