/**
 * `deno task packetdrill FILE|DIR…`: runs packetdrill scripts and says which passed. See `--help`.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { applyOption, defaultConfig, defaultSymbols, versionAskedFor } from "../packetdrill/config.ts";
import { parseScript } from "../packetdrill/parser.ts";
import type { ScriptReport } from "../packetdrill/report.ts";
import { runScript } from "../packetdrill/runner.ts";
import { UsageError } from "./arguments.ts";
import { pathFromInvocation } from "./files.ts";
import { complain, LineWriter, print, ReaderGone } from "./output.ts";
import { PACKETDRILL_HELP, type PacketdrillArguments, readPacketdrillArguments } from "./packetdrill_arguments.ts";
import { EXIT } from "./simulate.ts";
import { version } from "./version.ts";

/** One script's outcome, for the lines and the document. */
interface Outcome {
  path: string;
  ok: boolean;
  /** Real time, ms. */
  ms: number;
  report?: ScriptReport;
  /** Why it could not be read. */
  unreadable?: { message: string; line?: number; column?: number };
  lines: readonly string[];
}

/** Runs the command line `args` and returns the exit code. */
export function main(args: readonly string[]): number {
  try {
    const asked = readPacketdrillArguments(args);
    if (asked.help) return print(PACKETDRILL_HELP);
    if (asked.version) return print(`fourtuple ${version()}\n`);
    for (const [name, value] of asked.given) checkOption(asked, name, value);
    return runAll(asked, scriptsOf(asked));
  } catch (error) {
    if (error instanceof ReaderGone) return EXIT.READER_GONE;
    if (error instanceof InputError) return complain(`${error.message}\n`, EXIT.BAD_INPUT);
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    return complain(`This is a fault of fourtuple. Please report it with the script:\n${text}\n`, EXIT.FAULT);
  }
}

function checkOption(asked: PacketdrillArguments, name: string, value: string): void {
  try {
    applyOption(defaultConfig(asked.ipVersion), name, value);
  } catch (error) {
    throw error instanceof InputError ? new UsageError(error.message) : error;
  }
}

/** The scripts that the paths stand for, directories in the order of their names. */
function scriptsOf(asked: PacketdrillArguments): string[] {
  const skip = asked.ipVersion === "ipv4" ? "v6.pkt" : "v4.pkt";
  return asked.paths.flatMap((path) => {
    const real = pathFromInvocation(path);
    let isDirectory: boolean;
    try {
      isDirectory = Deno.statSync(real).isDirectory;
    } catch {
      throw new InputError(`${path}: there is no such file or directory.`);
    }
    if (!isDirectory) return [path];
    const found = filesBelow(path).filter((file) => file.endsWith(".pkt") && !file.endsWith(skip));
    if (found.length === 0) throw new InputError(`${path}: there is no script (.pkt) below this directory.`);
    return found;
  });
}

function filesBelow(directory: string): string[] {
  const base = directory.replace(/\/+$/, "");
  const entries = [...Deno.readDirSync(pathFromInvocation(directory))].toSorted((a, b) => a.name < b.name ? -1 : 1);
  return entries.flatMap(({ name, isDirectory }) => isDirectory ? filesBelow(`${base}/${name}`) : [`${base}/${name}`]);
}

function runAll(asked: PacketdrillArguments, scripts: readonly string[]): number {
  const lines = new LineWriter(Deno.stdout);
  const outcomes: Outcome[] = [];
  for (const path of scripts) {
    const outcome = runOne(asked, path);
    outcomes.push(outcome);
    if (!asked.json) { for (const line of linesOf(outcome)) lines.write(line); }
  }
  const failed = outcomes.filter(({ ok }) => !ok);
  const closing = `${outcomes.length - failed.length} passed, ${failed.length} failed`;
  if (asked.json) lines.write(JSON.stringify(documentOf(asked, outcomes), null, 2));
  else lines.write(closing);
  lines.flush();
  if (failed.some(({ unreadable }) => unreadable === undefined)) return EXIT.EXPECTATION_FAILED;
  return failed.length > 0 ? EXIT.BAD_INPUT : EXIT.OK;
}

function runOne(asked: PacketdrillArguments, path: string): Outcome {
  const begun = performance.now();
  const symbols = new Map([...defaultSymbols(asked.ipVersion), ...asked.symbols]);
  let lines: readonly string[] = [];
  try {
    const text = readText(path);
    const script = parseScript(text, { path, symbols, ipVersion: asked.ipVersion });
    lines = script.lines;
    const ipVersion = versionAskedFor(script) ?? asked.ipVersion;
    const report = runScript(script, { ipVersion, given: asked.given, trace: asked.verbose });
    return { path, ok: report.ok, ms: performance.now() - begun, report, lines };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { message, line, column } = error;
    return { path, ok: false, ms: performance.now() - begun, unreadable: { message, line, column }, lines };
  }
}

function readText(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(pathFromInvocation(path)));
  } catch (error) {
    throw new InputError(`${path}: ${error instanceof Error ? error.message : error}.`);
  }
}

/** A script's line, and below it what went wrong and what was left out. */
function linesOf({ path, ok, ms, report, unreadable, lines }: Outcome): string[] {
  const found = [`${ok ? "ok  " : "FAIL"} ${path} ${ms.toFixed(0)} ms`];
  for (const line of report?.trace ?? []) found.push(`     ${line}`);
  if (unreadable !== undefined) {
    found.push(`     ${unreadable.message}`);
  }
  const failure = report?.failure;
  if (failure !== undefined) {
    found.push(`     line ${failure.line}: ${failure.message}`);
    const source = lines[failure.line - 1]?.trim();
    if (source) found.push(`       script    ${source}`);
    if (failure.expected !== undefined) found.push(`       expected  ${failure.expected}`);
    for (const line of failure.actual?.split("\n") ?? []) found.push(`       actual    ${line}`);
  }
  for (const { text, line } of report?.ignored ?? []) found.push(`     line ${line}: no meaning here: ${text}`);
  return found;
}

function documentOf(asked: PacketdrillArguments, outcomes: readonly Outcome[]): unknown {
  return {
    ipVersion: asked.ipVersion,
    passed: outcomes.filter(({ ok }) => ok).length,
    failed: outcomes.filter(({ ok }) => !ok).length,
    scripts: outcomes.map(({ path, ok, ms, report, unreadable }) => ({
      path,
      ok,
      ms: Math.round(ms * 1000) / 1000,
      simulatedNs: report?.endNs ?? 0,
      error: unreadable,
      failure: report?.failure,
      ignored: report?.ignored ?? [],
      trace: asked.verbose ? report?.trace : undefined,
    })),
  };
}

if (import.meta.main) Deno.exit(main(Deno.args));
