/**
 * Which connection a script's packets belong to, as its calls and packets come along (packetdrill's
 * `socket_under_test`).
 *
 * @module
 */
import { TCP_FLAG } from "../wire/packet.ts";
import type { RunConfig } from "./config.ts";
import { Flow } from "./flow.ts";
import type { PacketAction } from "./script.ts";

const { SYN, ACK } = TCP_FLAG;

/** First port of the peers that the script plays towards listeners. */
const FIRST_PEER_PORT = 50001;

/** See the module's description. */
export class Subject {
  readonly #config: RunConfig;
  readonly #flows: Flow[] = [];
  #current: Flow | null = null;
  #nextPort = FIRST_PEER_PORT;

  /** Nothing yet. */
  constructor(config: RunConfig) {
    this.#config = config;
  }

  /** The connection under test. */
  get current(): Flow | null {
    return this.#current;
  }

  #add(fd: number): Flow {
    const flow = new Flow(fd);
    this.#flows.unshift(flow);
    this.#current = flow;
    return flow;
  }

  #byFd(fd: number): Flow | undefined {
    return this.#flows.find((flow) => flow.fd === fd);
  }

  /** `socket` has returned the script's `fd`. */
  made(fd: number): void {
    this.#add(fd);
  }

  /** `listen` has succeeded. */
  listens(fd: number): void {
    const flow = this.#byFd(fd);
    if (flow !== undefined) flow.state = "listening";
  }

  /** `connect`, or a call that connects, is about to be made; `dissolves`: with AF_UNSPEC. */
  connects(fd: number, dissolves: boolean): void {
    const flow = this.#byFd(fd);
    if (flow === undefined) return;
    if (dissolves) flow.state = "new";
    else if (flow.state === "new") flow.state = "connecting";
  }

  /** `accept` has returned the script's `fd`. */
  accepts(fd: number): void {
    const flow = this.#flows.find(({ state }) => state === "syn-ack-sent" || state === "accepted");
    if (flow !== undefined) flow.fd = fd;
  }

  /** `close` has returned. */
  closes(fd: number): void {
    const flow = this.#byFd(fd);
    if (flow !== undefined) flow.fd = -1;
  }

  /** The connection of a packet that the script puts in or expects; null if there is none. */
  flowOf(packet: PacketAction): Flow | null {
    const { body } = packet;
    const flow = this.#current;
    if (body.kind !== "tcp") return flow;
    if (packet.inbound && (flow === null || flow.state === "listening")) {
      const peer = this.#add(-1);
      peer.state = "syn-received";
      peer.localPort = this.#config.bindPort;
      peer.remotePort = this.#nextPort++;
      peer.remoteIsn = body.seq >>> 0;
      return peer;
    }
    if (flow === null) return null;
    const opens = (body.flags & (SYN | ACK)) === SYN;
    if (!packet.inbound && opens && flow.state === "connecting") {
      flow.state = "syn-sent";
      flow.scriptIsn = body.seq >>> 0;
    }
    return flow;
  }

  /** The script puts a packet in: the handshake goes on. */
  received(flow: Flow, packet: PacketAction): void {
    const { body } = packet;
    if (body.kind !== "tcp") return;
    if (flow.state === "syn-ack-sent" && (body.flags & ACK) !== 0) flow.state = "accepted";
    if (flow.state === "syn-sent" && (body.flags & SYN) !== 0) {
      if ((body.flags & ACK) !== 0) flow.state = "connected";
      flow.remoteIsn = body.seq >>> 0;
    }
  }

  /** The script expects a SYN-ACK that its SYN has called for, and `sequence` was sent. */
  answered(flow: Flow, packet: PacketAction, sequence: number): void {
    const { body } = packet;
    if (body.kind !== "tcp" || flow.state !== "syn-received") return;
    if ((body.flags & (SYN | ACK)) !== (SYN | ACK)) return;
    flow.scriptIsn = body.seq >>> 0;
    flow.localIsn = sequence;
    flow.state = "syn-ack-sent";
  }
}
