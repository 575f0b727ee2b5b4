/**
 * Addresses that floods make up (RFC 4987).
 *
 * @module
 */
import type { IpPrefix } from "../base/address.ts";
import type { Partition } from "./partition.ts";

/** How long packets from and to a made-up address may be under way, ns. */
export const HELD_NS = 10e9;

/** Where made-up addresses come from: a prefix; none: anywhere in IPv4. */
export type Spoof = IpPrefix | undefined;

/** May an address be one that a flood has made up? Then nobody is there, and routers say nothing about it. */
export function isSpoofed(s: Partition, address: number): boolean {
  const ipv6 = s.addresses.isIpv6(address);
  return s.spoofs.some((spoof) => {
    if (spoof === undefined) return !ipv6;
    if ((spoof.address.family === 6) !== ipv6) return false;
    const { words } = s.addresses.toAddress(address);
    return words.every((word, k) => ((word ^ spoof.address.words[k]) & maskOf(spoof.bits, k)) === 0);
  });
}

/** Which bits of word `k` of an address belong to a prefix. */
export function maskOf(bits: number, k: number): number {
  const left = Math.min(32, Math.max(0, bits - 32 * k));
  return left === 0 ? 0 : -1 << (32 - left);
}

/** Made-up addresses that packets from another thread have brought: held as long as the flood holds them in its own. */
export class SpoofsHeld {
  #ids: number[] = [];
  #untilNs: number[] = [];
  #head = 0;

  /** Holds `id`, about which a packet arrives at `timeNs`, if a flood has made it up. (Others are kept for good.) */
  hold(s: Partition, id: number, timeNs: number): void {
    if (!isSpoofed(s, id)) return;
    this.#ids.push(id);
    this.#untilNs.push(timeNs + HELD_NS);
  }

  /** Lets go of those whose time is over. */
  letGo(s: Partition): void {
    const ids = this.#ids;
    while (this.#head < ids.length && this.#untilNs[this.#head] <= s.nowNs) s.addresses.release(ids[this.#head++]);
    if (this.#head * 2 < ids.length || this.#head === 0) return;
    this.#ids = ids.slice(this.#head);
    this.#untilNs = this.#untilNs.slice(this.#head);
    this.#head = 0;
  }
}
