/** Random traffic through a carrier-grade NAT: laws that hold whatever happens. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  blocks,
  gatewayStats,
  type NatProfileOptions,
  type NatSession,
  portsInUse,
  restartGateway,
  sessions,
  subscribers,
} from "../../src/nat/nat.ts";
import { SUBSCRIBER } from "../../src/nat/layout.ts";
import { findSubscriber } from "../../src/nat/find.ts";
import { ACK, FIN, Laboratory, RST, SECOND, SYN } from "./harness.ts";

const HOLD_DOWN_NS = 60 * SECOND;
const names = ["endpoint-independent", "address-dependent", "address-and-port-dependent"] as const;

const profiles: fc.Arbitrary<NatProfileOptions & { externalCount: number }> = fc.record({
  mapping: fc.constantFrom(...names),
  filtering: fc.constantFrom(...names),
  portAssignment: fc.constantFrom("preservation" as const, "sequential" as const, "random" as const),
  pooling: fc.constantFrom("paired" as const, "arbitrary" as const),
  refresh: fc.constantFrom("outbound" as const, "both" as const),
  externalCount: fc.integer({ min: 1, max: 3 }),
  sharing: fc.constantFrom("pool", "blocks", "blocks", "deterministic"),
  size: fc.integer({ min: 1, max: 12 }),
  perSubscriber: fc.integer({ min: 1, max: 3 }),
  ports: fc.integer({ min: 12, max: 90 }),
  held: fc.boolean(),
  quotaSessions: fc.constantFrom(undefined, undefined, 9),
  quotaPorts: fc.constantFrom(undefined, undefined, 7),
  rated: fc.boolean(),
  maxSessions: fc.constantFrom(undefined, undefined, 40),
  overloading: fc.boolean(),
  log: fc.constantFrom("none" as const, "sessions" as const, "blocks" as const),
}).map(({ sharing, size, perSubscriber, ports, held, rated, ...rest }) => ({
  ...rest,
  overloading: rest.overloading && rest.mapping === names[2] && rest.filtering === names[2],
  portLow: 1000,
  portHigh: 999 + ports,
  blocks: sharing === "blocks" ? { size, perSubscriber } : undefined,
  deterministic: sharing === "deterministic" ? { first: 0x0a000000, count: 6 } : undefined,
  holdDownNs: held ? HOLD_DOWN_NS : undefined,
  sessionsPerSecond: rated ? 0.5 : undefined,
  sessionsBurst: rated ? 10 : undefined,
  udpNs: 20 * SECOND,
  tcpTransitoryNs: 15 * SECOND,
  tcpEstablishedNs: 50 * SECOND,
  icmpNs: 10 * SECOND,
}));

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom("out", "out", "burst", "burst", "in", "wait", "wait", "restart"),
    protocol: fc.constantFrom("udp" as const, "udp" as const, "tcp" as const),
    host: fc.integer({ min: 0, max: 6 }),
    port: fc.integer({ min: 990, max: 1060 }),
    remote: fc.integer({ min: 1, max: 3 }),
    flags: fc.constantFrom(SYN, SYN, ACK, FIN | ACK, RST),
    n: fc.integer({ min: 1, max: 40 }),
  }),
  { minLength: 15, maxLength: 50 },
);

/** Whose an external endpoint is: with filtering that lets others in, sessions of other remote endpoints share it. */
function internalEndpoint(s: NatSession): string {
  return `${s.protocol} ${s.internalAddress}:${s.internalPort}`;
}

/** The external endpoint that a mapping has to itself; with overloading, towards one remote endpoint. */
function endpointKey(options: NatProfileOptions, s: NatSession): string {
  const external = `${s.protocol} ${s.externalAddress}:${s.externalPort}`;
  return options.overloading ? `${external} ${s.remoteAddress}:${s.remotePort}` : external;
}

/** Remembers who had which external endpoint until when. */
class Observer {
  readonly last = new Map<string, { who: string; untilNs: number }>();
  constructor(readonly lab: Laboratory, readonly gateway: number, readonly options: NatProfileOptions) {}

  look(): void {
    const { lab, options } = this;
    const live = [...sessions(lab.nat, this.gateway)];
    const owners = new Map<string, { who: string; untilNs: number }>();
    for (const session of live) {
      const endpoint = endpointKey(options, session);
      const who = internalEndpoint(session);
      const owner = owners.get(endpoint);
      assert(owner === undefined || owner.who === who, `${endpoint} serves ${owner?.who} and ${who}`);
      owners.set(endpoint, { who, untilNs: Math.max(owner?.untilNs ?? 0, session.expiresNs) });
      const before = this.last.get(endpoint);
      if (before !== undefined && before.who !== who && options.holdDownNs !== undefined) {
        assert(lab.nowNs >= before.untilNs + HOLD_DOWN_NS, `${endpoint} has not rested: ${who} at ${lab.nowNs}`);
      }
    }
    for (const [endpoint, owner] of owners) this.last.set(endpoint, owner);
    this.#counts(live, owners.size);
  }

  #counts(live: NatSession[], endpoints: number): void {
    const { lab: { nat }, gateway, options } = this;
    const stats = gatewayStats(nat, gateway);
    assertEquals(stats.sessions, live.length);
    assertEquals(portsInUse(nat, gateway), endpoints);
    const held = stats.pool.tcp.portsHeld + stats.pool.udp.portsHeld + stats.pool.icmp.portsHeld;
    assertEquals(held, nat.holds.inUse);
    assert(live.length <= (options.maxSessions ?? Infinity));
    for (const subscriber of subscribers(nat, gateway)) {
      assert(subscriber.sessions <= (options.quotaSessions ?? Infinity), "session quota");
      // With overloading a port counts for each remote endpoint.
      const ports = options.overloading ? subscriber.sessions : subscriber.ports;
      assert(ports <= (options.quotaPorts ?? Infinity), "port quota");
      assert(subscriber.blocks <= (options.blocks?.perSubscriber ?? 1), "blocks of a subscriber");
      const row = findSubscriber(nat, gateway, subscriber.address) * SUBSCRIBER.STRIDE;
      if (row === 0 || subscriber.sessionsOpened === 0) continue;
      assertEquals(nat.subscribers.words[row + SUBSCRIBER.SESSIONS], subscriber.sessions);
      assertEquals(nat.subscribers.words[row + SUBSCRIBER.PORTS], ports);
      const refused = Object.values(subscriber.refusals).reduce((sum, { count }) => sum + count, 0);
      assertEquals(refused, subscriber.refused);
    }
    if (stats.blocks !== null) this.#blocks(live, stats.blocks.inUse, held);
  }

  #blocks(live: NatSession[], inUse: number, held: number): void {
    const { lab: { nat }, gateway } = this;
    const given = blocks(nat, gateway);
    assertEquals(given.length, inUse);
    const places = new Set(given.map((block) => `${block.externalAddress} ${block.low}`));
    assertEquals(places.size, given.length, "a block is one subscriber's");
    const owner = (address: number, port: number) =>
      given.find((block) => block.externalAddress === address && port >= block.low && port <= block.high)?.subscriber;
    for (const session of live) {
      assertEquals(owner(session.externalAddress, session.externalPort), session.internalAddress);
    }
    const taken = given.reduce((sum, block) => sum + block.taken.tcp + block.taken.udp + block.taken.icmp, 0);
    assertEquals(taken, portsInUse(nat, gateway) + held);
    for (const block of given) assert(block.taken.tcp + block.taken.udp + block.taken.icmp > 0, "an empty block");
  }
}

Deno.test("whatever goes through a carrier-grade NAT: ports are exclusive and rest, quotas hold, counts are right", () => {
  fc.assert(
    fc.property(profiles, steps, (options, script) => {
      const lab = new Laboratory();
      const gateway = lab.gateway(options);
      const observer = new Observer(lab, gateway, options);
      const send = (protocol: "udp" | "tcp", host: number, port: number, remote: number, flags: number) => {
        const from = `10.0.0.${host}:${port}`, to = `192.0.2.${remote}:80`;
        const said = protocol === "udp" ? lab.udp(gateway, from, to) : lab.tcp(gateway, from, to, flags);
        if (said === "block") assertFull(lab, gateway, options, host, protocol);
      };
      for (const { kind, protocol, host, port, remote, flags, n } of script) {
        if (kind === "out") send(protocol, host, port, remote, flags);
        if (kind === "burst") { for (let i = 0; i < n; i++) send(protocol, host, 990 + (port + i) % 70, remote, SYN); }
        if (kind === "in") {
          const live = [...sessions(lab.nat, gateway)].filter((session) => session.protocol === protocol);
          if (live.length === 0) continue;
          const session = live[n % live.length];
          const from = `${lab.addresses.toText(session.remoteAddress)}:${session.remotePort + n % 2}`;
          const to = `${lab.addresses.toText(session.externalAddress)}:${session.externalPort}`;
          if (protocol === "udp") lab.udpIn(gateway, from, to);
          else lab.tcpIn(gateway, from, to, flags);
        }
        if (kind === "wait") lab.advance(lab.nowNs + n * SECOND + (n % 7) * 1234567);
        if (kind === "restart" && n < 10) {
          restartGateway(lab.nat, gateway);
          observer.last.clear();
          assertEquals([lab.nat.sessions.inUse, lab.nat.holds.inUse, lab.nat.blocks.inUse], [0, 0, 0]);
        }
        observer.look();
      }
      lab.advance(lab.nowNs + 1000 * SECOND);
      const { nat } = lab;
      assertEquals([nat.sessions.inUse, nat.mappings.inUse, nat.holds.inUse, nat.blocks.inUse], [0, 0, 0, 0]);
      assertEquals([nat.holdInside.size, nat.holdOutside.size, nat.blockIndex.size, nat.crowdedSpaces], [0, 0, 0, 0]);
      assertEquals(nat.bitmaps.filter((bitmap) => bitmap !== undefined).length, 0);
      assertEquals(gatewayStats(nat, gateway).pool.udp.portsInUse, 0);
    }),
    { numRuns: 200, seed: 6888 },
  );
});

/** "block" is said only where the subscriber has all its blocks, and no port of the protocol is free in them. */
function assertFull(
  lab: Laboratory,
  gateway: number,
  options: NatProfileOptions,
  host: number,
  protocol: "udp" | "tcp",
): void {
  const own = blocks(lab.nat, gateway).filter((block) => lab.addresses.toText(block.subscriber) === `10.0.0.${host}`);
  assertEquals(own.length, options.blocks?.perSubscriber ?? 1);
  if (options.overloading) return;
  for (const block of own) assertEquals(block.taken[protocol], block.high - block.low + 1);
}
