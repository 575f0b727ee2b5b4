/**
 * What a run of a script may be told: on the command line, and by `--name=value` lines at the script's top.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import type { Script } from "./script.ts";

/** IP version of a run. */
export type IpVersion = "ipv4" | "ipv6";

/** Settings of a run. */
export interface RunConfig {
  ipVersion: IpVersion;
  /** The emulated host's address. */
  localIp: string;
  /** The address that scripts speak for. */
  remoteIp: string;
  /** Port that `bind` binds to. */
  bindPort: number;
  /** Remote port that `connect` connects to. */
  connectPort: number;
  /** MTU of the emulated interface, bytes. */
  mtu: number;
  /** How far an event may be off its time, ns. */
  toleranceNs: number;
  /** The same as a share of the time since the event before, where that is more. */
  tolerancePercent: number;
  /** Every segment of a script is one on the wire: none are joined. */
  strictSegments: boolean;
  /** Timestamp values may be off by `toleranceNs` in ticks of so many ns; 0: they are not checked. */
  timestampTickNs: number;
  /** A packet that differs from the script's in header, options, payload or time is only noted. */
  packetsMayDiffer: boolean;
  /** A timestamp echo that was never sent is worked out from the first one that was. */
  scaleTimestampEchoes: boolean;
}

/** Defaults, as packetdrill's and its test runner's. */
export function defaultConfig(ipVersion: IpVersion): RunConfig {
  const v4 = ipVersion === "ipv4";
  return {
    ipVersion,
    localIp: v4 ? "192.168.0.1" : "fd3d:0a0b:17d6::1",
    remoteIp: v4 ? "192.0.2.1" : "fd3d:fa7b:d17d::1",
    bindPort: 8080,
    connectPort: 8080,
    // IPv6's header is 20 bytes longer: scripts are written for one MSS.
    mtu: v4 ? 1500 : 1520,
    toleranceNs: 4e6,
    tolerancePercent: 12.5,
    strictSegments: false,
    timestampTickNs: 0,
    packetsMayDiffer: false,
    scaleTimestampEchoes: false,
  };
}

/** Options of packetdrill that mean nothing to an emulated host. */
const WITHOUT_MEANING = new Set([
  "verbose",
  "dry_run",
  "code_command",
  "code_format",
  "code_sockopt",
  "so_filename",
  "so_flags",
  "wire_client",
  "wire_server",
  "speed",
  "gateway_ip",
  "netmask_ip",
  "netdev",
  "use_expect",
  "persistent_tun_dev",
  "init_scripts",
  "debug",
  "send_omit_free",
]);

type Setter = (config: RunConfig, value: string) => boolean;

function number(low: number, high: number, set: (config: RunConfig, n: number) => void): Setter {
  return (config, value) => {
    const n = Number(value);
    if (!/^\d+(\.\d+)?$/.test(value) || n < low || n > high) return false;
    set(config, n);
    return true;
  };
}

/** Sets an address of the run's IP version; of the other version it is left alone, as packetdrill does not look at it. */
function address(set: (config: RunConfig, text: string) => void): Setter {
  return (config, value) => {
    const v6 = value.includes(":");
    if (v6 !== (config.ipVersion === "ipv6")) return true;
    set(config, value.replace(/\/\d+$/, ""));
    return true;
  };
}

const SETTERS: Record<string, Setter> = {
  ip_version: (_, value) => /^(ipv4|ipv6|ipv4-mapped-ipv6)$/.test(value),
  local_ip: address((config, text) => config.localIp = text),
  remote_ip: address((config, text) => config.remoteIp = text),
  local_ipv4: address((config, text) => config.localIp = text),
  remote_ipv4: address((config, text) => config.remoteIp = text),
  local_ipv6: address((config, text) => config.localIp = text),
  remote_ipv6: address((config, text) => config.remoteIp = text),
  bind_port: number(1, 65535, (config, n) => config.bindPort = n),
  connect_port: number(1, 65535, (config, n) => config.connectPort = n),
  mtu: number(68, 65535, (config, n) => config.mtu = n),
  tolerance_usecs: number(1, 1e9, (config, n) => config.toleranceNs = n * 1000),
  tolerance_percent: number(0, 100, (config, n) => config.tolerancePercent = n),
  tcp_ts_tick_usecs: number(0, 1e6, (config, n) => config.timestampTickNs = n * 1000),
  tcp_ts_ecr_scaled: (config) => config.scaleTimestampEchoes = true,
  strict_segments: (config) => config.strictSegments = true,
  // Packetdrill reads "syscall" too and does nothing about it.
  non_fatal: (config, value) => {
    const kinds = value.split(",");
    config.packetsMayDiffer = kinds.includes("packet");
    return kinds.every((kind) => kind === "packet" || kind === "syscall");
  },
};

/** The IP version that a script asks for itself, if it does. */
export function versionAskedFor(script: Script): IpVersion | undefined {
  const asked = script.options.findLast((option) => option.name === "ip_version")?.value;
  if (asked === undefined) return undefined;
  return asked === "ipv6" ? "ipv6" : "ipv4";
}

/**
 * Applies one option to `config`; false if it means nothing here.
 *
 * @throws {InputError} for an option that packetdrill does not know, or a value that it does not take.
 */
export function applyOption(config: RunConfig, name: string, value: string): boolean {
  const setter = SETTERS[name];
  if (setter === undefined) {
    if (WITHOUT_MEANING.has(name) || name === "define" || name === "D") return false;
    throw new InputError(`There is no option --${name}.`);
  }
  if (!setter(config, value)) throw new InputError(`--${name} does not take ${JSON.stringify(value)}.`);
  return true;
}

/**
 * The settings for a script: defaults, the script's own options, and over them those `given` on the command line.
 *
 * @throws {InputError} as `applyOption`, with the line.
 */
export function configFor(
  script: Script,
  ipVersion: IpVersion,
  given: readonly (readonly [name: string, value: string])[],
): RunConfig {
  const config = defaultConfig(ipVersion);
  for (const { name, value, at } of script.options) {
    try {
      applyOption(config, name, value);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError(error.message, { file: script.path, line: at.line, column: at.column });
    }
  }
  for (const [name, value] of given) applyOption(config, name, value);
  return config;
}

/** Symbols that Linux's own test runner defines, by IP version. */
export function defaultSymbols(ipVersion: IpVersion): Map<string, string> {
  const v4 = ipVersion === "ipv4";
  return new Map([
    ["CODE", v4 ? "host_unreachable" : "address_unreachable"],
    ["CMSG_LEVEL_IP", v4 ? "SOL_IP" : "SOL_IPV6"],
    ["CMSG_TYPE_RECVERR", v4 ? "IP_RECVERR" : "IPV6_RECVERR"],
    ["TFO_COOKIE", v4 ? "3021b9d889017eeb" : "c1d1e9742a47a9bc"],
    ["TFO_COOKIE_ZERO", v4 ? "b7c12350a90dc8f5" : "82af1a8f9a205c34"],
  ]);
}
