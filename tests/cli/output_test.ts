import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { GrowingFiles, LineWriter, ReaderGone, writeAll } from "../../src/cli/output.ts";
import { inDirectory } from "./spawn.ts";

/** A stream that takes at most `most` bytes at a time. */
function sink(most: number) {
  const taken: number[] = [];
  return {
    text: () => new TextDecoder().decode(Uint8Array.from(taken)),
    writeSync: (bytes: Uint8Array) => {
      const part = bytes.subarray(0, most);
      taken.push(...part);
      return part.length;
    },
  };
}

Deno.test("everything is written, however little the stream takes at a time", () => {
  const stream = sink(3);
  writeAll(stream, new TextEncoder().encode("a longer text"));
  assertEquals(stream.text(), "a longer text");
});

Deno.test("a stream that is full for a moment is waited for", () => {
  const stream = sink(100);
  let refusals = 2;
  writeAll({
    writeSync: (bytes) => {
      if (refusals-- > 0) throw new Deno.errors.WouldBlock();
      return stream.writeSync(bytes);
    },
  }, new TextEncoder().encode("text"));
  assertEquals(stream.text(), "text");
});

Deno.test("a closed pipe is told by a type of its own", () => {
  const closed = {
    writeSync: () => {
      throw new Deno.errors.BrokenPipe();
    },
  };
  assertThrows(() => writeAll(closed, new Uint8Array(1)), ReaderGone);
});

Deno.test("lines are gathered until they are flushed", () => {
  const stream = sink(1e6);
  const lines = new LineWriter(stream);
  lines.write("one");
  lines.write("two");
  assertEquals(stream.text(), "");
  lines.flush();
  lines.flush();
  assertEquals(stream.text(), "one\ntwo\n");
});

const names = (directory: string) => [...Deno.readDirSync(directory)].map((entry) => entry.name).toSorted();

Deno.test("files have their names only when they are complete", () =>
  inDirectory((directory) => {
    const files = new GrowingFiles({ bufferBytes: 4 });
    files.append(`${directory}/a`, Uint8Array.of(1, 2));
    assertEquals(names(directory), []);
    files.append(`${directory}/b`, Uint8Array.of(3, 4));
    assertEquals(names(directory), ["a.partial", "b.partial"]);
    files.append(`${directory}/a`, Uint8Array.of(5));
    files.commit();
    assertEquals(names(directory), ["a", "b"]);
    assertEquals([...Deno.readFileSync(`${directory}/a`)], [1, 2, 5]);
  }));

Deno.test("a file that was there is replaced, not added to", () =>
  inDirectory((directory) => {
    Deno.writeTextFileSync(`${directory}/a`, "old and long");
    Deno.writeTextFileSync(`${directory}/a.partial`, "left over");
    const files = new GrowingFiles();
    files.append(`${directory}/a`, Uint8Array.of(7));
    files.commit();
    assertEquals([...Deno.readFileSync(`${directory}/a`)], [7]);
    assertEquals(names(directory), ["a"]);
  }));

Deno.test("what is discarded leaves nothing behind", () =>
  inDirectory((directory) => {
    const files = new GrowingFiles({ bufferBytes: 1 });
    files.append(`${directory}/a`, Uint8Array.of(1));
    files.discard();
    assertEquals(names(directory), []);
  }));

Deno.test("a file that cannot be written is told in one sentence", () =>
  inDirectory((directory) => {
    const files = new GrowingFiles();
    files.append(`${directory}/none/a`, Uint8Array.of(1));
    assertThrows(() => files.commit(), InputError, `${directory}/none/a cannot be written: `);
  }));

Deno.test("a directory or a device is never replaced, and nothing is left beside it", () =>
  inDirectory((folder) => {
    Deno.mkdirSync(`${folder}/x.cbor`);
    for (const path of [`${folder}/x.cbor`, "/dev/null"]) {
      const files = new GrowingFiles();
      files.append(path, Uint8Array.of(1));
      const error = assertThrows(() => files.flush(), InputError, "cannot be written: it is a ");
      assertEquals(error.message.includes("os error"), false);
      files.discard();
    }
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["x.cbor"]);
  }));
