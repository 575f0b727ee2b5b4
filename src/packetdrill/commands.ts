/**
 * What commands in backticks mean for the emulated host: settings, queues, routes. No shell ever sees them; what has
 * no meaning here is told with the reason.
 *
 * @module
 */
import { parseShell, type ShellCommand, ShellError } from "./shell.ts";
import { sysctlExists } from "./sysctl.ts";

/** What a command does. */
export type Effect =
  /** A setting by its dotted name: `net.ipv4.tcp_ecn`. See `sysctl.ts`. */
  | { kind: "sysctl"; name: string; value: string }
  /** Packetdrill's own settings (`defaults.sh`). */
  | { kind: "defaults" }
  /** What `set_sysctls.py` has set goes back to what it was. */
  | { kind: "restore" }
  | { kind: "module-parameter"; module: string; name: string; value: string }
  /** What is remembered of peers (cookies, thresholds) is forgotten. */
  | { kind: "flush-metrics" }
  | {
    kind: "qdisc";
    action: "add" | "replace" | "change" | "del";
    device: string;
    /** `pfifo`, `fq`, `netem`, ...; null where one is deleted. */
    discipline: string | null;
    /** Packets. */
    limit: number | null;
    /** The rest, such as netem's `delay 10ms`. */
    arguments: readonly string[];
  }
  | {
    kind: "route";
    action: "add" | "replace" | "change" | "append" | "del";
    /** `default`, an address or a prefix. */
    destination: string;
    via: string | null;
    device: string | null;
    /** `initcwnd`, `mtu`, `rto_min`, `congctl`, `quickack`, `features`, ...; `mtu lock 1400` is `mtu` and `mtu lock`. */
    metrics: ReadonlyMap<string, string>;
  }
  /** A property of a device: its MTU, or whether it takes large segments (`ethtool -K tun0 tso off`). */
  | { kind: "device"; device: string; mtu: number | null; features: ReadonlyMap<string, boolean> }
  /** The script waits. */
  | { kind: "sleep"; ns: number }
  /** Nothing. `failed` if the command would have failed on Linux. */
  | { kind: "none"; text: string; why: string; failed: boolean };

/** Commands without effect on a TCP, and why. */
const HARMLESS: Readonly<Record<string, string>> = {
  true: "It does nothing.",
  ":": "It does nothing.",
  echo: "It only prints.",
  printf: "It only prints.",
  cat: "It only prints.",
  grep: "It only prints.",
  ls: "It only prints.",
  ss: "It only prints.",
  netstat: "It only prints.",
  nstat: "It only prints.",
  dmesg: "It only prints.",
  set: "Options of the shell have no meaning here.",
  ulimit: "Limits of the shell have no meaning here.",
  modprobe: "Every congestion control is there already.",
  insmod: "Every congestion control is there already.",
  sync: "There is no disk.",
};

/** The effects of shell text, in order. */
export function interpretCommands(text: string): Effect[] {
  let commands: ShellCommand[];
  try {
    commands = parseShell(text);
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    const lines = text.replace(/\\\r?\n/g, " ").split("\n").filter((line) => line.trim() !== "");
    // One line that is not understood does not take the others along.
    if (!error.compound && lines.length > 1) return lines.flatMap(interpretCommands);
    return [{ kind: "none", text: text.trim(), why: error.message, failed: false }];
  }
  const effects: Effect[] = [];
  let succeeded = true;
  for (const [i, command] of commands.entries()) {
    if ((command.after === "&&" && !succeeded) || (command.after === "||" && succeeded)) continue;
    const own = command.after === "|" ? interpretSink(commands[i - 1], command) : interpret(command);
    effects.push(...own);
    succeeded = !own.some((effect) => effect.kind === "none" && effect.failed);
  }
  return effects;
}

function none(command: ShellCommand, why: string, failed = false): Effect[] {
  return [{ kind: "none", text: command.text, why, failed }];
}

/** The command behind a pipe. */
function interpretSink(source: ShellCommand, command: ShellCommand): Effect[] {
  if (command.words[0] !== "tee" || source.words[0] !== "echo") {
    return none(command, "What it reads is not known here.");
  }
  const path = command.words.slice(1).find((word) => word[0] !== "-") ?? "";
  return written(command, path, echoed(source));
}

function interpret(command: ShellCommand): Effect[] {
  // Assignments in front of a command are for its environment.
  let words = command.words.slice(Math.max(0, command.words.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word))));
  if (words[0] === "sudo" || words[0] === "exec" || words[0] === "command") words = words.slice(1);
  const path = words[0] ?? "";
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (name === "sysctl") return sysctl(command, words.slice(1));
  if (name === "defaults.sh") return [{ kind: "defaults" }];
  if (name === "set_sysctls.py") return setSysctls(command, words.slice(1));
  if (/^sysctl_restore_.*\.sh$/.test(name)) return [{ kind: "restore" }];
  if (name === "ip") return ip(command, words.slice(1));
  if (name === "tc") return tc(command, words.slice(1));
  if (name === "ethtool") return ethtool(command, words.slice(1));
  if (name === "ifconfig") return ifconfig(command, words.slice(1));
  if (name === "sleep" || name === "usleep") return sleep(command, words);
  if (name === "false") return none(command, "It fails.", true);
  const [redirection] = command.redirections;
  if (redirection !== undefined && (name === "echo" || name === "printf")) {
    return written(command, redirection.to, echoed(command));
  }
  if (["bash", "sh", "python", "python3", "source", "."].includes(name) && words.length > 1 && words[1][0] !== "-") {
    return interpret({ ...command, words: words.slice(1) });
  }
  if (Object.hasOwn(HARMLESS, name)) return none(command, HARMLESS[name]);
  return none(command, `"${name}" is not a command that has a meaning here.`);
}

function echoed(command: ShellCommand): string {
  return command.words.slice(1).filter((word, i) => !(i === 0 && /^-[neE]+$/.test(word))).join(" ");
}

/** Text written into a file. */
function written(command: ShellCommand, path: string, value: string): Effect[] {
  if (path.startsWith("/proc/sys/")) return setting(command, dotted(path.slice("/proc/sys/".length)), value.trim());
  const parameter = /^\/sys\/module\/(\w+)\/parameters\/(\w+)$/.exec(path);
  if (parameter) {
    return [{ kind: "module-parameter", module: parameter[1], name: parameter[2], value: value.trim() }];
  }
  return none(command, path === "/dev/null" ? "It does nothing." : `What is written to ${path} has no meaning here.`);
}

function dotted(name: string): string {
  return name.replaceAll("/", ".");
}

function setting(command: ShellCommand, name: string, value: string): Effect[] {
  if (!sysctlExists(name)) return none(command, `Linux has no setting ${name}.`, true);
  return [{ kind: "sysctl", name, value }];
}

function sysctl(command: ShellCommand, args: readonly string[]): Effect[] {
  const effects: Effect[] = [];
  let ignoresUnknown = false;
  for (const arg of args) {
    if (arg[0] === "-") {
      if (/^-\w*e/.test(arg) || arg === "--ignore") ignoresUnknown = true;
      continue;
    }
    const equals = arg.indexOf("=");
    if (equals < 0) {
      effects.push(...none(command, `It only reads ${arg}.`));
      continue;
    }
    for (const effect of setting(command, dotted(arg.slice(0, equals).trim()), arg.slice(equals + 1).trim())) {
      effects.push(effect.kind === "none" && ignoresUnknown ? { ...effect, failed: false } : effect);
    }
  }
  return effects.length === 0 ? none(command, "It sets nothing.") : effects;
}

function setSysctls(command: ShellCommand, args: readonly string[]): Effect[] {
  return args.flatMap((arg) => {
    const [path, value] = arg.split("=");
    if (!path.startsWith("/proc/sys/") || value === undefined) {
      return none(command, `${arg} is not /proc/sys/...=value.`, true);
    }
    return setting(command, dotted(path.slice("/proc/sys/".length)), value);
  });
}

function sleep(command: ShellCommand, words: readonly string[]): Effect[] {
  const match = /^(\d*\.?\d*)([smh]?)$/.exec(words[1] ?? "");
  if (match === null || !/\d/.test(match[1])) return none(command, "How long it sleeps is not understood.", true);
  const unit = words[0] === "usleep" ? 1e3 : { m: 60e9, h: 3600e9 }[match[2]] ?? 1e9;
  return [{ kind: "sleep", ns: Math.round(Number(match[1]) * unit) }];
}

function ip(command: ShellCommand, args: readonly string[]): Effect[] {
  const words = args.filter((arg) => arg[0] !== "-");
  const [object, verb] = words;
  // Names may be cut short: `ip ro`, `ip li`.
  if (object === "tcp_metrics" || object === "tcpmetrics") {
    if (verb === "flush" || verb === "del" || verb === "delete") return [{ kind: "flush-metrics" }];
  } else if (object !== undefined && "route".startsWith(object)) return route(command, words.slice(1));
  else if (object !== undefined && object.length > 1 && "link".startsWith(object) && verb === "set") {
    const device = after(words, "dev") ?? words[2];
    const mtu = after(words, "mtu");
    if (mtu !== undefined && /^\d+$/.test(mtu)) {
      return [{ kind: "device", device, mtu: Number(mtu), features: new Map() }];
    }
  }
  return none(command, "This part of ip has no meaning here.");
}

function after(words: readonly string[], name: string): string | undefined {
  const index = words.indexOf(name);
  return index < 0 ? undefined : words[index + 1];
}

const ROUTE_ACTIONS = ["add", "replace", "change", "append", "del"] as const;
/** What may stand in a route without being a metric of its path. */
const ROUTE_PLACE = [
  "via",
  "dev",
  "src",
  "table",
  "proto",
  "scope",
  "metric",
  "preference",
  "tos",
  "dsfield",
  "onlink",
];

function route(command: ShellCommand, args: readonly string[]): Effect[] {
  const verb = args[0] === "delete" ? "del" : args[0];
  const action = ROUTE_ACTIONS.find((candidate) =>
    candidate === verb || (verb?.length > 2 && candidate.startsWith(verb))
  );
  if (action === undefined) return none(command, "It changes no route.");
  let words = args.slice(1);
  if (["unicast", "local", "unreachable", "prohibit", "blackhole"].includes(words[0])) {
    if (words[0] !== "unicast" && words[0] !== "local") {
      return none(command, `A route of the kind ${words[0]} is not emulated.`);
    }
    words = words.slice(1);
  }
  if (words[0] === "to") words = words.slice(1);
  const [destination] = words;
  if (destination === undefined) return none(command, "The route has no destination.", true);
  const metrics = new Map<string, string>();
  for (let i = 1; i < words.length; i++) {
    const name = words[i];
    if (name === "onlink") continue;
    const locked = words[i + 1] === "lock";
    if (locked) i++;
    const value = words[++i];
    if (value === undefined) return none(command, `"${name}" of the route has no value.`, true);
    if (ROUTE_PLACE.includes(name)) continue;
    metrics.set(name, name === "features" && metrics.has(name) ? `${metrics.get(name)} ${value}` : value);
    if (locked) metrics.set(`${name} lock`, "1");
  }
  return [{
    kind: "route",
    action,
    destination,
    via: after(words, "via") ?? null,
    device: after(words, "dev") ?? null,
    metrics,
  }];
}

const QDISC_ACTIONS = ["add", "replace", "change", "del"] as const;

function tc(command: ShellCommand, args: readonly string[]): Effect[] {
  const words = args.filter((arg) => arg[0] !== "-");
  const verb = words[1] === "delete" ? "del" : words[1];
  const action = QDISC_ACTIONS.find((candidate) => candidate === verb);
  if (words[0] !== "qdisc" || action === undefined) return none(command, "This part of tc has no meaning here.");
  let device: string | null = null;
  let discipline: string | null = null;
  let i = 2;
  for (; i < words.length && discipline === null; i++) {
    if (words[i] === "dev") device = words[++i] ?? null;
    else if (words[i] === "handle" || words[i] === "parent") i++;
    else if (words[i] !== "root" && words[i] !== "ingress" && words[i] !== "clsact") discipline = words[i];
  }
  if (device === null) return none(command, "It names no device.", true);
  const rest = words.slice(i);
  const limit = after(rest, "limit");
  return [{
    kind: "qdisc",
    action,
    device,
    discipline,
    limit: limit !== undefined && /^\d+$/.test(limit) ? Number(limit) : null,
    arguments: rest,
  }];
}

/** `ethtool -K tun0 tso off gso off`. */
function ethtool(command: ShellCommand, args: readonly string[]): Effect[] {
  if (!["-K", "--features", "--offload"].includes(args[0]) || args[1] === undefined) {
    return none(command, "This part of ethtool has no meaning here.");
  }
  const features = new Map<string, boolean>();
  for (let i = 2; i + 1 < args.length; i += 2) features.set(args[i], args[i + 1] === "on");
  return [{ kind: "device", device: args[1], mtu: null, features }];
}

function ifconfig(command: ShellCommand, args: readonly string[]): Effect[] {
  const mtu = after(args, "mtu");
  if (mtu === undefined || !/^\d+$/.test(mtu)) return none(command, "This part of ifconfig has no meaning here.");
  return [{ kind: "device", device: args[0], mtu: Number(mtu), features: new Map() }];
}
