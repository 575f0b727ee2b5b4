/**
 * What became of stimuli, for people and for programs.
 *
 * @module
 */
import {
  compareAnswers,
  isWrong,
  STIMULUS_RULES,
  type StimulusRule,
  type StimulusVerdict,
} from "./stimulus_compare.ts";
import type { Stimulus } from "./stimulus.ts";
import { playStimulus } from "./stimulus_play.ts";

/** Wrong answers that are shown of a connection. */
const MOST_SHOWN = 5;

/** A stimulus and its verdict. */
export interface PlayedStimulus {
  stimulus: Stimulus;
  verdict: StimulusVerdict;
}

/** Plays stimuli and compares. */
export function playAll(stimuli: readonly Stimulus[]): PlayedStimulus[] {
  return stimuli.map((stimulus) => ({ stimulus, verdict: compareAnswers(stimulus, playStimulus(stimulus)) }));
}

/** Answers by rule, in the rules' order. */
export function ruleCounts(played: readonly PlayedStimulus[]): [StimulusRule, number][] {
  const counts = new Map<StimulusRule, number>();
  for (const { verdict } of played) {
    for (const { rule } of verdict.differences) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  }
  return (Object.keys(STIMULUS_RULES) as StimulusRule[]).flatMap((rule) => {
    const count = counts.get(rule);
    return count === undefined ? [] : [[rule, count] as [StimulusRule, number]];
  });
}

/** Answers in the three classes. */
export function classCounts(played: readonly PlayedStimulus[]): { same: number; acceptable: number; wrong: number } {
  const same = played.reduce((sum, { verdict }) => sum + verdict.same, 0);
  const differences = played.flatMap(({ verdict }) => verdict.differences);
  const wrong = differences.filter(({ rule }) => isWrong(rule)).length;
  return { same, acceptable: differences.length - wrong, wrong };
}

/** `client 10.0.0.1:5000 of 10.0.0.2:80`. */
export function stimulusName({ end, local, localPort, remote, remotePort }: Stimulus): string {
  const at = (address: string, port: number) => address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  return `${end} ${at(local, localPort)} towards ${at(remote, remotePort)}`;
}

/** The lines of a report: totals, rules with their reasons, wrong answers of both stacks. */
export function stimulusLines(played: readonly PlayedStimulus[]): string[] {
  const { same, acceptable, wrong } = classCounts(played);
  const lines = [`played ${played.length}: ${same} same, ${acceptable} acceptable, ${wrong} wrong`];
  for (const [rule, count] of ruleCounts(played)) {
    lines.push(`  ${isWrong(rule) ? "wrong" : "acceptable"} ${rule} (${count}): ${STIMULUS_RULES[rule]}`);
  }
  return [...lines, ...wrongLines(played)];
}

/** Only what is wrong. */
export function wrongLines(played: readonly PlayedStimulus[]): string[] {
  return played.flatMap(({ stimulus, verdict }) => {
    const wrong = verdict.differences.filter(({ rule }) => isWrong(rule));
    if (wrong.length === 0) return [];
    return [
      `${stimulusName(stimulus)}:`,
      ...wrong.slice(0, MOST_SHOWN).flatMap(({ rule, recorded, ours }) => [
        `  wrong: ${rule}: ${STIMULUS_RULES[rule]}`,
        `    recorded  ${recorded ?? "nothing"}`,
        `    ours      ${ours ?? "nothing"}`,
      ]),
      ...(wrong.length > MOST_SHOWN ? [`  and ${wrong.length - MOST_SHOWN} more`] : []),
    ];
  });
}
