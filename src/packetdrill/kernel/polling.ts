/**
 * Calls that wait for readiness: poll, epoll.
 *
 * @module
 */
import type { Value } from "../script.ts";
import { EPOLL, POLL } from "./abi.ts";
import { fieldOf, numberOf } from "./arguments.ts";
import type { OpenFile } from "./files.ts";
import { instantly, type Kernel, type SystemCall, waiting } from "./kernel.ts";
import { readiness } from "./readiness.ts";
import { CallError, done, failed } from "./result.ts";

const hex = (bits: number) => `0x${(bits >>> 0).toString(16)}`;

/** `poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 100)`. */
export const pollCall: SystemCall = (kernel, args) => {
  const list = args.at(0);
  const count = args.number(1);
  const timeoutMs = args.number(2);
  if (list.kind !== "list") throw new CallError("poll takes a list of descriptors");
  if (list.items.length !== count) throw new CallError(`poll is given ${list.items.length} descriptors, not ${count}`);
  const asked = list.items.map((item) => pollEntry(kernel, item));
  const deadlineNs = timeoutMs < 0 ? Infinity : kernel.host.nowNs + timeoutMs * 1e6;
  return waiting((timedOut) => {
    const came = asked.map(({ file, events }) =>
      file === undefined ? POLL.NVAL : readiness(kernel.host, file) & (events | POLL.ERR | POLL.HUP)
    );
    const ready = came.filter((bits) => bits !== 0).length;
    if (ready === 0 && timeoutMs !== 0 && !timedOut) return null;
    const wrong = asked.findIndex((entry, i) => entry.expected !== came[i]);
    const mismatch = wrong < 0
      ? null
      : `revents of descriptor ${wrong}: expected ${hex(asked[wrong].expected)}, actual ${hex(came[wrong])}`;
    return done(ready, { mismatch });
  }, deadlineNs);
};

function pollEntry(kernel: Kernel, item: Value): { file: OpenFile | undefined; events: number; expected: number } {
  const fd = fieldOf(item, "fd");
  const events = fieldOf(item, "events");
  const expected = fieldOf(item, "revents");
  if (fd === undefined || events === undefined) throw new CallError("poll takes {fd=…, events=…, revents=…}");
  return {
    file: kernel.files.get(numberOf(fd)),
    events: numberOf(events),
    expected: expected === undefined ? 0 : numberOf(expected),
  };
}

/** `epoll_create(1) = 5`. */
export const epollCreateCall: SystemCall = (kernel, args) =>
  instantly(() => {
    if (args.number(0) <= 0) return failed("EINVAL");
    const file = kernel.openEpoll();
    return done(file.fd, { opened: [file] });
  });

/** The event structure: what is asked for or expected, and the word handed back. */
function epollEvent(value: Value): { events: number; data: number } {
  const events = fieldOf(value, "events");
  if (events === undefined) throw new CallError("an epoll event is {events=…, fd=…}");
  for (const name of ["fd", "ptr", "u32", "u64"]) {
    const data = fieldOf(value, name);
    if (data !== undefined) return { events: numberOf(events), data: numberOf(data) };
  }
  throw new CallError("an epoll event needs fd, ptr, u32 or u64");
}

/** `epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4})`. */
export const epollControlCall: SystemCall = (kernel, args) =>
  instantly(() => {
    const watching = kernel.file(args, 0);
    const { target } = watching;
    const operation = args.number(1);
    const file = kernel.file(args, 2);
    if (target.kind !== "epoll" || file === watching) return failed("EINVAL");
    const { events, data } = epollEvent(args.at(3));
    const at = target.watches.findIndex((watch) => watch.file === file);
    switch (operation) {
      case EPOLL.CTL_ADD:
        if (at >= 0) return failed("EEXIST");
        target.watches.push({ file, events, data, fresh: true, spent: false });
        return done(0);
      case EPOLL.CTL_DEL:
        if (at < 0) return failed("ENOENT");
        target.watches.splice(at, 1);
        return done(0);
      case EPOLL.CTL_MOD:
        if (at < 0) return failed("ENOENT");
        Object.assign(target.watches[at], { events, data, fresh: true, spent: false });
        return done(0);
      default:
        return failed("EINVAL");
    }
  });

/** `epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1`. */
export const epollWaitCall: SystemCall = (kernel, args) => {
  const { target } = kernel.file(args, 0);
  const expected = epollEvent(args.at(1));
  const most = args.number(2);
  const timeoutMs = args.number(3);
  const deadlineNs = timeoutMs < 0 ? Infinity : kernel.host.nowNs + timeoutMs * 1e6;
  return waiting((timedOut) => {
    if (target.kind !== "epoll" || most <= 0) return failed("EINVAL");
    const found = target.collect(most, (file) => readiness(kernel.host, file));
    if (found.length === 0) {
      if (timeoutMs !== 0 && !timedOut) return null;
      return done(0, { mismatch: expected.events === 0 ? null : "no event came" });
    }
    return done(found.length, { mismatch: eventMismatch(expected, found[0]) });
  }, deadlineNs);
};

function eventMismatch(expected: { events: number; data: number }, actual: { events: number; data: number }) {
  if (expected.events !== actual.events) {
    return `epoll events: expected ${hex(expected.events)}, actual ${hex(actual.events)}`;
  }
  return expected.data === actual.data ? null : `epoll data: expected ${expected.data}, actual ${actual.data}`;
}
