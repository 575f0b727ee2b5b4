/**
 * What only some gateways have.
 *
 * @module
 */
import type { Nat64Prefix } from "./nat64_address.ts";
import type { PortBitmap } from "./port_bitmap.ts";
import type { PoolRanges } from "./pool_ranges.ts";
import type { Untranslated } from "./untranslated.ts";
import { NAT_VERDICT_COUNT } from "./verdict.ts";

/** What only some gateways have: made on first need. */
export class GatewayExtras {
  /** Packets refused, by verdict. */
  readonly refused: Float64Array = new Float64Array(NAT_VERDICT_COUNT);
  /** When each verdict first refused a packet, ns; -1 for never. */
  readonly firstRefusedNs: Float64Array = new Float64Array(NAT_VERDICT_COUNT).fill(-1);
  /** NAT64: the prefix that stands for IPv4 addresses. */
  nat64: Nat64Prefix | undefined = undefined;
  /** The pool, if it is several ranges. */
  pool: PoolRanges | undefined = undefined;
  /** Destinations that nothing is translated for. */
  untranslated: Untranslated | undefined = undefined;
  /** Static port forwards. */
  forwards = 0;
  /** Most ports in use towards one crowded destination (overloading). */
  destinationPeak = 0;
  /** Sessions of the subscriber that had most at once (with quotas). */
  subscriberSessionsPeak = 0;
  /** Ports of the subscriber that had most at once (with quotas). */
  subscriberPortsPeak = 0;
  /** Pool addresses that have no free port, by protocol index; with several addresses. */
  readonly fullAddresses: (PortBitmap | undefined)[] = [undefined, undefined, undefined];

  /** Ports that rest, by protocol index; they count as in use too. */
  readonly held: Int32Array = new Int32Array(3);
  /** The port that rests longest, and the one that has begun last: rows, 0 for none. */
  holdOldest = 0;
  holdYoungest = 0;
  /** Ports that rest now, and most at once. */
  holds = 0;
  holdsPeak = 0;
  /** Tick of the one valid entry in the timer wheel for ports that rest, 0 for none. */
  holdQueuedAt = 0;
  /** Blocks given, by pool address; with blocks. */
  readonly blockMaps: (PortBitmap | undefined)[] = [];
  /** Pool addresses that have no free block; with blocks. */
  fullOfBlocks: PortBitmap | undefined = undefined;
  /** Blocks given now, most at once, ever. */
  blocks = 0;
  blocksPeak = 0;
  blocksGiven = 0;
  /** Most blocks that one subscriber has had at once. */
  subscriberBlocksPeak = 0;
  /** Most ports of one protocol that a subscriber has taken in its blocks at once. */
  subscriberTakenPeak = 0;
  /** Records logged, and their bytes. */
  logRecords = 0;
  logBytes = 0;
  /** Fewest tokens that a subscriber has had; with a session rate. */
  tokensLeast = Infinity;
  /** Unsolicited SYNs held now, ever, answered, and let go because a SYN from inside came. */
  heldSyns = 0;
  heldSynsEver = 0;
  heldSynsAnswered = 0;
  heldSynsCancelled = 0;
  /** Restarts. */
  restarts = 0;
}
