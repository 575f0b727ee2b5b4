/**
 * What the NAT costs: translating packets of known sessions, opening sessions, and finding a port in a pool that is 50%,
 * 99% and 99.99% full.
 *
 * @module
 */
import { AddressTable } from "../src/base/address.ts";
import { NAT_VERDICT, type NatProfileOptions, NatTables, translateInbound, translateOutbound } from "../src/nat/nat.ts";
import { SESSION } from "../src/nat/layout.ts";
import { removeSession } from "../src/nat/session.ts";
import { CONTROL, PACKET, PacketPool, PROTOCOL, TCP_FLAG } from "../src/wire/packet.ts";
import type { Task } from "./bench.ts";

const POOL_ADDRESSES = 16;
const CAPACITY = POOL_ADDRESSES * 64_512;
const CLIENTS = 1000;
const SERVER_PORT = 443;

let seed = 1;

/** A pseudo-random integer from 0 to `below` - 1. */
function draw(below: number): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
  return Math.floor(((seed >>> 0) / 2 ** 32) * below);
}

/** The other pool: as many ports (towards one destination), on many addresses. */
const MANY_ADDRESSES = 4096;
const MANY: NatProfileOptions = { portLow: 2000, portHigh: 1999 + CAPACITY / MANY_ADDRESSES };

/** A gateway with a thousand clients, and one packet that is written anew for every translation. */
class Rig {
  readonly addresses = new AddressTable();
  readonly packets = new PacketPool();
  readonly nat: NatTables;
  readonly gateway: number;
  readonly packet: number;
  readonly clients: number;
  readonly server: number;
  opened = 0;

  constructor(behaviour: NatProfileOptions, externalCount = POOL_ADDRESSES) {
    const externalAddress = this.addresses.internRange("198.18.0.0", externalCount);
    this.clients = this.addresses.internRange("10.0.0.0", CLIENTS);
    this.server = this.addresses.intern("192.0.2.1");
    this.nat = new NatTables({ packets: this.packets, addresses: this.addresses, seed: 1, sessionCapacity: 1_100_000 });
    const pool = { externalAddress, externalCount };
    this.gateway = this.nat.addGateway({ name: "nat", rank: 0, pooling: "arbitrary", ...pool, ...behaviour });
    this.packet = this.packets.allocate();
  }

  /** Writes the packet. */
  write(source: number, destination: number, ports: number, flags: number): void {
    const words = this.packets.rows.words;
    const at = this.packet * PACKET.STRIDE;
    words[at + PACKET.SRC] = source;
    words[at + PACKET.DST] = destination;
    words[at + PACKET.PORTS] = ports;
    words[at + PACKET.CONTROL] = (PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT) | flags;
  }

  /** A SYN of a client from the next port; every client uses its ports in turn. */
  open(): number {
    const i = this.opened++;
    const port = 1024 + (Math.floor(i / CLIENTS) % 60_000);
    this.write(this.clients + (i % CLIENTS), this.server, (port << 16) | SERVER_PORT, TCP_FLAG.SYN);
    const verdict = translateOutbound(this.nat, this.gateway, this.packet);
    this.nat.timerRequestCount = 0;
    return verdict;
  }

  /** A SYN of a client from a port that it has no session from. */
  openAs(client: number): number {
    const i = this.opened++;
    this.write(client, this.server, ((i % 60_000) << 16) | (2000 + Math.floor(i / 60_000) % 60_000), TCP_FLAG.SYN);
    const verdict = translateOutbound(this.nat, this.gateway, this.packet);
    this.nat.timerRequestCount = 0;
    return verdict;
  }

  /** Opens until so many ports are in use. */
  fill(sessions: number): void {
    while (this.opened < sessions) {
      if (this.open() !== NAT_VERDICT.FORWARD) throw new Error(`Refused after ${this.opened} sessions.`);
    }
  }
}

function lookups(name: string, behaviour: NatProfileOptions): Task {
  const operations = 200_000;
  return {
    name: `NAT, ${name}: packet of a known session, out and in, at a million sessions`,
    operations,
    prepare() {
      const rig = new Rig(behaviour);
      rig.fill(1_000_000);
      return () => {
        const words = rig.nat.sessions.words;
        for (let i = 0; i < operations; i += 2) {
          const row = (1 + draw(1_000_000)) * SESSION.STRIDE;
          const external = words[row + SESSION.EXTERNAL];
          const ports = words[row + SESSION.PORTS];
          rig.write(words[row + SESSION.INTERNAL], rig.server, (ports & 0xffff0000) | SERVER_PORT, TCP_FLAG.ACK);
          if (translateOutbound(rig.nat, rig.gateway, rig.packet) !== NAT_VERDICT.FORWARD) throw new Error("out");
          rig.write(rig.server, external, (SERVER_PORT << 16) | (ports & 0xffff), TCP_FLAG.ACK);
          if (translateInbound(rig.nat, rig.gateway, rig.packet) !== NAT_VERDICT.FORWARD) throw new Error("in");
        }
      };
    },
  };
}

function openings(name: string, behaviour: NatProfileOptions): Task {
  const operations = 1_000_000;
  return {
    name: `NAT, ${name}: new session, a million from an empty table`,
    operations,
    prepare() {
      return () => new Rig(behaviour).fill(operations);
    },
  };
}

/** `capacity`: sessions that a full gateway has. A session of a random client ends, and the same client begins another. */
function replacements(
  name: string,
  behaviour: NatProfileOptions,
  share: number,
  capacity = CAPACITY,
  addresses = POOL_ADDRESSES,
): Task {
  const operations = 50_000;
  return {
    name: `NAT, ${name}: a session ends and another begins, pool ${share * 100}% full`,
    operations,
    prepare() {
      const rig = new Rig(behaviour, addresses);
      const sessions = Math.floor(capacity * share);
      rig.fill(sessions);
      return () => {
        const words = rig.nat.sessions.words;
        for (let i = 0; i < operations; i++) {
          const session = 1 + draw(sessions);
          const client = words[session * SESSION.STRIDE + SESSION.INTERNAL];
          removeSession(rig.nat, session);
          if (rig.openAs(client) !== NAT_VERDICT.FORWARD) throw new Error("refused");
        }
      };
    },
  };
}

/** A client is refused a session of a full pool. */
function refusals(name: string, behaviour: NatProfileOptions, addresses = POOL_ADDRESSES): Task {
  const operations = 50_000;
  return {
    name: `NAT, ${name}: a session is refused, pool 100% full`,
    operations,
    prepare() {
      const rig = new Rig(behaviour, addresses);
      rig.fill(CAPACITY);
      // (The first refusal finds out which addresses are full.)
      if (rig.open() !== NAT_VERDICT.DROP_POOL_EMPTY) throw new Error("not full");
      return () => {
        for (let i = 0; i < operations; i++) if (rig.open() !== NAT_VERDICT.DROP_POOL_EMPTY) throw new Error("opened");
      };
    },
  };
}

const EXCLUSIVE: NatProfileOptions = { portAssignment: "random" };
const MAPPED: NatProfileOptions = { portAssignment: "random", mapping: "endpoint-independent" };
const OVERLOADED: NatProfileOptions = { portAssignment: "random", overloading: true };

/** Each client's block. */
const BLOCK = 1024;
const BLOCKS: NatProfileOptions = { portAssignment: "random", blocks: { size: BLOCK } };

/** The tasks. */
export function natBenches(): Task[] {
  const tasks = [
    lookups("exclusive", EXCLUSIVE),
    lookups("mapped", MAPPED),
    lookups("overloaded", OVERLOADED),
    openings("exclusive", EXCLUSIVE),
    openings("exclusive, preserving", {}),
    openings("exclusive, paired", { ...EXCLUSIVE, pooling: "paired" }),
    openings("mapped", MAPPED),
    openings("overloaded", OVERLOADED),
  ];
  for (const [name, behaviour] of [["exclusive", EXCLUSIVE], ["mapped", MAPPED], ["overloaded", OVERLOADED]] as const) {
    tasks.push(refusals(name, behaviour));
    tasks.push(refusals(`${name}, ${MANY_ADDRESSES} addresses`, { ...behaviour, ...MANY }, MANY_ADDRESSES));
  }
  for (const share of [0.5, 0.99, 0.9999]) {
    tasks.push(replacements("exclusive", EXCLUSIVE, share));
    tasks.push(replacements("mapped", MAPPED, share));
    tasks.push(replacements("overloaded, one destination", OVERLOADED, share));
    const many = `${MANY_ADDRESSES} addresses`;
    tasks.push(replacements(`exclusive, ${many}`, { ...EXCLUSIVE, ...MANY }, share, CAPACITY, MANY_ADDRESSES));
    tasks.push(replacements(`overloaded, ${many}`, { ...OVERLOADED, ...MANY }, share, CAPACITY, MANY_ADDRESSES));
    tasks.push(replacements("sequential", { portAssignment: "sequential" }, share));
    tasks.push(replacements("preserving", {}, share));
    tasks.push(replacements("hold-down", { ...EXCLUSIVE, holdDownNs: 120e9, holdDownPorts: 50 }, share));
    tasks.push(replacements("blocks", BLOCKS, share, CLIENTS * BLOCK));
    const held: NatProfileOptions = { ...BLOCKS, holdDownNs: 120e9, holdDownPorts: 1 };
    // (One port of each block is left over for those that rest.)
    tasks.push(replacements("blocks, hold-down", held, share, CLIENTS * (BLOCK - 1)));
  }
  return tasks;
}
