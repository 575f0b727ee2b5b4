/**
 * What NAT gateways hold, as `conntrack -L` shows it and by subscriber. Cold.
 *
 * @module
 */
import type { NatBlock, NatSession, NatSubscriber } from "../nat/nat.ts";
import { blocks, mappings } from "../nat/nat.ts";
import { formatDurationNs } from "../base/units.ts";
import { gatewayOf, natSessions, natSubscribers } from "./nat_events.ts";
import type { Partition } from "./partition.ts";

/** One session, addresses as text. */
export interface NatSessionDump extends Pick<NatSession, "protocol" | "state" | "replied" | "assured" | "fromOutside"> {
  /** The gateway. */
  node: string;
  /** Seconds until it expires unless refreshed. */
  timeoutSeconds: number;
  /** The first packet as it came: source, destination and ports (ICMP: the identifier). */
  original: { source: string; destination: string; sourcePort: number; destinationPort: number };
  /** An answer as it comes. */
  reply: { source: string; destination: string; sourcePort: number; destinationPort: number };
}

/** One subscriber of a gateway, its address as text. */
export interface NatSubscriberDump extends Omit<NatSubscriber, "gateway" | "address"> {
  /** The gateway. */
  node: string;
  /** Its inner address. */
  address: string;
}

/** The sessions of some gateways, in the order in which they were opened. */
export function natTable(s: Partition, nodes: readonly number[]): NatSessionDump[] {
  const tuple = (one: NatSession["original"]) => ({
    source: s.addresses.toText(one.source),
    destination: s.addresses.toText(one.destination),
    sourcePort: one.sourcePort,
    destinationPort: one.destinationPort,
  });
  return gateways(s, nodes).flatMap((node) =>
    [...natSessions(s, node)].map((one) => ({
      node: s.nodes.nameOf(node),
      protocol: one.protocol,
      state: one.state,
      replied: one.replied,
      assured: one.assured,
      fromOutside: one.fromOutside,
      timeoutSeconds: Math.floor(one.timeoutLeftNs / 1e9),
      original: tuple(one.original),
      reply: tuple(one.reply),
    }))
  );
}

/** The subscribers of some gateways, in the order of their addresses. */
export function natSubscriberTable(s: Partition, nodes: readonly number[]): NatSubscriberDump[] {
  return gateways(s, nodes).flatMap((node) =>
    natSubscribers(s, node).map(({ gateway: _, address, ...rest }) => ({
      node: s.nodes.nameOf(node),
      address: s.addresses.toText(address),
      ...rest,
    }))
  );
}

function gateways(s: Partition, nodes: readonly number[]): number[] {
  return nodes.filter((node) => gatewayOf(s, node) !== 0);
}

/** ICMP's and ICMPv6's types of an echo request and its reply. */
const ECHO_TYPES = [[8, 0], [128, 129]] as const;

const NUMBERS = { tcp: 6, udp: 17, icmp: 1 } as const;

/** As `conntrack -L` prints them. */
export function natLines(dump: readonly NatSessionDump[]): string[] {
  return dump.map((one) => {
    const tuple = ({ source, destination, sourcePort, destinationPort }: NatSessionDump["original"], echo: number) => {
      if (one.protocol !== "icmp") {
        return `src=${source} dst=${destination} sport=${sourcePort} dport=${destinationPort}`;
      }
      return `src=${source} dst=${destination} type=${
        ECHO_TYPES[source.includes(":") ? 1 : 0][echo]
      } code=0 id=${sourcePort}`;
    };
    const head = `${one.protocol.padEnd(8)} ${NUMBERS[one.protocol]} ${one.timeoutSeconds}` +
      (one.protocol === "tcp" ? ` ${one.state}` : "");
    return `${head} ${tuple(one.original, 0)}${one.replied ? "" : " [UNREPLIED]"} ${tuple(one.reply, 1)}` +
      `${one.assured ? " [ASSURED]" : ""} mark=0 use=1`;
  });
}

/** A table with a heading: numbers to the right, texts (`left`: their columns) to the left. */
export function table(header: string[], rows: string[][], left: readonly number[] = [0]): string[] {
  const widths = header.map((title, i) => rows.reduce((most, row) => Math.max(most, row[i].length), title.length));
  const line = (row: string[]) =>
    row.map((cell, i) => left.includes(i) ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ").trimEnd();
  return [line(header), ...rows.map(line)];
}

/** Counts by subscriber; what it was refused by reason, and when first. */
export function natSubscriberLines(dump: readonly NatSubscriberDump[]): string[] {
  return table(
    ["subscriber", "sessions", "tcp", "udp", "icmp", "ports", "blocks", "peak", "opened", "refused", "reasons"],
    dump.map((one) => [
      one.address,
      ...[
        one.sessions,
        one.sessionsBy.tcp,
        one.sessionsBy.udp,
        one.sessionsBy.icmp,
        one.ports,
        one.blocks,
        one.sessionsPeak,
        one.sessionsOpened,
        one.refused,
      ].map(String),
      Object.entries(one.refusals).map(([reason, { count, firstNs }]) =>
        `${count} ${reason} since ${formatDurationNs(firstNs)}`
      ).join(", "),
    ]),
    [0, 10],
  );
}

/** The blocks of a gateway. */
export function natBlockLines(s: Partition, node: number): string[] {
  const text = (one: NatBlock) => [
    s.addresses.toText(one.subscriber),
    s.addresses.toText(one.externalAddress),
    `${one.low}-${one.high}`,
    `${one.taken.tcp}`,
    `${one.taken.udp}`,
    `${one.taken.icmp}`,
    formatDurationNs(one.sinceNs),
  ];
  return table(
    ["subscriber", "external", "ports", "tcp", "udp", "icmp", "since"],
    blocks(s.nat, gatewayOf(s, node)).map(text),
  );
}

/** Port forwards and shared mappings of a gateway. */
export function natMappingLines(s: Partition, node: number): string[] {
  return table(
    ["protocol", "internal", "external", "sessions", "kind"],
    mappings(s.nat, gatewayOf(s, node)).map((one) => [
      one.protocol,
      endpoint(s.addresses.toText(one.internalAddress), one.internalPort),
      endpoint(s.addresses.toText(one.externalAddress), one.externalPort),
      `${one.sessions}`,
      one.forward ? "forward" : "dynamic",
    ]),
  );
}

function endpoint(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
