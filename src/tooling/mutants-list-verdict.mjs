// Mistakes in what is concluded: the detector, and the guards of the verdict table.
import { mutant, usual } from "./mutants-search.mjs";

const verdict = "core/verdict.ts";
const judge = "core/step/judge.ts";
const observation = "core/observation.ts";

export const verdictMutants = [
  mutant("row 5: an unfit observer judges", "an observer's own trouble is not evidence", [
    {
      file: verdict,
      find: 'noNetwork(e) && e.mirror !== "ok" && e.observer === "unfit"',
      put: 'noNetwork(e) && e.mirror !== "ok" && e.observer === "unfit" && e.pair === "split"',
    },
  ]),
  mutant("row 2 taken for row 9", "a lost network beside a live mirror is a network partition", [
    {
      file: verdict,
      find: '    row: "2",\n    verdict: "network partition",',
      put: '    row: "9",\n    verdict: "cannot tell link from site",',
    },
  ]),
  mutant("row 7: pair state ignored", "of a pair that is split or copying no silence tells", [
    {
      file: verdict,
      find: 'evidence.pair === "split" || evidence.pair === "copying"',
      put: 'evidence.pair === "unknown" && evidence.mirror === "ok"',
    },
  ]),
  mutant("a live network is not looked at", "one live path is life", [
    {
      file: judge,
      find: 'return peer.sightings[networkPath]?.status === "ok" ? "ok" : "lost";',
      put: 'return "lost";',
    },
  ]),
  mutant("row 9 eligible without a grant", "only an arbiter tells link from site", [
    {
      file: verdict,
      find: 'evidence.arbiter === "grant" ? "eligible" : "hold"',
      put: 'evidence.arbiter === "deny" ? "hold" : "eligible"',
    },
  ]),
  mutant("old pair states believed", "an answer older than its limit is none", [
    { file: judge, find: "!view || isPairOld(state, mirror)", put: "!view" },
  ]),
  mutant("silence without a margin", "a beat that is late within the budget is no silence", [
    {
      file: observation,
      find: "return fromMs + marginMs(timing, watch.health);",
      put: "return fromMs;",
    },
  ]),
  mutant("silence while records rise", "a host beats while its position rises", [
    {
      file: observation,
      find: "if (order <= 0) return sighting.invalid",
      put: "if (order <= 0 || position.serial % 16n > 8n) return sighting.invalid",
    },
  ]),
].map((one) => usual(one, {}));
