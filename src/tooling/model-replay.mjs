/**
 * Whether the model can do what a journal tells. A trace is a list of events, JSON lines:
 *
 *   {"at": 1200, "site": "tokyo", "event": "active", "term": 257}
 *
 * at: ms, only their order counts; site: any two names; term: counter * 256 + owner, as in records.
 * The model must take just these visible steps in this order; reading, writing, loss, the checks
 * of the lease and the ticks are free. The trace is accepted if its end can be reached.
 */
import { searchCase } from "./model-run.mjs";

/** Events with their codes of src/model/step.h; `term`: the term after the event. */
export const eventCodes = {
  active: 1, // the service hook runs: from here on it counts as running
  fenced: 2, // must not serve; the stop hook begins
  stopped: 3, // the stop is verified
  handover: 4, // the owner stores a term of the other site
  term: 5, // a higher term was found
  closing: 6, // the decision to take over: no grants any more
  raise: 7, // a takeover stores its own term
  renounce: 8,
  grants: 9, // renounces no longer
  solo: 10, // may run without a lease, by a RENOUNCED
  guard: 11, // a lease is needed again
  down: 12, // the host or agent is gone: crash, reset, power
  start: 13,
};
const withoutTerm = new Set(["down"]);
const mostEvents = 60;
const mostCounters = 6;

const fault = (index, message) => ({ fault: `event ${index + 1}: ${message}` });

/** Text of JSON lines to events; { fault } names the first line that is none. */
export function parseTrace(text) {
  const events = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      events.push(JSON.parse(line));
    } catch {
      return { fault: `line ${index + 1} is no JSON` };
    }
  }
  return { events };
}

/** The model's table of a trace whose first owner is `owner`; or { fault }. */
export function traceTable(events, { sites, owner, counter = 0 }) {
  if (events.length === 0) return { fault: "no event at all" };
  if (events.length > mostEvents) return { fault: `more than ${mostEvents} events` };
  // Site 0 of the model owns the first term.
  const order = [owner, sites.find((site) => site !== owner)];
  const ids = order.map((site) => sites.indexOf(site) + 1);
  const codes = [];
  let highest = 0;
  let last = -Infinity;
  for (const [index, { at, site, event, term }] of events.entries()) {
    const code = eventCodes[event];
    if (!code) return fault(index, `unknown event '${event}'`);
    if (!order.includes(site)) return fault(index, `unknown site '${site}'`);
    if (!(at >= last)) return fault(index, "earlier than the one before");
    last = at;
    let modelTerm = 0;
    if (!withoutTerm.has(event)) {
      const ownerIndex = ids.indexOf(term % 256);
      const rank = Math.floor(term / 256) - counter;
      if (ownerIndex < 0 || !(rank >= 0 && rank <= mostCounters)) {
        return fault(index, `term ${term} is out of the trace's terms`);
      }
      modelTerm = rank * 2 + ownerIndex;
      highest = Math.max(highest, rank);
    }
    codes.push(code * 32 + order.indexOf(site) * 16 + modelTerm);
  }
  const text = `#define LENGTH ${codes.length}\nshort want[${codes.length + 1}] = { ${codes.join(", ")}, 0 };\n`;
  return { text, counters: Math.max(1, highest) };
}

/**
 * { accepted: true } | { accepted: false, after } | { fault }; `after`: how many events the model
 * could follow. The site ids of the terms are 1 and 2 in the order of `sites`.
 */
export async function replay(events, world, limits) {
  const table = traceTable(events, world);
  if (table.fault) return table;
  const search = async (length, name) => {
    const text = table.text.replace(/LENGTH \d+/, `LENGTH ${length}`);
    const flags = { REPLAY: true, CMAX: table.counters };
    const files = { "trace.h": text };
    const one = { name, file: "takeover.pml", flags, files, search: "breadth" };
    return searchCase(one, limits);
  };
  const whole = await search(events.length, "replay");
  if (whole.found === "violated") return { accepted: true };
  if (whole.found !== "holds") return { fault: whole.why };
  let [low, high] = [0, events.length]; // the first `low` events can be followed
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const { found, why } = await search(middle, `replay-${middle}`);
    if (found === "no answer") return { fault: why };
    if (found === "violated") low = middle;
    else high = middle;
  }
  return { accepted: false, after: low };
}
