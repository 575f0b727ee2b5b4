/**
 * What the stores cost: event queue, timer wheel, tuple table, routes.
 *
 * @module
 */
import { AddressTable, parsePrefix } from "../src/base/address.ts";
import { RouteTables } from "../src/node/routes.ts";
import { EventQueue } from "../src/store/event_queue.ts";
import { RefList, TimerWheel } from "../src/store/timer_wheel.ts";
import { hashTuple, probeStart, TupleTable } from "../src/store/tuple_table.ts";
import type { Task } from "./bench.ts";

let seed = 1;

/** A pseudo-random integer from 0 to 2^24 - 1. */
function draw(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
  return seed >>> 8;
}

/** Delays as packets have them: mostly around a few milliseconds, `spreadNs` wide. */
function delayTable(spreadNs: number): Float64Array {
  return Float64Array.from({ length: 65536 }, () => 1000 + Math.floor((draw() / 2 ** 24) * spreadNs));
}

/** The hold model: pop an event, push another; the number pending stays. */
function hold(pending: number, spreadNs: number): Task {
  const operations = 200_000;
  return {
    name: `event queue: push + pop, ${pending} pending over ${spreadNs / 1e6} ms`,
    operations,
    prepare() {
      const keys = Int32Array.from({ length: pending }, draw);
      const queue = new EventQueue({ compareTies: (a, b) => keys[a] - keys[b], capacity: pending * 2 });
      const delays = delayTable(spreadNs);
      for (let ref = 0; ref < pending; ref++) queue.push(delays[ref & 65535] + ref % 1000, ref);
      let i = 0;
      return () => {
        for (let n = 0; n < operations; n++) {
          const ref = queue.pop();
          queue.push(queue.nowNs + delays[i++ & 65535], ref);
        }
      };
    },
  };
}

function burst(count: number): Task {
  return {
    name: `event queue: ${count} events at one instant`,
    operations: count,
    prepare() {
      const keys = Int32Array.from({ length: count }, draw);
      const queue = new EventQueue({ compareTies: (a, b) => keys[a] - keys[b], capacity: count });
      return () => {
        const at = queue.nowNs + 1e9;
        for (let ref = 0; ref < count; ref++) queue.push(at, ref);
        while (queue.pop() >= 0);
      };
    },
  };
}

/** Timers as connections use them: armed and cancelled for every exchange, seldom fired. */
function timers(connections: number): Task {
  const perTick = 1000;
  const ticks = 200;
  return {
    name: `timer wheel: arm and cancel, ${connections} connections`,
    operations: perTick * ticks,
    prepare() {
      const wheel = new TimerWheel({ capacity: connections * 2 });
      const deadlines = new Int32Array(connections * 2);
      const due = new RefList();
      let tick = 0;
      const arm = (connection: number, at: number): void => {
        deadlines[2 * connection] = at;
        const queuedAt = deadlines[2 * connection + 1];
        if (queuedAt === 0 || queuedAt > at) {
          deadlines[2 * connection + 1] = at;
          wheel.push(at, connection);
        }
      };
      return () => {
        for (let n = 0; n < ticks; n++) {
          tick++;
          while (wheel.nextTick() <= tick) {
            due.count = 0;
            wheel.advance(wheel.nextTick(), due);
            for (let i = 0; i < due.count; i++) {
              const connection = due.items[i];
              if (deadlines[2 * connection + 1] !== wheel.currentTick) continue;
              deadlines[2 * connection + 1] = 0;
              if (deadlines[2 * connection] > wheel.currentTick) arm(connection, deadlines[2 * connection]);
            }
          }
          for (let i = 0; i < perTick; i++) {
            const connection = draw() % connections;
            arm(connection, tick + 200 + (i & 63));
            deadlines[2 * connection] = 0;
          }
        }
      };
    },
  };
}

function fire(count: number): Task {
  return {
    name: `timer wheel: push and fire, ${count} entries`,
    operations: count,
    prepare() {
      const wheel = new TimerWheel({ capacity: count });
      const due = new RefList();
      return () => {
        const now = wheel.currentTick;
        for (let ref = 0; ref < count; ref++) wheel.push(now + 1 + draw() % 60_000, ref);
        while (wheel.size > 0) {
          due.count = 0;
          wheel.advance(wheel.nextTick(), due);
        }
      };
    },
  };
}

/** A table whose values are rows of a record array that holds the key, as connections are. */
function tuples(count: number): Task[] {
  const operations = 100_000;
  let rows: Int32Array;
  let table: TupleTable;
  const make = (): void => {
    if (rows !== undefined) return;
    rows = new Int32Array((count + 1) * 16);
    table = new TupleTable({ capacity: count + 1 });
    for (let row = 1; row <= count; row++) {
      rows.set([256, 512 + row % 5000, (443 << 16) | (1024 + (row / 5000 | 0)), 1], row * 16);
      table.insert(hashOf(row), row);
    }
  };
  const hashOf = (row: number): number =>
    hashTuple(rows[row * 16 + 3], rows[row * 16], rows[row * 16 + 1], rows[row * 16 + 2]);
  const find = (host: number, local: number, remote: number, ports: number): number => {
    const hash = hashTuple(host, local, remote, ports);
    const { entries, mask } = table;
    for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
      const row = entries[at + 1];
      if (row === 0) return 0;
      if (
        entries[at] === hash && rows[row * 16] === local && rows[row * 16 + 1] === remote &&
        rows[row * 16 + 2] === ports && rows[row * 16 + 3] === host
      ) return row;
    }
  };
  return [{
    name: `tuple table: lookup with verification, ${count} rows`,
    operations,
    prepare() {
      make();
      return () => {
        for (let n = 0; n < operations; n++) {
          const row = draw() % count;
          find(1, 256, 512 + row % 5000, (443 << 16) | (1024 + (row / 5000 | 0)));
        }
      };
    },
  }, {
    name: `tuple table: remove + insert, ${count} rows`,
    operations,
    prepare() {
      make();
      return () => {
        for (let n = 0; n < operations; n++) {
          const row = 1 + draw() % count;
          const hash = hashOf(row);
          table.remove(hash, row);
          table.insert(hash, row);
        }
      };
    },
  }];
}

function routes(prefixes: number, family: 4 | 6): Task {
  const operations = 100_000;
  return {
    name: `routes: lookup among ${prefixes} IPv${family} prefixes`,
    operations,
    prepare() {
      const addresses = new AddressTable();
      const tables = new RouteTables(addresses);
      const table = tables.create();
      const ids = new Int32Array(prefixes);
      tables.add(table, parsePrefix(family === 4 ? "0.0.0.0/0" : "::/0"), { link: 0 });
      for (let i = 0; i < prefixes; i++) {
        const [a, b] = [draw() & 255, draw() & 255];
        const text = family === 4 ? `10.${a}.${b}.0` : `2001:db8:${a.toString(16)}:${b.toString(16)}::`;
        tables.add(table, parsePrefix(`${text}/${family === 4 ? 24 : 64}`), { link: i + 1 });
        ids[i] = addresses.intern(`${text}${family === 4 ? "" : "1"}`);
      }
      tables.freeze(table);
      let sum = 0;
      return () => {
        for (let n = 0; n < operations; n++) sum += tables.lookup(table, ids[n % prefixes], n);
        if (sum < 0) throw new Error("A destination has no route.");
      };
    },
  };
}

/** The tasks. */
export function storeBenches(): Task[] {
  return [
    hold(1000, 10e6),
    hold(1_000_000, 100e6),
    hold(1_000_000, 1e9),
    burst(1_000_000),
    timers(10_000),
    timers(1_000_000),
    fire(1_000_000),
    ...tuples(1_000_000),
    routes(3, 4),
    routes(1000, 4),
    routes(1000, 6),
  ];
}
