import { assert, assertEquals } from "@std/assert";
import { isWrong } from "../../src/replay/stimulus_compare.ts";
import { type Stimulus, stimulusOf } from "../../src/replay/stimulus.ts";
import { playAll } from "../../src/replay/stimulus_report.ts";
import { interopTest } from "../wire/support/tools.ts";
import { inDirectory } from "../cli/spawn.ts";
import { imported } from "../replay/import_fixture.ts";

/** Records loopback while `action` goes on; null where that is not allowed, or dumpcap is not there. */
async function recorded(path: string, port: number, action: () => Promise<void>): Promise<Uint8Array | null> {
  const args = ["-q", "-i", "lo", "-s", "96", "-w", path, "-f", `tcp port ${port}`];
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("dumpcap", { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  } catch {
    return null;
  }
  await new Promise((done) => setTimeout(done, 1500));
  await action();
  await new Promise((done) => setTimeout(done, 1500));
  try {
    child.kill("SIGINT");
  } catch {
    return null;
  }
  return (await child.status).success ? Deno.readFileSync(path) : null;
}

/** A client sends 1,000 bytes, a server answers 50,000, through this machine's kernel. */
async function talk(port: number): Promise<void> {
  const python = `
import socket, threading
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", ${port})); s.listen()
def serve():
    c, _ = s.accept(); f = c.makefile("rb"); f.read(1000); c.sendall(b"x" * 50000); c.close()
t = threading.Thread(target=serve); t.start()
c = socket.create_connection(("127.0.0.1", ${port})); c.sendall(b"y" * 1000)
while c.recv(65536): pass
c.close(); t.join()
`;
  const { success } = await new Deno.Command("python3", { args: ["-c", python] }).output();
  assert(success);
}

interopTest(
  "dumpcap",
  "a connection of this machine's kernel, recorded now, is imported, and our TCP answers as it did",
  () =>
    inDirectory(async (directory) => {
      const bytes = await recorded(`${directory}/lo.pcapng`, 18_443, () => talk(18_443));
      if (bytes === null || bytes.length === 0) {
        console.log("skipped: recording loopback needs dumpcap and the right to use it");
        return;
      }
      const { connections } = imported(bytes, { keepSegments: true });
      assertEquals(connections.map(({ turns }) => turns.map(({ bytes }) => bytes)), [[1000, 50_000]]);
      const stimuli = (["server", "client"] as const).map((end) => stimulusOf(connections[0], end) as Stimulus);
      for (const { verdict } of playAll(stimuli)) {
        assertEquals(verdict.differences.filter(({ rule }) => isWrong(rule)), []);
      }
    }),
);
