/**
 * The network as its declarations tell it, population by population: how far it is from one to another, and past what.
 * A rough map, made before anything large is, for the estimate of what a run takes (`load.ts`).
 *
 * @module
 */
import { LIMIT_PACKETS } from "./link_disciplines.ts";
import type { HostOptions, LinkOptions } from "./options.ts";
import type { Declaration, LinkDeclaration } from "./plan.ts";

/** A way from one population to another. */
export interface Way {
  /** There and back, s. */
  rttSeconds: number;
  /** Of its longest link, one way, s. */
  linkSeconds: number;
  /** Bits per second of all its links side by side, where they are fewest; Infinity if none has a rate. */
  bitsPerSecond: number;
  /** Of one link, where it is slowest. */
  linkBitsPerSecond: number;
  /** Of its first links side by side. */
  firstBitsPerSecond: number;
  /** Packets that may wait for its narrowest links. */
  queuePackets: number;
  /** Share of the packets that are lost on the way there. */
  loss: number;
  /** Share that is held back so that others overtake them. */
  reorder: number;
  /** Populations between its ends, in order. */
  past: Declaration[];
}

/** A link from a population to another. */
interface Step {
  to: string;
  seconds: number;
  bitsPerSecond: number;
  links: number;
  loss: number;
  reorder: number;
  cost: number;
  queuePackets: number;
}

/** What a queue without a limit is taken to hold: what TCP's buffers put into it is counted by flows then. */
const UNLIMITED = Infinity;

/** Bytes of a full packet. */
const PACKET_BYTES = 1500;

/** The name of a population, without `[3]` or `[0..9]`, and how many members are meant; 0: all. */
export function membersNamed(text: string): { name: string; count: number } {
  const match = /^([^[\]]+)\[(\d+)(?:\.\.(\d+))?\]$/.exec(text);
  if (match === null) return { name: text, count: 0 };
  return { name: match[1], count: match[3] === undefined ? 1 : Math.max(0, Number(match[3]) - Number(match[2])) + 1 };
}

/** Ways between populations. Names that do not exist lead nowhere: planning complains about them. */
export class Ways {
  /** Populations by name. */
  declare readonly byName: ReadonlyMap<string, Declaration>;
  readonly #steps = new Map<string, Step[]>();
  readonly #found = new Map<string, Way | undefined>();

  /** Of a network's declarations. */
  constructor(declarations: readonly Declaration[], links: readonly LinkDeclaration[]) {
    this.byName = new Map(declarations.map((declaration) => [declaration.name, declaration]));
    for (const { a, b, options } of links) {
      const count = Math.max(this.countOf(a), this.countOf(b));
      this.#add(membersNamed(a).name, membersNamed(b).name, count, options);
      this.#add(membersNamed(b).name, membersNamed(a).name, count, { ...options, ...options.reverse });
    }
  }

  /** Members that a name means. */
  countOf(text: string): number {
    const { name, count } = membersNamed(text);
    return count === 0 ? this.byName.get(name)?.options.count ?? 1 : count;
  }

  /** The way with the least cost, of those the fastest; undefined if there is none. */
  between(from: string, to: string): Way | undefined {
    const key = `${from} ${to}`;
    if (!this.#found.has(key)) this.#found.set(key, this.#search(from, to));
    return this.#found.get(key);
  }

  #add(from: string, to: string, links: number, options: LinkOptions): void {
    const { delayNs = 0, delaySpreadSteps = 0, delaySpreadStepNs = 0, jitterNs = 0, rateBps = Infinity } = options;
    const { queueBytes = Infinity, queueDiscipline } = options;
    const least = queueDiscipline === undefined || queueBytes !== Infinity
      ? UNLIMITED
      : LIMIT_PACKETS[queueDiscipline.kind];
    const { queuePackets = least } = options;
    const steps = this.#steps.get(from) ?? [];
    this.#steps.set(from, steps);
    steps.push({
      to,
      links,
      loss: options.loss ?? 0,
      reorder: options.reorder ?? 0,
      cost: options.cost ?? 1,
      seconds: (delayNs + Math.min(links, delaySpreadSteps) * delaySpreadStepNs / 2 + jitterNs / 2) / 1e9,
      bitsPerSecond: rateBps,
      queuePackets: Math.min(queueBytes / PACKET_BYTES, queuePackets),
    });
  }

  /** Dijkstra's algorithm over the few populations. */
  #search(from: string, to: string): Way | undefined {
    const best = new Map<string, { cost: number; seconds: number; via: string; step: Step | undefined }>();
    best.set(from, { cost: 0, seconds: 0, via: "", step: undefined });
    const done = new Set<string>();
    for (;;) {
      let at: string | undefined;
      for (const [name, { cost, seconds }] of best) {
        if (done.has(name)) continue;
        const other = at === undefined ? undefined : best.get(at)!;
        if (other === undefined || cost < other.cost || (cost === other.cost && seconds < other.seconds)) at = name;
      }
      if (at === undefined) return undefined;
      if (at === to) break;
      done.add(at);
      // Hosts do not forward.
      if (at !== from && this.byName.get(at)?.kind === "host") continue;
      const { cost, seconds } = best.get(at)!;
      for (const step of this.#steps.get(at) ?? []) {
        const known = best.get(step.to);
        const next = { cost: cost + step.cost, seconds: seconds + step.seconds, via: at, step };
        if (
          known === undefined || next.cost < known.cost || (next.cost === known.cost && next.seconds < known.seconds)
        ) {
          best.set(step.to, next);
        }
      }
    }
    const way: Way = {
      rttSeconds: 2 * best.get(to)!.seconds,
      linkSeconds: 0,
      bitsPerSecond: Infinity,
      linkBitsPerSecond: Infinity,
      firstBitsPerSecond: Infinity,
      queuePackets: 0,
      loss: 0,
      reorder: 0,
      past: [],
    };
    for (let name = to; name !== from; name = best.get(name)!.via) {
      const { step, via } = best.get(name)!;
      if (step === undefined) break;
      way.loss = 1 - (1 - way.loss) * (1 - step.loss);
      way.reorder = 1 - (1 - way.reorder) * (1 - step.reorder);
      way.linkSeconds = Math.max(way.linkSeconds, step.seconds);
      way.linkBitsPerSecond = Math.min(way.linkBitsPerSecond, step.bitsPerSecond);
      if (step.bitsPerSecond * step.links < way.bitsPerSecond) {
        way.bitsPerSecond = step.bitsPerSecond * step.links;
        way.queuePackets = step.queuePackets * step.links;
      }
      if (via === from) way.firstBitsPerSecond = step.bitsPerSecond * step.links;
      const between = via === from ? undefined : this.byName.get(via);
      if (between !== undefined) way.past.unshift(between);
    }
    return way;
  }
}

/** A population's name, without the members that are meant. */
export function plainName(text: string): string {
  return /^[^[\]]*/.exec(text)![0];
}

/** What is declared of a host. */
export function hostOf(ways: Ways, name: string): HostOptions | undefined {
  const declaration = ways.byName.get(name);
  return declaration?.kind === "host" ? declaration.options : undefined;
}

/** Who accepts: the destination, or of a balancer its first back end. */
export function serverOf(ways: Ways, to: string | undefined): HostOptions | undefined {
  if (to === undefined) return undefined;
  const declaration = ways.byName.get(to);
  if (declaration?.kind !== "balancer") return hostOf(ways, to);
  return hostOf(ways, backendOf(declaration) ?? "");
}

function backendOf(declaration: Declaration): string | undefined {
  if (declaration.kind !== "balancer") return undefined;
  const first = declaration.options.services[0]?.backends[0];
  if (first === undefined) return undefined;
  return plainName((typeof first === "string" ? first : first.to).replace(/:\d+$/, ""));
}

/** The way to a destination; through a balancer to its back ends. */
export function wayTo(ways: Ways, from: string, to: string | undefined): Way | undefined {
  if (to === undefined) return undefined;
  const way = ways.between(from, to);
  const balancer = ways.byName.get(to);
  const backend = balancer === undefined ? undefined : backendOf(balancer);
  if (way === undefined || balancer === undefined || backend === undefined) return way;
  const further = ways.between(to, backend);
  if (further === undefined) return { ...way, past: [...way.past, balancer] };
  return {
    rttSeconds: way.rttSeconds + further.rttSeconds,
    linkSeconds: Math.max(way.linkSeconds, further.linkSeconds),
    bitsPerSecond: Math.min(way.bitsPerSecond, further.bitsPerSecond),
    linkBitsPerSecond: Math.min(way.linkBitsPerSecond, further.linkBitsPerSecond),
    firstBitsPerSecond: way.firstBitsPerSecond,
    queuePackets: Math.max(way.queuePackets, further.queuePackets),
    loss: 1 - (1 - way.loss) * (1 - further.loss),
    reorder: Math.max(way.reorder, further.reorder),
    past: [...way.past, balancer, ...further.past],
  };
}

/** The population that a destination names, of several with one address the nearest; and how many endpoints it is. */
export function destinationOf(text: string, ways: Ways, from: string): { name: string | undefined; endpoints: number } {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|(.+)):(\d+)$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? text;
  const name = plainName(host);
  const declared = ways.byName.get(name);
  if (declared !== undefined) {
    const extra = declared.kind === "host" ? declared.options.extraAddresses?.length ?? 0 : 0;
    return { name, endpoints: ways.countOf(host) * (1 + extra) };
  }
  // An address, or a name of the DNS: whoever has that address, or listens on that port.
  const port = Number(match?.[3] ?? 0);
  let count = 0;
  let found: string | undefined;
  const having: string[] = [];
  for (const declaration of ways.byName.values()) {
    const { options } = declaration;
    const addresses = declaration.kind === "host"
      ? [...declaration.options.extraAddresses ?? [], ...declaration.options.virtualAddresses ?? []]
      : [];
    if ([options.address, options.address6, ...addresses].some((one) => one?.replace(/\/\d+$/, "") === host)) {
      having.push(declaration.name);
      continue;
    }
    const listens = declaration.kind === "host"
      ? declaration.options.listen?.some((listen) => listen.port === port)
      : declaration.kind === "balancer" && declaration.options.services.some((service) => service.port === port);
    const serves = port === 0 && declaration.kind === "host" && declaration.options.dns !== undefined;
    if (listens !== true && !serves) continue;
    found ??= declaration.name;
    count += options.count ?? 1;
  }
  if (having.length > 0) {
    const far = (name: string) => ways.between(from, name)?.rttSeconds ?? Infinity;
    return { name: having.reduce((best, name) => (far(name) < far(best) ? name : best)), endpoints: 1 };
  }
  return { name: found, endpoints: Math.max(1, count) };
}
