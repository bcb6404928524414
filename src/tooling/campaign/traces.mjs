// What the journals tell of one round, as a trace for src/tooling/model-replay.mjs: whether the model
// can do what the program did. A round begins at rest, so its trace begins with the owner active.

/** Events of the model that a line of the journal stands for. */
const marks = [
  ["fenced", ({ ev, role, was }) => ev === "role" && role === "fenced" && was !== undefined],
  ["stopped", ({ ev, role }) => ev === "role" && role === "stopped"],
  ["stopped", ({ ev, role, was }) => ev === "role" && role === "standby" && was === "fenced"],
  ["active", ({ ev, role, was }) => ev === "role" && role === "active" && was !== "transitioning"],
  ["active", ({ ev, step }) => ev === "takeover" && step === "service hook started"],
  ["closing", ({ ev, step, by }) => ev === "takeover" && step === "begin" && by === "agent"],
  ["raise", ({ ev, step }) => ev === "takeover" && step === "term stored"],
  ["renounce", ({ ev, step }) => ev === "takeover" && step === "renounced"],
  ["grants", ({ ev, step }) => ev === "takeover" && step === "no longer renounced"],
  ["fenced", ({ ev, step }) => ev === "switchover" && step === "service stop hook started"],
  ["stopped", ({ ev, step }) => ev === "switchover" && step === "service stopped"],
  ["handover", ({ ev, step }) => ev === "switchover" && step === "term given"],
  ["term", ({ ev }) => ev === "term"],
  ["solo", ({ ev, on }) => ev === "guard" && on === "false"],
  ["guard", ({ ev, on }) => ev === "guard" && on === "true"],
  ["start", ({ ev }) => ev === "start"],
  ["down", ({ ev }) => ev === "down"],
];

/** The model knows no operator. */
const isBeyond = ({ ev, by, attested }) =>
  (ev === "takeover" && by === "operator") || attested !== undefined;

/**
 * `lines`: journal events with their site, and { ev: "down" }, of one round; `terms`: each site's
 * term at its begin; `owner`: the site that was active. null where the model has no words for it.
 */
export function traceOf(lines, owner, terms) {
  if (lines.some(isBeyond)) return null;
  const present = { ...terms };
  const trace = [{ at: 0, site: owner, event: "active", term: terms[owner] }];
  const isUp = Object.fromEntries(Object.keys(terms).map((site) => [site, true]));
  const sortedLines = lines.toSorted((a, b) => a.wallMs - b.wallMs);
  for (const line of sortedLines) {
    const { site, wallMs: at } = line;
    const event = marks.find(([, isMark]) => isMark(line))?.[0];
    if (event === undefined || (event === "down" && !isUp[site])) continue;
    // A term that was given is stored too, but raised by the giver.
    if (event === "raise" && Number(line.term) === present[site]) continue;
    isUp[site] = event !== "down";
    if (event === "start" && Number(line.term) > present[site]) {
      // A higher term that it found on a volume, before its first beat.
      trace.push({ at, site, event, term: present[site] });
      present[site] = Number(line.term);
      trace.push({ at, site, event: "term", term: present[site] });
      continue;
    }
    // A takeover's begin tells the term that is wanted; it is still the old one.
    if (event !== "closing" && line.term !== undefined) present[site] = Number(line.term);
    const term = present[site];
    trace.push({ at, site, event, ...(event === "down" ? {} : { term }) });
  }
  return trace;
}
