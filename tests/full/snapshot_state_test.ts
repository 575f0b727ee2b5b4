/** All state is in snapshots: graphs of objects are compared, private fields and all. */
import { assert, assertEquals } from "@std/assert";
import { inDirectory } from "../cli/spawn.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** What may differ between a simulation and the one restored from it: it is set anew before it is looked at. */
const SCRATCH = [
  // Results of the last call, and room to work in.
  /^(\.balancers)?\.addresses\.__(a[0-3]|last|six|pageWord)$/,
  /^\.apps\[\]\.(__bytes4|cache\.expiresMs|result\..+)$/,
  /\.__races\.__(ordered|other|preferred)/,
  /\.(__)?targets\.(address6?|name|port)$/,
  /^\.(due\.(count|items)|links\.(__outcome\.\w+|duplicate\.\w+|nextNs)$)/,
  /^\.nat\.(grantedAddress|lastSession)$/,
  /^\.queue\.__(sorter\.(hasTies|__keys|__nexts|__radix\.__(keyScratch|places|refScratch))|ties\.__scratch)$/,
  /^\.queue\.slots\.(hasTies|lastSlot)$/,
  /^\.routes\.__(sorted|pool)/,
  /^\.(tcp|udpSockets)\.(__)?ports\.__(hashHigh|hashLow|method|profile|search\.\w+)$/,
  // Beyond the counts that say how much of them is in use.
  /^\.queue\.(__currentTimes|currentRefs|__heap\.(refs|times)|__rounds\.(__next|refs))$/,
  /^\.(nat|tcp|udpSockets)\.(timerRequests|fineTimerRequests|events|out)$/,
  /^\.apps\[\]\.__(datagrams|sockets|listeners)\[\]$/,
  // A core's own time, which it takes from the clock when it is next reached.
  /^\.(nat|tcp)\.(__(syncedNs|afterNs|beforeNs)|tick|tickCeiling|nowMs|nowTick|nowUs)$/,
  // Made when first asked for.
  /^\.tcp\.(__algorithm(s|Names|Profile)?|fastOpen\.__parsed)/,
];

/** Makes private fields public, so that they can be looked at. */
function copyPublic(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyPublic(`${from}/${name}`, `${to}/${name}`);
    else {
      const text = Deno.readTextFileSync(`${from}/${name}`);
      Deno.writeTextFileSync(`${to}/${name}`, text.replaceAll(/(?<![\w"'`&/])#([a-zA-Z])/g, "__$1"));
    }
  }
}

Deno.test("snapshots hold every field that is not scratch, and most would be missed in a few networks", () =>
  inDirectory(async (folder) => {
    copyPublic(`${ROOT}src`, `${folder}/src`);
    copyPublic(`${ROOT}tests/network/support`, `${folder}/tests/network/support`);
    for (const name of ["mod.ts", "deno.json", "deno.lock"]) Deno.copyFileSync(`${ROOT}${name}`, `${folder}/${name}`);
    const script = `${folder}/tests/network/support/state_graph.ts`;
    const args = [
      "run",
      "--no-prompt",
      "--no-check",
      `--config=${folder}/deno.json`,
      "--allow-read",
      script,
      "60",
      "1",
    ];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const { looked, unsaved, sites, unmissed } = JSON.parse(new TextDecoder().decode(stdout));
    assert(looked > 40 && sites > 300, `${looked} networks, ${sites} places`);
    assertEquals(unsaved.filter((path: string) => !SCRATCH.some((known) => known.test(path))), []);
    // (The rest is empty between events, such as outboxes, or rare.)
    assert(unmissed.length < sites / 3, unmissed.join("\n"));
  }));
