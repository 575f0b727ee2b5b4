/**
 * Health checks of balancers: TCP connections to back ends, opened every so often and reset at once. They are periodic
 * like keep-alives: a run in which nothing else is under way is at rest.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import type { StateVisitor } from "../base/state.ts";
import { type Backend, type Balancer, BALANCER_MODE, type CheckPorts } from "../node/balancers.ts";
import { NODE, NODE_FLAG } from "../node/nodes.ts";
import { abort, closeConnection, connect, liveTimersOf } from "../tcp/mod.ts";
import { TCP_EVENT } from "../tcp/state/states.ts";
import { WARM } from "../tcp/state/tcb.ts";
import { CONTROL, EXTRA, PACKET, PROTOCOL } from "../wire/packet.ts";
import type { HealthOptions } from "./balancer_options.ts";
import type { Partition } from "./partition.ts";

/** Codes of its timers, among those of the balancers' application. */
export const CHECK_NOW = 1;
/** An attempt has taken too long. */
export const CHECK_OVER = 2;

/** Attempts of a check whose packets may still be under way. */
const RECENT = 8;

const { APP_DATA2, STRIDE: WARM_STRIDE } = WARM;
const { CONNECTED, CLOSED, FAILED } = TCP_EVENT;
const { SRC, DST, PORTS, CONTROL: CONTROL_AT, STRIDE } = PACKET;
const { QUOTED_SRC, QUOTED_DST, QUOTED_PORTS, QUOTED_CONTROL, STRIDE: EXTRA_STRIDE } = EXTRA;

/** The health checks of one back end. */
interface Check {
  readonly backend: Backend;
  readonly intervalNs: number;
  readonly timeoutNs: number;
  readonly fall: number;
  readonly rise: number;
  /** The balancer's address that it comes from. */
  readonly source: number;
  /** The attempt that is on its way, 0 for none, and the timer that ends it. */
  connection: number;
  timer: number;
  /** Attempts in a row that said the opposite of what is believed. */
  doubts: number;
  /** Source ports of attempts of which a side may have something left, the latest last. */
  ports: number[];
}

/** The health checks of all balancers of a partition. */
export class HealthChecks {
  readonly #partition: Partition;
  readonly #app: number;
  readonly #checks: Check[] = [];
  readonly #believe: (backend: Backend, up: boolean) => void;

  /** `app`: whose timers and connections they are. `believe` is told when a back end is found down, or up again. */
  constructor(partition: Partition, app: number, believe: (backend: Backend, up: boolean) => void) {
    this.#partition = partition;
    this.#app = app;
    this.#believe = believe;
  }

  /** Checks a back end from the first interval on. */
  add(backend: Backend, health: HealthOptions): void {
    const intervalNs = health.intervalNs!;
    // (An attempt ends before the next begins.)
    const timeoutNs = Math.min(health.timeoutNs ?? Math.ceil(intervalNs / 2), intervalNs - 1e6);
    const { fall = 3, rise = 2 } = health;
    const source = this.#partition.sourceFor(backend.service.balancer.node, backend.address);
    const check: Check = {
      ...{ backend, intervalNs, timeoutNs, fall, rise, source },
      ...{ connection: 0, timer: 0, doubts: 0, ports: [] },
    };
    this.#later(check, intervalNs, CHECK_NOW, this.#checks.push(check) - 1);
  }

  /** The addresses that a balancer's checks come from. */
  sourcesOf(balancer: Balancer): number[] {
    const own = this.#checks.filter(({ backend }) => backend.service.balancer === balancer);
    return [...new Set(own.map(({ source }) => source))];
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    for (const check of this.#checks) {
      for (const name of ["connection", "timer", "doubts"] as const) check[name] = v.number(check[name]);
      check.ports = v.plain(check.ports);
    }
  }

  /** Of balancers that restart: a back end is believed to be up until checks say otherwise. */
  restart(first: number, count: number): void {
    for (const check of this.#checks) {
      const { node } = check.backend.service.balancer;
      if (node < first || node >= first + count) continue;
      check.doubts = 0;
      this.#believe(check.backend, true);
    }
  }

  /** A timer: `CHECK_NOW`, `CHECK_OVER`. */
  onTimer(code: number, index: number): void {
    const check = this.#checks[index];
    if (code === CHECK_NOW) return this.#begin(check, index);
    check.timer = 0;
    abort(this.#partition.tcp, check.connection);
    this.#end(check, false);
  }

  /** What has become of an attempt. */
  onTcp(kind: number, connection: number, errno: number): void {
    if (kind !== CONNECTED && kind !== CLOSED && kind !== FAILED) return;
    const { tcp } = this.#partition;
    const check = this.#checks[tcp.warm[connection * WARM_STRIDE + APP_DATA2]];
    if (check.connection !== connection) return;
    // A reset ends it at once: neither side keeps a TIME-WAIT.
    if (kind === CONNECTED) abort(tcp, connection);
    else closeConnection(tcp, connection);
    // (Where the balancer itself has restarted, the attempt says nothing.)
    this.#end(check, kind === FAILED && errno === ERRNO.ECONNABORTED ? undefined : kind === CONNECTED);
  }

  /** Is nothing under way but checks? What is left of a check that cannot be told from other traffic counts as such. */
  isAllThereIs(): boolean {
    const s = this.#partition;
    if (this.#checks.length === 0 || s.timers.live > 0 || s.events.inUse > 0) return false;
    // Cheap answers first: a network that is busy has more packets and timers than checks could have.
    const attempts = this.#checks.reduce((sum, { ports }) => sum + ports.length, 0);
    const { rows } = s.packets;
    if (rows.inUse > 4 * attempts || s.tcp.liveTimers > 4 * attempts) return false;
    return this.#ownTimers() === s.tcp.liveTimers && this.#ownPackets() === rows.inUse;
  }

  #ownTimers(): number {
    const { tcp } = this.#partition;
    if (tcp.liveTimers === 0) return 0;
    let timers = 0;
    for (const check of this.#checks) {
      for (const port of check.ports) {
        for (const row of this.#rowsOf(check, port)) timers += row === 0 ? 0 : liveTimersOf(tcp, row);
      }
    }
    return timers;
  }

  #ownPackets(): number {
    const { rows, extras } = this.#partition.packets;
    const { words } = rows;
    let packets = 0;
    // (A row that is free has no destination.)
    for (let o = STRIDE; packets < rows.inUse && o < rows.end * STRIDE; o += STRIDE) {
      if (words[o + DST] === 0) continue;
      const control = words[o + CONTROL_AT];
      const x = (control & CONTROL.QUOTES) === 0 ? -1 : words[o + PACKET.EXTRA] * EXTRA_STRIDE;
      const about = x < 0 ? control : extras.words[x + QUOTED_CONTROL];
      if (about >>> CONTROL.PROTOCOL_SHIFT !== PROTOCOL.TCP) return -1;
      const own = x < 0
        ? this.#isOwn(words[o + SRC], words[o + DST], words[o + PORTS])
        : this.#isOwn(extras.words[x + QUOTED_SRC], extras.words[x + QUOTED_DST], extras.words[x + QUOTED_PORTS]);
      if (!own) return -1;
      packets++;
    }
    return packets;
  }

  /** Is it a segment of a check? */
  #isOwn(source: number, destination: number, ports: number): boolean {
    const [from, to] = [ports >>> 16, ports & 0xffff];
    return this.#checks.some(({ backend: { address, port }, source: own, ports: used }) =>
      (source === own && destination === address && to === port && used.includes(from)) ||
      (source === address && destination === own && from === port && used.includes(to))
    );
  }

  /** What either side has of an attempt: `Demux` values, 0 for nothing. */
  #rowsOf({ backend, source }: Check, port: number): [number, number] {
    const { demux } = this.#partition.tcp;
    const { address, node } = backend;
    const here = demux.find(backend.service.balancer.node, source, address, (port << 16) | backend.port);
    return [here, node === 0 ? 0 : demux.find(node, address, source, (backend.port << 16) | port)];
  }

  #later(check: Check, afterNs: number, code: number, index: number): number {
    const s = this.#partition;
    return s.timers.startInBackground(check.backend.service.balancer.node, this.#app, s.nowNs + afterNs, code, index);
  }

  #begin(check: Check, index: number): void {
    const s = this.#partition;
    const { backend, source } = check;
    const { node, checkPorts } = backend.service.balancer;
    this.#later(check, check.intervalNs, CHECK_NOW, index);
    // (A balancer that is down asks nobody.)
    if ((s.nodes.words[node * NODE.STRIDE + NODE.FLAGS] & NODE_FLAG.DOWN) !== 0) return;
    const old = check.ports.length - RECENT;
    if (old >= 0) check.ports = check.ports.filter((port, i) => i > old || this.#rowsOf(check, port)[1] !== 0);
    let c: number = -ERRNO.EADDRNOTAVAIL;
    let port = 0;
    for (let tries = checkPorts!.high - checkPorts!.low; tries >= 0 && c === -ERRNO.EADDRNOTAVAIL; tries--) {
      port = nextPort(checkPorts!);
      c = connect(s.tcp, node, source, port, backend.address, backend.port, this.#app);
    }
    if (c === -ERRNO.EADDRNOTAVAIL) return;
    if (c < 0) return this.#judge(check, false);
    s.tcp.warm[c * WARM_STRIDE + APP_DATA2] = index;
    check.connection = c;
    check.ports.push(port);
    check.timer = this.#later(check, check.timeoutNs, CHECK_OVER, index);
  }

  #end(check: Check, alive: boolean | undefined): void {
    check.connection = 0;
    if (check.timer !== 0) this.#partition.stopTimer(check.timer);
    check.timer = 0;
    if (alive !== undefined) this.#judge(check, alive);
  }

  #judge(check: Check, alive: boolean): void {
    const { backend } = check;
    if (alive === backend.up) {
      check.doubts = 0;
      return;
    }
    if (++check.doubts < (alive ? check.rise : check.fall)) return;
    check.doubts = 0;
    this.#believe(backend, alive);
  }
}

function nextPort(ports: CheckPorts): number {
  do {
    if (++ports.last > ports.high) ports.last = ports.low;
  } while (ports.services.includes(ports.last));
  return ports.last;
}

/**
 * The ports for a balancer's checks from `addresses`: Linux's ephemeral ones, or, where full-nat's flows come from such
 * an address too, some that these do not use. Those of services at the address are left out. `undefined` if none is left.
 */
export function checkPortsFor(balancer: Balancer, addresses: readonly number[]): CheckPorts | undefined {
  const { portLow, portHigh } = balancer;
  const shared = balancer.services.some(({ mode, udp, firstSource, sources }) =>
    mode === BALANCER_MODE.FULL_NAT && !udp &&
    addresses.some((own) => own >= firstSource && own < firstSource + sources)
  );
  let [low, high] = [32_768, 60_999];
  if (shared) {
    // (The larger of the gaps below and above.)
    [low, high] = portLow - 1 >= 65_535 - portHigh ? [1, portLow - 1] : [portHigh + 1, 65_535];
  }
  const services = balancer.services.filter(({ address, udp }) => !udp && addresses.includes(address))
    .map(({ port }) => port).filter((port) => port >= low && port <= high);
  if (high - low + 1 <= new Set(services).size) return undefined;
  return { addresses, low, high, services, last: low - 1 };
}
