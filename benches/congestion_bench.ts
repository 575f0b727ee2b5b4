/**
 * What congestion control costs: an ACK of each algorithm by itself, and a bulk transfer that loses packets.
 *
 * @module
 */
import { AddressTable } from "../src/base/address.ts";
import { congestionOf } from "../src/tcp/congestion/types.ts";
import { TcpStack } from "../src/tcp/mod.ts";
import { ACK_FLAG, ACK_SAMPLE } from "../src/tcp/state/ack_sample.ts";
import { STATE } from "../src/tcp/state/states.ts";
import { COLD, FLAG, TCB, WARM } from "../src/tcp/state/tcb.ts";
import { HostTable } from "../src/transport/hosts.ts";
import { makeProfile, ProfileTable } from "../src/transport/profile.ts";
import { PacketPool } from "../src/wire/packet.ts";
import type { Task } from "./bench.ts";

const ACKS = 100_000;
const WINDOW = 200;
const RTT_US = 40_000;

/** The hooks that an ACK of one segment calls, in congestion avoidance: a window in 40 ms, halved now and then. */
function perAck(algorithm: string): Task {
  return {
    name: `congestion control: ${algorithm}, one ACK`,
    operations: ACKS,
    prepare() {
      const addresses = new AddressTable();
      const hosts = new HostTable({ seed: 1 });
      const profiles = new ProfileTable();
      const profile = profiles.add(makeProfile({ congestionControl: algorithm }));
      hosts.addHost(1, { name: "a", rank: 0, profile });
      const stack = new TcpStack({ packets: new PacketPool(), addresses, hosts, profiles, seed: 1 });
      stack.setNow(1e9);
      const conn = stack.allocateConnection(1, addresses.intern("10.0.0.1"), addresses.intern("10.0.0.2"), 1);
      const words = stack.tcbs.words;
      const c = conn * TCB.STRIDE;
      words[c + TCB.STATE] = STATE.ESTABLISHED | FLAG.ECN;
      words[c + TCB.MSS] = 1448;
      words[c + TCB.CWND] = WINDOW;
      stack.warm[conn * WARM.STRIDE + WARM.SRTT] = RTT_US << 3;
      const k = stack.coldOf(conn) * COLD.STRIDE;
      const cold = stack.cold.words;
      cold[k + COLD.PACKETS_OUT] = WINDOW;
      cold[k + COLD.SSTHRESH] = WINDOW / 2;
      const hooks = congestionOf(stack, conn);
      const sample = stack.ackSample;
      sample[ACK_SAMPLE.FLAGS] = ACK_FLAG.DATA_ACKED | ACK_FLAG.UNA_ADVANCED;
      sample[ACK_SAMPLE.ACKED] = sample[ACK_SAMPLE.DELIVERED] = 1;
      sample[ACK_SAMPLE.RTT_US] = RTT_US;
      sample[ACK_SAMPLE.RATE_DELIVERED] = WINDOW;
      sample[ACK_SAMPLE.RATE_INTERVAL_US] = RTT_US;
      sample[ACK_SAMPLE.PRIOR_IN_FLIGHT] = WINDOW;
      let us = 1e6;
      return () => {
        for (let i = 0; i < ACKS; i++) {
          us += RTT_US / WINDOW;
          stack.setNow(us * 1000);
          words[c + TCB.SND_UNA] = (words[c + TCB.SND_UNA] + 1448) | 0;
          words[c + TCB.SND_NXT] = (words[c + TCB.SND_UNA] + WINDOW * 1448) | 0;
          sample[ACK_SAMPLE.PRIOR_DELIVERED] = cold[k + COLD.DELIVERED] - WINDOW;
          cold[k + COLD.DELIVERED] = (cold[k + COLD.DELIVERED] + 1) | 0;
          hooks.onAckEvent?.(stack, conn);
          hooks.onSample?.(stack, conn);
          if (hooks.onControl !== undefined) hooks.onControl(stack, conn);
          else hooks.onAck(stack, conn, 1);
          if (words[c + TCB.CWND] > 2 * WINDOW) {
            words[c + TCB.CWND] = cold[k + COLD.SSTHRESH] = hooks.ssthreshAfterLoss(stack, conn);
          }
        }
      };
    },
  };
}

/** The tasks. */
export function congestionBenches(): Task[] {
  return ["reno", "cubic", "dctcp", "bbr", "vegas"].map(perAck);
}
