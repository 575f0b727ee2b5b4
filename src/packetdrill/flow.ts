/**
 * The connection that a script's packets belong to: its ports, and how numbers of the script (sequence numbers relative
 * to the first SYN of each side, timestamps from where the script likes) become those of the wire and back.
 *
 * As in packetdrill there is one such connection at a time: that of the last socket made, or of the last SYN to a
 * listener.
 *
 * @module
 */
import { TCP_FLAG } from "../wire/packet.ts";
import type { TcpHeader } from "../wire/tcp.ts";
import type { TcpOption } from "../wire/tcp_options.ts";
import type { Segment } from "./segment.ts";

const { SYN, ACK } = TCP_FLAG;

/** How far the connection has come, as the script shows it. */
export type FlowState =
  | "new"
  | "listening"
  | "syn-received"
  | "syn-ack-sent"
  | "accepted"
  | "connecting"
  | "syn-sent"
  | "connected";

/** See the module's description. */
export class Flow {
  state: FlowState = "new";
  /** The script's descriptor of its socket, -1 before `accept` has returned one. */
  declare fd: number;
  localPort = 0;
  remotePort = 0;
  /** Initial sequence numbers: the host's on the wire and in the script, the peer's (which are the same in both). */
  localIsn = 0;
  scriptIsn = 0;
  remoteIsn = 0;
  /** Wire timestamps of the host by the script's. */
  readonly timestamps: Map<number, number> = new Map();
  /** The first of them: script and wire. */
  firstTimestamp: { script: number; wire: number } | null = null;
  /** IPv6 flow label of the script and of the wire, the last pair seen. */
  flowLabel: { script: number; wire: number } | null = null;

  /** A connection whose socket is the script's `fd`. */
  constructor(fd: number) {
    this.fd = fd;
  }

  /** Is the packet, sent by the host, of this connection? Learns the port and initial number of a SYN just expected. */
  takes(segment: Segment, connectPort: number): boolean {
    const { tcp } = segment;
    const opens = this.state === "syn-sent" && (tcp.flags & (SYN | ACK)) === SYN;
    if (opens && tcp.destinationPort === connectPort) {
      if (this.localPort !== tcp.sourcePort || this.localIsn !== tcp.sequence) {
        this.localPort = tcp.sourcePort;
        this.remotePort = connectPort;
        this.localIsn = tcp.sequence;
      }
      return true;
    }
    return this.localPort !== 0 && tcp.sourcePort === this.localPort && tcp.destinationPort === this.remotePort;
  }

  #localOffset(flags: number): number {
    return (flags & SYN) !== 0 ? this.localIsn - this.scriptIsn : this.localIsn;
  }

  #remoteOffset(flags: number): number {
    return (flags & SYN) !== 0 ? 0 : this.remoteIsn;
  }

  /** The host's header in the script's numbers, but for timestamps. */
  toScript(tcp: TcpHeader): TcpHeader {
    const local = this.#localOffset(tcp.flags);
    const remote = this.#remoteOffset(tcp.flags);
    return {
      ...tcp,
      sequence: (tcp.sequence - local) >>> 0,
      acknowledgement: (tcp.flags & ACK) !== 0 ? (tcp.acknowledgement - remote) >>> 0 : tcp.acknowledgement,
      options: tcp.options.map((option) => shiftedBlocks(option, -remote)),
    };
  }

  /** A script's header in the wire's numbers, but for timestamps. */
  toWire(tcp: TcpHeader): TcpHeader {
    const local = this.#localOffset(tcp.flags);
    return {
      ...tcp,
      sequence: (tcp.sequence + this.#remoteOffset(tcp.flags)) >>> 0,
      acknowledgement: (tcp.flags & ACK) !== 0 ? (tcp.acknowledgement + local) >>> 0 : tcp.acknowledgement,
      options: tcp.options.map((option) => shiftedBlocks(option, local)),
    };
  }

  /** The host's timestamp in the script's numbers, where the script says `script`; remembers the pair. */
  learnTimestamp(script: number, wire: number): number {
    this.timestamps.set(script, wire);
    this.firstTimestamp ??= { script, wire };
    return (this.firstTimestamp.script + (wire - this.firstTimestamp.wire)) >>> 0;
  }

  /** What the peer echoes on the wire where the script says `script`; undefined if that was never sent. */
  echoFor(script: number, scaled: boolean): number | undefined {
    const exact = this.timestamps.get(script);
    if (exact !== undefined || !scaled || this.firstTimestamp === null) return exact;
    return (script - this.firstTimestamp.script + this.firstTimestamp.wire) >>> 0;
  }
}

function shiftedBlocks(option: TcpOption, by: number): TcpOption {
  if (option.kind !== "sack") return option;
  return {
    kind: "sack",
    blocks: option.blocks.map(({ left, right }) => ({ left: (left + by) >>> 0, right: (right + by) >>> 0 })),
  };
}
