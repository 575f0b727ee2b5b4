/**
 * The balancers of a partition: their services and back ends, and how flows come and go. What packets do is in
 * `network/balancer_node.ts`; time and timers are the caller's.
 *
 * @module
 */
import type { AddressTable } from "../base/address.ts";
import { finalise32, mix32 } from "../base/hash.ts";
import type { StateVisitor } from "../base/state.ts";
import { PortBitmap, visitBitmaps } from "../nat/port_bitmap.ts";
import { type BackendPool, chooseBackend, isHashed, poolChanged, visitPool } from "./balancing.ts";
import { FLOW, FLOW_BIT, FLOW_STATE, FlowTable, isOver } from "./flow_table.ts";

/** How packets get to a back end and back. */
export const BALANCER_MODE = { NAT: 0, DIRECT_RETURN: 1, FULL_NAT: 2 } as const;

/** Why a new flow was refused. */
export const FLOW_REFUSAL = { NO_BACKEND: 1, NO_PORT: 2, TABLE_FULL: 3 } as const;

/** The source ports of one balancer towards one back-end endpoint: a set for each source address. */
export interface Endpoint {
  readonly sets: (PortBitmap | undefined)[];
  /** Source that the next flow tries first, and the port that it begins at. */
  nextSource: number;
  nextPort: number;
  /** Ports in use, and most at once. */
  used: number;
  peak: number;
}

/** A back end of one service. */
export interface Backend {
  readonly index: number;
  /** `web[3]:80`. */
  readonly name: string;
  /** Its host; 0 where none has the address as its own. */
  readonly node: number;
  readonly address: number;
  readonly port: number;
  readonly service: Service;
  /** Its number within the service. */
  readonly place: number;
  readonly endpoint: Endpoint;
  /** Believed to be alive. */
  up: boolean;
  /** Takes no new flows; those that it has go on. */
  draining: boolean;
  /** Flows that it got, most open at once, established ones that broke. */
  connections: number;
  peak: number;
  broken: number;
}

/** A virtual address and port of one balancer. */
export interface Service {
  readonly balancer: Balancer;
  /** `203.0.113.1:443`. */
  readonly name: string;
  readonly udp: boolean;
  readonly address: number;
  readonly port: number;
  readonly mode: number;
  readonly pool: BackendPool;
  readonly backends: Backend[];
  /** Are flows remembered? */
  readonly remembers: boolean;
  /** Are ports and protocol part of the hash? */
  readonly hashesFlow: boolean;
  /** Is a flow whose back end is down reset? */
  readonly resets: boolean;
  /** Source addresses of full-nat, of the family of its address: consecutive ids. */
  readonly firstSource: number;
  readonly sources: number;
  /** How long it takes to believe that a back end is up or down, ns. */
  readonly detectionNs: number;
}

/** Where a balancer's health checks come from: ports that none of its flows and services have. */
export interface CheckPorts {
  readonly addresses: readonly number[];
  readonly low: number;
  readonly high: number;
  /** Ports in between that are left out. */
  readonly services: readonly number[];
  /** The one used last. */
  last: number;
}

/** One balancer. */
export interface Balancer {
  /** Its number, from 1 on. */
  readonly id: number;
  readonly node: number;
  readonly name: string;
  readonly services: Service[];
  /** Source addresses that it was given for full-nat: consecutive ids. */
  readonly firstSource: number;
  readonly sources: number;
  readonly portLow: number;
  readonly portHigh: number;
  readonly maxFlows: number;
  /** By `FLOW_STATE`, ms. */
  readonly timeoutsMs: readonly number[];
  /** What its choices among equal paths are salted with. */
  readonly salt: number;
  /** Undefined if it checks nobody. */
  checkPorts: CheckPorts | undefined;
  flows: number;
  peakFlows: number;
  serial: number;
  /** Refused flows, by `FLOW_REFUSAL`, and when the first was, ns; -1 for never. */
  readonly refused: number[];
  readonly firstRefusedNs: number[];
}

const {
  CLIENT,
  VIRTUAL,
  PORTS,
  OWNER,
  LOCAL,
  REAL,
  REAL_PORTS,
  BACKEND,
  STATE,
  TIMER,
  SERIAL,
  MASK,
  STRIDE,
} = FLOW;
const { SYN, ESTABLISHED, UDP, MASK: STATE_MASK } = FLOW_STATE;
const { ACTIVE, BROKEN } = FLOW_BIT;
const { DIRECT_RETURN, FULL_NAT } = BALANCER_MODE;
const { NO_BACKEND, NO_PORT, TABLE_FULL } = FLOW_REFUSAL;

/** All balancers of a partition, and their flows. */
export class Balancers {
  readonly flows: FlowTable = new FlowTable();
  /** From 1 on. */
  readonly list: (Balancer | undefined)[] = [undefined];
  readonly backends: Backend[] = [];
  declare readonly addresses: AddressTable;
  /** Index of the balancers' application. */
  app = 0;
  /** Hosts that answer by way of a balancer: from which of their endpoints, and the balancer's address. */
  readonly returns: Map<number, { udp: boolean; address: number; port: number; via: number }[]> = new Map();
  /** Those of them with just one link. */
  readonly withOneLink: Map<number, number> = new Map();
  /** Is nothing under way in the network but health checks? The driver's to answer. */
  onlyChecks: () => boolean = () => false;
  readonly #stopTimer: (timer: number) => void;

  /** `stopTimer` takes a flow's timer back. */
  constructor(addresses: AddressTable, stopTimer: (timer: number) => void) {
    this.addresses = addresses;
    this.#stopTimer = stopTimer;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    v.section("balancers");
    this.flows.visitState(v);
    for (const balancer of this.list) if (balancer !== undefined) visitBalancer(balancer, v);
    const endpoints = new Set<Endpoint>();
    for (const backend of this.backends) {
      visitBackend(backend, v);
      // (Services may share one.)
      if (!endpoints.has(backend.endpoint)) visitEndpoint(backend.endpoint, v);
      endpoints.add(backend.endpoint);
    }
  }

  /** The service of a virtual endpoint; undefined if there is none. */
  serviceOf(balancer: Balancer, udp: boolean, address: number, port: number): Service | undefined {
    for (const service of balancer.services) {
      if (service.port === port && service.address === address && service.udp === udp) return service;
    }
    return undefined;
  }

  /** The hash that a service's algorithm gets; from address bytes, so that all balancers agree. */
  hash(service: Service, client: number, ports: number): number {
    const { addresses } = this;
    let h = mix32(0x2545f491, addresses.word(client));
    if (service.hashesFlow) {
      h = mix32(h, addresses.word(service.address));
      h = mix32(h, ports);
      h = mix32(h, service.udp ? 17 : 6);
    }
    return finalise32(h);
  }

  /**
   * A new flow of a service from a client: its row, or minus a `FLOW_REFUSAL`. `ports`: the client's << 16 | the virtual
   * one. `begun`: its handshake was seen by somebody else. The caller gives it a deadline and a timer.
   */
  open(service: Service, client: number, ports: number, begun: boolean): number {
    const { balancer } = service;
    const place = chooseBackend(service.pool, this.hash(service, client, ports));
    if (place < 0) return -NO_BACKEND;
    if (balancer.flows >= balancer.maxFlows) return -TABLE_FULL;
    const backend = service.backends[place];
    const owner = ownerOf(service);
    let local = client;
    let localPort = ports >>> 16;
    if (service.mode === FULL_NAT) {
      if (!takePort(service, backend.endpoint)) return -NO_PORT;
      local = service.firstSource + taken.source;
      localPort = taken.port;
    } else if (service.mode === DIRECT_RETURN) local = 0;
    const realPorts = (localPort << 16) | backend.port;
    if (local === client && !this.#makeWay(owner, local, backend.address, realPorts)) return -NO_PORT;
    const flow = this.flows.rows.allocate();
    const words = this.flows.rows.words;
    const o = (flow * STRIDE) & MASK;
    words[o + CLIENT] = client;
    words[o + VIRTUAL] = service.address;
    words[o + PORTS] = ports;
    words[o + OWNER] = owner;
    words[o + LOCAL] = local;
    words[o + REAL] = backend.address;
    words[o + REAL_PORTS] = realPorts;
    words[o + BACKEND] = backend.index;
    words[o + STATE] = (service.udp ? UDP : begun ? ESTABLISHED : SYN) | ACTIVE;
    words[o + SERIAL] = balancer.serial++;
    this.flows.insert(flow);
    if (!begun) backend.connections++;
    const active = ++service.pool.active[backend.place];
    if (active > backend.peak) backend.peak = active;
    if (++balancer.flows > balancer.peakFlows) balancer.peakFlows = balancer.flows;
    return flow;
  }

  /** Forgets a flow, its timer and its port. */
  close(flow: number): void {
    const words = this.flows.rows.words;
    const o = (flow * STRIDE) & MASK;
    const backend = this.backends[words[o + BACKEND]];
    const { service } = backend;
    const { balancer } = service;
    this.setState(flow, words[o + STATE] & ~ACTIVE);
    if (words[o + TIMER] !== 0) this.#stopTimer(words[o + TIMER]);
    if (service.mode === FULL_NAT) {
      const set = backend.endpoint.sets[words[o + LOCAL] - service.firstSource]!;
      set.free((words[o + REAL_PORTS] >>> 16) - balancer.portLow);
      backend.endpoint.used--;
    }
    balancer.flows--;
    this.flows.remove(flow);
  }

  /** A balancer that restarts forgets its flows. */
  forget(id: number): void {
    const { rows } = this.flows;
    for (let flow = 1; flow < rows.end; flow++) {
      const o = (flow * STRIDE) & MASK;
      if (rows.words[o + PORTS] === 0) continue;
      const { service } = this.backends[rows.words[o + BACKEND]];
      if (service.balancer !== this.list[id]) continue;
      if (!findsAgain(service)) this.countBroken(flow);
      this.close(flow);
    }
    // Turns begin anew.
    for (const { backends, pool } of this.list[id]!.services) {
      pool.next = 0;
      pool.credit.fill(0);
      for (const { endpoint } of backends) endpoint.nextSource = 0;
    }
  }

  /** Gives a flow another state word, and counts it no longer as active once that says so. */
  setState(flow: number, state: number): void {
    const words = this.flows.rows.words;
    const o = (flow * STRIDE) & MASK;
    const was = words[o + STATE];
    const over = isOver(state);
    words[o + STATE] = over ? state & ~ACTIVE : state;
    if ((was & ACTIVE) === 0 || (words[o + STATE] & ACTIVE) !== 0) return;
    const backend = this.backends[words[o + BACKEND]];
    backend.service.pool.active[backend.place]--;
  }

  /** Counts an established flow as broken, once. */
  countBroken(flow: number): void {
    const words = this.flows.rows.words;
    const at = flow * STRIDE + STATE;
    if ((words[at] & STATE_MASK) !== ESTABLISHED || (words[at] & BROKEN) !== 0) return;
    words[at] |= BROKEN;
    this.backends[words[flow * STRIDE + BACKEND]].broken++;
  }

  /** Says that a back end is alive or not, or that it drains or does not. */
  setBackend(backend: Backend, change: { up?: boolean; draining?: boolean }): void {
    backend.up = change.up ?? backend.up;
    backend.draining = change.draining ?? backend.draining;
    const { pool } = backend.service;
    const eligible = backend.up && !backend.draining ? 1 : 0;
    if (pool.eligible[backend.place] === eligible) return;
    pool.eligible[backend.place] = eligible;
    poolChanged(pool);
  }

  /** Counts a refused flow. */
  refuse(balancer: Balancer, refusal: number, nowNs: number): void {
    balancer.refused[refusal]++;
    if (balancer.firstRefusedNs[refusal] < 0) balancer.firstRefusedNs[refusal] = nowNs;
  }

  /** Is the tuple towards a back end free? A flow that is over makes way. */
  #makeWay(owner: number, local: number, real: number, realPorts: number): boolean {
    const other = this.flows.findBackward(owner, local, real, realPorts);
    if (other === 0) return true;
    if (!isOver(this.flows.rows.words[other * STRIDE + STATE])) return false;
    this.close(other);
    return true;
  }
}

/** Does a flow that is not in the table find its back end again? */
export function findsAgain(service: Service): boolean {
  return isHashed(service.pool.algorithm) && service.mode !== FULL_NAT;
}

/** `FLOW.OWNER` of a service's flows. */
export function ownerOf(service: Service): number {
  return (service.balancer.id << 1) | (service.udp ? 1 : 0);
}

/** What `takePort` found. */
const taken = { source: 0, port: 0 };

/** Takes a source port towards an endpoint, the sources in turn, each upwards and around; false if all are taken. */
function takePort({ balancer, sources }: Service, endpoint: Endpoint): boolean {
  const { portLow, portHigh } = balancer;
  const size = portHigh - portLow + 1;
  for (let k = 0; k < sources; k++) {
    const source = (endpoint.nextSource + k) % sources;
    const set = endpoint.sets[source] ??= new PortBitmap(size);
    const offset = set.nextFree(endpoint.nextPort % size);
    if (offset < 0) continue;
    set.take(offset);
    endpoint.nextSource = (source + 1) % sources;
    // (Having gone once through the sources, one port further.)
    if (endpoint.nextSource === 0) endpoint.nextPort = (offset + 1) % size;
    if (++endpoint.used > endpoint.peak) endpoint.peak = endpoint.used;
    taken.source = source;
    taken.port = portLow + offset;
    return true;
  }
  return false;
}

function visitBalancer(balancer: Balancer, v: StateVisitor): void {
  balancer.flows = v.number(balancer.flows);
  balancer.peakFlows = v.number(balancer.peakFlows);
  balancer.serial = v.number(balancer.serial);
  if (balancer.checkPorts !== undefined) balancer.checkPorts.last = v.number(balancer.checkPorts.last);
  for (const counts of [balancer.refused, balancer.firstRefusedNs]) {
    for (let i = 0; i < counts.length; i++) counts[i] = v.number(counts[i]);
  }
  for (const { pool } of balancer.services) visitPool(pool, v);
}

function visitBackend(backend: Backend, v: StateVisitor): void {
  backend.up = v.plain(backend.up);
  backend.draining = v.plain(backend.draining);
  for (const name of ["connections", "peak", "broken"] as const) backend[name] = v.number(backend[name]);
}

function visitEndpoint(endpoint: Endpoint, v: StateVisitor): void {
  for (const name of ["nextSource", "nextPort", "used", "peak"] as const) endpoint[name] = v.number(endpoint[name]);
  visitBitmaps(v, endpoint.sets);
}
