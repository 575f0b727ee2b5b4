/**
 * Playing a stimulus: our TCP takes one end's part, the other end's recorded packets come at their times, and what our
 * TCP sends is written down. Numbers are translated: the recorded acknowledgements, SACK blocks and timestamp echoes
 * speak of the recorded end's numbers, and our TCP has chosen its own.
 *
 * @module
 */
import { parseAddress } from "../base/address.ts";
import { EmulatedHost, HOST_ROW } from "../packetdrill/host.ts";
import { defaultConfig } from "../packetdrill/config.ts";
import { segmentOf } from "../packetdrill/segment.ts";
import {
  abort,
  accept,
  closeConnection,
  connect,
  listen,
  receive,
  send,
  shutdownWrite,
  TCP_EVENT,
} from "../tcp/mod.ts";
import type { Profile } from "../transport/profile.ts";
import { readI32, readU16 } from "../wire/bytes.ts";
import { findOption } from "../wire/capture_packet.ts";
import { internetChecksum, pseudoHeaderSum } from "../wire/checksum.ts";
import { isWireError } from "../wire/error.ts";
import { encodeIpv4 } from "../wire/ipv4.ts";
import { encodeIpv6, IPV6_HEADER_BYTES } from "../wire/ipv6.ts";
import { PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { fillVirtual } from "../wire/payload.ts";
import { encodeTcp, tcpHeaderBytes } from "../wire/tcp.ts";
import { decodeTcpOptions, encodeTcpOptions, TCP_OPTION, type TcpOption } from "../wire/tcp_options.ts";
import type { Stimulus, StimulusCall, StimulusSegment } from "./stimulus.ts";

const { SYN, ACK, FIN, PSH } = TCP_FLAG;

/** After the last recorded packet our TCP gets so long for what it owes, ns: the longest delay of an ACK (RFC 1122). */
export const GRACE_NS = 500e6;
/** Offloading network cards join segments; what is put in is cut again. */
const LARGEST_PAYLOAD = 32_768;
const ALL = 0x7fffffff;

/** Our answers. */
export interface Played {
  /** What our TCP sent, with its own numbers. */
  answers: StimulusSegment[];
  /** Recorded acknowledgements of what our TCP had not sent yet: they were taken for one of all that it had. */
  early: number;
  /** Bytes that came with a SYN, and that our TCP took only when they came again. */
  synData: number;
}

/** Plays a stimulus. */
export function playStimulus(stimulus: Stimulus): Played {
  return new Player(stimulus).play();
}

/** Does the option of this kind stand in a SYN or SYN-ACK? */
function has(segment: StimulusSegment | undefined, kind: number): boolean {
  return segment !== undefined && findOption(segment.options, kind) !== undefined;
}

/** Our host's settings: the options that the recorded end used, and its largest segment. */
function profileOf({ answers }: Stimulus): Partial<Profile> {
  const syn = answers.find(({ flags }) => (flags & SYN) !== 0);
  return {
    sack: has(syn, TCP_OPTION.SACK_PERMITTED),
    timestamps: has(syn, TCP_OPTION.TIMESTAMPS),
    windowScaling: has(syn, TCP_OPTION.WINDOW_SCALE),
    // Its reader may have been any: ours reads at once, with room.
    receiveBufferBytes: 1 << 20,
  };
}

class Player {
  readonly #stimulus: Stimulus;
  readonly #host: EmulatedHost;
  readonly #answers: StimulusSegment[] = [];
  readonly #recordedIsn: number;
  #ownIsn: number | undefined;
  #connection = -1;
  #unwritten = 0;
  /** Numbers that our TCP has used so far, its SYN's included. */
  #sent = 0;
  #early = 0;
  /** An input that acknowledged more than there was, and how much there was. */
  #owed: StimulusSegment | undefined;
  #owedFrom = 0;
  #settling = false;
  /** Data that came with a SYN, and that our TCP left (as Linux does, but for Fast Open): it is sent again. */
  #heldSyn: StimulusSegment | undefined;
  #synData = 0;
  /** Our program's end that waits for what is still unwritten. */
  #ending: StimulusCall | undefined;
  #over = false;

  constructor(stimulus: Stimulus) {
    this.#stimulus = stimulus;
    const { local, remote, answers } = stimulus;
    const syn = answers.find(({ flags }) => (flags & SYN) !== 0);
    this.#recordedIsn = syn?.sequence ?? 0;
    const ipv6 = local.includes(":");
    const mss = syn === undefined ? undefined : findOption(syn.options, TCP_OPTION.MSS);
    const mtu = Math.min(65_535, Math.max(576, (mss?.length === 2 ? readU16(mss, 0) : 536) + (ipv6 ? 60 : 40)));
    this.#host = new EmulatedHost({
      config: { ...defaultConfig(ipv6 ? "ipv6" : "ipv4"), localIp: local, remoteIp: remote, mtu },
      profile: profileOf(stimulus),
      onEvent: (conn, kind, argument) => this.#onEvent(conn, kind, argument),
    });
  }

  play(): Played {
    const { end, inputs, calls, answers, localPort, remotePort } = this.#stimulus;
    const host = this.#host;
    if (end === "server") {
      listen(host.stack, HOST_ROW, 0, localPort, { backlog: 1, app: 1 });
    } else {
      this.#waitUntil(answers[0]?.timeNs ?? 0);
      this.#connection = connect(host.stack, HOST_ROW, host.local, localPort, host.remote, remotePort, 1);
      this.#collect();
    }
    let call = 0;
    for (const input of inputs) {
      while (call < calls.length && calls[call].timeNs < input.timeNs) this.#call(calls[call++]);
      this.#waitUntil(input.timeNs);
      this.#put(input);
    }
    while (call < calls.length) this.#call(calls[call++]);
    this.#waitUntil(Math.max(inputs.at(-1)?.timeNs ?? 0, answers.at(-1)?.timeNs ?? 0) + GRACE_NS);
    return { answers: this.#answers, early: this.#early, synData: this.#synData };
  }

  #waitUntil(ns: number): void {
    while (this.#host.step(ns)) this.#collect();
    this.#collect();
  }

  /** Takes what the host has sent. */
  #collect(): void {
    this.#host.drain();
    for (const packet of this.#host.sent.splice(0)) {
      const segment = segmentOf(packet);
      if (segment === null) continue;
      const { tcp, timeNs, length, trafficClass } = segment;
      const numbers = length + ((tcp.flags & (SYN | FIN)) !== 0 ? 1 : 0);
      if (this.#ownIsn === undefined && (tcp.flags & SYN) !== 0) this.#ownIsn = tcp.sequence;
      const isn = this.#ownIsn ?? 0;
      this.#sent = Math.max(this.#sent, ((tcp.sequence - ((isn + this.#sent) >>> 0)) | 0) + this.#sent + numbers);
      const options = new Uint8Array(40);
      const optionBytes = encodeTcpOptions(tcp.options, options);
      this.#answers.push({
        ...{ timeNs, length, trafficClass, sequence: tcp.sequence, acknowledgement: tcp.acknowledgement },
        ...{ flags: tcp.flags, window: tcp.window, urgent: tcp.urgent, options: options.slice(0, optionBytes) },
      });
    }
    this.#settle();
  }

  #onEvent(conn: number, kind: number, argument: number): void {
    const { stack } = this.#host;
    if (kind === TCP_EVENT.ACCEPTABLE) {
      const accepted = accept(stack, argument);
      if (accepted > 0 && this.#connection < 0) this.#connection = accepted;
      if (accepted > 0) receive(stack, accepted, ALL);
      return;
    }
    if (conn !== this.#connection) return;
    if (kind === TCP_EVENT.READABLE) receive(stack, conn, ALL);
    if (kind === TCP_EVENT.WRITABLE || kind === TCP_EVENT.CONNECTED) this.#write();
    if (kind === TCP_EVENT.CLOSED || kind === TCP_EVENT.FAILED) this.#over = true;
  }

  #call(call: StimulusCall): void {
    this.#waitUntil(call.timeNs);
    if (call.kind === "write") this.#unwritten += call.bytes;
    else this.#ending = call;
    this.#write();
    this.#collect();
  }

  #write(): void {
    const { stack } = this.#host;
    const conn = this.#connection;
    if (conn < 0 || this.#over) return;
    while (this.#unwritten > 0) {
      const taken = send(stack, conn, this.#unwritten);
      if (taken <= 0) break;
      this.#unwritten -= taken;
    }
    const ending = this.#ending;
    if (ending === undefined || (this.#unwritten > 0 && ending.kind !== "abort")) return;
    this.#ending = undefined;
    if (ending.kind === "shutdown") shutdownWrite(stack, conn);
    else {
      this.#over = true;
      if (ending.kind === "close") closeConnection(stack, conn);
      else abort(stack, conn);
    }
  }

  /** A recorded segment comes, its references to our end translated. */
  #put(input: StimulusSegment): void {
    this.#putWhole(input);
    const isSyn = (input.flags & SYN) !== 0;
    if (isSyn && input.length > 0 && this.#heldSyn === undefined) this.#holdSynData(input);
    const held = this.#heldSyn;
    // A server takes data once the handshake is complete.
    if (held === undefined || (isSyn && (input.flags & ACK) === 0)) return;
    this.#heldSyn = undefined;
    this.#synData = held.length;
    const { acknowledgement, window, options } = input;
    this.#putWhole({ ...held, timeNs: input.timeNs, flags: ACK | PSH, acknowledgement, window, options });
  }

  /** Keeps the data of a SYN if the answer to it does not acknowledge it. */
  #holdSynData(input: StimulusSegment): void {
    const sequence = (input.sequence + 1) >>> 0;
    const answer = this.#answers.at(-1);
    const acked = answer === undefined ? 0 : (answer.acknowledgement - sequence) | 0;
    if (acked < input.length) this.#heldSyn = { ...input, sequence };
  }

  #putWhole(input: StimulusSegment): void {
    for (let at = 0; at === 0 || at < input.length; at += LARGEST_PAYLOAD) {
      const length = Math.min(input.length - at, LARGEST_PAYLOAD);
      const last = at + length >= input.length;
      const flags = last ? input.flags : input.flags & ~FIN;
      const sequence = (input.sequence + at) >>> 0;
      this.#deliver({ ...input, sequence, flags, length });
    }
    this.#settle();
  }

  /** What was acknowledged too early is acknowledged as soon as it is there. */
  #settle(): void {
    const input = this.#owed;
    if (input === undefined || this.#settling) return;
    this.#settling = true;
    const sequence = (input.sequence + input.length + ((input.flags & FIN) !== 0 ? 1 : 0)) >>> 0;
    while (this.#owedFrom < this.#sent && this.#owed === input) {
      this.#owedFrom = this.#sent;
      if (this.#wantedOf(input) <= this.#sent) this.#owed = undefined;
      this.#deliver({ ...input, sequence, flags: ACK, length: 0 });
    }
    this.#settling = false;
  }

  #deliver(input: StimulusSegment): void {
    this.#host.receive(this.#datagram(input));
    this.#collect();
  }

  /** What of our numbers (counted from the SYN) an input acknowledges. */
  #wantedOf({ flags, acknowledgement }: StimulusSegment): number {
    if ((flags & ACK) === 0) return 0;
    return ((acknowledgement - ((this.#recordedIsn + this.#sent) >>> 0)) | 0) + this.#sent;
  }

  #datagram(input: StimulusSegment): Uint8Array {
    const { local, remote, localPort, remotePort } = this.#stimulus;
    const source = parseAddress(remote);
    const destination = parseAddress(local);
    const ahead = Math.max(0, this.#wantedOf(input) - this.#sent);
    if (ahead > 0 && this.#sent > 0) {
      if (!this.#settling) this.#early++;
      this.#owed = input;
      this.#owedFrom = this.#sent;
    }
    const shift = (this.#ownIsn ?? 0) - this.#recordedIsn;
    const decoded = decodeTcpOptions(input.options);
    const header = {
      sourcePort: remotePort,
      destinationPort: localPort,
      sequence: input.sequence,
      acknowledgement: (input.flags & ACK) !== 0 ? (input.acknowledgement + shift - ahead) >>> 0 : 0,
      reserved: 0,
      flags: input.flags,
      window: input.window,
      checksum: 0,
      urgent: input.urgent,
      options: isWireError(decoded) ? [] : decoded.map((option) => this.#translated(option, shift)),
    };
    const total = tcpHeaderBytes(header) + input.length;
    const ipv6 = local.includes(":");
    const at = ipv6 ? IPV6_HEADER_BYTES : 20;
    const bytes = new Uint8Array(at + total);
    const { trafficClass } = input;
    if (ipv6) {
      const common = { trafficClass, flowLabel: 0, nextHeader: PROTOCOL.TCP, hopLimit: 64, source, destination };
      encodeIpv6({ ...common, payloadLength: total }, bytes);
    } else {
      const fragments = { identification: 0, reservedFlag: false, moreFragments: false, fragmentOffset: 0 };
      const rest = { ttl: 64, protocol: PROTOCOL.TCP, source, destination, options: new Uint8Array(0) };
      encodeIpv4({ trafficClass, totalLength: at + total, dontFragment: true, ...fragments, ...rest }, bytes);
    }
    encodeTcp(header, bytes, at);
    const headerBytes = total - input.length;
    const position = header.sequence + ((input.flags & SYN) !== 0 ? 1 : 0);
    fillVirtual(bytes, at + headerBytes, input.length, position);
    const sum = internetChecksum(bytes, at, total, pseudoHeaderSum(source, destination, PROTOCOL.TCP, total));
    bytes[at + 16] = sum >>> 8;
    bytes[at + 17] = sum & 0xff;
    return bytes;
  }

  #translated(option: TcpOption, shift: number): TcpOption {
    if (option.kind === "sack") {
      const blocks = option.blocks.map(({ left, right }) => ({
        left: (left + shift) >>> 0,
        right: (right + shift) >>> 0,
      }));
      return { kind: "sack", blocks };
    }
    if (option.kind !== "timestamps" || option.echo === 0) return option;
    return { ...option, echo: this.#echo(option.echo) };
  }

  /** Our timestamp at the time when the recorded end sent the one that is echoed; the newest we sent by then. */
  #echo(recorded: number): number {
    const valueOf = ({ options }: StimulusSegment) => {
      const found = findOption(options, TCP_OPTION.TIMESTAMPS);
      return found?.length === 8 ? readI32(found, 0) >>> 0 : undefined;
    };
    const sent = this.#stimulus.answers.find((answer) => valueOf(answer) === recorded);
    let value = 0;
    for (const answer of this.#answers) {
      if (value !== 0 && sent !== undefined && answer.timeNs > sent.timeNs + 1e6) break;
      value = valueOf(answer) ?? value;
    }
    return value;
  }
}
