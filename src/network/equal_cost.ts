/**
 * Which links lead equally far: of a router towards a part of the network (ECMP), and towards an address that several
 * nodes have (anycast). What becomes of a packet at such a choice is in `equal_paths.ts`.
 *
 * @module
 */
import { formatAddress, type IpAddress } from "../base/address.ts";
import { NODE_KIND } from "../node/nodes.ts";
import type { PlannedPopulation } from "./plan.ts";
import type { Paths, Vertex } from "./graph.ts";

/** `equal`: paths of one cost and one delay share flows; `cost`: paths of one cost; `off`: one path. */
export type Ecmp = "off" | "equal" | "cost";

/** An address that others may have too, seen over a vertex's own link. */
export interface VirtualAttachment {
  address: IpAddress;
  link: number;
  cost: number;
  delayNs: number;
  /** Rank of the link. */
  rank: number;
}

/** A link with its stable place among all. */
interface RankedLink {
  link: number;
  rank: number;
}

/** What the members of a population do with equal paths. */
export function ecmpOf({ declaration }: PlannedPopulation): Ecmp {
  if (declaration.kind !== "router" && declaration.kind !== "balancer") return "off";
  const { ecmp } = declaration.options;
  return ecmp === undefined ? "equal" : ecmp === "off" ? "off" : "cost";
}

/** Addresses that balancers serve: hosts that have them too (direct return) are not routed to. */
export function servedAddresses(populations: readonly PlannedPopulation[]): Set<string> {
  const served = new Set<string>();
  for (const { kind, address, virtual } of populations) {
    if (kind !== NODE_KIND.BALANCER) continue;
    for (const one of [address, ...virtual]) served.add(formatAddress(one));
  }
  return served;
}

/** The links from `vertex` that begin the paths towards a root that it counts as equal, in the order of their ranks. */
export function linksTowards(vertex: Vertex, path: Paths, vertices: Vertex[]): number[] {
  return distinct(rankedLinks(vertex, path, vertices));
}

function rankedLinks(vertex: Vertex, { root, next }: Paths, vertices: Vertex[]): RankedLink[] {
  const best = next.get(vertex)!;
  if (vertex.ecmp === "off") return [{ link: best.link, rank: 0 }];
  const links: RankedLink[] = [];
  for (const edge of vertex.edges) {
    const to = vertices[edge.to];
    const rest = to === root ? { cost: 0, delayNs: 0 } : to.transit ? next.get(to) : undefined;
    if (rest === undefined || rest.cost + edge.cost !== best.cost) continue;
    if (vertex.ecmp === "equal" && rest.delayNs + edge.delayNs !== best.delayNs) continue;
    links.push({ link: edge.link, rank: edge.rank });
  }
  return links;
}

/** Where a vertex sends packets for the addresses that several nodes have: towards the nearest, or the nearest alike. */
export function sharedAddresses(
  vertex: Vertex,
  paths: readonly Paths[],
  vertices: Vertex[],
): { address: IpAddress; links: number[] }[] {
  interface Candidate {
    cost: number;
    delayNs: number;
    rank: number;
    links: () => RankedLink[];
  }
  const byAddress = new Map<string, { address: IpAddress; candidates: Candidate[] }>();
  const add = ({ address, cost, delayNs, rank }: VirtualAttachment, more: Omit<Candidate, "rank">) => {
    const key = formatAddress(address);
    let entry = byAddress.get(key);
    if (entry === undefined) byAddress.set(key, entry = { address, candidates: [] });
    entry.candidates.push({ ...more, rank, cost: more.cost + cost, delayNs: more.delayNs + delayNs });
  };
  for (const attachment of vertex.virtual) {
    add(attachment, { cost: 0, delayNs: 0, links: () => [{ link: attachment.link, rank: attachment.rank }] });
  }
  for (const path of paths) {
    const distance = path.root === vertex ? undefined : path.next.get(vertex);
    if (distance === undefined) continue;
    for (const attachment of path.root.virtual) {
      add(attachment, { ...distance, links: () => rankedLinks(vertex, path, vertices) });
    }
  }
  return [...byAddress.values()].map(({ address, candidates }) => {
    candidates.sort((x, y) => x.cost - y.cost || x.delayNs - y.delayNs || x.rank - y.rank);
    const [best] = candidates;
    const alike = candidates.filter((one) =>
      one === best ||
      (one.cost === best.cost &&
        (vertex.ecmp === "cost" || (vertex.ecmp === "equal" && one.delayNs === best.delayNs)))
    );
    return { address, links: distinct(alike.flatMap(({ links }) => links())) };
  });
}

/** Each link once, in the order of their ranks. */
function distinct(links: RankedLink[]): number[] {
  links.sort((x, y) => x.rank - y.rank);
  return [...new Set(links.map(({ link }) => link))];
}
