/**
 * Scheduled events of applications, as rows.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";

/** Word offsets of a scheduled application event. */
export const APP_EVENT = {
  APP: 0,
  CODE: 1,
  CONNECTION: 2,
  GENERATION: 3,
  NODE: 4,
  /** The node's rank: the entity of the order key. */
  RANK: 5,
  /** The node's own count of events: the sequence number of the order key. */
  SEQUENCE: 6,
  ARGUMENT: 7,
  /** Words in a row. */
  STRIDE: 8,
  /** The bits of a row's offset. */
  MASK: rowMask(8),
} as const;

/** Index of the socket layer among the applications. */
export const SOCKET_APP = 1;
/** Index of the loopback interfaces among the applications. */
export const LOOPBACK_APP = 2;
/** Index of TCP's fine timers among the applications. */
export const FINE_TIMER_APP = 3;
/** Index of the hosts' processors among the applications. */
export const CPU_APP = 4;
/** Index of the links' queues among the applications. */
export const LINK_QUEUE_APP = 5;
/** The first application that is none of the network's own. */
export const FIRST_APP = 6;
