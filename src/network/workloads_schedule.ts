/**
 * From declared schedules to the applications that play them.
 *
 * @module
 */
import { type ExchangePlan, ScheduleBook } from "../app/schedule.ts";
import { ScheduleClient } from "../app/schedule_client.ts";
import { adoptScheduled, ScheduleServer } from "../app/schedule_server.ts";
import type { Sources, Targets } from "../app/targets.ts";
import type { WorkloadCounts } from "../app/workload_counts.ts";
import { NetworkError } from "./errors.ts";
import { type ExchangeOptions, holdNsOf, type ServiceOptions, type WorkloadOptions } from "./options.ts";
import { NOTE, type Part } from "./part.ts";
import { sendNote } from "./part_crossing.ts";
import type { Partition } from "./partition.ts";

/** Exchanges of a connection at most: their number is kept in 27 bits. */
const MOST_EXCHANGES = 2 ** 27 - 1;
/** Bytes of a request or a reply at most. */
export const MOST_EXCHANGE_BYTES: number = 2 ** 30;

const EXCHANGE_FIELDS = [
  ["requestBytes", "request", MOST_EXCHANGE_BYTES],
  ["replyBytes", "reply", MOST_EXCHANGE_BYTES],
  ["thinkNs", "think", Number.MAX_SAFE_INTEGER],
  ["workNs", "work", Number.MAX_SAFE_INTEGER],
] as const;

/** Throws `NetworkError` for a schedule that cannot be played. */
export function checkSchedule(options: WorkloadOptions, subject: string): void {
  if (options.kind !== "schedule") return;
  const { atNs = [], fromPorts = [], exchanges = [], connections } = options;
  if (connections !== atNs.length) {
    throw new NetworkError(`${subject}.at`, `${connections} connections cannot begin at ${atNs.length} times.`);
  }
  for (const [i, ns] of atNs.entries()) {
    if (Number.isSafeInteger(ns) && ns >= (atNs[i - 1] ?? 0)) continue;
    throw new NetworkError(`${subject}.at[${i}]`, `Times are whole nanoseconds in order, and ${ns} is not.`);
  }
  for (const [i, port] of fromPorts.entries()) {
    if (Number.isInteger(port) && port >= 0 && port <= 65535) continue;
    throw new NetworkError(`${subject}.fromPorts[${i}]`, `A port is 1 to 65535 (0: any), not ${port}.`);
  }
  const { close = "client", halfClose = false, reset = false, closeWaitNs = 0 } = options;
  if (halfClose && (reset || close === "none")) {
    throw new NetworkError(
      `${subject}.halfClose`,
      `A half-close is a FIN: not with ${reset ? "reset" : "close: none"}.`,
    );
  }
  if (closeWaitNs !== Infinity && !(Number.isSafeInteger(closeWaitNs) && closeWaitNs >= 0)) {
    throw new NetworkError(`${subject}.closeWait`, `A time of at least 0s, not ${closeWaitNs}.`);
  }
  if (exchanges.length > MOST_EXCHANGES) {
    throw new NetworkError(`${subject}.exchanges`, `At most ${MOST_EXCHANGES} exchanges, not ${exchanges.length}.`);
  }
  for (const [i, exchange] of exchanges.entries()) {
    for (const [key, name, most] of EXCHANGE_FIELDS) {
      const value = exchange[key] ?? 0;
      if (Number.isSafeInteger(value) && value >= 0 && value <= most) continue;
      throw new NetworkError(`${subject}.exchanges[${i}].${name}`, `A whole number from 0 to ${most}, not ${value}.`);
    }
  }
}

/** The book of each partition that has schedules. */
const BOOKS = new WeakMap<Partition, ScheduleBook>();

function bookOf(s: Partition): ScheduleBook {
  let book = BOOKS.get(s);
  if (book === undefined) BOOKS.set(s, book = new ScheduleBook());
  return book;
}

/** Has all threads of a run write their books alike. */
export function shareSchedules(s: Partition, part: Part): void {
  const book = BOOKS.get(s);
  if (book === undefined) return;
  book.onWrite = (sequence, port, app) => sendNote(s, part, NOTE.SCHEDULE, sequence, port, app);
  part.notes[NOTE.SCHEDULE] = (sequence, port, app) => book.copy(sequence, port, app);
}

/** Makes both sides of a schedule and starts the first. */
export function startSchedule(
  s: Partition,
  options: WorkloadOptions,
  { sources, targets, counts }: { sources: Sources; targets: Targets; counts: WorkloadCounts },
): void {
  const plan = planOf(options);
  const server = s.apps.length;
  s.apps.push(new ScheduleServer({ runtime: s, app: server, plan }));
  const { atNs = [], fromPorts = [] } = options;
  const app = s.apps.length;
  const book = bookOf(s);
  const common = { runtime: s, app, server, plan, book, counts };
  const client = new ScheduleClient({ ...common, atNs, fromPorts, sources, targets });
  s.apps.push(client);
  client.start();
}

/** For the service of a port: what takes the connections of schedules, if that is what the port is for. */
export function adopterOf(s: Partition, service: ServiceOptions): ((connection: number) => boolean) | undefined {
  if (service.kind !== "schedule") return undefined;
  const book = bookOf(s);
  return (connection) => adoptScheduled(s, s.apps, book, connection);
}

function planOf(options: WorkloadOptions): ExchangePlan {
  const { exchanges = [], close = "client", reset = false, halfClose = false, closeWaitNs = 0 } = options;
  const column = (key: keyof ExchangeOptions) => Float64Array.from(exchanges, (exchange) => exchange[key] ?? 0);
  return {
    count: exchanges.length,
    requestBytes: column("requestBytes"),
    replyBytes: column("replyBytes"),
    thinkNs: column("thinkNs"),
    workNs: column("workNs"),
    holdNs: holdNsOf(options),
    clientCloses: close === "client" || close === "both",
    serverCloses: close === "server" || close === "both",
    resets: reset,
    halfCloses: halfClose,
    closeWaitNs,
  };
}
