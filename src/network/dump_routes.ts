/**
 * Routes and links as they stand, as `ip route` and `ip -s link` show them. Cold.
 *
 * @module
 */
import { formatAddress } from "../base/address.ts";
import { formatDurationNs, formatRateBps } from "../base/units.ts";
import { DIRECTION } from "../link/links.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import type { RouteEntry, RoutePrefix } from "../node/routes.ts";
import { isDown, leadsNowhere } from "./conditions.ts";
import type { Partition } from "./partition.ts";
import { endOf, type PlannedLinks } from "./plan.ts";
import { routeConditions } from "./reroute.ts";
import { computeRoutes, type RouteSink } from "./topology.ts";

/** One way of a route. */
export interface NextHopDump {
  /** The neighbour. */
  via: string;
  /** The link, `r1--r2`, `clients--r1[0..9]`. */
  link: string;
}

/** A route. */
export interface RouteDump {
  /** The node. */
  node: string;
  /** A gateway's side; "" for other nodes. */
  side: "" | "inside" | "outside";
  /** `198.51.100.0/24`, `default`, `::/0`. */
  destination: string;
  /** Where it leads; several share flows; none: unreachable. */
  nextHops: NextHopDump[];
}

/** Keeps what is added. */
class Recorder implements RouteSink {
  readonly tables: Map<string, { prefix: RoutePrefix; entry: RouteEntry }>[] = [new Map()];

  create(): number {
    return this.tables.push(new Map()) - 1;
  }

  add(table: number, prefix: RoutePrefix, entry: RouteEntry): void {
    this.tables[table].set(prefixText(prefix), { prefix, entry });
  }

  freeze(): void {}
}

function prefixText({ address, bits }: RoutePrefix): string {
  if (bits === 0) return address.family === 4 ? "default" : "::/0";
  const words = address.words.map((word, i) => {
    const left = Math.min(32, Math.max(0, bits - 32 * i));
    return left === 0 ? 0 : (word & (-1 << (32 - left))) >>> 0;
  });
  const text = formatAddress({ family: address.family, words } as Parameters<typeof formatAddress>[0]);
  return bits === (address.family === 4 ? 32 : 128) ? text : `${text}/${bits}`;
}

/** The routes of some nodes: as worked out last, with those given by hand. */
export function routes(s: Partition, nodes: readonly number[]): RouteDump[] {
  const recorder = new Recorder();
  const found = computeRoutes(s.plan!, s.addresses, recorder, routeConditions(s));
  return nodes.flatMap((node) => {
    const at = node * NODE.STRIDE;
    const name = s.nodes.nameOf(node);
    const nat = s.nodes.words[at + NODE.KIND] === NODE_KIND.NAT;
    const egress = s.balancers?.withOneLink.get(node) ?? s.nodes.words[at + NODE.EGRESS];
    if (egress >= 0) {
      return [{ node: name, side: "", destination: "default", nextHops: [hop(s, egress, 1)] } satisfies RouteDump];
    }
    const tables: [number, RouteDump["side"]][] = [[found.tables[node], nat ? "outside" : ""]];
    if (nat) tables.push([found.innerTables[node], "inside"]);
    // (To itself it needs no route: what is computed for its own address is never used.)
    const own = new Set(s.nodes.addressesOf(node).map((address) => s.addresses.toText(address)));
    return tables.flatMap(([table, side]) =>
      withoutRepetitions([...recorder.tables[table]]).filter(([text]) => !own.has(text)).map(([text, { entry }]) => ({
        node: name,
        side,
        destination: "firstId" in entry && entry.count > 1 && !leadsNowhere(entry)
          ? `${s.addresses.toText(entry.firstId)}-${s.addresses.toText(entry.firstId + entry.count - 1)}`
          : text,
        nextHops: hopsOf(s, entry),
      }))
    );
  });
}

/** In order; a population, whose addresses are several prefixes, once. */
function withoutRepetitions(
  list: [string, { prefix: RoutePrefix; entry: RouteEntry }][],
): [string, { prefix: RoutePrefix; entry: RouteEntry }][] {
  const seen = new Set<RouteEntry>();
  return list.sort(([, x], [, y]) => compareRoutes(x.prefix, y.prefix)).filter(([, { entry }]) => {
    if (!("firstId" in entry) || leadsNowhere(entry)) return true;
    return !seen.has(entry) && seen.add(entry) !== undefined;
  });
}

/** IPv4 first, then the default route, then by address, the shorter prefix first. */
function compareRoutes(x: RoutePrefix, y: RoutePrefix): number {
  if (x.address.family !== y.address.family) return x.address.family - y.address.family;
  if ((x.bits === 0) !== (y.bits === 0)) return x.bits - y.bits;
  for (let i = 0; i < x.address.words.length; i++) {
    const order = (x.address.words[i] >>> 0) - (y.address.words[i] >>> 0);
    if (order !== 0) return order;
  }
  return x.bits - y.bits;
}

function hopsOf(s: Partition, entry: RouteEntry): NextHopDump[] {
  if ("link" in entry) return [hop(s, entry.link, 1)];
  if ("links" in entry) return entry.links.map((link) => hop(s, link, 1));
  if (leadsNowhere(entry)) return [];
  const links = "spreadLinks" in entry ? entry.spreadLinks : entry.stride === 0 ? 1 : entry.count;
  return [hop(s, entry.linkBase, links)];
}

/** `count` neighbouring directions of one group. */
function hop(s: Partition, d: number, count: number): NextHopDump {
  const { group, index, reverse } = groupOf(s, d);
  const end = reverse ? group.a : group.b;
  const [low, high] = [endOf(end, index, group.count), endOf(end, index + count - 1, group.count)];
  const { name, plural } = end.population;
  const range = (from: number, to: number) => from === to ? `[${from}]` : `[${from}..${to}]`;
  return {
    via: plural ? name + range(low, high) : name,
    link: group.count === 1 ? group.name : group.name + range(index, index + count - 1),
  };
}

/** The group of a direction, which of its links it is, and whether it goes from its second end. */
export function groupOf(s: Partition, d: number): { group: PlannedLinks; index: number; reverse: boolean } {
  for (const group of s.plan!.links) {
    if (d >= group.aToB && d < group.aToB + group.count) return { group, index: d - group.aToB, reverse: false };
    if (d >= group.bToA && d < group.bToA + group.count) return { group, index: d - group.bToA, reverse: true };
  }
  throw new RangeError(`No link has the direction ${d}.`);
}

/** As `ip route` prints them. */
export function routeLines(dump: readonly RouteDump[]): string[] {
  return dump.flatMap(({ side, destination, nextHops }) => {
    const where = side === "" ? "" : ` table ${side}`;
    if (nextHops.length === 0) return [`unreachable ${destination}${where}`];
    if (nextHops.length === 1) return [`${destination} via ${nextHops[0].via} dev ${nextHops[0].link}${where}`];
    return [
      `${destination}${where}`,
      ...nextHops.map(({ via, link }) => `\tnexthop via ${via} dev ${link} weight 1`),
    ];
  });
}

/** A direction of a link. */
export interface LinkDump {
  /** The node that sends into it. */
  node: string;
  /** Its name. */
  link: string;
  /** The node that it leads to. */
  to: string;
  /** In service? */
  state: "UP" | "DOWN";
  /** Bit/s; Infinity for no limit. */
  rateBps: number;
  /** ns. */
  delayNs: number;
  /** Bytes. */
  mtu: number;
  /** Share lost. */
  loss: number;
  /** Packets that it has taken. */
  sentPackets: number;
  /** Bytes that wait for it. */
  queuedBytes: number;
  /** Packets that its full queue has dropped. */
  queueDrops: number;
}

/** The directions that some nodes send into, in the order of ranks. */
export function links(s: Partition, nodes: readonly number[]): LinkDump[] {
  const wanted = new Map(nodes.map((node, i) => [node, i]));
  const words = s.links.words;
  const found: number[] = [];
  for (let d = 0; d < s.links.count; d++) if (wanted.has(words[d * DIRECTION.STRIDE + DIRECTION.FROM])) found.push(d);
  const from = (d: number) => words[d * DIRECTION.STRIDE + DIRECTION.FROM];
  const rank = (d: number) => words[d * DIRECTION.STRIDE + DIRECTION.RANK];
  found.sort((a, b) => wanted.get(from(a))! - wanted.get(from(b))! || rank(a) - rank(b));
  return found.map((d) => {
    const at = d * DIRECTION.STRIDE;
    const { group, index } = groupOf(s, d);
    const settings = s.links.settings[words[at + DIRECTION.SETTINGS]];
    return {
      node: s.nodes.nameOf(from(d)),
      link: group.count === 1 ? group.name : `${group.name}[${index}]`,
      to: s.nodes.nameOf(words[at + DIRECTION.TO]),
      state: isDown(s, d) ? "DOWN" : "UP",
      rateBps: settings.rateBps,
      delayNs: settings.delayNs,
      mtu: settings.mtuBytes,
      loss: settings.impairments.loss,
      sentPackets: words[at + DIRECTION.SENT] >>> 0,
      queuedBytes: s.links.backlogBytes(d, s.nowNs),
      queueDrops: s.links.queueDrops(d) + s.links.earlyDrops(d),
    };
  });
}

/** Much as `ip -s link` prints them. */
export function linkLines(dump: readonly LinkDump[]): string[] {
  return dump.map((one) =>
    `${one.link}: <${one.state}> to ${one.to} mtu ${one.mtu} rate ${
      one.rateBps === Infinity ? "unlimited" : formatRateBps(one.rateBps)
    } delay ${formatDurationNs(one.delayNs)}${one.loss > 0 ? ` loss ${one.loss * 100}%` : ""} ` +
    `TX packets ${one.sentPackets} backlog ${one.queuedBytes} dropped ${one.queueDrops}`
  );
}
