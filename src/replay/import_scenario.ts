/**
 * The scenario that re-creates a capture's connections: the same ends, beginnings, exchanges, pauses and closes, over
 * links with the delays and losses that were seen. It is text in one fixed form: equal captures make equal files.
 *
 * @module
 */
import { formatDurationNs } from "../base/units.ts";
import type { ImportedCapture } from "./import_capture.ts";
import { type Play, playOf } from "./import_exchanges.ts";
import type { ImportedConnection } from "./import_connection.ts";
import { type ImportedHost, ImportedTopology } from "./import_topology.ts";

/** What begins later than this is left out, ns: a run lasts 12 days. */
const LATEST_NS = 10 * 86_400e9;
/** Finest grain of times, ns. */
const GRAIN_NS = 1000;
/** Name of the node where the capture was made. */
const HUB = "capture_point";
/** MTU of a link that does not say another. */
const DEFAULT_MTU = 1500;

/** Options of {@linkcode scenarioOf}. */
export interface ImportScenarioOptions {
  /** The scenario's name. */
  name: string;
  /** Pauses are rounded to multiples of this, ns; the coarser, the more connections are alike. Default 1,000. */
  roundNs?: number;
}

/** A scenario made from a capture. */
export interface ImportedScenario {
  /** YAML. */
  text: string;
  /** Sentences about what the scenario does not re-create. */
  notes: string[];
  /** Connections that it plays. */
  connections: number;
  /** Workloads that play them: connections that are alike share one. */
  workloads: number;
}

/** Connections that are alike. */
interface Group {
  from: ImportedHost;
  to: ImportedHost;
  port: number;
  play: Play;
  members: { startNs: number; fromPort: number }[];
}

/** Makes the scenario. */
export function scenarioOf(capture: ImportedCapture, options: ImportScenarioOptions): ImportedScenario {
  const notes = notesOfCapture(capture);
  const { connections } = capture;
  const topology = new ImportedTopology(connections);
  const roundNs = options.roundNs ?? GRAIN_NS;
  const left = { refused: 0, unanswered: 0, late: 0, portless: 0 };
  const plays: { connection: ImportedConnection; play: Play }[] = [];
  for (const connection of connections) {
    const to = topology.hostOf(connection, false);
    const { outcome } = connection;
    if (connection.client.port === 0 || connection.server.port === 0) left.portless++;
    else if (outcome === "refused" && to.ports.includes(connection.server.port)) left.refused++;
    else if (outcome === "unanswered" && !to.silent) left.unanswered++;
    else if (connection.lastNs > LATEST_NS) left.late++;
    else {
      const clientNs = tripOf(topology.hostOf(connection, true));
      plays.push({ connection, play: playOf(connection, { clientNs, serverNs: tripOf(to) }, roundNs) });
    }
  }
  const shiftNs = plays.reduce((least, { play }) => Math.min(least, play.startNs), 0);
  const groups = new Map<string, Group>();
  for (const { connection, play } of plays) {
    const from = topology.hostOf(connection, true);
    const to = topology.hostOf(connection, false);
    const { startNs, ...rest } = play;
    const key = JSON.stringify([from.name, to.name, connection.server.port, rest]);
    let group = groups.get(key);
    if (group === undefined) groups.set(key, group = { from, to, port: connection.server.port, play, members: [] });
    const atNs = Math.round((startNs - shiftNs) / GRAIN_NS) * GRAIN_NS;
    group.members.push({ startNs: atNs, fromPort: connection.client.port });
  }
  notes.push(...notesOfPlays(connections, plays.map(({ play }) => play), left));
  const established = plays.filter(({ connection }) => connection.outcome === "established").length;
  const lines = [
    ...notes.map((note) => `# ${note}`),
    `name: ${JSON.stringify(options.name)}`,
    `description: ${JSON.stringify(describe(capture))}`,
    "nodes:",
    `  ${HUB}: { kind: router }`,
    ...topology.hosts.flatMap(hostLines),
    ...(topology.hosts.length === 0 ? [] : ["links:"]),
    ...topology.hosts.map(linkLine),
    ...(groups.size === 0 ? [] : ["workloads:"]),
    ...[...groups.values()].flatMap((group, i) => workloadLines(group, i)),
    ...(established === 0 ? [] : ["expect:", `  - connections.established == ${established}`]),
  ];
  return { text: lines.join("\n") + "\n", notes, connections: plays.length, workloads: groups.size };
}

function tripOf({ roundTripNs }: ImportedHost): number {
  return Number.isFinite(roundTripNs) ? roundTripNs : 0;
}

function describe({ connections, packets }: ImportedCapture): string {
  return `Re-creates ${plural(connections.length, "connection")} of a capture of ${plural(packets, "packet")}.`;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** Sentences about what of a capture could not be used. */
export function notesOfCapture(capture: ImportedCapture): string[] {
  const { skipped, strays, beyondLimit, timesBackwards, timeless, damage, segmentsCut, connections } = capture;
  const notes: string[] = [];
  const say = (count: number, what: string, rest: string) => {
    if (count > 0) notes.push(`${plural(count, what)} ${rest}`);
  };
  if (damage !== undefined) notes.push(`The file is damaged ${damage} What comes before was imported.`);
  say(beyondLimit, "connection", "beyond the limit left out: --limit N imports more.");
  say(strays, "TCP packet", "without a connection that was imported.");
  say(skipped.fragment, "IP fragment", "left out.");
  say(skipped.cut, "packet", "cut off before the end of the TCP header left out.");
  say(skipped.malformed, "packet", "with impossible lengths left out.");
  say(skipped["link-type"], "packet", "of a link type that is not read left out.");
  say(skipped.other, "packet", "of other protocols left out.");
  const duplicates = connections.reduce((sum, one) => sum + one.duplicates, 0);
  say(duplicates, "packet", "seen twice on its way, with another TTL: counted once.");
  const copies = connections.reduce((sum, one) => sum + one.copies, 0);
  say(copies, "packet", "seen twice at one place, with the same identification: counted once.");
  say(timeless, "packet", "without a time (simple packet blocks): it got that of the one before, so pauses are lost.");
  say(timesBackwards, "packet", "seen before the one before it by its time: it got that one's.");
  if (connections.length === 0) notes.push("There is no TCP connection in it: nothing to re-create or to play.");
  if (segmentsCut) notes.push("The capture is too large to be kept whole: connections end early.");
  return notes;
}

function notesOfPlays(
  connections: readonly ImportedConnection[],
  plays: readonly Play[],
  left: Record<"refused" | "unanswered" | "late" | "portless", number>,
): string[] {
  const notes: string[] = [];
  const say = (count: number, what: string, rest: string) => {
    if (count > 0) notes.push(`${plural(count, what)} ${rest}`);
  };
  say(connections.filter(({ hasBeginning }) => !hasBeginning).length, "connection", "began before the capture.");
  const oneSided = connections.filter(({ outcome, sides }) =>
    outcome === "established" && sides.some(({ packets }) => packets === 0)
  );
  say(oneSided.length, "connection", "seen in one direction only: the other follows from its acknowledgements.");
  say(
    connections.filter(({ joined }) => joined).length,
    "connection",
    "with more turns than are kept: the last are one.",
  );
  say(
    plays.filter(({ cutShort }) => cutShort).length,
    "connection",
    "closed while data was on its way: closed after its last data.",
  );
  say(left.refused, "refused connection", "left out: the port answers others.");
  say(left.unanswered, "unanswered connection", "left out: the host answers others.");
  say(left.late, "connection", "that went on after ten days left out.");
  say(left.portless, "connection", "with port 0 left out.");
  return notes;
}

function hostLines(host: ImportedHost): string[] {
  const { name, address, instead, ports, without } = host;
  const off = Object.entries(without).filter(([, is]) => is).map(([key]) => `${key}: false`);
  const parts = ["kind: host", `address: ${JSON.stringify(address)}`];
  if (off.length > 0) parts.push(`profile: { ${off.join(", ")} }`);
  if (ports.length > 0) parts.push(`listen: [${ports.toSorted((a, b) => a - b).join(", ")}]`);
  return [`  ${name}: { ${parts.join(", ")} }${instead === undefined ? "" : ` # ${instead} in the capture`}`];
}

function linkLine(host: ImportedHost): string {
  const { name, packetsFrom, packetsTo, lostFrom, lostTo, mtu } = host;
  const parts = [`between: [${name}, ${HUB}]`, `delay: ${time(Math.round(tripOf(host) / 2))}`];
  if (mtu > 0 && mtu !== DEFAULT_MTU) parts.push(`mtu: ${Math.max(mtu, 576)}`);
  const from = share(lostFrom, packetsFrom + lostFrom);
  // A host that never answered is out of reach.
  const to = host.silent ? "100%" : share(lostTo, packetsTo);
  if (from !== "0%") parts.push(`loss: ${from}`);
  if (to !== from) parts.push(`reverse: { loss: ${to} }`);
  return `  - { ${parts.join(", ")} }`;
}

/** Three figures of a percentage. */
function share(part: number, whole: number): string {
  return part === 0 || whole === 0 ? "0%" : `${Number(Math.min(99, part * 100 / whole).toPrecision(3))}%`;
}

function time(ns: number): string {
  return ns === 0 ? "0s" : formatDurationNs(ns).replace(" ", "");
}

function workloadLines({ from, to, port, play, members }: Group, i: number): string[] {
  const sorted = members.toSorted((a, b) => a.startNs - b.startNs);
  return [
    `  - name: c${i + 1}`,
    "    kind: schedule",
    `    from: ${from.name}`,
    `    to: ${to.name}:${port}`,
    `    at: [${sorted.map(({ startNs }) => time(startNs)).join(", ")}]`,
    `    fromPorts: [${sorted.map(({ fromPort }) => fromPort).join(", ")}]`,
    ...(play.exchanges.length === 0 ? [] : ["    exchanges:"]),
    ...play.exchanges.map(({ requestBytes, replyBytes, thinkNs, workNs }) => {
      const parts: string[] = [];
      if (thinkNs > 0) parts.push(`think: ${time(thinkNs)}`);
      if (requestBytes > 0) parts.push(`request: ${requestBytes}`);
      if (workNs > 0) parts.push(`work: ${time(workNs)}`);
      if (replyBytes > 0) parts.push(`reply: ${replyBytes}`);
      return `      - { ${parts.join(", ")} }`;
    }),
    ...(play.holdNs === 0 ? [] : [`    hold: ${time(play.holdNs)}`]),
    ...(play.close === "client" ? [] : [`    close: ${play.close}`]),
    ...(play.reset ? ["    reset: true"] : []),
    ...(play.halfClose ? ["    halfClose: true"] : []),
    ...(play.closeWaitNs === 0
      ? []
      : [`    closeWait: ${play.closeWaitNs === Infinity ? "forever" : time(play.closeWaitNs)}`]),
  ];
}
