/**
 * Addresses and ports as text, and what is no port.
 *
 * @module
 */

/** `192.0.2.1:80`, `[2001:db8::1]:80`. */
export function endpointText(address: string, port: number): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** Throws `RangeError` for what is no port. */
export function checkPort(port: number): void {
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return;
  throw new RangeError(`A port is a whole number from 1 to 65535, not ${port}.`);
}

/** Is it meant to be a numeric address, and no name? */
export function isNumeric(address: string): boolean {
  return address.includes(":") || /^[\d.]*$/.test(address);
}
