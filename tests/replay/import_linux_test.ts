/**
 * Captures that we recorded from a Linux 6.x kernel of ours: three connections over loopback, and a download of 150,000
 * bytes between two network namespaces through a token bucket that dropped a quarter of the packets.
 */
import { assert, assertEquals } from "@std/assert";
import type { ImportedCapture } from "../../src/replay/import_capture.ts";
import { scenarioOf } from "../../src/replay/import_scenario.ts";
import { type Stimulus, stimulusOf } from "../../src/replay/stimulus.ts";
import { isWrong } from "../../src/replay/stimulus_compare.ts";
import { playAll } from "../../src/replay/stimulus_report.ts";
import { capture, imported, simulationOf } from "./import_fixture.ts";

function fixture(name: string): ImportedCapture {
  const bytes = Deno.readFileSync(new URL(`fixtures/${name}.pcap`, import.meta.url));
  return imported(bytes, { keepSegments: true });
}

const sizes = ({ connections }: ImportedCapture) =>
  connections.map(({ turns }) => turns.map(({ fromClient, bytes }) => (fromClient ? bytes : -bytes)));

Deno.test("Linux's connections over loopback are found, and made again", () => {
  const found = fixture("linux_loopback");
  const expected = Array.from({ length: 3 }, () => [100, -5000, 40_000, -200]);
  assertEquals(sizes(found), expected);
  const { text } = scenarioOf(found, { name: "x" });
  assertEquals(sizes(imported(capture(simulationOf(text), "capture_point"))), expected);
});

Deno.test("Linux's losses before the capture point are counted", () => {
  const [{ sides }] = fixture("linux_lossy_veth").connections;
  assertEquals([sides[0].next, sides[1].next], [100, 150_000]);
  assertEquals([sides[1].lostBefore, sides[1].lostAfter, sides[0].lostAfter], [35, 0, 0]);
});

for (const name of ["linux_loopback", "linux_lossy_veth"]) {
  Deno.test(`in the place of either of Linux's ends, our TCP answers nothing wrongly (${name})`, () => {
    const stimuli = fixture(name).connections.flatMap((connection) => {
      return (["server", "client"] as const).map((end) => stimulusOf(connection, end) as Stimulus);
    });
    assert(stimuli.every((stimulus) => typeof stimulus !== "string"));
    for (const { verdict } of playAll(stimuli)) {
      assertEquals(verdict.differences.filter(({ rule }) => isWrong(rule)), []);
      assert(verdict.same + verdict.differences.length >= 7);
    }
  });
}
