/**
 * The answering side of UDP workloads: what a bound port does with datagrams.
 *
 * @module
 */
import type { UdpRuntime } from "../socket/datagram.ts";
import { payloadOf } from "../socket/payload.ts";
import { CONTROL, PACKET } from "../wire/packet.ts";
import { UDP_SOCKET } from "../transport/udp.ts";
import type { DatagramStats } from "./datagram_stats.ts";
import type { App } from "./types.ts";

/** What a UDP service does. */
export interface UdpServicePlan {
  /** `respond`: one datagram of `replyBytes` for each that comes; `echo`: the same back; `sink`: nothing. */
  kind: "respond" | "echo" | "sink";
  /** Bytes of a reply. */
  replyBytes: number;
}

/** The service of one port, on one host or on every member of a population. */
export class UdpService implements App {
  /** See {@linkcode App}. */
  readonly serves = true;
  readonly #runtime: UdpRuntime;
  readonly #plan: UdpServicePlan;
  readonly #stats: DatagramStats;

  /** Its sockets are bound by the driver. */
  constructor(options: { runtime: UdpRuntime; plan: UdpServicePlan; stats: DatagramStats }) {
    this.#runtime = options.runtime;
    this.#plan = options.plan;
    this.#stats = options.stats;
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}. It has no timers. */
  onTimer(): void {}

  /** See {@linkcode App}. What it counts is the partition's. */
  visitState(): void {}

  /** See {@linkcode App}. */
  onDatagram(socket: number, packet: number): void {
    if (packet === 0) return;
    const { udp, packets } = this.#runtime;
    this.#stats.received++;
    if (this.#plan.kind === "sink") return;
    const words = packets.rows.words;
    const at = packet * PACKET.STRIDE;
    const [remote, port] = [words[at + PACKET.SRC], words[at + PACKET.PORTS] >>> 16];
    const local = words[at + PACKET.DST];
    const real = this.#plan.kind === "echo" && (words[at + PACKET.CONTROL] & CONTROL.REAL_PAYLOAD) !== 0;
    const length = this.#plan.kind === "echo" ? words[at + PACKET.LENGTH] : this.#plan.replyBytes;
    const bytes = real ? payloadOf(packets, packet) : undefined;
    const bound = udp.rows.words[socket * UDP_SOCKET.STRIDE + UDP_SOCKET.LOCAL];
    if (udp.sendTo(socket, bound || local, remote, port, length, bytes) >= 0) this.#stats.sent++;
  }
}
