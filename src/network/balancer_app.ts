/**
 * What happens at a balancer by itself: flows that time out, and health checks, which are real TCP connections.
 *
 * @module
 */
import type { App } from "../app/types.ts";
import type { StateVisitor } from "../base/state.ts";
import type { Backend, Balancers } from "../node/balancers.ts";
import { FLOW } from "../node/flow_table.ts";
import { abort, closeConnection, connect } from "../tcp/mod.ts";
import { TCP_EVENT } from "../tcp/state/states.ts";
import { WARM } from "../tcp/state/tcb.ts";
import { armFlow } from "./balancer_node.ts";
import type { HealthOptions } from "./balancer_options.ts";
import type { Partition } from "./partition.ts";

/** Codes of its timers. */
export const FLOW_TIMEOUT = 0;
const CHECK_NOW = 1;
const CHECK_OVER = 2;
const TOLD_UP = 3;
const TOLD_DOWN = 4;

const { APP_DATA2, STRIDE: WARM_STRIDE } = WARM;
const { CONNECTED, CLOSED, FAILED } = TCP_EVENT;

/** The health checks of one back end. */
interface Check {
  backend: Backend;
  intervalNs: number;
  timeoutNs: number;
  fall: number;
  rise: number;
  /** The attempt that is on its way, 0 for none, and the timer that ends it. */
  connection: number;
  timer: number;
  /** Attempts in a row that said the opposite of what is believed. */
  doubts: number;
}

/** The application behind all balancers of a partition. */
export class BalancerApp implements App {
  readonly #partition: Partition;
  readonly #balancers: Balancers;
  readonly #app: number;
  readonly #checks: Check[] = [];

  /** `app` is its index among the apps. */
  constructor(partition: Partition, balancers: Balancers, app: number) {
    this.#partition = partition;
    this.#balancers = balancers;
    this.#app = app;
  }

  /** Checks a back end from the first interval on. Times in ns. */
  addCheck(backend: Backend, health: HealthOptions): void {
    const intervalNs = health.intervalNs!;
    // (An attempt ends before the next begins: in between, a run may be at rest.)
    const timeoutNs = Math.min(health.timeoutNs ?? Math.ceil(intervalNs / 2), intervalNs - 1e6);
    const { fall = 3, rise = 2 } = health;
    const check = this.#checks.push({
      backend,
      intervalNs,
      timeoutNs,
      fall,
      rise,
      connection: 0,
      timer: 0,
      doubts: 0,
    }) - 1;
    this.#later(backend, intervalNs, CHECK_NOW, check);
  }

  /** Tells the balancer that a back end is up or down: it believes so after its detection time. */
  tell(backend: Backend, up: boolean): void {
    const afterNs = backend.service.detectionNs;
    if (afterNs === 0) this.#balancers.setBackend(backend, { up });
    else this.#later(backend, afterNs, up ? TOLD_UP : TOLD_DOWN, backend.index);
  }

  /** See {@linkcode App}. The balancers show their state themselves. */
  visitState(v: StateVisitor): void {
    for (const check of this.#checks) {
      for (const name of ["connection", "timer", "doubts"] as const) check[name] = v.number(check[name]);
    }
  }

  /** See {@linkcode App}. */
  onTimer(code: number, _connection: number, argument: number): void {
    switch (code) {
      case FLOW_TIMEOUT:
        return this.#flowTimeout(argument);
      case CHECK_NOW:
        return this.#begin(argument);
      case CHECK_OVER: {
        const check = this.#checks[argument];
        check.timer = 0;
        abort(this.#partition.tcp, check.connection);
        return this.#end(check, false);
      }
      default:
        this.#balancers.setBackend(this.#balancers.backends[argument], { up: code === TOLD_UP });
    }
  }

  /** See {@linkcode App}. Its connections are health checks. */
  onTcp(kind: number, connection: number): void {
    if (kind !== CONNECTED && kind !== CLOSED && kind !== FAILED) return;
    const { tcp } = this.#partition;
    const check = this.#checks[tcp.warm[connection * WARM_STRIDE + APP_DATA2]];
    if (check.connection !== connection) return;
    // A reset ends it at once: neither side keeps a TIME-WAIT.
    if (kind === CONNECTED) abort(tcp, connection);
    else closeConnection(tcp, connection);
    this.#end(check, kind === CONNECTED);
  }

  #later(backend: Backend, afterNs: number, code: number, argument: number): void {
    const s = this.#partition;
    s.timers.startInBackground(backend.service.balancer.node, this.#app, s.nowNs + afterNs, code, argument);
  }

  #flowTimeout(flow: number): void {
    const b = this.#balancers;
    const words = b.flows.rows.words;
    const at = flow * FLOW.STRIDE;
    words[at + FLOW.TIMER] = 0;
    if (words[at + FLOW.DEADLINE] * 1e6 <= this.#partition.nowNs) return b.close(flow);
    armFlow(this.#partition, b, flow, b.backends[words[at + FLOW.BACKEND]].service.balancer.node);
  }

  #begin(index: number): void {
    const s = this.#partition;
    const check = this.#checks[index];
    const { backend } = check;
    const { node } = backend.service.balancer;
    this.#later(backend, check.intervalNs, CHECK_NOW, index);
    const source = s.sourceFor(node, backend.address);
    const c = connect(s.tcp, node, source, 0, backend.address, backend.port, this.#app);
    if (c < 0) return this.#judge(check, false);
    s.tcp.warm[c * WARM_STRIDE + APP_DATA2] = index;
    check.connection = c;
    check.timer = s.startTimer(node, this.#app, s.nowNs + check.timeoutNs, CHECK_OVER, index);
  }

  #end(check: Check, alive: boolean): void {
    check.connection = 0;
    if (check.timer !== 0) this.#partition.stopTimer(check.timer);
    check.timer = 0;
    this.#judge(check, alive);
  }

  #judge(check: Check, alive: boolean): void {
    const { backend } = check;
    if (alive === backend.up) {
      check.doubts = 0;
      return;
    }
    if (++check.doubts < (alive ? check.rise : check.fall)) return;
    check.doubts = 0;
    this.#balancers.setBackend(backend, { up: alive });
  }
}
