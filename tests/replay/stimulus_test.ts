import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InputError } from "../../src/base/errors.ts";
import type { Network } from "../../src/network/network.ts";
import type { WorkloadOptions } from "../../src/network/options.ts";
import { isPureAck, type Stimulus, stimulusOf } from "../../src/replay/stimulus.ts";
import { compareAnswers, isWrong, type StimulusVerdict } from "../../src/replay/stimulus_compare.ts";
import { decodeStimuli, encodeStimuli } from "../../src/replay/stimulus_file.ts";
import { playStimulus } from "../../src/replay/stimulus_play.ts";
import { TCP_FLAG } from "../../src/wire/packet.ts";
import { capture, concat, imported, pieces, smallNetwork } from "./import_fixture.ts";

const TALK: Partial<WorkloadOptions> = {
  kind: "schedule",
  connections: 1,
  atNs: [0],
  exchanges: [{ requestBytes: 300, replyBytes: 9000, workNs: 20e6 }, {
    requestBytes: 5000,
    replyBytes: 70,
    thinkNs: 300e6,
  }],
};

function stimulusFrom(network: Network, end: "client" | "server", workload = TALK): Stimulus {
  network.workload({ name: "w", from: ["a"], to: ["server:80"], ...workload } as WorkloadOptions);
  const { connections } = imported(capture(network.build(), end === "client" ? "a" : "server"), { keepSegments: true });
  const found = stimulusOf(connections[0], end);
  if (typeof found === "string") throw new Error(found);
  return found;
}

function verdictOf(stimulus: Stimulus): StimulusVerdict {
  return compareAnswers(stimulus, playStimulus(stimulus));
}

function rules({ differences }: StimulusVerdict): string[] {
  return [...new Set(differences.map(({ rule }) => rule))];
}

for (const end of ["client", "server"] as const) {
  for (const family of ["ipv4", "ipv6"] as const) {
    Deno.test(`our own ${end} over ${family}, captured where it is, plays as it was recorded`, () => {
      const verdict = verdictOf(stimulusFrom(smallNetwork(), end, { ...TALK, family }));
      assertEquals(verdict.differences.filter(({ rule }) => rule !== "window" && rule !== "option-values"), []);
      assert(verdict.same + verdict.differences.length > 10);
    });
  }

  Deno.test(`our own ${end} under loss answers nothing wrongly`, () => {
    for (const seed of [1, 2, 3, 4]) {
      const exchanges = [{ requestBytes: 200_000, replyBytes: 300_000 }];
      const verdict = verdictOf(stimulusFrom(smallNetwork(seed, 0.03), end, { ...TALK, exchanges }));
      assertEquals(verdict.differences.filter(({ rule }) => isWrong(rule)), []);
    }
  });
}

/** A copy whose recorded answers `change` has changed. */
function changed(change: (stimulus: Stimulus) => void): StimulusVerdict {
  const stimulus = structuredClone(stimulusFrom(smallNetwork(), "server"));
  const played = playStimulus(stimulus);
  change(stimulus);
  return compareAnswers(stimulus, played);
}

const { SYN, FIN, ACK, PSH } = TCP_FLAG;

Deno.test("bytes that our end did not send are missing", () => {
  const verdict = changed(({ answers }) => {
    answers.findLast(({ length }) => length > 0)!.length += 10;
  });
  assert(rules(verdict).includes("missing-bytes"), rules(verdict).join());
});

Deno.test("bytes that only our end sent are too many", () => {
  const verdict = changed((stimulus) => {
    const last = stimulus.answers.findLast(({ length }) => length > 0)!;
    stimulus.answers = stimulus.answers.filter((one) => one !== last);
  });
  assert(rules(verdict).includes("extra-bytes"), rules(verdict).join());
});

Deno.test("data acknowledged by the recorded end alone is told as wrong", () => {
  const verdict = changed(({ answers }) => {
    answers.at(-1)!.acknowledgement += 1000;
  });
  assert(rules(verdict).includes("unacknowledged"), rules(verdict).join());
});

Deno.test("an acknowledgement of what has not come is wrong", () => {
  const verdict = changed((stimulus) => {
    stimulus.inputs.length = 2;
  });
  assert(rules(verdict).includes("acknowledged-ahead"), rules(verdict).join());
});

Deno.test("a FIN at another place, and a reset of one end, are wrong", () => {
  const verdict = changed(({ answers }) => {
    const fin = answers.find(({ flags }) => flags & FIN)!;
    fin.flags &= ~FIN;
    answers.push({ ...fin, flags: TCP_FLAG.RST, length: 0 });
  });
  assert(rules(verdict).includes("reset"), rules(verdict).join());
  const moved = changed(({ answers }) => {
    answers.find(({ flags }) => flags & FIN)!.sequence += 5;
  });
  assert(rules(moved).includes("fin"), rules(moved).join());
});

Deno.test("other options of the SYN-ACK are wrong, other values of them acceptable", () => {
  assertEquals(rules(changed(({ answers }) => (answers[0].options = new Uint8Array(0))))[0], "opening");
  const other = changed(({ answers }) => void (answers[0].options[3] ^= 1));
  assert(rules(other).includes("option-values") && !other.differences.some(({ rule }) => isWrong(rule)));
});

Deno.test("other cuts, other times and fewer acknowledgements are acceptable", () => {
  const cut = changed((stimulus) => {
    const at = stimulus.answers.findIndex(({ length }) => length > 1000);
    const one = stimulus.answers[at];
    const first = { ...one, length: 500, flags: ACK };
    stimulus.answers.splice(at, 1, first, { ...one, sequence: one.sequence + 500, length: one.length - 500 });
  });
  assert(rules(cut).includes("segmentation"));
  const late = changed(({ answers }) => answers.filter(isPureAck).forEach((one) => one.timeNs += 30e6));
  assert(rules(late).includes("timing"));
  const fewer = changed((stimulus) => {
    const at = stimulus.answers.findIndex(isPureAck);
    stimulus.answers.splice(at, 1);
  });
  assert(rules(fewer).includes("ack-frequency"));
  for (const verdict of [cut, late, fewer]) assertEquals(verdict.differences.filter(({ rule }) => isWrong(rule)), []);
});

Deno.test("recorded initial sequence numbers and timestamps may be any", () => {
  const stimulus = structuredClone(stimulusFrom(smallNetwork(), "server"));
  const shift = (word: number, by: number) => (word + by) >>> 0;
  for (const one of stimulus.answers) one.sequence = shift(one.sequence, 0xdeadbeef);
  for (const one of stimulus.inputs) {
    one.sequence = shift(one.sequence, 0x1234567);
    if ((one.flags & (SYN | ACK)) !== SYN) one.acknowledgement = shift(one.acknowledgement, 0xdeadbeef);
  }
  for (const one of stimulus.answers) one.acknowledgement = shift(one.acknowledgement, 0x1234567);
  assertEquals(verdictOf(stimulus).differences.filter(({ rule }) => rule !== "window" && rule !== "option-values"), []);
});

Deno.test("what the program writes is taken from PSH, and its end from FIN and reset", () => {
  const { calls } = stimulusFrom(smallNetwork(), "server");
  assertEquals(calls.map(({ kind, bytes }) => [kind, bytes]), [["write", 9000], ["write", 70], ["shutdown", 0]]);
  const reset = stimulusFrom(smallNetwork(), "client", { ...TALK, reset: true });
  assertEquals(reset.calls.at(-1)?.kind, "abort");
  assert(PSH > 0);
});

Deno.test("a stimulus trace survives writing and reading", () => {
  const stimuli = [stimulusFrom(smallNetwork(), "server"), stimulusFrom(smallNetwork(), "client")];
  assertEquals(decodeStimuli(pieces(concat(encodeStimuli(stimuli, "0.0.0")), 1000)), stimuli);
});

Deno.test("a damaged stimulus trace is answered with a sentence, or plays to its end", () => {
  const small = stimulusFrom(smallNetwork(), "server");
  const file = concat(encodeStimuli([small], "0.0.0"));
  const cut = assertThrows(() => decodeStimuli(pieces(file.subarray(0, file.length - 3))), InputError);
  assert(cut.message.endsWith("."), cut.message);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 4 }), (damage) => {
      const copy = file.slice();
      for (const [at, value] of damage) copy[at] = value;
      try {
        for (const stimulus of decodeStimuli(pieces(copy))) verdictOf(stimulus);
      } catch (error) {
        assert(error instanceof InputError, error instanceof Error ? error.stack : String(error));
      }
    }),
    { numRuns: 150 },
  );
});

Deno.test("data in a SYN that the recorded end took at once comes again for ours, and is acceptable", () => {
  const stimulus = structuredClone(stimulusFrom(smallNetwork(), "server"));
  // The request moves into the SYN, as with Fast Open, and the SYN-ACK acknowledges it.
  const request = stimulus.inputs.findIndex(({ length }) => length === 300);
  const { length } = stimulus.inputs[request];
  stimulus.inputs[0].length = length;
  stimulus.inputs.splice(request, 1);
  stimulus.answers[0].acknowledgement = (stimulus.answers[0].acknowledgement + length) >>> 0;
  const verdict = verdictOf(stimulus);
  assertEquals(verdict.differences.filter(({ rule }) => isWrong(rule)), []);
  assertEquals(verdict.differences.filter(({ rule }) => rule === "syn-data").length, 1);
});

Deno.test("an acknowledgement that a reset overtook is no fault, one that was late before it is", () => {
  for (const [laterNs, expected] of [[10_000, []], [2e9, ["unacknowledged"]]] as const) {
    const stimulus = structuredClone(stimulusFrom(smallNetwork(), "server"));
    const last = stimulus.inputs.findIndex(({ length }) => length > 0);
    // After the first request: recorded acknowledgement at once, a reset, and nothing more.
    const request = stimulus.inputs[last];
    stimulus.inputs.length = last + 1;
    const sequence = (request.sequence + request.length) >>> 0;
    const reset = { ...request, sequence, length: 0, flags: TCP_FLAG.RST, timeNs: request.timeNs + laterNs };
    stimulus.inputs.push(reset);
    const [synAck] = stimulus.answers;
    const acknowledgement = sequence;
    const base = { ...synAck, options: new Uint8Array(0), sequence: (synAck.sequence + 1) >>> 0, acknowledgement };
    stimulus.answers.splice(1, Infinity, { ...base, flags: ACK, timeNs: request.timeNs });
    stimulus.calls = [];
    const played = playStimulus(stimulus);
    // Without our own acknowledgement of the request:
    played.answers = played.answers.filter(({ flags }) => (flags & SYN) !== 0);
    assertEquals(rules(compareAnswers(stimulus, played)).filter(isWrong as (rule: string) => boolean), [...expected]);
  }
});
