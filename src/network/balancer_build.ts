/**
 * From declared balancers to their services, back ends and health checks.
 *
 * @module
 */
import { addToAddress, formatAddress } from "../base/address.ts";
import { nearest } from "../base/errors.ts";
import { finalise32, hashString } from "../base/hash.ts";
import { formatCount } from "../base/units.ts";
import { type Backend, type Balancer, BALANCER_MODE, Balancers, type Service } from "../node/balancers.ts";
import { makePool } from "../node/balancing.ts";
import { MAGLEV_TABLE_SIZE } from "../node/maglev.ts";
import { NODE, NODE_FLAG, NODE_KIND } from "../node/nodes.ts";
import { defaultPrefix } from "../node/prefixes.ts";
import { makeProfile } from "../transport/profile.ts";
import { BalancerApp } from "./balancer_app.ts";
import type { BalancerMode, BalancerOptions, BalancerServiceOptions, HealthOptions } from "./balancer_options.ts";
import { checkBalancer, checkService, planBackends } from "./balancer_plan.ts";
import { NetworkError } from "./errors.ts";
import { checkPortsFor } from "./health_checks.ts";
import type { Partition } from "./partition.ts";
import type { Plan, PlannedPopulation } from "./plan.ts";

const { ADDRESS, BALANCER, EGRESS, ROUTES, FLAGS, MASK, STRIDE } = NODE;

const MODES = {
  "nat": BALANCER_MODE.NAT,
  "direct-return": BALANCER_MODE.DIRECT_RETURN,
  "full-nat": BALANCER_MODE.FULL_NAT,
} as const;

/** Makes the balancers of a plan. Throws `NetworkError`. */
export function buildBalancers(s: Partition, plan: Plan): void {
  const populations = plan.populations.filter(({ kind }) => kind === NODE_KIND.BALANCER);
  if (populations.length === 0) return;
  const balancers = new Balancers(s.addresses, (timer) => s.stopTimer(timer));
  s.balancers = balancers;
  balancers.app = s.apps.length;
  const app = new BalancerApp(s, balancers, balancers.app);
  s.apps.push(app);
  balancers.onlyChecks = () => app.checks.isAllThereIs();
  const profile = s.profiles.add(makeProfile({}));
  for (const population of populations) {
    const options = population.declaration.options as BalancerOptions;
    checkBalancer(options, `nodes.${population.name}`);
    for (let i = 0; i < population.count; i++) addBalancer(s, plan, balancers, app, population, options, i, profile);
  }
}

function addBalancer(
  s: Partition,
  plan: Plan,
  balancers: Balancers,
  app: BalancerApp,
  population: PlannedPopulation,
  options: BalancerOptions,
  member: number,
  profile: number,
): void {
  const node = population.firstRow + member;
  const name = hashString(population.name);
  s.hosts.ensure(node);
  s.hosts.setProfile(node, profile);
  s.hosts.setRank(node, population.firstRank + member);
  s.hosts.setNameHash(node, finalise32(name.lo + member), finalise32(name.hi ^ member));
  const { portLow = 1024, portHigh = 65535, synNs = 60e9, establishedNs = 900e9, finNs = 120e9 } = options;
  const { closedNs = 10e9, udpNs = 300e9 } = options;
  const balancer: Balancer = {
    id: balancers.list.length,
    node,
    name: population.plural ? `${population.name}[${member}]` : population.name,
    services: [],
    firstSource: s.addresses.intern(addToAddress(population.pool.first, member * population.pool.count)),
    sources: population.pool.count,
    portLow,
    portHigh,
    maxFlows: options.maxFlows ?? Infinity,
    timeoutsMs: [synNs, establishedNs, finNs, closedNs, udpNs].map((ns) => Math.ceil(ns / 1e6)),
    salt: finalise32(name.lo + member),
    checkPorts: undefined,
    flows: 0,
    peakFlows: 0,
    serial: 0,
    refused: [0, 0, 0, 0],
    firstRefusedNs: [-1, -1, -1, -1],
  };
  balancers.list.push(balancer);
  s.nodes.words[node * STRIDE + BALANCER] = balancer.id;
  if (options.ecmp === "resilient") s.nodes.words[node * STRIDE + FLAGS] |= NODE_FLAG.RESILIENT_ECMP;
  // (Its sources are its own addresses too, next to the virtual ones.)
  addSources(s, balancer);
  options.services.forEach((declared, i) => {
    addService(s, plan, balancers, app, balancer, declared, `nodes.${population.name}.services[${i}]`);
  });
  addCheckPorts(balancer, app, `nodes.${population.name}`);
}

function addCheckPorts(balancer: Balancer, app: BalancerApp, subject: string): void {
  const addresses = app.checks.sourcesOf(balancer);
  if (addresses.length === 0) return;
  balancer.checkPorts = checkPortsFor(balancer, addresses);
  if (balancer.checkPorts !== undefined) return;
  throw new NetworkError(
    `${subject}.portLow`,
    `Health checks of ${balancer.name} need a source port of its address too: full-nat's flows may have all of them. ` +
      "Give these a smaller range, or other sources.",
  );
}

function addSources(s: Partition, balancer: Balancer): void {
  const { node, firstSource, sources } = balancer;
  const own = s.nodes.words[node * STRIDE + ADDRESS];
  const known = s.nodes.extraAddresses.get(node) ?? [own];
  const more: number[] = [];
  for (let k = 0; k < sources; k++) if (!known.includes(firstSource + k)) more.push(firstSource + k);
  if (more.length === 0) return;
  s.nodes.extraAddresses.set(node, [...known, ...more]);
  s.nodes.words[node * STRIDE + FLAGS] |= NODE_FLAG.MANY_ADDRESSES;
}

function addService(
  s: Partition,
  plan: Plan,
  balancers: Balancers,
  app: BalancerApp,
  balancer: Balancer,
  declared: BalancerServiceOptions,
  subject: string,
): void {
  checkService(declared, subject);
  const own = s.nodes.words[balancer.node * STRIDE + ADDRESS];
  const address = declared.address === undefined ? own : s.addresses.intern(declared.address);
  const { family } = s.addresses.toAddress(address);
  const backends = planBackends(declared, subject, plan, family);
  const tableSize = declared.maglevTableSize ?? MAGLEV_TABLE_SIZE;
  if (declared.algorithm === "maglev" && backends.length > tableSize) {
    throw new NetworkError(
      `${subject}.maglevTableSize`,
      `A Maglev table of ${formatCount(tableSize)} entries has none for some of ${formatCount(backends.length)} back ` +
        "ends: it should have a hundred times as many.",
    );
  }
  const { port, algorithm = "round-robin", mode = "nat", connectionTable = true } = declared;
  const udp = declared.protocol === "udp";
  if (balancers.serviceOf(balancer, udp, address, port) !== undefined) {
    throw new NetworkError(
      `${subject}.port`,
      `Two services of ${balancer.name} have the same address and port ${port}.`,
    );
  }
  const text = s.addresses.toText(address);
  const service: Service = {
    balancer,
    name: `${text.includes(":") ? `[${text}]` : text}:${port}`,
    udp,
    address,
    port,
    mode: MODES[mode],
    pool: makePool({
      algorithm,
      names: backends.map((one) => hashString(`${formatAddress(one.address)} ${one.port}`)),
      weights: backends.map(({ weight }) => weight),
      tableSize,
    }),
    backends: [],
    remembers: connectionTable,
    hashesFlow: (declared.hashOn ?? (algorithm === "maglev" ? "flow" : "address")) === "flow",
    resets: declared.onBackendDown === "reset",
    ...sourcesFor(s, balancer, address, mode, subject),
    detectionNs: declared.health?.detectionNs ?? 0,
  };
  balancer.services.push(service);
  for (const planned of backends) {
    const id = s.addresses.intern(planned.address);
    if (s.addresses.isIpv6(id) !== s.addresses.isIpv6(address)) {
      throw new NetworkError(planned.subject, `${planned.name} has an address of another family than ${service.name}.`);
    }
    const { node } = planned;
    if (mode === "direct-return") checkDirectReturn(s, service, planned, node);
    const backend: Backend = {
      index: balancers.backends.length,
      name: planned.name,
      node,
      address: id,
      port: planned.port,
      service,
      place: service.backends.length,
      endpoint: endpointOf(balancer, service, id, planned.port),
      up: true,
      draining: false,
      connections: 0,
      peak: 0,
      broken: 0,
    };
    balancers.backends.push(backend);
    service.backends.push(backend);
    if (mode === "nat") answerVia(s, balancers, backend, planned.subject);
    if (declared.health?.intervalNs !== undefined) {
      if (udp) throw new NetworkError(`${subject}.health`, "Health checks are TCP connections: of UDP there are none.");
      app.checks.add(backend, declared.health as HealthOptions);
    }
  }
}

/** Full-nat's sources for a service: those declared, or the balancer's own address of the other family. */
function sourcesFor(
  s: Partition,
  { node, name, firstSource, sources }: Balancer,
  address: number,
  mode: BalancerMode,
  subject: string,
): { firstSource: number; sources: number } {
  const ipv6 = s.addresses.isIpv6(address);
  if (mode !== "full-nat" || s.addresses.isIpv6(firstSource) === ipv6) return { firstSource, sources };
  // (Not a virtual one, which several balancers may have.)
  const own = ipv6 ? s.nodes.address6Of(node) : 0;
  if (own !== 0) return { firstSource: own, sources: 1 };
  const [family, other] = ipv6 ? ["IPv6", "IPv4"] : ["IPv4", "IPv6"];
  throw new NetworkError(
    `${subject}.address`,
    `In full-nat clients are seen as addresses of ${name}, which are ${other}: an ${family} service needs a balancer ` +
      `that has an ${family} address too.`,
  );
}

function checkDirectReturn(
  s: Partition,
  service: Service,
  { name, port, subject }: { name: string; port: number; subject: string },
  node: number,
): void {
  if (port !== service.port) {
    throw new NetworkError(
      subject,
      `In direct return the port stays as it is: ${name} must listen on ${service.port}, as the service does.`,
    );
  }
  if (node !== 0 && s.nodes.hasAddress(node, service.address)) return;
  throw new NetworkError(
    subject,
    `In direct return ${name} answers as ${s.addresses.toText(service.address)}: it needs that address too ` +
      "(virtualAddresses).",
  );
}

/** The source ports towards an endpoint are the same whichever service uses them. */
function endpointOf(balancer: Balancer, service: Service, address: number, port: number): Backend["endpoint"] {
  for (const other of balancer.services) {
    if (other.udp !== service.udp) continue;
    for (const backend of other.backends) {
      if (backend.address === address && backend.port === port) return backend.endpoint;
    }
  }
  return { sets: [], nextSource: 0, nextPort: 0, used: 0, peak: 0 };
}

/** A back end of a client-preserving balancer sends what it answers there: the balancer is its gateway for that. */
function answerVia(s: Partition, balancers: Balancers, backend: Backend, subject: string): void {
  const { node, address, port, service } = backend;
  if (node === 0) throw new NetworkError(subject, `No host has the address of ${backend.name}.`);
  const { balancer, udp } = service;
  const ipv6 = s.addresses.isIpv6(address);
  const via = s.addressFor(balancer.node, ipv6) || s.nodes.words[balancer.node * STRIDE + ADDRESS];
  const known = balancers.returns.get(node) ?? [];
  const other = known.find((one) => one.udp === udp && one.address === address && one.port === port);
  if (other !== undefined && other.via !== via) {
    throw new NetworkError(
      subject,
      `${backend.name} answers by way of ${s.addresses.toText(other.via)} already: in mode nat a back end has one ` +
        "balancer; with several, use full-nat or direct-return.",
    );
  }
  if (other !== undefined) return;
  balancers.returns.set(node, [...known, { udp, address, port, via }]);
  const words = s.nodes.words;
  const at = (node * STRIDE) & MASK;
  words[at + FLAGS] |= NODE_FLAG.ANSWERS_VIA_BALANCER;
  if (words[at + EGRESS] < 0) return;
  balancers.withOneLink.set(node, words[at + EGRESS]);
  const table = s.routes.create();
  for (const family of [4, 6] as const) s.routes.add(table, defaultPrefix(family), { link: words[at + EGRESS] });
  s.routes.freeze(table);
  words[at + ROUTES] = table;
  words[at + EGRESS] = -1;
}

/** What a balancer is told of a back end. */
export type BackendChange = "up" | "down" | "drain";

/**
 * The back ends of a balancer (or of every member of a population: `name`) that are called so: a back end as declared
 * (`web[3]:80`), a host (`web[3]`) or a population (`web`). Throws `NetworkError` where nothing is so called.
 */
export function findBackends(s: Partition, name: string, which: string): Backend[] {
  const matches = (text: string, called: string) =>
    text === called || text.startsWith(`${called}[`) || text.slice(0, text.lastIndexOf(":")) === called;
  const balancers = s.balancers?.list.filter((one) => one !== undefined && matches(`${one.name}:`, name)) ?? [];
  if (balancers.length === 0) throw new NetworkError(`nodes.${name}`, `There is no balancer called "${name}".`);
  const all = balancers.flatMap((one) => one!.services).flatMap(({ backends }) => backends);
  const found = all.filter((backend) => matches(backend.name, which));
  if (found.length > 0) return found;
  const near = nearest(which, [...new Set(all.map((backend) => backend.name))]);
  const hint = near === undefined ? "" : ` Did you mean "${near}"?`;
  throw new NetworkError(`nodes.${name}`, `${name} has no back end "${which}".${hint}`);
}

/**
 * Tells a balancer (or every member of a population: `name`) that back ends are up, down, or take no new flows. See `findBackends`. "Up" and "down" are believed after
 * the service's detection time; health checks may change it again. Throws `NetworkError` where nothing is so called.
 */
export function changeBackends(s: Partition, name: string, which: string, change: BackendChange): void {
  const found = findBackends(s, name, which);
  const app = s.apps[s.balancers!.app] as BalancerApp;
  for (const backend of found) {
    if (change === "drain") s.balancers!.setBackend(backend, { draining: true });
    else {
      s.balancers!.setBackend(backend, { draining: false });
      app.tell(backend, change === "up");
    }
  }
}
