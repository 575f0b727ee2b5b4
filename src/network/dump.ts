/**
 * A look inside at one moment, in the shape that people know: `ss`, `conntrack -L`, `ip route`.
 *
 * @module
 */
import { InputError, nearest } from "../base/errors.ts";
import { formatCount } from "../base/units.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import type { NatSessionDump, NatSubscriberDump } from "./dump_nat.ts";
import type { LinkDump, RouteDump } from "./dump_routes.ts";
import type { SocketDump } from "./dump_sockets.ts";
import {
  natBlockLines,
  natLines,
  natMappingLines,
  natSubscriberLines,
  natSubscriberTable,
  natTable,
} from "./dump_nat.ts";
import { linkLines, links, routeLines, routes } from "./dump_routes.ts";
import { socketLines, sockets, socketSummaryLines } from "./dump_sockets.ts";
import { eachNode } from "./node_selection.ts";
import { owns } from "./part.ts";
import type { Partition } from "./partition.ts";

/** What may be dumped. */
export const DUMP_KINDS = [
  "sockets",
  "udp-sockets",
  "sockets-summary",
  "nat",
  "nat-subscribers",
  "nat-blocks",
  "nat-mappings",
  "routes",
  "links",
] as const;
/** One of `DUMP_KINDS`. */
export type DumpKind = typeof DUMP_KINDS[number];

/** What `Simulation.inspect` tells, each worked out when it is asked for. */
export interface Inspection {
  /** Sockets, of TCP and UDP. */
  sockets(): SocketDump[];
  /** Sessions of NAT gateways. */
  natSessions(): NatSessionDump[];
  /** Subscribers of NAT gateways. */
  natSubscribers(): NatSubscriberDump[];
  /** Routes. */
  routes(): RouteDump[];
  /** Directions of links that the nodes send into. */
  links(): LinkDump[];
}

/** Lines of one dump at most. */
export const MOST_DUMP_LINES = 200_000;

/** Is it something that may be dumped? Throws `InputError` with the nearest name. */
export function checkDumpKind(text: string): DumpKind {
  if ((DUMP_KINDS as readonly string[]).includes(text)) return text as DumpKind;
  const near = nearest(text, [...DUMP_KINDS]);
  const hint = near === undefined ? `there are ${DUMP_KINDS.join(", ")}.` : `did you mean "${near}"?`;
  throw new InputError(`There is no dump called "${text}": ${hint}`);
}

/** Which nodes a dump can be about. */
function kindsOf(kind: DumpKind): readonly number[] {
  if (kind.includes("sockets")) return [NODE_KIND.HOST];
  if (kind.startsWith("nat")) return [NODE_KIND.NAT];
  return Object.values(NODE_KIND);
}

/** What a dump says of one node: its name, lines, and how many entries those are. */
export type DumpSection = [node: string, lines: string[], entries: number];

/** What a dump says of the nodes of this part, or of all. */
export function dumpSections(s: Partition, kind: DumpKind, nodes?: string): DumpSection[] {
  return sectionsOf(s, kind, wantedNodes(s, kind, nodes).filter((node) => owns(s, node)));
}

function wantedNodes(s: Partition, kind: DumpKind, nodes?: string): number[] {
  const kinds = kindsOf(kind);
  return eachNode(s.nodes, nodes).filter((node) => kinds.includes(s.nodes.words[node * NODE.STRIDE + NODE.KIND]));
}

/**
 * The text of a dump, ending in a line feed: for each node its name and what it has. `nodes` narrows it (`server`,
 * `clients[0..9],gw`); without it, those nodes are left out that have nothing. Throws `InputError`. `others` says what
 * there is of the nodes of other parts.
 */
export function dumpText(s: Partition, kind: DumpKind, nodes?: string, others?: () => DumpSection[]): string {
  let sections = dumpSections(s, kind, nodes);
  if (others !== undefined) {
    const byName = new Map([...sections, ...others()].map((section) => [section[0], section]));
    sections = wantedNodes(s, kind, nodes).map((node) => byName.get(s.nodes.nameOf(node))!);
  }
  const lines: string[] = [];
  let left = 0;
  for (const [name, section, entries] of sections) {
    if (entries === 0 && nodes === undefined) continue;
    for (const line of [`# ${name}`, ...section]) {
      if (lines.length < MOST_DUMP_LINES) lines.push(line);
      else left++;
    }
  }
  if (left > 0) lines.push(`… and ${formatCount(left)} more lines: narrow it to some nodes.`);
  if (lines.length === 0) lines.push("(nothing)");
  return lines.join("\n") + "\n";
}

function sectionsOf(s: Partition, kind: DumpKind, wanted: number[]): DumpSection[] {
  switch (kind) {
    case "sockets":
    case "udp-sockets": {
      const protocol = kind === "sockets" ? "tcp" : "udp";
      return grouped(s, wanted, sockets(s, wanted).filter((one) => one.protocol === protocol), socketLines);
    }
    case "sockets-summary":
      return grouped(s, wanted, sockets(s, wanted), socketSummaryLines);
    case "nat":
      return grouped(s, wanted, natTable(s, wanted), (list) => [
        ...natLines(list),
        `${list.length} flow ${list.length === 1 ? "entry has" : "entries have"} been shown.`,
      ]);
    case "nat-subscribers":
      return grouped(s, wanted, natSubscriberTable(s, wanted), natSubscriberLines);
    case "nat-blocks":
    case "nat-mappings":
      return wanted.map((node) => {
        const lines = kind === "nat-blocks" ? natBlockLines(s, node) : natMappingLines(s, node);
        return [s.nodes.nameOf(node), lines, lines.length - 1];
      });
    case "routes":
      return grouped(s, wanted, routes(s, wanted), routeLines);
    case "links":
      return grouped(s, wanted, links(s, wanted), linkLines);
  }
}

function grouped<T extends { node: string }>(
  s: Partition,
  wanted: number[],
  list: T[],
  lines: (list: T[]) => string[],
): DumpSection[] {
  const byNode = new Map<string, T[]>();
  for (const one of list) {
    const known = byNode.get(one.node);
    if (known === undefined) byNode.set(one.node, [one]);
    else known.push(one);
  }
  return wanted.map((node) => {
    const name = s.nodes.nameOf(node);
    const own = byNode.get(name) ?? [];
    return [name, lines(own), own.length];
  });
}
