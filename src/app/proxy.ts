/**
 * A layer-7 proxy: it ends its clients' connections and has others to its back ends, from addresses of its own. To them
 * it is one client, and each (source address, back-end address, port) has only so many ports.
 *
 * `stream`: every client has a connection to a back end, and bytes are passed on as they come, no faster than the other
 * side takes them. `request`: requests and replies of known sizes; each goes over a connection of a pool, which may be
 * used again (keep-alive), and for several requests at once (multiplexing), whose replies come in order.
 *
 * Payload is counted, not carried: what a proxy passes on are bytes without content.
 *
 * @module
 */
import { TCP_EVENT } from "../tcp/state/states.ts";
import { WARM } from "../tcp/state/tcb.ts";
import { hostOf, isConnected, listenerHost, peerHasClosed } from "../socket/rows.ts";
import { receive, send, sendRoom, setNoDelay, shutdownWrite, unreadBytes, wantRoom } from "../tcp/mod.ts";
import { ERRNO } from "../base/errors.ts";
import { finalise32, mix32 } from "../base/hash.ts";
import { type StateVisitor, visitNumbers } from "../base/state.ts";
import { type BackendPool, chooseBackend, isInUse, visitPool } from "../node/balancing.ts";
import type { ProxyReport } from "../base/balancer_reports.ts";
import { ProxyRows, SIDE } from "./proxy_rows.ts";
import type { App, AppRuntime } from "./types.ts";

/** What the driver does for a proxy beside what it does for every application. */
export interface ProxyRuntime extends AppRuntime {
  /** As `connect`, from a given address; the proxy counts it, and that there was no port. */
  connectUncounted(node: number, local: number, remote: number, remotePort: number, app: number): number;
}

/** What a proxy does. Sizes in bytes. */
export interface ProxyPlan {
  kind: "stream" | "request";
  requestBytes: number;
  replyBytes: number;
  /** What a refused request is answered with; then the connection is closed. */
  refusalBytes: number;
  /** Source addresses of connections to back ends, in turn, those of the back end's family; 0: the node's own. */
  sources: readonly number[];
  backends: readonly { address: number; port: number }[];
  /** Algorithm and its state. */
  pool: BackendPool;
  /** `request`: is a connection used again? */
  keepAlive: boolean;
  /** `request`: requests at once on one connection. */
  multiplex: number;
  /** `request`: connections to one back end at most. */
  maxConnections: number;
  /** `request`: requests that may wait for a connection. */
  maxWaiting: number;
}

const { APP_STATE, APP_DATA, APP_DATA2, MASK, STRIDE } = WARM;
const { ACCEPTABLE, CONNECTED, READABLE, PEER_CLOSED, WRITABLE, CLOSED, FAILED } = TCP_EVENT;
const { CLIENT, BACKEND, GONE } = SIDE;

/** What `#tryForward` returns where it could. */
const FORWARDED = -2;

/** One proxy: a listening port of one host. */
export class Proxy implements App {
  /** Name of its host or population. */
  declare readonly node: string;
  declare readonly report: ProxyReport;
  /** Requests refused because the pool was in use and no more could wait: how many, and when first, ns (-1: never). */
  readonly poolRefusals = { count: 0, firstNs: -1 };
  /** Connections to back ends that there may be; Infinity for no limit. */
  declare readonly poolSize: number;
  readonly #runtime: ProxyRuntime;
  readonly #app: number;
  readonly #plan: ProxyPlan;
  readonly #rows: ProxyRows;
  readonly #clientWord: (connection: number) => number;
  readonly #portsRefused: (node: number, remote: number, remotePort: number) => void;
  #nextSource = 0;
  #backendOpen = 0;

  /**
   * `clientWord`: what stands for a client's address in hashes. `portsRefused` is told of connections for which no source
   * had a port left.
   */
  constructor(
    options: {
      runtime: ProxyRuntime;
      app: number;
      plan: ProxyPlan;
      node: string;
      clientWord: (connection: number) => number;
      portsRefused: (node: number, remote: number, remotePort: number) => void;
    },
  ) {
    this.node = options.node;
    this.#clientWord = options.clientWord;
    this.#portsRefused = options.portsRefused;
    this.#runtime = options.runtime;
    this.#app = options.app;
    this.#plan = options.plan;
    this.poolSize = options.plan.maxConnections * options.plan.backends.length;
    this.#rows = new ProxyRows(options.plan.backends.length);
    this.report = {
      node: options.node,
      clients: 0,
      requests: 0,
      replies: 0,
      refused: 0,
      opened: 0,
      peakBackend: 0,
      reused: 0,
      bytesForth: 0,
      bytesBack: 0,
    };
  }

  /** See {@linkcode App}. */
  visitState(v: StateVisitor): void {
    this.#nextSource = v.number(this.#nextSource);
    this.#backendOpen = v.number(this.#backendOpen);
    visitNumbers(v, this.report);
    visitNumbers(v, this.poolRefusals);
    visitPool(this.#plan.pool, v);
    this.#rows.visitState(v);
  }

  /** See {@linkcode App}: it waited for a file descriptor. */
  onTimer(_code: number, _connection: number, listener: number): void {
    this.#acceptFrom(listener);
  }

  /** See {@linkcode App}. */
  onTcp(kind: number, c: number, argument: number): void {
    if (kind === ACCEPTABLE) return this.#acceptFrom(argument);
    const side = this.#runtime.tcp.warm[c * STRIDE + APP_STATE];
    if (side === GONE) return;
    switch (kind) {
      case CONNECTED:
        return this.#connected(c);
      case READABLE:
        return this.#readable(c, side);
      case WRITABLE:
        return this.#writable(c, side);
      case PEER_CLOSED:
        return this.#peerClosed(c, side);
      case CLOSED:
      case FAILED:
        return this.#ended(c, side, kind === FAILED ? argument : 0);
    }
  }

  #acceptFrom(listener: number): void {
    const runtime = this.#runtime;
    const node = listenerHost(runtime.tcp, listener);
    for (;;) {
      const c = runtime.accept(node, listener);
      if (c === 0) return;
      if (c === -ERRNO.EMFILE) return runtime.waitForFile(node, this.#app, 0, listener);
      // (What is passed on does not wait for Nagle's sake, as with nginx and HAProxy.)
      setNoDelay(runtime.tcp, c, true);
      this.report.clients++;
      const warm = runtime.tcp.warm;
      warm[c * STRIDE + APP_STATE] = CLIENT;
      // What of a request has come (request), or the connection that it is passed on to (stream).
      warm[c * STRIDE + APP_DATA] = 0;
      // What is still owed to it (request).
      warm[c * STRIDE + APP_DATA2] = 0;
      if (this.#plan.kind === "stream" && !this.#openStream(c)) continue;
      this.#readable(c, CLIENT);
      if (warm[c * STRIDE + APP_STATE] === CLIENT && peerHasClosed(runtime.tcp, c)) this.#peerClosed(c, CLIENT);
    }
  }

  /** Opens a connection to a back end: the handle, or `-errno`; EADDRNOTAVAIL if none of the sources has a port. */
  #open(node: number, backend: number): number {
    const { sources, backends } = this.#plan;
    const { address, port } = backends[backend];
    for (let k = 0; k < sources.length; k++) {
      const local = sources[this.#nextSource];
      this.#nextSource = (this.#nextSource + 1) % sources.length;
      const { addresses } = this.#runtime.tcp;
      if (local !== 0 && addresses.isIpv6(local) !== addresses.isIpv6(address)) continue;
      const c = this.#runtime.connectUncounted(node, local, address, port, this.#app);
      if (c > 0) {
        setNoDelay(this.#runtime.tcp, c, true);
        this.#plan.pool.active[backend]++;
        this.report.opened++;
        if (++this.#backendOpen > this.report.peakBackend) this.report.peakBackend = this.#backendOpen;
        const warm = this.#runtime.tcp.warm;
        warm[c * STRIDE + APP_STATE] = BACKEND;
        warm[c * STRIDE + APP_DATA] = 0;
        warm[c * STRIDE + APP_DATA2] = backend;
        return c;
      }
      if (c !== -ERRNO.EADDRNOTAVAIL) return c;
    }
    return -ERRNO.EADDRNOTAVAIL;
  }

  /**
   * Opens a connection to the back end that the algorithm chooses, or, where there is no port towards it or no way, to
   * any other; 0 if there is none, or no file or memory for one.
   */
  #openSomewhere(node: number, client: number): number {
    const { pool, backends } = this.#plan;
    const hash = finalise32(mix32(0x2545f491, this.#clientWord(client)));
    const chosen = chooseBackend(pool, hash);
    let without = -1;
    for (let k = 0; chosen >= 0 && k < backends.length; k++) {
      const backend = (chosen + k) % backends.length;
      if (pool.weights[backend] === 0) continue;
      const c = this.#open(node, backend);
      if (c > 0) return c;
      if (!helpsElsewhere(c)) return 0;
      if (c === -ERRNO.EADDRNOTAVAIL && without < 0) without = backend;
    }
    this.#refusedPort(node, without);
    return 0;
  }

  /** There was no port towards `backend`, and no connection to another either; -1: that was not the reason. */
  #refusedPort(node: number, backend: number): void {
    if (backend < 0) return;
    const { address, port } = this.#plan.backends[backend];
    this.#portsRefused(node, address, port);
  }

  #lost(c: number): void {
    const { warm } = this.#runtime.tcp;
    const backend = warm[c * STRIDE + APP_DATA2];
    this.#plan.pool.active[backend]--;
    this.#backendOpen--;
    this.#rows.removeIdle(backend, c);
  }

  // ---- stream ----

  #openStream(client: number): boolean {
    const runtime = this.#runtime;
    const c = this.#openSomewhere(hostOf(runtime.tcp, client), client);
    if (c === 0) {
      this.report.refused++;
      this.#close(client);
      return false;
    }
    runtime.tcp.warm[client * STRIDE + APP_DATA] = c;
    runtime.tcp.warm[c * STRIDE + APP_DATA] = client;
    return true;
  }

  /** Passes on what has come on `c`, as far as the other side has room; it is asked to tell when it has more. */
  #splice(c: number, side: number): void {
    const tcp = this.#runtime.tcp;
    const other = tcp.warm[c * STRIDE + APP_DATA];
    // (Nothing goes to a back end that is not connected yet.)
    if (other === 0 || (side === CLIENT && tcp.warm[c * STRIDE + APP_DATA2] === 0)) return;
    while (unreadBytes(tcp, c) > 0) {
      const room = sendRoom(tcp, other);
      if (room <= 0) {
        if (wantRoom(tcp, other)) continue;
        return;
      }
      const bytes = receive(tcp, c, Math.min(room, unreadBytes(tcp, c)));
      if (bytes <= 0) break;
      const sent = send(tcp, other, bytes);
      if (sent < 0) return;
      if (side === CLIENT) this.report.bytesForth += bytes;
      else this.report.bytesBack += bytes;
    }
    if (peerHasClosed(tcp, c) && unreadBytes(tcp, c) <= 0) shutdownWrite(tcp, other);
  }

  // ---- request ----

  /** Takes the bytes of requests out of a client's connection. */
  #takeRequests(client: number): void {
    const { tcp } = this.#runtime;
    const at = (client * STRIDE) & MASK;
    const bytes = receive(tcp, client, unreadBytes(tcp, client));
    if (bytes <= 0) return;
    this.report.bytesForth += bytes;
    tcp.warm[at + APP_DATA] += bytes;
    while (tcp.warm[at + APP_STATE] === CLIENT && tcp.warm[at + APP_DATA] >= this.#plan.requestBytes) {
      tcp.warm[at + APP_DATA] -= this.#plan.requestBytes;
      this.report.requests++;
      this.#forwardRequest(client);
    }
  }

  #forwardRequest(client: number): void {
    const { tcp } = this.#runtime;
    const without = this.#tryForward(client);
    if (without === FORWARDED) return;
    const mayWait = this.#rows.waiting < this.#plan.maxWaiting && this.#backendOpen > 0;
    if (mayWait) return this.#rows.wait(client, tcp.generation(client));
    this.#refusedPort(hostOf(tcp, client), without);
    const full = without < 0 && isInUse(this.#plan.pool, this.#plan.maxConnections);
    if (full && ++this.poolRefusals.count === 1) this.poolRefusals.firstNs = this.#runtime.nowNs;
    this.#refuse(client);
  }

  /** Sends a request to a back end: `FORWARDED`, or towards which there was no port, -1 if that was not the reason. */
  #tryForward(client: number): number {
    const node = hostOf(this.#runtime.tcp, client);
    const { pool, backends, maxConnections, keepAlive, multiplex } = this.#plan;
    const hash = finalise32(mix32(0x2545f491, this.#clientWord(client)));
    const chosen = chooseBackend(pool, hash);
    let without = -1;
    for (let k = 0; chosen >= 0 && k < backends.length; k++) {
      const backend = (chosen + k) % backends.length;
      if (pool.weights[backend] === 0) continue;
      let c = keepAlive ? this.#rows.idle(backend) : 0;
      if (c !== 0) this.report.reused++;
      else if (pool.active[backend] < maxConnections) c = this.#open(node, backend);
      if (c > 0) {
        this.#sendRequest(c, client, multiplex);
        return FORWARDED;
      }
      if (c === -ERRNO.EADDRNOTAVAIL && without < 0) without = backend;
      if (c < 0 && !helpsElsewhere(c)) break;
    }
    return without;
  }

  /** A connection to a back end has gone: another may be opened, for those that wait. */
  #serveWaiting(): void {
    for (let next = this.#nextWaiter(); next !== 0; next = this.#nextWaiter()) {
      if (this.#tryForward(next) === FORWARDED) continue;
      if (this.#backendOpen > 0) return this.#rows.waitFirst(next, this.#runtime.tcp.generation(next));
      // (Nothing is open whose end they could wait for.)
      this.#refuse(next);
    }
  }

  /** A refusal is a short answer, and the end of the connection. */
  #refuse(client: number): void {
    this.report.refused++;
    send(this.#runtime.tcp, client, this.#plan.refusalBytes);
    this.#close(client);
  }

  #sendRequest(c: number, client: number, multiplex: number): void {
    const { tcp } = this.#runtime;
    const outstanding = this.#rows.push(c, client, tcp.generation(client));
    const backend = tcp.warm[c * STRIDE + APP_DATA2];
    if (outstanding >= multiplex || !this.#plan.keepAlive) this.#rows.removeIdle(backend, c);
    else this.#rows.addIdle(backend, c);
    tcp.warm[c * STRIDE + APP_DATA] += this.#plan.requestBytes;
    this.#sendUnsent(c);
  }

  /** Sends what there is of requests, once connected and as far as the send buffer takes it. */
  #sendUnsent(c: number): void {
    const { tcp } = this.#runtime;
    const at = c * STRIDE + APP_DATA;
    if (tcp.warm[at] <= 0 || !isConnected(tcp, c)) return;
    const sent = send(tcp, c, tcp.warm[at]);
    if (sent > 0) tcp.warm[at] -= sent;
  }

  /** Passes replies on, each to the client whose turn it is. */
  #takeReplies(c: number): void {
    const { tcp } = this.#runtime;
    const at = (c * STRIDE) & MASK;
    const bytes = receive(tcp, c, unreadBytes(tcp, c));
    if (bytes <= 0) return;
    let left = bytes;
    const { replyBytes, keepAlive, multiplex } = this.#plan;
    while (left > 0 && this.#rows.outstanding(c) > 0) {
      const { client, generation } = this.#rows.front(c);
      const before = this.#rows.passed(c);
      const part = Math.min(left, replyBytes - before);
      left -= part;
      this.report.bytesBack += part;
      this.#passOn(client, generation, part);
      if (!this.#rows.pass(c, part, replyBytes)) break;
      this.report.replies++;
      const backend = tcp.warm[at + APP_DATA2];
      const waiter = keepAlive ? this.#nextWaiter() : 0;
      if (waiter !== 0) {
        this.report.reused++;
        this.#sendRequest(c, waiter, multiplex);
      } else if (keepAlive) this.#rows.addIdle(backend, c);
      else {
        this.#close(c);
        return this.#serveWaiting();
      }
    }
  }

  #nextWaiter(): number {
    const { tcp } = this.#runtime;
    for (let next = this.#rows.nextWaiting(); next !== undefined; next = this.#rows.nextWaiting()) {
      if (tcp.generation(next.client) === next.generation && this.#isClient(next.client)) return next.client;
    }
    return 0;
  }

  #isClient(c: number): boolean {
    return this.#runtime.tcp.warm[c * STRIDE + APP_STATE] === CLIENT;
  }

  /** Part of a reply goes to its client, if that is still there; what its send buffer does not take follows later. */
  #passOn(client: number, generation: number, bytes: number): void {
    const { tcp } = this.#runtime;
    if (tcp.generation(client) !== generation || !this.#isClient(client)) return;
    const at = client * STRIDE + APP_DATA2;
    tcp.warm[at] += bytes;
    this.#sendOwed(client);
  }

  #sendOwed(client: number): void {
    const { tcp } = this.#runtime;
    const at = client * STRIDE + APP_DATA2;
    const owed = tcp.warm[at];
    if (owed <= 0) return;
    const sent = send(tcp, client, owed);
    if (sent > 0) tcp.warm[at] -= sent;
  }

  // ---- both ----

  #connected(c: number): void {
    if (this.#plan.kind !== "stream") return this.#sendUnsent(c);
    // What the client has sent in the meantime, and whether it is done.
    const client = this.#runtime.tcp.warm[c * STRIDE + APP_DATA];
    if (client === 0) return;
    this.#runtime.tcp.warm[client * STRIDE + APP_DATA2] = 1;
    this.#splice(client, CLIENT);
  }

  #readable(c: number, side: number): void {
    if (this.#plan.kind === "stream") return this.#splice(c, side);
    if (side === CLIENT) this.#takeRequests(c);
    else this.#takeReplies(c);
  }

  #writable(c: number, side: number): void {
    const { tcp } = this.#runtime;
    if (this.#plan.kind === "stream") {
      const other = tcp.warm[c * STRIDE + APP_DATA];
      if (other !== 0) this.#splice(other, side === CLIENT ? BACKEND : CLIENT);
    } else if (side === BACKEND) this.#sendUnsent(c);
    else {
      this.#sendOwed(c);
      if (tcp.warm[c * STRIDE + APP_DATA2] <= 0 && peerHasClosed(tcp, c)) this.#close(c);
    }
  }

  #peerClosed(c: number, side: number): void {
    const { tcp } = this.#runtime;
    if (this.#plan.kind === "stream") {
      this.#splice(c, side);
      return;
    }
    // A client that has closed wants no more; a back end that has closed answers no more.
    if (side === CLIENT) {
      if (tcp.warm[c * STRIDE + APP_DATA2] <= 0) this.#close(c);
    } else this.#ended(c, BACKEND, 0);
  }

  #ended(c: number, side: number, errno: number): void {
    const { tcp } = this.#runtime;
    const { warm } = tcp;
    if (this.#plan.kind === "stream") {
      const other = warm[c * STRIDE + APP_DATA];
      // (A back end that cannot be reached at all: its client is refused.)
      const never = side === BACKEND && other !== 0 && warm[other * STRIDE + APP_DATA2] === 0;
      if (never && errno !== 0) this.report.refused++;
      this.#close(c);
      if (other !== 0 && warm[other * STRIDE + APP_STATE] !== GONE) {
        warm[other * STRIDE + APP_DATA] = 0;
        this.#close(other);
      }
      return;
    }
    this.#close(c);
    if (side !== BACKEND) return;
    // Who waits for a reply of it gets none.
    for (const { client, generation } of this.#rows.forget(c)) {
      if (tcp.generation(client) === generation && this.#isClient(client)) this.#refuse(client);
    }
    this.#serveWaiting();
  }

  #close(c: number): void {
    const { warm } = this.#runtime.tcp;
    const at = c * STRIDE + APP_STATE;
    if (warm[at] === GONE) return;
    if (warm[at] === BACKEND) this.#lost(c);
    warm[at] = GONE;
    this.#runtime.close(c);
  }
}

/** May another back end be connected to after this `-errno`? (Not where files or memory are what is missing.) */
function helpsElsewhere(errno: number): boolean {
  return errno === -ERRNO.EADDRNOTAVAIL || errno === -ERRNO.ENETUNREACH || errno === -ERRNO.EHOSTUNREACH;
}
