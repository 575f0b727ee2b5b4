import { assertEquals } from "@std/assert";
import { Emitter } from "../../src/socket/emitter.ts";

class Bell extends Emitter<{ ring: [times: number] }> {
  ring(times: number): boolean {
    return this.emit("ring", times);
  }
}

Deno.test("listeners are called in the order in which they were added", () => {
  const log: string[] = [];
  new Bell().on("ring", (n) => log.push(`a${n}`)).on("ring", (n) => log.push(`b${n}`)).ring(2);
  assertEquals(log, ["a2", "b2"]);
});

Deno.test("emit says whether anybody listened", () => {
  const bell = new Bell();
  assertEquals([bell.ring(1), bell.on("ring", () => {}).ring(1)], [false, true]);
});

Deno.test("once is once, and off takes it off before", () => {
  const bell = new Bell();
  let heard = 0;
  const listener = () => heard++;
  bell.once("ring", listener);
  bell.ring(1);
  bell.ring(1);
  assertEquals(heard, 1);
  bell.once("ring", listener).off("ring", listener).ring(1);
  assertEquals([heard, bell.hasListeners("ring")], [1, false]);
});

Deno.test("who is called is settled when the event begins", () => {
  const bell = new Bell();
  const log: string[] = [];
  const second = () => log.push("second");
  bell.on("ring", () => {
    log.push("first");
    bell.off("ring", second);
    bell.on("ring", () => log.push("new"));
  });
  bell.on("ring", second);
  bell.ring(1);
  assertEquals(log, ["first", "second"]);
});
