/**
 * Home gateways as leaves of the graph. A gateway that routes IPv6 and has one neighbour needs no paths worked out
 * towards it: its neighbour knows what hangs on it, and it sends everything else there. A million of them would otherwise
 * be a million roots of shortest paths.
 *
 * @module
 */
import { compareAddresses } from "../base/address.ts";
import { type Attachment, follows, type Vertex, withOneMore } from "./graph.ts";

/** Makes leaves of the gateways that have one neighbour; what hangs on them also hangs on that. */
export function collapseLeaves(vertices: Vertex[]): void {
  const inherited = new Map<Vertex, Attachment[]>();
  for (const vertex of vertices) {
    if (!isLeaf(vertex, vertices)) continue;
    vertex.leaf = true;
    const [{ to, backLink, cost, backDelayNs }] = vertex.edges;
    const neighbour = vertices[to];
    for (const one of vertex.virtual) {
      const [total, delayNs] = [one.cost + cost, one.delayNs + backDelayNs];
      neighbour.virtual = withOneMore(neighbour.virtual, { ...one, link: backLink, cost: total, delayNs });
    }
    let ranges = inherited.get(neighbour);
    if (ranges === undefined) inherited.set(neighbour, ranges = []);
    for (const { first, count } of vertex.attachments) ranges.push({ first, count, linkBase: backLink, stride: 0 });
    for (const { prefix } of vertex.prefixes) {
      const whole = prefix.bits === 32 * prefix.address.words.length;
      if (whole) ranges.push({ first: prefix.address, count: 1, linkBase: backLink, stride: 0 });
      else neighbour.prefixes = withOneMore(neighbour.prefixes, { prefix, link: backLink });
    }
  }
  for (const [neighbour, ranges] of inherited) {
    neighbour.edges = neighbour.edges.filter((edge) => !vertices[edge.to].leaf);
    ranges.sort((a, b) => compareAddresses(a.first, b.first));
    for (const range of joined(ranges)) neighbour.attachments = withOneMore(neighbour.attachments, range);
  }
}

/** Of two gateways that face each other and nobody else only one is a leaf. */
function isLeaf(vertex: Vertex, vertices: Vertex[]): boolean {
  if (!vertex.gateway || vertex.edges.length !== 1) return false;
  const neighbour = vertices[vertex.edges[0].to];
  return neighbour.transit && !neighbour.leaf;
}

/** Ranges in ascending order, those put together that follow each other on links that do, evenly. */
function* joined(ranges: Attachment[]): Generator<Attachment> {
  for (let begin = 0; begin < ranges.length;) {
    let end = begin + 1;
    let of = ranges[begin].count;
    while (end < ranges.length && follows(ranges[begin].first, of, ranges[end].first)) {
      if (ranges[end].linkBase !== ranges[begin].linkBase + end - begin) break;
      of += ranges[end++].count;
    }
    const links = end - begin;
    if (links > 1 && isEven(ranges, begin, links, of)) {
      yield { ...ranges[begin], count: of, spreadLinks: links };
      begin = end;
    } else yield ranges[begin++];
  }
}

/** Does link k lead to the addresses that floor(i * links / of) says? */
function isEven(ranges: Attachment[], begin: number, links: number, of: number): boolean {
  let offset = 0;
  for (let k = 0; k < links; k++) {
    if (offset !== Math.ceil((k * of) / links)) return false;
    offset += ranges[begin + k].count;
  }
  return true;
}
