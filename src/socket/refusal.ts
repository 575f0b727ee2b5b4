/**
 * What refuses an open before TCP is asked.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import type { SocketRuntime } from "./runtime.ts";

/** The `ERRNO`; 0 for none. `local` is 0 where the host has no address of the family, `localPort` for any. */
export function openRefusal(
  runtime: SocketRuntime,
  node: number,
  local: number,
  localPort: number,
  remote: number,
): number {
  if (local === 0) return ERRNO.ENETUNREACH;
  if (!runtime.hasAddress(node, local)) return ERRNO.EADDRNOTAVAIL;
  const { addresses, demux } = runtime.tcp;
  if (addresses.isIpv6(local) !== addresses.isIpv6(remote)) return ERRNO.EINVAL;
  return localPort !== 0 && demux.findListener(node, local, localPort) !== 0 ? ERRNO.EADDRINUSE : 0;
}
