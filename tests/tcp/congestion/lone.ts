/** A stack with one established connection whose congestion control is called by hand. */
import { AddressTable } from "../../../src/base/address.ts";
import {
  CONGESTION_EVENT,
  type CongestionControl,
  congestionOf,
  releaseCongestion,
} from "../../../src/tcp/congestion/types.ts";
import { TcpStack } from "../../../src/tcp/mod.ts";
import { ACK_SAMPLE } from "../../../src/tcp/state/ack_sample.ts";
import { COLD, FLAG, TCB, WARM } from "../../../src/tcp/state/tcb.ts";
import { STATE } from "../../../src/tcp/state/states.ts";
import { HostTable } from "../../../src/transport/hosts.ts";
import { makeProfile, type Profile, ProfileTable } from "../../../src/transport/profile.ts";
import { PacketPool } from "../../../src/wire/packet.ts";

export const MSS = 1000;

export interface LoneOptions {
  profile?: Partial<Profile>;
  cwnd?: number;
  ecn?: boolean;
  srttUs?: number;
  host?: string;
  serial?: number;
  startMs?: number;
}

/** See the module. Sequence numbers begin at 0, one segment is `MSS` bytes. */
export class Lone {
  readonly stack: TcpStack;
  readonly conn: number;
  ms: number;

  constructor(algorithm: string, options: LoneOptions = {}) {
    const addresses = new AddressTable();
    const hosts = new HostTable({ seed: 1 });
    const profiles = new ProfileTable();
    const profile = profiles.add(makeProfile({ congestionControl: algorithm, ...options.profile }));
    hosts.addHost(1, { name: options.host ?? "a", rank: 0, profile });
    this.stack = new TcpStack({ packets: new PacketPool(), addresses, hosts, profiles, seed: 1 });
    this.ms = options.startMs ?? 1000;
    this.stack.setNow(this.ms * 1e6);
    this.conn = this.stack.allocateConnection(1, addresses.intern("10.0.0.1"), addresses.intern("10.0.0.2"), 1);
    const words = this.stack.tcbs.words;
    const c = this.conn * TCB.STRIDE;
    words[c + TCB.STATE] = STATE.ESTABLISHED | (options.ecn ? FLAG.ECN : 0);
    words[c + TCB.MSS] = MSS;
    words[c + TCB.CWND] = options.cwnd ?? 10;
    this.stack.warm[this.conn * WARM.STRIDE + WARM.SRTT] = (options.srttUs ?? 0) << 3;
    this.stack.warm[this.conn * WARM.STRIDE + WARM.SERIAL] = options.serial ?? 1;
    this.stack.coldOf(this.conn);
  }

  get algorithm(): CongestionControl {
    return congestionOf(this.stack, this.conn);
  }

  get cwnd(): number {
    return this.stack.tcbs.words[this.conn * TCB.STRIDE + TCB.CWND];
  }

  set cwnd(segments: number) {
    this.stack.tcbs.words[this.conn * TCB.STRIDE + TCB.CWND] = segments;
  }

  cold(field: number): number {
    return this.stack.cold.words[this.stack.warm[this.conn * WARM.STRIDE + WARM.COLD] * COLD.STRIDE + field];
  }

  setCold(field: number, value: number): void {
    this.stack.cold.words[this.stack.warm[this.conn * WARM.STRIDE + WARM.COLD] * COLD.STRIDE + field] = value;
  }

  get ssthresh(): number {
    return this.cold(COLD.SSTHRESH);
  }

  /** Sends segments: SND.NXT moves. */
  send(segments: number): void {
    this.stack.tcbs.words[this.conn * TCB.STRIDE + TCB.SND_NXT] += segments * MSS;
    this.setCold(COLD.PACKETS_OUT, this.cold(COLD.PACKETS_OUT) + segments);
  }

  wait(ms: number): void {
    this.ms += ms;
    this.stack.setNow(Math.round(this.ms * 1e6));
  }

  /** An ACK of `segments`, in the order in which the stack calls the hooks. `rttUs` -1: no measurement. */
  ack(segments: number, rttUs = -1, flags = 0, grow = true): void {
    const { stack, conn } = this;
    const sample = stack.ackSample;
    stack.tcbs.words[conn * TCB.STRIDE + TCB.SND_UNA] += segments * MSS;
    this.setCold(COLD.PACKETS_OUT, Math.max(0, this.cold(COLD.PACKETS_OUT) - segments));
    sample.fill(0);
    sample[ACK_SAMPLE.FLAGS] = flags;
    sample[ACK_SAMPLE.ACKED] = segments;
    sample[ACK_SAMPLE.DELIVERED] = segments;
    sample[ACK_SAMPLE.RTT_US] = rttUs;
    this.algorithm.onAckEvent?.(stack, conn);
    this.algorithm.onSample?.(stack, conn);
    if (grow) this.algorithm.onAck(stack, conn, segments);
  }

  /** A loss, and CWND at the new threshold. */
  lose(): void {
    this.setCold(COLD.SSTHRESH, this.algorithm.ssthreshAfterLoss(this.stack, this.conn));
    this.cwnd = this.ssthresh;
    this.setCold(COLD.CWND_COUNT, 0);
  }

  /** Data is sent after so long a silence. */
  resume(idleMs: number): void {
    this.setCold(COLD.LAST_SENT_MS, this.stack.nowMs);
    this.wait(idleMs);
    this.algorithm.onEvent?.(this.stack, this.conn, CONGESTION_EVENT.TX_START);
  }

  end(): void {
    releaseCongestion(this.stack, this.conn);
  }
}
