/**
 * Makes queue disciplines from their settings.
 *
 * @module
 */
import { Codel } from "./codel.ts";
import type { DisciplineSettings, QueueDiscipline, QueuePackets } from "./discipline.ts";
import { FqCodel } from "./fq_codel.ts";
import { Red } from "./red.ts";

/** An empty queue of that discipline. `key`: two words, the key of its own random numbers. */
export function makeDiscipline(settings: DisciplineSettings, packets: QueuePackets, key: Int32Array): QueueDiscipline {
  switch (settings.kind) {
    case "codel":
      return new Codel(settings, packets);
    case "fq-codel":
      return new FqCodel(settings, packets, key[0] ^ key[1]);
    case "red":
      return new Red(settings, packets, key[0], key[1]);
  }
}
