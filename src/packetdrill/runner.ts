/**
 * Plays a script against an emulated host: injects, expects, calls, in the script's order and at its times.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { type CodeValue, evaluate } from "./code.ts";
import { applyCommands } from "./effects.ts";
import { configFor, type IpVersion, type RunConfig } from "./config.ts";
import type { Flow } from "./flow.ts";
import { EmulatedHost } from "./host.ts";
import { icmpBytes, tcpBytes } from "./inject.ts";
import { Kernel } from "./kernel/kernel.ts";
import { CallError, type CallResult, type Operation } from "./kernel/result.ts";
import { SYSTEM_CALLS } from "./kernel/table.ts";
import { numberOf } from "./kernel/arguments.ts";
import { compare, joinable, joined } from "./match.ts";
import { packetText, seconds, segmentText } from "./print.ts";
import { packetdrillProfile } from "./sysctl.ts";
import { type Failure, ScriptFailure, type ScriptReport } from "./report.ts";
import type { CallAction, CodeAction, Command, PacketAction, Script, ScriptEvent } from "./script.ts";
import { type Segment, segmentOf } from "./segment.ts";
import { Subject } from "./subject.ts";
import { checkTime, isAbsolute, type Moment, momentOf, toleranceOf } from "./timing.ts";
import { tcpInfoValues } from "./tcp_info.ts";

const SECOND = 1e9;
/** How long after its time an expected packet is waited for. */
const PATIENCE_NS = 2 * SECOND;
/** How long a call that the script does not expect to block may, and how long one still blocking is waited for. */
const CALL_PATIENCE_NS = 3600 * SECOND;
const IDLE_PATIENCE_NS = SECOND;
/** A packet that may come at any time is waited for as long as the host has something to do, at most so long. */
const ANY_PATIENCE_NS = 86400 * SECOND;

/** A blocking call under way. */
interface BlockedCall {
  event: ScriptEvent;
  action: CallAction;
  operation: Operation;
  /** When it was begun and when it is to return. */
  begun: Moment;
  ends: Moment;
}

/** Options of {@linkcode runScript}. */
export interface RunOptions {
  ipVersion: IpVersion;
  /** Options of the command line: they win over the script's. */
  given?: readonly (readonly [name: string, value: string])[];
  /** Keep a line for every packet and call. */
  trace?: boolean;
}

/** Plays the script. What goes wrong is in the report. */
export function runScript(script: Script, options: RunOptions): ScriptReport {
  const report: ScriptReport = { path: script.path, ok: false, endNs: 0, ignored: [], trace: [] };
  let run: Run | undefined;
  try {
    run = new Run(script, configFor(script, options.ipVersion, options.given ?? []), report, options.trace === true);
    run.play();
    report.ok = true;
  } catch (error) {
    if (error instanceof ScriptFailure) report.failure = error.failure;
    else if (error instanceof InputError) report.failure = { line: error.line ?? 1, message: error.message };
    else throw error;
  }
  report.endNs = run?.host.nowNs ?? 0;
  return report;
}

class Run {
  declare readonly host: EmulatedHost;
  readonly #script: Script;
  readonly #config: RunConfig;
  readonly #report: ScriptReport;
  readonly #kernel: Kernel;
  readonly #subject: Subject;
  readonly #variables = new Map<string, CodeValue>();
  readonly #trace: boolean;
  #blocked: BlockedCall | null = null;
  /** The event before, and its time as worked out. */
  #last: { event: ScriptEvent; moment: Moment } | null = null;

  constructor(script: Script, config: RunConfig, report: ScriptReport, trace: boolean) {
    this.#script = script;
    this.#config = config;
    this.#report = report;
    this.#trace = trace;
    this.host = new EmulatedHost({ config, profile: packetdrillProfile });
    this.#kernel = new Kernel(this.host, config, SYSTEM_CALLS);
    this.#subject = new Subject(config);
    if (script.init !== null) this.#command(script.init);
  }

  play(): void {
    for (const event of this.#script.events) {
      const moment = this.#momentOf(event);
      const { action } = event;
      switch (action.kind) {
        case "packet":
          if (action.inbound) this.#inject(event, action, moment);
          else this.#expect(event, action, moment);
          break;
        case "call":
          this.#call(event, action, moment);
          break;
        case "command":
          this.#waitFor(event, moment, "the command");
          this.#command(action.command);
          break;
        case "code":
          this.#waitFor(event, moment, "the code");
          this.#code(event, action);
          break;
      }
      this.#last = { event, moment };
    }
    this.#awaitIdle();
    if (this.#blocked !== null) {
      this.#fail(this.#blocked.event, { message: `${this.#blocked.action.name} has not returned by the end` });
    }
    if (this.#script.cleanup !== null) this.#command(this.#script.cleanup);
  }

  #fail(event: ScriptEvent, failure: Omit<Failure, "line">): never {
    throw new ScriptFailure({ line: event.at.line, ...failure });
  }

  /** Relative times count from now, those of consecutive packets put in from each other's times. */
  #momentOf(event: ScriptEvent): Moment {
    const last = this.#last;
    const anchored = last !== null && isInbound(last.event) && isInbound(event);
    const moment = momentOf(event.time, anchored ? last.moment.fromNs : this.host.nowNs);
    if (last === null && moment.fromNs !== 0) this.#fail(event, { message: "the first event must be at time 0" });
    if (last !== null && isAbsolute(last.event) && isAbsolute(event) && moment.fromNs < last.moment.fromNs) {
      this.#fail(event, { message: "time goes back in the script" });
    }
    return moment;
  }

  get #sinceNs(): number | null {
    return this.#last === null ? null : this.#last.moment.fromNs;
  }

  /** Lets time pass up to an event's, and checks that it has not gone by. */
  #waitFor(event: ScriptEvent, moment: Moment, what: string): void {
    this.#passUntil(moment.fromNs, () => false);
    if (this.#last === null) return;
    const wrong = checkTime(this.#config, what, moment, this.host.nowNs, this.#sinceNs);
    if (wrong !== null) this.#fail(event, { message: wrong });
  }

  /** Lets time pass up to `untilNs` or until `enough`; a blocked call goes on meanwhile. */
  #passUntil(untilNs: number, enough: () => boolean): void {
    this.#settle();
    while (!enough() && this.host.nowNs < untilNs) {
      const deadline = this.#blocked?.operation.deadlineNs ?? Infinity;
      const next = Math.min(untilNs, deadline);
      if (next === Infinity && this.host.nextTimerNs === Infinity) return;
      this.host.step(next);
      this.#settle();
    }
  }

  /** Tries the blocked call again. */
  #settle(): void {
    this.#kernel.refresh();
    const blocked = this.#blocked;
    if (blocked === null) return;
    const result = this.#attempt(blocked.event, blocked.operation);
    if (result === null) return;
    this.#blocked = null;
    this.#returned(blocked.event, blocked.action, result);
    const { ends, begun, event, action } = blocked;
    const wrong = checkTime(this.#config, `the return of ${action.name}`, ends, this.host.nowNs, begun.fromNs);
    if (wrong !== null) this.#fail(event, { message: wrong });
  }

  #attempt(event: ScriptEvent, operation: Operation): CallResult | null {
    try {
      return operation.attempt(this.host.nowNs >= operation.deadlineNs);
    } catch (error) {
      if (error instanceof CallError) this.#fail(event, { message: error.message });
      throw error;
    }
  }

  #awaitIdle(): void {
    if (this.#blocked === null) return;
    this.#passUntil(this.host.nowNs + IDLE_PATIENCE_NS, () => this.#blocked === null);
  }

  #inject(event: ScriptEvent, packet: PacketAction, moment: Moment): void {
    const flow = this.#flowOf(event, packet);
    this.#waitFor(event, moment, "the packet");
    this.#subject.received(flow, packet);
    const { body } = packet;
    if (body.kind === "udp") this.#fail(event, { message: "UDP is not emulated" });
    const bytes = body.kind === "tcp"
      ? tcpBytes(packet, body, flow, this.#config)
      : icmpBytes(packet, body, flow, this.host);
    if (typeof bytes === "string") this.#fail(event, { message: bytes });
    this.#note(`< ${packetText(packet)}`);
    const refused = this.host.receive(bytes);
    if (refused !== null) this.#note(`  (the host drops it: ${refused})`);
    this.#settle();
  }

  #flowOf(event: ScriptEvent, packet: PacketAction): Flow {
    const flow = this.#subject.flowOf(packet);
    if (flow === null) this.#fail(event, { message: "there is no socket that this packet could belong to" });
    return flow;
  }

  #expect(event: ScriptEvent, packet: PacketAction, moment: Moment): void {
    const flow = this.#flowOf(event, packet);
    const { body } = packet;
    if (body.kind !== "tcp") this.#fail(event, { message: "only TCP is expected from the emulated host" });
    const expected = `${moment.any ? "*" : seconds(moment.fromNs)} > ${packetText(packet)}`;
    const pieces: Segment[] = [];
    let length = 0;
    do {
      const next = this.#nextSegment(flow, moment);
      if (next === null) {
        const actual = pieces.length === 0 ? undefined : this.#piecesText(pieces, packet);
        this.#fail(event, { message: "the packet did not come", expected, actual });
      }
      this.#subject.answered(flow, packet, next.tcp.sequence);
      next.tcp = flow.toScript(next.tcp);
      this.#note(`> ${segmentText(next)}`, next.timeNs);
      const last = pieces.at(-1);
      pieces.push(next);
      if (last !== undefined) {
        const wrong = joinable(last, next, body.length - length);
        if (wrong !== null) this.#fail(event, { message: wrong, expected, actual: this.#piecesText(pieces, packet) });
      }
      length += next.length;
    } while (length < body.length && !this.#config.strictSegments);
    const segment = pieces.length === 1 ? pieces[0] : joined(pieces);
    const stampTolerance = toleranceOf(this.#config, moment.fromNs, 0);
    const wrong = compare(packet, segment, flow, this.#config, stampTolerance) ??
      checkTime(this.#config, "the packet", moment, segment.timeNs, this.#sinceNs);
    if (wrong === null) return;
    if (this.#config.packetsMayDiffer) this.#note(`  (differs: ${wrong})`);
    else this.#fail(event, { message: wrong, expected, actual: this.#piecesText([segment], packet) });
  }

  #piecesText(pieces: readonly Segment[], packet: PacketAction): string {
    return pieces.map((piece) => `${seconds(piece.timeNs)} > ${segmentText(piece, packet)}`).join("\n");
  }

  /** The next segment of the connection, waited for as long as its time allows. Others are passed over. */
  #nextSegment(flow: Flow, moment: Moment): Segment | null {
    const { sent } = this.host;
    const untilNs = moment.any
      ? this.host.nowNs + ANY_PATIENCE_NS
      : Math.max(moment.toNs, this.host.nowNs) + PATIENCE_NS;
    for (;;) {
      while (sent.length > 0) {
        const segment = segmentOf(sent.shift()!);
        if (segment === null || !flow.takes(segment, this.#config.connectPort)) continue;
        return segment;
      }
      if (this.host.nowNs >= untilNs) return null;
      const before = this.host.nowNs;
      this.#passUntil(untilNs, () => sent.length > 0);
      if (sent.length === 0 && this.host.nowNs === before) return null;
    }
  }

  #call(event: ScriptEvent, action: CallAction, moment: Moment): void {
    this.#awaitIdle();
    if (event.ends !== null && this.#blocked !== null) {
      this.#fail(event, { message: `${this.#blocked.action.name} still blocks` });
    }
    this.#waitFor(event, moment, `the call of ${action.name}`);
    this.#beforeCall(action);
    const operation = this.#begin(event, action);
    let result = this.#attempt(event, operation);
    if (event.ends !== null) {
      const ends = momentOf(event.ends, moment.offsetNs);
      this.#blocked = { event, action, operation, begun: moment, ends };
      if (result === null) return;
      const { blocked } = { blocked: this.#blocked };
      this.#blocked = { ...blocked, operation: { attempt: () => result, deadlineNs: Infinity } };
      this.#settle();
      return;
    }
    if (result === null) {
      const untilNs = Math.min(operation.deadlineNs, this.host.nowNs + CALL_PATIENCE_NS);
      this.#passUntil(untilNs, () => (result = this.#attempt(event, operation)) !== null);
    }
    if (result === null) this.#fail(event, { message: `${action.name} blocks and nothing would end it` });
    this.#returned(event, action, result);
    this.#settle();
  }

  #begin(event: ScriptEvent, action: CallAction): Operation {
    try {
      return this.#kernel.begin(action.name, action.args);
    } catch (error) {
      if (error instanceof CallError) this.#fail(event, { message: error.message });
      throw error;
    }
  }

  /** Calls that connect tell whose packets come next. */
  #beforeCall({ name, args }: CallAction): void {
    const address = name === "connect" ? args[1] : name === "sendto" ? args[4] : undefined;
    if (address !== undefined) {
      const unspecified = address.kind !== "any" && numberOf(address) === 0;
      this.#subject.connects(numberOf(args[0]), unspecified);
    } else if (name === "sendmsg") {
      const header = args[1];
      const named = header.kind === "struct" && header.fields.some((field) => field.name === "msg_name");
      if (named) this.#subject.connects(numberOf(args[0]), false);
    }
  }

  #returned(event: ScriptEvent, action: CallAction, result: CallResult): void {
    const { name, args } = action;
    const text = result.errno === null ? `${result.value}` : `${result.value} ${result.errno}`;
    this.#note(`${name}(…) = ${text}`);
    this.#checkResult(event, action, result, text);
    if (result.value < 0) return;
    const named = action.result === null || action.result.kind === "any" ? result.value : numberOf(action.result);
    for (const file of result.opened ?? []) {
      // As packetdrill: an accepted socket may take a number that is in use.
      if (!this.#kernel.files.name(file, named, name.startsWith("accept"))) {
        this.#fail(event, { message: `the script has two files ${named}` });
      }
    }
    if (name === "socket") this.#subject.made(named);
    else if (name === "accept" || name === "accept4") this.#subject.accepts(named);
    else if (name === "listen") this.#subject.listens(numberOf(args[0]));
    else if (name === "close") this.#subject.closes(numberOf(args[0]));
  }

  #checkResult(event: ScriptEvent, action: CallAction, result: CallResult, actual: string): void {
    const { result: wanted, errno } = action;
    if (wanted !== null && wanted.kind !== "any") {
      const expected = errno === null ? resultText(wanted) : `${resultText(wanted)} ${errno}`;
      if (!isResult(wanted, result)) {
        this.#fail(event, { message: `${action.name} returned something else`, expected, actual });
      }
      if (errno !== null && errno !== result.errno) {
        this.#fail(event, { message: `${action.name} failed otherwise`, expected, actual });
      }
    }
    if (result.mismatch) this.#fail(event, { message: `${action.name}: ${result.mismatch}` });
  }

  #command(command: Command): void {
    const { ignored, sleepNs } = applyCommands(this.host, command);
    for (const text of ignored) this.#report.ignored.push({ text, line: command.at.line });
    if (sleepNs > 0) this.#passUntil(this.host.nowNs + sleepNs, () => false);
  }

  #code(event: ScriptEvent, action: CodeAction): void {
    const flow = this.#subject.current;
    if (flow === null) this.#fail(event, { message: "there is no socket whose tcp_info the code could see" });
    const file = this.#kernel.files.get(flow.fd);
    if (file === undefined || file.target.kind !== "socket") {
      this.#fail(event, { message: "the socket that the code is about is not open" });
    }
    const names = tcpInfoValues(this.host, file.target);
    const result = evaluate(action.text, action.at, names, this.#variables, this.#script.path);
    for (const line of result.printed) this.#note(line);
    if (!result.ok) throw new ScriptFailure({ line: result.at.line, message: result.message });
  }

  #note(text: string, timeNs = this.host.nowNs): void {
    if (this.#trace) this.#report.trace.push(`${seconds(timeNs)} ${text}`);
  }
}

function isInbound({ action }: ScriptEvent): boolean {
  return action.kind === "packet" && action.inbound;
}

/** Does the result fit? Of files any number will do. */
function isResult(wanted: NonNullable<CallAction["result"]>, result: CallResult): boolean {
  if (wanted.kind === "range") return result.value >= wanted.from && result.value <= wanted.to;
  const expected = numberOf(wanted);
  return result.opened !== undefined && expected >= 0 ? result.value >= 0 : result.value === expected;
}

function resultText(wanted: NonNullable<CallAction["result"]>): string {
  return wanted.kind === "range" ? `${wanted.from}…${wanted.to}` : String(numberOf(wanted));
}
