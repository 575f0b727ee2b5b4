/**
 * Addresses and ports as text, and what is no port.
 *
 * @module
 */
import { formatAddress, parseAddress } from "../base/address.ts";

/** `192.0.2.1:80`, `[2001:db8::1]:80`. */
export function endpointText(address: string, port: number): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** Throws `RangeError` for what is no port. */
export function checkPort(port: number): void {
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return;
  throw new RangeError(`A port is a whole number from 1 to 65535, not ${port}.`);
}

/**
 * What a socket that listens on `address` is bound to, as Linux has it: `::` is every address of both families, or with
 * `ipv6Only` (IPV6_V6ONLY) of IPv6 alone, `0.0.0.0` every one of IPv4. `any`: there is nothing to check.
 */
export function listenAddress(address: string | undefined, ipv6Only: boolean): { address?: string; any: boolean } {
  if (address === undefined && !ipv6Only) return { any: true };
  const text = address === undefined ? "::" : formatAddress(parseAddress(address));
  if (ipv6Only && !text.includes(":")) throw new RangeError(`ipv6Only is for IPv6 addresses, and ${text} is none.`);
  if (text === "::" && !ipv6Only) return { any: true };
  return { address: text, any: text === "::" || text === "0.0.0.0" };
}

/** Is it meant to be a numeric address, and no name? */
export function isNumeric(address: string): boolean {
  return address.includes(":") || /^[\d.]*$/.test(address);
}
