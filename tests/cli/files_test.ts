import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { pathFromInvocation, readScenarioText } from "../../src/cli/files.ts";
import { inDirectory } from "./spawn.ts";

function refuses(file: string, reason: string): void {
  const error = assertThrows(() => readScenarioText(file), InputError);
  assertEquals(error.message, `${file}: ${reason}`);
}

Deno.test("a scenario's text is read", () =>
  inDirectory((directory) => {
    Deno.writeTextFileSync(`${directory}/a.yaml`, "name: ü\n");
    assertEquals(readScenarioText(`${directory}/a.yaml`), "name: ü\n");
  }));

Deno.test("a missing file, a directory and bytes that are no text are refused with one sentence", () =>
  inDirectory((directory) => {
    Deno.writeFileSync(`${directory}/bytes`, Uint8Array.of(0xff, 0xfe, 0));
    refuses(`${directory}/none.yaml`, "there is no such file.");
    refuses(directory, "this is a directory, not a scenario file.");
    refuses(`${directory}/bytes`, "this is not a text file in UTF-8.");
  }));

Deno.test("absolute paths stay as they are", () => {
  assertEquals(pathFromInvocation("/tmp/a.yaml"), "/tmp/a.yaml");
  assertEquals(pathFromInvocation("C:\\a.yaml"), "C:\\a.yaml");
});
