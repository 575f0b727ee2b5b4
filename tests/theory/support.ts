/** Flows over one bottleneck, and what came out of it. */
import { Network, type Profile, type Simulation } from "../../mod.ts";
import { Substream } from "../../src/base/rng.ts";
import { DIRECTION } from "../../src/link/links.ts";
import { PACKET } from "../../src/wire/packet.ts";

/** Payload of a full segment with timestamps, and the bytes of its packet. */
export const MSS = 1448;
export const PACKET_BYTES = 1500;

export interface BottleneckOptions {
  seed: number;
  congestionControl: string;
  flows?: number;
  rateBps?: number;
  rttNs: number;
  queuePackets?: number;
  ecnThresholdPackets?: number;
  loss?: number;
  /** Flows begin within this time of each other, drawn from the seed. */
  startsWithinNs?: number;
  /** More of the hosts' profile. */
  profile?: Partial<Profile>;
}

/** Senders s[0], s[1], …, a router, a receiver. */
export class Bottleneck {
  readonly simulation: Simulation;
  /** Payload bytes delivered to the receiver, of each flow. */
  readonly delivered: Float64Array;
  /** The direction of the bottleneck. */
  readonly direction: number;

  constructor(options: BottleneckOptions) {
    const { seed, congestionControl, flows = 1, rateBps, rttNs, queuePackets, ecnThresholdPackets, loss = 0 } = options;
    const network = new Network({ seed });
    const profile = {
      congestionControl,
      ecn: "on",
      receiveBufferBytes: 2 ** 24,
      receiveBufferMaxBytes: 2 ** 24,
      sendBufferBytes: 2 ** 24,
      ...options.profile,
    } as const;
    network.router("r");
    network.host("sink", { address: "10.1.0.1/24", profile, listen: [{ port: 80, service: { kind: "sink" } }] });
    network.link("r", "sink", { rateBps, queuePackets, ecnThresholdPackets, loss, reverse: { loss: 0 } });
    const starts = Substream.of(seed, "test", "starts");
    for (let i = 0; i < flows; i++) {
      network.host(`s${i}`, { address: `10.0.${i}.1/24`, profile });
      network.link(`s${i}`, "r", { delayNs: rttNs / 2 });
      const startNs = Math.floor(starts.nextFraction() * (options.startsWithinNs ?? 0));
      const arrivals = { kind: "rate", perSecond: 1, startNs } as const;
      const ends = { from: [`s${i}`], to: ["sink:80"], connections: 1, arrivals };
      network.workload({ name: `w${i}`, kind: "bulk", ...ends, bytes: 1e12 });
    }
    this.simulation = network.build();
    this.delivered = new Float64Array(flows);
    const { packets, addresses, partition } = this.simulation;
    const senders = new Map(
      Array.from({ length: flows }, (_, i) => [addresses.intern(`10.0.${i}.1`), i]),
    );
    this.simulation.onDelivery((p, _timeNs, _from, to) => {
      if (to !== "sink") return;
      const rows = packets.rows.words;
      this.delivered[senders.get(rows[p * PACKET.STRIDE + PACKET.SRC])!] += rows[p * PACKET.STRIDE + PACKET.LENGTH];
    });
    const { links, nodes } = partition;
    const nameOf = (node: number) => nodes.nameOf(node);
    this.direction = Array.from({ length: links.count }, (_, d) => d).find((d) =>
      nameOf(links.words[d * DIRECTION.STRIDE + DIRECTION.FROM]) === "r" &&
      nameOf(links.words[d * DIRECTION.STRIDE + DIRECTION.TO]) === "sink"
    )!;
  }

  /** Runs until `seconds` of simulated time. */
  runTo(seconds: number): void {
    this.simulation.run({ untilNs: Math.round(seconds * 1e9) });
  }

  /** Bytes per second of each flow from now until `seconds`. */
  rates(seconds: number): number[] {
    const before = this.delivered.slice();
    const beginNs = this.simulation.nowNs;
    this.runTo(seconds);
    return Array.from(this.delivered, (bytes, i) => (bytes - before[i]) / (this.simulation.nowNs - beginNs) * 1e9);
  }

  /** Bytes waiting at the bottleneck. */
  get queueBytes(): number {
    return this.simulation.partition.links.backlogBytes(this.direction, this.simulation.nowNs);
  }
}

/** Jain's index of fairness: 1 where all are alike, 1 / n where one has everything. */
export function jainIndex(rates: readonly number[]): number {
  const sum = rates.reduce((a, b) => a + b, 0);
  return sum * sum / (rates.length * rates.reduce((a, b) => a + b * b, 0));
}

/** The middle one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
