/**
 * Files that the command line names.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";

/**
 * A path as its writer meant it. `deno task` runs in the project's folder, wherever it was called; it leaves the
 * folder where it was called in `INIT_CWD`.
 */
export function pathFromInvocation(path: string): string {
  if (/^([/\\]|[A-Za-z]:[/\\])/.test(path)) return path;
  const called = initialDirectory();
  return called === undefined || called === Deno.cwd() ? path : `${called}/${path}`;
}

/**
 * The text of a scenario file.
 *
 * @throws {InputError} one sentence, where there is no such file, it is a directory, or it may not be read.
 */
export function readScenarioText(file: string): string {
  const path = pathFromInvocation(file);
  try {
    if (Deno.statSync(path).isDirectory) {
      throw new InputError(`${file}: this is a directory, not a scenario file.`, { file });
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${file}: ${reason(error)}`, { file });
  }
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file.";
  if (error instanceof Deno.errors.NotADirectory) {
    return "there is no such file: a part of its path is not a directory.";
  }
  if (error instanceof Deno.errors.PermissionDenied) return "you may not read this file.";
  if (error instanceof TypeError) return "this is not a text file in UTF-8.";
  return `it cannot be read: ${error instanceof Error ? error.message : error}.`;
}

/** Where `deno task` was called, if this is the task's own process in the project's folder. */
function initialDirectory(): string | undefined {
  const project = new URL("../../", import.meta.url);
  if (project.protocol !== "file:") return undefined;
  const root = Deno.realPathSync(project).replace(/[/\\]$/, "");
  if (Deno.realPathSync(Deno.cwd()).replace(/[/\\]$/, "") !== root) return undefined;
  try {
    return Deno.env.get("INIT_CWD");
  } catch {
    return undefined;
  }
}
