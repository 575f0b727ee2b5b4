/**
 * epoll instances: who is watched for what, level- or edge-triggered.
 *
 * @module
 */
import { EPOLL, POLL } from "./abi.ts";
import type { OpenFile } from "./files.ts";

/** One registration. */
export interface Watch {
  file: OpenFile;
  /** Events asked for, with `EPOLL.ET` and so on. */
  events: number;
  /** What `epoll_wait` hands back. */
  data: number;
  /** Something happened to the file since it was last reported: an edge. */
  fresh: boolean;
  /** Reported under EPOLLONESHOT. */
  spent: boolean;
}

/** An epoll instance. */
export class Epoll {
  readonly kind = "epoll";
  readonly watches: Watch[] = [];

  /** Something happened to the file. */
  wake(file: OpenFile): void {
    for (const watch of this.watches) if (watch.file === file) watch.fresh = true;
  }

  /** Events to report, at most `most`; `ready` tells what a file is ready for. */
  collect(most: number, ready: (file: OpenFile) => number): { events: number; data: number }[] {
    const found: { events: number; data: number }[] = [];
    for (const watch of this.watches) {
      if (found.length >= most) break;
      const edge = (watch.events & EPOLL.ET) !== 0;
      if (watch.spent || (edge && !watch.fresh)) continue;
      const events = ready(watch.file) & (watch.events | POLL.ERR | POLL.HUP);
      if (events === 0) continue;
      watch.fresh = false;
      if ((watch.events & EPOLL.ONESHOT) !== 0) watch.spent = true;
      found.push({ events, data: watch.data });
    }
    return found;
  }
}
