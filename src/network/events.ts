/**
 * Makes declared events happen: an application of node 0, which comes before all others at its time (DESIGN section 4).
 *
 * @module
 */
import type { App } from "../app/types.ts";
import { substreamKey } from "../base/rng.ts";
import type { StateVisitor } from "../base/state.ts";
import { DIRECTION } from "../link/links.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { cutDirection } from "./link_queues.ts";
import { restartNats, setNatTimeouts } from "./nat_events.ts";
import { changeBackends, findBackends } from "./balancer_build.ts";
import { linkSettings } from "./build.ts";
import { refreshDirection, UNREACHABLE_ENTRY } from "./conditions.ts";
import { digestEvent } from "./digest.ts";
import { NetworkError } from "./errors.ts";
import { changeBacklogs, changeBudgets, prepareBudgets } from "./event_budgets.ts";
import { changeProfiles, isOff, rebootNodes, separateProfiles, switchNodes, switchPort } from "./event_nodes.ts";
import type { LinkChange, LinkEvent, ListenerEvent, NodeEvent, RouteEvent } from "./event_options.ts";
import {
  changesOf,
  directionsOf,
  merged,
  neighboursOf,
  type PlannedEvent,
  type PlannedLinkRange,
} from "./event_plan.ts";
import type { LinkOptions } from "./options.ts";
import type { Partition } from "./partition.ts";
import { recomputeRoutes } from "./reroute.ts";

/** Codes of its own events. */
const CODE = { HAPPEN: 0, COME_UP: 1, CONVERGE: 2 } as const;

/** Event digest codes: of an event, of a node that comes up again, of routes that were worked out anew. */
const HAPPENED = 120;
const CAME_UP = 121;
const CONVERGED = 122;

const { SETTINGS, FROM, TO, STRIDE } = DIRECTION;

/** The events of a run. */
export class Events implements App {
  /** See {@linkcode App}: every thread changes its copy of the network. */
  readonly everywhere = true;
  readonly #partition: Partition;
  readonly #app: number;
  readonly #planned: PlannedEvent[];
  /** When routes are to be worked out, ns. */
  readonly #converging = new Set<number>();

  /** `app` is its index among the applications. */
  constructor(partition: Partition, app: number, planned: PlannedEvent[]) {
    this.#partition = partition;
    this.#app = app;
    this.#planned = planned;
  }

  /** Schedules all of them, and makes the network ready for them. */
  start(): void {
    const s = this.#partition;
    const seen = new Set<string>();
    // (Links in the order of declaration, to which a fork adds: their further state is numbered by it.)
    for (const planned of this.#planned) this.#prepareLinks(planned);
    for (const planned of this.#planned.toSorted((x, y) => x.event.atNs - y.event.atNs)) this.#prepare(planned, seen);
    this.#planned.forEach(({ event }, i) => s.schedule(0, this.#app, event.atNs, CODE.HAPPEN, 0, i));
  }

  /** Adds events to a run that has begun. */
  add(more: readonly PlannedEvent[]): void {
    const s = this.#partition;
    for (const planned of more) {
      this.#prepareLinks(planned);
      const { kind } = planned.event;
      if (kind === "profile" || kind === "backend" || kind === "host") this.#prepare(planned, new Set());
      const index = this.#planned.push(planned) - 1;
      s.schedule(0, this.#app, planned.event.atNs, CODE.HAPPEN, 0, index);
    }
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}. */
  onTimer(code: number, _connection: number, argument: number): void {
    const s = this.#partition;
    if (code === CODE.CONVERGE) {
      this.#converging.delete(s.nowNs);
      recomputeRoutes(s);
      return this.#digest(s.nodes.rowOfRank(0), CONVERGED, 0);
    }
    const planned = this.#planned[argument];
    if (code === CODE.COME_UP) return this.#comeUp(planned, argument);
    for (const { population, first, count } of planned.nodes) {
      for (let i = first; i < first + count; i++) this.#digest(population.firstRow + i, HAPPENED, argument);
    }
    if (planned.nodes.length === 0) this.#digest(this.#nodeOf(planned), HAPPENED, argument);
    this.#happen(planned, argument);
  }

  /** See {@linkcode App}. */
  visitState(v: StateVisitor): void {
    const converging = v.plain([...this.#converging]);
    if (!v.restoring) return;
    this.#converging.clear();
    for (const ns of converging) this.#converging.add(ns);
  }

  #digest(node: number, code: number, argument: number): void {
    const s = this.#partition;
    digestEvent(s.nodes.words, node, code, argument, s.clock);
  }

  /** Whose digest an event enters that no node is named in. */
  #nodeOf({ links }: PlannedEvent): number {
    const s = this.#partition;
    if (links === undefined) return s.nodes.rowOfRank(0);
    return s.links.words[(links.group.aToB + links.first) * STRIDE + FROM];
  }

  #prepareLinks({ event, links }: PlannedEvent): void {
    if (event.kind !== "link" || links === undefined || changesOf(event) === undefined) return;
    this.#eachDirection(links, event, (d, key) => this.#partition.links.prepare(d, key));
  }

  #prepare(planned: PlannedEvent, seen: Set<string>): void {
    const s = this.#partition;
    const { event, subject, nodes } = planned;
    // What an event begins is not there before.
    const isFirst = (...names: (string | number)[]) => {
      const key = JSON.stringify([event.kind, ...names]);
      return !seen.has(key) && seen.add(key) !== undefined;
    };
    switch (event.kind) {
      case "profile":
        for (const members of nodes) separateProfiles(s, members);
        for (const members of nodes) prepareBudgets(s, members, event);
        return;
      case "host":
        for (const members of nodes) prepareBudgets(s, members, event);
        return;
      case "workload":
        if (isFirst(event.workload) && event.action === "start") this.#workload(event.workload).pause?.();
        return;
      case "listener":
        if (event.action !== undefined) this.#prepareListener(planned, event, seen);
        return;
      case "backend":
        try {
          findBackends(s, event.balancer, event.backend);
        } catch (error) {
          if (error instanceof NetworkError) throw new NetworkError(`${subject}.backend`, error.message);
          throw error;
        }
    }
  }

  /** A port whose first event is `open` is closed until then, at each member apart. */
  #prepareListener({ nodes }: PlannedEvent, event: ListenerEvent, seen: Set<string>): void {
    const { protocol = "tcp", port, action } = event;
    for (const { population, first, count } of nodes) {
      for (let i = first; i < first + count; i++) {
        const key = `${population.name} ${i} ${protocol} ${port}`;
        if (seen.has(key)) continue;
        seen.add(key);
        if (action !== "open") continue;
        switchPort(this.#partition, { population, first: i, count: 1 }, protocol, port, false);
      }
    }
  }

  #happen(planned: PlannedEvent, index: number): void {
    const s = this.#partition;
    const { event, nodes } = planned;
    switch (event.kind) {
      case "link":
        return this.#link(planned.links!, event);
      case "node":
        return this.#node(planned, event, index);
      case "nat":
        for (const { population, first, count } of nodes) {
          for (let node = population.firstRow + first; node < population.firstRow + first + count; node++) {
            if (event.timeouts !== undefined) setNatTimeouts(s, node, event.timeouts);
          }
          if (event.restart === true) restartNats(s, population.firstRow + first, count);
        }
        return;
      case "route":
        return this.#route(planned, event);
      case "listener":
        for (const members of nodes) {
          const { protocol = "tcp", port, action, backlog } = event;
          if (backlog !== undefined) changeBacklogs(s, members, port, backlog);
          if (action !== undefined) switchPort(s, members, protocol, port, action === "open");
        }
        return;
      case "backend":
        return changeBackends(s, event.balancer, event.backend, event.state);
      case "workload": {
        const app = this.#workload(event.workload);
        if (event.action === "start") return app.resume?.();
        app.pause?.();
        return event.close === true ? app.closeAll?.() : undefined;
      }
      case "profile":
        for (const members of nodes) {
          const before = changeProfiles(s, members, event.set);
          changeBudgets(s, members, event, before);
        }
        return;
      case "host":
        for (const members of nodes) changeBudgets(s, members, event);
    }
  }

  #workload(name: string): App {
    const s = this.#partition;
    return s.apps[s.workloadApps.get(name)!]!;
  }

  #link(links: PlannedLinkRange, event: LinkEvent): void {
    const s = this.#partition;
    const changes = changesOf(event);
    if (changes !== undefined) this.#changeLinks(links, event, changes);
    if (event.state !== undefined) {
      const down = event.state === "down";
      const { downLinks } = s.conditions;
      this.#eachDirection(links, event, (d) => {
        if (down && !downLinks.has(d)) cutDirection(s, d);
        if (down) downLinks.add(d);
        else downLinks.delete(d);
        refreshDirection(s, d);
      });
    }
    if (event.cost !== undefined) {
      for (let i = links.first; i < links.first + links.count; i++) {
        s.conditions.costs.set(links.group.aToB + i, event.cost);
      }
    }
    if (event.state === undefined && event.cost === undefined) return;
    let routed = false;
    this.#eachDirection(links, event, (d) => routed ||= this.#isRouted(d));
    if (routed) this.#converge(event.convergenceNs ?? 0);
  }

  #changeLinks(links: PlannedLinkRange, event: LinkEvent, changes: LinkChange): void {
    const s = this.#partition;
    const made = new Map<number, number>();
    this.#eachDirection(links, event, (d) => {
      const before = s.links.words[d * STRIDE + SETTINGS];
      let after = made.get(before);
      if (after === undefined) {
        const { impairments, mtuBytes, impaired: _, discipline, ...rest } = s.links.settings[before];
        const options: LinkOptions = merged({ ...rest, mtu: mtuBytes, ...impairments }, changes);
        after = s.links.settings.push({ ...linkSettings(options, "links"), discipline }) - 1;
        made.set(before, after);
      }
      s.links.change(d, after);
      const from = s.links.words[d * STRIDE + FROM];
      if (changes.mtu !== undefined && this.#isLeaf(from)) s.hosts.setMtu(from, changes.mtu);
    });
  }

  #node({ nodes }: PlannedEvent, event: NodeEvent, index: number): void {
    const s = this.#partition;
    const { action, downForNs = action === "reboot" ? 0 : Infinity } = event;
    if (action === "up") {
      for (const members of nodes) switchNodes(s, members, false);
      return this.#nodesChanged(nodes, event);
    }
    const off = action === "down" || downForNs > 0;
    for (const members of nodes) {
      rebootNodes(s, members);
      if (off) switchNodes(s, members, true);
    }
    if (!off) return;
    if (downForNs !== Infinity) s.schedule(0, this.#app, s.nowNs + downForNs, CODE.COME_UP, 0, index);
    this.#nodesChanged(nodes, event);
  }

  #comeUp({ nodes, event }: PlannedEvent, index: number): void {
    const s = this.#partition;
    for (const members of nodes) {
      const { population, first, count } = members;
      for (let node = population.firstRow + first; node < population.firstRow + first + count; node++) {
        // (It may have been switched on already.)
        if (isOff(s, node)) this.#digest(node, CAME_UP, index);
      }
      switchNodes(s, members, false);
    }
    this.#nodesChanged(nodes, event as NodeEvent);
  }

  #nodesChanged(nodes: PlannedEvent["nodes"], event: NodeEvent): void {
    const leaves = nodes.every(({ population, first, count }) => {
      for (let i = first; i < first + count; i++) if (!this.#isLeaf(population.firstRow + i)) return false;
      return true;
    });
    if (!leaves) this.#converge(event.convergenceNs ?? 0);
  }

  #route({ nodes, prefix, via }: PlannedEvent, event: RouteEvent): void {
    const s = this.#partition;
    const same = (other: typeof prefix) => JSON.stringify(other) === JSON.stringify(prefix);
    for (const { population, first, count } of nodes) {
      for (let node = population.firstRow + first; node < population.firstRow + first + count; node++) {
        const routes = (s.conditions.fixed.get(node) ?? []).filter((route) => !same(route.prefix));
        if (event.via !== "automatic") {
          const to = via === undefined ? 0 : via.population.firstRow + via.first;
          const links = via === undefined ? [] : neighboursOf(s.plan!, node).filter((one) => one.node === to);
          const entry = links.length === 0 ? UNREACHABLE_ENTRY : { links: links.map(({ direction }) => direction) };
          routes.push({ prefix: prefix!, entry });
        }
        s.conditions.fixed.set(node, routes);
      }
    }
    this.#converge(0);
  }

  /** Has routes worked out so long from now, once for all that has happened until then. */
  #converge(afterNs: number): void {
    const s = this.#partition;
    if (afterNs === Infinity) return;
    const atNs = s.nowNs + afterNs;
    if (this.#converging.has(atNs)) return;
    this.#converging.add(atNs);
    s.schedule(0, this.#app, atNs, CODE.CONVERGE, 0, 0);
  }

  /** A host with one link: nobody goes through it, and it has no choice. */
  #isLeaf(node: number): boolean {
    const { nodes: { words }, balancers } = this.#partition;
    if (words[node * NODE.STRIDE + NODE.KIND] !== NODE_KIND.HOST) return false;
    return words[node * NODE.STRIDE + NODE.EGRESS] >= 0 || balancers?.withOneLink.has(node) === true;
  }

  #isRouted(d: number): boolean {
    const { words } = this.#partition.links;
    return !this.#isLeaf(words[d * STRIDE + FROM]) && !this.#isLeaf(words[d * STRIDE + TO]);
  }

  #eachDirection(
    { group, first, count }: PlannedLinkRange,
    event: LinkEvent,
    act: (d: number, key: Int32Array) => void,
  ): void {
    for (const reverse of directionsOf(event)) {
      for (let i = first; i < first + count; i++) {
        act((reverse ? group.bToA : group.aToB) + i, this.#keyOf(group.name, i, reverse));
      }
    }
  }

  /** The key of a direction's random draws, as when it is built with impairments. */
  #keyOf(name: string, i: number, reverse: boolean): Int32Array {
    const key = substreamKey(this.#partition.seed, "link", `${name}[${i}]${reverse ? "<" : ">"}`);
    return Int32Array.of(key.k0, key.k1);
  }
}

/** Has the planned events happen. (Always: a fork may add some, and snapshots count applications.) */
export function installEvents(s: Partition, planned: PlannedEvent[]): void {
  const events = new Events(s, s.apps.length, planned);
  s.apps.push(events);
  events.start();
}
