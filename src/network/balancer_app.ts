/**
 * What happens at a balancer by itself: flows that time out, what it is told of back ends, and health checks.
 *
 * @module
 */
import type { App } from "../app/types.ts";
import type { StateVisitor } from "../base/state.ts";
import type { Backend, Balancers } from "../node/balancers.ts";
import { FLOW } from "../node/flow_table.ts";
import { armFlow } from "./balancer_node.ts";
import { CHECK_NOW, CHECK_OVER, HealthChecks } from "./health_checks.ts";
import type { Partition } from "./partition.ts";

/** Codes of its timers. */
export const FLOW_TIMEOUT = 0;
const TOLD_UP = 3;
const TOLD_DOWN = 4;

/** The application behind all balancers of a partition. */
export class BalancerApp implements App {
  readonly #partition: Partition;
  readonly #balancers: Balancers;
  readonly #app: number;
  /** Health checks. */
  declare readonly checks: HealthChecks;

  /** `app` is its index among the apps. */
  constructor(partition: Partition, balancers: Balancers, app: number) {
    this.#partition = partition;
    this.#balancers = balancers;
    this.#app = app;
    this.checks = new HealthChecks(partition, app, (backend, up) => balancers.setBackend(backend, { up }));
  }

  /** Tells the balancer that a back end is up or down: it believes so after its detection time. */
  tell(backend: Backend, up: boolean): void {
    const afterNs = backend.service.detectionNs;
    if (afterNs === 0) this.#balancers.setBackend(backend, { up });
    else {
      // (It happens once: a run waits for it.)
      const s = this.#partition;
      s.startTimer(
        backend.service.balancer.node,
        this.#app,
        s.nowNs + afterNs,
        up ? TOLD_UP : TOLD_DOWN,
        backend.index,
      );
    }
  }

  /** See {@linkcode App}. The balancers show their state themselves. */
  visitState(v: StateVisitor): void {
    this.checks.visitState(v);
  }

  /** See {@linkcode App}. */
  hostsRestarted(first: number, count: number): void {
    this.checks.restart(first, count);
  }

  /** See {@linkcode App}. */
  onTimer(code: number, _connection: number, argument: number): void {
    switch (code) {
      case FLOW_TIMEOUT:
        return this.#flowTimeout(argument);
      case CHECK_NOW:
      case CHECK_OVER:
        return this.checks.onTimer(code, argument);
      default:
        this.#balancers.setBackend(this.#balancers.backends[argument], { up: code === TOLD_UP });
    }
  }

  /** See {@linkcode App}. Its connections are health checks. */
  onTcp(kind: number, connection: number, argument: number): void {
    this.checks.onTcp(kind, connection, argument);
  }

  #flowTimeout(flow: number): void {
    const b = this.#balancers;
    const words = b.flows.rows.words;
    const at = flow * FLOW.STRIDE;
    words[at + FLOW.TIMER] = 0;
    if (words[at + FLOW.DEADLINE] * 1e6 <= this.#partition.nowNs) return b.close(flow);
    armFlow(this.#partition, b, flow, b.backends[words[at + FLOW.BACKEND]].service.balancer.node);
  }
}
