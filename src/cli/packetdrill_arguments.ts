/**
 * The command line of `packetdrill`.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { InputError, nearest } from "../base/errors.ts";
import type { IpVersion } from "../packetdrill/config.ts";
import { UsageError } from "./arguments.ts";

/** What `packetdrill` was asked to do. */
export interface PacketdrillArguments {
  help: boolean;
  version: boolean;
  /** Scripts and directories, as given. */
  paths: string[];
  ipVersion: IpVersion;
  /** `-D` symbols. */
  symbols: Map<string, string>;
  /** Options that win over the scripts' own, by packetdrill's names. */
  given: (readonly [name: string, value: string])[];
  json: boolean;
  verbose: boolean;
}

/** What `--help` prints. */
export const PACKETDRILL_HELP = `Runs packetdrill scripts against an emulated host, in simulated time.

Usage: deno task packetdrill [flags] FILE|DIR…

A directory stands for the scripts (.pkt) below it; for IPv4 those that end in v6.pkt are left out, for IPv6 those
that end in v4.pkt.

  --ip_version=ipv4|ipv6   addresses of the run (default ipv4)
  -D NAME=VALUE            a symbol of the script stands for the value, as often as you like
  --tolerance_usecs=N      how far an event may be off its time (default 4000)
  --mtu=N                  MTU of the emulated interface (default 1500, IPv6: 1520)
  --strict_segments        every segment of a script is one on the wire: none are joined
  --json                   one JSON document instead of lines
  --verbose                every packet and call as it happens
  --help                   show this
  --version                show fourtuple's version

Exit codes: 0 all passed; 1 a script failed; 2 the command line is wrong or a script cannot be read.
`;

const BOOLEAN = ["help", "version", "json", "verbose", "strict_segments"] as const;
const STRING = ["ip_version", "D", "define", "tolerance_usecs", "mtu", "local_ip", "remote_ip"] as const;
const FLAGS: readonly string[] = [...BOOLEAN, ...STRING];
/** Flags that are packetdrill's own options. */
const PASSED_ON = ["tolerance_usecs", "mtu", "local_ip", "remote_ip"] as const;

/**
 * Reads the command line of `packetdrill`.
 *
 * @throws {UsageError} for an unknown flag, a flag without its value, or nothing to run.
 */
export function readPacketdrillArguments(args: readonly string[]): PacketdrillArguments {
  const parsed = parseArgs(args, {
    boolean: BOOLEAN,
    string: [...STRING, "_"],
    collect: ["D", "define"],
    alias: { help: "h" },
    unknown: (arg, key) => {
      if (key !== undefined) throw unknownFlag(arg);
      return true;
    },
  });
  const paths = parsed._.map(String);
  const symbols = new Map<string, string>();
  for (const text of [...parsed.D, ...parsed.define]) {
    const at = text.indexOf("=");
    if (at < 1) throw new UsageError(`-D needs NAME=VALUE, found ${JSON.stringify(text)}.`);
    symbols.set(text.slice(0, at), text.slice(at + 1));
  }
  const ipVersion = parsed.ip_version ?? "ipv4";
  if (ipVersion !== "ipv4" && ipVersion !== "ipv6") {
    throw new UsageError(`--ip_version is ipv4 or ipv6, not ${JSON.stringify(ipVersion)}.`);
  }
  const given: (readonly [string, string])[] = [];
  for (const name of PASSED_ON) {
    const value = parsed[name];
    if (value === "") throw new UsageError(`--${name} needs a value.`);
    if (value !== undefined) given.push([name, value]);
  }
  if (parsed.strict_segments) given.push(["strict_segments", ""]);
  const { help, version, json, verbose } = parsed;
  if (!help && !version && paths.length === 0) {
    throw new UsageError("Which script? Write deno task packetdrill FILE, or a directory of scripts.");
  }
  return { help, version, paths, ipVersion, symbols, given, json, verbose };
}

function unknownFlag(arg: string): InputError {
  const shown = arg.replace(/=.*$/s, "");
  const near = nearest(shown.replace(/^-+/, ""), FLAGS);
  const hint = near === undefined ? "--help lists the flags." : `did you mean --${near}?`;
  return new UsageError(`There is no flag ${shown}: ${hint}`);
}
