/** A laboratory whose gateway is a NAT64, for the tests that need one. */
import { parsePrefix } from "../../src/base/address.ts";
import { WELL_KNOWN_PREFIX } from "../../src/base/ipv4_embedded.ts";
import {
  nat64Prefix,
  NAT_VERDICT_NAMES,
  type NatGatewayOptions,
  translateInbound,
  translateToIpv4,
  translateToIpv6,
} from "../../src/nat/nat.ts";
import { PACKET, PROTOCOL } from "../../src/wire/packet.ts";
import { Laboratory, type Sketch } from "./harness.ts";

const { PORTS, CONTROL: CONTROL_AT, LENGTH, STRIDE } = PACKET;

/** A laboratory whose gateway is a NAT64. */
export class Nat64 extends Laboratory {
  readonly gateway64: number;

  constructor(options: Partial<NatGatewayOptions> = {}, prefix = WELL_KNOWN_PREFIX) {
    super();
    this.gateway64 = this.gateway({
      mapping: "endpoint-independent",
      filtering: "endpoint-independent",
      portAssignment: "sequential",
      ...options,
    });
    this.nat.extrasOf(this.gateway64).nat64 = nat64Prefix(parsePrefix(prefix));
  }

  /** From an IPv6 host; the verdict and the packet after it. */
  fromInside(sketch: Sketch): string {
    return this.#run(sketch, (p) => translateToIpv4(this.nat, this.gateway64, p));
  }

  /** From outside, for an IPv6 host. */
  fromOutside(sketch: Sketch): string {
    return this.#run(sketch, (p) => {
      const verdict = translateInbound(this.nat, this.gateway64, p);
      return verdict === 0 ? translateToIpv6(this.nat, this.gateway64, p) : verdict;
    });
  }

  #run(sketch: Sketch, translate: (p: number) => number): string {
    const p = this.build(sketch);
    const words = this.packets.rows.words;
    const ipv6 = sketch.src.includes(":");
    const isIcmp = sketch.protocol === "icmp" || sketch.quoted !== undefined;
    if (isIcmp) {
      words[p * STRIDE + CONTROL_AT] &= 0xffffff;
      words[p * STRIDE + CONTROL_AT] |= (ipv6 ? PROTOCOL.ICMPV6 : PROTOCOL.ICMP) << 24;
      words[p * STRIDE + PORTS] = (sketch.type ?? 0) << 24;
    }
    if (sketch.quoted) words[p * STRIDE + LENGTH] = ipv6 ? 48 : 28;
    const verdict = NAT_VERDICT_NAMES[translate(p)];
    let after = this.describe(p);
    const [src, dst, ports, sequence] = words.subarray(p * STRIDE, p * STRIDE + 4);
    const protocol = words[p * STRIDE + CONTROL_AT] >>> 24;
    const text = (id: number) => this.addresses.toText(id);
    if (isIcmp && !sketch.quoted) after = `icmp ${ports >>> 24} ${text(src)} > ${text(dst)} id ${sequence >>> 16}`;
    const length = words[p * STRIDE + LENGTH];
    this.packets.release(p);
    if (sketch.quoted && verdict === "forward") return `${verdict} ${protocol} ${length} ${after}`;
    return verdict === "forward" || verdict === "hairpin" ? `${verdict} ${after}` : verdict;
  }
}
