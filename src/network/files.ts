/**
 * File descriptors of nodes: every socket takes one, and there may be a limit.
 *
 * @module
 */
import { NODE } from "../node/nodes.ts";
import type { Partition } from "./partition.ts";

const { FILES, POPULATION, MASK, STRIDE } = NODE;

/** Files that a node may have open. */
export function maxFilesOf(s: Partition, node: number): number {
  const { maxFiles } = s.conditions;
  const own = maxFiles.size === 0 ? undefined : maxFiles.get(node);
  return own ?? s.nodes.populations[s.nodes.words[((node * STRIDE) & MASK) + POPULATION]].maxFiles;
}

/** An event says how many files a node may have open. Those that wait for one may try. */
export function setMaxFiles(s: Partition, node: number, maxFiles: number): void {
  s.conditions.maxFiles.set(node, maxFiles);
  if (s.nodes.words[node * STRIDE + FILES] < maxFiles) wakeStarved(s, node);
}

/** Has the node no file descriptor left? That is counted. */
export function lacksFile(s: Partition, node: number): boolean {
  const at = (node * STRIDE) & MASK;
  const files = s.nodes.words[at + FILES];
  const most = maxFilesOf(s, node);
  if (files < most) return false;
  s.limits.refuse("files", s.nodes.populations[s.nodes.words[at + POPULATION]].name, s.nowNs, files, most);
  return true;
}

/** The node has one more socket open. */
export function takeFile(s: Partition, node: number): void {
  const at = (node * STRIDE) & MASK;
  const files = ++s.nodes.words[at + FILES];
  const population = s.nodes.populations[s.nodes.words[at + POPULATION]];
  if (files > population.peakFiles) population.peakFiles = files;
}

/** A file descriptor of the node is free again: those that wait for one may try. */
export function freeFile(s: Partition, node: number): void {
  s.nodes.words[node * STRIDE + FILES]--;
  if (s.starved.size > 0) wakeStarved(s, node);
}

function wakeStarved(s: Partition, node: number): void {
  const waiting = s.starved.get(node);
  if (waiting === undefined) return;
  s.starved.delete(node);
  for (const { app, code, argument } of waiting) s.schedule(node, app, s.nowNs, code, 0, argument);
}
