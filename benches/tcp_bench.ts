/**
 * What TCP itself costs, without a network: segments of one connection handed from one end to the other.
 *
 * @module
 */
import { AddressTable } from "../src/base/address.ts";
import { accept, connect, listen, receive, segmentIn, send, TCP_EVENT, TcpStack } from "../src/tcp/mod.ts";
import { HostTable } from "../src/transport/hosts.ts";
import { makeProfile, ProfileTable } from "../src/transport/profile.ts";
import { PACKET, PacketPool } from "../src/wire/packet.ts";
import type { Task } from "./bench.ts";

const [A, B] = [1, 2];
const ALL = 2 ** 30;

/** Two hosts, and one established connection between them. */
class Ends {
  readonly stack: TcpStack;
  readonly client: number;
  server = 0;
  /** Segments handed over. */
  segments = 0;
  #nowNs = 1e9;

  constructor() {
    const packets = new PacketPool();
    const addresses = new AddressTable();
    const hosts = new HostTable({ seed: 1 });
    const profiles = new ProfileTable();
    const profile = profiles.add(makeProfile({ congestionControl: "reno" }));
    hosts.addHost(A, { name: "a", rank: 0, profile });
    hosts.addHost(B, { name: "b", rank: 1, profile });
    this.stack = new TcpStack({ packets, addresses, hosts, profiles, seed: 1 });
    const [a, b] = [addresses.intern("192.0.2.1"), addresses.intern("192.0.2.2")];
    this.stack.setNow(this.#nowNs);
    const listener = listen(this.stack, B, 0, 443, { backlog: 10, app: 1 });
    this.client = connect(this.stack, A, a, 0, b, 443, 1);
    this.pump();
    this.server = accept(this.stack, listener);
    if (this.server <= 0) throw new Error("The handshake did not end.");
  }

  /** Hands segments over, 1 ms later each, until none is left; data that comes is read. */
  pump(): void {
    const { stack } = this;
    const rows = stack.packets.rows;
    stack.timerRequestCount = 0;
    while (stack.outCount > 0) {
      this.#nowNs += 1e6;
      stack.setNow(this.#nowNs);
      const out = stack.out.slice(0, stack.outCount);
      stack.outCount = 0;
      for (const p of out) {
        this.segments++;
        segmentIn(stack, rows.words[p * PACKET.STRIDE + PACKET.LINK] === A ? B : A, p);
        stack.packets.release(p);
      }
      for (let i = 0; i < stack.eventCount; i++) {
        if (stack.events[3 * i + 1] === TCP_EVENT.READABLE) receive(stack, stack.events[3 * i], ALL);
      }
      stack.eventCount = 0;
      stack.timerRequestCount = stack.fineTimerRequestCount = 0;
    }
  }
}

/** Both ends in turn, or one of them, send messages of so many bytes. */
function exchange(name: string, bytes: number, bothWays: boolean): Task {
  const messages = 500;
  const run = (ends: Ends) => {
    for (let i = 0; i < messages; i++) {
      send(ends.stack, ends.client, bytes);
      ends.pump();
      if (!bothWays) continue;
      send(ends.stack, ends.server, bytes);
      ends.pump();
    }
  };
  const task: Task = {
    name,
    operations: 0,
    prepare() {
      const ends = new Ends();
      run(ends);
      const before = ends.segments;
      run(ends);
      task.operations = ends.segments - before;
      return () => run(ends);
    },
  };
  return task;
}

/** The tasks. */
export function tcpBenches(): Task[] {
  return [
    exchange("segment processing: 100 B each way in turn, per segment", 100, true),
    exchange("segment processing: bulk, 14,480 B at a time, per segment", 14_480, false),
  ];
}
