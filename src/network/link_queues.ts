/**
 * Links whose queue has a discipline (`link/queues/`): packets wait there, and an event asks for the next one when the
 * link has sent the last.
 *
 * @module
 */
import type { App } from "../app/types.ts";
import { DIRECTION, DIRECTION_FLAG, type Links } from "../link/links.ts";
import { CLOCK } from "../store/clock.ts";
import { LINK_QUEUE_APP } from "./app_event.ts";
import { drop } from "./deliver.ts";
import { DROP, dropOfLink } from "./drops.ts";
import { sendAway } from "./part_crossing.ts";
import type { Partition } from "./partition.ts";

const { FROM, FLAGS, STRIDE } = DIRECTION;
const { AWAY } = DIRECTION_FLAG;

/** The application behind such links: direction `code` is free for the next packet. */
export class LinkQueueApp implements App {
  readonly #partition: Partition;

  /** Of one partition. */
  constructor(partition: Partition) {
    this.#partition = partition;
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}. Queues are the links' to save. */
  visitState(): void {}

  /** See {@linkcode App}. */
  onTimer(code: number): void {
    next(this.#partition, code, true);
  }
}

/** Direction `d` has been given a packet to hold: it sends it, or another, if it is free. */
export function sendHeld(s: Partition, d: number): void {
  next(s, d, false);
}

/** Cuts direction `d`: what waits for it or is on its way is lost. */
export function cutDirection(s: Partition, d: number): void {
  s.part?.sightings?.nextStage();
  s.links.cut(d);
  dropAll(s, s.links.discarded.overflowed, d, DROP.LINK_DOWN);
}

/** Empties the queue of direction `d`, whose node has restarted: what has left arrives. */
export function purgeDirection(s: Partition, d: number): void {
  s.part?.sightings?.nextStage();
  s.links.purge(d);
  dropAll(s, s.links.discarded.overflowed, d, DROP.RESTART);
}

function next(s: Partition, d: number, asked: boolean): void {
  const links = s.links;
  const p = links.sendNext(d, asked);
  const { nextNs } = links;
  if (p !== 0) {
    if (links.outcome !== 0) drop(s, fromOf(links, d), p, dropOfLink(links.outcome));
    else if (s.part !== undefined && (links.words[d * STRIDE + FLAGS] & AWAY) !== 0) sendAway(s, s.part, d, p);
    else s.queue.pushTimed(p << 1);
    pushTwin(s, d);
  }
  const { overflowed, early } = links.discarded;
  if (overflowed.length > 0) dropAll(s, overflowed, d, DROP.QUEUE);
  if (early.length > 0) dropAll(s, early, d, DROP.QUEUE_EARLY);
  if (nextNs >= 0) s.schedule(fromOf(links, d), LINK_QUEUE_APP, nextNs, d, 0, 0);
}

/** Queues the second packet of a duplication by direction `d`, if there is one. */
export function pushTwin(s: Partition, d: number): void {
  const { duplicate, words } = s.links;
  const twin = duplicate.packet;
  if (twin === 0) return;
  duplicate.packet = 0;
  s.clock[CLOCK.TIME] = duplicate.arrivalNs;
  if (s.part !== undefined && (words[d * STRIDE + FLAGS] & AWAY) !== 0) sendAway(s, s.part, d, twin);
  else s.queue.pushTimed(twin << 1);
}

function dropAll(s: Partition, packets: number[], d: number, reason: number): void {
  const from = fromOf(s.links, d);
  for (const p of packets) drop(s, from, p, reason);
  packets.length = 0;
}

function fromOf(links: Links, d: number): number {
  return links.words[d * STRIDE + FROM];
}
