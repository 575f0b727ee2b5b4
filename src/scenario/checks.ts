/**
 * What a schema cannot see: names that must exist, addresses that must fit, pieces that must be joined.
 *
 * @module
 */
import { formatAddress, parseAddress } from "../base/address.ts";
import { notADnsName } from "../wire/dns_name.ts";
import { makeProfile } from "../transport/profile.ts";
import { checkCaptures } from "./checks_capture.ts";
import { isPort, suggest } from "./fields.ts";
import type { Mistake } from "./issues.ts";
import { linkPairs } from "./links.ts";
import { formatPath, type Path } from "./positions.ts";
import { profileOf } from "./profiles.ts";
import type { Scenario, ScenarioHost, ScenarioNode } from "./schema.ts";
import { checkEvents } from "./schema_events.ts";

/** A node, one member `clients[3]`, or members `clients[0..9]`, as links and workloads call them. */
export interface NodeRef {
  /** The node. */
  name: string;
  /** First member; undefined: all. */
  low?: number;
  /** Last member. */
  high?: number;
}

/** Takes `clients[0..9]` apart; undefined where it is none. */
export function parseNodeRef(text: string): NodeRef | undefined {
  const match = /^\s*([A-Za-z_][\w-]*)\s*(?:\[(\d+)(?:\.\.(\d+))?\])?\s*$/.exec(text);
  if (match === null) return undefined;
  const [, name, low, high] = match;
  return low === undefined ? { name } : { name, low: Number(low), high: Number(high ?? low) };
}

/** All that is wrong, in the order of sections: profiles, nodes, links, workloads, events, captures, dumps, series. */
export function* checkScenario(scenario: Scenario): Generator<Mistake> {
  for (const [name, profile] of Object.entries(scenario.profiles ?? {})) {
    yield* checkProfile(["profiles", name], () => profileOf(profile));
  }
  if (Object.keys(scenario.nodes).length === 0) {
    yield { path: ["nodes"], atKey: true, sentence: "nodes is empty: expected at least one host." };
  }
  for (const [name, node] of Object.entries(scenario.nodes)) yield* checkNode(scenario, name, node);
  yield* checkLinks(scenario);
  yield* checkWorkloads(scenario);
  yield* checkEvents(scenario);
  yield* checkCaptures(scenario);
  for (const [i, { node }] of (scenario.dumps ?? []).entries()) yield* checkLooks(scenario, node, ["dumps", i, "node"]);
  yield* checkLooks(scenario, scenario.series?.nodes, ["series", "nodes"]);
}

/** The nodes of a dump or a series. */
function* checkLooks(
  scenario: Scenario,
  nodes: string | readonly string[] | undefined,
  path: Path,
): Generator<Mistake> {
  for (const [at, text] of each(nodes ?? [], path)) {
    for (const one of text.split(",")) {
      yield* checkMembers(
        scenario,
        at,
        one.trim(),
        Object.keys(scenario.nodes),
        "a node such as server or clients[0..9]",
      );
    }
  }
}

function wrong(path: Path, sentence: string, atKey = false): Mistake {
  return { path, atKey, sentence };
}

function* checkProfile(path: Path, make: () => Parameters<typeof makeProfile>[0]): Generator<Mistake> {
  try {
    makeProfile(make());
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    yield wrong(path, `${formatPath(path)}: ${error.message}`, true);
  }
}

function* checkNode(scenario: Scenario, name: string, node: ScenarioNode): Generator<Mistake> {
  const path = ["nodes", name];
  if (node.kind === "host") yield* checkHost(scenario, name, node);
  if (node.kind !== "nat") return;
  if (node.overloading && (node.mapping ?? "address-and-port-dependent") !== "address-and-port-dependent") {
    const why =
      `a port can serve several destinations only with address-and-port-dependent mapping, not ${node.mapping}`;
    yield wrong([...path, "overloading"], `${formatPath([...path, "overloading"])} is true: ${why}.`);
  }
  for (const [i, forward] of (node.forwards ?? []).entries()) {
    if ((forward.tcp === undefined) !== (forward.udp === undefined)) continue;
    const at = [...path, "forwards", i];
    yield wrong(
      at,
      `${formatPath(at)} has ${forward.tcp === undefined ? "neither" : "both"} tcp and udp: expected one.`,
    );
  }
}

function* checkHost(scenario: Scenario, name: string, host: ScenarioHost): Generator<Mistake> {
  const path = ["nodes", name];
  if (typeof host.profile === "string") {
    const names = Object.keys(scenario.profiles ?? {});
    if (!names.includes(host.profile)) {
      const at = [...path, "profile"];
      const sentence = `${formatPath(at)}: there is no profile ${JSON.stringify(host.profile)}: ${
        suggest(host.profile, names)
      }`;
      yield wrong(at, sentence);
    }
  } else if (host.profile !== undefined) {
    const profile = host.profile;
    yield* checkProfile([...path, "profile"], () => profileOf(profile));
  }
  if (host.extraAddresses !== undefined && (host.count ?? 1) > 1) {
    const at = [...path, "extraAddresses"];
    yield wrong(
      at,
      `${formatPath(at)} cannot be given to ${host.count} hosts at once: expected a host without count.`,
      true,
    );
  }
  yield* checkListen(path, host);
}

/** Is an address one of these, however it is written? */
function isAnyOf(addresses: readonly string[], text: string): boolean {
  const canonical = (address: string) => {
    try {
      return formatAddress(parseAddress(address));
    } catch {
      return address;
    }
  };
  return addresses.map(canonical).includes(canonical(text));
}

function* checkListen(path: Path, host: ScenarioHost): Generator<Mistake> {
  const own = [host.address, host.address6].flatMap((address) => address?.split("/")[0] ?? []);
  own.push(...host.extraAddresses ?? []);
  const seen = new Set<string>();
  for (const [i, item] of (host.listen ?? []).entries()) {
    const listen = typeof item === "number" ? { port: item, protocol: undefined, address: undefined } : item;
    const at = [...path, "listen", i];
    const elsewhere = listen.address !== undefined && !isAnyOf([...own, "::", "0.0.0.0"], listen.address);
    if (host.count === undefined && elsewhere) {
      const sentence = `${
        formatPath([...at, "address"])
      } is ${listen.address}, which is not an address of the host: expected ${own.join(" or ")}.`;
      yield wrong([...at, "address"], sentence);
    }
    const key = `${listen.address ?? "*"}:${listen.port}/${listen.protocol ?? "tcp"}`;
    if (seen.has(key)) {
      yield wrong(at, `${formatPath(at)} listens on port ${listen.port}, which the host does already.`);
    }
    seen.add(key);
  }
}

function* checkLinks(scenario: Scenario): Generator<Mistake> {
  const nodes = Object.keys(scenario.nodes);
  const names = new Map<string, number>();
  for (const { link, index, ends, paths, name } of linkPairs(scenario)) {
    const path = ["links", index];
    for (const [end, node] of ends.entries()) {
      yield* checkMembers(scenario, paths[end], node, nodes, "a node such as clients or clients[0..9]");
    }
    if (ends[0] === ends[1]) {
      const at = [...path, "between"];
      yield wrong(at, `${formatPath(at)} joins ${ends[0]} with itself: expected two nodes.`);
    }
    const other = names.get(name);
    if (other === index && link.name !== undefined) {
      yield wrong(
        path,
        `${formatPath(path)} is several links with the one name ${JSON.stringify(name)}: leave it out.`,
      );
    } else if (other !== undefined) {
      const why = link.name === undefined ? "which needs a name of its own" : "rename one";
      yield wrong(path, `${formatPath(path)} has the same name as links[${other}], ${JSON.stringify(name)}: ${why}.`);
    }
    names.set(name, index);
  }
}

function* checkWorkloads(scenario: Scenario): Generator<Mistake> {
  const names = new Map<string, number>();
  const parts = islands(scenario);
  const hosts = nodesOf(scenario, "host");
  for (const [i, workload] of (scenario.workloads ?? []).entries()) {
    const path = ["workloads", i];
    const other = names.get(workload.name);
    if (other !== undefined) {
      const at = [...path, "name"];
      yield wrong(
        at,
        `${formatPath(at)} is ${JSON.stringify(workload.name)}, the name of workloads[${other}]: rename one.`,
      );
    }
    names.set(workload.name, i);
    const arrivals = "arrivals" in workload ? workload.arrivals : undefined;
    if (typeof arrivals === "object" && arrivals.kind !== "at-once" && arrivals.rate === undefined) {
      const at = [...path, "arrivals", "rate"];
      yield wrong(at, `${formatPath(at)} is missing: arrivals of kind ${arrivals.kind} need one, such as 1000/s.`);
    }
    const sources: string[] = [];
    for (const [at, text] of each(workload.from, [...path, "from"])) {
      const found = yield* checkMembers(scenario, at, text, hosts, "a host such as clients or clients[0..9]");
      if (found !== undefined) sources.push(found);
    }
    for (const [at, text] of each(workload.to, [...path, "to"])) {
      // Whether a name can be looked up the network knows.
      if (workload.kind === "dns") continue;
      yield* checkDestination(scenario, parts, sources, at, text);
    }
  }
}

/** Is it a name of one label that a DNS server of the scenario knows, and no node's? */
function isKnownName(scenario: Scenario, text: string): boolean {
  if (Object.hasOwn(scenario.nodes, text)) return false;
  return Object.values(scenario.nodes).some((node) =>
    node.kind === "host" && Object.hasOwn(node.dns?.records ?? {}, text)
  );
}

function each(items: string | readonly string[], path: Path): (readonly [Path, string])[] {
  return typeof items === "string" ? [[path, items]] : items.map((item, i) => [[...path, i], item]);
}

function* checkDestination(
  scenario: Scenario,
  parts: ReadonlyMap<string, number>,
  sources: readonly string[],
  path: Path,
  text: string,
): Generator<Mistake> {
  const expected = "host:port such as server:443";
  const colon = text.lastIndexOf(":");
  const port = Number(text.slice(colon + 1));
  if (colon < 1 || !/^\d+$/.test(text.slice(colon + 1)) || !isPort(port)) {
    yield wrong(
      path,
      `${formatPath(path)} is ${JSON.stringify(text)}: expected ${expected}, the port from 1 to 65535.`,
    );
    return;
  }
  const host = text.slice(0, colon);
  // An address: the network knows whether it exists.
  if (/^\d+\.\d+\.\d+\.\d+$|^\[.*\]$/.test(host)) return;
  // A domain name: so does the network.
  if (/^[\w-]+(\.[\w-]+)+\.?$/.test(host) && notADnsName(host) === undefined && parseNodeRef(host) === undefined) {
    return;
  }
  if (isKnownName(scenario, host)) return;
  const name = yield* checkMembers(
    scenario,
    path,
    text,
    nodesOf(scenario, "host", "nat", "balancer"),
    expected,
    parseNodeRef(host) ?? null,
  );
  const stranger = sources.find((source) => name !== undefined && parts.get(source) !== parts.get(name));
  if (stranger !== undefined) {
    yield wrong(path, `${formatPath(path)} is ${JSON.stringify(text)}: no links lead from ${stranger} to ${name}.`);
  }
}

/** The node that `name`, `name[3]` or `name[0..9]` calls, if it is one of `allowed` and has those members. */
function* checkMembers(
  scenario: Scenario,
  path: Path,
  text: string,
  allowed: readonly string[],
  expected: string,
  ref: NodeRef | null = parseNodeRef(text) ?? null,
): Generator<Mistake, string | undefined> {
  const is = `${formatPath(path)} is ${JSON.stringify(text)}`;
  if (ref === null) {
    yield wrong(path, `${is}: expected ${expected}.`);
    return undefined;
  }
  if (!allowed.includes(ref.name)) {
    const node = Object.hasOwn(scenario.nodes, ref.name) ? scenario.nodes[ref.name] : undefined;
    const what = node === undefined
      ? `there is no node ${JSON.stringify(ref.name)}`
      : `${ref.name} is a ${node.kind} and not a host`;
    yield wrong(path, `${is}: ${what}: ${suggest(ref.name, allowed)}`);
    return undefined;
  }
  const count = scenario.nodes[ref.name].count ?? 1;
  const { low = 0, high = count - 1 } = ref;
  if (low > high) yield wrong(path, `${is}: expected the lower member first, as in ${ref.name}[${high}..${low}].`);
  else if (high >= count) {
    yield wrong(path, `${is}: ${ref.name} has the members ${ref.name}[0] to ${ref.name}[${count - 1}].`);
  }
  return ref.name;
}

function nodesOf(scenario: Scenario, ...kinds: ScenarioNode["kind"][]): string[] {
  return Object.keys(scenario.nodes).filter((name) => kinds.includes(scenario.nodes[name].kind));
}

/** Which part of the network each node is in; nodes of one part are joined by links. */
function islands(scenario: Scenario): Map<string, number> {
  const part = new Map(Object.keys(scenario.nodes).map((name, i) => [name, i]));
  for (const { ends } of linkPairs(scenario)) {
    const [keep, drop] = ends.map((end) => part.get(parseNodeRef(end)?.name ?? ""));
    if (keep === undefined || drop === undefined || keep === drop) continue;
    for (const [name, number] of part) if (number === drop) part.set(name, keep);
  }
  return part;
}
