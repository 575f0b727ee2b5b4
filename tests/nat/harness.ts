/** What the NAT's tests share: a laboratory with one set of tables, packets as plain objects, a wheel of Maps. */
import { AddressTable } from "../../src/base/address.ts";
import { PROTOCOL } from "../../src/wire/packet.ts";
import { EXTRA, PACKET, PacketPool, TCP_FLAG } from "../../src/wire/packet.ts";
import { CONTROL } from "../../src/wire/packet.ts";
import {
  NAT_VERDICT_NAMES,
  type NatGatewayOptions,
  NatTables,
  natTimerActs,
  natTimerFired,
  natTimerIdentity,
  translateInbound,
  translateOutbound,
} from "../../src/nat/nat.ts";

export const { SYN, ACK, FIN, RST } = TCP_FLAG;
export const SECOND = 1e9;

/** A packet as tests write it; ports of ICMP are the query id (`id`). */
export interface Sketch {
  protocol?: "tcp" | "udp" | "icmp";
  src: string;
  dst: string;
  sport?: number;
  dport?: number;
  flags?: number;
  id?: number;
  type?: number;
  quoted?: Sketch;
}

/** An endpoint in short: "10.0.0.1:5000". */
export function at(endpoint: string): { address: string; port: number } {
  const [address, port] = endpoint.split(":");
  return { address, port: Number(port ?? 0) };
}

export class Laboratory {
  readonly addresses = new AddressTable();
  readonly packets = new PacketPool();
  readonly nat: NatTables;
  readonly queue = new Map<number, number[]>();
  nowNs = 0;

  constructor(seed = 1) {
    this.addresses.reserve([{ first: "203.0.113.0", count: 256 }]);
    this.nat = new NatTables({ packets: this.packets, addresses: this.addresses, seed });
  }

  /** A gateway whose pool begins at 203.0.113.1 unless said otherwise. */
  gateway(options: Partial<NatGatewayOptions> = {}): number {
    const externalAddress = options.externalAddress ?? this.addresses.intern("203.0.113.1");
    return this.nat.addGateway({ name: "nat", rank: 0, ...options, externalAddress });
  }

  /** Time passes; timers fire as the driver fires them. Returns how many sessions expired. */
  advance(toNs: number): number {
    let expired = 0;
    this.drain();
    for (;;) {
      const ticks = [...this.queue.keys()].filter((tick) => tick * 1e6 <= toNs);
      if (ticks.length === 0) break;
      const tick = Math.min(...ticks);
      this.nat.setNow(tick * 1e6);
      const acting = this.queue.get(tick)!.filter((ref) => natTimerActs(this.nat, ref));
      this.queue.delete(tick);
      acting.sort((a, b) => natTimerIdentity(this.nat, a) - natTimerIdentity(this.nat, b));
      for (const ref of acting) if (natTimerFired(this.nat, ref)) expired++;
      this.drain();
    }
    this.nowNs = toNs;
    this.nat.setNow(toNs);
    return expired;
  }

  drain(): void {
    const { timerRequests, timerRequestCount } = this.nat;
    for (let i = 0; i < timerRequestCount; i++) {
      const tick = timerRequests[2 * i + 1];
      const refs = this.queue.get(tick) ?? [];
      refs.push(timerRequests[2 * i]);
      this.queue.set(tick, refs);
    }
    this.nat.timerRequestCount = 0;
  }

  /** From inside; the verdict's name and the packet after it: "forward 203.0.113.1:5000 > 192.0.2.1:80". */
  out(gateway: number, sketch: Sketch): string {
    return this.#run(sketch, (p) => translateOutbound(this.nat, gateway, p));
  }

  /** From outside. */
  in(gateway: number, sketch: Sketch): string {
    return this.#run(sketch, (p) => translateInbound(this.nat, gateway, p));
  }

  /** UDP from inside, endpoints in short; the external endpoint used, or the refusal. */
  udp(gateway: number, from: string, to: string): string {
    const source = at(from), destination = at(to);
    const said = this.out(gateway, {
      protocol: "udp",
      src: source.address,
      sport: source.port,
      dst: destination.address,
      dport: destination.port,
    });
    return said.startsWith("forward ") ? said.split(" ")[1] : said;
  }

  /** UDP from outside; the internal endpoint reached, or the refusal. */
  udpIn(gateway: number, from: string, to: string): string {
    const source = at(from), destination = at(to);
    const said = this.in(gateway, {
      protocol: "udp",
      src: source.address,
      sport: source.port,
      dst: destination.address,
      dport: destination.port,
    });
    return said.startsWith("forward ") ? said.split(" ")[3] : said;
  }

  /** TCP from inside; as `udp`. */
  tcp(gateway: number, from: string, to: string, flags: number = SYN): string {
    const source = at(from), destination = at(to);
    const said = this.out(gateway, {
      src: source.address,
      sport: source.port,
      dst: destination.address,
      dport: destination.port,
      flags,
    });
    return said.startsWith("forward ") ? said.split(" ")[1] : said;
  }

  /** TCP from outside; as `udpIn`. */
  tcpIn(gateway: number, from: string, to: string, flags: number = ACK): string {
    const source = at(from), destination = at(to);
    const said = this.in(gateway, {
      src: source.address,
      sport: source.port,
      dst: destination.address,
      dport: destination.port,
      flags,
    });
    return said.startsWith("forward ") ? said.split(" ")[3] : said;
  }

  /** A TCP handshake begun inside; the external endpoint. */
  handshake(gateway: number, from: string, to: string): string {
    const external = this.tcp(gateway, from, to, SYN);
    this.tcpIn(gateway, to, external, SYN | ACK);
    this.tcp(gateway, from, to, ACK);
    return external;
  }

  #run(sketch: Sketch, translate: (p: number) => number): string {
    const p = this.build(sketch);
    const before = this.describe(p);
    const verdict = NAT_VERDICT_NAMES[translate(p)];
    const after = this.describe(p);
    this.packets.release(p);
    if (verdict === "forward" || verdict === "hairpin") return `${verdict} ${after}`;
    return after === before ? verdict : `${verdict} (but rewritten to ${after})`;
  }

  build(sketch: Sketch): number {
    const p = this.packets.allocate();
    const words = this.packets.rows.words;
    const row = p * PACKET.STRIDE;
    const { src, dst, ports, sequence, control } = this.#fields(sketch);
    words[row + PACKET.SRC] = src;
    words[row + PACKET.DST] = dst;
    words[row + PACKET.PORTS] = ports;
    words[row + PACKET.SEQ] = sequence;
    words[row + PACKET.CONTROL] = control;
    if (sketch.quoted !== undefined) {
      words[row + PACKET.CONTROL] |= CONTROL.QUOTES;
      const quote = this.packets.extraOf(p) * EXTRA.STRIDE;
      const extras = this.packets.extras.words;
      const inner = this.#fields(sketch.quoted);
      extras[quote + EXTRA.QUOTED_SRC] = inner.src;
      extras[quote + EXTRA.QUOTED_DST] = inner.dst;
      extras[quote + EXTRA.QUOTED_PORTS] = inner.ports;
      extras[quote + EXTRA.QUOTED_SEQ] = inner.sequence;
      extras[quote + EXTRA.QUOTED_CONTROL] = inner.control;
    }
    return p;
  }

  #fields(sketch: Sketch) {
    const protocol = sketch.protocol ?? "tcp";
    const number = protocol === "tcp" ? PROTOCOL.TCP : protocol === "udp" ? PROTOCOL.UDP : PROTOCOL.ICMP;
    return {
      src: this.addresses.intern(sketch.src),
      dst: this.addresses.intern(sketch.dst),
      ports: protocol === "icmp" ? (sketch.type ?? 8) << 24 : ((sketch.sport ?? 0) << 16) | (sketch.dport ?? 0),
      sequence: protocol === "icmp" ? ((sketch.id ?? 0) << 16) | 7 : 12345,
      control: (number << CONTROL.PROTOCOL_SHIFT) | (protocol === "tcp" ? sketch.flags ?? 0 : 0),
    };
  }

  describe(p: number): string {
    const words = this.packets.rows.words;
    const row = p * PACKET.STRIDE;
    const text = this.#endpoints(
      words[row + PACKET.SRC],
      words[row + PACKET.DST],
      words[row + PACKET.PORTS],
      words[row + PACKET.SEQ],
      words[row + PACKET.CONTROL],
    );
    if ((words[row + PACKET.CONTROL] & CONTROL.QUOTES) === 0) return text;
    const quote = words[row + PACKET.EXTRA] * EXTRA.STRIDE;
    const extras = this.packets.extras.words;
    const inner = this.#endpoints(
      extras[quote + EXTRA.QUOTED_SRC],
      extras[quote + EXTRA.QUOTED_DST],
      extras[quote + EXTRA.QUOTED_PORTS],
      extras[quote + EXTRA.QUOTED_SEQ],
      extras[quote + EXTRA.QUOTED_CONTROL],
    );
    return `${this.addresses.toText(words[row])} > ${this.addresses.toText(words[row + 1])} quoting ${inner}`;
  }

  #endpoints(src: number, dst: number, ports: number, sequence: number, control: number): string {
    const from = this.addresses.toText(src), to = this.addresses.toText(dst);
    if (control >>> 24 === PROTOCOL.ICMP) return `${from} > ${to} id ${sequence >>> 16}`;
    return `${from}:${ports >>> 16} > ${to}:${ports & 0xffff}`;
  }
}
