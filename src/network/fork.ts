/**
 * Changes of a run that has begun: what makes one of two futures different.
 *
 * @module
 */
import { plainText, type PlainValue, plainValue } from "../base/plain.ts";
import type { NetworkDocument } from "./document.ts";
import { NetworkError } from "./errors.ts";
import type { NetworkEvent } from "./event_options.ts";
import { planEvents } from "./event_plan.ts";
import { Events } from "./events.ts";
import type { Partition } from "./partition.ts";

/**
 * What is to become different: any event (`NetworkEvent`), by default now. A link's rate, delay, loss or queue; a NAT
 * gateway's timeouts; settings of hosts, their congestion control for instance; and so on.
 */
export type ForkChange = NetworkEvent extends infer Event
  ? Event extends NetworkEvent ? Omit<Event, "atNs"> & { atNs?: number } : never
  : never;

/**
 * Has the changes happen in a network that was built from `declaration`, and returns them as events of it. Throws `NetworkError`, which calls them `changes[0]` and so on.
 */
export function addChanges(
  s: Partition,
  declaration: NetworkDocument,
  changes: readonly ForkChange[],
): NetworkEvent[] {
  const { events: before, workloads } = plainValue(
    plainText(declaration as unknown as PlainValue),
  ) as unknown as NetworkDocument;
  const more = changes.map((change, i) => {
    const { atNs = s.nowNs } = change;
    if (atNs < s.nowNs) {
      throw new NetworkError(
        `changes[${i}].atNs`,
        `A change is not before now (${s.nowNs} ns), and this is at ${atNs}.`,
      );
    }
    return { ...change, atNs } as NetworkEvent;
  });
  const subjectOf = (i: number) => i < before.length ? `events[${i}]` : `changes[${i - before.length}]`;
  const planned = planEvents([...before, ...more], s.plan!, workloads.map(({ name }) => name), subjectOf);
  const events = s.apps.find((app) => app instanceof Events)!;
  events.add(planned.slice(before.length));
  return more;
}
