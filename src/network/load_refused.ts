/**
 * Which of a workload's connections meet nobody: the port is closed there, for good or at that time. They are over a
 * round trip after they began, and leave little behind.
 *
 * @module
 */
import type { NetworkEvent } from "./event_options.ts";
import { arrivalsOf, AT_ONCE, type Flows } from "./load_flows.ts";
import { destinationOf, plainName, type Ways } from "./load_ways.ts";
import type { WorkloadOptions } from "./options.ts";
import type { Declaration } from "./plan.ts";

/** Connections of a workload that fare alike. */
export interface Part {
  /** The workload, as if it were of these alone. */
  options: WorkloadOptions;
  /** A reset, or an ICMP error, is all that answers them. */
  refused: boolean;
}

/** What a connection that is refused has no time for. */
const SHORT: Partial<WorkloadOptions> = {
  requests: 1,
  exchanges: [],
  bytes: 0,
  requestBytes: 0,
  replyBytes: 0,
  holdNs: 0,
  close: "client",
};

/** A workload's connections by what they meet. They go to its destinations in turn. */
export function partsOf(
  options: WorkloadOptions,
  ways: Ways,
  events: readonly NetworkEvent[],
  untilSeconds: number,
): Part[] {
  const { kind, to, arrivals } = options;
  if (kind === "dns" || kind === "syn-flood") return [{ options, refused: false }];
  const { count, perSecond } = arrivalsOf(options, untilSeconds);
  const startSeconds = (options.atNs?.[0] ?? arrivals?.startNs ?? 0) / 1e9;
  const endSeconds = startSeconds + (perSecond === AT_ONCE ? 0 : count / perSecond);
  const nearest = plainName(options.from[0] ?? "");
  const open: string[] = [];
  let refused = 0;
  for (const text of to) {
    const { name } = destinationOf(text, ways, nearest);
    const declaration = name === undefined ? undefined : ways.byName.get(name);
    const port = Number(/:(\d+)$/.exec(text)?.[1] ?? 0);
    const protocol = options.transport ?? "tcp";
    const closed = declaration === undefined
      ? 0
      : closedShare(declaration, port, protocol, events, startSeconds, endSeconds);
    refused += closed / to.length;
    if (closed < 1) open.push(text);
  }
  if (refused === 0) return [{ options, refused: false }];
  const scaled = (share: number): Partial<WorkloadOptions> => ({
    connections: Math.round(options.connections * share),
    arrivals: arrivals?.perSecond === undefined ? arrivals : { ...arrivals, perSecond: arrivals.perSecond * share },
  });
  const parts: Part[] = [{ options: { ...options, ...SHORT, ...scaled(refused) }, refused: true }];
  if (open.length > 0) parts.push({ options: { ...options, ...scaled(1 - refused), to: open }, refused: false });
  return parts;
}

/** Share of the time from `from` to `to` in which nobody listens on a port. */
function closedShare(
  declaration: Declaration,
  port: number,
  protocol: "tcp" | "udp",
  events: readonly NetworkEvent[],
  from: number,
  to: number,
): number {
  if (declaration.kind !== "host" || !isDeclared(declaration.options, port, protocol)) {
    return declaration.kind === "host" ? 1 : 0;
  }
  const changes = events.flatMap((event) =>
    event.kind === "listener" && event.port === port && (event.protocol ?? "tcp") === protocol &&
      [event.node].flat().includes(declaration.name) && event.action !== undefined
      ? [{ seconds: event.atNs / 1e9, open: event.action === "open" }]
      : []
  ).sort((x, y) => x.seconds - y.seconds);
  if (changes.length === 0) return 0;
  // (A port whose first event opens it is closed until then.)
  let open = !changes[0].open;
  let openAtFirst = open;
  let closedSeconds = 0;
  let since = -Infinity;
  for (const { seconds, open: opens } of [...changes, { seconds: Infinity, open }]) {
    if (!open) closedSeconds += Math.max(0, Math.min(to, seconds) - Math.max(from, since));
    if (since <= from) openAtFirst = open;
    since = seconds;
    open = opens;
  }
  if (to > from) return closedSeconds / (to - from);
  return openAtFirst ? 0 : 1;
}

/** The same connections if they are refused: one end each, for a round trip, and nothing after it but at NATs. */
export function refusedFlows(flows: Flows): Flows {
  const none = { answered: 0, accepted: 0, timeWaits: 0, backlog: 0, transferring: 0 };
  return { ...flows, ...none, ends: flows.opened, packets: 2, burst: 1 };
}

/** Does a host listen on a port, or has it a service there? */
function isDeclared(
  { listen = [], proxy, dns }: (Declaration & { kind: "host" })["options"],
  port: number,
  protocol: "tcp" | "udp",
): boolean {
  if (listen.some((one) => one.port === port && (one.protocol ?? "tcp") === protocol)) return true;
  return proxy?.port === port || (dns !== undefined && port === 53);
}
