/**
 * How fast a connection may send: the rule, for whoever spaces segments out.
 *
 * @module
 */
import { windowRate } from "./congestion/pacing.ts";
import { congestionOf } from "./congestion/types.ts";
import { readSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { SETTINGS } from "./state/tcb.ts";

const { MAX_PACING_RATE } = SETTINGS;

/**
 * The pacing rate of a connection that has a cold row, in bytes per second: the algorithm's, or what the window and the
 * round trip come to, at most SO_MAX_PACING_RATE. 0: nothing to go by yet, send at once. Whether a connection is paced
 * at all is `isPaced`'s to say.
 */
export function pacingRate(stack: TcpStack, conn: number): number {
  const algorithm = congestionOf(stack, conn);
  const rate = algorithm.pacingRate === undefined ? windowRate(stack, conn) : algorithm.pacingRate(stack, conn);
  const most = readSetting(stack, conn, MAX_PACING_RATE) >>> 0;
  return most !== 0 && (rate === 0 || rate > most) ? most : rate;
}

/** Is the connection paced? Where the profile or SO_MAX_PACING_RATE asks for it, or the algorithm has a rate of its own. */
export function isPaced(stack: TcpStack, conn: number): boolean {
  return congestionOf(stack, conn).pacingRate !== undefined || stack.profileOfConnection(conn).pacing ||
    readSetting(stack, conn, MAX_PACING_RATE) !== 0;
}
