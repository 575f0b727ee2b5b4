/**
 * What an ephemeral port costs: one connection released and one made, at 50, 99 and 99.99% of Linux's default range
 * in use towards one destination, and the refusal when it is full.
 *
 * @module
 */
import { RowPool } from "../src/store/rows.ts";
import { Demux } from "../src/transport/demux.ts";
import { HostTable } from "../src/transport/hosts.ts";
import { PortAllocator } from "../src/transport/ports.ts";
import { makeProfile, PORT_ALLOCATIONS, type PortAllocation } from "../src/transport/profile.ts";
import type { Task } from "./bench.ts";

const [HOST, LOCAL, REMOTE, REMOTE_PORT] = [0, 256, 512, 443];
const OPERATIONS = 100;

/** Fills the range to a share, then releases and connects in random places `OPERATIONS` times a call. */
function churn(portAllocation: PortAllocation, share: number, bitmaps: boolean): () => void {
  const profile = makeProfile({ portAllocation, portScanFallback: true });
  const size = profile.ephemeralPortHigh - profile.ephemeralPortLow + 1;
  const hosts = new HostTable({ seed: 1 });
  hosts.addHost(HOST, { name: "client" });
  const pool = new RowPool({ strideWords: 4, capacity: size + 2 });
  const demux = new Demux({ pools: [pool], capacity: size });
  const ports = new PortAllocator({ seed: 1, hosts, addresses: { word: (id) => id }, demux, bitmaps });
  const rows: number[] = [];
  const connect = (): number => {
    const port = ports.allocate(HOST, profile, LOCAL, REMOTE, REMOTE_PORT);
    if (port < 0) return 0;
    const row = pool.allocate();
    const tuple = port << 16 | REMOTE_PORT;
    pool.words.set([LOCAL, REMOTE, tuple, HOST], row * 4);
    demux.insert(HOST, LOCAL, REMOTE, tuple, row << 2);
    return row;
  };
  while (rows.length < Math.round(size * share)) rows.push(connect());
  let place = 1;
  return () => {
    for (let i = 0; i < OPERATIONS; i++) {
      if (share === 1) {
        connect();
        continue;
      }
      place = (Math.imul(place, 1664525) + 1013904223) >>> 0;
      const at = (place >>> 4) % rows.length;
      demux.remove(HOST, LOCAL, REMOTE, pool.words[rows[at] * 4 + 2], rows[at] << 2);
      pool.release(rows[at]);
      rows[at] = connect();
    }
  };
}

/** The tasks. */
export function portBenches(): Task[] {
  const tasks: Task[] = [];
  for (const portAllocation of PORT_ALLOCATIONS) {
    for (const share of [0.5, 0.99, 0.9999, 1]) {
      for (const bitmaps of [true, false]) {
        tasks.push({
          name: `port, ${portAllocation}, ${share * 100}% full${bitmaps ? "" : ", plain scan"}`,
          operations: OPERATIONS,
          prepare: () => churn(portAllocation, share, bitmaps),
        });
      }
    }
  }
  return tasks;
}
