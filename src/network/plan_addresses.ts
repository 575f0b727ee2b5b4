/**
 * Addresses in declarations.
 *
 * @module
 */
import {
  AddressError,
  formatAddress,
  type IpPrefix,
  notAHostsAddress,
  parseAddress,
  parsePrefix,
} from "../base/address.ts";
import { NetworkError } from "./errors.ts";

/** Parses an address with or without a prefix length. */
export function addressOf(text: string, subject: string): IpPrefix {
  try {
    if (text.includes("/")) return parsePrefix(text);
    const address = parseAddress(text);
    return { address, bits: address.family === 4 ? 32 : 128 };
  } catch (error) {
    if (error instanceof AddressError) throw new NetworkError(subject, error.message);
    throw error;
  }
}

/** As `addressOf`, for an address that a node is to have. */
export function hostsAddressOf(text: string, subject: string): IpPrefix {
  const prefix = addressOf(text, subject);
  const kind = notAHostsAddress(prefix.address);
  if (kind !== undefined) {
    throw new NetworkError(subject, `${formatAddress(prefix.address)} is ${kind}: no node has it.`);
  }
  return prefix;
}
