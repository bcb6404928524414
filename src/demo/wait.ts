/** Waiting for conditions instead of for time. */

/** Waits until `holds` is true, asked after each event; false at the deadline. */
export function conditionWaiter() {
  const waiting = new Set<() => void>();
  return {
    poke: () => {
      for (const check of waiting) check();
    },
    until(holds: () => boolean, deadlineMs: number): Promise<boolean> {
      if (holds()) return Promise.resolve(true);
      return new Promise((resolve) => {
        const end = (result: boolean): void => {
          clearTimeout(timer);
          waiting.delete(check);
          resolve(result);
        };
        const check = (): void => {
          if (holds()) end(true);
        };
        const timer = setTimeout(() => end(holds()), deadlineMs);
        waiting.add(check);
      });
    },
  };
}
