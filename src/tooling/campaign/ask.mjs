// Questions to an agent's or a copier's control socket: one JSON object a line, either way.
import net from "node:net";

/** The answer's object; { ok: false, message } where there is none in time. Never throws. */
export function ask(file, question, limitMs = 3000) {
  return new Promise((resolve) => {
    const socket = net.connect(file);
    let text = "";
    const end = (answer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const refuse = (message) => end({ ok: false, code: "none", message: `${file}: ${message}` });
    const timer = setTimeout(() => refuse(`no answer within ${limitMs} ms`), limitMs);
    socket.on("error", (error) => refuse(error.code ?? error.message));
    socket.on("close", () => refuse("closed without an answer"));
    socket.on("connect", () => socket.write(`${JSON.stringify(question)}\n`));
    socket.on("data", (data) => {
      text += data;
      const line = text.indexOf("\n");
      if (line < 0) return;
      try {
        end(JSON.parse(text.slice(0, line)));
      } catch {
        refuse("not an answer");
      }
    });
  });
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
