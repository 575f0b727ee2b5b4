/** Random traffic through two gateways with the same inner addresses, against a naive model of Maps. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  gatewayStats,
  type NatBehaviourName,
  type NatPooling,
  type NatPortAssignment,
  portsInUse,
  removeGatewaySessions,
  sessions,
} from "../../src/nat/nat.ts";
import { at, Laboratory, SECOND, type Sketch, SYN } from "./harness.ts";

interface Behaviour {
  mapping: NatBehaviourName;
  filtering: NatBehaviourName;
  portAssignment: NatPortAssignment;
  pooling: NatPooling;
  overloading: boolean;
  externalCount: number;
  portLow: number;
  portHigh: number;
  quotaSessions: number | undefined;
}

type Protocol = "udp" | "tcp" | "icmp";
const TIMEOUT = { udp: 30 * SECOND, tcp: 40 * SECOND, icmp: 20 * SECOND };

interface ModelMapping {
  key: string;
  external: string;
  internal: string;
  sessions: Set<ModelSession>;
}

interface ModelSession {
  protocol: Protocol;
  internal: string;
  remote: string;
  mapping: ModelMapping;
  deadline: number;
}

/** A gateway by the book: every question is answered by looking at everything. */
class Model {
  readonly sessions = new Map<string, ModelSession>();
  readonly mappings = new Map<string, ModelMapping>();
  readonly cursors = new Map<string, number>();
  constructor(readonly behaviour: Behaviour) {}

  expire(now: number): void {
    for (const [key, session] of this.sessions) {
      if (session.deadline <= now) this.remove(key, session);
    }
  }

  remove(key: string, session: ModelSession): void {
    this.sessions.delete(key);
    session.mapping.sessions.delete(session);
    if (session.mapping.sessions.size === 0) this.mappings.delete(session.mapping.key);
  }

  mappingKey(protocol: Protocol, internal: string, remote: string): string {
    const { mapping } = this.behaviour;
    const seen = mapping === "endpoint-independent"
      ? ""
      : mapping === "address-dependent"
      ? at(remote).address
      : remote;
    return `${protocol} ${internal} ${seen}`;
  }

  /** Could a new mapping towards a remote endpoint have this external one? */
  isFree(protocol: Protocol, external: string, remote: string): boolean {
    for (const mapping of this.mappings.values()) {
      if (mapping.external !== external || !mapping.key.startsWith(protocol)) continue;
      if (!this.behaviour.overloading || mapping.key.endsWith(` ${remote}`)) return false;
    }
    return true;
  }

  hasFree(protocol: Protocol, address: string, remote: string): boolean {
    for (let port = this.behaviour.portLow; port <= this.behaviour.portHigh; port++) {
      if (this.isFree(protocol, `${address}:${port}`, remote)) return true;
    }
    return false;
  }

  ofSubscriber(address: string): ModelSession[] {
    return [...this.sessions.values()].filter((session) => at(session.internal).address === address);
  }

  open(protocol: Protocol, internal: string, remote: string, mapping: ModelMapping, now: number): void {
    const session = { protocol, internal, remote, mapping, deadline: now + TIMEOUT[protocol] };
    mapping.sessions.add(session);
    this.sessions.set(`${protocol} ${internal} ${remote}`, session);
  }

  /** Checks what a gateway did with a packet from inside. */
  outbound(protocol: Protocol, internal: string, remote: string, did: string, now: number): void {
    const known = this.sessions.get(`${protocol} ${internal} ${remote}`);
    if (known !== undefined) {
      assertEquals(did, known.mapping.external);
      known.deadline = now + TIMEOUT[protocol];
      return;
    }
    const { address, port } = at(internal);
    const own = this.ofSubscriber(address);
    if (own.length >= (this.behaviour.quotaSessions ?? Infinity)) return assertEquals(did, "quota");
    const key = this.mappingKey(protocol, internal, remote);
    const shared = this.mappings.get(key);
    if (shared !== undefined) {
      assertEquals(did, shared.external, "a mapping is reused");
      return this.open(protocol, internal, remote, shared, now);
    }
    const { pooling, externalCount, portLow, portHigh, portAssignment } = this.behaviour;
    let pool = Array.from({ length: externalCount }, (_, i) => `203.0.113.${i + 1}`);
    if (pooling === "paired" && own.length > 0) pool = [at(own[0].mapping.external).address];
    pool = pool.filter((candidate) => this.hasFree(protocol, candidate, remote));
    if (pool.length === 0) return assertEquals(did, "pool-empty");
    const given = at(did);
    assert(pool.includes(given.address), `${did} is of an address that has a free port: ${pool}`);
    assert(given.port >= portLow && given.port <= portHigh, `${did} lies in the range`);
    assert(this.isFree(protocol, did, remote), `${did} is free`);
    const wished = `${given.address}:${port}`;
    if (portAssignment === "preservation" && port >= portLow && port <= portHigh) {
      assertEquals(did === wished, this.isFree(protocol, wished, remote), "the port is preserved if it can be");
    }
    if (portAssignment === "sequential") {
      let expected = this.cursors.get(`${protocol} ${given.address}`) ?? portLow;
      while (!this.isFree(protocol, `${given.address}:${expected}`, remote)) {
        expected = expected === portHigh ? portLow : expected + 1;
      }
      assertEquals(given.port, expected, "the next free port");
      this.cursors.set(`${protocol} ${given.address}`, expected === portHigh ? portLow : expected + 1);
    }
    const mapping: ModelMapping = { key, external: did, internal, sessions: new Set() };
    this.mappings.set(key, mapping);
    this.open(protocol, internal, remote, mapping, now);
  }

  /** Checks what a gateway did with a packet from outside. */
  inbound(protocol: Protocol, remote: string, external: string, did: string, now: number): void {
    const candidates = [...this.mappings.values()].filter((mapping) =>
      mapping.external === external && mapping.key.startsWith(protocol)
    );
    const address = at(remote).address;
    for (const mapping of candidates) {
      for (const session of mapping.sessions) {
        if (session.remote !== remote) continue;
        assertEquals(did, session.internal);
        // TCP (only SYNs here, so always opening) is refreshed from outside too.
        if (protocol === "tcp") session.deadline = now + TIMEOUT.tcp;
        return;
      }
    }
    const { filtering, overloading } = this.behaviour;
    if (overloading || candidates.length === 0) return assertEquals(did, "no-mapping");
    assertEquals(candidates.length, 1, "no two mappings share an external endpoint");
    const [mapping] = candidates;
    const passes = filtering === "endpoint-independent" ||
      filtering === "address-dependent" && [...mapping.sessions].some((s) => at(s.remote).address === address);
    if (!passes) return assertEquals(did, "filtered");
    const known = this.sessions.get(`${protocol} ${mapping.internal} ${remote}`);
    if (known !== undefined) {
      // The same two endpoints by way of another mapping: no second session.
      assertEquals(did, mapping.internal);
      if (protocol === "tcp") known.deadline = now + TIMEOUT.tcp;
      return;
    }
    const own = this.ofSubscriber(at(mapping.internal).address);
    if (own.length >= (this.behaviour.quotaSessions ?? Infinity)) return assertEquals(did, "quota");
    assertEquals(did, mapping.internal);
    this.open(protocol, mapping.internal, remote, mapping, now);
  }
}

const names: NatBehaviourName[] = ["endpoint-independent", "address-dependent", "address-and-port-dependent"];
const behaviours: fc.Arbitrary<Behaviour> = fc.record({
  mapping: fc.constantFrom(...names),
  filtering: fc.constantFrom(...names),
  portAssignment: fc.constantFrom<NatPortAssignment[]>("preservation", "sequential", "random"),
  pooling: fc.constantFrom<NatPooling[]>("paired", "arbitrary"),
  overloading: fc.boolean(),
  externalCount: fc.integer({ min: 1, max: 3 }),
  ports: fc.constantFrom(1, 4, 20, 70, 100),
  quotaSessions: fc.constantFrom(undefined, undefined, undefined, 5, 100),
}).map(({ ports, ...rest }) => {
  const dependent = rest.mapping === names[2] && rest.filtering === names[2];
  return { ...rest, overloading: rest.overloading && dependent, portLow: 1000, portHigh: 999 + ports };
});

/** A step: burst of packets from inside, one from outside, time, or a restart. */
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom("out", "out", "out", "burst", "in", "in", "wait", "restart"),
    gateway: fc.integer({ min: 0, max: 1 }),
    protocol: fc.constantFrom<Protocol[]>("udp", "udp", "tcp", "icmp"),
    host: fc.integer({ min: 1, max: 4 }),
    port: fc.integer({ min: 990, max: 1030 }),
    remote: fc.integer({ min: 1, max: 3 }),
    remotePort: fc.integer({ min: 1, max: 3 }),
    pick: fc.nat(),
    restart: fc.integer({ min: 0, max: 9 }),
  }),
  { minLength: 20, maxLength: 80 },
);

Deno.test("random traffic does to the tables what a naive model says", () => {
  fc.assert(
    fc.property(behaviours, steps, (behaviour, script) => {
      const lab = new Laboratory();
      const options = {
        ...behaviour,
        udpNs: TIMEOUT.udp,
        tcpTransitoryNs: TIMEOUT.tcp,
        icmpNs: TIMEOUT.icmp,
      };
      const gateways = [0, 1].map((i) => lab.gateway({ ...options, name: `nat ${i}`, rank: i }));
      const models = gateways.map(() => new Model(behaviour));

      const strip = (protocol: Protocol, said: string, word: number) => {
        if (!said.startsWith("forward ")) return said;
        const words = said.split(" ");
        return protocol === "icmp" ? `${words[word]}:${words[5]}` : words[word];
      };
      const sketch = (protocol: Protocol, from: string, to: string, id: number): Sketch => {
        const a = at(from), b = at(to);
        const flags = SYN;
        return { protocol, src: a.address, sport: a.port, dst: b.address, dport: b.port, flags, id, type: 8 };
      };
      const outward = (g: number, protocol: Protocol, host: number, port: number, remote: number, rport: number) => {
        const internal = `10.0.0.${host}:${port}`;
        const to = `192.0.2.${remote}:${protocol === "icmp" ? 0 : rport}`;
        const said = lab.out(gateways[g], sketch(protocol, internal, to, port));
        models[g].outbound(protocol, internal, to, strip(protocol, said, 1), lab.nowNs);
      };

      for (const step of script) {
        const { gateway: g, protocol, host, port, remote, remotePort } = step;
        const model = models[g];
        if (step.kind === "wait") {
          const toNs = lab.nowNs + (step.pick % 25) * SECOND + step.pick % 1000;
          // The model expires at the tick, as the tables do: their deadlines round up to it.
          const before = models.map((m) => m.sessions.size);
          const expired = lab.advance(toNs);
          for (const m of models) {
            for (const s of m.sessions.values()) s.deadline = Math.ceil(s.deadline / 1e6) * 1e6;
            m.expire(toNs);
          }
          assertEquals(expired, before[0] + before[1] - models[0].sessions.size - models[1].sessions.size);
        } else if (step.kind === "out") {
          outward(g, protocol, host, port, remote, remotePort);
        } else if (step.kind === "burst") {
          for (let i = 0; i < step.pick % 120; i++) {
            outward(g, protocol, host, 980 + (port + i * 7) % 130, remote, remotePort);
          }
        } else if (step.kind === "in") {
          const live = [...model.mappings.values()].filter((m) => m.key.startsWith(protocol));
          const external = live.length > 0 && step.pick % 5 > 0
            ? live[step.pick % live.length].external
            : `203.0.113.1:${port}`;
          const from = `192.0.2.${remote}:${protocol === "icmp" ? 0 : remotePort}`;
          const said = lab.in(gateways[g], sketch(protocol, from, external, at(external).port));
          model.inbound(protocol, from, external, strip(protocol, said, 3), lab.nowNs);
        } else if (step.restart === 0) {
          assertEquals(removeGatewaySessions(lab.nat, gateways[g]), model.sessions.size);
          for (const [key, session] of model.sessions) model.remove(key, session);
        }
        for (const i of [0, 1]) {
          assertEquals(gatewayStats(lab.nat, gateways[i]).sessions, models[i].sessions.size);
          assertEquals(portsInUse(lab.nat, gateways[i]), models[i].mappings.size);
        }
      }
      for (const i of [0, 1]) {
        const listed = [...sessions(lab.nat, gateways[i])].map((s) =>
          `${s.protocol} ${lab.addresses.toText(s.internalAddress)}:${s.internalPort} ` +
          `${lab.addresses.toText(s.remoteAddress)}:${s.remotePort}`
        );
        assertEquals(listed.sort(), [...models[i].sessions.keys()].sort());
        removeGatewaySessions(lab.nat, gateways[i]);
      }
      const { nat } = lab;
      assertEquals([nat.inside.size, nat.outside.size, nat.mappingInside.size, nat.mappingOutside.size], [0, 0, 0, 0]);
      assertEquals([nat.sessions.inUse, nat.mappings.inUse, nat.permissions.inUse], [0, 0, 0]);
      assertEquals([nat.permissionIndex.size, nat.crowdedSpaces], [0, 0]);
      assertEquals(nat.bitmaps.filter((bitmap) => bitmap !== undefined).length, 0);
    }),
    { numRuns: 150, seed: 4787 },
  );
});
