/**
 * A reader of a watchdog's pipe, in this process: what a device does, without a machine to reset.
 * It starts with the first byte; 'V' stops it; one whose feeder is gone runs on, and is fed once
 * more by that, as the kernel does.
 */
import net from "node:net";

export type StandIn = {
  readonly fed: number;
  /** When the "machine" was reset, performance.now(); null while it was not. */
  readonly resetMs: number | null;
  readonly end: () => void;
};

export async function standInWatchdog(
  file: string,
  limitMs: number,
  onReset: () => void,
): Promise<StandIn> {
  let fed = 0;
  let resetMs: number | null = null;
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      resetMs = performance.now();
      onReset();
    }, limitMs);
  };
  const server = net.createServer((socket) => {
    let isArmed = true;
    wait();
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      fed += data.length;
      isArmed = !data.includes("V");
      if (isArmed) wait();
      else clearTimeout(timer);
    });
    socket.on("close", () => {
      if (isArmed && resetMs === null) wait();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(file, resolve);
  });
  return {
    get fed() {
      return fed;
    },
    get resetMs() {
      return resetMs;
    },
    end() {
      clearTimeout(timer);
      server.close();
      server.unref();
    },
  };
}
